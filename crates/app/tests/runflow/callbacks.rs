//! 27 to 30, 34: callbacks signed, repeated as they were, redelivered; subscriptions and secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::house::{House, LOOPBACK, Receiver, id};

/// Lets deliveries be repeated soon.
fn house() -> House {
    House::with(&[&LOOPBACK[..], &[("PACKSHOT_WEBHOOKS__PAUSES_MS", "[200, 200, 200]")]].concat())
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn secret(house: &House) -> (String, String) {
    let made = house.post("/v1/callback-secrets", &json!({ "label": "first" })).expect(201);
    (id(&made), made["plain_secret"].as_str().expect("a secret").to_owned())
}

#[test]
fn behaviour_27_a_callback_is_signed_over_its_bytes() {
    let house = house();
    let receiver = Receiver::listen(|_, _| (200, Vec::new()));
    let hook = json!({ "callback_url": format!("{}/hook", receiver.url) });
    house.run(1, &hook);
    house.until("it is told", || (!receiver.came().is_empty()).then_some(()));
    let bare = receiver.came().remove(0);
    assert_eq!(bare.header("runflow-signature"), None, "no secret, no signature");
    assert!(bare.header("runflow-request-id").is_some());
    let (_, secret) = secret(&house);
    assert!(secret.starts_with("whsec_"));
    let run = house.run(2, &hook);
    house.until("it is told", || (receiver.came().len() == 2).then_some(()));
    let came = receiver.came().remove(1);
    let signed = came.header("runflow-signature").expect("a signature");
    assert_eq!(signed, signature(&secret, &came.body));
    assert_eq!(signed.len(), 64);
    assert_eq!(came.header("content-type"), Some("application/json"));
    // The standard's headers stand beside the vendor's.
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert!(came.header(name).is_some(), "{name}");
    }
    let told = came.json();
    assert_eq!((&told["event"], &told["run_id"]), (&json!("run.completed"), &run["id"]));
    let names: Vec<_> = told.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["event", "run_id", "status", "output", "duration_ms", "created_at", "completed_at", "metadata"]
    );
    let text = String::from_utf8(came.body.clone()).expect("text");
    assert_eq!(text, told.to_string(), "compact, in order, with nothing behind it");
    // The secret's material never appears again.
    let secrets = house.get("/v1/callback-secrets").expect(200);
    assert!(!secrets.to_string().contains(&secret));
    assert!(
        !std::fs::read(house.server.data().join("packshot.db"))
            .expect("a file")
            .windows(secret.len())
            .any(|it| it == secret.as_bytes())
    );
}

#[test]
fn behaviour_28_a_receiver_that_fails_gets_the_same_bytes_again() {
    let house = house();
    let (_, secret) = secret(&house);
    let receiver = Receiver::listen(|nth, _| (if nth < 2 { 500 } else { 200 }, b"said".to_vec()));
    let run = house.run(28, &json!({ "callback_url": format!("{}/hook", receiver.url) }));
    house.until("it is told three times", || (receiver.came().len() == 3).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(700));
    let came = receiver.came();
    assert_eq!(came.len(), 3, "after 200 never again");
    for one in &came {
        assert_eq!(one.body, came[0].body);
        assert_eq!(one.header("runflow-signature"), Some(signature(&secret, &came[0].body).as_str()));
    }
    let kept = house.get(&format!("/v1/runs/{}/callback", id(&run))).expect(200);
    let delivery = &kept[0];
    assert_eq!((&delivery["status_code"], &delivery["attempt_count"]), (&json!("succeeded"), &json!(3)));
    assert_eq!(delivery["payload_bytes"].as_str().map(str::as_bytes), Some(&came[0].body[..]));
    let attempts = delivery["attempts"].as_array().expect("a list");
    assert_eq!(
        attempts.iter().map(|one| one["status_code"].clone()).collect::<Vec<_>>(),
        [json!(500), json!(500), json!(200)]
    );
    assert_eq!(attempts[0]["response_body"], "said");
}

#[test]
fn behaviour_29_times_in_a_callback_have_an_offset() {
    let house = house();
    let receiver = Receiver::listen(|_, _| (200, Vec::new()));
    house.run(29, &json!({ "callback_url": format!("{}/hook", receiver.url) }));
    house.until("it is told", || (!receiver.came().is_empty()).then_some(()));
    let told = receiver.came()[0].json();
    for name in ["created_at", "completed_at"] {
        let time = told[name].as_str().expect("a time");
        assert!(time.ends_with("+00:00") && !time.contains('Z'), "{time}");
    }
}

#[test]
fn behaviour_30_metadata_is_told_as_it_was_sent() {
    let house = house();
    let receiver = Receiver::listen(|_, _| (200, Vec::new()));
    let metadata = json!({ "sku": "MUG-17", "é": { "deep": [1, null] } });
    let hook = format!("{}/hook", receiver.url);
    house.run(1, &json!({ "callback_url": hook, "metadata": metadata }));
    house.until("it is told", || (receiver.came().len() == 1).then_some(()));
    house.run(2, &json!({ "callback_url": hook }));
    house.until("it is told", || (receiver.came().len() == 2).then_some(()));
    let told: Vec<_> = receiver.came().iter().map(|came| came.json()["metadata"].clone()).collect();
    assert_eq!(told, [metadata, Value::Null]);
}

#[test]
fn behaviour_34_the_callbacks_of_a_run_are_a_bare_list() {
    let house = house();
    let run = id(&house.run(1, &json!({})));
    assert_eq!(house.get(&format!("/v1/runs/{run}/callback")).expect(200), json!([]));
    let path = format!("/v1/runs/{run}/callback-redeliveries");
    house.ended(&run);
    house.post(&path, &json!({})).refuses(422, "VALIDATION_ERROR");
    let status = Arc::new(AtomicU16::new(500));
    let answer = Arc::clone(&status);
    let receiver = Receiver::listen(move |_, _| (answer.load(Ordering::Relaxed), Vec::new()));
    let run = id(&house.run(2, &json!({ "callback_url": format!("{}/hook", receiver.url) })));
    house.until("one is on its way", || {
        let kept = house.get(&format!("/v1/runs/{run}/callback")).expect(200);
        kept.as_array().is_some_and(|kept| kept.len() == 1).then_some(())
    });
    let path = format!("/v1/runs/{run}/callback-redeliveries");
    let refused = house.post(&path, &json!({}));
    if refused.status == 422 {
        assert_eq!(refused.json()["errors"][0]["error_type"], "conflict");
    }
    house.until("it is given up", || {
        let kept = house.get(&format!("/v1/runs/{run}/callback")).expect(200);
        (kept[0]["status_code"] == "failed").then_some(())
    });
    status.store(200, Ordering::Relaxed);
    let again = house.post(&path, &json!({})).expect(201);
    assert_eq!(again["is_automatic"], false);
    house.until("it is taken", || {
        let kept = house.get(&format!("/v1/runs/{run}/callback")).expect(200);
        (kept[1]["status_code"] == "succeeded").then_some(())
    });
}

#[test]
fn subscriptions_are_told_of_what_they_ask_for() {
    let house = house();
    let receiver = Receiver::listen(|_, _| (200, Vec::new()));
    let body = json!({ "url": format!("{}/all", receiver.url), "event_subscriptions": ["run.completed", { "event_type_code": "batch.succeeded" }] });
    let made = house.post("/v1/webhooks", &body).expect(201);
    let secret = made["plain_secret"].as_str().expect("shown once").to_owned();
    let path = format!("/v1/webhooks/{}", id(&made));
    assert!(house.get(&path).expect(200).get("plain_secret").is_none_or(Value::is_null));
    let run = house.run(1, &json!({}));
    house.until("it is told", || (!receiver.came().is_empty()).then_some(()));
    let came = receiver.came().remove(0);
    assert_eq!(came.header("runflow-signature"), Some(signature(&secret, &came.body).as_str()));
    assert_eq!(came.json()["run_id"], run["id"]);
    let deliveries = house.get(&format!("{path}/deliveries")).expect(200);
    let delivery = id(&deliveries["items"][0]);
    house.until("its attempt is kept", || {
        let attempts = house.get(&format!("{path}/deliveries/{delivery}/attempts")).expect(200);
        (attempts["items"][0]["succeeded"] == true).then_some(())
    });
    house.get(&format!("/v1/webhooks/any/deliveries/{delivery}")).expect(200);
    // A change under an old time is refused.
    let stale = json!({ "url": body["url"], "updated_at": "2020-01-01T00:00:00Z" });
    house.call("PATCH", &path, Some(&stale)).refuses(409, "CONFLICT");
    let off = json!({ "disabled_at": "2026-01-01T00:00:00Z" });
    house.call("PATCH", &path, Some(&off)).expect(200);
    let run = house.run(2, &json!({}));
    house.ended(&id(&run));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(receiver.came().len(), 1, "a disabled one is told nothing");
    assert_eq!(house.call("DELETE", &path, None).status, 204);
    house.get(&path).refuses(404, "WEBHOOK_NOT_FOUND");
    let types = house.get("/v1/webhooks/event-types").expect(200);
    assert!(types["items"].as_array().expect("a list").iter().any(|one| one["code"] == "run.completed"));
}

#[test]
fn secrets_are_rotated() {
    let house = house();
    let (first, _) = secret(&house);
    let second = house.post("/v1/callback-secrets", &json!({ "label": null })).expect(201);
    assert_eq!(
        (
            &second["is_current"],
            house.get(&format!("/v1/callback-secrets/{first}")).expect(200)["is_current"].clone()
        ),
        (&json!(false), json!(true))
    );
    let path = format!("/v1/callback-secrets/{}", id(&second));
    assert_eq!(
        house.call("PATCH", &path, Some(&json!({ "is_current": true }))).expect(200)["is_current"],
        true
    );
    let receiver = Receiver::listen(|_, _| (200, Vec::new()));
    house.run(1, &json!({ "callback_url": format!("{}/hook", receiver.url) }));
    house.until("it is told", || (!receiver.came().is_empty()).then_some(()));
    let came = receiver.came().remove(0);
    let plain = second["plain_secret"].as_str().expect("a secret");
    assert_eq!(came.header("runflow-signature"), Some(signature(plain, &came.body).as_str()));
    assert_eq!(house.call("DELETE", &path, None).status, 204);
    assert_eq!(house.get(&format!("/v1/callback-secrets/{first}")).expect(200)["is_current"], true);
}
