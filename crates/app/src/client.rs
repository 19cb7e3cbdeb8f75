//! A small client of the server's own API, for the demonstration: it asks what any integrator's client asks.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// Talks to one server as one user.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
    organization: String,
}

impl Client {
    /// Signs in with a refresh token.
    pub fn sign_in(base: &str, organization: &str, refresh_token: &str) -> anyhow::Result<Self> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(120)))
            .http_status_as_error(false)
            .build()
            .into();
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", "packshot-demo"),
        ];
        let answer =
            agent.post(format!("{base}/oauth/token")).send_form(form).context("cannot reach the server")?;
        let answer: Value = json_of(answer)?;
        let token = answer["access_token"].as_str().context("the server gave no access token")?.to_owned();
        Ok(Self { agent, base: base.to_owned(), token, organization: organization.to_owned() })
    }

    fn get(&self, path: &str) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        self.agent
            .get(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .call()
            .with_context(|| format!("cannot ask for {path}"))
    }

    /// The names and ids of the organization's workflows.
    pub fn workflows(&self) -> anyhow::Result<Vec<(String, String)>> {
        let page = json_of(self.get(&format!("/v1/workflow?organization={}", self.organization))?)?;
        let entries = page["entries"].as_array().context("the server listed no workflows")?;
        Ok(entries
            .iter()
            .filter_map(|entry| Some((entry["name"].as_str()?.to_owned(), entry["id"].as_str()?.to_owned())))
            .collect())
    }

    /// Uploads a picture and answers its content hash.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let boundary = "packshot-demo-7MA4YWxkTrZu0gW";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let answer = self
            .agent
            .post(format!("{}/v1/upload?organization={}", self.base, self.organization))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .send(&body[..])
            .with_context(|| format!("cannot upload {name}"))?;
        text_of(answer)
    }

    /// Starts one picture through one workflow and answers the execution's id.
    pub fn start(&self, workflow: &str, name: &str, hash: &str) -> anyhow::Result<String> {
        let body = json!({ "image": { "name": name, "contentHash": hash, "contentType": null } });
        let path = format!(
            "{}/v1/workflow/execution/create?workflow={workflow}&organization={}",
            self.base, self.organization
        );
        let answer = self
            .agent
            .post(path)
            .header("authorization", format!("Bearer {}", self.token))
            .send_json(body)
            .with_context(|| format!("cannot start {name}"))?;
        text_of(answer)
    }

    /// The execution as it stands.
    pub fn execution(&self, id: &str) -> anyhow::Result<Value> {
        json_of(self.get(&format!("/v1/workflow/execution/{id}?organization={}", self.organization))?)
    }

    /// Waits for the result; answers its bytes and the model that made it, where one did.
    pub fn result(&self, id: &str) -> anyhow::Result<(Vec<u8>, Option<String>)> {
        let path = format!("/v1/workflow/execution/{id}/result/default?organization={}", self.organization);
        let answer = self.get(&path)?;
        let model = answer.headers().get("packshot-model").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut answer = refuse_errors(answer)?;
        let bytes = answer
            .body_mut()
            .with_config()
            .limit(512 << 20)
            .read_to_vec()
            .context("the download broke off")?;
        Ok((bytes, model))
    }
}

fn refuse_errors(
    mut answer: ureq::http::Response<ureq::Body>,
) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let body = answer.body_mut().read_to_string().unwrap_or_default();
    let message = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|error| error["message"].as_str().map(str::to_owned))
        .unwrap_or(body);
    bail!("the server answered {status}: {message}");
}

fn text_of(answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<String> {
    refuse_errors(answer)?.body_mut().read_to_string().context("the answer broke off")
}

fn json_of(answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<Value> {
    serde_json::from_str(&text_of(answer)?).context("the answer is not JSON")
}
