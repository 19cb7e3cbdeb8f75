//! 1 to 11: paths, sign-in, tokens.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::house::{CLIENT, House, SPELLINGS, is_error, is_uuid, members, picture};

#[test]
fn behaviour_01_health_needs_no_token() {
    let house = House::open();
    for (prefix, slash) in SPELLINGS {
        assert_eq!(house.send_bare("GET", &format!("{prefix}/health{slash}"), &[], b"").status, 200);
    }
}

/// An answer without what differs from one asking to the next.
fn told(house: &House, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Option<String>, Value) {
    let headers = if kind.is_empty() { vec![] } else { vec![("content-type", kind)] };
    let answer = house.send(method, path, &headers, body);
    assert!(!(300..400).contains(&answer.status) && answer.header("location").is_none(), "{path}");
    let text = answer.text();
    let mut body: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!(text));
    if let Some(error) = body.as_object_mut().filter(|object| object.contains_key("timestamp")) {
        error.remove("timestamp");
        error.remove("path");
    }
    if answer.status == 201 && body.as_str().is_some_and(is_uuid) {
        body = json!("a new id");
    }
    (answer.status, answer.header("content-type").map(str::to_owned), body)
}

#[test]
fn behaviour_02_every_spelling_of_a_path_answers_the_same() {
    let house = House::open();
    let form = "multipart/form-data; boundary=q7";
    let file = [
        b"--q7\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n".as_slice(),
        &picture("a"),
        b"\r\n--q7--\r\n",
    ]
    .concat();
    let hash = house.upload(&picture("a"));
    let workflow = house.workflow("Export only");
    let done = house.create("done.jpg");
    house.wait(&done);
    let (org, unknown) = (&house.organization, "00000000-0000-0000-0000-000000000000");
    let get = |path: String| ("GET", path, "", &b""[..], 200);
    let executions = "/workflow/execution";
    // Any body will do for its clients; the one at `/v1/health` is that of the other interface that lies there.
    for (prefix, slash) in SPELLINGS {
        assert_eq!(house.send_bare("GET", &format!("{prefix}/health{slash}"), &[], b"").status, 200);
    }
    let rows = [
        get("/organization".to_owned()),
        get(format!("/organization/{org}")),
        get("/organization/balance".to_owned()),
        get("/company/balance".to_owned()),
        get("/workflow".to_owned()),
        get(format!("/workflow/{workflow}")),
        get(format!("/upload?contentHash={hash}")),
        ("HEAD", format!("/upload?contentHash={hash}"), "", b"", 200),
        ("POST", "/upload".to_owned(), form, &file, 201),
        get(format!("/image/{hash}/a.jpg")),
        ("HEAD", format!("/image/{hash}/a.jpg"), "", b"", 200),
        ("POST", format!("{executions}/create?workflow={workflow}"), form, &file, 201),
        get(format!("{executions}?inputFileName=done.jpg")),
        get(format!("{executions}/{done}")),
        get(format!("{executions}/{done}/status")),
        get(format!("{executions}/{done}/result/default")),
        ("POST", format!("{executions}/{done}/retry"), "application/json", b"", 404),
        ("POST", format!("{executions}/retry?execution={done}"), "", b"", 404),
        ("GET", format!("/organization/{unknown}"), "", b"", 404),
        ("GET", format!("/workflow/{unknown}"), "", b"", 404),
        ("GET", format!("{executions}/{unknown}"), "", b"", 404),
        ("DELETE", format!("/workflow/{workflow}"), "", b"", 405),
    ];
    for (method, path, kind, body, status) in rows {
        let (plain, query) =
            path.split_once('?').map_or((path.as_str(), ""), |(plain, query)| (plain, query));
        let balance = house.balance();
        let answers: Vec<_> = SPELLINGS
            .iter()
            .map(|(prefix, slash)| {
                told(&house, method, &format!("{prefix}{plain}{slash}?{query}"), kind, body)
            })
            .collect();
        assert_eq!(answers[0].0, status, "{method} {path}: {:?}", answers[0]);
        for (answer, spelling) in answers.iter().zip(SPELLINGS) {
            assert_eq!(answer, &answers[0], "{method} {path} as {spelling:?}");
        }
        let created = if path.contains("/create") { SPELLINGS.len() as i64 } else { 0 };
        assert_eq!(house.balance(), balance - 10 * created, "{method} {path}");
    }
}

#[test]
fn behaviour_03_device_codes_for_raw_and_encoded_forms() {
    let house = House::open();
    let raw = format!("client_id={CLIENT}&scope=offline_access&audience=https://api.autoretouch.com");
    let encoded =
        raw.replace(':', "%3A").replace('/', "%2F").replace('_', "%5F").replace("client%5Fid", "client_id");
    for form in [raw, encoded] {
        let answer = house.post_form("/oauth/device/code", &form);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let codes = answer.json();
        assert_eq!(
            members(&codes),
            [
                "device_code",
                "expires_in",
                "interval",
                "user_code",
                "verification_uri",
                "verification_uri_complete"
            ]
        );
        let user_code = codes["user_code"].as_str().expect("a code");
        let letters: Vec<_> = user_code.split('-').collect();
        assert!(letters.len() == 2, "{user_code}");
        assert!(letters.iter().all(|four| four.len() == 4 && four.bytes().all(|c| c.is_ascii_uppercase())));
        assert_eq!(codes["verification_uri"], format!("{}/activate", house.base));
        let complete = format!("{}/activate?user_code={user_code}", house.base);
        assert_eq!(codes["verification_uri_complete"], complete);
        assert_eq!((&codes["expires_in"], &codes["interval"]), (&json!(900), &json!(5)));
        let page = house.send_bare("GET", &format!("/activate?user_code={user_code}"), &[], b"");
        assert_eq!(page.status, 200, "{}", page.text());
    }
}

#[test]
fn behaviour_04_a_device_waits_until_somebody_decides() {
    let house = House::open();
    let refused = |answer: crate::house::Raw, status: u16, error: &str| {
        assert_eq!((answer.status, &answer.json()["error"]), (status, &json!(error)), "{}", answer.text());
        assert_eq!(members(&answer.json()), ["error", "error_description"]);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    };
    let codes = house.begin_device("offline_access");
    // At once after the code, as the Python client does; then sooner than the interval allows.
    refused(house.poll_device(&codes), 403, "authorization_pending");
    refused(house.poll_device(&codes), 429, "slow_down");
    house.decide(codes["user_code"].as_str().expect("a code"), "confirm");
    let answer = house.poll_device(&codes);
    assert_eq!(answer.status, 200, "{}", answer.text());

    let codes = house.begin_device("offline_access");
    house.decide(codes["user_code"].as_str().expect("a code"), "deny");
    refused(house.poll_device(&codes), 403, "access_denied");
    refused(house.poll_device(&json!({ "device_code": "unknown" })), 403, "invalid_grant");
    refused(house.refresh("unknown"), 403, "invalid_grant");
    refused(house.post_form("/oauth/token", &format!("client_id={CLIENT}")), 400, "invalid_request");
    let other = format!("grant_type=password&client_id={CLIENT}");
    refused(house.post_form("/oauth/token", &other), 400, "unsupported_grant_type");
}

#[test]
fn behaviour_05_a_device_gets_exactly_five_members_once() {
    let house = House::open();
    let codes = house.begin_device("offline_access");
    house.decide(codes["user_code"].as_str().expect("a code"), "confirm");
    let answer = house.poll_device(&codes);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let tokens = answer.json();
    assert_eq!(members(&tokens), ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!(tokens["expires_in"], 86400);
    assert_eq!((&tokens["scope"], &tokens["token_type"]), (&json!("offline_access"), &json!("Bearer")));
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("a token"));
    let listed = house.send_bare("GET", "/organization", &[("authorization", &bearer)], b"");
    assert_eq!(listed.status, 200, "{}", listed.text());
    let again = house.poll_device(&codes);
    assert_eq!((again.status, &again.json()["error"]), (403, &json!("invalid_grant")));

    // A sixth member only for those who ask for it.
    let codes = house.begin_device("offline_access%20openid");
    house.decide(codes["user_code"].as_str().expect("a code"), "confirm");
    assert!(house.poll_device(&codes).json()["id_token"].is_string());
}

#[test]
fn behaviour_06_a_refresh_answers_no_refresh_token() {
    let house = House::open();
    let answer = house.refresh(house.credentials["refresh_token"].as_str().expect("a token"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let tokens = answer.json();
    assert_eq!(members(&tokens), ["access_token", "expires_in", "scope", "token_type"]);
    assert_eq!((&tokens["expires_in"], &tokens["token_type"]), (&json!(86400), &json!("Bearer")));
}

#[test]
fn behaviour_07_a_refresh_token_works_until_it_is_revoked() {
    let house = House::open();
    let refresh = house.credentials["refresh_token"].as_str().expect("a token");
    let tokens: BTreeSet<String> = std::thread::scope(|scope| {
        let refreshing: Vec<_> = (0..16).map(|_| scope.spawn(|| house.refresh(refresh))).collect();
        refreshing
            .into_iter()
            .map(|thread| thread.join().expect("it ends"))
            .map(|answer| {
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.json()["access_token"].as_str().expect("a token").to_owned()
            })
            .collect()
    });
    let works = |token: &str| {
        let bearer = format!("Bearer {token}");
        house.send_bare("GET", "/organization", &[("authorization", &bearer)], b"").status == 200
    };
    assert!(tokens.iter().all(|token| works(token)));
    let revoke = |token: &str| {
        let body = json!({ "client_id": CLIENT, "token": token }).to_string();
        house.send_bare("POST", "/oauth/revoke", &[("content-type", "application/json")], body.as_bytes())
    };
    let unknown = revoke("unknown");
    assert_eq!((unknown.status, unknown.body.len()), (200, 0));
    assert_eq!(house.refresh(refresh).status, 200);
    let revoked = revoke(refresh);
    assert_eq!((revoked.status, revoked.body.len()), (200, 0));
    for _ in 0..2 {
        let answer = house.refresh(refresh);
        assert_eq!((answer.status, &answer.json()["error"]), (403, &json!("invalid_grant")));
    }
    assert!(tokens.iter().all(|token| works(token)), "access tokens live on to their end");
    let form = house.post_form("/oauth/revoke", &format!("client_id={CLIENT}&token={refresh}"));
    assert_eq!((form.status, form.body.len()), (200, 0));
}

#[test]
fn behaviour_08_codes_and_refresh_tokens_need_no_escaping() {
    let house = House::open();
    let plain = |text: &Value| {
        let text = text.as_str().expect("text").to_owned();
        assert!(text.len() >= 20, "{text}");
        assert!(text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.~".contains(&c)), "{text}");
    };
    for scope in ["offline_access", "offline_access%20openid"] {
        for _ in 0..5 {
            plain(&house.begin_device(scope)["device_code"]);
        }
        let codes = house.begin_device(scope);
        house.decide(codes["user_code"].as_str().expect("a code"), "confirm");
        plain(&house.poll_device(&codes).json()["refresh_token"]);
    }
    plain(&house.credentials["refresh_token"]);
}

#[test]
fn behaviour_09_the_access_token_names_the_organization() {
    let house = House::open();
    let parts: Vec<_> = house.token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let payload: Value = serde_json::from_slice(&base64url(parts[1])).expect("JSON");
    assert_eq!(payload["https://autoretouch.com/selectedOrganization"], house.organization);
    assert!(payload["sub"].as_str().is_some_and(|sub| !sub.is_empty()), "{payload}");
    let number = |name: &str| payload[name].as_i64().unwrap_or_else(|| panic!("no `{name}` in {payload}"));
    assert_eq!(number("exp") - number("iat"), 86400);
    let header: Value = serde_json::from_slice(&base64url(parts[0])).expect("JSON");
    let keys = house.send_bare("GET", "/.well-known/jwks.json", &[], b"").json();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
}

fn base64url(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut many) = (Vec::new(), 0u32, 0);
    for letter in text.bytes() {
        let value = LETTERS.iter().position(|known| *known == letter).expect("base64url without padding");
        bits = bits << 6 | value as u32;
        many += 6;
        if many >= 8 {
            many -= 8;
            bytes.push((bits >> many) as u8);
        }
    }
    bytes
}

#[test]
fn behaviour_10_no_or_a_bad_token_is_401() {
    let house = House::with(&[("PACKSHOT_ACCOUNTS__ACCESS_TOKEN_SECONDS", "1")]);
    let old = format!("Bearer {}", house.token);
    house.until("the token expires", || {
        house.send_bare("GET", "/organization", &[("authorization", &old)], b"").status == 401
    });
    let changed = format!("{}x", old);
    let id = "00000000-0000-0000-0000-000000000000";
    let paths = [
        ("GET", "/v1/organization".to_owned()),
        ("GET", format!("/v1/organization/{id}")),
        ("GET", "/organization/balance".to_owned()),
        ("GET", "/company/balance/".to_owned()),
        ("GET", "/v1/workflow".to_owned()),
        ("GET", format!("/v2/workflow/{id}")),
        ("POST", "/upload".to_owned()),
        ("GET", "/upload".to_owned()),
        ("GET", "/image/nonsense/a.png".to_owned()),
        ("POST", "/v1/workflow/execution/create".to_owned()),
        ("GET", "/v2/workflow/execution/".to_owned()),
        ("GET", format!("/v1/workflow/execution/{id}")),
        ("GET", format!("/v1/workflow/execution/{id}/status")),
        ("GET", format!("/v1/workflow/execution/{id}/result/default")),
        ("POST", format!("/v1/workflow/execution/{id}/retry")),
    ];
    for (method, path) in &paths {
        let bad = ["", "Bearer", "Bearer ", "Bearer nonsense", "Bearer a.b.c", "Basic YTpi", &old, &changed];
        for header in bad {
            let headers = if header.is_empty() { vec![] } else { vec![("authorization", header)] };
            let answer = house.send_bare(method, path, &headers, b"");
            is_error(&answer, 401, "Unauthorized", path);
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.starts_with("Bearer"), "{challenge}");
        }
    }
}

#[test]
fn behaviour_11_the_content_type_of_a_bodiless_get_is_noise() {
    let house = House::open();
    let paths = ["/organization", "/organization/balance", "/v1/workflow", "/v2/workflow/execution/"];
    for path in paths {
        let expected = house.send("GET", path, &[], b"");
        for kind in ["json", "application/json", "text/plain", "text/event-stream", "multipart/form-data"] {
            for accept in ["*/*", "text/plain, application/json, application/*+json, */*", "image/*"] {
                let answer = house.send("GET", path, &[("content-type", kind), ("accept", accept)], b"");
                assert_eq!(answer.status, 200, "{path} as {kind}");
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(answer.body, expected.body);
            }
        }
    }
}
