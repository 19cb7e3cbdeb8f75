//! Bad input of every kind: a clear refusal in the vendor's envelope, a log line, no panic, nothing half-stored.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::png::png;
use crate::support::{Answer, Server, Session, sample};

/// The vendor's error object, with a message that says something.
fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.content_type.starts_with("application/json"), "{}", answer.content_type);
    let error = answer.json();
    let members: Vec<_> = error.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members, ["timestamp", "status", "error", "message", "path"]);
    assert_eq!(error["status"], status);
    let message = error["message"].as_str().expect("a message").to_owned();
    assert!(!message.is_empty(), "{error}");
    message
}

/// A PNG header that promises 30,000 by 30,000 pixels.
fn huge_png() -> Vec<u8> {
    let side = 30_000u32.to_be_bytes();
    let header = [&side[..], &side, &[8, 6, 0, 0, 0]].concat();
    png(&[(b"IHDR", &header), (b"IEND", b"")])
}

/// A GIF89a of two frames.
fn animation() -> Vec<u8> {
    let mut gif = b"GIF89a\x02\x00\x02\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff".to_vec();
    for _ in 0..2 {
        gif.extend_from_slice(b"\x21\xf9\x04\x00\x0a\x00\x00\x00");
        gif.extend_from_slice(b"\x2c\x00\x00\x00\x00\x02\x00\x02\x00\x00\x02\x02\x84\x51\x00");
    }
    gif.push(0x3b);
    gif
}

/// A JPEG with four components and no profile: a frame header is enough, nothing may be decoded to find out.
fn cmyk() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/files/cmyk-without-profile.jpg"))
        .expect("a file")
}

fn files_below(folder: &Path) -> usize {
    fs::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(Result::ok)
                .map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 })
                .sum()
        })
        .unwrap_or_default()
}

#[test]
fn bad_pictures_are_refused_at_the_door() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[("PACKSHOT_UPLOADS__MAX_BYTES", "1 MiB")]);
    let session = server.sign_in();
    let blobs = server.data().join("blobs");
    let upload = format!("/v1/upload?organization={}", session.organization);
    let create = session.create_path(&session.workflow("Export only"));
    let before = session.balance();
    let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
    let cases: [(&str, Vec<u8>, u16, &str); 7] = [
        ("empty.jpg", Vec::new(), 422, "empty"),
        ("text.jpg", b"dear sir or madam, this is a letter".to_vec(), 422, "JPEG"),
        ("truncated.jpg", photo[..photo.len() / 2].to_vec(), 422, "truncated"),
        ("animation.gif", animation(), 422, "GIF"),
        ("huge.png", huge_png(), 422, "30000"),
        ("cmyk.jpg", cmyk(), 422, "CMYK"),
        ("large.jpg", vec![0xff; 2 << 20], 413, "1048576"),
    ];
    for (name, bytes, status, says) in cases {
        for path in [&upload, &create] {
            let message = refused(&session.post_file(path, name, &bytes), status);
            assert!(message.contains(says), "{name}: {message}");
        }
    }
    // A refusal for another reason leaves nothing of the picture either.
    let label = format!("{create}&label[season]={}", "x".repeat(3_000));
    refused(&session.post_file(&label, "cup.jpg", &photo), 400);
    assert_eq!(files_below(&blobs), 0, "something was half-stored");
    assert_eq!(session.balance(), before, "nothing may be charged");
    let list = session.get("/v1/workflow/execution").json();
    assert_eq!(list["total"], 0, "no execution may exist");
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.matches("/upload").count() >= 7, "every refusal leaves a line in the log:\n{log}");
}

#[test]
fn bad_requests_are_refused_in_the_vendors_envelope() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[("PACKSHOT_ACCOUNTS__ACCESS_TOKEN_SECONDS", "1")]);
    let session = server.sign_in();
    let nobody = "11111111-2222-3333-4444-555555555555";
    let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
    let create = |workflow: &str| format!("/v1/workflow/execution/create?workflow={workflow}");
    let fresh = |session: &Session| Session { token: server.sign_in().token, ..session.clone() };

    let session = fresh(&session);
    refused(&session.post_file(&create(nobody), "cup.jpg", &photo), 404);
    refused(&session.post_file(&create("nonsense"), "cup.jpg", &photo), 404);
    let session = fresh(&session);
    let foreign = format!("{}&organization={nobody}", create(&session.workflow("Export only")));
    refused(&session.post_file(&foreign, "cup.jpg", &photo), 403);
    refused(&session.get(&format!("/v1/workflow?organization={nobody}")), 403);
    refused(&session.get(&format!("/v1/workflow/execution/{nobody}")), 404);
    let session = fresh(&session);
    let body = br#"{"image":{"name":"a.jpg","contentHash":"zz","contentType":null}}"#;
    let workflow = session.workflow("Export only");
    refused(&session.post(&create(&workflow), Some(("application/json", body))), 422);
    refused(&session.post(&create(&workflow), Some(("application/json", b"{"))), 400);

    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let expired = session.get("/v1/organization");
    let message = refused(&expired, 401);
    assert!(message.contains("expired"), "{message}");
    assert!(expired.headers.contains_key("www-authenticate"));
    let forged = Session { token: format!("{}x", session.token), ..session };
    refused(&forged.get("/v1/organization"), 401);
    assert!(!server.log().contains("panicked"));
}

#[test]
fn unusual_pictures_are_taken_as_they_are_meant() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[]);
    let session = server.sign_in();
    let path = session.create_path(&session.workflow("Export only"));
    let result = |name: &str, bytes: &[u8]| -> pixels::Bitmap {
        let id = session.post_file(&path, name, bytes).created();
        let execution: Value = session.wait(&id);
        assert_eq!(execution["status"], "COMPLETED", "{name}: {execution}");
        let bytes = session.get(execution["resultPath"].as_str().expect("a path")).body;
        pixels::decode(&bytes, &pixels::DecodeOptions::default()).expect("decodable").bitmap
    };

    // 16-bit grey: a ramp keeps its order and its ends.
    let grey = grey_16();
    let ramp = result("grey.png", &grey).into_u8();
    let pixels::Samples::U8(samples) = ramp.samples() else { panic!("8 bit was asked for") };
    assert_eq!((samples[0], samples[samples.len() - 1]), (0, 255));

    // Every orientation shows the same scene: the red corner at the top left, the picture twice as wide as high.
    for orientation in 1..=8 {
        let turned = result(&format!("turned-{orientation}.jpg"), &oriented(orientation)).into_u8();
        assert_eq!((turned.width(), turned.height()), (64, 32), "orientation {orientation}");
        let pixels::Samples::U8(samples) = turned.samples() else { panic!("8 bit was asked for") };
        let channels = turned.channels().count();
        let corner = &samples[(4 * 64 + 4) * channels..][..3];
        assert!(corner[0] > 180 && corner[1] < 90, "orientation {orientation}: {corner:?}");
        let opposite = &samples[(28 * 64 + 60) * channels..][..3];
        assert!(opposite[0] < 90, "orientation {orientation}: {opposite:?}");
    }
}

/// A 256 by 1 PNG of 16-bit grey from black to white.
fn grey_16() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/files/grey-16.png")).expect("a file")
}

/// A scene of 64 by 32 (red corner at the top left, blue elsewhere) stored turned, with the tag that turns it back.
fn oriented(orientation: u8) -> Vec<u8> {
    let name = format!("tests/e2e/files/orientation-{orientation}.jpg");
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a file")
}
