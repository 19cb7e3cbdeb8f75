//! Tokens and sign-in against those who forge, guess and race.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use service::ServiceSettings;
use service::access::Decision;
use store::Access;

use crate::house::{CLIENT, EMAIL, House, UPLOAD_MAX};
use crate::http::Answer;

const DEVICE: &str = "grant_type=urn:ietf:params:oauth:grant-type:device_code";

/// What the organization's list answers to that token.
async fn status(house: &House, token: &str) -> (u16, String) {
    let answer = house.get_with("/v1/organization", token).await;
    (answer.status, answer.header("x-error-code").unwrap_or_default().to_owned())
}

fn payload(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).expect("a token").claims
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let house = House::new().await;
    let good = house.get("token");
    let key = house.store.signing_keys().await.expect("keys").remove(0);
    let claims = payload(&good);
    let header =
        |alg, typ: &str| Header { typ: Some(typ.to_owned()), kid: Some(key.kid.clone()), ..Header::new(alg) };
    let ours = EncodingKey::from_ed_der(&key.private);
    let sign = |header: &Header, claims: &Value, key: &EncodingKey| {
        jsonwebtoken::encode(header, claims, key).expect("signed")
    };
    let access = header(Algorithm::EdDSA, "at+jwt");
    assert_eq!(status(&house, &sign(&access, &claims, &ours)).await.0, 200, "the way to forge works");

    let mut theirs = key.private.clone();
    theirs[40] ^= 1;
    let theirs = EncodingKey::from_ed_der(&theirs);
    let jwks = house.get_with("/.well-known/jwks.json", "").await.json();
    let public = jwks["keys"][0]["x"].as_str().expect("a public key").to_owned();
    let mut parts = good.split('.');
    let (_, middle, signature) =
        (parts.next(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(name);
        claims
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let forged = [
        ("no algorithm", format!("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0.{middle}.")),
        (
            "no algorithm, a signature",
            format!("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0.{middle}.{signature}"),
        ),
        (
            "the public key as a secret",
            sign(&header(Algorithm::HS256, "at+jwt"), &claims, &EncodingKey::from_secret(public.as_bytes())),
        ),
        ("another key under our name", sign(&access, &claims, &theirs)),
        ("another kind of token", sign(&header(Algorithm::EdDSA, "JWT"), &claims, &ours)),
        (
            "a key nobody knows",
            sign(&Header { kid: Some("other".to_owned()), ..access.clone() }, &claims, &ours),
        ),
        ("no key named", sign(&Header { kid: None, ..access.clone() }, &claims, &ours)),
        ("no audience", sign(&access, &without("aud"), &ours)),
        ("another audience", sign(&access, &with("aud", json!("https://elsewhere.example")), &ours)),
        ("no issuer", sign(&access, &without("iss"), &ours)),
        ("another issuer", sign(&access, &with("iss", json!("elsewhere")), &ours)),
        ("no end", sign(&access, &without("exp"), &ours)),
        ("an end that is no number", sign(&access, &with("exp", json!("never")), &ours)),
        ("nobody", sign(&access, &without("sub"), &ours)),
        ("the signature cut off", good[..good.len() - 4].to_owned()),
        ("nothing", "..".to_owned()),
        ("no token at all", "é".to_owned()),
    ];
    for (what, token) in forged {
        assert_eq!(status(&house, &token).await, (401, "token_invalid".to_owned()), "{what}");
    }
    let past = with("exp", json!(claims["iat"]));
    assert_eq!(status(&house, &sign(&access, &past, &ours)).await, (401, "token_expired".to_owned()));
    let stranger = sign(&access, &with("sub", json!("packshot|nobody")), &ours);
    let page = house.get_with("/v1/organization", &stranger).await.json();
    assert_eq!(page, json!({ "entries": [], "total": 0 }), "a user who is gone sees nothing");
}

#[tokio::test]
async fn a_token_says_what_integrations_read_from_it() {
    let house = House::new().await;
    let claims = payload(&house.get("token"));
    assert_eq!(claims["https://autoretouch.com/selectedOrganization"], json!(house.get("org")));
    assert_eq!(claims["sub"], json!(house.get("user")));
    assert_eq!(claims["azp"], json!(CLIENT));
    assert_eq!(claims["scope"], json!("offline_access"));
    assert_eq!(claims["exp"].as_i64().expect("a number") - claims["iat"].as_i64().expect("a number"), 86_400);
    for secret in [house.get("refresh_token"), house.get("api_key")] {
        assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)), "{secret}");
    }
}

#[tokio::test]
async fn other_names_make_other_tokens() {
    let house = House::new().await;
    let elsewhere = ServiceSettings {
        audience: "https://elsewhere.example".to_owned(),
        upload_bytes_max: UPLOAD_MAX,
        ..ServiceSettings::default()
    };
    let elsewhere = House::service_over(&house.store, &house.blobs, &house.ids, elsewhere);
    let token = elsewhere.refresh(CLIENT, &house.get("refresh_token")).await.expect("a token").access_token;
    elsewhere.bearer(&token).await.expect("good there");
    assert_eq!(status(&house, &token).await.0, 401);
    assert!(elsewhere.bearer(&house.get("token")).await.is_err());
}

#[tokio::test]
async fn clients_not_on_the_list_may_not_sign_in() {
    let house = House::with(|settings| settings.allowed_clients = Some(vec![CLIENT.to_owned()])).await;
    for (path, form) in [
        ("/oauth/device/code", "client_id=other&scope=offline_access".to_owned()),
        ("/oauth/token", format!("{DEVICE}&device_code=x&client_id=other")),
        (
            "/oauth/token",
            format!("grant_type=refresh_token&refresh_token={}&client_id=other", house.get("refresh_token")),
        ),
    ] {
        let answer = house.post_form(path, &form).await;
        assert_eq!(
            (answer.status, answer.json()["error"].clone()),
            (401, json!("unauthorized_client")),
            "{path}"
        );
    }
    let begun = house.post_form("/oauth/device/code", &format!("client_id={CLIENT}")).await;
    assert_eq!(begun.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_works_many_times_at_once() {
    let house = House::new().await;
    let form =
        format!("grant_type=refresh_token&refresh_token={}&client_id={CLIENT}", house.get("refresh_token"));
    let answers = futures::future::join_all((0..20).map(|_| house.post_form("/oauth/token", &form))).await;
    let tokens: std::collections::HashSet<String> = answers
        .iter()
        .map(|answer| answer.json()["access_token"].as_str().expect("a token").to_owned())
        .collect();
    assert_eq!(tokens.len(), 20);
    for token in tokens {
        assert_eq!(status(&house, &token).await.0, 200);
    }
}

async fn begin(house: &House) -> (String, String) {
    let begun = house
        .post_form("/oauth/device/code", &format!("client_id={CLIENT}&scope=offline_access"))
        .await
        .json();
    let text = |name: &str| begun[name].as_str().expect("a text").to_owned();
    let (device, user) = (text("device_code"), text("user_code"));
    assert_eq!(text("verification_uri_complete"), format!("{}?user_code={user}", text("verification_uri")));
    assert!(device.bytes().all(|b| b.is_ascii_alphanumeric()), "{device}");
    assert_eq!(user.len(), 9);
    (device, user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_that_race_get_one_set_of_tokens() {
    let house = House::new().await;
    let (device, user) = begin(&house).await;
    let decision = Decision::Confirm { email: EMAIL.to_uppercase(), password: house.password.clone() };
    house
        .service
        .decide_device(&user.to_lowercase(), decision, [127, 0, 0, 1].into())
        .await
        .expect("confirmed");
    let form = format!("{DEVICE}&device_code={device}&client_id={CLIENT}");
    let answers: Vec<Answer> =
        futures::future::join_all((0..8).map(|_| house.post_form("/oauth/token", &form))).await;
    let got = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(got, 1, "{:?}", answers.iter().map(Answer::text).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.json()["error"].clone()), (403, json!("invalid_grant")));
    }
}

#[tokio::test]
async fn guessing_codes_and_passwords_is_soon_over() {
    let house = House::new().await;
    for _ in 0..5 {
        let answer = house.get_with("/activate?user_code=BCDF-GHJK", "").await;
        assert_eq!(answer.status, 404);
    }
    let refused = house.get_with("/activate?user_code=BCDF-GHJK", "").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("600"));
    assert!(refused.text().contains("Too many wrong tries; wait 10 minutes"), "{}", refused.text());
    let (_, user) = begin(&house).await;
    assert_eq!(
        house.get_with(&format!("/activate?user_code={user}"), "").await.status,
        429,
        "a right one waits, too"
    );

    house.clock.advance(domain::time::Millis::seconds(600));
    let from: std::net::IpAddr = [198, 51, 100, 7].into();
    let guess = |password: &str, email: &str, from| {
        let decision = Decision::Confirm { email: email.to_owned(), password: password.to_owned() };
        house.service.decide_device(&user, decision, from)
    };
    for _ in 0..5 {
        assert_eq!(guess("wrong", EMAIL, from).await.expect_err("refused").code(), "wrong_password");
    }
    assert_eq!(guess(&house.password, EMAIL, from).await.expect_err("refused").code(), "too_many_tries");
    assert_eq!(
        guess("wrong", "else@nordlicht.example", from).await.expect_err("refused").code(),
        "too_many_tries"
    );
    house.clock.advance(domain::time::Millis::seconds(600));
    assert_eq!(
        guess(&house.password, EMAIL, from).await.expect_err("refused").code(),
        "device_code_not_found"
    );
}

#[tokio::test]
async fn guessing_from_elsewhere_keeps_nobody_out() {
    let house = House::with(|settings| settings.wrong_tries_for_a_name_max = 12).await;
    let at = |last: u8| std::net::IpAddr::from([198, 51, 100, last]);
    let try_in = |password: &str, from| {
        let password = password.to_owned();
        let house = &house;
        async move { house.service.authenticate(EMAIL, &password, from).await.map_err(|refusal| refusal.code()) }
    };
    for _ in 0..5 {
        assert_eq!(try_in("wrong", at(1)).await.expect_err("wrong"), "wrong_password");
    }
    assert_eq!(try_in(&house.password, at(1)).await.expect_err("too many"), "too_many_tries");
    try_in(&house.password, at(2)).await.expect("five wrong ones elsewhere are nothing to them");

    // A name has its limit, too: a crowd of addresses guesses no faster than that.
    for from in [3, 3, 3, 4, 4, 4, 5] {
        assert_eq!(try_in("wrong", at(from)).await.expect_err("wrong"), "wrong_password");
    }
    assert_eq!(try_in(&house.password, at(6)).await.expect_err("too many"), "too_many_tries");
    house.clock.advance(domain::time::Millis::seconds(600));
    try_in(&house.password, at(6)).await.expect("the guesses are over");
}

#[tokio::test]
async fn a_name_that_is_guessed_at_costs_an_address_nothing() {
    let house = House::with(|settings| settings.wrong_tries_for_a_name_max = 1).await;
    let (elsewhere, here) = ([198, 51, 100, 1].into(), [198, 51, 100, 2].into());
    house.service.authenticate(EMAIL, "wrong", elsewhere).await.expect_err("wrong");
    for _ in 0..8 {
        let refused = house.service.authenticate(EMAIL, &house.password, here).await.expect_err("too many");
        assert_eq!(refused.code(), "too_many_tries");
    }
    let refused = house.service.authenticate("else@nordlicht.example", "wrong", here).await;
    assert_eq!(refused.expect_err("wrong").code(), "wrong_password", "the address has all its tries");
}
