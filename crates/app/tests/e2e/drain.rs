//! SIGTERM: running work finishes or is handed back, and the process ends within its grace.

use std::fs;
use std::time::Duration;

use crate::support::{Server, Session, credentials, sample, small_network};

#[test]
fn a_drained_server_hands_back_what_it_could_not_finish() {
    small_network();
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    // No grace at all: whatever runs must be handed back.
    let server =
        Server::start(&data, &[("PACKSHOT_GRACE_SECONDS", "0"), ("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0")]);
    let credentials = credentials(&data);
    let session = Session::new(&server.base, &credentials);
    let path = session.create_path(&session.workflow("White packshot"));
    let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
    let ids: Vec<_> = (0..6)
        .map(|number| {
            let mut bytes = photo.clone();
            bytes.extend_from_slice(format!("{number}").as_bytes());
            session.post_file(&path, "cup.jpg", &bytes).created()
        })
        .collect();
    let (took, status) = server.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "it took {took:?} to end");

    // A lease of half an hour: only work that was handed back can be taken at once.
    let server = Server::start(&data, &[("PACKSHOT_RUNS__LEASE_SECONDS", "1800")]);
    let session = Session::new(&server.base, &credentials);
    for id in &ids {
        let execution = session.wait(id);
        assert_eq!(execution["status"], "COMPLETED", "{execution}");
    }
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn a_drained_server_finishes_what_it_can() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let server = Server::start(&data, &[("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0")]);
    let session = server.sign_in();
    let path = session.create_path(&session.workflow("Export only"));
    let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
    let id = session.post_file(&path, "cup.jpg", &photo).created();
    let (took, status) = server.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(30), "it took {took:?} to end");
    let server = Server::start(&data, &[]);
    let execution = server.sign_in().wait(&id);
    assert_eq!(execution["status"], "COMPLETED", "{execution}");
}
