//! 35 and 36: evaluations of any picture, and what people say about them.

use serde_json::{Value, json};

use crate::house::{House, id, multipart, photo, send};

fn ended(house: &House, evaluation: &str) -> Value {
    let path = format!("/v1/evaluations/{evaluation}?embed=judges,action,gate_failures");
    house.until("it is measured", || {
        let seen = house.get(&path).expect(200);
        ["completed", "failed"].contains(&seen["status_code"].as_str().expect("a status")).then_some(seen)
    })
}

fn asset(house: &House, name: &str) -> Value {
    let (kind, form) = multipart(name, &photo(name));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    send(house.base(), "POST", "/v1/assets", &headers, &form).expect(201)
}

#[test]
fn behaviour_35_a_picture_is_measured() {
    let house = House::open();
    let first = std::fs::read_dir(crate::support::root().join("samples")).expect("samples");
    let name = first
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".jpg"))
        .min()
        .expect("a photograph");
    let asset = asset(&house, &name);
    let body = json!({
        "generated_image_url": format!("runflow://assets/{}", id(&asset)),
        "task_type": "product_photography",
        "client_ref": "mug-17-front",
    });
    let asked = house.post("/v1/evaluations", &body).expect(202);
    assert_eq!(asked["status_code"], "pending");
    assert!(asked["overall_passed"].is_null());
    let seen = ended(&house, &id(&asked));
    assert_eq!(seen["status_code"], "completed", "{seen}");
    assert!(seen["overall_passed"].is_boolean());
    let score = seen["weighted_pass_rate"].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&score));
    assert!(seen["judges"].as_array().is_some_and(|judges| judges.len() >= 8), "{seen}");
    assert!(seen["action"]["code"].is_string());
    assert!(seen["cost"].is_string());
    let key = [("idempotency-key", "evaluation-1")];
    let once = house.call_with("POST", "/v1/evaluations", Some(&body), &key).expect(202);
    assert_eq!(house.call_with("POST", "/v1/evaluations", Some(&body), &key).expect(202)["id"], once["id"]);
    house.post("/v1/evaluations", &json!({ "task_type": "x" })).refuses(422, "VALIDATION_ERROR");
    let unknown = json!({ "generated_image_url": "runflow://assets/0196a300-0000-7000-8000-000000000001", "task_type": "x" });
    house.post("/v1/evaluations", &unknown).refuses(422, "VALIDATION_ERROR");
}

#[test]
fn an_organization_has_limits_of_its_own() {
    let house = House::open();
    let path = "/packshot/v1/evaluation-limits";
    assert_eq!(house.get(path).expect(200), json!({}));
    let measure = |limit: Value| json!({ "measures": limit });
    for wrong in
        [measure(json!({ "beauty": { "min": 1 } })), measure(json!({ "resolution": { "min": "large" } }))]
    {
        assert_eq!(house.call("PUT", path, Some(&wrong)).status, 400, "{wrong}");
    }
    house.call("PUT", path, Some(&json!({ "measures": { "resolution": { "min": 9000 } } }))).expect(200);
    let asset = asset(&house, "coffee-cup.jpg");
    let reference = format!("runflow://assets/{}", id(&asset));
    let body = json!({ "generated_image_url": reference, "task_type": "headshot" });
    let asked = house.post("/v1/evaluations", &body).expect(202);
    let seen = ended(&house, &id(&asked));
    let issues = seen["top_issues"].to_string();
    assert!(issues.contains("9000"), "{seen}");
}

#[test]
fn behaviour_36_the_evaluations_of_a_run_take_feedback() {
    let house = House::open();
    let run = house.run(36, &json!({ "evaluate": true }));
    let path = format!("/v1/runs/{}/evaluations", id(&run));
    house.ended(&id(&run));
    let found = house.until("it is evaluated without being asked again", || {
        let page = house.get(&path).expect(200);
        let found = page["items"].get(0).cloned();
        found.filter(|found| found["status_code"] == "completed")
    });
    assert!(found["id"].is_string() && found["created_at"].is_string());
    assert_eq!(
        (&found["target_type_code"], &found["flow_id"], &found["model_id"]),
        (&json!("flow"), &run["flow_id"], &Value::Null),
    );
    let feedback = format!("{path}/{}/feedback", id(&found));
    let said = house
        .call("PATCH", &feedback, Some(&json!({ "is_positive": false, "reason": "a halo" })))
        .expect(200);
    assert_eq!((&said["feedback_is_positive"], &said["feedback_reason"]), (&json!(false), &json!("a halo")));
    let cleared =
        house.call("PATCH", &feedback, Some(&json!({ "is_positive": null, "reason": null }))).expect(200);
    assert!(cleared["feedback_is_positive"].is_null() && cleared["feedback_reason"].is_null());
    let long = json!({ "is_positive": true, "reason": "x".repeat(2001) });
    house.call("PATCH", &feedback, Some(&long)).refuses(422, "VALIDATION_ERROR");
    let shown = house.get(&format!("/v1/runs/{}", id(&run))).expect(200);
    assert_eq!(shown["current_evaluation_summary"]["status_code"], "completed");
}
