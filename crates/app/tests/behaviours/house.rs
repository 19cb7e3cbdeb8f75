//! One server, its administrator's session, and what happens beside the wire.

use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::access::{Author, Connection, ConnectionKind, Org, SecretHash, User};
use domain::id::{ConnectionId, EntryId, OrgId, OrgVersion, UserId, VersionId, WorkflowId};
use domain::time::Clock as _;
use domain::workflow::{Version, Workflow};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use store::{Access as _, Ledger as _, NewUser, Workflows as _};
use store_sqlite::{Sqlite, SystemClock};
use tempfile::TempDir;
use uuid::Uuid;

pub use crate::png::broken;
pub use crate::raw::Raw;
use crate::raw::send;
use crate::support::{PATIENCE, Server, Session, credentials};

/// The client id every client has built in.
pub const CLIENT: &str = "V8EkfbxtBi93cAySTVWAecEum4d6pt4J";
/// Prefixes and endings of every path.
pub const SPELLINGS: [(&str, &str); 6] =
    [("", ""), ("", "/"), ("/v1", ""), ("/v1", "/"), ("/v2", ""), ("/v2", "/")];
/// The starter workflow that only converts.
pub const EXPORT_ONLY: &str = "Export only";

/// A server and what is known of it.
pub struct House {
    pub session: Session,
    pub credentials: Value,
    pub server: Server,
    _folder: TempDir,
}

impl Deref for House {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl House {
    /// A server with the settings it comes with.
    pub fn open() -> Self {
        Self::with(&[])
    }

    /// A server with other settings, that fetches nothing: no test here needs a network to cut out.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::reaching(&[settings, &[("PACKSHOT_OFFLINE", "true")]].concat())
    }

    /// A server that may reach out.
    pub fn reaching(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(&folder.path().join("data"), settings);
        let credentials = credentials(server.data());
        let session = Session::new(&server.base, &credentials);
        Self { session, credentials, server, _folder: folder }
    }

    /// Sends a request with the administrator's token.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Raw {
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.send_bare(method, path, &headers, body)
    }

    /// Sends a request as it is, and reads the answer to its end.
    pub fn send_bare(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Raw {
        send(&self.base, method, path, headers, body)
    }

    /// A form, posted without a token.
    pub fn post_form(&self, path: &str, form: &str) -> Raw {
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.send_bare("POST", path, &kind, form.as_bytes())
    }

    /// A form with one file under these header lines of its part, as they are.
    pub fn send_part(&self, path: &str, kind: &str, part: &[u8], bytes: &[u8]) -> Raw {
        let body = [b"--q7\r\n", part, b"\r\n\r\n", bytes, b"\r\n--q7--\r\n"].concat();
        self.send("POST", path, &[("content-type", kind)], &body)
    }

    /// Uploads a picture and answers its hash.
    pub fn upload(&self, bytes: &[u8]) -> String {
        self.post_file(&format!("/upload?organization={}", self.organization), "a.jpg", bytes).created()
    }

    /// Where executions of the workflow that only converts are created.
    pub fn create_here(&self) -> String {
        self.create_path(&self.workflow(EXPORT_ONLY))
    }

    /// Creates an execution of a new small picture under that name.
    pub fn create(&self, name: &str) -> String {
        self.post_file(&self.create_here(), name, &picture(name)).created()
    }

    /// Creates an execution that fails.
    pub fn create_broken(&self) -> String {
        self.post_file(&self.create_here(), "broken.png", &broken()).created()
    }

    /// Waits until that is so.
    pub fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < PATIENCE, "it did not come to this: {what}\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The administrator's password, as the first start told it.
    pub fn password(&self) -> String {
        let log = self.server.log();
        let told = log.lines().find_map(|line| line.trim().strip_prefix("password "));
        told.expect("it was told").trim().to_owned()
    }

    /// What a server remembers, opened beside it, as its other commands do.
    fn remembered<T>(&self, ask: impl AsyncFnOnce(&Sqlite) -> T) -> T {
        let file = self.server.data().join("packshot.db");
        let store = Sqlite::open(&file, Arc::new(SystemClock::new())).expect("a database");
        tokio::runtime::Runtime::new().expect("a runtime").block_on(ask(&store))
    }

    fn org(&self) -> OrgId {
        self.organization.parse().expect("an id")
    }

    /// Gives the organization credits.
    pub fn top_up(&self, credits: u32) {
        let (org, entry) = (self.org(), EntryId(fresh()));
        self.remembered(async |store| store.grant(org, entry, credits).await).expect("granted");
    }

    /// Saves a workflow again, as it is; answers the new version.
    pub fn save_again(&self, workflow: &str) -> String {
        let (org, id) = (self.org(), workflow.parse::<WorkflowId>().expect("an id"));
        let version = VersionId(fresh());
        self.remembered(async |store| {
            let mut workflow = store.workflow(&[org], id, None).await.expect("read").expect("it is there");
            workflow.version =
                Version { id: version, saved_at: SystemClock::new().now(), ..workflow.version };
            store.save_workflow(&workflow).await
        })
        .expect("saved");
        version.to_string()
    }

    /// Another organization with a user of its own, signed in.
    pub fn neighbour(&self) -> Session {
        let org = OrgId(fresh());
        let user = UserId("google-oauth2|1090".to_owned());
        let refresh_token = "v1.neighbour";
        let record =
            Org { id: org, version: OrgVersion(fresh()), name: "Sonnwend".to_owned(), members: Vec::new() };
        let admin = NewUser {
            user: User {
                id: user.clone(),
                email: "tom@sonnwend.example".to_owned(),
                given_name: None,
                family_name: None,
                picture: None,
            },
            password_hash: "not used".to_owned(),
        };
        let (ours, now) = (self.org(), SystemClock::new().now());
        let connection = Connection {
            id: ConnectionId(fresh()),
            user: user.clone(),
            org,
            name: "theirs".to_owned(),
            kind: ConnectionKind::Credential,
            created_at: now,
            scope: "offline_access".to_owned(),
            refresh_token: SecretHash(Sha256::digest(refresh_token.as_bytes()).into()),
            api_key: None,
        };
        self.remembered(async |store| {
            store.add_org(&record, &admin, &[], None).await.expect("added");
            store.connect(&connection).await.expect("connected");
            store.grant(org, EntryId(fresh()), 1000).await.expect("granted");
            let window = domain::page::Window::default();
            let workflow = store.workflows(ours, window).await.expect("read").entries.remove(0);
            let theirs = Workflow {
                id: WorkflowId(fresh()),
                org,
                author: Author { id: user, given_name: None, family_name: None, email: None },
                version: Version { id: VersionId(fresh()), ..workflow.version },
                ..workflow
            };
            store.save_workflow(&theirs).await.expect("saved");
        });
        let credentials =
            serde_json::json!({ "refresh_token": refresh_token, "organization_id": org.to_string() });
        Session::new(&self.base, &credentials)
    }

    /// Says yes or no to a device as a person does in a browser: follows the pages, fills in what they ask for, and
    /// presses the button of that value.
    pub fn decide(&self, user_code: &str, button: &str) -> String {
        let mut browser = Browser { house: self, cookies: Vec::new() };
        let mut page = browser.open("GET", &format!("/activate?user_code={user_code}"), "");
        let answers = [
            ("email", "admin@packshot.local".to_owned()),
            ("password", self.password()),
            ("user_code", user_code.to_owned()),
        ];
        for _ in 0..6 {
            let Some(form) = Form::of(&page, button) else {
                return page;
            };
            let last = form.button.as_ref().is_some_and(|(_, value)| value == button);
            page = browser.submit(form, &answers);
            if last {
                return page;
            }
        }
        panic!("the pages lead nowhere: {page}");
    }

    /// Begins to sign in a device.
    pub fn begin_device(&self, scope: &str) -> Value {
        let form = format!("client_id={CLIENT}&scope={scope}&audience=https://api.autoretouch.com");
        let answer = self.post_form("/oauth/device/code", &form);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Asks for the tokens of a device.
    pub fn poll_device(&self, codes: &Value) -> Raw {
        let code = codes["device_code"].as_str().expect("a code");
        self.post_form(
            "/oauth/token",
            &format!(
                "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={code}&client_id={CLIENT}"
            ),
        )
    }

    /// Asks for an access token.
    pub fn refresh(&self, refresh_token: &str) -> Raw {
        let form = format!("grant_type=refresh_token&refresh_token={refresh_token}&client_id={CLIENT}");
        self.post_form("/oauth/token", &form)
    }
}

/// Enough of a browser for plain forms.
struct Browser<'a> {
    house: &'a House,
    cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    fn open(&mut self, method: &str, path: &str, form: &str) -> String {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("cookie", cookies.as_str()), ("sec-fetch-site", "same-origin")];
        headers.push(("origin", self.house.base.as_str()));
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let answer = self.house.send_bare(method, path, &headers, form.as_bytes());
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        match answer.header("location") {
            Some(to) if (300..400).contains(&answer.status) => {
                let to = to.trim_start_matches(self.house.base.as_str()).to_owned();
                self.open("GET", &to, "")
            }
            _ => answer.text(),
        }
    }

    fn submit(&mut self, form: Form, answers: &[(&str, String)]) -> String {
        let fields = form.fields.iter().map(|(name, value)| {
            let answer = answers.iter().find(|(known, _)| known == name).map(|(_, answer)| answer.clone());
            (name.clone(), answer.unwrap_or_else(|| value.clone()))
        });
        let pairs: Vec<_> = fields
            .chain(form.button.clone())
            .map(|(name, value)| format!("{}={}", encode(&name), encode(&value)))
            .collect();
        let pairs = pairs.join("&");
        if form.method == "get" {
            return self.open("GET", &format!("{}?{pairs}", form.action), "");
        }
        self.open("POST", &form.action, &pairs)
    }
}

/// A form of a page.
struct Form {
    action: String,
    method: String,
    fields: Vec<(String, String)>,
    button: Option<(String, String)>,
}

impl Form {
    /// The form with that button, or else one that asks for a password.
    fn of(page: &str, button: &str) -> Option<Self> {
        let forms: Vec<&str> =
            page.split("<form").skip(1).filter_map(|rest| rest.split("</form>").next()).collect();
        let wanted = format!("value=\"{button}\"");
        let form = forms
            .iter()
            .find(|form| form.contains(&wanted))
            .or_else(|| forms.iter().find(|form| form.contains("type=\"password\"")))?;
        let tags = |tag: &str| {
            let tag = format!("<{tag} ");
            form.split(&*tag)
                .skip(1)
                .map(|rest| rest.split('>').next().unwrap_or_default())
                .collect::<Vec<_>>()
        };
        let head = form.split('>').next()?;
        let named = |tag: &str| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()));
        Some(Self {
            action: attribute(head, "action")?,
            method: attribute(head, "method").unwrap_or_else(|| "get".to_owned()),
            fields: tags("input").into_iter().filter_map(named).collect(),
            button: tags("button").into_iter().filter(|tag| tag.contains(&wanted)).find_map(named),
        })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = format!(" {tag}").split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.to_owned();
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}

/// Percent-encodes all but unreserved characters.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "ids of things that a test adds")]
fn fresh() -> Uuid {
    Uuid::now_v7()
}

/// A small picture that no other name gives: a JPEG may carry anything after its end.
pub fn picture(name: &str) -> Vec<u8> {
    [small().as_slice(), name.as_bytes()].concat()
}

fn small() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/files/orientation-1.jpg")).expect("a file")
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is a UUID as they are written here.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.to_lowercase() == text && Uuid::try_parse(text).is_ok()
}

/// Whether a text has that shape: `0` stands for any digit.
pub fn shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(found, wanted)| match wanted {
            b'0' => found.is_ascii_digit(),
            other => found == other,
        })
}

/// The names of an object's members, sorted.
pub fn members(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The error object of the interface, with everything it must say.
pub fn is_error(answer: &Raw, status: u16, reason: &str, path: &str) {
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    let error = answer.json();
    assert_eq!(members(&error), ["error", "message", "path", "status", "timestamp"]);
    assert_eq!(
        (&error["status"], &error["error"], &error["path"]),
        (&status.into(), &reason.into(), &path.into())
    );
    assert!(error["message"].is_string());
    let time = error["timestamp"].as_str().expect("a time");
    assert!(shaped(time, "0000-00-00T00:00:00.000+00:00"), "{time}");
}
