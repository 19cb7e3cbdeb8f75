//! Starts the real binary on a folder of its own and talks to it over a socket.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The binary under test.
pub const PACKSHOT: &str = env!("CARGO_BIN_EXE_packshot");

/// Longest wait for anything: generous, because machines are shared; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// A sample photo.
pub fn sample(name: &str) -> PathBuf {
    root().join("samples").join(name)
}

/// The folder of the model files that tests share.
pub fn models_dir() -> PathBuf {
    std::env::var_os("PACKSHOT_TEST_MODELS").map_or_else(
        || {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = std::env::var_os("HOME").map(PathBuf::from).expect("HOME is set");
            cache.unwrap_or_else(|| home.join(".cache")).join("packshot").join("models")
        },
        PathBuf::from,
    )
}

/// A command of the binary with the settings of tests: the small network on the runtime that is always there.
pub fn packshot(words: &[&str]) -> Command {
    let mut command = Command::new(PACKSHOT);
    command
        .args(words)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| !name.to_string_lossy().starts_with("PACKSHOT_")))
        .env("PACKSHOT_MODELS_DIR", models_dir())
        .env("PACKSHOT_MODELS__CUT_OUT", "u2netp")
        .env("PACKSHOT_MODELS__BACKEND", "rten")
        .env("NO_COLOR", "1");
    command
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the binary runs")
}

/// Fetches the small network once for all tests of this process.
pub fn small_network() {
    static FETCHED: OnceLock<()> = OnceLock::new();
    FETCHED.get_or_init(|| {
        let output = finish(packshot(&["models", "fetch", "u2netp"]));
        assert!(output.status.success(), "cannot fetch u2netp: {}", String::from_utf8_lossy(&output.stderr));
    });
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub base: String,
    log: PathBuf,
    data: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- server log ---\n{}", self.log());
        }
    }
}

impl Server {
    /// Starts a server on the data folder `data`; `settings` go into its environment.
    pub fn start(data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::start_on("127.0.0.1:0", data, settings)
    }

    /// The same, on another address.
    pub fn start_on(listen: &str, data: &Path, settings: &[(&str, &str)]) -> Self {
        Self::run(packshot(&["serve", "--listen", listen, "--log", "info", "--data"]), data, settings)
    }

    /// The same with a soft limit of so many open files.
    pub fn start_with_files(data: &Path, settings: &[(&str, &str)], files: u32) -> Self {
        let limited = packshot(&["serve", "--listen", "127.0.0.1:0", "--log", "info", "--data"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -S -n {files}; exec \"$0\" \"$@\"")]);
        command.arg(limited.get_program()).args(limited.get_args()).env_clear();
        command.envs(limited.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::run(command, data, settings)
    }

    fn run(mut command: Command, data: &Path, settings: &[(&str, &str)]) -> Self {
        fs::create_dir_all(data).expect("a data folder");
        let log = data.with_extension("log");
        let errors = fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log file");
        command.arg(data).envs(settings.iter().copied());
        let mut child =
            command.stdout(Stdio::piped()).stderr(errors).stdin(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("readable");
        // Whatever else it prints must not block it.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()).ok());
        let base = line.split_whitespace().find(|word| word.starts_with("http")).map(str::to_owned);
        let mut server = Self { child, base: String::new(), log, data: data.to_owned() };
        let Some(base) = base else {
            panic!("the server did not say its address: `{line}`\n{}", server.log())
        };
        server.base = base;
        server
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Ends it without warning, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("killable");
        self.child.wait().expect("waitable");
    }

    /// Asks it to end and waits until it has; answers how long that took and whether it ended well.
    pub fn terminate(mut self) -> (Duration, std::process::ExitStatus) {
        let began = Instant::now();
        let status =
            Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success());
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().expect("waitable") {
                return (began.elapsed(), status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not end\n{}", self.log());
    }

    /// Makes credentials through the command line while the server runs, and signs in with them.
    pub fn sign_in(&self) -> Session {
        let credentials = credentials(&self.data);
        Session::new(&self.base, &credentials)
    }
}

/// What `packshot credentials create --json` prints.
pub fn credentials(data: &Path) -> Value {
    let mut command = packshot(&["credentials", "create", "--json", "--data"]);
    command.arg(data);
    let output = finish(command);
    assert!(output.status.success(), "no credentials: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A client of one server.
#[derive(Clone)]
pub struct Session {
    pub base: String,
    pub token: String,
    pub organization: String,
    pub agent: ureq::Agent,
}

/// An answer: its status, its content type and its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The text of a plain 201.
    pub fn created(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.text());
        self.text()
    }
}

impl Session {
    pub fn new(base: &str, credentials: &Value) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let refresh = credentials["refresh_token"].as_str().expect("a refresh token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "test")];
        let answer = agent.post(format!("{base}/oauth/token")).send_form(form);
        let mut answer = answer.expect("the server answers");
        let answer: Value =
            serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON");
        Self {
            base: base.to_owned(),
            token: answer["access_token"].as_str().expect("an access token").to_owned(),
            organization: credentials["organization_id"].as_str().expect("an organization").to_owned(),
            agent,
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path).expect("the server answers")
    }

    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.base));
        read(request.header("authorization", format!("Bearer {}", self.token)).call()?)
    }

    /// A POST; with `None` the body is empty.
    pub fn post(&self, path: &str, content: Option<(&str, &[u8])>) -> Answer {
        self.try_post(path, content).expect("the server answers")
    }

    pub fn try_post(&self, path: &str, content: Option<(&str, &[u8])>) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        read(match content {
            Some((kind, bytes)) => request.header("content-type", kind).send(bytes)?,
            None => request.send_empty()?,
        })
    }

    /// A file as the vendor's clients send it.
    pub fn post_file(&self, path: &str, name: &str, bytes: &[u8]) -> Answer {
        self.try_post_file(path, name, bytes).expect("the server answers")
    }

    pub fn try_post_file(&self, path: &str, name: &str, bytes: &[u8]) -> Result<Answer, ureq::Error> {
        let boundary = "0f4ae6a7c1b84d20";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        self.try_post(path, Some((&format!("multipart/form-data; boundary={boundary}"), &body)))
    }

    /// The id of a starter workflow.
    pub fn workflow(&self, name: &str) -> String {
        let page = self.get(&format!("/v1/workflow?organization={}", self.organization)).json();
        let entries = page["entries"].as_array().expect("entries");
        let found = entries.iter().find(|entry| entry["name"] == name);
        found
            .and_then(|entry| entry["id"].as_str())
            .unwrap_or_else(|| panic!("no workflow {name} in {page}"))
            .to_owned()
    }

    /// The path that creates an execution.
    pub fn create_path(&self, workflow: &str) -> String {
        format!("/v1/workflow/execution/create?workflow={workflow}&organization={}", self.organization)
    }

    pub fn execution(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/workflow/execution/{id}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Waits until the execution is in a final status and answers it.
    pub fn wait(&self, id: &str) -> Value {
        let began = Instant::now();
        loop {
            let execution = self.execution(id);
            let status = execution["status"].as_str().expect("a status").to_owned();
            if matches!(status.as_str(), "COMPLETED" | "FAILED" | "PAYMENT_REQUIRED") {
                return execution;
            }
            assert!(began.elapsed() < PATIENCE, "execution {id} is still {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn balance(&self) -> i64 {
        let answer = self.get(&format!("/v1/organization/balance?organization={}", self.organization));
        answer.text().parse().expect("a bare integer")
    }
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let header = |name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let content_type = header("content-type");
    let headers = answer.headers().clone();
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(256 << 20).read_to_vec()?;
    Ok(Answer { status, content_type, headers, body })
}
