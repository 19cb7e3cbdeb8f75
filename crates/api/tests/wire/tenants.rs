//! Organizations apart, over every route there is: the committed documents say which, so that a new one is walked without
//! being named here. What another organization has is answered like what nobody has.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{End, House, png, sha256};
use crate::http::{Answer, send};

/// What nobody has.
const NOBODY: &str = "0190ffff-ffff-7fff-bfff-ffffffffffff";
/// Longest time for one answer: nothing here waits for work.
const AT_MOST: Duration = Duration::from_secs(30);

/// One operation of a document.
struct Operation {
    method: String,
    path: String,
    /// Names of its parameters in the path and in the query.
    in_path: Vec<String>,
    in_query: Vec<String>,
    /// Media types of its body.
    takes: Vec<String>,
    /// Whether it needs no token.
    open: bool,
    /// Whether its description says that it is for administrators.
    for_admins: bool,
}

/// Every operation of every committed document.
fn operations() -> Vec<Operation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi");
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).expect("the folder") {
        let file = file.expect("a file").path();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a text file");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        // The AutoRetouch paths answer under any prefix and under none; a native document may name its own.
        let server = document["servers"][0]["url"].as_str().unwrap_or_default();
        let prefix = if server.starts_with("/packshot") { server.trim_end_matches('/') } else { "" };
        for (path, methods) in paths {
            let path = &with_noun(path);
            let prefix = if path.starts_with("/packshot") { "" } else { prefix };
            for (method, operation) in methods.as_object().expect("methods") {
                if ["parameters", "summary", "description", "servers"].contains(&method.as_str()) {
                    continue;
                }
                let parameters = |place: &str| {
                    let listed = [&operation["parameters"], &methods["parameters"]];
                    listed
                        .into_iter()
                        .filter_map(Value::as_array)
                        .flatten()
                        .filter(|parameter| parameter["in"] == place)
                        .filter_map(|parameter| parameter["name"].as_str())
                        .map(|name| {
                            let noun = noun_of(path).filter(|noun| path.contains(&format!("{{{noun}}}")));
                            noun.filter(|_| name == "id" && !path.contains("{id}")).unwrap_or(name).to_owned()
                        })
                        .collect::<Vec<_>>()
                };
                let takes = operation["requestBody"]["content"].as_object();
                let security = operation.get("security").or_else(|| document.get("security"));
                found.push(Operation {
                    method: method.to_uppercase(),
                    path: format!("{prefix}{path}"),
                    in_path: parameters("path"),
                    in_query: parameters("query"),
                    takes: takes.map(|takes| takes.keys().cloned().collect()).unwrap_or_default(),
                    for_admins: format!("{} {}", operation["summary"], operation["description"])
                        .to_lowercase()
                        .contains("for administrators."),
                    open: security.is_none_or(|needs| needs == &json!([]) || needs[0] == json!({})),
                });
            }
        }
    }
    found
}

/// What `id` names in the paths of the Runflow document that say nothing more.
fn noun_of(path: &str) -> Option<&'static str> {
    let first = path.strip_prefix("/v1/")?.split_once('/')?.0;
    Some(match first {
        "runs" => "run_id",
        "batches" => "batch_id",
        "assets" => "asset_id",
        "asset-folders" => "folder_id",
        "evaluations" => "evaluation_id",
        "webhooks" => "webhook_id",
        "callback-secrets" => "secret_id",
        "comfyui-workflows" => "deployment_id",
        _ => return None,
    })
}

/// A path whose one `{id}` says what it names.
fn with_noun(path: &str) -> String {
    let is_one = path.matches('{').count() == 1;
    match noun_of(path).filter(|_| is_one) {
        Some(noun) => path.replace("{id}", &format!("{{{noun}}}")),
        None => path.to_owned(),
    }
}

/// What a request names.
struct Named {
    org: String,
    workflow: String,
    version: String,
    run: String,
    hash: String,
    order: String,
    delivery: String,
    connection: String,
    user: String,
    invitation: String,
    /// What has a parameter of its own: its name, and the thing's.
    more: Vec<(&'static str, String)>,
}

/// Parameters of the things in [`Named::more`].
const MORE: [&str; 8] = [
    "batch_id",
    "asset_id",
    "asset_upload_id",
    "folder_id",
    "evaluation_id",
    "webhook_id",
    "secret_id",
    "deployment_id",
];

impl Named {
    fn nobodys() -> Self {
        let id = || NOBODY.to_owned();
        Self {
            org: id(),
            workflow: id(),
            version: id(),
            run: id(),
            hash: sha256(b"nobody has this").to_string(),
            order: id(),
            delivery: id(),
            connection: id(),
            user: id(),
            invitation: id(),
            more: MORE.into_iter().map(|name| (name, id())).collect(),
        }
    }

    /// What a parameter of that name is filled with, if it names something an organization has.
    fn value(&self, parameter: &str) -> Option<&str> {
        if let Some((_, value)) = self.more.iter().find(|(name, _)| *name == parameter) {
            return Some(value);
        }
        let name = parameter.to_lowercase();
        let is = |words: &[&str]| words.iter().any(|word| name.contains(word));
        // The longer words first: an organization's workflow is a workflow.
        Some(if is(&["hash", "image"]) {
            &self.hash
        } else if is(&["order", "batch"]) {
            &self.order
        } else if is(&["delivery"]) {
            &self.delivery
        } else if is(&["connection"]) {
            &self.connection
        } else if is(&["invitation"]) {
            &self.invitation
        } else if is(&["user"]) {
            &self.user
        } else if is(&["version"]) {
            &self.version
        } else if is(&["workflow"]) && !is(&["execution"]) {
            &self.workflow
        } else if is(&["execution", "run"]) {
            &self.run
        } else if is(&["organization", "company", "org"]) {
            &self.org
        } else {
            return None;
        })
    }

    /// All it may name, for looking whether an answer says any of it.
    fn all(&self) -> Vec<&str> {
        let more = self.more.iter().map(|(_, value)| value.as_str());
        let named: [&str; 10] = [
            &self.org,
            &self.workflow,
            &self.version,
            &self.run,
            &self.hash,
            &self.order,
            &self.delivery,
            &self.connection,
            &self.user,
            &self.invitation,
        ];
        named.into_iter().chain(more).collect()
    }
}

/// Sends an operation's request, naming those things; the query's organization is `org`, or none.
async fn ask(
    house: &House,
    operation: &Operation,
    token: Option<&str>,
    named: &Named,
    org: Option<&str>,
) -> Answer {
    let mut path = operation.path.clone();
    for parameter in &operation.in_path {
        let value = if parameter == "fileName" { "a.png" } else { named.value(parameter).unwrap_or(NOBODY) };
        path = path.replace(&format!("{{{parameter}}}"), value);
    }
    let query: Vec<_> = operation
        .in_query
        .iter()
        .filter_map(|parameter| match parameter.as_str() {
            "organization" | "organization_id" => Some(format!("{parameter}={}", org?)),
            other if operation.method == "GET" && !other.ends_with("Hash") && other != "execution" => None,
            other => named.value(other).map(|value| format!("{other}={value}")),
        })
        .collect();
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers: Vec<(&str, &str)> = Vec::new();
    headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
    let takes = |kind: &str| operation.takes.iter().any(|taken| taken.starts_with(kind));
    let body = if takes("multipart/form-data") {
        headers.push(("content-type", "multipart/form-data; boundary=q7"));
        let head =
            b"--q7\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n".as_slice();
        [head, &png(8, 8, b"not ours"), b"\r\n--q7--\r\n"].concat()
    } else if takes("application/json") {
        headers.push(("content-type", "application/json"));
        b"{}".to_vec()
    } else {
        Vec::new()
    };
    let asked = send(house.at, &operation.method, &path, &headers, &body);
    tokio::time::timeout(AT_MOST, asked)
        .await
        .unwrap_or_else(|_| panic!("{} {path} never ends", operation.method))
}

/// Headers that differ between any two answers.
const DIFFERING: [&str; 5] =
    ["date", "x-request-id", "content-length", "runflow-request-id", "x-ratelimit-remaining"];

/// An answer without what differs between any two: the time, ids of requests, and what was asked for.
fn plain(answer: &Answer, named: &Named) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !DIFFERING.contains(&name.as_str()));
    let mut text = answer.text();
    if let Ok(Value::Object(mut error)) = serde_json::from_str(&text) {
        for changing in ["timestamp", "path", "instance", "request_id"] {
            error.remove(changing);
        }
        text = Value::Object(error).to_string();
    }
    for name in named.all() {
        text = text.replace(name, "{}").replace(&name.replace("%7C", "|"), "{}");
    }
    (answer.status, headers, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_keeps_organizations_apart() {
    let house = House::new().await;
    house.top_up_theirs(1000).await;
    assert_eq!(house.upload(&house.names["shoe.png"]).await.status, 201);
    let done = house.create().await;
    house.work(done, End::Success).await;
    let failed = house.create().await;
    house.work(failed, End::BadInput).await;
    let (their_token, their_org) = (house.get("their_token"), house.get("their_org"));
    let token = house.get("token");
    let native = async |method: &str, path: &str, body: Value| -> Value {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = send(house.at, method, &format!("/packshot/v1{path}"), &headers, &body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
        serde_json::from_str(&answer.text()).expect("JSON")
    };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let order = native(
        "POST",
        "/orders",
        json!({
            "workflow_id": house.get("export_only"), "id": "ours-alone", "webhooks": ["https://hooks.example/a"],
            "images": [{ "name": "a.png", "content_hash": house.get("shoe") }],
        }),
    )
    .await;
    let of_order = native("GET", "/orders/ours-alone/runs", Value::Null).await;
    house.work(text(&of_order["items"][0]["id"]).parse().expect("an id"), End::BadInput).await;
    let delivery = native("GET", "/deliveries", Value::Null).await;
    let connection = native("GET", "/connections", Value::Null).await;
    let invitation = native("POST", "/invitations", json!({ "role": "operator" })).await;
    let made = async |path: &str, body: Value| -> String {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let answer = send(house.at, "POST", path, &headers, body.to_string().as_bytes()).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text());
        let value: Value = serde_json::from_str(&answer.text()).expect("JSON");
        text(value.get("id").or(value.get("asset_id")).expect("an id"))
    };
    let upload =
        made("/v1/asset-uploads", json!({ "filename": "a.png", "mime_type": "image/png", "size_bytes": 9 }))
            .await;
    let asset = {
        let bearer = format!("Bearer {token}");
        let kind = "multipart/form-data; boundary=q7";
        let head =
            b"--q7\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n".as_slice();
        let body = [head, &png(9, 9, b"ours"), b"\r\n--q7--\r\n"].concat();
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        let answer = send(house.at, "POST", "/v1/assets", &headers, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        text(&serde_json::from_str::<Value>(&answer.text()).expect("JSON")["id"])
    };
    let org_id: domain::id::OrgId = house.get("org").parse().expect("an id");
    let more = vec![
        ("batch_id", domain::batch::handle(org_id, "ours-alone").to_string()),
        ("asset_upload_id", upload),
        ("folder_id", made("/v1/asset-folders", json!({ "name": "Ours" })).await),
        (
            "evaluation_id",
            made(
                "/v1/evaluations",
                json!({ "generated_image_url": format!("runflow://assets/{asset}"), "task_type": "product_photography" }),
            )
            .await,
        ),
        ("asset_id", asset),
        ("webhook_id", made("/v1/webhooks", json!({ "url": "https://hooks.example/b" })).await),
        ("secret_id", made("/v1/callback-secrets", json!({})).await),
        ("deployment_id", made("/v1/comfyui-workflows", json!({ "slug": "ours" })).await),
    ];
    assert_eq!(more.len(), MORE.len());
    let ours = |run: &str| Named {
        order: text(&order["id"]),
        delivery: text(&delivery["items"][0]["id"]),
        connection: text(&connection["items"][0]["id"]),
        user: house.get("user").replace('|', "%7C"),
        invitation: text(&invitation["id"]),
        org: house.get("org"),
        workflow: house.get("export_only"),
        version: house.get("export_only_version"),
        run: run.to_owned(),
        hash: house.get("shoe"),
        more: more.clone(),
    };
    let nobodys = Named::nobodys();
    let state = async || {
        let mut texts = Vec::new();
        for path in ["/organization", "/organization/balance", "/workflow", "/workflow/execution", "/batch"] {
            texts.push(house.ask(path).await.text());
        }
        for path in [
            "members",
            "invitations",
            "connections",
            "deliveries",
            "webhook_secret",
            "audit",
            "credits/entries",
        ] {
            texts.push(house.ask(&format!("/packshot/v1/{path}")).await.text());
        }
        texts
    };
    let before = state().await;
    assert_eq!(before.len(), 12);

    let operations = operations();
    let (mut walked, mut wrong) = (0, Vec::new());
    for operation in operations.iter().filter(|operation| !operation.open) {
        walked += 1;
        let name = format!("{} {}", operation.method, operation.path);
        // What can only be changed once it has failed must have failed, or nothing could be told apart.
        let run = if operation.method == "GET" { done } else { failed };
        let ours = ours(&run.to_string());
        for token in [None, Some("nonsense"), Some("a.b.c")] {
            let status = ask(&house, operation, token, &ours, Some(&ours.org)).await.status;
            if status != 401 {
                wrong.push(format!("{name}: {status} to the token {token:?}"));
            }
        }
        let names_one = operation.in_path.iter().any(|parameter| ours.value(parameter).is_some());
        let scoped = operation
            .in_query
            .iter()
            .any(|parameter| ["organization", "organization_id"].contains(&parameter.as_str()));
        let takes_json = operation.takes.iter().any(|kind| kind.starts_with("application/"));
        for org in [None, Some(ours.org.as_str()), Some(their_org.as_str())] {
            // Who names nothing of ours gets what is theirs.
            let foreign = names_one
                || (scoped && org == Some(ours.org.as_str()))
                || operation
                    .in_query
                    .iter()
                    .any(|parameter| ["contentHash", "execution"].contains(&parameter.as_str()))
                || (operation.method != "GET"
                    && operation.in_query.iter().any(|parameter| parameter == "workflow"));
            if !foreign {
                // A stream of what happens to their own runs ends when they leave.
                if !scoped || operation.path.ends_with("/events") {
                    continue;
                }
                let answer = ask(&house, operation, Some(&their_token), &nobodys, org).await;
                let said = answer.text();
                if ours.all().iter().any(|name| said.contains(name)) || answer.status >= 500 {
                    wrong.push(format!("{name} in {org:?}: {} with what is ours: {said}", answer.status));
                }
                continue;
            }
            let there = ask(&house, operation, Some(&their_token), &ours, org).await;
            // A body that makes no sense may be refused for that, as long as that tells nothing.
            let refused = [403, 404].contains(&there.status)
                || (takes_json && [400, 409, 412, 415, 422, 428].contains(&there.status));
            if !refused {
                wrong.push(format!("{name} in {org:?}: {} {}", there.status, there.text()));
            }
            let org_of_nobody = org.map(|org| if org == ours.org { nobodys.org.as_str() } else { org });
            let absent = ask(&house, operation, Some(&their_token), &nobodys, org_of_nobody).await;
            let (there, absent) = (plain(&there, &ours), plain(&absent, &nobodys));
            if there != absent {
                wrong.push(format!("{name} in {org:?} tells what is there: {there:?} and {absent:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(walked >= 16 && walked < operations.len(), "{walked} of {} operations", operations.len());
    assert_eq!(state().await, before, "something of ours was changed");

    // Nor does an order tell which pictures others have.
    let path = format!("/workflow/execution/create?workflow={}", house.get("their_workflow"));
    let bearer = format!("Bearer {their_token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut answers = Vec::new();
    for hash in [house.get("shoe"), nobodys.hash.clone()] {
        let body = serde_json::json!({ "image": { "name": "a.png", "contentHash": hash } }).to_string();
        let answer = send(house.at, "POST", &path, &headers, body.as_bytes()).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
        let (status, headers, text) = plain(&answer, &nobodys);
        answers.push((status, headers, text.replace(&hash, "{}")));
    }
    assert_eq!(answers[0], answers[1]);
}

/// What makes sense to each route that is for administrators, so that nothing but the role is left to refuse.
fn sensible(method: &str, path: &str) -> Option<Value> {
    let draft = || json!({ "name": "Mine", "steps": [{ "type": "input" }, { "type": "export" }] });
    let path = path.strip_prefix("/packshot/v1").expect("the native interface");
    Some(match (method, path) {
        ("POST", "/workflows") | ("PUT", "/workflows/{workflow_id}") => draft(),
        ("POST", "/credits/grants") => json!({ "amount": 5 }),
        ("POST", "/invitations") => json!({ "role": "admin" }),
        ("PATCH", "/members/{user_id}") => json!({ "role": "operator" }),
        ("PUT", "/evaluation-limits") => json!({ "measures": { "resolution": { "min": 2000 } } }),
        ("POST", "/webhook_secret/rotate" | "/workflows/{workflow_id}/unarchive") | ("GET" | "DELETE", _) => {
            Value::Null
        }
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_of_administrators_is_closed_to_operators() {
    let house = House::new().await;
    let token = house.operator().await;
    let bearer = format!("Bearer {token}");
    let invited = {
        let admin = format!("Bearer {}", house.get("token"));
        let headers = [("authorization", admin.as_str()), ("content-type", "application/json")];
        let made =
            send(house.at, "POST", "/packshot/v1/invitations", &headers, b"{\"role\": \"operator\"}").await;
        serde_json::from_str::<Value>(&made.text()).expect("JSON")["id"].as_str().expect("an id").to_owned()
    };
    let before = [house.ask("/packshot/v1/audit").await.text(), house.ask("/workflow").await.text()];
    let mut walked = 0;
    for operation in operations().iter().filter(|operation| operation.for_admins) {
        walked += 1;
        let name = format!("{} {}", operation.method, operation.path);
        let body = sensible(&operation.method, &operation.path)
            .unwrap_or_else(|| panic!("say in `sensible` what makes sense to {name}"));
        let path = operation
            .path
            .replace("{workflow_id}", &house.get("export_only"))
            .replace("{user_id}", &house.get("user").replace('|', "%7C"))
            .replace("{invitation_id}", &invited);
        let mut headers = vec![("authorization", bearer.as_str()), ("if-match", "*")];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let answer = send(house.at, &operation.method, &path, &headers, &body).await;
        assert_eq!(answer.status, 403, "{name}: {}", answer.text());
        assert!(answer.text().contains("administrator"), "{name} names no way out: {}", answer.text());
    }
    assert!(walked >= 12, "{walked} routes");
    let after = [house.ask("/packshot/v1/audit").await.text(), house.ask("/workflow").await.text()];
    assert_eq!(after, before, "something was changed");
    // The daily work is theirs.
    for path in ["/packshot/v1/workflows", "/packshot/v1/runs", "/packshot/v1/orders", "/packshot/v1/credits"]
    {
        let answer = send(house.at, "GET", path, &[("authorization", bearer.as_str())], b"").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
}
