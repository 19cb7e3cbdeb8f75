//! 10 to 14, 37, 38, 40: the envelope, keys, health, balances, rates.

use serde_json::json;

use crate::house::{House, id, send};

#[test]
fn behaviour_10_errors_have_one_flat_envelope() {
    let house = House::open();
    house.get("/v1/runs/0196a1b2-7c00-7d11-8a22-5f6e7d8c9b0a").refuses(404, "RUN_NOT_FOUND");
    house.post("/v1/models/runflow/nothing/runs", &json!({ "input": {} })).refuses(404, "MODEL_NOT_FOUND");
    house.call("DELETE", "/v1/runs", None).refuses(405, "METHOD_NOT_ALLOWED");
    for nowhere in ["/v1/runs//", "/v1/runs/statuses/all", "/v1/public", "/v1/assets/a/b?q=x", "/v1/auth/you"]
    {
        let answer = house.get(nowhere);
        answer.refuses(404, "NOT_FOUND");
        assert!(answer.header("x-ratelimit-limit").is_some(), "{nowhere}");
    }
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = send(house.base(), "POST", "/v1/asset-uploads", &headers, b"{");
    answer.refuses(400, "BAD_REQUEST");
    assert!(answer.header("runflow-request-id").is_some());
}

#[test]
fn behaviour_11_validation_errors_say_where_and_what() {
    let house = House::open();
    let path = "/v1/models/runflow/background-color/runs";
    let error = house.post(path, &json!({ "input": { "color_red": 300 } })).refuses(422, "VALIDATION_ERROR");
    let errors = error["errors"].as_array().expect("a list");
    assert!(errors.iter().all(|one| one["loc"].is_array() && one["msg"].is_string()));
    assert!(
        errors
            .iter()
            .any(|one| one["loc"] == json!(["body", "input", "image_url"]) && one["type"] == "missing")
    );
    assert!(errors.iter().any(|one| one["loc"] == json!(["body", "input", "color_red"])));
}

#[test]
fn behaviour_12_what_is_refused_for_good_is_told_apart_from_what_may_be_tried_again() {
    let house = House::open();
    send(house.base(), "GET", "/v1/runs", &[], &[]).refuses(401, "UNAUTHORIZED");
    send(house.base(), "GET", "/v1/runs", &[("authorization", "Bearer rf_live_wrong")], &[])
        .refuses(401, "UNAUTHORIZED");
    let elsewhere = [("x-organization-id", "0196a1b2-7c00-7d11-8a22-5f6e7d8c9b0a")];
    house.call_with("GET", "/v1/runs", None, &elsewhere).refuses(403, "ORGANIZATION_MEMBERSHIP_REQUIRED");
    let reader = house.make_key(&json!({ "name": "reader", "key_format": "live", "scopes": ["runs:read"] }));
    let bearer = format!("Bearer {reader}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    assert_eq!(send(house.base(), "GET", "/v1/runs", &headers, &[]).status, 200);
    let body = json!({ "input": { "image_url": house.inline(1) } }).to_string();
    let path = format!("/v1/models/{}/runs", house.plain_model());
    send(house.base(), "POST", &path, &headers, body.as_bytes()).refuses(403, "PERMISSION_DENIED");
    send(house.base(), "GET", "/v1/assets", &headers, &[]).refuses(403, "PERMISSION_DENIED");
    send(house.base(), "GET", "/v1/billing/balance", &headers, &[]).refuses(403, "PERMISSION_DENIED");
    // A limited key is limited on every face.
    let answer = send(house.base(), "POST", "/packshot/v1/connections", &headers, br#"{"name":"more"}"#);
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[test]
fn behaviour_13_keys_are_letters_digits_and_underscores() {
    let house = House::open();
    for format in ["live", "service"] {
        let key = house.make_key(&json!({ "name": format, "key_format": format }));
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{key}");
        let prefix = if format == "live" { "rf_live_" } else { "rf_svc_" };
        let rest = key.strip_prefix(prefix).expect("its prefix");
        assert!(rest.len() >= 43 && !rest.contains('_'), "{key}");
        let bearer = format!("Bearer {key}");
        let path = format!("/v1/models/{}/runs", house.plain_model());
        let body = json!({ "input": { "image_url": house.inline(1) } }).to_string();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = send(house.base(), "POST", &path, &headers, body.as_bytes());
        // Only ordinary keys dispatch.
        assert_eq!(answer.status, if format == "live" { 201 } else { 403 }, "{}", answer.text());
    }
}

#[test]
fn behaviour_14_health_needs_no_key() {
    let house = House::open();
    let health = send(house.base(), "GET", "/v1/health", &[], &[]).expect(200);
    assert_eq!((&health["status"], &health["ok"]), (&json!("ok"), &json!(true)));
    let ready = send(house.base(), "GET", "/v1/readiness", &[], &[]).expect(200);
    for part in ["database", "storage", "executor"] {
        assert_eq!(ready["checks"][part]["status"], "ok", "{ready}");
    }
    send(house.base(), "GET", "/v1/openapi.json", &[], &[]).expect(200);
    let models = send(house.base(), "GET", "/v1/public/models?q=is_public:false", &[], &[]).expect(200);
    let all = send(house.base(), "GET", "/v1/public/models", &[], &[]).expect(200);
    assert!(models["items"].as_array().expect("a list").is_empty());
    assert!(all["items"].as_array().expect("a list").len() >= 9);
    assert!(all["items"].as_array().expect("a list").iter().all(|model| model.get("org_id").is_none()));
}

#[test]
fn behaviour_37_balances_are_numeric_text() {
    let house = House::open();
    let page = house.get("/v1/credit-balances").expect(200);
    let number = |text: &serde_json::Value| text.as_str().expect("a text").parse::<f64>().expect("a number");
    assert!((number(&page["items"][0]["balance_usd"]) - 100.0).abs() < 1e-9);
    assert!((number(&page["items"][0]["balance"]) - 100.0).abs() < 1e-9);
    let set = house
        .call("PATCH", "/v1/billing/balance", Some(&json!({ "low_balance_threshold": 5.5 })))
        .expect(200);
    assert!((number(&set["low_balance_threshold"]) - 5.5).abs() < 1e-9);
    let stale = json!({ "low_balance_threshold": 6, "updated_at": "2020-01-01T00:00:00Z" });
    house.call("PATCH", "/v1/billing/balance", Some(&stale)).refuses(409, "CONFLICT");
    let me = house.get("/v1/auth/me?embed=memberships,organizations").expect(200);
    assert!(me["email"].is_string() && me["memberships"][0]["org"]["id"].is_string());
}

#[test]
fn behaviour_38_deployed_workflows_are_looked_up_by_their_slug() {
    let house = House::open();
    let path = "/v1/comfyui-workflows?q=slug.eq:'x'&limit=1";
    assert_eq!(house.get(path).expect(200)["items"], json!([]));
    let made = house.post(
        "/v1/comfyui-workflows",
        &json!({ "slug": "x", "name": "X", "workflow_json": {}, "graph": {} }),
    );
    assert!((200..300).contains(&made.status), "{}", made.text());
    let made = made.json();
    assert_eq!(house.get(path).expect(200)["items"][0]["id"], made["id"]);
    let change = json!({ "name": "Y", "workflow_json": { "1": {} } });
    let changed =
        house.call("PATCH", &format!("/v1/comfyui-workflows/{}", id(&made)), Some(&change)).expect(200);
    assert_eq!(changed["name"], "Y");
    let run = json!({ "input": { "Aux Reference 1": "x" } });
    house.post("/v1/comfyui-workflows/my-studio/x/runs", &run).refuses(503, "MODEL_UNAVAILABLE");
    house.post("/v1/models/my-studio/x/runs", &run).refuses(503, "MODEL_UNAVAILABLE");
    house.post("/v1/models/my-studio/y/runs", &run).refuses(404, "MODEL_NOT_FOUND");
}

#[test]
fn behaviour_40_every_answer_tells_the_rate_that_is_left() {
    let house =
        House::with(&[("PACKSHOT_LIMITS__RATE_CALLS", "8"), ("PACKSHOT_LIMITS__RATE_WINDOW_SECONDS", "600")]);
    let answers: Vec<_> = (0..12).map(|_| house.get("/v1/auth/me")).collect();
    for answer in &answers {
        for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
            let value = answer.header(name).unwrap_or_else(|| panic!("{name}"));
            assert!(value.parse::<i64>().is_ok(), "{name}: {value}");
        }
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 8);
    let over = answers.last().expect("twelve");
    over.refuses(429, "RATE_LIMITED");
    assert!(over.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    let health = send(house.base(), "GET", "/v1/health", &[], &[]);
    assert!(health.status == 200 && health.header("x-ratelimit-limit").is_some());
}
