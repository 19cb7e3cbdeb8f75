//! 19, 40, 43 to 45: pictures fetched, opinions kept, ends told, orders counted.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::house::{House, SPELLINGS, encode, is_error, members, picture, sha256};
use crate::support::Session;

/// Lets the server reach the listeners of these tests.
const LOOPBACK: [(&str, &str); 1] = [("PACKSHOT_OUTBOUND__ALLOW", "[\"127.0.0.0/8\"]")];

/// A request that came to a listener: its path, its head in lower case, its body.
struct Came {
    path: String,
    head: String,
    body: Vec<u8>,
}

/// Answers every request to a port of this machine; answers where it is.
fn listen(answer: impl Fn(Came) -> (u16, Vec<u8>) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || stream.and_then(|stream| one(stream, &*answer)));
        }
    });
    at
}

fn one(mut stream: TcpStream, answer: &dyn Fn(Came) -> (u16, Vec<u8>)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut head = String::new();
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        head.push_str(&line.to_lowercase());
        line.clear();
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let (status, bytes) = answer(Came { path, head, body });
    let kind = "application/octet-stream";
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        bytes.len()
    )?;
    stream.write_all(&bytes)
}

#[test]
fn behaviour_19_an_upload_by_addresses_answers_the_same_keys() {
    let house = House::reaching(&LOOPBACK);
    let shop = listen(|came| match came.path.as_str() {
        "/p/771/front.jpg" => (200, picture("front")),
        "/p/771/back.jpg" => (200, picture("back")),
        "/text.jpg" => (200, b"no picture".to_vec()),
        _ => (404, Vec::new()),
    });
    let upload = |house: &House, path: &str, urls: &Value| {
        let body = json!({ "urls": urls }).to_string();
        house.send("POST", path, &[("content-type", "application/json")], body.as_bytes())
    };
    let urls = json!({ "front.jpg": format!("{shop}/p/771/front.jpg"), "back é.jpg": format!("{shop}/p/771/back.jpg") });
    for (prefix, slash) in SPELLINGS {
        let path = format!("{prefix}/upload{slash}?organization={}", house.organization);
        let answer = upload(&house, &path, &urls);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (201, Some("application/json")),
            "{}",
            answer.text()
        );
        let hashes =
            json!({ "front.jpg": sha256(&picture("front")), "back é.jpg": sha256(&picture("back")) });
        assert_eq!(answer.json(), json!({ "urls": hashes }));
    }
    let there = |hash: &str| house.send("HEAD", &format!("/upload?contentHash={hash}"), &[], b"").status;
    assert_eq!(there(&sha256(&picture("front"))), 200);
    // One that cannot be had refuses them all.
    for bad in [format!("{shop}/none.jpg"), format!("{shop}/text.jpg"), "ftp://shop.example/a.jpg".to_owned()]
    {
        let urls = json!({ "good.jpg": format!("{shop}/p/771/front.jpg"), "bad.jpg": bad });
        is_error(&upload(&house, "/upload", &urls), 422, "Unprocessable Entity", "/upload");
    }
    // No address of this machine or its network, unless a list says so.
    let guarded = House::open();
    is_error(&upload(&guarded, "/upload", &urls), 422, "Unprocessable Entity", "/upload");
}

#[test]
fn behaviour_40_feedback_is_stored() {
    let house = House::open();
    let id = house.create("a.jpg");
    house.wait(&id);
    let wanted = house.upload(&picture("as it should be"));
    let say = |id: &str, prefix: &str, slash: &str, body: &Value| {
        let path =
            format!("{prefix}/workflow/execution/{id}/feedback{slash}?organization={}", house.organization);
        house.send("POST", &path, &[("content-type", "application/json")], body.to_string().as_bytes())
    };
    let mut opinions = vec![
        json!({ "thumbsUp": false, "expectedImages": [wanted] }),
        json!({ "thumbsUp": true, "expectedImages": [] }),
    ];
    // The second replaces the first.
    opinions.extend(opinions.clone());
    for (opinion, (prefix, slash)) in opinions.iter().zip(SPELLINGS) {
        let answer = say(&id, prefix, slash, opinion);
        assert!([200, 201].contains(&answer.status), "{}", answer.text());
        assert_eq!(&house.execution(&id)["feedback"], opinion);
    }
    for unknown in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/v1/workflow/execution/{unknown}/feedback");
        is_error(&say(unknown, "/v1", "", &opinions[0]), 404, "Not Found", &path);
    }
    let theirs = house.neighbour();
    let body = opinions[1].to_string();
    let path = format!("/v1/workflow/execution/{id}/feedback");
    assert_eq!(theirs.post(&path, Some(("application/json", body.as_bytes()))).status, 404);
}

/// Creates an execution that tells that address of its end.
fn create_told(house: &House, name: &str, bytes: &[u8], address: &str) -> String {
    let hash = house.upload(bytes);
    let body = json!({ "image": { "name": name, "contentHash": hash }, "webhooks": [address], "labels": { "sku": name } });
    house.post(&house.create_here(), Some(("application/json", body.to_string().as_bytes()))).created()
}

#[test]
fn behaviour_43_a_webhook_is_the_event_and_the_whole_object() {
    let house = House::reaching(&[LOOPBACK[0], ("PACKSHOT_ACCOUNTS__CREDITS", "20")]);
    let events: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&events);
    let address = listen(move |came| {
        assert!(came.head.contains("content-type: application/json"), "{}", came.head);
        let event = serde_json::from_slice(&came.body).expect("JSON");
        kept.lock().expect("whole").push(event);
        (204, Vec::new())
    });
    let done = create_told(&house, "shirt 01.jpg", &picture("a"), &address);
    let failed = create_told(&house, "broken.png", &crate::house::broken(), &address);
    let unpaid = create_told(&house, "unpaid.jpg", &picture("b"), &address);
    let told = |id: &str| -> Vec<Value> {
        let events = events.lock().expect("whole");
        events.iter().filter(|event| event["content"]["id"] == id).cloned().collect()
    };
    for (id, status) in [(&done, "COMPLETED"), (&failed, "FAILED"), (&unpaid, "PAYMENT_REQUIRED")] {
        house.until("the end is told", || !told(id).is_empty());
        let event = told(id).remove(0);
        assert_eq!(members(&event), ["content", "event"]);
        assert_eq!(event["event"], format!("WORKFLOW_EXECUTION_{status}"));
        assert_eq!(event["content"]["status"], status);
        assert_eq!(event["content"], house.execution(id));
    }
    // A retry ends once more; nothing else was told, neither that they waited nor that they were worked on.
    assert_eq!(house.post(&format!("/v1/workflow/execution/{failed}/retry"), None).status, 200);
    house.until("the second end is told", || told(&failed).len() == 2);
    assert_eq!(told(&failed)[1]["event"], "WORKFLOW_EXECUTION_FAILED");
    assert_eq!((told(&done).len(), told(&unpaid).len()), (1, 1));
}

#[test]
fn behaviour_44_a_result_can_be_downloaded_before_its_end_is_told() {
    let house = House::reaching(&LOOPBACK);
    let session: Session = house.session.clone();
    let seen: Arc<Mutex<Vec<(u16, u16, String)>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let address = listen(move |came| {
        let event: Value = serde_json::from_slice(&came.body).expect("JSON");
        assert_eq!(event["event"], "WORKFLOW_EXECUTION_COMPLETED");
        let text = |name: &str| event["content"][name].as_str().expect("text").to_owned();
        // Before it answers, and so before anybody could have waited.
        let by_path = session.get(&text("resultPath").split('/').map(encode).collect::<Vec<_>>().join("/"));
        let by_id = session.get(&format!("/v1/workflow/execution/{}/result/default", text("id")));
        let whole = sha256(&by_path.body) == text("resultContentHash") && by_path.body == by_id.body;
        let status = session.execution(&text("id"))["status"].as_str().expect("a status").to_owned();
        kept.lock().expect("whole").push((by_path.status, by_id.status, format!("{status} {whole}")));
        (200, Vec::new())
    });
    for number in 0..10 {
        create_told(&house, &format!("{number} é.jpg"), &picture(&number.to_string()), &address);
    }
    house.until("all ends are told", || seen.lock().expect("whole").len() >= 10);
    for told in seen.lock().expect("whole").iter() {
        assert_eq!(told, &(200, 200, "COMPLETED true".to_owned()));
    }
}

#[test]
fn behaviour_45_a_batch_groups_counts_and_sums() {
    let house = House::open();
    let create = |name: &str, labels: Value| {
        let hash = house.upload(&picture(name));
        let body = json!({ "image": { "name": name, "contentHash": hash }, "labels": labels }).to_string();
        house.post(&house.create_here(), Some(("application/json", body.as_bytes()))).created()
    };
    let first = "243b19ca-b3f7-473c-babf-c558adcc57af";
    let labels = json!({
        "autoretouch_batch_id": first,
        "autoretouch_batch_name": "SS26 drop 3",
        "autoretouch_batch_createdAt": "2026-03-02T09:13:58.000Z",
        "season": "SS26",
    });
    create("1.jpg", labels.clone());
    // The same order by labels in the query.
    let path = format!(
        "{}&label[autoretouch_batch_id]={first}&label[autoretouch_batch_name]=SS26%20drop%203",
        house.create_here()
    );
    house.post_file(&path, "2.jpg", &picture("2")).created();
    create("3.jpg", labels);
    let bare = create("bare.jpg", json!({ "autoretouch_batch_id": "any words" }));
    create("alone.jpg", json!({ "season": "SS26" }));

    let workflow = house.workflow("Export only");
    let order = json!({
        "id": first,
        "name": "SS26 drop 3",
        "author": house.credentials["user_id"],
        "createdAt": "2026-03-02T09:13:58.000Z",
        "executions": 3,
        "price": 30,
        "workflowId": workflow,
        "workflowName": "Export only",
    });
    // No name is an empty one; no date is that of its first execution.
    let second = json!({
        "id": "any words",
        "name": "",
        "author": house.credentials["user_id"],
        "createdAt": house.execution(&bare)["createdAt"],
        "executions": 1,
        "price": 10,
        "workflowId": workflow,
        "workflowName": "Export only",
    });
    let page = |query: &str| {
        let mut pages: Vec<Value> = SPELLINGS
            .iter()
            .map(|(prefix, slash)| {
                let path = format!("{prefix}/batch{slash}?organization={}&{query}", house.organization);
                let answer = house.send("GET", &path, &[], b"");
                assert_eq!(
                    (answer.status, answer.header("content-type")),
                    (200, Some("application/json")),
                    "{path}"
                );
                answer.json()
            })
            .collect();
        pages.dedup();
        assert_eq!(pages.len(), 1, "{query}");
        pages.remove(0)
    };
    let all = page("");
    assert_eq!((members(&all), &all["total"]), (vec!["entries", "total"], &json!(2)));
    let entries = all["entries"].as_array().expect("a list");
    assert!(entries.contains(&order) && entries.contains(&second), "{all}");
    // Newest first: the one without a date began last, and today.
    assert_eq!(entries[0], second);
    assert_eq!(page(&format!("batchId={first}")), json!({ "entries": [order], "total": 1 }));
    assert_eq!(page("batchId=any%20words"), json!({ "entries": [second], "total": 1 }));
    assert_eq!(page("batchId=unknown"), json!({ "entries": [], "total": 0 }));
    assert_eq!(page("limit=1&offset=1"), json!({ "entries": [order], "total": 2 }));
    let theirs = house.neighbour();
    assert_eq!(theirs.get("/v1/batch").json(), json!({ "entries": [], "total": 0 }));
    assert_eq!(theirs.get(&format!("/v1/batch?organization={}", house.organization)).status, 403);
}
