//! The client against real sockets: what must not be reached is a listener that counts who comes.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use outbound::{Failure, Outbound, Request, Resolve, Rules};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Longest wait for an answer that comes at once when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A listener that counts connections and answers each with `answer`.
struct Listener {
    port: u16,
    met: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    async fn on(address: &str, answer: &'static str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (met, heard) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (count, words) = (Arc::clone(&met), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let words = Arc::clone(&words);
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    words.lock().expect("no panic").extend_from_slice(&buffer[..read]);
                    stream.write_all(answer.as_bytes()).await.ok();
                    // Held until the client goes.
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
                });
            }
        });
        Self { port, met, heard }
    }

    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().expect("no panic")).into_owned()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// A resolver that answers each question by the next of its answers, and counts the questions.
#[derive(Default)]
struct Played {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Played {
    fn new(host: &str, answers: &[&[&str]]) -> Arc<Self> {
        let parse = |one: &&[&str]| one.iter().map(|ip| ip.parse().expect("an address")).collect();
        let mut answers: Vec<Vec<IpAddr>> = answers.iter().map(parse).collect();
        answers.reverse();
        let answers = Mutex::new(HashMap::from([(host.to_owned(), answers)]));
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Resolve for Played {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("no panic");
        let answers = answers.get_mut(host).ok_or_else(|| io::Error::other("no such name"))?;
        answers.pop().ok_or_else(|| io::Error::other("asked too often"))
    }
}

fn rules(allow: &[&str]) -> Rules {
    let allow = allow.iter().map(|one| one.parse().expect("a rule")).collect();
    Rules { allow, ..Rules::default() }
}

fn allowing(allow: &[&str]) -> Outbound {
    Outbound::new(rules(allow)).expect("good rules")
}

async fn get(outbound: &Outbound, address: &str, total: Duration) -> Result<String, Failure> {
    let answer = outbound.send(Request::get(address), total).await?;
    let text = answer.read(100_000, 100_000).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn nothing_reaches_loopback_in_any_spelling() {
    let canary = Listener::on("127.0.0.1:0", OK).await;
    let wide = Listener::on(&format!("[::1]:{}", canary.port), OK).await.met;
    let outbound = allowing(&[]);
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.01",
        "127.127.127.127",
        "0",
        "0.0.0.0",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "deep.er.localhost",
        "169.254.169.254",
        "10.0.0.1",
        "[fe80::1]",
    ] {
        let error = get(&outbound, &format!("http://{host}:{}/", canary.port), PATIENCE).await;
        assert!(matches!(error, Err(Failure::Blocked { .. })), "{host}: {error:?}");
    }
    assert_eq!((canary.met(), wide.load(Ordering::SeqCst)), (0, 0));
    // The canary does hear: with an allow-list it is reached.
    get(&allowing(&["127.0.0.0/8"]), &format!("http://2130706433:{}/", canary.port), PATIENCE)
        .await
        .expect("reached");
    assert_eq!(canary.met(), 1);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_and_reaches_nothing() {
    let canary = Listener::on("127.0.0.1:0", OK).await;
    // 192.0.2.1 is nobody's address; it is allowed here so that the first look-up passes as a public address would.
    let resolver = Played::new("rebind.test", &[&["192.0.2.1"], &["127.0.0.1"], &["127.0.0.1"]]);
    let rules = Rules { connect: Duration::from_millis(200), ..rules(&["192.0.2.1"]) };
    let outbound = Outbound::with_resolver(rules, resolver.clone()).expect("good rules");
    let failed = get(&outbound, &format!("http://rebind.test:{}/", canary.port), PATIENCE).await;
    assert!(
        matches!(failed, Err(Failure::Unreachable { .. } | Failure::TimedOut { .. })),
        "the address that was vetted is the one that is dialled: {failed:?}"
    );
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    // The next request asks again, and is refused.
    let refused = get(&outbound, &format!("http://rebind.test:{}/", canary.port), PATIENCE).await;
    assert!(matches!(refused, Err(Failure::Blocked { .. })), "{refused:?}");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 2);
    assert_eq!(canary.met(), 0);
}

#[tokio::test]
async fn one_forbidden_address_among_many_refuses_all() {
    let canary = Listener::on("127.0.0.1:0", OK).await;
    for answer in [&["1.1.1.1", "127.0.0.1"][..], &["127.0.0.1", "1.1.1.1"], &["1.1.1.1", "::ffff:127.0.0.1"]]
    {
        let outbound =
            Outbound::with_resolver(rules(&[]), Played::new("mixed.test", &[answer])).expect("good rules");
        let refused = get(&outbound, &format!("http://mixed.test:{}/", canary.port), PATIENCE).await;
        assert!(matches!(refused, Err(Failure::Blocked { .. })), "{answer:?}: {refused:?}");
    }
    assert_eq!(canary.met(), 0);
}

#[tokio::test]
async fn an_allowed_name_may_mean_what_it_likes() {
    let receiver = Listener::on("127.0.0.1:0", OK).await;
    let resolver = Played::new("hooks.internal", &[&["127.0.0.1"]]);
    let outbound = Outbound::with_resolver(rules(&["hooks.internal"]), resolver).expect("good rules");
    let address = format!("http://hooks.internal:{}/a?b=c", receiver.port);
    assert_eq!(get(&outbound, &address, PATIENCE).await.expect("an answer"), "hello");
    let heard = receiver.heard();
    assert!(heard.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: hooks.internal:{}\r\n", receiver.port)), "{heard}");
    assert!(heard.contains("user-agent: Packshot\r\n"), "{heard}");
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_is_closed() {
    let receiver = Listener::on("127.0.0.1:0", OK).await;
    let resolver = Played::new("two.test", &[&["127.0.0.2", "127.0.0.1"]]);
    let outbound = Outbound::with_resolver(rules(&["two.test"]), resolver).expect("good rules");
    assert_eq!(
        get(&outbound, &format!("http://two.test:{}/", receiver.port), PATIENCE).await.expect("an answer"),
        "hello"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let canary = Listener::on("127.0.0.1:0", OK).await;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n",
        canary.port
    );
    let receiver = Listener::on("127.0.0.1:0", answer.leak()).await;
    let request = Request::post(&format!("http://127.0.0.1:{}/", receiver.port), "body");
    let answer = allowing(&["127.0.0.1"]).send(request, PATIENCE).await.expect("an answer");
    assert!(answer.is_redirect() && answer.status() == 302);
    assert_eq!((receiver.met(), canary.met()), (1, 0));
}

#[tokio::test]
async fn silence_and_dripping_end_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::spawn(async move {
                if number > 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await.ok();
                }
                while number > 0 && stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                // The first one says nothing at all.
                std::future::pending::<()>().await;
            });
        }
    });
    let outbound = allowing(&["127.0.0.1"]);
    for kind in ["silence", "dripping"] {
        let began = Instant::now();
        let total = Duration::from_millis(300);
        let failed = get(&outbound, &format!("http://127.0.0.1:{port}/"), total).await;
        assert!(matches!(failed, Err(Failure::TimedOut { .. })), "{kind}: {failed:?}");
        assert!(began.elapsed() >= total && began.elapsed() < PATIENCE, "{kind}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_long_answer_is_read_no_further_than_asked() {
    let receiver =
        Listener::on("127.0.0.1:0", "HTTP/1.1 500 Sorry\r\ncontent-length: 10000000\r\n\r\n0123456789").await;
    let request = Request::post(&format!("http://127.0.0.1:{}/", receiver.port), "body");
    let answer = allowing(&["127.0.0.1"]).send(request, PATIENCE).await.expect("an answer");
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.read(4, 10).await.expect("read"), "0123");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let answer = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(300_000));
    let receiver = Listener::on("127.0.0.1:0", answer.leak()).await;
    let failed =
        get(&allowing(&["127.0.0.1"]), &format!("http://127.0.0.1:{}/", receiver.port), PATIENCE).await;
    assert!(matches!(failed, Err(Failure::Broken { .. })), "{failed:?}");
}

#[tokio::test]
async fn certificates_are_checked_against_the_name() {
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let root = authority.self_signed(&authority_key).expect("a certificate").der().to_vec();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["hooks.test".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate").der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let named = stream.get_ref().1.server_name().map(str::to_owned);
                let mut buffer = [0; 4096];
                if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
                let name = named.unwrap_or_default();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            });
        }
    });
    let here: SocketAddr = ([127, 0, 0, 1], port).into();
    let make = |host: &str, roots: Vec<Vec<u8>>| {
        let rules = Rules { extra_roots: roots, ..rules(&["127.0.0.1"]) };
        Outbound::with_resolver(rules, Played::new(host, &[&["127.0.0.1"]])).expect("good rules")
    };
    let address = |host: &str| format!("https://{host}:{}/", here.port());
    let answer = get(&make("hooks.test", vec![root.clone()]), &address("hooks.test"), PATIENCE).await;
    assert_eq!(answer.expect("trusted"), "hooks.test");
    for (host, roots) in [("hooks.test", Vec::new()), ("other.test", vec![root])] {
        let refused = get(&make(host, roots), &address(host), PATIENCE).await;
        assert!(matches!(refused, Err(Failure::Untrusted { .. })), "{host}: {refused:?}");
    }
}
