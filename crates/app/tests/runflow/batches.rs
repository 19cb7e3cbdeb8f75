//! 31 to 33: batches admitted whole, counted, told of once, repeated safely.

use serde_json::{Value, json};

use crate::house::{House, LOOPBACK, Receiver, id};

fn batch_path(house: &House) -> String {
    format!("/v1/models/{}/batches", house.plain_model())
}

fn elements(house: &House, many: u8) -> Vec<Value> {
    (0..many)
        .map(|nth| json!({ "image_url": house.inline(nth), "client_ref": format!("sku-{nth}") }))
        .collect()
}

#[test]
fn behaviour_31_a_batch_has_one_to_a_hundred_elements() {
    let house = House::open();
    let path = batch_path(&house);
    for many in [1, 100] {
        let batch = house.post(&path, &json!({ "input": elements(&house, many) })).expect(201);
        let items = batch["items"].as_array().expect("a list");
        assert_eq!((items.len(), &batch["items_total"]), (usize::from(many), &json!(many)));
        for (nth, item) in items.iter().enumerate() {
            assert_eq!(
                (&item["sequence_index"], &item["client_ref"]),
                (&json!(nth), &json!(format!("sku-{nth}")))
            );
            assert!(item["run_id"].is_string() && item["id"].is_string());
        }
    }
    house.post(&path, &json!({ "input": [] })).refuses(422, "VALIDATION_ERROR");
    house.post(&path, &json!({ "input": elements(&house, 101) })).refuses(422, "VALIDATION_ERROR");
    house.post(&path, &json!({ "input": "one" })).refuses(422, "VALIDATION_ERROR");
    house.post(&path, &json!({ "input": ["one"] })).refuses(422, "VALIDATION_ERROR");
    house.post(&path, &json!({})).refuses(422, "VALIDATION_ERROR");
    let older = json!({ "items": [{ "input": { "image_url": house.inline(1) }, "client_ref": "old" }] });
    assert_eq!(house.post(&path, &older).expect(201)["items"][0]["client_ref"], "old");
}

#[test]
fn behaviour_32_a_batch_adds_up_and_tells_of_its_end_once() {
    let house = House::with(&LOOPBACK);
    let receiver = Receiver::listen(|_, _| (200, Vec::new()));
    let mut input = elements(&house, 3);
    input.push(json!({ "image_url": 7, "client_ref": "bad" }));
    let body = json!({ "input": input, "callback_url": format!("{}/hook", receiver.url), "metadata": { "season": "spring" } });
    let batch = house.post(&batch_path(&house), &body).expect(201);
    assert_eq!((&batch["items_total"], &batch["items_failed"]), (&json!(4), &json!(1)));
    assert_eq!(batch["items"][3]["status_code"], "failed");
    let batch = house.batch_ended(&id(&batch));
    assert_eq!(batch["status_code"], "partial_succeeded");
    let count = |name: &str| batch[name].as_u64().expect("a number");
    assert_eq!((count("items_succeeded"), count("items_failed"), count("items_cancelled")), (3, 1, 0));
    assert_eq!(batch["output"]["total"], 4);
    let costs: f64 = batch["output"]["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| {
            let run = house.get(&format!("/v1/runs/{}", item["run_id"].as_str().expect("an id"))).expect(200);
            run["cost"].as_str().expect("a cost").parse::<f64>().expect("a number")
        })
        .sum();
    let cost: f64 = batch["cost"].as_str().expect("a cost").parse().expect("a number");
    assert!((costs - cost).abs() < 1e-9 && cost > 0.0, "{costs} {cost}");
    house.until("it is told", || (!receiver.came().is_empty()).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let came = receiver.came();
    assert_eq!(came.len(), 1, "one callback for the whole batch, none for its items");
    let told = came[0].json();
    assert_eq!((&told["event"], &told["batch_id"]), (&json!("batch.partial_succeeded"), &batch["id"]));
    assert_eq!(told["metadata"], json!({ "season": "spring" }));
    let names: Vec<_> = told.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["event", "batch_id", "status", "output", "duration_ms", "created_at", "completed_at", "metadata"]
    );
    // Item by item, with its error and its run.
    let base = format!("/v1/batches/{}", id(&batch));
    let items = house.get(&format!("{base}/items?embed=run")).expect(200);
    let bad = &items["items"][3];
    assert_eq!((&bad["client_ref"], &bad["error"]["stage"]), (&json!("bad"), &json!("dispatch")));
    assert_eq!(bad["error"]["code"], "VALIDATION_ERROR");
    assert!(bad["run"]["id"].is_string());
    let one = house.get(&format!("{base}/items/{}", bad["id"].as_str().expect("an id"))).expect(200);
    assert_eq!(one["run_id"], bad["run_id"]);
    let callbacks = house.get(&format!("{base}/callback")).expect(200);
    assert_eq!(callbacks.as_array().expect("a bare list").len(), 1);
    assert_eq!(callbacks[0]["batch_id"], batch["id"]);
}

#[test]
fn behaviour_33_a_key_makes_one_batch_however_often_it_comes() {
    let house = House::open();
    let path = batch_path(&house);
    let body = json!({ "input": elements(&house, 2) });
    let key = [("idempotency-key", "order-77")];
    let first = house.call_with("POST", &path, Some(&body), &key).expect(201);
    let again = house.call_with("POST", &path, Some(&body), &key);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(201), first);
    house
        .call_with("POST", &path, Some(&json!({ "input": elements(&house, 3) })), &key)
        .refuses(409, "CONFLICT");
    // Many at the same moment make one; the others get its answer, or are told to wait.
    let key = [("idempotency-key", "order-78")];
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..64)
            .map(|_| {
                let (house, path, body) = (&house, &path, &body);
                scope.spawn(move || house.call_with("POST", path, Some(body), &key))
            })
            .collect();
        asked.into_iter().map(|one| one.join().expect("it did")).collect()
    });
    let made: std::collections::BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| id(&answer.json())).collect();
    assert_eq!(made.len(), 1);
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
    let batches = house.get("/v1/batches?limit=100").expect(200);
    assert_eq!(batches["items"].as_array().expect("a list").len(), 2);
}

#[test]
fn a_batch_that_cannot_be_paid_is_not_made() {
    let house = House::with(&[("PACKSHOT_ACCOUNTS__CREDITS", "15")]);
    let path = batch_path(&house);
    house.post(&path, &json!({ "input": elements(&house, 100) })).refuses(402, "INSUFFICIENT_CREDIT");
    assert_eq!(house.get("/v1/batches").expect(200)["items"], json!([]));
    assert_eq!(house.get("/v1/runs").expect(200)["items"], json!([]));
    let before = house.get("/v1/billing/balance").expect(200)["balance"].clone();
    assert_eq!(before, "0.015");
}

#[test]
fn a_batch_has_every_field_of_its_schema() {
    let house = House::open();
    let batch = house.post(&batch_path(&house), &json!({ "input": elements(&house, 2) })).expect(201);
    let document = house.get("/v1/openapi.json").expect(200);
    let schema = &document["components"]["schemas"];
    let wanted: Vec<_> =
        schema["Batch"]["properties"].as_object().expect("properties").keys().cloned().collect();
    let seen = house.batch_ended(&id(&batch));
    for (name, batch) in [("created", &batch), ("ended", &seen)] {
        let mut names: Vec<_> = batch.as_object().expect("an object").keys().cloned().collect();
        let mut all = wanted.clone();
        names.sort();
        all.sort();
        assert_eq!(names, all, "{name}");
    }
    let item: Vec<_> = seen["items"][0].as_object().expect("an object").keys().cloned().collect();
    let mut handle: Vec<_> =
        schema["BatchItemHandle"]["properties"].as_object().expect("properties").keys().cloned().collect();
    let mut item = item;
    item.sort();
    handle.sort();
    assert_eq!(item, handle);
    house.get("/v1/batches/not-a-uuid").refuses(422, "VALIDATION_ERROR");
    house.get("/v1/batches/0196a1c0-0000-7000-8000-000000000001").refuses(404, "BATCH_NOT_FOUND");
}

#[test]
fn a_batch_is_cancelled_whole() {
    let house = House::with(&[("PACKSHOT_WORKERS", "1")]);
    let batch = house.post(&batch_path(&house), &json!({ "input": elements(&house, 60) })).expect(201);
    let path = format!("/v1/batches/{}/cancellation", id(&batch));
    let cancelled = house.post(&path, &json!({ "reason": "the wrong shoot" })).expect(201);
    assert!(!cancelled["completed_at"].is_null(), "{cancelled}");
    let count = |name: &str| cancelled[name].as_u64().expect("a number");
    assert_eq!(count("items_succeeded") + count("items_failed") + count("items_cancelled"), 60);
    assert!(count("items_cancelled") > 0);
    house.post(&path, &json!({})).expect(200);
}

#[test]
fn an_order_of_the_other_face_is_a_batch_here() {
    let house = House::open();
    let organization = house.credentials["organization_id"].as_str().expect("an id").to_owned();
    // One picture, ordered through the native interface.
    let (kind, form) = crate::house::multipart("a.png", &crate::house::picture(3));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    let path = format!("/upload?organization={organization}");
    let upload = crate::house::send(house.base(), "POST", &path, &headers, &form);
    assert_eq!(upload.status, 201, "{}", upload.text());
    let hash = upload.text().trim_matches('"').to_owned();
    let workflows = house.get("/packshot/v1/workflows").expect(200);
    let plain =
        workflows["items"].as_array().expect("a list").iter().find(|one| one["name"] == "Export only");
    let order = json!({
        "workflow_id": plain.expect("it is there")["id"],
        "name": "Spring",
        "images": [{ "name": "a.png", "content_hash": hash }],
    });
    let order = house.post("/packshot/v1/orders", &order);
    assert!([200, 201].contains(&order.status), "{}", order.text());
    let batches = house.get("/v1/batches").expect(200);
    let batch = house.batch_ended(&id(&batches["items"][0]));
    assert_eq!((&batch["items_total"], &batch["status_code"]), (&json!(1), &json!("succeeded")));
    // And the other way round.
    let made = house.post(&batch_path(&house), &json!({ "input": elements(&house, 1) })).expect(201);
    house.batch_ended(&id(&made));
    let orders = house.get("/packshot/v1/orders").expect(200);
    assert!(
        orders["items"].as_array().expect("a list").iter().any(|order| order["id"] == made["id"]),
        "{orders}"
    );
}

#[test]
fn what_is_kept_of_a_request_is_bounded_and_holds_no_pictures() {
    let house = House::open();
    let path = batch_path(&house);
    let many = json!({ "input": elements(&house, 2), "metadata": { "pad": "x".repeat(65 * 1024) } });
    let error = house.post(&path, &many).refuses(422, "VALIDATION_ERROR");
    assert_eq!(error["errors"][0]["loc"], json!(["body", "metadata"]));
    // An inline picture that is none, and a key that the model does not know.
    let bad = json!({ "image_url": "data:image/png;base64,bm8gcGl4ZWxz", "junk": "runflow://assets/x" });
    let batch = house.post(&path, &json!({ "input": [bad] })).expect(201);
    assert_eq!(batch["status_code"], "failed");
    let run =
        house.get(&format!("/v1/runs/{}", batch["items"][0]["run_id"].as_str().expect("an id"))).expect(200);
    let items = house.get(&format!("/v1/batches/{}/items", id(&batch))).expect(200);
    for seen in [&batch, &run, &items] {
        let text = seen.to_string();
        assert!(!text.contains("bm8gcGl4ZWxz") && !text.contains("junk"), "{text}");
    }
}

#[test]
fn kept_answers_stay_as_they_were_and_what_may_change_is_not_kept() {
    let house = House::with(&[("PACKSHOT_ACCOUNTS__CREDITS", "15")]);
    let path = batch_path(&house);
    let key = [("idempotency-key", "wrong-1")];
    let first =
        house.call_with("POST", &path, Some(&json!({ "input": [] })), &key).refuses(422, "VALIDATION_ERROR");
    let again = house.call_with("POST", &path, Some(&json!({ "input": [] })), &key);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.refuses(422, "VALIDATION_ERROR"), first);
    // More credit makes it good under the same key.
    let body = json!({ "input": elements(&house, 3) });
    let key = [("idempotency-key", "poor-1")];
    house.call_with("POST", &path, Some(&body), &key).refuses(402, "INSUFFICIENT_CREDIT");
    let top_up = json!({ "amount": 1000, "note": "more" });
    let topped = house.post("/packshot/v1/credits/grants", &top_up);
    assert!((200..300).contains(&topped.status), "{}", topped.text());
    house.call_with("POST", &path, Some(&body), &key).expect(201);
}

#[test]
fn what_stands_for_a_model_is_nobodys_to_archive() {
    let house = House::open();
    let path = "/v1/models/runflow/outpaint/runs";
    let body = json!({ "input": {
        "image_url": house.inline(1), "expand_top": 10, "expand_bottom": 0, "expand_left": 0, "expand_right": 0,
    } });
    let run = house.post(path, &body).expect(201);
    let native = house.get(&format!("/packshot/v1/runs/{}", id(&run))).expect(200);
    let workflow = native["workflow_id"].as_str().expect("a workflow").to_owned();
    let listed = house.get("/packshot/v1/workflows").expect(200);
    assert!(!listed.to_string().contains(&workflow), "it is in no list");
    assert_eq!(house.call("DELETE", &format!("/packshot/v1/workflows/{workflow}"), None).status, 404);
    house.post(path, &body).expect(201);
}

#[test]
fn a_page_of_batches_has_their_outputs_for_those_who_ask() {
    let house = House::open();
    let body = json!({ "input": [{ "image_url": house.inline(1) }, { "image_url": "no address" }] });
    let batch = id(&house.post(&format!("/v1/models/{}/batches", house.plain_model()), &body).expect(201));
    let whole = house.batch_ended(&batch);
    let page = house.get("/v1/batches?fields=id,output").expect(200);
    assert_eq!(page["items"][0]["id"], batch);
    let counts =
        |output: &Value| [&output["succeeded"], &output["failed"], &output["total"]].map(Value::clone);
    assert_eq!(counts(&page["items"][0]["output"]), [json!(1), json!(1), json!(2)]);
    assert_eq!(counts(&whole["output"]), counts(&page["items"][0]["output"]));
    assert!(house.get("/v1/batches").expect(200)["items"][0]["output"].is_null());
    // A cursor is its list's: another one's is refused, though the order is the same.
    for _ in 0..2 {
        house.run(2, &json!({}));
    }
    let runs = house.get("/v1/runs?limit=1").expect(200);
    let next = runs["next_pq"].as_str().expect("more");
    house.get(&format!("/v1/runs?limit=1&pq={next}")).expect(200);
    house.get(&format!("/v1/batches?limit=1&pq={next}")).refuses(400, "BAD_REQUEST");
}
