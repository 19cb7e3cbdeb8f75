//! Accounts, sessions, members and invitations, used as a browser uses them.

use domain::time::Millis;
use serde_json::json;

use crate::browser::{Browser, between, location};
use crate::house::{EMAIL, House};
use crate::http::send;
use crate::people::{PASSWORD, SESSION, admin, invite, operator};

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
