//! Workflows that several people change at once.

use std::sync::Arc;

use serde_json::json;

use super::{get, post, send_to};
use crate::house::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_change_a_version_at_once_one_succeeds() {
    let house = Arc::new(House::new().await);
    let path = format!("/workflows/{}", house.get("export_only"));
    let tag = get(&house, &path).await.header("etag").expect("a tag").to_owned();
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let (house, path, tag) = (house.clone(), path.clone(), tag.clone());
            tokio::spawn(async move {
                let body = json!({
                    "name": format!("Export {n}"), "steps": [{ "type": "input" }, { "type": "export" }], "price": n
                });
                send_to(&house, house.at, "PUT", &path, &[("if-match", &tag)], &body).await
            })
        })
        .collect();
    let mut won = Vec::new();
    for writer in writers {
        let answer = writer.await.expect("no panic");
        if answer.status == 200 {
            won.push(answer);
        } else {
            assert_eq!((answer.status, answer.json()["code"].clone()), (412, json!("workflow_changed")));
        }
    }
    assert_eq!(won.len(), 1);
    let now = get(&house, &path).await;
    assert_eq!(now.json(), won[0].json());
    assert_eq!(now.header("etag"), won[0].header("etag"));
    assert_ne!(now.header("etag"), Some(tag.as_str()));
    let versions = get(&house, &format!("{path}/versions")).await.json();
    assert_eq!(versions["items"].as_array().expect("versions").len(), 2);
}

#[tokio::test]
async fn versions_are_paged_newest_first_while_more_come() {
    let house = House::new().await;
    let path = format!("/workflows/{}", house.get("export_only"));
    let save = async |price: u32| {
        let body = json!({
            "name": "Export only", "steps": [{ "type": "input" }, { "type": "export" }], "price": price
        });
        let saved = send_to(&house, house.at, "PUT", &path, &[("if-match", "*")], &body).await;
        assert_eq!(saved.status, 200, "{}", saved.text());
    };
    for price in 1..=3 {
        save(price).await;
    }
    let first = get(&house, &format!("{path}/versions?limit=2")).await.json();
    save(4).await;
    let cursor = first["next_cursor"].as_str().expect("more");
    let second = get(&house, &format!("{path}/versions?limit=2&cursor={cursor}")).await.json();
    let prices = |page: &serde_json::Value| -> Vec<u64> {
        page["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|it| it["price"].as_u64().expect("a price"))
            .collect()
    };
    assert_eq!(prices(&first), [3, 2]);
    assert_eq!(prices(&second), [1, 10], "a new one in front moves nothing");
    assert_eq!(second["next_cursor"], json!(null));
}

#[tokio::test]
async fn only_administrators_change_workflows_and_credits() {
    let house = House::new().await;
    let neighbour = format!("/workflows/{}", house.get("their_workflow"));
    let body = json!({ "name": "Mine", "steps": [{ "type": "input" }, { "type": "export" }] });
    let answer = send_to(&house, house.at, "PUT", &neighbour, &[("if-match", "*")], &body).await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (404, json!("workflow_not_found")));
    let answer = send_to(&house, house.at, "DELETE", &neighbour, &[], &json!({})).await;
    assert_eq!(answer.status, 404);
    let elsewhere = format!("/workflows?organization_id={}", house.get("their_org"));
    assert_eq!(post(&house, &elsewhere, &body).await.status, 403);
}
