//! People and devices on their way in, as tests play them.

use crate::browser::{Browser, between, location};
use crate::house::{CLIENT, EMAIL, House};
use crate::http::Answer;

pub const DEVICE: &str = "grant_type=urn:ietf:params:oauth:grant-type:device_code";
pub const PASSWORD: &str = "correct horse battery";
pub const SESSION: &str = "packshot_session";

pub async fn begin(house: &House) -> (String, String) {
    let begun = house
        .post_form("/oauth/device/code", &format!("client_id={CLIENT}&scope=offline_access"))
        .await
        .json();
    let text = |name: &str| begun[name].as_str().expect("a text").to_owned();
    (text("device_code"), text("user_code"))
}

pub async fn poll(house: &House, device: &str) -> (u16, String) {
    let form = format!("{DEVICE}&device_code={device}&client_id={CLIENT}");
    outcome(&house.post_form("/oauth/token", &form).await)
}

pub fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

pub async fn refresh(house: &House, token: &str) -> (u16, String) {
    let form = format!("grant_type=refresh_token&refresh_token={token}&client_id={CLIENT}");
    outcome(&house.post_form("/oauth/token", &form).await)
}

/// A browser in which the administrator is signed in.
pub async fn admin(house: &House) -> Browser<'_> {
    let mut browser = Browser::new(house);
    assert_eq!(location(&browser.sign_in(EMAIL, &house.password).await), "/account");
    browser
}

/// Invites, and answers the link's path.
pub async fn invite(house: &House, admin: &mut Browser<'_>, role: &str, email: &str) -> String {
    let page = format!("/account/organizations/{}", house.get("org"));
    assert_eq!(admin.get(&page).await.status, 200);
    let made = admin.post(&page, &[("action", "invite"), ("role", role), ("email", email)]).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let text = made.text();
    let secret = between(&text, "/invitation/", "<").expect("a link");
    assert!(text.contains(&format!("http://{}/invitation/{secret}", house.at)));
    assert!(!admin.get(&page).await.text().contains(secret), "it is shown once");
    format!("/invitation/{secret}")
}

/// A browser in which a new operator is signed in.
pub async fn operator<'a>(house: &'a House, admin: &mut Browser<'_>, email: &str) -> Browser<'a> {
    let link = invite(house, admin, "operator", "").await;
    let mut browser = Browser::new(house);
    assert_eq!(browser.get(&link).await.status, 200);
    let joined = browser.post(&link, &[("email", email), ("new_password", PASSWORD)]).await;
    assert_eq!(location(&joined), format!("/account/organizations/{}?done=joined", house.get("org")));
    browser
}
