//! The page on which a person lets a device in, used as a browser uses it.

use crate::house::{CLIENT, EMAIL, House};
use crate::http::{Answer, send};

async fn begin(house: &House) -> (String, String) {
    let begun = house.post_form("/oauth/device/code", &format!("client_id={CLIENT}")).await.json();
    let text = |name: &str| begun[name].as_str().expect("a text").to_owned();
    (text("device_code"), text("user_code"))
}

async fn poll(house: &House, device: &str) -> u16 {
    let form = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={device}&client_id={CLIENT}"
    );
    house.post_form("/oauth/token", &form).await.status
}

/// The cookie an answer sets, and the token its form carries.
fn cookie_and_token(answer: &Answer) -> (String, String) {
    let cookie =
        answer.header("set-cookie").expect("a cookie").split(';').next().unwrap_or_default().to_owned();
    let text = answer.text();
    let token = text
        .split("name=\"form_token\" value=\"")
        .nth(1)
        .expect("a token")
        .split('"')
        .next()
        .unwrap_or_default();
    (cookie, token.to_owned())
}

async fn post(house: &House, cookie: &str, form: &str, more: &[(&str, &str)]) -> Answer {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
    headers.extend_from_slice(more);
    send(house.at, "POST", "/activate", &headers, form.as_bytes()).await
}

#[tokio::test]
async fn a_person_compares_the_code_signs_in_and_confirms() {
    let house = House::new().await;
    let (device, code) = begin(&house).await;
    let page = house.get_with(&format!("/activate?user_code={code}"), "").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains(&code), "{}", page.text());
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(
        !page.text().contains("<script") && !page.text().contains("style="),
        "nothing the policy forbids"
    );
    let (cookie, token) = cookie_and_token(&page);
    assert!(
        page.header("set-cookie")
            .is_some_and(|set| set.contains("HttpOnly") && set.contains("SameSite=Strict"))
    );

    let form = |password: &str| {
        let email = EMAIL.replace('@', "%40");
        format!("form_token={token}&user_code={code}&email={email}&password={password}&decision=confirm")
    };
    let wrong = post(&house, &cookie, &form("wrong"), &[]).await;
    assert_eq!(wrong.status, 401);
    assert!(
        wrong.text().contains("The e-mail address or the password is wrong") && wrong.text().contains(EMAIL)
    );
    assert!(!wrong.text().contains("value=\"wrong\""), "the password is not sent back");
    assert_eq!(poll(&house, &device).await, 403);

    let done = post(&house, &cookie, &form(&house.password), &[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(done.status, 200);
    assert!(done.text().contains("Congratulations, you’re all set"), "{}", done.text());
    assert_eq!(poll(&house, &device).await, 200);

    let again = post(&house, &cookie, &form(&house.password), &[]).await;
    assert_eq!(again.status, 404, "a decision counts once");
}

#[tokio::test]
async fn a_person_turns_a_device_away_without_signing_in() {
    let house = House::new().await;
    let (device, code) = begin(&house).await;
    let (cookie, token) =
        cookie_and_token(&house.get_with(&format!("/v1/activate/?user_code={code}"), "").await);
    let form = format!("form_token={token}&user_code={code}&email=&password=&decision=deny");
    let done = post(&house, &cookie, &form, &[]).await;
    assert_eq!(done.status, 200);
    assert!(done.text().contains("turned away"));
    assert_eq!(poll(&house, &device).await, 403);
}

#[tokio::test]
async fn forms_from_elsewhere_do_nothing() {
    let house = House::new().await;
    let (device, code) = begin(&house).await;
    let (cookie, token) = cookie_and_token(&house.get_with(&format!("/activate?user_code={code}"), "").await);
    let form = |token: &str| format!("form_token={token}&user_code={code}&decision=deny");
    assert_eq!(post(&house, "other=1", &form(&token), &[]).await.status, 403);
    assert_eq!(post(&house, &cookie, &form("guessed"), &[]).await.status, 403);
    assert_eq!(post(&house, &cookie, &form(&token), &[("sec-fetch-site", "cross-site")]).await.status, 403);
    let page = house.get_with(&format!("/activate?user_code={code}"), "").await;
    assert_eq!(page.status, 200, "nobody has decided");
    assert_eq!(poll(&house, &device).await, 403);
}

#[tokio::test]
async fn the_page_asks_for_a_code_and_shows_none_that_is_not_there() {
    let house = House::new().await;
    let page = house.get_with("/activate", "").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("name=\"user_code\""));
    let wrong = house.get_with("/activate?user_code=%3Cscript%3Ealert(1)%3C/script%3E", "").await;
    assert_eq!(wrong.status, 404);
    assert_eq!(wrong.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(!wrong.text().contains("<script>"), "{}", wrong.text());
    let style = house.get_with("/pages.css", "").await;
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
}
