//! An order's results as one ZIP file, read back.

use std::io::{Cursor, Read};

use domain::id::RunId;
use serde_json::{Value, json};
use zip::ZipArchive;

use super::get;
use crate::house::{End, House, png, sha256};
use crate::http::send;

/// Creates a run of the order on a picture of that name, which is made of those bytes.
async fn create(house: &House, name: &str, salt: &[u8]) -> RunId {
    let picture = png(64, 48, salt);
    assert_eq!(house.upload(&picture).await.status, 201);
    let token = format!("Bearer {}", house.get("token"));
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let body = json!({
        "image": { "name": name, "contentHash": sha256(&picture).to_string() },
        "labels": { "autoretouch_batch_id": "drop/3", "autoretouch_batch_name": "SS26 drop 3", "sku": "4711, \"red\"" },
    });
    let path = format!("/v1/workflow/execution/create?workflow={}", house.get("export_only"));
    let answer = send(house.at, "POST", &path, &headers, body.to_string().as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.text().parse().expect("an id alone")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_results_of_an_order_come_as_one_file() {
    let house = House::new().await;
    for (name, salt) in [("shirt.png", b"one"), ("Shirt.PNG", b"two"), ("grün & co.png", b"six")] {
        let run = create(&house, name, salt).await;
        house.work(run, End::Success).await;
    }
    let bad = create(&house, "broken.png", b"bad").await;
    house.work(bad, End::BadInput).await;
    create(&house, "waiting.png", b"new").await;

    let answer = get(&house, "/orders/drop%2F3/results.zip").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.whole);
    assert_eq!(answer.header("content-type"), Some("application/zip"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename*=UTF-8''SS26%20drop%203%2Ezip")
    );
    let mut archive = ZipArchive::new(Cursor::new(&answer.body)).expect("a ZIP file");
    let names: Vec<String> = archive.file_names().map(|name| name.expect("text").into_owned()).collect();
    assert_eq!(
        names,
        [
            "shirt.png",
            "shirt_mask.png",
            "Shirt (2).png",
            "Shirt_mask (2).png",
            "grün & co.png",
            "grün & co_mask.png",
            "manifest.csv",
            "manifest.json",
        ],
        "unique in any case, oldest first"
    );
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        // The reader compares the checksum.
        archive.by_name(name).expect("a member").read_to_end(&mut bytes).expect("whole");
        bytes
    };
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).expect("JSON");
    assert_eq!(manifest["order"]["id"], json!("drop/3"));
    let rows = manifest["runs"].as_array().expect("rows");
    assert_eq!(rows.len(), 5, "every run is told of");
    for row in &rows[..3] {
        let bytes = read(row["file"].as_str().expect("a file"));
        assert_eq!(row["result_sha256"], json!(sha256(&bytes).to_string()));
        assert_eq!(row["bytes"], json!(bytes.len()));
        let mask = &row["more"]["mask"];
        assert_eq!(mask["sha256"], json!(sha256(&read(mask["file"].as_str().expect("a file"))).to_string()));
    }
    assert_eq!(rows[0]["labels"]["sku"], json!("4711, \"red\""));
    assert_eq!((&rows[3]["file"], &rows[3]["failure"]), (&json!(null), &json!("image_unreadable")));
    assert_eq!((&rows[4]["file"], &rows[4]["status"]), (&json!(null), &json!("queued")));
    let table = String::from_utf8(read("manifest.csv")).expect("text");
    let lines: Vec<_> = table.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].starts_with("file,run_id,status,input_name,"));
    assert!(lines[1].starts_with("shirt.png,"), "{}", lines[1]);
    assert!(lines[4].starts_with(&format!(",{bad},failed,broken.png,")), "{}", lines[4]);
}

#[tokio::test]
async fn an_archive_that_cannot_be_finished_is_broken_off() {
    let house = House::new().await;
    let run = create(&house, "shirt.png", b"one").await;
    house.work(run, End::Success).await;
    let shown = get(&house, &format!("/runs/{run}")).await.json();
    let hash = shown["result"]["sha256"].as_str().expect("a result").to_owned();
    let file = house.blobs.local_path(hash.parse().expect("a hash")).expect("its bytes");
    std::fs::remove_file(file).expect("removed");
    let answer = get(&house, "/orders/drop%2F3/results.zip").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.whole, "the client can tell");
}

#[tokio::test]
async fn an_order_of_somebody_else_is_none() {
    let house = House::new().await;
    create(&house, "shirt.png", b"one").await;
    let answer = house.get_with("/packshot/v1/orders/drop%2F3/results.zip", &house.get("their_token")).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("batch_not_found")));
}
