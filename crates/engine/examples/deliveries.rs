//! Measures how many webhooks a second are delivered to loopback receivers, every attempt kept on disk:
//! `cargo run --release -p engine --example deliveries`.
#![allow(clippy::print_stdout)] // it prints what it measures

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::delivery::{DeliveryFilter, DeliveryStatus};
use domain::event::{Dialect, Event, Message};
use domain::id::Ids;
use domain::run::Run;
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
    fn message(&self, event: &Event, run: Run) -> Message {
        let body = format!(
            "{{\"run\":\"{}\",\"status\":\"{}\",\"pad\":\"{}\"}}",
            run.id,
            event.status.as_str(),
            "x".repeat(1000)
        );
        Message { media_type: "application/json", body: body.into_bytes() }
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
    let parts =
        DeliveryParts { store: store.clone(), outbound, dialect: Arc::new(Words), ids: Arc::new(Fresh) };
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
