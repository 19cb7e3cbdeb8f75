//! Many clients at once, on the real binary: all are answered, all are told, and memory stays within bounds.

use std::fs;
use std::io::Read as _;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{PATIENCE, Server, Session, sample};

const CREATORS: usize = 200;
const STREAMS: usize = 300;
/// Fewer open files than there are streams: the server has to ask for more by itself.
const FILES: u32 = 256;
/// How long runs are held back: time to create them and to open the streams.
const HELD: Duration = Duration::from_secs(5);
/// How far memory may grow with all streams open. They need a tenth of it.
const GROWTH_MAX: u64 = 100 << 20;

/// Memory the process has now, in bytes.
fn rss(server: &Server) -> u64 {
    memory(server, "VmRSS:")
}

fn memory(server: &Server, which: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(which)).expect("its memory");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
}

/// The session on connections of its own.
fn another(session: &Session) -> Session {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .input_buffer_size(16 << 10)
        .output_buffer_size(16 << 10)
        .build();
    Session { agent: agent.into(), ..session.clone() }
}

#[test]
#[cfg(target_os = "linux")] // where a process' memory can be read from a file
fn many_create_and_wait_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let held = HELD.as_millis().to_string();
    let settings = [("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", held.as_str()), ("PACKSHOT_OFFLINE", "true")];
    let server = Server::start_with_files(&dir.path().join("data"), &settings, FILES);
    let session = server.sign_in();
    let photo = fs::read(sample("tape-measure.jpg")).expect("a sample");
    let upload = format!("/v1/upload?organization={}", session.organization);
    let hash = session.post_file(&upload, "tape.jpg", &photo).created();
    let path = session.create_path(&session.workflow("Export only"));
    let body = json!({ "image": { "name": "tape.jpg", "contentHash": hash, "contentType": "image/jpeg" } });
    let body = Arc::new(body.to_string());
    let balance = session.balance();

    let began = Instant::now();
    let start = Arc::new(Barrier::new(CREATORS));
    let creators: Vec<_> = (0..CREATORS)
        .map(|_| {
            let (session, path) = (another(&session), path.clone());
            let (body, start) = (Arc::clone(&body), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                session.post(&path, Some(("application/json", body.as_bytes()))).created()
            })
        })
        .collect();
    let runs: Vec<_> = creators.into_iter().map(|creator| creator.join().expect("a 201")).collect();

    let before = rss(&server);
    let (opened, open) = channel();
    let streams: Vec<_> = (0..STREAMS)
        .map(|number| {
            let (session, opened) = (another(&session), opened.clone());
            let path = format!("/v1/workflow/execution/{}/status", runs[number % runs.len()]);
            thread::spawn(move || {
                let request = session.agent.get(format!("{}{path}", session.base));
                let request = request.header("authorization", format!("Bearer {}", session.token));
                let mut answer = request.call().expect("the server answers");
                assert_eq!(answer.status(), 200);
                opened.send(()).expect("the test waits for it");
                let mut text = String::new();
                answer.body_mut().as_reader().read_to_string(&mut text).expect("to its end");
                text
            })
        })
        .collect();
    for _ in 0..STREAMS {
        open.recv_timeout(PATIENCE).expect("all streams are opened");
    }
    let growth = rss(&server).saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{STREAMS} streams cost {growth} bytes");
    // On a machine slower than that, runs end before all streams are open: correct, but another test.
    eprintln!(
        "created and opened after {:?}; {} bytes for each stream",
        began.elapsed(),
        growth / STREAMS as u64
    );
    for stream in streams {
        let told = stream.join().expect("a stream that was read to its end");
        assert_eq!(told, "id:COMPLETED\nevent:COMPLETED\ndata:COMPLETED\n\n");
    }

    let mut paid = 0;
    for run in &runs {
        let execution = session.execution(run);
        assert_eq!(execution["status"], "COMPLETED", "{execution}");
        paid += execution["chargedCredits"].as_i64().expect("a price");
    }
    assert!(paid > 0, "executions cost something");
    assert_eq!(balance - session.balance(), paid);
    assert!(!server.log().contains("cannot accept"), "{}", server.log());
}

/// A PNG whose pixels, which nobody looks at, take `bytes`.
fn large_png(bytes: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        file.extend_from_slice(&u32::try_from(data.len()).expect("short").to_be_bytes());
        file.extend_from_slice(name);
        file.extend_from_slice(data);
        // Check sums are for the decoder.
        file.extend_from_slice(&[0; 4]);
    };
    chunk(b"IHDR", &[0, 0, 0x10, 0, 0, 0, 0x10, 0, 8, 2, 0, 0, 0]);
    chunk(b"IDAT", &vec![7; bytes]);
    chunk(b"IEND", &[]);
    file
}

#[test]
fn a_large_upload_costs_no_more_memory_than_a_small_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[]);
    let session = server.sign_in();
    let hash = session.post_file("/v1/upload", "small.png", &large_png(100_000)).created();
    let before = memory(&server, "VmHWM:");
    let large = large_png(90 << 20);
    assert_ne!(session.post_file("/v1/upload", "large.png", &large).created(), hash);
    // Cut off in its middle it is refused, without having been held either.
    let cut = session.post_file("/v1/upload", "cut.png", &large[..large.len() / 2]);
    assert_eq!(cut.status, 422, "{}", cut.text());
    let growth = memory(&server, "VmHWM:") - before;
    assert!(growth < 24 << 20, "{} MiB for a file of 90", growth >> 20);
}
