//! Results that wait for a person, and several images that become one, through the real binary.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Answer, PATIENCE, Server, Session, sample};

const QUICK: [(&str, &str); 1] = [("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0")];

fn post(session: &Session, path: &str, body: &Value) -> Answer {
    session.post(path, Some(("application/json", body.to_string().as_bytes())))
}

fn made(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

/// Waits until the execution has that status.
fn until(session: &Session, id: &str, status: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        let execution = session.execution(id);
        if execution["status"] == status {
            return execution;
        }
        assert!(began.elapsed() < PATIENCE, "{execution}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn results_wait_for_a_person_who_approves_sends_back_or_gives_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &QUICK);
    let session = server.sign_in();
    let photo = fs::read(sample("coffee-cup.jpg")).expect("a sample");
    let hash = session.post_file("/v1/upload", "cup.jpg", &photo).created();
    let draft = json!({
        "name": "Checked", "needs_review": true,
        "steps": [{ "type": "input" }, { "type": "export", "settings": { "targetFormat": "JPEG", "quality": 90 } }],
    });
    let workflow = made(&post(&session, "/packshot/v1/workflows", &draft));
    let images: Vec<_> =
        (0..4).map(|number| json!({ "name": format!("{number}.jpg"), "content_hash": hash })).collect();
    let order = json!({ "workflow_id": workflow["id"], "id": "drop 3", "name": "Drop 3", "images": images });
    made(&post(&session, "/packshot/v1/orders", &order));
    let page = session.get("/packshot/v1/orders/drop%203/runs").json();
    let ids: Vec<String> = page["items"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids.len(), 4);

    // In review the result can be seen, and is not final for anybody who waits.
    let mut first = Value::Null;
    for id in &ids {
        first = until(&session, id, "IN_QA");
        assert_eq!(first["finishedAt"], Value::Null);
    }
    let path = first["resultPath"].as_str().expect("a path").to_owned();
    assert_eq!(session.get(&path).status, 200);
    assert_eq!(session.get("/packshot/v1/orders/drop%203").json()["state"], "in_review");
    let retry = session.post(&format!("/v1/workflow/execution/{}/retry", ids[0]), None);
    assert_eq!(retry.status, 404, "nothing to retry while somebody looks at it");

    let review = |id: &str, body: Value| post(&session, &format!("/packshot/v1/runs/{id}/review"), &body);
    let approved = review(&ids[0], json!({ "verdict": "approve" }));
    assert_eq!((approved.status, &approved.json()["status"]), (200, &json!("succeeded")));
    until(&session, &ids[0], "COMPLETED");
    assert_eq!(review(&ids[0], json!({ "verdict": "approve" })).status, 409);

    // Sent back with other settings: another file comes out, and nobody pays twice.
    let balance = session.balance();
    let before = session.execution(&ids[1])["resultContentHash"].clone();
    let again = review(
        &ids[1],
        json!({ "verdict": "reprocess", "overrides": { "export": { "quality": 20 } }, "reason": "too large" }),
    );
    assert_eq!(again.status, 200, "{}", again.text());
    let redone = until(&session, &ids[1], "IN_QA");
    assert_ne!(redone["resultContentHash"], before);
    let wrong =
        review(&ids[1], json!({ "verdict": "reprocess", "overrides": { "export": { "quality": 900 } } }));
    assert_eq!(wrong.status, 422, "{}", wrong.text());

    let given_up = review(&ids[2], json!({ "verdict": "give_up", "reason": "strap is cut off" }));
    assert_eq!((given_up.status, &given_up.json()["status"]), (200, &json!("failed")));
    let failed = until(&session, &ids[2], "FAILED");
    assert_eq!(failed["resultPath"], Value::Null);
    let result = session.get(&format!("/v1/workflow/execution/{}/result/default", ids[2]));
    assert_eq!(result.status, 404);
    assert!(result.text().contains("strap is cut off"), "{}", result.text());

    // The rest of the order at once.
    let all = post(&session, "/packshot/v1/orders/drop%203/review", &json!({ "verdict": "approve" }));
    assert_eq!((all.status, all.json()), (200, json!({ "judged": 2, "passed_over": 0 })));
    let order = session.get("/packshot/v1/orders/drop%203").json();
    assert_eq!(
        (&order["state"], &order["counts"]["succeeded"], &order["counts"]["failed"]),
        (&json!("incomplete"), &json!(3), &json!(1))
    );
    assert_eq!(session.balance(), balance);
    let batch = session.get("/v1/batch?batchId=drop%203").json();
    assert_eq!(
        (&batch["entries"][0]["executions"], &batch["entries"][0]["price"]),
        (&json!(4), &order["charged"])
    );

    let zip = session.get("/packshot/v1/orders/drop%203/results.zip");
    assert_eq!((zip.status, zip.content_type.as_str()), (200, "application/zip"));
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip.body)).expect("a ZIP file");
    let mut names: Vec<_> = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.contains(&"manifest.csv".to_owned()) && names.contains(&"manifest.json".to_owned()));
    let result = names.iter().find(|name| name.ends_with(".jpg")).expect("a result");
    let mut file = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(result).expect("a result"), &mut file).expect("readable");
    assert!(file.starts_with(b"\xff\xd8\xff"));
}

#[test]
fn images_that_go_together_become_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &QUICK);
    let session = server.sign_in();
    let upload = |name: &str| {
        let photo = fs::read(sample(name)).expect("a sample");
        session.post_file("/v1/upload", name, &photo).created()
    };
    let samples: Vec<_> = fs::read_dir(crate::support::root().join("samples"))
        .expect("the samples")
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".jpg"))
        .take(2)
        .collect();
    let hashes: Vec<_> = samples.iter().map(|name| upload(name)).collect();
    let draft = json!({ "name": "Pairs", "steps": [
        { "type": "input" }, { "type": "combine", "settings": { "gap": 40 } },
        { "type": "setOnCanvas", "settings": { "width": 1600, "height": 900 } },
        { "type": "fillBackground" }, { "type": "export", "settings": { "targetFormat": "JPEG" } },
    ] });
    let workflow = made(&post(&session, "/packshot/v1/workflows", &draft));
    let body = json!({ "image": [
        { "name": "7_front.jpg", "contentHash": hashes[0] }, { "name": "7_back.jpg", "contentHash": hashes[1] },
    ] });
    let path = session.create_path(workflow["id"].as_str().expect("an id"));
    let id = session.post(&path, Some(("application/json", body.to_string().as_bytes()))).created();
    let done = session.wait(&id);
    assert_eq!(
        (&done["status"], &done["resultFileName"]),
        (&json!("COMPLETED"), &json!("7_front.jpg")),
        "{}",
        server.log()
    );
    assert_eq!(done["inputContentHash"], json!(hashes[0]));
    let result = session.get(done["resultPath"].as_str().expect("a path"));
    let header = pixels::probe(&result.body, &pixels::Limits::default()).expect("a picture");
    assert_eq!((header.width, header.height), (1600, 900));
    if let Some(folder) = std::env::var_os("PACKSHOT_KEEP_RESULTS") {
        fs::write(std::path::Path::new(&folder).join("pair.jpg"), &result.body).expect("written");
    }
}
