//! 33 to 35, 38, 46: results, images by their hash, waiting, and what others may not see.

use std::time::{Duration, Instant};

use crate::house::{House, Raw, encode, is_error, picture};

#[test]
fn behaviour_33_four_addresses_give_the_same_bytes() {
    let house = House::open();
    let execution = house.wait(&house.create("shirt 01 é.jpg"));
    let text = |name: &str| execution[name].as_str().expect("text").to_owned();
    let path = text("resultPath").split('/').map(encode).collect::<Vec<_>>().join("/");
    let id = text("id");
    let addresses = [
        format!("/v1/workflow/execution/{id}/result/default"),
        path.clone(),
        format!("/v1{path}"),
        format!("/image/{}/{}", text("resultContentHash"), encode(&text("resultFileName"))),
    ];
    let answers: Vec<Raw> = addresses.iter().map(|path| house.send("GET", path, &[], b"")).collect();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("image/png"));
        assert_eq!(answer.body, answers[0].body);
    }
    assert!(answers[0].body.starts_with(b"\x89PNG"));
    assert_eq!(crate::house::sha256(&answers[0].body), text("resultContentHash"));
}

#[test]
fn behaviour_34_an_image_needs_no_organization() {
    let house = House::open();
    let hash = house.upload(&picture("a"));
    let result = house.wait(&house.create("b.jpg"))["resultPath"].as_str().expect("a path").to_owned();
    for path in [format!("/image/{hash}/a.jpg"), format!("/v1/image/{hash}/a.jpg"), result] {
        let without = house.send("GET", &path, &[], b"");
        let with = house.send("GET", &format!("{path}?organization={}", house.organization), &[], b"");
        assert_eq!((without.status, with.status), (200, 200), "{path}");
        assert_eq!(without.body, with.body);
        let foreign = format!("{path}?organization=00000000-0000-0000-0000-000000000000");
        assert!([403, 404].contains(&house.send("GET", &foreign, &[], b"").status));
        assert_eq!(house.send_bare("GET", &path, &[], b"").status, 401);
    }
}

#[test]
fn behaviour_35_an_image_may_be_called_anything() {
    let house = House::open();
    let bytes = picture("a");
    let hash = house.upload(&bytes);
    let shown = |name: &str| Some(format!("inline; filename*=UTF-8''{name}"));
    let rows = [
        ("a.jpg", "a.jpg"),
        ("shirt%2001.jpg", "shirt%2001.jpg"),
        ("shirt%252001.jpg", "shirt%2001.jpg"),
        ("gr%C3%BCn.jpg", "gr%C3%BCn.jpg"),
        ("gr%25C3%25BCn.jpg", "gr%C3%BCn.jpg"),
        ("grün.jpg", "gr%C3%BCn.jpg"),
        ("a+b.jpg", "a+b.jpg"),
        ("no-extension", "no-extension"),
        ("x", "x"),
    ];
    for (name, decoded) in rows {
        for prefix in ["", "/v1", "/v2"] {
            let path = format!("{prefix}/image/{hash}/{name}");
            let answer = house.send("GET", &path, &[], b"");
            assert_eq!((answer.status, &answer.body), (200, &bytes), "{path}");
            assert_eq!(answer.header("content-type"), Some("image/jpeg"));
            assert_eq!(answer.header("content-disposition").map(str::to_owned), shown(decoded), "{path}");
            assert_eq!(answer.header("etag"), Some(format!("\"{hash}\"").as_str()));
            let keep = answer.header("cache-control").expect("how long to keep it");
            assert!(keep.contains("private") && keep.contains("immutable"), "{keep}");
            let head = house.send("HEAD", &path, &[], b"");
            assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
            assert_eq!(head.header("content-length"), Some(bytes.len().to_string().as_str()));
        }
    }
    for unknown in [crate::house::sha256(b"unknown"), "nonsense".to_owned()] {
        let path = format!("/image/{unknown}/a.jpg");
        is_error(&house.send("GET", &path, &[], b""), 404, "Not Found", &path);
    }
}

#[test]
fn behaviour_38_the_status_stream_waits_and_sends_three_lines() {
    let house = House::with(&[("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "1000")]);
    let event = |status: &str| format!("id:{status}\nevent:{status}\ndata:{status}\n\n");
    for (accept, id, status) in [
        ("*/*", house.create("a.jpg"), "COMPLETED"),
        ("text/plain, application/json, application/*+json, */*", house.create_broken(), "FAILED"),
        ("text/event-stream", house.create("c.jpg"), "COMPLETED"),
    ] {
        let before = house.execution(&id);
        let path = format!("/v1/workflow/execution/{id}/status");
        let headers = [("accept", accept), ("content-type", "text/event-stream")];
        let streamed = house.send("GET", &path, &headers, b"");
        assert_eq!((streamed.status, streamed.text()), (200, event(status)), "{before}");
        assert_eq!(streamed.header("content-type"), Some("text/event-stream"));
        let after = house.execution(&id);
        assert_eq!(after["status"], status, "it waited until the end");
        // A final one is told at once: no client could tell the difference from waiting, but by the time.
        let began = Instant::now();
        assert_eq!(house.send("GET", &path, &headers, b"").text(), event(status));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    // It blocks: a new one cannot be final before its second is over.
    let id = house.create("late.jpg");
    let created = house.execution(&id);
    house.send("GET", &format!("/workflow/execution/{id}/status"), &[], b"");
    let ended = house.execution(&id);
    assert_eq!((&created["status"], &ended["status"]), (&"CREATED".into(), &"COMPLETED".into()));
    for unknown in ["nonsense", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/v1/workflow/execution/{unknown}/status");
        is_error(&house.send("GET", &path, &[], b""), 404, "Not Found", &path);
    }
}

#[test]
fn behaviour_46_what_another_organization_has_cannot_be_read() {
    let house = House::open();
    let execution = house.wait(&house.create("ours.jpg"));
    let failed = house.create_broken();
    house.wait(&failed);
    let text = |name: &str| execution[name].as_str().expect("text").to_owned();
    let (id, workflow, org) = (text("id"), text("workflow"), house.organization.clone());
    let theirs = house.neighbour();
    let bearer = format!("Bearer {}", theirs.token);
    let unknown = "00000000-0000-0000-0000-000000000000";
    let nobody = crate::house::sha256(b"nobody has this");
    // Each with ours, and with what nobody has: the answers must be alike, but for the name that was asked for.
    let rows = [
        ("GET", "/v1/workflow/execution/{}", id.as_str(), unknown),
        ("GET", "/v1/workflow/execution/{}/status", &id, unknown),
        ("GET", "/v1/workflow/execution/{}/result/default", &id, unknown),
        ("POST", "/v1/workflow/execution/{}/retry", &failed, unknown),
        ("GET", "/v1/workflow/{}", &workflow, unknown),
        ("POST", "/v1/workflow/execution/create?workflow={}", &workflow, unknown),
        ("GET", "/v1/organization/{}", &org, unknown),
        ("GET", "/image/{}/a.png", &text("resultContentHash"), &nobody),
        ("GET", "/image/{}/a.jpg", &text("inputContentHash"), &nobody),
        ("HEAD", "/upload?contentHash={}", &text("inputContentHash"), &nobody),
        ("GET", "/v1/organization/balance?organization={}", &org, unknown),
        ("GET", "/v1/workflow?organization={}", &org, unknown),
        ("GET", "/v2/workflow/execution/?organization={}", &org, unknown),
    ];
    for (method, path, ours, absent) in rows {
        for named in ["", org.as_str(), &theirs.organization] {
            let ask = |name: &str| {
                let mark = if path.contains('?') { '&' } else { '?' };
                let named =
                    if named.is_empty() { String::new() } else { format!("{mark}organization={named}") };
                let path = format!("{}{named}", path.replace("{}", name));
                let answer = house.send_bare(method, &path, &[("authorization", &bearer)], b"");
                let mut headers = answer.headers.clone();
                headers
                    .retain(|(name, _)| !["date", "x-request-id", "content-length"].contains(&name.as_str()));
                let mut said = answer.text().replace(name, "{}");
                if let Some(at) = said.find("\"status\"") {
                    said.replace_range(..at, "");
                }
                (answer.status, headers, said)
            };
            let (seen, absent) = (ask(ours), ask(absent));
            assert!([403, 404].contains(&seen.0), "{method} {path} in `{named}`: {seen:?}");
            assert_eq!(seen, absent, "{method} {path} in `{named}`");
        }
    }
    assert_eq!(theirs.get("/v2/workflow/execution/").json()["total"], 0);
    assert_eq!(theirs.get("/v1/organization").json()["total"], 1);
    assert_eq!(house.execution(&failed)["status"], "FAILED");
}
