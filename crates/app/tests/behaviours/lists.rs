//! 36, 37, 39, 47, 48: lists, retries, and many requests at once.

use serde_json::{Value, json};

use crate::house::{House, encode, is_error, picture};

#[test]
fn behaviour_36_a_new_execution_is_on_the_first_page_once() {
    let house = House::open();
    let mut ids: Vec<String> = (0..55).map(|number| house.create(&format!("{number}.jpg"))).collect();
    ids.reverse();
    for path in ["/v2/workflow/execution/", "/v1/workflow/execution?limit=50&offset=0", "/workflow/execution"]
    {
        let page = house.get(path).json();
        let listed: Vec<_> =
            page["entries"].as_array().expect("a list").iter().map(|entry| entry["id"].clone()).collect();
        assert_eq!(page["total"], 55);
        assert_eq!(listed, ids[..50], "{path}");
    }
}

#[test]
fn behaviour_37_lists_filter_by_everything_they_know() {
    let house = House::open();
    let other = house.workflow("White packshot");
    let create = |workflow: &str, name: &str, labels: Value| {
        let hash = house.upload(&picture(name));
        let body = json!({ "image": { "name": name, "contentHash": hash }, "labels": labels }).to_string();
        house.post(&house.create_path(workflow), Some(("application/json", body.as_bytes()))).created()
    };
    let ours = house.workflow("Export only");
    let batch = |name: &str| json!({ "autoretouch_batch_id": name, "autoretouch_batch_name": name });
    let plain = create(&ours, "plain.jpg", json!({ "season": "SS26" }));
    let first = create(&ours, "a b.jpg", batch("drop 3"));
    let second = create(&ours, "second.jpg", batch("drop 33"));
    // It may take long: nobody waits for it here.
    let elsewhere =
        create(&other, "plain.jpg", json!({ "autoretouch_batch_createdAt": "2026-03-02T09:13:58.000Z" }));
    let broken = house.create_broken();
    for id in [&plain, &first, &second, &broken] {
        house.wait(id);
    }
    let found = |query: &str| {
        let mut seen = Vec::new();
        for path in ["/v2/workflow/execution/", "/v1/workflow/execution"] {
            let page = house.get(&format!("{path}?organization={}&{query}", house.organization)).json();
            let ids: Vec<String> = page["entries"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|entry| entry["id"].as_str().expect("an id").to_owned())
                .collect();
            assert_eq!(page["total"], ids.len(), "{query}");
            seen.push(ids);
        }
        assert_eq!(seen[0], seen[1], "{query}");
        seen.remove(0)
    };
    let is = |query: &str, ids: &[&String]| {
        let found = found(query);
        assert_eq!(found.iter().collect::<Vec<_>>(), ids, "{query}");
    };
    for name in ["workflow", "workflowId"] {
        is(&format!("{name}={ours}"), &[&broken, &second, &first, &plain]);
        is(&format!("{name}={other}"), &[&elsewhere]);
        is(&format!("{name}=nonsense"), &[]);
    }
    is(&format!("status=COMPLETED&workflow={ours}"), &[&second, &first, &plain]);
    is(&format!("status=FAILED&workflow={ours}"), &[&broken]);
    is("status=IN_QA", &[]);
    is("status=DONE", &[]);
    is(&format!("batchName={}", encode("drop 3")), &[&first]);
    is("batchName=drop+33", &[&second]);
    is("batchName=drop", &[]);
    is("inputFileName=plain.jpg", &[&elsewhere, &plain]);
    is(&format!("inputFileName=plain.jpg&workflow={ours}"), &[&plain]);
    is("inputFileName=a%20b.jpg", &[&first]);
    is("inputFileName=plain", &[]);
    // Any label of a batch puts it into one.
    is("noBatch=true", &[&broken, &plain]);
    is("noBatch=true&status=FAILED", &[&broken]);
    is("noBatch=false", &[&broken, &elsewhere, &second, &first, &plain]);
    is("unknown=1&&stray", &[&broken, &elsewhere, &second, &first, &plain]);
}

#[test]
fn behaviour_39_what_failed_can_be_retried_and_nothing_else() {
    let house = House::open();
    let retry = |id: &str| {
        let path = format!("/v1/workflow/execution/{id}/retry?organization={}", house.organization);
        // As the Python client sends it: a type, and nothing of it.
        house.send("POST", &path, &[("content-type", "application/json")], b"")
    };
    let failed = house.create_broken();
    let before = house.wait(&failed);
    assert_eq!((&before["status"], &before["chargedCredits"]), (&json!("FAILED"), &json!(10)));
    let balance = house.balance();
    let answer = retry(&failed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let again = house.execution(&failed);
    assert!(["CREATED", "ACTIVE"].contains(&again["status"].as_str().expect("a status")), "{again}");
    if again["status"] == "CREATED" {
        assert_eq!((&again["startedAt"], &again["finishedAt"]), (&Value::Null, &Value::Null));
    }
    let after = house.wait(&failed);
    assert_eq!(
        (&after["status"], &after["id"], &after["createdAt"]),
        (&json!("FAILED"), &before["id"], &before["createdAt"])
    );
    assert!(after["finishedAt"].as_str() > before["finishedAt"].as_str());
    assert_eq!((&after["chargedCredits"], house.balance()), (&json!(10), balance), "the retry is free");
    let legacy = house.send("POST", &format!("/workflow/execution/retry?execution={failed}"), &[], b"");
    assert_eq!(legacy.status, 200, "{}", legacy.text());

    let done = house.create("a.jpg");
    assert_eq!(retry(&done).status, 404, "it still waits");
    house.wait(&done);
    for id in [done.as_str(), "nonsense", "00000000-0000-0000-0000-000000000000"] {
        is_error(&retry(id), 404, "Not Found", &format!("/v1/workflow/execution/{id}/retry"));
    }
}

#[test]
fn behaviour_47_two_hundred_creates_and_polls_at_once() {
    let house = House::open();
    let before = house.balance();
    let path = house.create_here();
    let mut ids: Vec<String> = std::thread::scope(|scope| {
        let working: Vec<_> = (0..200)
            .map(|number| {
                let (session, path) = (&house.session, &path);
                scope.spawn(move || {
                    let name = format!("{number}.jpg");
                    let id = session.post_file(path, &name, &picture(&name)).created();
                    let execution = session.wait(&id);
                    assert_eq!(
                        (&execution["status"], &execution["inputFileName"]),
                        (&json!("COMPLETED"), &json!(name))
                    );
                    let result = session.get(execution["resultPath"].as_str().expect("a path"));
                    assert_eq!((result.status, result.content_type.as_str()), (200, "image/png"));
                    id
                })
            })
            .collect();
        working.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    });
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 200);
    assert_eq!(house.balance(), before - 2000);
    assert_eq!(house.get("/v2/workflow/execution/?status=COMPLETED&limit=1").json()["total"], 200);
}

#[test]
fn behaviour_48_polling_without_a_pause_is_not_limited() {
    let house = House::open();
    let id = house.create("a.jpg");
    for _ in 0..500 {
        assert_eq!(house.get(&format!("/v1/workflow/execution/{id}")).status, 200);
    }
    for _ in 0..100 {
        assert_eq!(house.get("/v1/organization/balance").status, 200);
    }
}
