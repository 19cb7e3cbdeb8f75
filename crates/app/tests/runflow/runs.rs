//! 1 to 9, 20 to 26, 39, 41 to 43: runs asked for, polled, listed, chained.

use serde_json::{Value, json};

use crate::house::{House, LOOPBACK, Receiver, broken, ending, id, multipart, picture, send};

const STATUSES: [&str; 7] =
    ["queued", "dispatching", "running", "succeeded", "partial_succeeded", "failed", "canceled"];

fn is_id(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
        && text == text.to_lowercase()
}

#[test]
fn behaviour_01_a_model_id_has_segments_of_any_number() {
    let house = House::open();
    // `bria/background/remove` has three.
    let body = json!({ "input": { "image_url": house.inline(1) } });
    for path in ["/v1/models/bria/background/remove/runs", "/v1/models/bria/back%67round/remove/runs"] {
        let run = house.post(path, &body).expect(201);
        assert_eq!(run["target_type"], "model");
    }
    // A slash that is encoded separates nothing.
    house.post("/v1/models/bria/background%2Fremove/runs", &body).expect(201);
    house.post("/v1/models/bria%2Fbackground/remove/runs", &body).refuses(404, "MODEL_NOT_FOUND");
    let model = house.get("/v1/models/bria/background/remove").expect(200);
    assert_eq!(model["slug"], "background/remove");
    house.get("/v1/models/bria/background/remove/more").refuses(404, "MODEL_NOT_FOUND");
}

#[test]
fn behaviour_02_a_dispatch_is_answered_at_once_with_an_id() {
    let house = House::open();
    let run = house.run(2, &json!({}));
    assert!(is_id(&id(&run)), "{run}");
    assert_eq!(run["status_code"], "queued");
}

#[test]
fn behaviour_03_a_run_is_there_from_the_first_moment() {
    let house = House::open();
    for seed in 0..8 {
        let run = house.run(seed, &json!({}));
        let seen = house.get(&format!("/v1/runs/{}", id(&run))).expect(200);
        assert_eq!(seen["id"], run["id"]);
        assert!(STATUSES.contains(&seen["status_code"].as_str().expect("a status")));
    }
}

#[test]
fn behaviour_04_a_cancelled_run_is_spelt_with_one_l() {
    let house = House::with(&[("PACKSHOT_WORKERS", "1")]);
    let runs: Vec<_> = (0..6).map(|seed| house.run(seed, &json!({}))).collect();
    let last = id(runs.last().expect("six"));
    let cancelled =
        house.post(&format!("/v1/runs/{last}/cancellation"), &json!({ "reason": "a wrong picture" }));
    if cancelled.status == 201 {
        assert_eq!(cancelled.json()["status_code"], "canceled");
        assert_eq!(cancelled.json()["cost"], "0");
    }
    let seen = house.ended(&last);
    assert!(["canceled", "succeeded"].contains(&seen["status_code"].as_str().expect("a status")));
    // Once it has ended nothing changes.
    let again = house.post(&format!("/v1/admin/runs/{last}/cancellation"), &json!({})).expect(200);
    assert_eq!(again["status_code"], seen["status_code"]);
    for spelling in ["canceled", "cancelled"] {
        house.get(&format!("/v1/runs?q=status_code:{spelling}")).expect(200);
    }
}

#[test]
fn behaviour_05_a_run_with_one_output_succeeds_whole_or_fails() {
    let house = House::open();
    let run = house.run(5, &json!({}));
    assert_eq!(house.ended(&id(&run))["status_code"], "succeeded");
    let statuses = house.get("/v1/runs/statuses").expect(200);
    let codes: Vec<_> =
        statuses["items"].as_array().expect("a list").iter().map(|one| &one["code"]).collect();
    assert!(STATUSES.iter().all(|status| codes.contains(&&json!(status))), "{statuses}");
}

#[test]
fn behaviour_06_a_live_run_is_never_refused() {
    let house = House::open();
    let run = id(&house.run(6, &json!({})));
    for _ in 0..200 {
        assert_eq!(house.get(&format!("/v1/runs/{run}")).status, 200);
    }
}

#[test]
fn behaviour_07_both_families_of_outputs_name_the_same_file() {
    let house = House::open();
    let run = house.ended(&id(&house.run(7, &json!({}))));
    let url = run["output"]["outputs"][0]["url"].as_str().expect("an address");
    assert_eq!(run["output"]["image_urls"][0], url);
    assert_eq!(run["output"]["outputs"][0]["type"], "image");
    assert!(url.starts_with("http"), "{url}");
    let names: Vec<_> = run["output"].as_object().expect("an object").keys().collect();
    assert_eq!(names, ["outputs", "image_urls", "seed", "timing", "nsfw_detected"]);
}

#[test]
fn behaviour_08_an_output_is_fetched_without_a_key() {
    let house = House::open();
    let run = house.ended(&id(&house.run(8, &json!({}))));
    let url = run["output"]["image_urls"][0].as_str().expect("an address");
    assert!(["png", "jpg", "jpeg", "webp", "gif"].contains(&ending(url)), "{url}");
    let file = house.follow(url);
    assert_eq!(file.status, 200);
    assert!(file.header("content-type").is_some_and(|kind| kind.starts_with("image/")));
    assert!(file.body.len() > 50);
    // An altered address opens nothing.
    let altered = url.replace("sig=", "sig=A");
    house.follow(&altered).refuses(403, "PERMISSION_DENIED");
}

#[test]
fn behaviour_09_a_failed_run_says_why() {
    let house = House::with(&LOOPBACK);
    let shop = Receiver::listen(|_, came| match came.path.as_str() {
        "/broken.png" => (200, broken()),
        _ => (404, Vec::new()),
    });
    for file in ["broken.png", "missing.png"] {
        let body = json!({ "input": { "image_url": format!("{}/{file}", shop.url) } });
        let run = house.post(&format!("/v1/models/{}/runs", house.plain_model()), &body).expect(201);
        let run = house.ended(&id(&run));
        assert_eq!(run["status_code"], "failed", "{file}: {run}");
        assert!(run["failure_code"].is_string() && run["failure_message"].is_string(), "{run}");
        assert_eq!(run["failure_stage_code"], "execution");
        assert_eq!(run["error"]["message"], run["failure_message"]);
        assert_eq!(run["cost"], "0");
        assert!(run["output"].is_null());
    }
    let balance = house.get("/v1/billing/balance").expect(200);
    assert_eq!(balance["balance"], "100", "nothing was charged");
}

#[test]
fn behaviour_20_an_inline_picture_is_not_kept_as_text() {
    let house = House::open();
    let run = house.run(20, &json!({ "metadata": { "sku": "MUG-17" } }));
    assert!(!run.to_string().contains("base64"), "{run}");
    let run = house.ended(&id(&run));
    assert_eq!(run["status_code"], "succeeded");
    assert!(!run.to_string().contains("base64"));
    let url = run["input"]["image_url"].as_str().expect("an address");
    assert_eq!(house.follow(url).body, picture(20));
}

#[test]
fn behaviour_21_a_list_holds_what_was_asked_for() {
    let house = House::open();
    let plain = house.plain_model();
    let mut ours = Vec::new();
    for seed in 0..5 {
        ours.push(id(&house.run(seed, &json!({ "client_ref": "spring-07" }))));
        house.run(seed, &json!({ "client_ref": "spring-08" }));
    }
    assert!(!plain.is_empty());
    let fields = "id,status_code,client_ref,output,input,cost,duration_ms,created_at";
    let path =
        format!("/v1/runs?q=client_ref.EQ:'spring-07'&fields={fields}&sort_by=created_at:asc&limit=100");
    let page = house.get(&path).expect(200);
    let items = page["items"].as_array().expect("a list");
    let mut wanted: Vec<_> = fields.split(',').collect();
    wanted.sort_unstable();
    for item in items {
        let mut names: Vec<_> = item.as_object().expect("an object").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, wanted);
        assert_eq!(item["client_ref"], "spring-07");
    }
    assert_eq!(items.iter().map(id).collect::<Vec<_>>(), ours, "oldest first");
    let names: Vec<_> = page.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, ["items", "first", "next", "previous", "next_pq", "prev_pq"]);
    house.get("/v1/runs?fields=id,colour").refuses(422, "VALIDATION_ERROR");
    house.get("/v1/runs?q=colour:red").refuses(422, "VALIDATION_ERROR");
    house.get("/v1/runs?q=((").refuses(400, "BAD_REQUEST");
    house.get("/v1/runs?pq=garbage").refuses(400, "BAD_REQUEST");
    house.get("/v1/runs?limit=0").refuses(422, "VALIDATION_ERROR");
    house.get("/v1/runs?limit=501").refuses(422, "VALIDATION_ERROR");
}

#[test]
fn behaviour_22_operators_and_blanks_come_in_every_spelling() {
    let house = House::open();
    let run = id(&house.run(22, &json!({ "client_ref": "two words" })));
    for q in [
        "client_ref.eq%3A%27two+words%27",
        "client_ref.EQ:'two%20words'",
        "client_ref:\"two+words\"",
        "client_ref.Eq:'two words'+AND+NOT+client_ref:other",
    ] {
        let q = q.replace(' ', "%20").replace('"', "%22");
        let page = house.get(&format!("/v1/runs?q={q}")).expect(200);
        assert_eq!(page["items"][0]["id"], run, "{q}");
        assert_eq!(page["items"].as_array().expect("a list").len(), 1, "{q}");
    }
}

#[test]
fn behaviour_23_statuses_and_times_are_filtered_together() {
    let house = House::open();
    let run = id(&house.run(23, &json!({})));
    house.ended(&run);
    let of = |q: &str| {
        let q = q.replace(' ', "+").replace('>', "%3E").replace('<', "%3C");
        house.get(&format!("/v1/runs?q={q}")).expect(200)["items"].clone()
    };
    assert_eq!(of("status_code:succeeded AND created_at>2026-04-01")[0]["id"], run);
    assert_eq!(of("status_code:succeeded AND created_at<2026-04-01"), json!([]));
    assert_eq!(of("status_code:failed OR created_at<2026-04-01"), json!([]));
    // A walk from page to page misses nothing that was there, whatever comes meanwhile.
    let mut all = vec![run];
    for seed in 0..6 {
        all.push(id(&house.run(seed, &json!({}))));
    }
    let (mut seen, mut next): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let from = next.as_ref().map_or_else(String::new, |next| format!("&pq={next}"));
        let page = house.get(&format!("/v1/runs?limit=2{from}")).expect(200);
        seen.extend(page["items"].as_array().expect("a list").iter().map(id));
        house.run(99, &json!({}));
        next = page["next"].as_str().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    all.reverse();
    assert_eq!(seen, all);
}

#[test]
fn behaviour_24_money_is_a_decimal_text() {
    let house = House::open();
    let run = house.run(24, &json!({}));
    assert!(run["cost"].is_null(), "not yet");
    let run = house.ended(&id(&run));
    let cost: f64 = run["cost"].as_str().expect("a text").parse().expect("a number");
    assert!(cost.is_finite() && cost > 0.0);
    let balance: f64 = house.get("/v1/billing/balance").expect(200)["balance"]
        .as_str()
        .expect("a text")
        .parse()
        .expect("a number");
    assert!((100.0 - cost - balance).abs() < 1e-9, "{cost} {balance}");
}

#[test]
fn behaviour_25_runs_may_share_a_reference() {
    let house = House::open();
    let (one, two) =
        (house.run(1, &json!({ "client_ref": "same" })), house.run(1, &json!({ "client_ref": "same" })));
    assert_ne!(one["id"], two["id"]);
    let page = house.get("/v1/runs?q=client_ref:same").expect(200);
    assert_eq!(page["items"].as_array().expect("a list").len(), 2);
}

#[test]
fn behaviour_26_reference_and_metadata_are_given_back() {
    let house = House::open();
    let metadata = json!({ "sku": "MUG-17", "nested": { "é": [1, 2.5, null, true] }, "unknown": "kept" });
    let run =
        house.run(26, &json!({ "client_ref": "mug-17-front", "metadata": metadata, "other": "passed over" }));
    for seen in [run.clone(), house.ended(&id(&run))] {
        assert_eq!((&seen["client_ref"], &seen["metadata"]), (&json!("mug-17-front"), &metadata));
    }
    let long = json!({ "input": { "image_url": house.inline(1) }, "client_ref": "x".repeat(256) });
    house.post(&format!("/v1/models/{}/runs", house.plain_model()), &long).refuses(422, "VALIDATION_ERROR");
    // The same once more.
    let again = house.post(&format!("/v1/runs/{}/reruns", id(&run)), &json!({})).expect(201);
    assert_ne!(again["id"], run["id"]);
    assert_eq!((&again["client_ref"], &again["metadata"]), (&json!("mug-17-front"), &metadata));
    assert_eq!(house.ended(&id(&again))["status_code"], "succeeded");
}

#[test]
fn behaviour_39_large_bodies_with_pictures_come_through() {
    let house = House::open();
    // More than ten million characters: blanks within JSON are nothing.
    let mut body = json!({ "input": { "image_url": house.inline(39) } }).to_string();
    body.insert_str(1, &" ".repeat(10 * 1024 * 1024));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let path = format!("/v1/models/{}/runs", house.plain_model());
    let answer = crate::house::send(house.base(), "POST", &path, &headers, body.as_bytes());
    answer.expect(201);
}

#[test]
fn behaviour_41_an_output_is_the_input_of_the_next_run() {
    let house = House::open();
    let first = house.ended(&id(&house.run(41, &json!({}))));
    let url = first["output"]["outputs"][0]["url"].clone();
    let path = format!("/v1/models/{}/runs", house.plain_model());
    let second = house.post(&path, &json!({ "input": { "image_url": url } })).expect(201);
    assert_eq!(house.ended(&id(&second))["status_code"], "succeeded");
    let (kind, form) = crate::house::multipart("mug.png", &picture(42));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    let asset = crate::house::send(house.base(), "POST", "/v1/assets", &headers, &form).expect(201);
    let third = house.post(&path, &json!({ "input": { "image_url": asset["url"] } })).expect(201);
    assert_eq!(house.ended(&id(&third))["status_code"], "succeeded");
    // What only looks like ours is an address like any other, and this one leads into the house.
    let forged = url.as_str().expect("an address").replace("sig=", "sig=A");
    house.post(&path, &json!({ "input": { "image_url": forged } })).refuses(422, "VALIDATION_ERROR");
}

#[test]
fn behaviour_42_a_run_is_shown_with_signed_addresses_anyway() {
    let house = House::open();
    let run = id(&house.run(42, &json!({})));
    house.ended(&run);
    let plain = house.get(&format!("/v1/runs/{run}")).expect(200);
    let signed = house.get(&format!("/v1/runs/{run}?add_signature=true")).expect(200);
    let names = |run: &Value| run.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&plain), names(&signed));
    assert_eq!(plain["status_code"], signed["status_code"]);
}

#[test]
fn behaviour_43_four_dispatches_at_once_all_succeed() {
    let house = House::open();
    let path = format!("/v1/models/{}/runs", house.plain_model());
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..4)
            .map(|seed| {
                let (house, path) = (&house, &path);
                scope.spawn(move || {
                    house.post(path, &json!({ "input": { "image_url": house.inline(seed) } })).expect(201)
                })
            })
            .collect();
        for one in asked {
            let run = one.join().expect("it did");
            assert_eq!(house.ended(&id(&run))["status_code"], "succeeded");
        }
    });
}

#[test]
fn a_cancelled_run_stops_costs_nothing_and_tells_so_in_its_log() {
    let house = House::with(&[("PACKSHOT_WORKERS", "1")]);
    // Enough before it that it cannot have begun.
    for seed in 0..12 {
        house.run(seed, &json!({}));
    }
    let run = id(&house.run(77, &json!({})));
    let answer = house.post(&format!("/v1/runs/{run}/cancellation"), &json!({ "reason": "not this one" }));
    let seen = house.get(&format!("/v1/runs/{run}")).expect(200);
    if answer.status == 201 {
        assert_eq!((&seen["status_code"], &seen["cost"]), (&json!("canceled"), &json!("0")));
        let logs = house.get(&format!("/v1/runs/{run}/logs")).expect(200);
        assert!(logs.to_string().contains("cancelled"), "{logs}");
    }
    house
        .post(&format!("/v1/runs/{run}/cancellation"), &json!({ "reason": "no" }))
        .refuses(422, "VALIDATION_ERROR");
    let nodes = house.get("/v1/runs/any/node-runs?limit=3").expect(200);
    assert!(nodes["items"].is_array());
}

/// A published workflow of these steps, as a model.
fn workflow(house: &House, name: &str, middle: Value) -> String {
    let mut steps = vec![json!({ "type": "input" })];
    steps.extend(middle.as_array().expect("steps").iter().cloned());
    steps.push(json!({ "type": "export", "settings": { "targetFormat": "PNG", "targetMode": "RGBA" } }));
    house.post("/packshot/v1/workflows", &json!({ "name": name, "steps": steps })).expect(201);
    format!("my-studio/{}", name.to_lowercase())
}

fn nodes_of(house: &House, run: &str) -> Vec<Value> {
    let page = house.get(&format!("/v1/runs/{run}/node-runs")).expect(200);
    page["items"].as_array().expect("a list").clone()
}

#[test]
fn node_runs_tell_how_each_step_went_and_show_what_came_after_it() {
    let house = House::open();
    let canvas = json!({ "width": 640, "height": 400, "upscale": false });
    let model = workflow(
        &house,
        "Framed",
        json!([
            { "type": "setOnCanvas", "settings": canvas },
            { "type": "fillBackground", "settings": { "color": "#336699" } },
        ]),
    );
    let body = json!({ "input": { "image_url": house.inline(5) } });
    let path = format!("/v1/models/{model}/runs");
    let run = id(&house.post(&path, &body).expect(201));
    assert_eq!(house.ended(&run)["status_code"], "succeeded");
    let nodes = nodes_of(&house, &run);
    let names: Vec<_> = nodes.iter().map(|node| node["input"]["component"].as_str()).collect();
    assert_eq!(
        names,
        [Some("input"), Some("setOnCanvas"), Some("fillBackground"), Some("export")],
        "{nodes:?}"
    );
    let mut sizes = Vec::new();
    for node in &nodes {
        assert_eq!(
            (&node["state_code"], &node["output"]["cached"], &node["error_message"], &node["preview_type"]),
            (&json!("succeeded"), &json!(false), &Value::Null, &json!("image")),
            "{node}"
        );
        let url = node["preview_value"].as_str().expect("an address");
        let small = house.follow(url);
        assert_eq!(
            (small.status, small.header("content-type")),
            (200, Some("image/webp")),
            "{}",
            small.text()
        );
        assert_eq!(house.follow(url).body, small.body, "it is kept");
        let seen = pixels::decode(&small.body, &pixels::DecodeOptions::default()).expect("a picture").bitmap;
        sizes.push((seen.width(), seen.height(), seen.channels() == pixels::Channels::Rgba));
        house
            .follow(&url.replace(&run, "0196a300-0000-7000-8000-000000000001"))
            .refuses(403, "PERMISSION_DENIED");
    }
    // The photo; the photo on a clear canvas; the canvas filled; the file, which is opaque.
    assert_eq!(sizes[0], (24, 16, false));
    assert_eq!(sizes[1], (320, 200, true));
    assert_eq!((sizes[2].0, sizes[2].1, sizes[3].0, sizes[3].1), (320, 200, 320, 200));
    assert!(!sizes[2].2, "nothing is clear any more: {sizes:?}");
    // The same again takes what was done from the cache, and says so.
    let again = id(&house.post(&path, &body).expect(201));
    house.ended(&again);
    assert!(nodes_of(&house, &again).iter().all(|node| node["output"]["cached"] == true));
}

#[test]
fn node_runs_of_a_failure_end_with_the_step_that_failed() {
    let house = House::open();
    let model = workflow(
        &house,
        "Cut",
        json!([{ "type": "removeBackground", "settings": { "mode": "existingAlpha" } }]),
    );
    // An opaque picture has no alpha to cut by.
    let body = json!({ "input": { "image_url": house.inline(6) } });
    let run = id(&house.post(&format!("/v1/models/{model}/runs"), &body).expect(201));
    let ended = house.ended(&run);
    assert_eq!(ended["status_code"], "failed", "{ended}");
    assert_eq!((&ended["nodes_total"], &ended["nodes_completed"]), (&json!(2), &json!(1)));
    let nodes = nodes_of(&house, &run);
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    assert_eq!((&nodes[0]["state_code"], &nodes[1]["state_code"]), (&json!("succeeded"), &json!("failed")));
    assert_eq!(nodes[1]["error_message"], ended["failure_message"]);
    assert!(nodes[0]["preview_value"].is_string() && nodes[1]["preview_value"].is_null());
}

#[test]
fn what_an_export_writes_and_nobody_reads_back_here_is_shown_too() {
    let house = House::open();
    for (name, format) in [("Avif", "AVIF"), ("Layers", "PSD")] {
        let draft = json!({
            "name": name,
            "steps": [{ "type": "input" }, { "type": "export", "settings": { "targetFormat": format } }],
        });
        house.post("/packshot/v1/workflows", &draft).expect(201);
        let body = json!({ "input": { "image_url": house.inline(7) } });
        let path = format!("/v1/models/my-studio/{}/runs", name.to_lowercase());
        let run = id(&house.post(&path, &body).expect(201));
        let ended = house.ended(&run);
        assert_eq!(ended["status_code"], "succeeded", "{ended}");
        for node in nodes_of(&house, &run) {
            let small = house.follow(node["preview_value"].as_str().expect("an address"));
            assert_eq!(small.status, 200, "{format} {node}: {}", small.text());
            let seen = pixels::probe(&small.body, &pixels::Limits::default()).expect("a picture");
            assert_eq!((seen.width, seen.height), (24, 16));
        }
    }
}

#[test]
fn an_object_that_comes_as_text_may_name_an_asset() {
    let house = House::open();
    let (kind, form) = multipart("mask.png", &picture(9));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    let asset = id(&send(house.base(), "POST", "/v1/assets", &headers, &form).expect(201));
    let path = "/v1/models/runflow/tag-removal/runs";
    let config = json!({ "mask_url": format!("runflow://assets/{asset}") });
    for config in [config.clone(), json!(config.to_string())] {
        let body = json!({ "input": { "image_url": house.inline(9), "config": config } });
        let made = house.post(path, &body).expect(201);
        let shown = made["input"]["config"]["mask_url"].as_str().expect("an address");
        assert_eq!(house.follow(shown).body, picture(9));
    }
    let foreign = json!({ "mask_url": "runflow://assets/0196a300-0000-7000-8000-000000000001" }).to_string();
    let body = json!({ "input": { "image_url": house.inline(9), "config": foreign } });
    house.post(path, &body).refuses(422, "VALIDATION_ERROR");
}
