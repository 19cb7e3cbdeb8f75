//! Devices that are let in, turned away, or too late; and where people are led to decide it.

use std::sync::Arc;

use domain::time::Millis;
use serde_json::json;

use crate::browser::{Browser, between};
use crate::house::{CLIENT, EMAIL, House, Ready};
use crate::http::exchange;
use crate::people::{DEVICE, admin, begin, operator, outcome, poll};

#[tokio::test]
async fn somebody_elses_confirmation_gives_no_tokens() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let mut lea = operator(&house, &mut admin, "lea@nordlicht.example").await;
    lea.get("/account/connections").await;
    let begun = lea.post("/account/connections", &[("name", "trap")]).await.text();
    let field =
        |name: &str| between(&begun, &format!("name=\"{name}\" value=\""), "\"").expect("a field").to_owned();
    let (device, user) = (field("device_code"), field("user_code"));
    admin.get(&format!("/activate?user_code={user}")).await;
    admin.post("/activate", &[("user_code", &user), ("decision", "confirm")]).await;
    let fields = [("name", "trap"), ("device_code", &device), ("user_code", &user)];
    let refused = lea.post("/account/connections/tokens", &fields).await;
    assert_eq!(refused.status, 403);
    assert!(!refused.text().contains("v1."), "{}", refused.text());
    assert!(!admin.get("/account/connections").await.text().contains("trap"), "and there is no connection");
}

#[tokio::test]
async fn a_member_of_several_organizations_chooses_one_for_the_device() {
    let house = House::new().await;
    let their_org: domain::id::OrgId = house.get("their_org").parse().expect("an id");
    let user = store::Access::user_by_email(&*house.store, EMAIL).await.expect("read").expect("the admin");
    let added =
        store::Accounts::add_member(&*house.store, their_org, &user, domain::access::Role::Operator, None);
    added.await.expect("added");
    let (device, code) = begin(&house).await;
    let mut browser = Browser::new(&house);
    browser.get(&format!("/activate?user_code={code}")).await;
    let fields = [
        ("user_code", code.as_str()),
        ("email", EMAIL),
        ("password", &house.password),
        ("decision", "confirm"),
    ];
    let page = browser.post("/activate", &fields).await;
    let text = page.text();
    assert_eq!(page.status, 200);
    assert!(
        text.contains("<select id=\"org\"") && text.contains("Sonnwend") && text.contains(&code),
        "{text}"
    );
    assert_eq!(poll(&house, &device).await.1, "authorization_pending");
    let elsewhere = [("user_code", code.as_str()), ("org", "no-such-org"), ("decision", "confirm")];
    assert_eq!(browser.post("/activate", &elsewhere).await.status, 403);
    let org = house.get("their_org");
    let there = [("user_code", code.as_str()), ("org", &org), ("decision", "confirm")];
    assert!(browser.post("/activate", &there).await.text().contains("Congratulations"));
    let form = format!("{DEVICE}&device_code={device}&client_id={CLIENT}");
    let token = house.post_form("/oauth/token", &form).await.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let claims =
        jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(&token).expect("a token").claims;
    assert_eq!(claims["https://autoretouch.com/selectedOrganization"], json!(org));
}

#[tokio::test]
async fn polls_are_told_to_slow_down_exactly_when_they_should() {
    let house = House::new().await;
    let (device, code) = begin(&house).await;
    assert_eq!(poll(&house, &device).await, (403, "authorization_pending".to_owned()));
    house.clock.advance(Millis(3_999));
    assert_eq!(poll(&house, &device).await, (429, "slow_down".to_owned()));
    house.clock.advance(Millis(4_000));
    assert_eq!(
        poll(&house, &device).await,
        (403, "authorization_pending".to_owned()),
        "interval less a second"
    );
    let mut browser = admin(&house).await;
    browser.get(&format!("/activate?user_code={code}")).await;
    browser.post("/activate", &[("user_code", &code), ("decision", "confirm")]).await;
    assert_eq!(poll(&house, &device).await.0, 200, "an answer that is there is never held back");
    assert_eq!(poll(&house, &device).await, (403, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_device_is_denied_or_too_late() {
    let house = House::new().await;
    let mut browser = admin(&house).await;
    let (device, code) = begin(&house).await;
    browser.get(&format!("/activate?user_code={code}")).await;
    let denied = browser.post("/activate", &[("user_code", &code), ("decision", "deny")]).await;
    assert!(denied.text().contains("turned away"));
    assert_eq!(poll(&house, &device).await, (403, "access_denied".to_owned()));
    let (device, code) = begin(&house).await;
    browser.get(&format!("/activate?user_code={code}")).await;
    house.clock.advance(Millis::seconds(900));
    let late = browser.post("/activate", &[("user_code", &code), ("decision", "confirm")]).await;
    assert_eq!(late.status, 404);
    assert_eq!(poll(&house, &device).await, (403, "expired_token".to_owned()));
    let page = browser.get(&format!("/account/organizations/{}", house.get("org"))).await.text();
    assert!(page.contains("turned a device away") && !page.contains("let a device in"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_confirmations_that_race_one_counts() {
    let house = House::new().await;
    let (device, code) = begin(&house).await;
    let mut browser = admin(&house).await;
    browser.get(&format!("/activate?user_code={code}")).await;
    let decide = |decision: &'static str| {
        let mut browser = browser.clone();
        let code = code.clone();
        async move { browser.post("/activate", &[("user_code", &code), ("decision", decision)]).await.status }
    };
    let answers =
        futures::future::join_all((0..8).map(|at| decide(if at % 2 == 0 { "confirm" } else { "deny" })));
    let answers = answers.await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    let (status, error) = poll(&house, &device).await;
    assert!(status == 200 || error == "access_denied", "{status} {error}");
}

#[tokio::test]
async fn device_codes_are_given_at_a_pace() {
    let house = House::with(|settings| settings.device_codes_per_minute = 3).await;
    let form = format!("client_id={CLIENT}");
    for _ in 0..3 {
        assert_eq!(house.post_form("/oauth/device/code", &form).await.status, 200);
    }
    let refused = house.post_form("/oauth/device/code", &form).await;
    assert_eq!(outcome(&refused), (429, "slow_down".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("60"));
    house.clock.advance(Millis::seconds(60));
    assert_eq!(house.post_form("/oauth/device/code", &form).await.status, 200);
}

#[tokio::test]
async fn an_id_token_is_given_when_it_was_asked_for() {
    let house = House::new().await;
    for (scope, wanted) in [("offline_access%20openid", true), ("offline_access", false)] {
        let form = format!("client_id={CLIENT}&scope={scope}");
        let begun = house.post_form("/oauth/device/code", &form).await.json();
        let (device, code) =
            (begun["device_code"].as_str().expect("a code"), begun["user_code"].as_str().expect("a code"));
        assert!(device.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{device}");
        let mut browser = admin(&house).await;
        browser.get(&format!("/activate?user_code={code}")).await;
        browser.post("/activate", &[("user_code", code), ("decision", "confirm")]).await;
        let form = format!("{DEVICE}&device_code={device}&client_id={CLIENT}");
        let tokens = house.post_form("/oauth/token", &form).await.json();
        assert_eq!(tokens.get("id_token").is_some(), wanted, "{tokens}");
        assert_eq!(tokens["scope"].as_str().expect("a scope").contains("openid"), wanted);
    }
}

#[tokio::test]
async fn links_lead_to_where_people_sign_in_and_never_to_a_host_of_the_requests() {
    let house = House::new().await;
    let settings = api::ApiSettings {
        hosts: api::Hosts {
            api: vec!["api.retouch.example".parse().expect("a host")],
            auth: vec!["auth.retouch.example".parse().expect("a host")],
        },
        ..api::ApiSettings::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let router = api::router(house.service.clone(), settings, Arc::new(Ready));
    let serving = tokio::spawn(async move {
        api::serve(listener, router, api::Serving::default(), std::future::pending()).await.expect("served");
    });
    let invite = |host: &'static str| {
        let body = r#"{"role":"operator"}"#;
        let request = format!(
            "POST /packshot/v1/invitations HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            house.get("token"),
            body.len()
        );
        async move {
            let made = exchange(at, request.as_bytes()).await;
            assert_eq!(made.status, 201, "{}", made.text());
            let link = made.json()["link"].as_str().expect("a link").to_owned();
            link.split_once("/invitation/").expect("an invitation").0.to_owned()
        }
    };
    assert_eq!(invite("api.retouch.example:8787").await, "http://auth.retouch.example:8787");
    assert_eq!(invite("evil.example").await, format!("http://{}", house.at));

    let mut browser = admin(&house).await;
    let page = format!("/account/organizations/{}", house.get("org"));
    browser.get(&page).await;
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let form = format!("form_token={}&action=invite&role=operator&email=", browser.token);
    for (host, wanted) in [
        ("auth.retouch.example", "http://auth.retouch.example".to_owned()),
        ("evil.example", format!("http://{}", house.at)),
    ] {
        let request = format!(
            "POST {page} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncookie: {}\r\ncontent-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            cookies.join("; "),
            form.len()
        );
        let made = exchange(at, request.as_bytes()).await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert!(made.text().contains(&format!("{wanted}/invitation/")), "{host}: {}", made.text());
    }
    serving.abort();
}
