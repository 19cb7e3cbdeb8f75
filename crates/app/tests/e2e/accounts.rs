//! Organizations, people and their links, through the real binary.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Server, Session, finish, packshot};

/// What a command answers in JSON.
fn organizations(words: &[&str], server: &Server) -> Value {
    let mut command = packshot(&["organizations"]);
    command.args(words).arg("--json").arg("--data").arg(server.data());
    let output = finish(command);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn the_log_never_holds_the_secret_of_a_link() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[]);
    let admin = server.sign_in();
    let body = json!({ "role": "operator" }).to_string();
    let made = admin.post("/packshot/v1/invitations", Some(("application/json", body.as_bytes())));
    assert_eq!(made.status, 201, "{}", made.text());
    let link = made.json()["link"].as_str().expect("a link").to_owned();
    let secret = link.rsplit('/').next().expect("a secret");
    assert!(secret.len() > 30, "{link}");
    let paths =
        ["/invitation/", "/v1/invitation/", "/%69nvitation/", "/Invitation/", "/packshot/v1/invitation/"];
    for path in paths {
        let answer = admin.get(&format!("{path}{secret}"));
        assert!([200, 404].contains(&answer.status), "{path}: {}", answer.text());
    }
    // One more request, whose line tells that theirs are written, too.
    assert_eq!(admin.get("/v1/organization").status, 200);
    let began = Instant::now();
    while !server.log().contains("/v1/organization") {
        assert!(began.elapsed() < PATIENCE, "{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let log = server.log();
    assert!(log.contains("`/invitation/…`"), "{log}");
    assert!(!log.contains(secret), "{log}");
}

#[test]
fn a_second_organization_is_made_at_the_terminal_and_chosen_in_the_browser() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[]);
    let admin = server.sign_in();
    let words = ["create", "--name", "Nordlicht", "--admin", "lea@nordlicht.example", "--credits", "70"];
    let nordlicht = organizations(&words, &server);
    let password = nordlicht["password"].as_str().expect("a new user has a password").to_owned();
    let words = ["create", "--name", "Südlicht", "--admin", "LEA@nordlicht.example"];
    let southern = organizations(&words, &server);
    assert_eq!((&southern["user_id"], &southern["password"]), (&nordlicht["user_id"], &Value::Null));
    let listed = organizations(&["list"], &server);
    let names: Vec<_> = listed.as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["My studio", "Nordlicht", "Südlicht"]);
    assert_eq!(listed[2]["admins"], json!(["lea@nordlicht.example"]));
    let mut unnamed =
        packshot(&["organizations", "create", "--name", " ", "--admin", "a@b.example", "--data"]);
    unnamed.arg(server.data());
    assert_eq!(finish(unnamed).status.code(), Some(3));

    // A device of theirs is confirmed for the second.
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let cookies = std::cell::RefCell::new(std::collections::BTreeMap::<String, String>::new());
    let sent_cookies = || {
        let cookies = cookies.borrow();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    };
    let read = |answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>| {
        let mut answer = answer.expect("the server answers");
        for set in answer.headers().get_all("set-cookie") {
            let pair = set.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a name and a value");
            cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    };
    let get = |path: &str| {
        read(agent.get(format!("{}{path}", server.base)).header("cookie", sent_cookies()).call())
    };
    let post = |path: &str, form: &[(&str, &str)]| {
        let request = agent.post(format!("{}{path}", server.base)).header("cookie", sent_cookies());
        read(request.send_form(form.iter().copied()))
    };
    let field = |page: &str, name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
        rest.split('"').next().expect("its end").to_owned()
    };
    let (_, begun) = post("/oauth/device/code", &[("client_id", "till"), ("scope", "offline_access")]);
    let begun: Value = serde_json::from_str(&begun).expect("JSON");
    let (device_code, user_code) =
        (begun["device_code"].as_str().expect("a code"), begun["user_code"].as_str().expect("a code"));
    let (_, page) = get("/login");
    let token = field(&page, "form_token");
    let email = "lea@nordlicht.example";
    let form = [("form_token", token.as_str()), ("email", email), ("password", &password), ("next", "")];
    assert_eq!(post("/login", &form).0, 303);
    let (_, page) = get(&format!("/activate?user_code={user_code}"));
    assert!(page.contains(">Nordlicht</option>") && page.contains(">Südlicht</option>"), "{page}");
    assert!(page.contains("Unless another organization of yours is named."), "{page}");
    let token = field(&page, "form_token");
    let org = southern["organization_id"].as_str().expect("an id");
    let form =
        [("form_token", token.as_str()), ("user_code", user_code), ("org", org), ("decision", "confirm")];
    let (status, page) = post("/activate", &form);
    assert_eq!(status, 200, "{page}");
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device_code),
        ("client_id", "till"),
    ];
    let (status, tokens) = post("/oauth/token", &form);
    assert_eq!(status, 200, "{tokens}");
    let tokens: Value = serde_json::from_str(&tokens).expect("JSON");
    let lea = Session {
        token: tokens["access_token"].as_str().expect("a token").to_owned(),
        organization: org.to_owned(),
        ..admin
    };
    let found = lea.get("/v1/organization").json();
    let names: Vec<_> =
        found["entries"].as_array().expect("entries").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["Nordlicht", "Südlicht"]);
    // Without a word about it the chosen one is meant, with credits and workflows of its own.
    assert_eq!(lea.get("/v1/organization/balance").text(), "100000");
    let north = nordlicht["organization_id"].as_str().expect("an id");
    assert_eq!(lea.get(&format!("/v1/organization/balance?organization={north}")).text(), "70");
    assert!(!lea.workflow("White packshot").is_empty());
}

#[test]
fn a_server_that_listens_everywhere_says_that_its_links_lead_nowhere_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start_on("0.0.0.0:0", &dir.path().join("data"), &[]);
    let port = server.base.rsplit(':').next().expect("a port").to_owned();
    assert!(server.log().contains("set `base_url`"), "{}", server.log());
    let admin = server.sign_in();
    let body = json!({ "role": "operator" }).to_string();
    let made = admin.post("/packshot/v1/invitations", Some(("application/json", body.as_bytes())));
    let link = made.json()["link"].as_str().expect("a link").to_owned();
    assert!(link.starts_with(&format!("http://localhost:{port}/invitation/")), "{link}");

    let settings = [("PACKSHOT_BASE_URL", "https://retouch.example")];
    let server = Server::start_on("0.0.0.0:0", &dir.path().join("other"), &settings);
    assert!(!server.log().contains("set `base_url`"), "{}", server.log());
}
