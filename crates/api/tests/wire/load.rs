//! Many at once, for long, and too much.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::id::RunId;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{End, House, UPLOAD_MAX};
use crate::http::{exchange, parse, send};

async fn with_shoe() -> House {
    let house = House::new().await;
    let shoe = house.names["shoe.png"].clone();
    assert_eq!(house.upload(&shoe).await.status, 201);
    house
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_create_and_look_at_once() {
    let house = Arc::new(with_shoe().await);
    house.top_up(10_000).await;
    let before: i64 = house.ask("/v1/organization/balance").await.text().parse().expect("a number");
    let clients = (0..200).map(|_| {
        let house = house.clone();
        tokio::spawn(async move {
            let run = house.create().await;
            let seen = house.ask(&format!("/v1/workflow/execution/{run}")).await;
            assert_eq!(seen.status, 200);
            let status = seen.json()["status"].clone();
            assert!(status == json!("CREATED") || status == json!("ACTIVE"), "{status}");
            run
        })
    });
    let mut runs = HashSet::new();
    for client in clients {
        runs.insert(client.await.expect("no panic"));
    }
    assert_eq!(runs.len(), 200);
    let page = house.ask("/v1/workflow/execution?limit=500").await.json();
    assert_eq!(page["total"], json!(200));
    let listed: HashSet<RunId> = page["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["id"].as_str().expect("an id").parse().expect("a UUID"))
        .collect();
    assert_eq!(listed, runs, "each is listed, once");
    let after: i64 = house.ask("/v1/organization/balance").await.text().parse().expect("a number");
    assert_eq!(before - after, 2000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_wait_for_status_and_result_and_all_are_told() {
    let house = Arc::new(with_shoe().await);
    let runs: Vec<RunId> = futures::future::join_all((0..10).map(|_| house.create())).await;
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let (house, run) = (house.clone(), runs[n % runs.len()]);
            tokio::spawn(async move {
                let what = if n % 2 == 0 { "status" } else { "result/default" };
                (n, house.ask(&format!("/v1/workflow/execution/{run}/{what}")).await)
            })
        })
        .collect();
    // Whoever is not waiting yet will find it done: both ways must come to the same.
    tokio::task::yield_now().await;
    for run in &runs {
        house.work(*run, End::Success).await;
    }
    for waiter in waiting {
        let (n, answer) = waiter.await.expect("no panic");
        assert_eq!(answer.status, 200);
        assert!(answer.whole);
        if n % 2 == 0 {
            assert_eq!(answer.text(), "id:COMPLETED\nevent:COMPLETED\ndata:COMPLETED\n\n");
        } else {
            assert!(answer.body.starts_with(b"\x89PNG"));
        }
    }
}

/// Opens an event stream and reads until `enough` says so.
async fn open_stream(house: &House, run: RunId, accept: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.at).await.expect("connected");
    let request = format!(
        "GET /v1/workflow/execution/{run}/status HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {}\r\naccept: {accept}\r\n\r\n",
        house.get("token")
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

async fn read_until(stream: &mut TcpStream, enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !enough(&bytes) {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).await.expect("read");
        assert!(read > 0, "ended too early: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&some[..read]);
    }
    bytes
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_go_only_to_those_who_can_read_them() {
    let house = with_shoe().await;
    let run = house.create().await;
    let mut reader = open_stream(&house, run, "text/event-stream").await;
    let mut plain = open_stream(&house, run, "*/*").await;
    let head = read_until(&mut plain, |bytes| contains(bytes, "\r\n\r\n")).await;
    assert!(contains(&head, "200 OK"), "the status is out before the event is");
    let mut read = read_until(&mut reader, |bytes| contains(bytes, ":\n\n")).await;
    house.work(run, End::Success).await;
    reader.read_to_end(&mut read).await.expect("to its end");
    assert!(parse(&read, false).text().ends_with(":\n\nid:COMPLETED\nevent:COMPLETED\ndata:COMPLETED\n\n"));
    let mut read = head;
    plain.read_to_end(&mut read).await.expect("to its end");
    assert_eq!(parse(&read, false).text(), "id:COMPLETED\nevent:COMPLETED\ndata:COMPLETED\n\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_breaks_off_those_who_wait() {
    let house = with_shoe().await;
    let run = house.create().await;
    let mut stream = open_stream(&house, run, "*/*").await;
    let mut read = read_until(&mut stream, |bytes| contains(bytes, "\r\n\r\n")).await;
    house.service.stop_waiting();
    stream.read_to_end(&mut read).await.expect("closed");
    let answer = parse(&read, false);
    assert!(!answer.whole && answer.body.is_empty(), "no status is better than a wrong one");
    let result = house.ask(&format!("/v1/workflow/execution/{run}/result/default")).await;
    assert_eq!((result.status, result.header("retry-after")), (503, Some("2")));
    assert_eq!(result.json()["error"], json!("Service Unavailable"));
}

#[tokio::test]
async fn a_result_is_not_waited_for_for_ever() {
    let house = House::with(|settings| settings.max_wait = Duration::from_millis(30)).await;
    let shoe = house.names["shoe.png"].clone();
    house.upload(&shoe).await;
    let run = house.create().await;
    let answer = house.ask(&format!("/v1/workflow/execution/{run}/result/default")).await;
    assert_eq!((answer.status, answer.header("x-error-code")), (504, Some("timed_out")));
    assert!(
        answer.json()["message"]
            .as_str()
            .is_some_and(|message| message.contains("the execution is not finished"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_over_the_limit_is_refused_and_the_refusal_is_readable() {
    let house = House::new().await;
    let big = vec![7; UPLOAD_MAX as usize + 1];
    let answer = house.upload(&big).await;
    assert_eq!((answer.status, answer.header("x-error-code")), (413, Some("too_large")));
    assert_eq!(answer.json()["path"], json!("/upload"));
    // Much larger than any buffer on the way: the client is still sending when it is refused.
    let answer = house.upload(&vec![7; 20_000_000]).await;
    assert_eq!((answer.status, answer.json()["error"].clone()), (413, json!("Payload Too Large")));
    let nobody = send(
        house.at,
        "POST",
        "/upload",
        &[("content-type", "multipart/form-data; boundary=q7")],
        &vec![7; 5_000_000],
    )
    .await;
    assert_eq!(nobody.status, 401);
    let exact = crate::house::png(10, 10, &vec![1; UPLOAD_MAX as usize - 24]);
    assert_eq!(house.upload(&exact).await.status, 201);

    let long = json!({ "image": { "name": "x".repeat(2_000_000) } }).to_string();
    let path = format!("/v1/workflow/execution/create?workflow={}", house.get("export_only"));
    let token = format!("Bearer {}", house.get("token"));
    let answer = send(house.at, "POST", &path, &[("authorization", &token)], long.as_bytes()).await;
    assert_eq!((answer.status, answer.header("x-error-code")), (413, Some("too_large")));
}

#[tokio::test]
async fn who_asks_before_sending_is_told_before_sending() {
    let house = House::new().await;
    let request = format!(
        "POST /upload HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=q7\r\ncontent-length: 900000000\r\nexpect: 100-continue\r\n\r\n",
        house.get("token")
    );
    let answer = exchange(house.at, request.as_bytes()).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn what_breaks_here_is_our_fault_and_says_no_more() {
    let house = with_shoe().await;
    let answer = house.upload(b"PANIC").await;
    assert_eq!((answer.status, answer.header("x-error-code")), (500, Some("internal")));
    assert_eq!(answer.json()["error"], json!("Internal Server Error"));
    assert!(!answer.text().contains("panic"), "{}", answer.text());

    house.ids.broken.store(true, Ordering::SeqCst);
    let token = format!("Bearer {}", house.get("token"));
    let path = format!("/v1/workflow/execution/create?workflow={}", house.get("export_only"));
    let body = json!({ "image": { "name": "a.png", "contentHash": house.get("shoe") } }).to_string();
    let headers = [("authorization", token.as_str()), ("x-request-id", "the-one-that-broke")];
    let answer = send(house.at, "POST", &path, &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.header("x-request-id"), Some("the-one-that-broke"));
    assert_eq!(answer.json()["path"], json!("/v1/workflow/execution/create"));
    assert_eq!(house.ask("/health").await.status, 200, "and nothing else broke");
}
