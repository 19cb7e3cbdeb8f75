//! Accounts, sign-in, invitations and connections, used as a browser uses them.

use domain::time::Millis;
use serde_json::json;

use crate::browser::{Browser, between, location};
use crate::house::{CLIENT, EMAIL, House};
use crate::http::{Answer, exchange, send};

const DEVICE: &str = "grant_type=urn:ietf:params:oauth:grant-type:device_code";
const PASSWORD: &str = "correct horse battery";
const SESSION: &str = "packshot_session";

async fn begin(house: &House) -> (String, String) {
    let begun = house
        .post_form("/oauth/device/code", &format!("client_id={CLIENT}&scope=offline_access"))
        .await
        .json();
    let text = |name: &str| begun[name].as_str().expect("a text").to_owned();
    (text("device_code"), text("user_code"))
}

async fn poll(house: &House, device: &str) -> (u16, String) {
    let form = format!("{DEVICE}&device_code={device}&client_id={CLIENT}");
    outcome(&house.post_form("/oauth/token", &form).await)
}

fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

async fn refresh(house: &House, token: &str) -> (u16, String) {
    let form = format!("grant_type=refresh_token&refresh_token={token}&client_id={CLIENT}");
    outcome(&house.post_form("/oauth/token", &form).await)
}

/// A browser in which the administrator is signed in.
async fn admin(house: &House) -> Browser<'_> {
    let mut browser = Browser::new(house);
    assert_eq!(location(&browser.sign_in(EMAIL, &house.password).await), "/account");
    browser
}

/// Invites, and answers the link's path.
async fn invite(house: &House, admin: &mut Browser<'_>, role: &str, email: &str) -> String {
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
async fn operator<'a>(house: &'a House, admin: &mut Browser<'_>, email: &str) -> Browser<'a> {
    let link = invite(house, admin, "operator", "").await;
    let mut browser = Browser::new(house);
    assert_eq!(browser.get(&link).await.status, 200);
    let joined = browser.post(&link, &[("email", email), ("new_password", PASSWORD)]).await;
    assert_eq!(location(&joined), format!("/account/organizations/{}?done=joined", house.get("org")));
    browser
}

#[tokio::test]
async fn a_person_signs_in_and_out() {
    let house = House::new().await;
    let mut browser = Browser::new(&house);
    assert_eq!(location(&browser.get("/account").await), "/login?next=%2Faccount");
    let page = browser.get("/login?next=%2Faccount%2Fconnections").await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("<script") && !page.text().contains("style="));
    let wrong = [("email", EMAIL), ("password", "wrong"), ("next", "/account/connections")];
    let refused = browser.post("/login", &wrong).await;
    assert_eq!(refused.status, 401);
    let text = refused.text();
    assert!(text.contains("<title>Error: Sign in") && text.contains("href=\"#password\""), "{text}");
    assert!(text.contains("aria-describedby=\"password-fault\"") && text.contains(EMAIL));
    assert!(!text.contains("value=\"wrong\""), "the password is not sent back");
    assert!(!browser.cookies.contains_key(SESSION));

    let right = [("email", EMAIL), ("password", house.password.as_str()), ("next", "/account/connections")];
    let entered = browser.post("/login", &right).await;
    assert_eq!(location(&entered), "/account/connections");
    let set = entered.headers.iter().find(|(name, value)| name == "set-cookie" && value.starts_with(SESSION));
    let set = &set.expect("a session").1;
    assert!(
        set.contains("SameSite=Lax") && set.contains("Max-Age=2592000") && !set.contains("Secure"),
        "{set}"
    );
    let account = browser.get("/account").await;
    assert!(account.text().contains(EMAIL) && account.text().contains("Nordlicht Fashion"));
    assert_eq!(account.header("cache-control"), Some("no-store"));
    assert_eq!(location(&browser.get("/login").await), "/account", "there is nothing to do");

    let kept = browser.cookies[SESSION].clone();
    assert_eq!(location(&browser.post("/logout", &[]).await), "/login");
    assert!(!browser.cookies.contains_key(SESSION));
    browser.cookies.insert(SESSION.to_owned(), kept);
    assert_eq!(browser.get("/account").await.status, 303, "the session itself is over");
}

#[tokio::test]
async fn only_own_pages_are_gone_to_after_signing_in() {
    let house = House::new().await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let mut browser = Browser::new(&house);
        browser.get("/login").await;
        let fields = [("email", EMAIL), ("password", house.password.as_str()), ("next", next)];
        assert_eq!(location(&browser.post("/login", &fields).await), "/account", "{next}");
    }
}

#[tokio::test]
async fn a_session_is_new_at_every_sign_in_and_ends_by_idleness() {
    let house = House::new().await;
    let mut browser = Browser::new(&house);
    let planted = "A".repeat(43);
    browser.cookies.insert(SESSION.to_owned(), planted.clone());
    browser.sign_in(EMAIL, &house.password).await;
    let first = browser.cookies[SESSION].clone();
    assert_ne!(first, planted);
    let mut other = Browser::new(&house);
    other.cookies.insert(SESSION.to_owned(), planted);
    assert_eq!(other.get("/account").await.status, 303, "what was planted is worth nothing");

    // Once more with the first session in hand: it is replaced and ended.
    browser.get("/account").await;
    browser.post("/login", &[("email", EMAIL), ("password", &house.password)]).await;
    let second = browser.cookies[SESSION].clone();
    assert_ne!(first, second);
    other.cookies.insert(SESSION.to_owned(), first);
    assert_eq!(other.get("/account").await.status, 303);
    assert_eq!(browser.get("/account").await.status, 200);

    house.clock.advance(Millis::seconds(12 * 3600 - 1));
    assert_eq!(browser.get("/account").await.status, 200);
    house.clock.advance(Millis::seconds(12 * 3600));
    assert_eq!(browser.get("/account").await.status, 303);
}

#[tokio::test]
async fn over_https_cookies_are_bound_to_the_host() {
    let house = House::with(|settings| settings.public_url = "https://retouch.example".to_owned()).await;
    let mut browser = Browser::new(&house);
    let page = browser.get("/login").await;
    let set = page.header("set-cookie").expect("a cookie");
    assert!(set.starts_with("__Host-packshot_form=") && set.ends_with("; Secure"), "{set}");
    browser.post("/login", &[("email", EMAIL), ("password", &house.password)]).await;
    assert!(browser.cookies.contains_key("__Host-packshot_session"));
    let secret = browser.cookies.remove("__Host-packshot_session").expect("a session");
    browser.cookies.insert(SESSION.to_owned(), secret);
    assert_eq!(browser.get("/account").await.status, 303, "the plain name is not looked at");
}

#[tokio::test]
async fn wrong_passwords_are_counted() {
    let house = House::new().await;
    let mut browser = Browser::new(&house);
    for _ in 0..5 {
        assert_eq!(browser.sign_in(EMAIL, "wrong").await.status, 401);
    }
    let refused = browser.sign_in(EMAIL, &house.password).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("600")));
    assert!(refused.text().contains("Too many wrong tries; wait 10 minutes"));
    house.clock.advance(Millis::seconds(600));
    assert_eq!(browser.sign_in(EMAIL, &house.password).await.status, 303);
    for _ in 0..5 {
        assert_eq!(browser.get("/invitation/guessed").await.status, 404);
    }
    assert_eq!(browser.get("/invitation/guessed").await.status, 429);
}

#[tokio::test]
async fn forms_without_their_token_change_nothing() {
    let house = House::new().await;
    let mut browser = admin(&house).await;
    let org = format!("/account/organizations/{}", house.get("org"));
    let stranger = {
        let mut stranger = Browser::new(&house);
        stranger.get("/login").await;
        (stranger.cookies["packshot_form"].clone(), stranger.token)
    };
    let invite: &[(&str, &str)] = &[("action", "invite"), ("role", "admin"), ("email", "")];
    let posts: [(&str, &[(&str, &str)]); 9] = [
        (&org, invite),
        ("/account/profile", &[("given_name", "Eve")]),
        ("/account/password", &[("password", &house.password), ("new_password", PASSWORD)]),
        ("/account/sessions", &[]),
        ("/account/connections", &[("name", "till")]),
        ("/account/connections/tokens", &[("name", "till"), ("device_code", "x")]),
        ("/account/connections/key", &[("key_name", "till")]),
        ("/account/connections/revoke", &[("connection", "x")]),
        ("/logout", &[]),
    ];
    for (path, fields) in posts {
        browser.get("/account").await;
        let good = browser.token.clone();
        let cross = browser.post_from(path, fields, &[("sec-fetch-site", "cross-site")]).await;
        assert_eq!(cross.status, 403, "{path}, from another site");
        for token in ["", "guessed", &stranger.1] {
            token.clone_into(&mut browser.token);
            browser.cookies.insert("packshot_form".to_owned(), stranger.0.clone());
            let answer = browser.post(path, fields).await;
            assert_eq!(answer.status, 403, "{path} with `{token}`");
        }
        browser.token = good;
    }
    let mut fresh = Browser::new(&house);
    fresh.get("/login").await;
    fresh.cookies.clear();
    let login = [("email", EMAIL), ("password", house.password.as_str())];
    assert_eq!(fresh.post("/login", &login).await.status, 403, "no cookie, no sign-in");
    let page = browser.get(&org).await.text();
    assert!(page.contains("None is open.") && !page.contains("Eve"), "{page}");
    assert_eq!(browser.get("/account").await.status, 200, "still signed in");
}

#[tokio::test]
async fn the_interface_for_programs_never_takes_the_cookie() {
    let house = House::new().await;
    let browser = admin(&house).await;
    let cookie = format!("{SESSION}={}", browser.cookies[SESSION]);
    for path in ["/organization", "/v1/workflow", "/v2/workflow/execution/", "/organization/balance"] {
        let answer = send(house.at, "GET", path, &[("cookie", &cookie)], b"").await;
        assert_eq!(answer.status, 401, "{path}");
    }
    let as_token = house.get_with("/organization", &browser.cookies[SESSION]).await;
    assert_eq!(as_token.status, 401, "nor as a token");
    let answer = house.get_with("/account", &house.get("token")).await;
    assert_eq!(answer.status, 303, "and pages never take a token");
}

#[tokio::test]
async fn an_invitation_is_accepted_once_by_a_new_user() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let link = invite(&house, &mut admin, "operator", "lea@nordlicht.example").await;
    let mut lea = Browser::new(&house);
    let page = lea.get(&link).await.text();
    for text in ["Join Nordlicht Fashion", "Operator", EMAIL, "lea@nordlicht.example"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let weak = lea.post(&link, &[("email", "no address"), ("new_password", "short")]).await;
    assert_eq!(weak.status, 400);
    let text = weak.text();
    assert!(text.contains("href=\"#email\"") && text.contains("href=\"#new_password\""), "{text}");
    let same = [("email", "lea@nordlicht.example"), ("new_password", "LEA@nordlicht.example")];
    assert!(lea.post(&link, &same).await.text().contains("The password is the e-mail address"));
    let taken = lea.post(&link, &[("email", "tom@nordlicht.example"), ("new_password", PASSWORD)]).await;
    assert_eq!(taken.status, 403, "it is meant for somebody else");
    let good = [("email", "Lea@nordlicht.example"), ("given_name", "Lea"), ("new_password", PASSWORD)];
    let joined = lea.post(&link, &good).await;
    assert!(location(&joined).ends_with("?done=joined"));
    assert!(lea.get(location(&joined)).await.text().contains("Welcome"));

    let mut second = Browser::new(&house);
    assert_eq!(second.get(&link).await.status, 404);
    second.get("/login").await;
    let again = second.post(&link, &[("email", "other@nordlicht.example"), ("new_password", PASSWORD)]).await;
    assert_eq!(again.status, 404);
    assert!(again.text().contains("Ask for a new one"));
    let members = house.ask(&format!("/v1/organization/{}", house.get("org"))).await.json();
    let members = members["members"].as_array().expect("members").clone();
    assert_eq!(members.len(), 2);
    assert_eq!((&members[1]["roles"], &members[1]["givenName"]), (&json!(["operator"]), &json!("Lea")));
}

#[tokio::test]
async fn an_invitation_is_accepted_by_who_is_signed_in_or_taken_back() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let link = invite(&house, &mut admin, "admin", "").await;
    admin.get(&link).await;
    assert_eq!(admin.post(&link, &[]).await.status, 409, "a member already");
    let mut taken = Browser::new(&house);
    taken.get(&link).await;
    let answer = taken.post(&link, &[("email", EMAIL), ("new_password", PASSWORD)]).await;
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("sign in, then open the link again"));

    let link = invite(&house, &mut admin, "operator", "").await;
    let page = format!("/account/organizations/{}", house.get("org"));
    let shown = admin.get(&page).await.text();
    let last = shown.rsplit("name=\"invitation\" value=\"").next().expect("two are open");
    let id = last.split('"').next().expect("an id").to_owned();
    let withdrawn = admin.post(&page, &[("action", "withdraw"), ("invitation", &id)]).await;
    assert_eq!(location(&withdrawn), format!("{page}?done=withdrawn"));
    assert_eq!(taken.get(&link).await.status, 404);
    house.clock.advance(Millis::seconds(7 * 24 * 3600));
    let mut admin = self::admin(&house).await;
    assert!(admin.get(&page).await.text().contains("None is open."), "a week is over");
}

#[tokio::test]
async fn operators_may_not_administer_and_strangers_see_nothing() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let mut lea = operator(&house, &mut admin, "lea@nordlicht.example").await;
    let page = format!("/account/organizations/{}", house.get("org"));
    let shown = lea.get(&page).await.text();
    assert!(shown.contains("Members") && shown.contains(EMAIL));
    for hidden in ["Invite somebody", "Recent activity", "Change role", "value=\"withdraw\""] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
    let user = house.get("user");
    for fields in [
        [("action", "invite"), ("role", "admin"), ("email", "")],
        [("action", "role"), ("role", "operator"), ("user", &user)],
        [("action", "remove"), ("role", ""), ("user", &user)],
        [("action", "withdraw"), ("invitation", "01900000-0000-7000-8000-000000000001"), ("role", "")],
    ] {
        assert_eq!(lea.post(&page, &fields).await.status, 403, "{fields:?}");
    }
    let theirs = format!("/account/organizations/{}", house.get("their_org"));
    assert_eq!(lea.get(&theirs).await.status, 404);
    lea.get("/account").await;
    assert_eq!(lea.post(&theirs, &[("action", "invite"), ("role", "admin")]).await.status, 404);
    assert_eq!(lea.post(&theirs, &[("action", "select")]).await.status, 404);
    assert_eq!(lea.get("/account/organizations/nonsense").await.status, 404);
}

#[tokio::test]
async fn the_last_administrator_stays_and_a_member_may_leave() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let mut lea = operator(&house, &mut admin, "lea@nordlicht.example").await;
    let page = format!("/account/organizations/{}", house.get("org"));
    let user = house.get("user");
    admin.get(&page).await;
    let left = admin.post(&page, &[("action", "remove"), ("user", &user)]).await;
    assert_eq!(left.status, 409);
    assert!(left.text().contains("without an administrator"), "{}", left.text());
    let down = admin.post(&page, &[("action", "role"), ("role", "operator"), ("user", &user)]).await;
    assert_eq!(down.status, 409);

    lea.get("/account/connections").await;
    let key = lea.post("/account/connections/key", &[("key_name", "till")]).await.text();
    let key = between(&key, "id=\"api_key\" class=\"secret\" value=\"", "\"").expect("a key").to_owned();
    assert_eq!(house.get_with("/organization", &key).await.status, 200);
    let text = lea.get(&page).await.text();
    let lea_id = between(&text, "name=\"user\" value=\"", "\"").expect("her own").to_owned();
    assert_ne!(lea_id, user);
    assert_eq!(
        location(&lea.post(&page, &[("action", "remove"), ("user", &lea_id)]).await),
        "/account?done=left"
    );
    assert_eq!(lea.get(&page).await.status, 404);
    assert_eq!(house.get_with("/organization", &key).await.status, 401, "her key went with her");
    let activity = admin.get(&page).await.text();
    assert!(
        activity.contains("removed a member") && activity.contains("accepted an invitation"),
        "{activity}"
    );
}

#[tokio::test]
async fn a_connection_is_made_listed_renamed_and_revoked() {
    let house = House::new().await;
    let mut browser = admin(&house).await;
    let listed = browser.get("/account/connections").await.text();
    assert!(listed.contains("tests") && listed.contains("Credentials from the terminal"), "{listed}");
    assert_eq!(browser.post("/account/connections", &[("name", " ")]).await.status, 400);
    let begun = browser.post("/account/connections", &[("name", "Camera <1>")]).await.text();
    assert!(begun.contains("Camera &#60;1&#62;") || begun.contains("Camera &lt;1&gt;"), "{begun}");
    let field = |text: &str, name: &str| {
        between(text, &format!("name=\"{name}\" value=\""), "\"").expect("a field").to_owned()
    };
    let (device, user) = (field(&begun, "device_code"), field(&begun, "user_code"));
    let fields = [("name", "Camera <1>"), ("device_code", &device), ("user_code", &user)];
    let early = browser.post("/account/connections/tokens", &fields).await;
    assert_eq!(early.status, 400);
    assert!(early.text().contains("not confirmed yet") && early.text().contains(&user));

    let page = browser.get(&format!("/activate?user_code={user}")).await.text();
    assert!(
        page.contains(&user) && page.contains("You are signed in as") && !page.contains("password"),
        "{page}"
    );
    let confirmed = browser.post("/activate", &[("user_code", &user), ("decision", "confirm")]).await;
    assert!(confirmed.text().contains("Congratulations"), "{}", confirmed.text());
    let made = browser.post("/account/connections/tokens", &fields).await.text();
    let refresh_token =
        between(&made, "id=\"refresh_token\" class=\"secret\" value=\"", "\"").expect("a token").to_owned();
    let access = made.split("<textarea").nth(1).and_then(|rest| between(rest, ">", "<")).expect("a token");
    assert_eq!(house.get_with("/organization", access).await.status, 200);
    assert_eq!(refresh(&house, &refresh_token).await.0, 200);
    let again = browser.post("/account/connections/tokens", &fields).await;
    assert_eq!(again.status, 400);
    assert!(!again.text().contains(&refresh_token), "the tokens are shown once");

    let listed = browser.get("/account/connections").await.text();
    assert!(!listed.contains(&refresh_token));
    let id = field(&listed, "connection");
    let renamed =
        browser.post("/account/connections/rename", &[("connection", &id), ("name", "Studio camera")]).await;
    assert_eq!(location(&renamed), "/account/connections?done=renamed");
    assert!(browser.get("/account/connections").await.text().contains("Studio camera"));
    let revoked = browser.post("/account/connections/revoke", &[("connection", &id)]).await;
    assert_eq!(location(&revoked), "/account/connections?done=revoked");
    assert_eq!(refresh(&house, &refresh_token).await, (403, "invalid_grant".to_owned()));
    assert_eq!(browser.post("/account/connections/revoke", &[("connection", &id)]).await.status, 404);
}

#[tokio::test]
async fn other_peoples_connections_are_for_administrators() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let mut lea = operator(&house, &mut admin, "lea@nordlicht.example").await;
    let id = between(&admin.get("/account/connections").await.text(), "name=\"connection\" value=\"", "\"")
        .expect("the tests' own")
        .to_owned();
    assert!(!lea.get("/account/connections").await.text().contains(&id));
    for path in ["/account/connections/revoke", "/account/connections/rename"] {
        assert_eq!(lea.post(path, &[("connection", &id), ("name", "mine")]).await.status, 403, "{path}");
    }
    lea.post("/account/connections/key", &[("key_name", "lea's till")]).await;
    let key = between(&lea.get("/account/connections").await.text(), "name=\"connection\" value=\"", "\"")
        .expect("hers")
        .to_owned();
    let org = house.get("org");
    let page = format!("/account/organizations/{org}");
    assert!(admin.get(&page).await.text().contains(&key));
    let revoked = admin.post("/account/connections/revoke", &[("connection", &key), ("org", &org)]).await;
    assert_eq!(location(&revoked), format!("{page}?done=revoked"));
    assert!(!lea.get("/account/connections").await.text().contains(&key));
}

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
async fn a_new_password_closes_other_browsers() {
    let house = House::new().await;
    let (mut here, mut there) = (admin(&house).await, admin(&house).await);
    here.get("/account").await;
    let change = |old: &'static str| [("password", old), ("new_password", PASSWORD)];
    let wrong = here.post("/account/password", &change("wrong")).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("The present password is wrong"));
    let short = [("password", house.password.as_str()), ("new_password", "elevenchars")];
    assert_eq!(here.post("/account/password", &short).await.status, 400);
    let good = [("password", house.password.as_str()), ("new_password", PASSWORD)];
    assert_eq!(location(&here.post("/account/password", &good).await), "/account?done=password");
    assert_eq!(here.get("/account").await.status, 200);
    assert_eq!(there.get("/account").await.status, 303);
    assert_eq!(there.sign_in(EMAIL, &house.password).await.status, 401);
    assert_eq!(there.sign_in(EMAIL, PASSWORD).await.status, 303);
    here.get("/account").await;
    assert_eq!(location(&here.post("/account/sessions", &[]).await), "/account?done=sessions");
    assert_eq!(there.get("/account").await.status, 303);
    here.post("/account/profile", &[("given_name", " Mara "), ("family_name", "")]).await;
    assert!(here.get("/account").await.text().contains("value=\"Mara\""));
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
    let router = api::router(house.service.clone(), settings);
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

#[tokio::test]
async fn an_api_key_acts_in_its_organization_alone() {
    let house = House::new().await;
    let known = store::Accounts::user(&*house.store, &domain::id::UserId(house.get("user"))).await;
    let known = known.expect("read").expect("the administrator");
    let theirs = house.get("their_org").parse().expect("an id");
    let added = store::Accounts::add_member(&*house.store, theirs, &known, domain::access::Role::Admin, None);
    added.await.expect("a member there, too");
    let both = house.service.bearer(&house.get("token")).await.expect("signed in");
    assert_eq!(both.memberships.len(), 2);
    let there = house.service.make_api_key(&both, theirs, "till").await.expect("a key").api_key;

    for (key, own, other) in [(house.get("api_key"), "org", "their_org"), (there, "their_org", "org")] {
        let (own, other) = (house.get(own), house.get(other));
        let listed = house.get_with("/v1/organization", &key).await.json();
        assert_eq!((&listed["total"], &listed["entries"][0]["id"]), (&json!(1), &json!(own)), "{listed}");
        assert_eq!(house.get_with(&format!("/v1/workflow?organization={own}"), &key).await.status, 200);
        for path in [
            format!("/v1/organization/{other}"),
            format!("/v1/workflow?organization={other}"),
            format!("/v1/organization/balance?organization={other}"),
            format!("/packshot/v1/members?organization_id={other}"),
        ] {
            let refused = house.get_with(&path, &key).await.status;
            let nobody = path.replace(&other, "0190ffff-ffff-7fff-bfff-ffffffffffff");
            assert_eq!(refused, house.get_with(&nobody, &key).await.status, "{path}");
            assert!([403, 404].contains(&refused), "{path}: {refused}");
        }
        let connections = house.get_with("/packshot/v1/connections", &key).await.json();
        let items = connections["items"].as_array().expect("items");
        assert!(!items.is_empty() && items.iter().all(|one| one["organization_id"] == json!(own)));
    }
    let listed = house.ask("/v1/organization").await.json();
    assert_eq!(listed["total"], json!(2), "an access token acts in all of them");
}

#[tokio::test]
async fn a_page_shows_the_newest_five_hundred_connections() {
    let house = House::new().await;
    let mut admin = admin(&house).await;
    let caller = house.service.bearer(&house.get("token")).await.expect("signed in");
    let org = house.get("org").parse().expect("an id");
    let note = "Only the newest 500 are shown.";
    let pages = ["/account/connections".to_owned(), format!("/account/organizations/{}", house.get("org"))];
    for number in 1..500 {
        house.service.make_api_key(&caller, org, &format!("till {number}.")).await.expect("a key");
    }
    for page in &pages {
        let text = admin.get(page).await.text();
        assert!(!text.contains(note) && text.contains("till 1."), "all fit on {page}");
    }
    house.clock.advance(Millis::seconds(1));
    house.service.make_api_key(&caller, org, "the last").await.expect("a key");
    for page in &pages {
        let text = admin.get(page).await.text();
        assert!(text.contains(note) && text.contains("the last"), "{page}");
        assert_eq!(text.matches("name=\"connection\"").count() % 500, 0, "{page}");
    }
    let mut path = "/packshot/v1/connections?limit=200".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = house.ask(&path).await.json();
        sizes.push(page["items"].as_array().expect("items").len());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/packshot/v1/connections?limit=200&cursor={cursor}");
    }
    assert_eq!(sizes, [200, 200, 101]);
}
