//! Webhooks over real sockets: what one organization's receivers or events do wrong delays nobody else.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::delivery::{Attempt, Delivery, DeliveryFilter, DeliveryState, DeliveryStatus, Schedule};
use domain::event::{Dialect, Event, Message, Told};
use domain::id::{OrgId, RunId, SecretId};
use domain::request::{Face, Origin};
use domain::seal::Seal as _;
use domain::subscription::{self, CallbackSecret};
use domain::time::{Millis, Timestamp};
use engine::{Deliveries, DeliveryParts, DeliverySettings};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use store::suite::ManualClock;
use store::suite::fixture::{Tenant, World};
use store_sqlite::{Sqlite, SystemClock};
use support::{Fresh, Labelled, Reply, Server, outbound, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Of one organization: more than there are places for all.
const HUNG: usize = 100;

/// The usual words of these tests.
struct Words;

impl Dialect for Words {
    fn message(&self, event: &Event, told: Told) -> Message {
        let Told::Run(run) = told else { panic!("these tests tell of runs") };
        assert!(!run.labels.contains_key("unspeakable"), "a test's panic, which is expected in its output");
        let body = format!("\"{}\"", event.what.subject()).into_bytes();
        Message { media_type: "application/json", body }
    }

    fn headers(&self, _: &[&[u8]], _: &str, _: &[u8]) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Words of another face: never the same twice unless they are given, and signed as section 8.4 of its specification says.
#[derive(Default)]
struct OtherWords {
    said: AtomicUsize,
    fixed: Option<&'static str>,
}

impl Dialect for OtherWords {
    fn message(&self, _: &Event, _: Told) -> Message {
        let said = self.said.fetch_add(1, Ordering::Relaxed);
        let body = self.fixed.map_or_else(|| format!("{{\"said\":{said}}}"), str::to_owned).into_bytes();
        Message { media_type: "application/json", body }
    }

    fn headers(&self, secrets: &[&[u8]], delivery: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let sign = |secret: &&[u8]| ("runflow-signature", signature(secret, body));
        let signed = secrets.first().map(sign);
        signed.into_iter().chain([("runflow-request-id", delivery.to_owned())]).collect()
    }
}

fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    (listener, address)
}

fn parts(store: &Arc<Sqlite>) -> DeliveryParts {
    parts_with(store, OtherWords::default())
}

fn parts_with(store: &Arc<Sqlite>, other: OtherWords) -> DeliveryParts {
    let usual: Arc<dyn Dialect> = Arc::new(Words);
    DeliveryParts {
        store: store.clone(),
        outbound: outbound(),
        dialects: BTreeMap::from([(Face::default(), usual), (other_face(), Arc::new(other))]),
        seal: Arc::new(Labelled),
        ids: Arc::new(Fresh),
    }
}

fn other_face() -> Face {
    Face("runflow".to_owned())
}

/// A run that ended and is to be told to these.
async fn ended(world: &World, tenant: &Tenant, addresses: &[String]) {
    let mut new = world.new_run(tenant);
    new.run.webhooks = addresses.to_vec();
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_whose_receivers_all_hang_delays_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).unwrap());
    let (world, hanging) = World::founded((store.clone(), Arc::new(ManualClock::default())), 100).await;
    let other = world.tenant("Other", 10).await;
    let mut hung = Vec::new();
    for _ in 0..HUNG {
        // Connections are taken by the system and never answered.
        hung.push(listen().await);
    }
    // Who became due at once is served in the order of the names.
    hung.sort_by(|one, other| one.1.cmp(&other.1));
    let addresses: Vec<_> = hung.iter().map(|(_, address)| address.clone()).collect();
    for some in addresses.chunks(20) {
        ended(&world, &hanging, some).await;
    }
    // No attempt ends while this test runs.
    let settings = DeliverySettings { timeout: Duration::from_secs(600), ..DeliverySettings::default() };
    let deliveries = Deliveries::start(parts(&store), settings);
    // One of them is being told: the others that may be are by then, too.
    tokio::time::timeout(Duration::from_secs(60), hung[0].0.accept()).await.unwrap().unwrap();

    let (good, address) = listen().await;
    ended(&world, &other, &[address]).await;
    let told = async {
        let (mut stream, _) = good.accept().await.unwrap();
        let mut buffer = [0; 8192];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("told while the others hang");
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_into_words_is_given_up_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).unwrap());
    let (world, tenant) = World::founded((store.clone(), Arc::new(ManualClock::default())), 100).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks = vec!["http://hooks.example/".to_owned()];
    new.run.labels.insert("unspeakable".to_owned(), String::new());
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
    let deliveries = Deliveries::start(parts(&store), DeliverySettings::default());
    let failed = async {
        loop {
            let filter = DeliveryFilter { status: Some(DeliveryStatus::Failed), run: Some(new.run.id) };
            let found = world.store.deliveries(tenant.org, &filter, 1, None).await.unwrap().entries;
            if let Some(failed) = found.into_iter().next() {
                return failed;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let failed = tokio::time::timeout(Duration::from_secs(60), failed).await.expect("given up");
    let (_, attempts) = world.store.delivery(&[tenant.org], failed.id).await.unwrap().unwrap();
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.report.error.as_deref()).collect();
    assert_eq!(codes, [Some("message_failed")]);
    deliveries.drain(Duration::ZERO).await;
}

/// A store with an organization whose callbacks of the other face are told to a server.
struct Telling {
    world: World,
    tenant: Tenant,
    store: Arc<Sqlite>,
    _folder: tempfile::TempDir,
}

impl Telling {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock::new());
        let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).unwrap());
        let (world, tenant) = World::founded((store.clone(), Arc::new(ManualClock::default())), 100).await;
        Self { world, tenant, store, _folder: folder }
    }

    /// Files a secret; the first one signs.
    async fn secret(&self, plain: &str) -> SecretId {
        let (org, id) = (self.tenant.org, SecretId(self.world.id()));
        let secret = CallbackSecret {
            id,
            org,
            label: None,
            prefix: plain.chars().take(10).collect(),
            secret: Labelled.close(plain.as_bytes(), &subscription::context(org, id.0)),
            is_current: false,
            last_used_at: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        self.world.store.add_secret(&secret, &self.tenant.user).await.unwrap();
        id
    }

    /// A run of the other face that ended and is told to the server.
    async fn ended(&self, addresses: &[String]) -> RunId {
        let mut new = self.world.new_run(&self.tenant);
        new.run.webhooks = addresses.to_vec();
        new.run.request = Some(self.world.request(Origin::Single));
        self.world.store.accept(&new).await.unwrap();
        let claim = self.world.claim_one().await;
        self.world.settle(claim.token, &self.world.success()).await;
        new.run.id
    }

    fn start(&self, other: OtherWords) -> Deliveries {
        let pauses = [50; 4].map(Millis).to_vec();
        let schedule = Schedule { pauses, ..Schedule::default() };
        let poll = Duration::from_millis(20);
        let settings = DeliverySettings { schedule, poll, ..DeliverySettings::default() };
        Deliveries::start(parts_with(&self.store, other), settings)
    }

    /// The run's one delivery, once it is over.
    async fn over(&self, run: RunId) -> (Delivery, Vec<Attempt>) {
        let org: OrgId = self.tenant.org;
        until(async || {
            let filter = DeliveryFilter { status: None, run: Some(run) };
            let found = self.world.store.deliveries(org, &filter, 5, None).await.unwrap().entries;
            let over = found.into_iter().find(|one| !matches!(one.state, DeliveryState::Pending { .. }))?;
            self.world.store.delivery(&[org], over.id).await.unwrap()
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_sends_the_same_bytes_with_the_same_signature_and_none_comes_after_the_last() {
    let telling = Telling::new().await;
    let secret = telling.secret("whsec_ours").await;
    let server = Server::start(|_, before| Reply::status(if before < 2 { 500 } else { 200 })).await;
    let run = telling.ended(std::slice::from_ref(&server.address)).await;
    let deliveries = telling.start(OtherWords::default());
    let (delivery, attempts) = telling.over(run).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let asked = server.asked();
    assert_eq!((asked.len(), attempts.len()), (3, 3));
    let bodies: Vec<_> = asked.iter().map(|one| String::from_utf8_lossy(&one.body)).collect();
    assert_eq!(bodies, ["{\"said\":0}"; 3], "it is worded once");
    let expected = signature(b"whsec_ours", &asked[0].body);
    for one in &asked {
        assert_eq!(one.header("runflow-signature"), Some(expected.as_str()));
        assert_eq!(one.header("runflow-request-id"), Some(delivery.id.to_string().as_str()));
        assert_eq!(one.header("content-type"), Some("application/json"));
        assert!(one.header("webhook-signature").is_some_and(|signed| signed.starts_with("v1,")));
        assert_eq!(one.header("webhook-id"), asked[0].header("webhook-id"));
    }
    assert_eq!(delivery.secret, Some(secret));
    assert_eq!(delivery.body.as_deref(), Some(asked[0].body.as_slice()));
    assert!(matches!(delivery.state, DeliveryState::Delivered { .. }));
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_nothing_is_signed() {
    let telling = Telling::new().await;
    let server = Server::start(|_, _| Reply::status(200)).await;
    let run = telling.ended(std::slice::from_ref(&server.address)).await;
    let deliveries = telling.start(OtherWords::default());
    let (delivery, _) = telling.over(run).await;
    let asked = server.asked().remove(0);
    for name in ["runflow-signature", "webhook-signature", "webhook-id", "webhook-timestamp"] {
        assert_eq!(asked.header(name), None, "{name}");
    }
    assert!(asked.header("runflow-request-id").is_some());
    assert_eq!(delivery.secret, None);
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_the_whole_text_of_the_secret() {
    let telling = Telling::new().await;
    telling.secret("whsec_test").await;
    let server = Server::start(|_, _| Reply::status(204)).await;
    let run = telling.ended(std::slice::from_ref(&server.address)).await;
    let fixed = Some(r#"{"event":"run.completed"}"#);
    let deliveries = telling.start(OtherWords { fixed, ..OtherWords::default() });
    telling.over(run).await;
    // The vector of section 8.4.
    let signed = "11f962fc7c17c33e9ce7683bac7b64dd040d212d47526e025bdce6e9e478af55";
    assert_eq!(server.asked()[0].header("runflow-signature"), Some(signed));
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_signs_with_its_own_secret_and_a_callback_does_not() {
    let telling = Telling::new().await;
    telling.secret("whsec_of_callbacks").await;
    let server = Server::start(|_, _| Reply::status(200)).await;
    let mut subscribed = telling.world.subscription(&telling.tenant);
    subscribed.address = format!("{}/subscribed", server.address);
    let context = subscription::context(telling.tenant.org, subscribed.id.0);
    subscribed.secret = Labelled.close(b"whsec_its_own", &context);
    telling.world.store.subscribe(&subscribed, &telling.tenant.user).await.unwrap();
    telling.ended(&[format!("{}/callback", server.address)]).await;
    let deliveries = telling.start(OtherWords::default());
    let asked = server.asked_times(2).await;
    for (path, secret) in [("/subscribed", "whsec_its_own"), ("/callback", "whsec_of_callbacks")] {
        let one = asked.iter().find(|one| one.path == path).expect("told");
        let expected = signature(secret.as_bytes(), &one.body);
        assert_eq!(one.header("runflow-signature"), Some(expected.as_str()), "{path}");
    }
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_does_not_open_sends_nothing_unsigned() {
    let telling = Telling::new().await;
    let server = Server::start(|_, _| Reply::status(200)).await;
    let mut subscribed = telling.world.subscription(&telling.tenant);
    subscribed.address = server.address.clone();
    subscribed.secret = b"closed with another key".to_vec();
    telling.world.store.subscribe(&subscribed, &telling.tenant.user).await.unwrap();
    let run = telling.ended(&[]).await;
    let deliveries = telling.start(OtherWords::default());
    let (_, attempts) = telling.over(run).await;
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.report.error.as_deref()).collect();
    assert_eq!(codes, [Some("secret_unreadable"); 5]);
    assert!(server.asked().is_empty());
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_told_once() {
    let telling = Telling::new().await;
    let server = Server::start(|_, _| Reply::status(410)).await;
    let run = telling.ended(std::slice::from_ref(&server.address)).await;
    let deliveries = telling.start(OtherWords::default());
    let (delivery, attempts) = telling.over(run).await;
    assert!(matches!(delivery.state, DeliveryState::Failed { .. }));
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].report.error.as_deref(), Some("gone"));
    deliveries.drain(Duration::ZERO).await;
}
