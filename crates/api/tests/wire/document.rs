//! The OpenAPI document: what is committed is what is served, and what it says is there is there.

use std::path::Path;

use serde_json::Value;

use crate::house::House;
use crate::http::send;

#[test]
fn the_committed_document_is_up_to_date() {
    is_committed("autoretouch", &api::autoretouch_document());
    is_committed("packshot", &api::native_document());
}

fn is_committed(name: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi").join(format!("{name}.json"));
    if option_env!("UPDATE").is_some() || std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, now).expect("written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == now,
        "`openapi/{name}.json` is not up to date; run this test with UPDATE=1 and read the difference"
    );
}

#[tokio::test]
async fn every_documented_path_answers_alike_in_every_spelling() {
    let house = House::new().await;
    let document: Value = serde_json::from_str(&api::autoretouch_document()).expect("JSON");
    let served = house.get_with("/openapi.json", "").await.json();
    assert_eq!(served, document);
    let mut operations = 0;
    let mut ids = std::collections::HashSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let filled = path
            .replace("{organizationId}", &house.get("org"))
            .replace("{workflowId}", &house.get("export_only"))
            .replace("{executionId}", "00000000-0000-0000-0000-000000000000")
            .replace("{output}", "mask")
            .replace("{contentHash}", &house.get("shoe"))
            .replace("{fileName}", "a.png");
        assert!(!filled.contains('{'), "{filled}");
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(
                operation["operationId"].is_string() && operation["summary"].is_string(),
                "{method} {path}"
            );
            assert!(!operation["responses"].as_object().expect("responses").is_empty());
            operations += 1;
            assert!(ids.insert(operation["operationId"].clone()), "{method} {path} has the id of another");
            let mut seen = Vec::new();
            for prefix in ["", "/v1", "/v2"] {
                for slash in ["", "/"] {
                    let spelled = format!("{prefix}{filled}{slash}");
                    let answer = send(house.at, &method.to_uppercase(), &spelled, &[], b"").await;
                    let code = answer.header("x-error-code").unwrap_or_default().to_owned();
                    assert!(answer.status < 300 || answer.status >= 400, "{spelled} is redirected");
                    assert!(
                        !["path_not_found", "method_not_allowed"].contains(&code.as_str()),
                        "{method} {spelled}"
                    );
                    seen.push((answer.status, code));
                }
            }
            seen.dedup();
            assert_eq!(seen.len(), 1, "{method} {path}: {seen:?}");
            let open =
                operation["security"].as_array().is_some_and(|needs| needs[0] == serde_json::json!({}));
            assert_eq!(seen[0].0 == 401, !open, "{method} {path}: {seen:?}");
        }
    }
    assert!(operations >= 22, "only {operations} operations");
}

/// What stands in a path of the Runflow document for each name.
fn runflow_path(path: &str, house: &House) -> String {
    let id = "0196a1c0-0000-7000-8000-000000000001";
    let mut filled = path.to_owned();
    for (name, value) in [
        ("{owner}", "runflow"),
        ("{slug}", "tag-removal"),
        ("{code}", "run.failed"),
        ("{hash}", house.get("shoe").as_str()),
        ("{until}", "1"),
        ("{name}", "a.png"),
    ] {
        filled = filled.replace(name, value);
    }
    if path.starts_with("/v1/models/{owner}/") {
        filled = filled.replace("{id}", "tag-removal");
    }
    while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
        filled.replace_range(from..=to, id);
    }
    filled
}

#[tokio::test]
async fn every_path_of_the_runflow_document_is_served_and_every_route_is_in_it() {
    let house = House::new().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/runflow.json");
    let document: Value = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    let served = house.get_with("/v1/openapi.json", "").await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.json(), document);
    let paths = document["paths"].as_object().expect("paths");
    let mut ids = std::collections::HashSet::new();
    for (path, methods) in paths {
        let filled = runflow_path(path, &house);
        for (method, operation) in methods.as_object().expect("methods") {
            assert!(ids.insert(operation["operationId"].as_str().expect("an id")), "{method} {path}");
            let answer = send(house.at, &method.to_uppercase(), &filled, &[], b"").await;
            assert_ne!(answer.status, 405, "{method} {filled}");
            let is_open = operation["security"] == serde_json::json!([]);
            assert_eq!(answer.status == 401, !is_open, "{method} {filled}: {}", answer.text());
            let documented = operation["responses"].as_object().expect("responses");
            assert!(
                documented.contains_key(&answer.status.to_string()),
                "{method} {filled}: {}",
                answer.status
            );
        }
    }
    // Names of changing parts differ: the routes' are the program's own.
    let shape = |path: &str| {
        path.split('/')
            .map(|part| if part.starts_with('{') { "{}" } else { part })
            .collect::<Vec<_>>()
            .join("/")
    };
    let shapes: std::collections::HashSet<_> = paths.keys().map(|path| shape(path)).collect();
    let source = include_str!("../../src/runflow/mod.rs");
    let routes = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut seen = 0;
    for route in routes.filter(|route| !route.contains("{*")) {
        assert!(shapes.contains(&shape(route)), "`{route}` is not in the document");
        seen += 1;
        // What leads on from there to nowhere is refused in this dialect's own words.
        let noun = route.split('/').nth(2).expect("a noun");
        if !["health", "openapi.json"].contains(&noun) {
            let answer = house.get_with(&format!("/v1/{noun}/a/b/c/d/e/f/g/h"), "").await;
            // Some nouns have ids of any depth.
            assert!([401, 404, 405].contains(&answer.status), "{noun}: {}", answer.status);
            assert!(answer.json()["code"].is_string(), "{noun}: {}", answer.text());
        }
    }
    assert!(seen >= 50, "only {seen} routes");
}
