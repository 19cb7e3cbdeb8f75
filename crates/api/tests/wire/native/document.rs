//! What the document says is there is there, asks who you are, and answers problems.

use serde_json::{Value, json};

use crate::house::House;
use crate::http::send;

#[tokio::test]
async fn every_documented_path_is_there_and_asks_who_you_are() {
    let house = House::new().await;
    let document: Value = serde_json::from_str(&api::native_document()).expect("JSON");
    assert_eq!(house.get_with("/packshot/v1/openapi.json", "").await.json(), document);
    let mut ids = std::collections::HashSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        // What a path names does not matter to somebody who may not ask.
        let parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        let path = format!("/packshot/v1{}", parts.collect::<Vec<_>>().join("/"));
        for (method, operation) in methods.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            assert!(operation["responses"]["default"].is_object(), "{method} {path} has no problems");
            assert!(ids.insert(id), "{method} {path} has the id of another");
            let method = method.to_uppercase();
            let answer = send(house.at, &method, &path, &[("content-type", "application/json")], b"{}").await;
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            let body = answer.json();
            assert_eq!(body["code"], json!("token_missing"));
            assert_eq!(body["instance"], json!(path));
            let explained = house.get_with(body["type"].as_str().expect("a type"), "").await.json();
            assert_eq!(explained["code"], json!("token_missing"));
            assert_eq!(explained["status"], json!(401));
        }
    }
    assert!(ids.len() >= 9, "only {} operations", ids.len());
}
