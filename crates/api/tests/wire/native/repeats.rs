//! The same request again, at once, later, after a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::{ApiSettings, Serving};
use domain::time::Millis;
use serde_json::{Value, json};
use service::ServiceSettings;
use tokio::net::TcpListener;

use super::{get, send_to};
use crate::house::{House, Ready};
use crate::http::{Answer, send};

async fn grant(house: &House, key: &str, amount: u32) -> Answer {
    let body = json!({ "amount": amount, "note": "prepaid" });
    send_to(house, house.at, "POST", "/credits/grants", &[("idempotency-key", key)], &body).await
}

async fn balance(house: &House) -> i64 {
    get(house, "/credits").await.json()["balance"].as_i64().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_at_once_have_one_effect_and_one_answer() {
    let house = Arc::new(House::new().await);
    let before = balance(&house).await;
    let senders: Vec<_> = (0..64)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move {
                loop {
                    let answer = grant(&house, "order-4711", 500).await;
                    if answer.status == 409 {
                        assert_eq!(answer.json()["code"], json!("request_in_flight"));
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        tokio::task::yield_now().await;
                        continue;
                    }
                    return answer;
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    for sender in senders {
        answers.push(sender.await.expect("no panic"));
    }
    let first = &answers[0];
    assert_eq!(first.status, 201);
    assert_eq!(first.json()["balance"], json!(before + 500));
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (201, &first.body));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true"));
    assert_eq!(replayed.count(), 63);
    assert_eq!(balance(&house).await, before + 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_outlives_a_restart_and_is_forgotten_after_a_day() {
    let house = House::new().await;
    let first = grant(&house, "k", 70).await;
    // Another program over the same database.
    let service = House::service_over(&house.store, &house.blobs, &house.ids, ServiceSettings::default());
    let router = api::router(service, ApiSettings::default(), Arc::new(Ready));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let serving = tokio::spawn(api::serve(listener, router, Serving::default(), std::future::pending()));
    let body = json!({ "amount": 70, "note": "prepaid" });
    let again = send_to(&house, at, "POST", "/credits/grants", &[("idempotency-key", "k")], &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    serving.abort();

    house.clock.advance(Millis::seconds(24 * 3600 - 1));
    let token =
        house.service.refresh(crate::house::CLIENT, &house.get("refresh_token")).await.expect("a token");
    let house = {
        let mut house = house;
        house.name("token", token.access_token);
        house
    };
    assert_eq!(grant(&house, "k", 70).await.header("idempotency-replayed"), Some("true"));
    house.clock.advance(Millis::seconds(2));
    let later = grant(&house, "k", 70).await;
    assert_eq!((later.status, later.header("idempotency-replayed")), (201, None));
    assert_eq!(balance(&house).await, 1140);
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_user() {
    let house = House::new().await;
    assert_eq!(grant(&house, "k", 5).await.status, 201);
    let refused = |answer: Answer| (answer.status, answer.json()["code"].clone());
    let reused = (422, json!("idempotency_key_reused"));
    assert_eq!(refused(grant(&house, "k", 6).await), reused, "another body");
    let headers = [("idempotency-key", "k")];
    let body = json!({ "amount": 5, "note": "prepaid" });
    let other = send_to(&house, house.at, "POST", "/workflows", &headers, &body).await;
    assert_eq!(refused(other), reused, "another path");
    // Somebody else's key of the same name is another key.
    let token = format!("Bearer {}", house.get("their_token"));
    let headers =
        [("authorization", token.as_str()), ("content-type", "application/json"), ("idempotency-key", "k")];
    let theirs =
        send(house.at, "POST", "/packshot/v1/credits/grants", &headers, body.to_string().as_bytes()).await;
    assert_eq!((theirs.status, theirs.header("idempotency-replayed")), (201, None));
    assert_eq!(balance(&house).await, 1005);
}

#[tokio::test]
async fn refusals_are_kept_and_faults_of_ours_are_not() {
    let house = House::new().await;
    let first = grant(&house, "bad", 0).await;
    let again = grant(&house, "bad", 0).await;
    assert_eq!((first.status, first.header("content-type")), (400, Some("application/problem+json")));
    assert_eq!((again.status, &again.body), (400, &first.body));
    assert_eq!(again.header("x-error-code"), Some("request_invalid"));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    for key in ["", &"k".repeat(256)] {
        assert_eq!(grant(&house, key, 1).await.status, 400, "{key}");
    }
    // The first id that is asked for is the request's, the second the seed.
    let headers = [("idempotency-key", "ours"), ("x-request-id", "mine")];
    let body = json!({ "amount": 1 });
    house.ids.broken.store(true, Ordering::SeqCst);
    let broken = send_to(&house, house.at, "POST", "/credits/grants", &headers, &body).await;
    assert_eq!((broken.status, broken.json()["code"].clone()), (500, json!("internal")));
    assert_eq!(broken.header("x-request-id"), Some("mine"));
    let mended = send_to(&house, house.at, "POST", "/credits/grants", &headers, &body).await;
    assert_eq!((mended.status, mended.header("idempotency-replayed")), (201, None));
}

#[tokio::test]
async fn a_workflow_is_made_once() {
    let house = House::new().await;
    let body: Value = json!({ "name": "Once", "steps": [{ "type": "input" }, { "type": "export" }] });
    let headers = [("idempotency-key", "w")];
    let first = send_to(&house, house.at, "POST", "/workflows", &headers, &body).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = send_to(&house, house.at, "POST", "/workflows", &headers, &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    for header in ["etag", "location"] {
        assert!(first.header(header).is_some());
        assert_eq!(again.header(header), first.header(header));
    }
    let without = send_to(&house, house.at, "POST", "/workflows", &[], &body).await;
    assert_eq!((without.status, without.json()["code"].clone()), (409, json!("conflict")));
}
