//! The native interface, where a recorded conversation is not enough.

mod archive;
mod document;
mod events;
mod repeats;
mod workflows;

use std::net::SocketAddr;

use serde_json::Value;

use crate::house::House;
use crate::http::{Answer, send};

/// Sends JSON to the native interface as the organization's administrator.
async fn send_to(
    house: &House,
    at: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let token = format!("Bearer {}", house.get("token"));
    let mut all = vec![("authorization", token.as_str()), ("content-type", "application/json")];
    all.extend(headers);
    send(at, method, &format!("/packshot/v1{path}"), &all, body.to_string().as_bytes()).await
}

async fn post(house: &House, path: &str, body: &Value) -> Answer {
    send_to(house, house.at, "POST", path, &[], body).await
}

async fn get(house: &House, path: &str) -> Answer {
    house.ask(&format!("/packshot/v1{path}")).await
}
