//! A client of a server under measurement.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// One signed-in client with connections of its own.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
    organization: String,
}

/// An answer: its status and its text.
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    /// The text of what was created.
    fn created(self) -> anyhow::Result<String> {
        ensure!(self.status == 201, "it was refused: {} {}", self.status, self.text);
        Ok(self.text)
    }
}

impl Client {
    /// Signs in at `base` with what `packshot credentials create --json` printed.
    pub fn sign_in(base: &str, credentials: &Value) -> anyhow::Result<Self> {
        let agent = agent();
        let refresh = credentials["refresh_token"].as_str().context("no refresh token")?;
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "bench")];
        let answer = read(agent.post(format!("{base}/oauth/token")).send_form(form)?)?;
        let token: Value = serde_json::from_str(&answer.text)?;
        Ok(Self {
            agent,
            base: base.to_owned(),
            token: token["access_token"].as_str().context("no access token")?.to_owned(),
            organization: credentials["organization_id"].as_str().context("no organization")?.to_owned(),
        })
    }

    /// Another client with the same token, on connections of its own.
    pub fn another(&self) -> Self {
        Self {
            agent: agent(),
            base: self.base.clone(),
            token: self.token.clone(),
            organization: self.organization.clone(),
        }
    }

    /// The answer to a GET as soon as its head is there; the body is the caller's to read.
    pub fn open(&self, path: &str) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let request = self.agent.get(format!("{}{path}", self.base));
        Ok(request.header("authorization", format!("Bearer {}", self.token)).call()?)
    }

    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        read(self.open(path)?)
    }

    pub fn post(&self, path: &str, kind: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        read(request.header("content-type", kind).send(body)?)
    }

    /// Posts a file as a form; answers the text of what was created.
    pub fn post_file(&self, path: &str, name: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let (kind, body) = form(name, bytes);
        self.post(path, &kind, &body)?.created()
    }

    /// The id of the workflow of that name.
    pub fn workflow(&self, name: &str) -> anyhow::Result<String> {
        let answer = self.get(&format!("/v1/workflow?organization={}", self.organization))?;
        let page: Value = serde_json::from_str(&answer.text)?;
        let entries = page["entries"].as_array().context("no workflows")?;
        let found = entries.iter().find(|entry| entry["name"] == name).and_then(|entry| entry["id"].as_str());
        found.map(str::to_owned).with_context(|| format!("no workflow is called {name}"))
    }

    /// Uploads a picture and answers its content hash.
    pub fn upload(&self, bytes: &[u8]) -> anyhow::Result<String> {
        let (kind, body) = form("photo.jpg", bytes);
        self.post(&format!("/v1/upload?organization={}", self.organization), &kind, &body)?.created()
    }

    /// Creates an execution from the photo's bytes in one request.
    pub fn create(&self, workflow: &str, name: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let (kind, body) = form(name, bytes);
        self.post(&self.create_path(workflow), &kind, &body)?.created()
    }

    /// Creates an execution from a picture that was uploaded.
    pub fn create_from(&self, workflow: &str, hash: &str) -> anyhow::Result<String> {
        let image =
            serde_json::json!({ "name": "photo.jpg", "contentHash": hash, "contentType": "image/jpeg" });
        let body = serde_json::json!({ "image": image }).to_string();
        self.post(&self.create_path(workflow), "application/json", body.as_bytes())?.created()
    }

    fn create_path(&self, workflow: &str) -> String {
        format!("/v1/workflow/execution/create?workflow={workflow}&organization={}", self.organization)
    }

    /// An execution as it is now.
    pub fn execution(&self, id: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.get(&format!("/v1/workflow/execution/{id}"))?.text)?)
    }

    /// Waits for an execution's result and answers how many bytes it has.
    pub fn result(&self, id: &str) -> anyhow::Result<usize> {
        let mut answer = self.open(&format!("/v1/workflow/execution/{id}/result/default"))?;
        ensure!(answer.status() == 200, "execution {id} has no result: {}", answer.status());
        Ok(answer.body_mut().with_config().limit(256 << 20).read_to_vec()?.len())
    }

    /// The credits there are.
    pub fn balance(&self) -> anyhow::Result<i64> {
        let answer = self.get(&format!("/v1/organization/balance?organization={}", self.organization))?;
        answer.text.trim().parse().with_context(|| format!("the balance is `{}`", answer.text))
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
    Ok(Answer { status: answer.status().as_u16(), text: answer.body_mut().read_to_string()? })
}

fn agent() -> ureq::Agent {
    // Small buffers: a thousand of these are open at once.
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(600)))
        .http_status_as_error(false)
        .input_buffer_size(16 << 10)
        .output_buffer_size(16 << 10)
        .build()
        .into()
}

/// A file as a form: its content type and its bytes.
fn form(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let boundary = "bench-7MA4YWxkTrZu0gW";
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
