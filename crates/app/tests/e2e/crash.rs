//! `kill -9` of the real binary at random moments: nothing acknowledged is lost, nothing is charged twice.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{PATIENCE, Server, Session, credentials, sample};

/// A small generator of pseudo-random numbers (SplitMix64), so that a printed seed repeats a run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}

#[allow(clippy::disallowed_methods)] // a seed must differ between runs; it is printed
fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
    })
}

// Six kills may hit the same run, and none of them is its picture's fault.
const SETTINGS: [(&str, &str); 3] = [
    ("PACKSHOT_RUNS__LEASE_SECONDS", "1"),
    ("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0"),
    ("PACKSHOT_RUNS__MAX_CRASHES", "50"),
];

#[test]
fn a_killed_server_loses_nothing_and_charges_nobody_twice() {
    let seed = seed();
    eprintln!("SEED={seed}");
    let mut random = Random(seed);
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let photo = Arc::new(fs::read(sample("coffee-cup.jpg")).expect("a sample"));
    let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();

    let server = Server::start(&data, &SETTINGS);
    let credentials = credentials(&data);
    let before = Session::new(&server.base, &credentials).balance();
    let mut server = Some(server);
    for round in 0..6 {
        let running = server.take().unwrap_or_else(|| Server::start(&data, &SETTINGS));
        let session = Session::new(&running.base, &credentials);
        let workflow = session.workflow("Export only");
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (session, photo, acknowledged) =
                    (session.clone(), Arc::clone(&photo), Arc::clone(&acknowledged));
                let (path, stop) = (session.create_path(&workflow), Arc::clone(&stop));
                std::thread::spawn(move || {
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        // Other bytes each time, so that uploads and step results are new work.
                        let mut bytes = photo.as_ref().clone();
                        bytes.extend_from_slice(format!("{round} {client} {number}").as_bytes());
                        match session.try_post_file(&path, "cup.jpg", &bytes) {
                            Ok(answer) if answer.status == 201 => {
                                acknowledged.lock().expect("no panic").push(answer.text());
                            }
                            Ok(answer) => {
                                assert!(answer.status >= 500, "{}: {}", answer.status, answer.text())
                            }
                            // The server is gone: this one was not acknowledged.
                            Err(_) => return,
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(random.between(50, 900)));
        running.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("no client panicked");
        }
    }

    let server = Server::start(&data, &SETTINGS);
    let session = Session::new(&server.base, &credentials);
    let acknowledged = acknowledged.lock().expect("no panic").clone();
    assert!(acknowledged.len() >= 6, "only {} executions were accepted in six rounds", acknowledged.len());
    let mut charged = 0;
    for id in &acknowledged {
        let execution = session.wait(id);
        assert_eq!(execution["status"], "COMPLETED", "{execution}");
        assert_eq!(execution["chargedCredits"], 10);
        charged += 10;
        let bytes = session.get(execution["resultPath"].as_str().expect("a path")).body;
        assert!(!bytes.is_empty());
    }
    // Executions whose acknowledgement was cut off may exist too, each paid once: wait for them, then count.
    let began = Instant::now();
    loop {
        let open: u64 = ["CREATED", "ACTIVE"]
            .iter()
            .map(|status| {
                session.get(&format!("/v2/workflow/execution/?status={status}")).json()["total"]
                    .as_u64()
                    .expect("a total")
            })
            .sum();
        if open == 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{open} executions are still open");
        std::thread::sleep(Duration::from_millis(50));
    }
    let page = session.get("/v2/workflow/execution/?limit=1").json();
    let total = page["total"].as_i64().expect("a total");
    assert!(total * 10 >= charged);
    assert_eq!(session.balance(), before - total * 10, "every execution was charged once and only once");
    let done = session.get("/v2/workflow/execution/?status=COMPLETED&limit=1").json();
    assert_eq!(done["total"].as_i64(), Some(total), "every execution was completed");

    let (_, status) = server.terminate();
    assert!(status.success());
    let broken = store_sqlite::check_invariants(&data.join("packshot.db"), &data.join("blobs"));
    assert!(broken.is_empty(), "SEED={seed}\n{}", broken.join("\n"));
}
