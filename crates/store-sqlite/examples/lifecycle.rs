//! Measures whole lives of runs (accepted, claimed, succeeded) a second, each step durable before the next begins:
//! `cargo run --release -p store-sqlite --example lifecycle [clients] [runs]`.

#![allow(clippy::print_stdout, clippy::expect_used, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use domain::run::Status;
use store::WorkerId;
use store::suite::ManualClock;
use store::suite::fixture::World;
use store_sqlite::Sqlite;
use tokio::task::JoinSet;

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

async fn measure(clients: usize, runs: usize, workers: usize, at_once: usize) {
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(Sqlite::temporary(clock.clone()).expect("a temporary database"));
    let (world, tenant) = World::founded((store, clock), 10_000_000).await;
    let world = Arc::new(world);
    let begun = Instant::now();
    let mut accepting = JoinSet::new();
    for _ in 0..clients {
        let (world, tenant) = (Arc::clone(&world), tenant.clone());
        accepting.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..runs / clients {
                let new = world.new_run(&tenant);
                let begun = Instant::now();
                assert_eq!(world.store.accept(&new).await.unwrap().status, Status::Queued);
                times.push(begun.elapsed());
            }
            times
        });
    }
    let mut times = accepting.join_all().await.concat();
    let accepted = begun.elapsed();
    let ended = Arc::new(AtomicUsize::new(0));
    let mut working = JoinSet::new();
    for number in 0..workers {
        let (world, ended) = (Arc::clone(&world), Arc::clone(&ended));
        working.spawn(async move {
            let by = WorkerId(format!("worker {number}"));
            loop {
                let claims = world.claim_by(&by, at_once).await;
                if claims.is_empty() {
                    break;
                }
                let mut settling = JoinSet::new();
                for claim in claims {
                    let world = Arc::clone(&world);
                    settling.spawn(async move { world.settle(claim.token, &world.success()).await });
                }
                ended.fetch_add(settling.join_all().await.len(), Ordering::Relaxed);
            }
        });
    }
    working.join_all().await;
    let whole = begun.elapsed();
    let count = times.len();
    assert_eq!(ended.load(Ordering::Relaxed), count);
    println!(
        "{clients:4} clients, {workers:2} workers by {at_once:3}: accept {:6.0}/s (p50 {:.2?}, p99 {:.2?}), lifecycle {:6.0}/s",
        count as f64 / accepted.as_secs_f64(),
        percentile(&mut times, 50),
        percentile(&mut times, 99),
        count as f64 / whole.as_secs_f64(),
    );
}

#[tokio::main]
async fn main() {
    let number = |place, otherwise| {
        std::env::args().nth(place).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let (clients, runs) = (number(1, 64), number(2, 20_000));
    for (workers, at_once) in [(8, 1), (8, 10), (8, 100)] {
        measure(clients, runs, workers, at_once).await;
    }
}
