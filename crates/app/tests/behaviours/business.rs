//! 12 to 16: pages, organizations, credits, workflows.

use serde_json::{Value, json};

use crate::house::{EXPORT_ONLY, House, SPELLINGS, is_error, is_uuid, members, picture, shaped};

#[test]
fn behaviour_12_a_page_has_exactly_entries_and_total() {
    let house = House::open();
    for name in ["a.jpg", "b.jpg", "c.jpg"] {
        house.create(name);
    }
    for (list, total) in [("/v1/organization", 1), ("/v1/workflow", 5), ("/v2/workflow/execution/", 3)] {
        let page = |query: &str| {
            let answer = house.send("GET", &format!("{list}?{query}"), &[], b"");
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
            let page = answer.json();
            assert_eq!(members(&page), ["entries", "total"], "{list}?{query}");
            assert_eq!(page["total"], total, "{list}?{query}");
            page["entries"].as_array().expect("a list").clone()
        };
        let all = page("");
        assert_eq!(all.len(), total);
        // 50 unless told; out of range is brought into it; what is no number is not looked at.
        for query in
            ["limit=50&offset=0", "limit=9999", "limit=abc&offset=xyz", "offset=-3", "a=1&&b=2&stray"]
        {
            assert_eq!(page(query), all, "{list}?{query}");
        }
        assert_eq!(page("limit=0"), all[..1]);
        assert_eq!(page("limit=-1&offset=1"), all[1.min(total)..2.min(total)]);
        assert_eq!(page("offset=1"), all[1..]);
        assert!(page("offset=1000").is_empty());
    }
}

#[test]
fn behaviour_13_an_organization_as_the_python_client_needs_it() {
    let house = House::open();
    let listed = house.get("/v1/organization?limit=50&offset=0").json()["entries"][0].clone();
    assert_eq!(members(&listed), ["id", "members", "name", "version"]);
    assert_eq!(listed["id"], house.organization);
    assert!(is_uuid(listed["version"].as_str().expect("text")), "{listed}");
    assert!(listed["name"].as_str().is_some_and(|name| !name.is_empty()));
    let member = &listed["members"][0];
    assert_eq!(members(member), ["email", "familyName", "givenName", "id", "picture", "roles"]);
    assert_eq!((&member["roles"], &member["picture"]), (&json!(["admin"]), &Value::Null));
    assert_eq!(member["id"], house.credentials["user_id"]);
    assert_eq!(house.get(&format!("/v1/organization/{}/", house.organization)).json(), listed);
    for unknown in ["00000000-0000-0000-0000-000000000000", "nonsense"] {
        let path = format!("/v1/organization/{unknown}");
        is_error(&house.send("GET", &path, &[], b""), 404, "Not Found", &path);
    }
}

#[test]
fn behaviour_14_the_balance_is_a_bare_integer() {
    let house = House::with(&[("PACKSHOT_ACCOUNTS__CREDITS", "48250")]);
    for path in ["/organization/balance", "/company/balance"] {
        for (prefix, slash) in SPELLINGS {
            for query in [String::new(), format!("?organization={}", house.organization)] {
                let answer = house.send("GET", &format!("{prefix}{path}{slash}{query}"), &[], b"");
                assert_eq!((answer.status, answer.body.as_slice()), (200, b"48250".as_slice()));
                assert_eq!(answer.header("content-type"), Some("application/json"));
            }
        }
        let foreign = format!("{path}?organization=00000000-0000-0000-0000-000000000000");
        is_error(&house.send("GET", &foreign, &[], b""), 403, "Forbidden", path);
    }
}

#[test]
fn behaviour_15_the_first_workflow_is_complete_and_can_be_run() {
    let house = House::open();
    let page =
        house.get(&format!("/v1/workflow?limit=50&offset=0&organization={}", house.organization)).json();
    let entries = page["entries"].as_array().expect("a list");
    for workflow in entries {
        assert_eq!(
            members(workflow),
            ["author", "date", "executionPrice", "id", "name", "version", "workflowComponents"]
        );
        assert!(workflow["executionPrice"].as_u64().is_some_and(|price| price >= 10), "{workflow}");
        assert!(["id", "version"].iter().all(|id| is_uuid(workflow[*id].as_str().expect("text"))));
        assert!(
            shaped(workflow["date"].as_str().expect("a time"), "0000-00-00T00:00:00.000000Z"),
            "{workflow}"
        );
        assert_eq!(members(&workflow["author"]), ["email", "firstName", "id", "lastName"]);
        let steps = workflow["workflowComponents"].as_array().expect("a list");
        assert!(
            steps
                .iter()
                .all(|step| members(step) == ["label", "settings", "type"] && step["settings"].is_object())
        );
        assert_eq!((&steps[0]["type"], &steps[steps.len() - 1]["type"]), (&json!("input"), &json!("export")));
        let id = workflow["id"].as_str().expect("an id");
        assert_eq!(&house.get(&format!("/v1/workflow/{id}")).json(), workflow);
    }
    let mut names: Vec<_> = entries.iter().map(|workflow| workflow["name"].to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), entries.len(), "clients find workflows by name");
    assert_eq!((&entries[0]["name"], &entries[0]["executionPrice"]), (&json!(EXPORT_ONLY), &json!(10)));
    let path = house.create_path(entries[0]["id"].as_str().expect("an id"));
    let id = house.post_file(&path, "a.jpg", &picture("a")).created();
    assert_eq!(house.wait(&id)["status"], "COMPLETED");
}

#[test]
fn behaviour_16_an_unknown_workflow_is_the_error_object() {
    let house = House::open();
    for id in ["nonsense", "00000000-0000-0000-0000-000000000000", "%FF", "a%2Fb"] {
        for prefix in ["", "/v1", "/v2"] {
            let path = format!("{prefix}/workflow/{id}");
            let answer = house.send("GET", &format!("{path}?organization={}", house.organization), &[], b"");
            is_error(&answer, 404, "Not Found", &path);
        }
    }
}
