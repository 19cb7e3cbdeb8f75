//! One server, a key of its administrator's, listeners beside it, and small pictures.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use crate::png::broken;
use crate::png::png;
pub use crate::raw::{Raw as Answer, send};
use crate::support::{PATIENCE, Server, credentials};

/// Lets the server reach the listeners of these tests, by plain HTTP.
pub const LOOPBACK: [(&str, &str); 2] =
    [("PACKSHOT_OUTBOUND__ALLOW", "[\"127.0.0.0/8\"]"), ("PACKSHOT_OUTBOUND__ALLOW_PLAIN_HTTP", "true")];

/// A server and a key for it.
pub struct House {
    pub server: Server,
    /// A key that may do everything.
    pub key: String,
    pub credentials: Value,
    _folder: TempDir,
}

impl Answer {
    /// Its JSON, if it has that status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// Checks that it is an error with that status and code, in the one envelope errors have.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str) -> Value {
        let error = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let names: Vec<_> = error.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(names, ["code", "message", "errors"], "{error}");
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        error
    }
}

impl House {
    /// A server with the settings it comes with; it fetches no networks.
    pub fn open() -> Self {
        Self::with(&[])
    }

    /// A server with other settings.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(&folder.path().join("data"), settings);
        let credentials = credentials(server.data());
        let mut house = Self {
            server,
            key: credentials["api_key"].as_str().expect("a key").to_owned(),
            credentials,
            _folder: folder,
        };
        house.key = house.make_key(&json!({ "name": "tests", "key_format": "live" }));
        house
    }

    /// A key made through the native interface.
    pub fn make_key(&self, body: &Value) -> String {
        let made = self.call("POST", "/packshot/v1/connections", Some(body)).expect(201);
        made["api_key"].as_str().expect("a key").to_owned()
    }

    /// A key of another organization.
    pub fn neighbour(&self) -> String {
        let words = [
            "organizations",
            "create",
            "--json",
            "--name",
            "Elsewhere",
            "--admin",
            "admin@packshot.local",
            "--data",
        ];
        let mut command = crate::support::packshot(&words);
        command.arg(self.server.data());
        let made = crate::support::finish(command);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let org = made["organization_id"].as_str().unwrap_or_else(|| panic!("{made}"));
        // A key acts in its own organization alone; an access token in all of its user's.
        let refresh = self.credentials["refresh_token"].as_str().expect("a token");
        let form = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=tests");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let token = send(self.base(), "POST", "/oauth/token", &kind, form.as_bytes()).expect(200);
        let bearer = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let path = format!("/packshot/v1/connections?organization_id={org}");
        let body = json!({ "name": "theirs", "key_format": "live" }).to_string();
        // Who belongs where is remembered for a moment.
        let made = self.until("the new organization is known", || {
            let answer = send(self.base(), "POST", &path, &headers, body.as_bytes());
            (answer.status != 403).then(|| answer.expect(201))
        });
        made["api_key"].as_str().expect("a key").to_owned()
    }

    /// Where the server is.
    pub fn base(&self) -> &str {
        &self.server.base
    }

    /// Asks with the key.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.call_with(method, path, body, &[])
    }

    /// The same with further headers.
    pub fn call_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let mut all = vec![("authorization", bearer.as_str())];
        if body.is_some() {
            all.push(("content-type", "application/json"));
        }
        all.extend_from_slice(headers);
        let body = body.map(Value::to_string).unwrap_or_default();
        send(self.base(), method, path, &all, body.as_bytes())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body))
    }

    /// Follows an absolute address of this server without a key.
    pub fn follow(&self, url: &str) -> Answer {
        let path = url.strip_prefix(self.base()).unwrap_or_else(|| panic!("`{url}` leads elsewhere"));
        send(self.base(), "GET", path, &[], &[])
    }

    /// The id of the organization's workflow that only converts, as a model.
    pub fn plain_model(&self) -> String {
        let models = self.get("/v1/models?limit=100").expect(200);
        let own =
            models["items"].as_array().expect("a list").iter().find(|model| model["slug"] == "export-only");
        let org = own.expect("the starter workflow is a model");
        assert_eq!(org["is_public"], false);
        "my-studio/export-only".to_owned()
    }

    /// An inline picture; `seed` makes it another one.
    pub fn inline(&self, seed: u8) -> String {
        format!("data:image/png;base64,{}", BASE64_STANDARD.encode(picture(seed)))
    }

    /// Asks for a run of the plain model on an inline picture.
    pub fn run(&self, seed: u8, more: &Value) -> Value {
        let mut body = json!({ "input": { "image_url": self.inline(seed) } });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        self.post(&format!("/v1/models/{}/runs", self.plain_model()), &body).expect(201)
    }

    /// Waits for the end of a run and answers how it is then.
    pub fn ended(&self, id: &str) -> Value {
        let path = format!("/v1/runs/{id}");
        self.until("the run ends", || {
            let run = self.get(&path).expect(200);
            ["succeeded", "failed", "canceled", "partial_succeeded"]
                .contains(&run["status_code"].as_str().expect("a status"))
                .then_some(run)
        })
    }

    /// Waits for the end of a batch.
    pub fn batch_ended(&self, id: &str) -> Value {
        let path = format!("/v1/batches/{id}");
        self.until("the batch ends", || {
            let batch = self.get(&path).expect(200);
            (!batch["completed_at"].is_null()).then_some(batch)
        })
    }

    /// Waits until something is there.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "it did not come to this: {what}\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The id of an object.
pub fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// A request that came to a listener.
#[derive(Clone, Debug)]
pub struct Came {
    pub path: String,
    /// Its head in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Came {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What is answered to the nth request: a status and a body.
type Words = dyn Fn(usize, &Came) -> (u16, Vec<u8>);

/// A listener that keeps what came, and answers with what `answer` says to the nth request.
pub struct Receiver {
    pub url: String,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Receiver {
    pub fn listen(answer: impl Fn(usize, &Came) -> (u16, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let came: Arc<Mutex<Vec<Came>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&came), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || one(stream, &kept, &*answer).ok());
            }
        });
        Self { url, came }
    }

    /// What came so far.
    pub fn came(&self) -> Vec<Came> {
        self.came.lock().expect("no test panicked in it").clone()
    }
}

fn one(mut stream: TcpStream, kept: &Mutex<Vec<Came>>, answer: &Words) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 2 {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        head.push_str(&format!("{}:{value}", name.to_lowercase()));
        line.clear();
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let came = Came { path, head, body };
    let nth = {
        let mut all = kept.lock().expect("no test panicked in it");
        all.push(came.clone());
        all.len() - 1
    };
    let (status, bytes) = answer(nth, &came);
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        bytes.len()
    )?;
    stream.write_all(&bytes)
}

/// A small picture: 24 by 16 pixels of one colour with a darker middle, as PNG; `seed` decides the colour.
pub fn picture(seed: u8) -> Vec<u8> {
    let (width, height) = (24usize, 16usize);
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        for x in 0..width {
            let middle = (8..16).contains(&x) && (5..11).contains(&y);
            rows.extend_from_slice(&if middle { [90, seed, 60] } else { [240, 240, 255 - seed / 4] });
        }
    }
    let header =
        [&(width as u32).to_be_bytes()[..], &(height as u32).to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    png(&[(b"IHDR", &header), (b"IDAT", &stored(&rows)), (b"IEND", b"")])
}

/// A zlib stream that stores its bytes as they are (RFC 1950, RFC 1951 section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len() as u16;
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let head = [&[0x78, 0x01, 0x01][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
    [&head[..], bytes, &((b << 16) | a).to_be_bytes()].concat()
}

/// A sample photograph.
pub fn photo(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(&crate::support::sample(name))).expect("a sample")
}

/// The last path segment's ending of an address, before its query.
pub fn ending(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or_default();
    path.rsplit('.').next().unwrap_or_default()
}

/// A form with one file.
pub fn multipart(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let head = format!(
        "--q7\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: image/png\r\n\r\n"
    );
    ("multipart/form-data; boundary=q7".to_owned(), [head.as_bytes(), bytes, b"\r\n--q7--\r\n"].concat())
}
