//! 22 to 32: executions, from their creation to their result.

use serde_json::{Value, json};

use crate::house::{EXPORT_ONLY, House, Raw, encode, is_error, is_uuid, members, picture, shaped};

/// A body that refers to an uploaded image.
fn referring(hash: &str, name: &str) -> Value {
    json!({ "image": { "name": name, "contentHash": hash, "contentType": "image/jpeg" } })
}

fn post_json(house: &House, path: &str, body: &Value) -> Raw {
    house.send("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// The id of a plain 201.
fn id_of(answer: &Raw) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/plain;charset=UTF-8"));
    let id = answer.text();
    assert!(is_uuid(&id), "`{id}`");
    id
}

#[test]
fn behaviour_22_create_by_reference_answers_201_and_the_id_alone() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    let id = id_of(&post_json(&house, &house.create_here(), &referring(&hash, "shirt 01.jpg")));
    let execution = house.execution(&id);
    assert_eq!((&execution["id"], &execution["inputContentHash"]), (&json!(id), &json!(hash)));
    assert_eq!(execution["inputFileName"], "shirt 01.jpg");
    // Whatever the type says, the body is JSON.
    let body = referring(&hash, "a.jpg").to_string();
    id_of(&house.send("POST", &house.create_here(), &[("content-type", "json")], body.as_bytes()));

    let refused = |path: &str, body: &Value, status: u16, reason: &str| {
        let plain = path.split('?').next().expect("a path");
        is_error(&post_json(&house, path, body), status, reason, plain);
    };
    let here = house.create_here();
    refused(&here, &json!({ "labels": {} }), 400, "Bad Request");
    refused(&here, &json!([]), 400, "Bad Request");
    refused(&here, &referring(&crate::house::sha256(b"unknown"), "a.jpg"), 422, "Unprocessable Entity");
    refused(&here, &referring("nonsense", "a.jpg"), 422, "Unprocessable Entity");
    refused("/v1/workflow/execution/create", &referring(&hash, "a.jpg"), 400, "Bad Request");
    for unknown in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        refused(&house.create_path(unknown), &referring(&hash, "a.jpg"), 404, "Not Found");
    }
    let elsewhere = "00000000-0000-0000-0000-000000000000";
    let foreign = format!(
        "{}?workflow={}&organization={elsewhere}",
        here.split('?').next().expect("a path"),
        house.workflow(EXPORT_ONLY)
    );
    refused(&foreign, &referring(&hash, "a.jpg"), 403, "Forbidden");
}

#[test]
fn behaviour_23_create_by_file_keeps_its_name() {
    let house = House::open();
    let part = b"Content-Disposition: form-data; name=\"file\"; filename=\"shirt 01.jpg\"\r\nContent-Type: image/jpeg";
    let kind = "multipart/form-data; boundary=q7";
    let id = id_of(&house.send_part(&house.create_here(), kind, part, &picture("shirt")));
    let execution = house.execution(&id);
    assert_eq!(execution["inputFileName"], "shirt 01.jpg");
    assert_eq!(execution["inputContentHash"], crate::house::sha256(&picture("shirt")));
    let image = house.send(
        "GET",
        &format!("/image/{}/a", execution["inputContentHash"].as_str().expect("a hash")),
        &[],
        b"",
    );
    assert_eq!(image.body, picture("shirt"), "it is stored as if it had been uploaded");
    let garbage = house.send_part(&house.create_here(), kind, part, b"no picture");
    assert_eq!(garbage.status, 422, "{}", garbage.text());
}

#[test]
fn behaviour_24_labels_in_the_query_in_both_words_and_both_spellings() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    let rows = [
        ("label[season]=SS26".to_owned(), json!({ "season": "SS26" })),
        ("labels[season]=SS26".to_owned(), json!({ "season": "SS26" })),
        ("label%5Bseason%5D=SS26".to_owned(), json!({ "season": "SS26" })),
        ("labels%5Bseason%5D=SS26".to_owned(), json!({ "season": "SS26" })),
        ("labels[a]=1&&label[b]=2&stray".to_owned(), json!({ "a": "1", "b": "2" })),
        (format!("label[{}]={}", encode("größe"), encode("x=y z")), json!({ "größe": "x=y z" })),
        ("label[empty]=".to_owned(), json!({ "empty": "" })),
    ];
    for (query, labels) in rows {
        let path = format!("{}&{query}", house.create_here());
        let by_file = house.post_file(&path, "a.jpg", &picture("a")).created();
        let by_reference = id_of(&post_json(&house, &path, &referring(&hash, "a.jpg")));
        for id in [by_file, by_reference] {
            assert_eq!(house.execution(&id)["labels"], labels, "{query}");
        }
    }
}

#[test]
fn behaviour_25_labels_come_back_exactly_as_given() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    let labels = json!({
        "season": "SS26",
        "größe": "42 ½",
        "empty": "",
        "long": "x".repeat(1000),
        "autoretouch_batch_id": "243b19ca-b3f7-473c-babf-c558adcc57af",
        "autoretouch_batch_name": "SS26 drop 3",
        "autoretouch_batch_createdAt": "2026-03-02T09:13:58.000Z",
    });
    for labels in [labels, json!({}), json!({ "autoretouch_batch_id": "only" })] {
        let mut body = referring(&hash, "a.jpg");
        body["labels"] = labels.clone();
        let id = id_of(&post_json(&house, &house.create_here(), &body));
        assert_eq!(house.execution(&id)["labels"], labels);
        assert_eq!(house.wait(&id)["labels"], labels);
    }
    let id = id_of(&post_json(&house, &house.create_here(), &referring(&hash, "a.jpg")));
    assert_eq!(house.execution(&id)["labels"], json!({}));
}

#[test]
fn behaviour_26_unknown_settings_do_no_harm() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    let rows = [
        json!({}),
        Value::Null,
        json!({ "input": { "some": "settings" } }),
        json!({ "nothing of that name": { "a": [1, 2, { "b": null }] } }),
        json!({ "export": { "unknown": true } }),
        json!({ "input": {}, "export": {}, "more": {} }),
    ];
    let ids: Vec<_> = rows
        .iter()
        .map(|settings| {
            let mut body = referring(&hash, "a.jpg");
            body["settings"] = settings.clone();
            id_of(&post_json(&house, &house.create_here(), &body))
        })
        .collect();
    for (id, settings) in ids.iter().zip(&rows) {
        assert_eq!(house.wait(id)["status"], "COMPLETED", "{settings}");
    }
}

#[test]
fn behaviour_27_the_declared_content_type_decides_nothing() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    for kind in [Value::Null, json!("image/png"), json!("nonsense"), json!("")] {
        let body = json!({ "image": { "name": "a", "contentHash": hash, "contentType": kind } });
        let id = id_of(&post_json(&house, &house.create_here(), &body));
        assert_eq!(house.wait(&id)["status"], "COMPLETED", "{kind}");
    }
    let body = json!({ "image": { "name": "a", "contentHash": hash } });
    id_of(&post_json(&house, &house.create_here(), &body));
}

#[test]
fn behaviour_28_a_version_can_be_pinned() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    let workflow = house.workflow(EXPORT_ONLY);
    let shown = || house.get(&format!("/v1/workflow/{workflow}")).json();
    let first = shown()["version"].as_str().expect("a version").to_owned();
    let second = house.save_again(&workflow);
    assert_ne!(first, second);
    assert_eq!(shown()["version"], second);
    let create = |version: &str| {
        let path = format!("{}{version}", house.create_here());
        post_json(&house, &path, &referring(&hash, "a.jpg"))
    };
    for (version, used) in [
        (String::new(), &second),
        (format!("&version={first}"), &first),
        (format!("&version={second}"), &second),
    ] {
        let execution = house.execution(&id_of(&create(&version)));
        assert_eq!((&execution["workflow"], &execution["workflowVersion"]), (&json!(workflow), &json!(used)));
    }
    for unknown in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        let answer = create(&format!("&version={unknown}"));
        is_error(&answer, 404, "Not Found", "/v1/workflow/execution/create");
    }
}

#[test]
fn behaviour_29_a_new_execution_is_seen_waiting_or_at_work() {
    let house = House::open();
    for number in 0..5 {
        let id = house.create(&format!("{number}.jpg"));
        let status = house.execution(&id)["status"].clone();
        assert!(status == "CREATED" || status == "ACTIVE", "{status}");
    }
}

const MEMBERS: [&str; 24] = [
    "chargedCredits",
    "companyId",
    "createdAt",
    "fastlane",
    "feedback",
    "finishedAt",
    "id",
    "inputContentHash",
    "inputFileName",
    "intermediateResult",
    "labels",
    "organizationId",
    "resultContentHash",
    "resultContentType",
    "resultFileName",
    "resultPath",
    "resultPreviewContentHash",
    "startedAt",
    "status",
    "userId",
    "webhooks",
    "workflow",
    "workflowName",
    "workflowVersion",
];

#[test]
fn behaviour_30_result_members_are_null_before_there_is_one() {
    let house = House::with(&[("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "600000")]);
    let id = house.create("shirt.jpg");
    let execution = house.execution(&id);
    assert_eq!(members(&execution), MEMBERS);
    assert_eq!(execution["status"], "CREATED");
    let nulls = [
        "resultContentHash",
        "resultContentType",
        "resultFileName",
        "resultPath",
        "resultPreviewContentHash",
        "startedAt",
        "finishedAt",
        "intermediateResult",
        "feedback",
        "fastlane",
    ];
    for name in nulls {
        assert_eq!(execution[name], Value::Null, "{name}");
    }
    assert_eq!((&execution["labels"], &execution["webhooks"]), (&json!({}), &json!([])));
    assert_eq!(
        (&execution["workflowName"], &execution["userId"]),
        (&json!(EXPORT_ONLY), &house.credentials["user_id"])
    );
    for name in ["organizationId", "companyId"] {
        assert_eq!(execution[name], house.organization);
    }
    assert!(["workflow", "workflowVersion"].iter().all(|id| is_uuid(execution[*id].as_str().expect("text"))));
    assert!(shaped(execution["createdAt"].as_str().expect("a time"), "0000-00-00T00:00:00.000Z"));
    assert_eq!(house.get("/v2/workflow/execution/").json()["entries"][0], execution);
}

#[test]
fn behaviour_31_a_completed_execution_says_where_its_result_is() {
    let house = House::open();
    let execution = house.wait(&house.create("shirt 01.jpg"));
    assert_eq!(members(&execution), MEMBERS);
    assert_eq!(execution["status"], "COMPLETED");
    let text = |name: &str| {
        execution[name].as_str().unwrap_or_else(|| panic!("no `{name}`: {execution}")).to_owned()
    };
    let hash = text("resultContentHash");
    assert!(
        hash.len() == 64 && hash.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)),
        "{hash}"
    );
    assert_eq!(
        (text("resultContentType"), text("resultFileName")),
        ("image/png".into(), "shirt 01.png".into())
    );
    // Not percent-encoded: clients do that themselves.
    assert_eq!(text("resultPath"), format!("/image/{hash}/shirt 01.png"));
    assert_eq!(text("resultPreviewContentHash"), hash);
    assert_eq!(execution["chargedCredits"], 10);
    let times = ["createdAt", "startedAt", "finishedAt"].map(text);
    assert!(
        times.iter().all(|time| shaped(time, "0000-00-00T00:00:00.000Z")) && times.is_sorted(),
        "{times:?}"
    );
    let failed = house.wait(&house.create_broken());
    assert_eq!((&failed["status"], &failed["resultPath"]), (&json!("FAILED"), &Value::Null));
}

#[test]
fn behaviour_32_the_result_keeps_the_stem_of_the_input() {
    let house = House::open();
    let names = ["sample_image.jpg", "shirt 01.jpeg", "Hose grün.JPG", "two.dots.jpg", "no extension"];
    let ids: Vec<_> = names.iter().map(|name| house.create(name)).collect();
    for (id, name) in ids.iter().zip(names) {
        let execution = house.wait(id);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        assert_eq!(execution["resultFileName"], format!("{stem}.png"));
    }
}
