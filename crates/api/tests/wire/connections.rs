//! Connections and API keys: made, listed, renamed, revoked.

use domain::time::Millis;
use serde_json::json;

use crate::browser::{between, location};
use crate::house::House;
use crate::people::{admin, operator, refresh};

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
        house.service.make_api_key(&caller, org, format!("till {number}.").as_str()).await.expect("a key");
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
