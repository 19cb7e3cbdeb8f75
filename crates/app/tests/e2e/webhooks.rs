//! Webhooks of the real binary, told to receivers of every kind: good ones, broken ones, and ones that want to lead it
//! where it must not go.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Server, Session, sample};

const FAST: [(&str, &str); 4] = [
    ("PACKSHOT_OUTBOUND__ALLOW", "[\"127.0.0.1\"]"),
    ("PACKSHOT_WEBHOOKS__PAUSES_MS", "[50, 50]"),
    ("PACKSHOT_WEBHOOKS__TIMEOUT_SECONDS", "2"),
    ("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0"),
];

/// What a receiver got.
#[derive(Clone, Debug)]
struct Call {
    head: String,
    body: Vec<u8>,
    at: Instant,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> String {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no `{name}` in {}", self.head)).to_owned()
    }
}

/// Does what it likes with the `n`-th connection (from 0) after its request has come.
type Manners = dyn Fn(usize, &Call, &mut TcpStream) + Send + Sync;

/// A receiver on a loopback port.
struct Receiver {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    met: Arc<AtomicUsize>,
}

impl Receiver {
    fn new(manners: impl Fn(usize, &Call, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (calls, met) = (Arc::<Mutex<Vec<Call>>>::default(), Arc::<AtomicUsize>::default());
        let (heard, count) = (Arc::clone(&calls), Arc::clone(&met));
        let manners: Arc<Manners> = Arc::new(manners);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (heard, manners) = (Arc::clone(&heard), Arc::clone(&manners));
                std::thread::spawn(move || {
                    let Some(call) = receive(&mut stream) else { return };
                    manners(number, &call, &mut stream);
                    heard.lock().expect("no panic").push(call);
                });
            }
        });
        Self { port, calls, met }
    }

    /// One that gives these answers in turn, the last one for ever.
    fn answering(answers: &'static [&'static str]) -> Self {
        Self::new(move |number, _, stream| {
            stream.write_all(answers[number.min(answers.len() - 1)].as_bytes()).ok();
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook?x=1", self.port)
    }

    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }

    /// The calls, once there are that many.
    fn wait_for(&self, many: usize) -> Vec<Call> {
        let began = Instant::now();
        loop {
            let calls = self.calls.lock().expect("no panic").clone();
            if calls.len() >= many {
                return calls;
            }
            assert!(began.elapsed() < PATIENCE, "{} of {many} calls", calls.len());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn receive(stream: &mut TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some(Call { head, body: bytes[end + 4..].to_vec(), at: Instant::now() });
            }
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

struct House {
    server: Server,
    session: Session,
    workflow: String,
    hash: String,
    _dir: tempfile::TempDir,
}

impl House {
    fn new(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let server = Server::start(&dir.path().join("data"), settings);
        let session = server.sign_in();
        let workflow = session.workflow("Export only");
        let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
        let hash = session.post_file("/v1/upload", "cup.jpg", &photo).created();
        Self { server, session, workflow, hash, _dir: dir }
    }

    /// Creates an execution that tells these addresses.
    fn create(&self, webhooks: &[String]) -> String {
        let body = json!({
            "image": { "name": "cup.jpg", "contentHash": self.hash, "contentType": "image/jpeg" },
            "labels": { "sku": "1" },
            "webhooks": webhooks,
        });
        let path = self.session.create_path(&self.workflow);
        self.session.post(&path, Some(("application/json", body.to_string().as_bytes()))).created()
    }

    /// What the database says of the one delivery to that port once it has ended: its state, and how its attempts went.
    fn ended(&self, port: u16) -> (String, Vec<store_sqlite::AttemptKept>) {
        let database = self.server.data().join("packshot.db");
        let began = Instant::now();
        loop {
            let (states, attempts) = store_sqlite::deliveries_to(&database, &format!("127.0.0.1:{port}"));
            assert!(states.len() <= 1, "one delivery at most: {states:?}");
            if let Some(state) = states.into_iter().next().filter(|state| state != "pending") {
                return (state, attempts);
            }
            assert!(began.elapsed() < PATIENCE, "not ended: {attempts:?}\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn error(status: Option<u16>, code: &str) -> store_sqlite::AttemptKept {
    (status, Some(code.to_owned()))
}

#[test]
fn a_receiver_is_sent_the_detail_object_and_can_download_the_result_at_once() {
    let house = House::new(&FAST);
    let session = house.session.clone();
    let downloaded: Arc<Mutex<Option<(u16, usize)>>> = Arc::default();
    let seen = Arc::clone(&downloaded);
    let receiver = Receiver::new(move |_, call, stream| {
        let content = call.json()["content"].clone();
        let result = session.get(content["resultPath"].as_str().expect("a path"));
        *seen.lock().expect("no panic") = Some((result.status, result.body.len()));
        stream.write_all(OK.as_bytes()).ok();
    });
    let id = house.create(&[receiver.url(), receiver.url()]);
    let detail = house.session.wait(&id);
    let calls = receiver.wait_for(1);
    assert_eq!(calls[0].json(), json!({ "event": "WORKFLOW_EXECUTION_COMPLETED", "content": detail }));
    let (status, bytes) = downloaded.lock().expect("no panic").expect("downloaded");
    assert!(status == 200 && bytes > 1000, "{status}, {bytes} bytes");
    assert!(calls[0].head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", calls[0].head);
    assert_eq!(calls[0].header("content-type"), "application/json");
    assert_eq!(calls[0].header("user-agent"), concat!("Packshot/", env!("CARGO_PKG_VERSION")));
    assert_eq!(calls[0].header("webhook-id").len(), 36);
    assert!(calls[0].header("webhook-signature").starts_with("v1,"));
    assert!(calls[0].header("x-retouch-signature").starts_with("sha256="));
    assert_eq!(house.ended(receiver.port), ("delivered".to_owned(), vec![(Some(200), None)]));
    assert_eq!(receiver.met(), 1, "an address given twice is told once");
}

#[test]
fn a_receiver_that_fails_is_asked_again_with_the_same_event() {
    let house = House::new(&FAST);
    let receiver = Receiver::answering(&["HTTP/1.1 500 Sorry\r\ncontent-length: 4\r\n\r\nsoon", OK]);
    let gone = Receiver::answering(&["HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"]);
    let never = Receiver::answering(&["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]);
    house.create(&[receiver.url(), gone.url(), never.url()]);
    let calls = receiver.wait_for(2);
    assert_eq!(calls[0].body, calls[1].body);
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert!(calls[1].at - calls[0].at >= Duration::from_millis(40), "a pause is kept");
    let (state, attempts) = house.ended(receiver.port);
    assert_eq!(
        (state.as_str(), attempts),
        ("delivered", vec![error(Some(500), "refused_by_receiver"), (Some(200), None)])
    );
    let (state, attempts) = house.ended(gone.port);
    assert_eq!((state.as_str(), attempts), ("failed", vec![error(Some(410), "gone")]));
    let (state, attempts) = house.ended(never.port);
    assert_eq!((state.as_str(), attempts), ("failed", vec![error(Some(404), "refused_by_receiver"); 3]));
    assert_eq!((receiver.met(), gone.met(), never.met()), (2, 1, 3));
}

#[test]
fn a_receiver_that_hangs_or_drips_is_given_up_in_time_and_delays_no_other() {
    let house = House::new(&FAST);
    let hanging = Receiver::new(|_, _, _| std::thread::sleep(PATIENCE));
    let dripping = Receiver::new(|_, _, stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).ok();
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let dripping_head = Receiver::new(|_, _, stream| {
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    // More of them than there are places for one receiver.
    for _ in 0..6 {
        house.create(&[hanging.url()]);
    }
    house.create(&[dripping.url()]);
    house.create(&[dripping_head.url()]);
    let began = Instant::now();
    while hanging.met() < 4 {
        assert!(began.elapsed() < PATIENCE, "nobody hangs");
        std::thread::sleep(Duration::from_millis(10));
    }
    let good = Receiver::answering(&[OK]);
    let began = Instant::now();
    let id = house.create(&[good.url()]);
    house.session.wait(&id);
    good.wait_for(1);
    assert!(began.elapsed() < Duration::from_secs(15), "the good one waited {:?}", began.elapsed());
    let (state, attempts) = house.ended(dripping.port);
    assert_eq!((state.as_str(), attempts.len()), ("delivered", 1), "its head said that it was taken");
    let (state, attempts) = house.ended(dripping_head.port);
    assert_eq!((state.as_str(), attempts), ("failed", vec![error(None, "timed_out"); 3]));
    let log = house.server.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_redirect_is_never_followed() {
    let house = House::new(&FAST);
    let canary = Receiver::answering(&[OK]);
    let target = format!("http://127.0.0.1:{}/", canary.port);
    let metadata = Receiver::answering(&[
        "HTTP/1.1 307 Elsewhere\r\nlocation: http://169.254.169.254/latest/meta-data/\r\ncontent-length: 0\r\n\r\n",
    ]);
    let here = Receiver::new(move |_, _, stream| {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).ok();
    });
    house.create(&[metadata.url(), here.url()]);
    let (state, attempts) = house.ended(metadata.port);
    assert_eq!((state.as_str(), attempts), ("failed", vec![error(Some(307), "redirect_refused"); 3]));
    let (state, attempts) = house.ended(here.port);
    assert_eq!((state.as_str(), attempts), ("failed", vec![error(Some(302), "redirect_refused"); 3]));
    assert_eq!(canary.met(), 0);
}

#[test]
fn without_an_allow_list_nothing_of_this_machine_is_reached() {
    let house = House::new(&[FAST[1], FAST[2], FAST[3]]);
    let canary = Receiver::answering(&[OK]);
    let port = canary.port;
    let id = house.create(&[
        canary.url(),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ]);
    assert_eq!(house.session.wait(&id)["status"], "COMPLETED");
    let (state, attempts) = house.ended(port);
    assert_eq!((state.as_str(), attempts), ("failed", vec![error(None, "blocked_address")]));
    let body = json!({ "urls": { "a.jpg": canary.url() } }).to_string();
    let answer = house.session.post("/upload", Some(("application/json", body.as_bytes())));
    assert_eq!(answer.status, 422, "{}", answer.text());
    let message = answer.json()["message"].as_str().expect("a message").to_owned();
    assert!(
        message.starts_with("`a.jpg` cannot be taken in: `127.0.0.1` is not a public address"),
        "{message}"
    );
    assert_eq!(canary.met(), 0);
}

#[test]
fn what_a_killed_server_had_to_tell_is_told_after_its_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    // Its first attempt is refused, and the pause after it outlives the server.
    let patient = [FAST[0], ("PACKSHOT_WEBHOOKS__PAUSES_MS", "[3000, 50]"), FAST[3]];
    let server = Server::start(&data, &patient);
    let credentials = crate::support::credentials(&data);
    let session = Session::new(&server.base, &credentials);
    let receiver = Receiver::answering(&["HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n", OK]);
    let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
    let hash = session.post_file("/v1/upload", "cup.jpg", &photo).created();
    let path = session.create_path(&session.workflow("Export only"));
    let body = json!({ "image": { "name": "cup.jpg", "contentHash": hash }, "webhooks": [receiver.url()] });
    let id = session.post(&path, Some(("application/json", body.to_string().as_bytes()))).created();
    session.wait(&id);
    receiver.wait_for(1);
    server.kill();
    let server = Server::start(&data, &patient);
    let calls = receiver.wait_for(2);
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    let detail = Session::new(&server.base, &credentials).execution(&id);
    assert_eq!(calls[1].json()["content"], detail);
    drop(server);
    let wrong = store_sqlite::check_invariants(&data.join("packshot.db"), &data.join("blobs"));
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn images_are_uploaded_from_addresses() {
    let house = House::new(&FAST);
    let photo: Arc<Vec<u8>> = Arc::new(fs::read(sample("coffee-cup.jpg")).expect("a sample"));
    let served = Arc::clone(&photo);
    let shop = Receiver::new(move |_, _, stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", served.len());
        stream.write_all(head.as_bytes()).ok();
        stream.write_all(&served).ok();
    });
    let body = json!({ "urls": { "front.jpg": shop.url(), "back.jpg": shop.url() } }).to_string();
    let answer = house.session.post("/v1/upload", Some(("application/json", body.as_bytes())));
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(
        answer.text(),
        json!({ "urls": { "front.jpg": house.hash, "back.jpg": house.hash } }).to_string()
    );
}
