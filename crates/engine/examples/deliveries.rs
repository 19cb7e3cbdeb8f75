//! Measures how many webhooks a second are delivered to loopback receivers, every attempt kept on disk:
//! `cargo run --release -p engine --example deliveries`.
#![allow(clippy::print_stdout)] // it prints what it measures

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::delivery::{DeliveryFilter, DeliveryStatus};
use domain::event::{Dialect, Event, Message, Told};
use domain::id::Ids;
use domain::request::Face;
use domain::seal::Seal;
use engine::{Deliveries, DeliveryParts, DeliverySettings};
use outbound::{Outbound, Rules};
use store::suite::ManualClock;
use store::suite::fixture::World;
use store_sqlite::{Sqlite, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const RECEIVERS: usize = 16;
const RUNS: usize = 1000;
/// Addresses of each run.
const ADDRESSES: usize = 20;

struct Words;

impl Dialect for Words {
    fn message(&self, _: &Event, told: Told) -> Message {
        let Told::Run(run) = told else { panic!("only runs are told of here") };
        let body = format!(
            "{{\"run\":\"{}\",\"status\":\"{}\",\"pad\":\"{}\"}}",
            run.id,
            run.state.status().as_str(),
            "x".repeat(1000)
        );
        Message { media_type: "application/json", body: body.into_bytes() }
    }

    fn headers(&self, _: &[&[u8]], _: &str, _: &[u8]) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// No secret is kept closed here.
struct Open;

impl Seal for Open {
    fn close(&self, secret: &[u8], _: &[u8]) -> Vec<u8> {
        secret.to_vec()
    }

    fn open(&self, closed: &[u8], _: &[u8]) -> Option<Vec<u8>> {
        Some(closed.to_vec())
    }
}

struct Fresh;

impl Ids for Fresh {
    #[allow(clippy::disallowed_methods, reason = "a measurement of its own has an id source of its own")]
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }
}

async fn receiver() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                let mut read = 0;
                while read < 1000 {
                    match stream.read(&mut buffer).await {
                        Ok(more) if more > 0 => read += more,
                        _ => return,
                    }
                }
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
                    .await
                    .ok();
            });
        }
    });
    port
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(SystemClock::new());
    let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).expect("a database"));
    let world = World::empty((store.clone(), Arc::new(ManualClock::default())));
    let (founding, tenant) = world.founding(u32::MAX / 4);
    store::Access::found(&*store, &founding).await.expect("founded");
    let mut ports = Vec::new();
    for _ in 0..RECEIVERS {
        ports.push(receiver().await);
    }
    for number in 0..RUNS {
        let mut new = world.new_run(&tenant);
        new.run.webhooks = (0..ADDRESSES)
            .map(|one| format!("http://127.0.0.1:{}/{one}", ports[(number * ADDRESSES + one) % RECEIVERS]))
            .collect();
        store::Runs::accept(&*store, &new).await.expect("accepted");
        let claim = world.claim_one().await;
        world.settle(claim.token, &world.success()).await;
    }
    let allow = vec!["127.0.0.1".parse().expect("an address")];
    let outbound = Outbound::new(Rules { allow, ..Rules::default() }).expect("good rules");
    let words: Arc<dyn Dialect> = Arc::new(Words);
    let parts = DeliveryParts {
        store: store.clone(),
        outbound,
        dialects: BTreeMap::from([(Face::default(), words)]),
        seal: Arc::new(Open),
        ids: Arc::new(Fresh),
    };
    let began = Instant::now();
    let deliveries = Deliveries::start(parts, DeliverySettings::default());
    let filter = DeliveryFilter { status: Some(DeliveryStatus::Pending), run: None };
    while !store::Deliveries::deliveries(&*store, tenant.org, &filter, 1, None)
        .await
        .expect("a list")
        .entries
        .is_empty()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let many = RUNS * ADDRESSES;
    println!("{many} deliveries to {RECEIVERS} receivers in {seconds:.2} s: {:.0}/s", many as f64 / seconds);
    deliveries.drain(Duration::from_secs(10)).await;
}
