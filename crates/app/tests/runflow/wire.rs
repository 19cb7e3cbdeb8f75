//! 10 to 14, 37, 38, 40: the envelope, keys, health, balances, rates.

use serde_json::{Value, json};

use crate::house::{Answer, House, id, send};

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
        assert!(answer.header("runflow-request-id").is_some(), "{nowhere}");
    }
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = send(house.base(), "POST", "/v1/asset-uploads", &headers, b"{");
    answer.refuses(400, "BAD_REQUEST");
    assert!(answer.header("runflow-request-id").is_some());
}

#[test]
fn behaviour_10_one_slash_at_the_end_of_a_path_is_passed_over() {
    let house = House::open();
    for path in [
        "/v1/runs",
        "/v1/runs/statuses",
        "/v1/assets",
        "/v1/auth/me",
        "/v1/webhooks",
        "/v1/comfyui-workflows",
    ] {
        assert_eq!(house.get(&format!("{path}/")).expect(200), house.get(path).expect(200), "{path}");
    }
    house.get("/v1/runs/?limit=0").refuses(422, "VALIDATION_ERROR");
    let model = house.plain_model();
    assert_eq!(
        house.get(&format!("/v1/models/{model}/")).expect(200),
        house.get(&format!("/v1/models/{model}")).expect(200)
    );
    let image = json!({ "input": { "image_url": house.inline(1) } });
    let run = id(&house.post(&format!("/v1/models/{model}/runs/"), &image).expect(201));
    assert_eq!(house.get(&format!("/v1/runs/{run}/")).expect(200)["id"], json!(run));
    // The other dialect's paths stay its own.
    assert_eq!(send(house.base(), "GET", "/v1/health/", &[], &[]).status, 200);
    let elsewhere = house.get("/v1/workflow/nothing/");
    assert!(
        elsewhere.header("x-ratelimit-limit").is_none() && elsewhere.status >= 400,
        "{}",
        elsewhere.text()
    );
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

/// Deploys one with a graph of so many bytes.
fn deploy(house: &House, slug: &str, bytes: usize) -> Answer {
    let body = json!({ "slug": slug, "name": slug, "graph": { "text": "x".repeat(bytes) }, "models": [] });
    house.post("/v1/comfyui-workflows", &body)
}

const MIB: usize = 1024 * 1024;

#[test]
fn behaviour_38_a_page_holds_no_more_of_deployed_workflows_than_a_few_of_the_largest() {
    let house = House::open();
    let slugs: Vec<_> = (0..7).map(|nth| format!("w{nth}")).collect();
    let ids: Vec<_> =
        slugs.iter().map(|slug| id(&deploy(&house, slug, 2 * MIB - 1000).expect(201))).collect();
    let list = "/v1/comfyui-workflows?sort_by=created_at:asc";
    let (mut found, mut pages, mut path) = (Vec::new(), 0, list.to_owned());
    loop {
        let answer = house.get(&path);
        let page = answer.expect(200);
        assert!(answer.body.len() <= 8 * MIB, "{}", answer.body.len());
        found.extend(page["items"].as_array().expect("a list").iter().map(id));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{list}&pq={next}");
    }
    assert_eq!(found, ids);
    assert!(pages >= 2);
    // Without what they are made of all are on one page.
    let page = house.get(&format!("{list}&fields=id,slug,name&q=name.eq:'w3'")).expect(200);
    assert_eq!(page["items"], json!([{ "id": ids[3], "slug": "w3", "name": "w3" }]));
    let page = house.get(&format!("{list}&fields=slug")).expect(200);
    assert_eq!(page["items"], slugs.iter().map(|slug| json!({ "slug": slug })).collect::<Value>());
}

#[test]
fn behaviour_38_a_deployed_workflow_has_two_mebibytes_and_an_organization_two_hundred() {
    let house = House::with(&[("PACKSHOT_LIMITS__RATE_CALLS", "1000")]);
    let error = deploy(&house, "large", 2 * MIB).refuses(422, "VALIDATION_ERROR");
    assert_eq!(error["errors"][0]["loc"], json!(["body"]));
    let made = deploy(&house, "half", MIB).expect(201);
    let path = format!("/v1/comfyui-workflows/{}", id(&made));
    // Each is small enough, both together are not.
    let more = json!({ "workflow_json": { "text": "x".repeat(MIB) } });
    let error = house.call("PATCH", &path, Some(&more)).refuses(422, "VALIDATION_ERROR");
    assert_eq!(error["errors"][0]["loc"], json!(["body"]));
    let kept = house.get("/v1/comfyui-workflows").expect(200);
    assert_eq!((&kept["items"][0], kept["items"].as_array().map(Vec::len)), (&made, Some(1)));
    house
        .call("PATCH", &path, Some(&json!({ "graph": null, "workflow_json": more["workflow_json"] })))
        .expect(200);
    for nth in 1..200 {
        deploy(&house, &format!("w{nth}"), 1).expect(201);
    }
    deploy(&house, "w200", 1).refuses(422, "VALIDATION_ERROR");
    house.call("PATCH", &path, Some(&json!({ "name": "again" }))).expect(200);
    let run = json!({ "input": {} });
    house.post("/v1/comfyui-workflows/my-studio/w199/runs", &run).refuses(503, "MODEL_UNAVAILABLE");
    house.post("/v1/comfyui-workflows/my-studio/w200/runs", &run).refuses(404, "MODEL_NOT_FOUND");
}

#[test]
fn behaviour_35_a_list_of_runs_looks_up_what_it_shows() {
    let house = House::open();
    let run = id(&house.run(1, &json!({})));
    house.ended(&run);
    let one = house.get(&format!("/v1/runs/{run}")).expect(200);
    let fields = one.as_object().expect("an object");
    let listed = |query: &str| house.get(&format!("/v1/runs{query}")).expect(200)["items"][0].clone();
    assert_eq!(
        listed("").as_object().expect("an object").keys().collect::<Vec<_>>(),
        fields.keys().collect::<Vec<_>>()
    );
    let image = |value: &Value| value["input"]["image_url"].as_str().expect("an address").to_owned();
    for query in ["", "?fields=input", "?fields=id,input&embed=logs,node_runs"] {
        house.follow(&image(&listed(query)));
    }
    let logs = listed("?fields=id&embed=logs");
    assert_eq!(logs["id"], json!(run));
    assert!(
        logs["logs"].as_array().is_some_and(|logs| !logs.is_empty()) && logs.get("input").is_none(),
        "{logs}"
    );
    assert_eq!(
        listed("?fields=id,current_evaluation_summary"),
        json!({ "id": run, "current_evaluation_summary": null })
    );
}

#[test]
fn behaviour_40_calls_are_counted_for_the_organization_they_are_made_for() {
    let house = House::with(&[
        ("PACKSHOT_LIMITS__RATE_CALLS", "20"),
        ("PACKSHOT_LIMITS__RATE_WINDOW_SECONDS", "600"),
    ]);
    let neighbour = format!("Bearer {}", house.neighbour());
    let left = |answer: &Answer| answer.header("x-ratelimit-remaining").map(str::to_owned).expect("a number");
    let theirs = send(house.base(), "GET", "/v1/billing/balance", &[("authorization", &neighbour)], &[]);
    assert_eq!(left(&theirs), "19");
    let org = theirs.expect(200)["org_id"].as_str().expect("an id").to_owned();
    let refresh = house.credentials["refresh_token"].as_str().expect("a token");
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=tests");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let token = send(house.base(), "POST", "/oauth/token", &kind, form.as_bytes()).expect(200);
    let bearer = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
    let headers = [("authorization", bearer.as_str()), ("x-organization-id", org.as_str())];
    for remaining in ["18", "17"] {
        let answer = send(house.base(), "GET", "/v1/runs", &headers, &[]);
        assert_eq!((answer.status, left(&answer).as_str()), (200, remaining));
    }
    assert_eq!(left(&house.get("/v1/runs")), "19");
    // Whoever names one that is not theirs pays for it themselves.
    let answer = house.call_with("GET", "/v1/runs", None, &[("x-organization-id", &org)]);
    answer.refuses(403, "ORGANIZATION_MEMBERSHIP_REQUIRED");
    assert_eq!(left(&answer), "18");
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
