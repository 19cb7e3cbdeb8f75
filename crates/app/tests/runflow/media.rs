//! 15 to 19: uploads in three steps, assets, references.

use serde_json::{Value, json};

use crate::house::{Answer, House, id, multipart, picture, send};

/// Announces an upload and answers its asset's id and its link.
fn announce(house: &House, bytes: usize) -> (String, String) {
    let body = json!({ "filename": "mug.png", "mime_type": "image/png", "size_bytes": bytes });
    let announced = house.post("/v1/asset-uploads", &body).expect(201);
    let text = |name: &str| announced[name].as_str().expect("a text").to_owned();
    (text("asset_id"), text("upload_url"))
}

fn put(house: &House, url: &str, kind: &str, bytes: &[u8]) -> Answer {
    let path = url.strip_prefix(house.base()).expect("an address of this server");
    send(house.base(), "PUT", path, &[("content-type", kind)], bytes)
}

/// A whole upload.
fn uploaded(house: &House, seed: u8) -> Value {
    let bytes = picture(seed);
    let (asset, url) = announce(house, bytes.len());
    assert_eq!(put(house, &url, "image/png", &bytes).status, 200);
    house.post(&format!("/v1/asset-uploads/{asset}/confirmations"), &json!({})).expect(201)
}

#[test]
fn behaviour_15_an_upload_is_announced_with_201() {
    let house = House::with(&[("PACKSHOT_BASE_URL", "https://retouch.example")]);
    let body = json!({ "filename": "mug.webp", "mime_type": "image/webp", "size_bytes": 240_100 });
    let answer = house.post("/v1/asset-uploads", &body).expect(201);
    let mut names: Vec<_> = answer.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["asset_id", "upload_url"]);
    assert!(answer["upload_url"].as_str().expect("an address").starts_with("https://retouch.example/"));
    for (wrong, field) in [
        (json!({ "filename": "", "mime_type": "image/png", "size_bytes": 1 }), "filename"),
        (json!({ "filename": "a", "mime_type": "text/html", "size_bytes": 1 }), "mime_type"),
        (json!({ "filename": "a", "mime_type": "image/png", "size_bytes": 0 }), "size_bytes"),
        (json!({ "filename": "a", "mime_type": "image/png", "size_bytes": 52_428_801 }), "size_bytes"),
        (json!({ "filename": "a", "mime_type": "image/png" }), "size_bytes"),
    ] {
        let error = house.post("/v1/asset-uploads", &wrong).refuses(422, "VALIDATION_ERROR");
        assert_eq!(error["errors"][0]["loc"], json!(["body", field]));
    }
    let open = json!({ "filename": "a.bin", "mime_type": "application/octet-stream", "size_bytes": 9 });
    house.post("/v1/asset-uploads", &open).expect(201);
}

#[test]
fn behaviour_16_the_bytes_are_put_with_their_type_alone() {
    let house = House::open();
    let bytes = picture(16);
    let (asset, url) = announce(&house, bytes.len());
    for _ in 0..2 {
        let answer = put(&house, &url, "image/png", &bytes);
        assert!([200, 201, 204].contains(&answer.status), "{}", answer.text());
    }
    put(&house, &url, "image/jpeg", &bytes).refuses(403, "PERMISSION_DENIED");
    put(&house, &url.replace("sig=", "sig=A"), "image/png", &bytes).refuses(403, "PERMISSION_DENIED");
    let more = [&bytes[..], b"more"].concat();
    put(&house, &url, "image/png", &more).refuses(413, "PAYLOAD_TOO_LARGE");
    house.post(&format!("/v1/asset-uploads/{asset}/confirmations"), &json!({})).expect(201);
}

#[test]
fn behaviour_17_a_confirmation_takes_any_body_and_answers_the_asset() {
    let house = House::open();
    let folder = house.post("/v1/asset-folders", &json!({ "name": "Spring" })).expect(201);
    for (seed, body) in [
        (1, None),
        (2, Some(json!({}))),
        (3, Some(json!({ "folder_id": null }))),
        (4, Some(json!({ "folder_id": folder["id"] }))),
    ] {
        let bytes = picture(seed);
        let (asset, url) = announce(&house, bytes.len());
        let path = format!("/v1/asset-uploads/{asset}/confirmations");
        house.call("POST", &path, body.as_ref()).refuses(422, "VALIDATION_ERROR");
        assert_eq!(put(&house, &url, "image/png", &bytes).status, 200);
        let kept = house.call("POST", &path, body.as_ref()).expect(201);
        for name in ["id", "url", "name", "mime_type", "size_bytes", "thumbnail_url", "created_at"] {
            assert!(kept.get(name).is_some(), "{name}");
        }
        assert_eq!((&kept["id"], &kept["size_bytes"]), (&json!(asset), &json!(bytes.len())));
        assert_eq!(house.follow(kept["url"].as_str().expect("an address")).body, bytes);
        let again = house.call("POST", &path, body.as_ref()).expect(201);
        assert_eq!(again["id"], kept["id"]);
        assert_eq!(again["folder_id"], kept["folder_id"]);
        let small = house.follow(kept["thumbnail_url"].as_str().expect("an address"));
        assert_eq!((small.status, small.header("content-type")), (200, Some("image/webp")));
    }
    // No picture.
    let (asset, url) = announce(&house, 9);
    assert_eq!(put(&house, &url, "image/png", b"no pixels").status, 200);
    let path = format!("/v1/asset-uploads/{asset}/confirmations");
    house.post(&path, &json!({})).refuses(422, "VALIDATION_ERROR");
}

#[test]
fn behaviour_18_an_asset_is_signed_afresh_with_every_read() {
    let house = House::open();
    let asset = uploaded(&house, 18);
    let path = format!("/v1/assets/{}", id(&asset));
    for _ in 0..2 {
        let seen = house.get(&path).expect(200);
        assert_eq!(house.follow(seen["url"].as_str().expect("an address")).body, picture(18));
    }
    let changed = house.call("PATCH", &path, Some(&json!({ "name": "cup.png" }))).expect(200);
    assert_eq!(changed["name"], "cup.png");
    let listed = house.get("/v1/assets?q=name:cup.png").expect(200);
    assert_eq!(listed["items"][0]["id"], asset["id"]);
    assert_eq!(house.call("DELETE", &path, None).status, 204);
    house.get(&path).refuses(404, "ASSET_NOT_FOUND");
}

#[test]
fn behaviour_19_a_reference_is_an_input_within_its_organization() {
    let house = House::open();
    let asset = uploaded(&house, 19);
    let path = format!("/v1/models/{}/runs", house.plain_model());
    let run =
        |id: &str| house.post(&path, &json!({ "input": { "image_url": format!("runflow://assets/{id}") } }));
    let made = run(&id(&asset)).expect(201);
    let made = house.ended(&id(&made));
    assert_eq!(made["status_code"], "succeeded");
    let url = made["input"]["image_url"].as_str().expect("an address");
    assert_eq!(house.follow(url).body, picture(19), "the reference is shown as a signed address");
    let unknown = "0196a300-0000-7000-8000-000000000001";
    let error = run(unknown).refuses(422, "VALIDATION_ERROR");
    assert_eq!(error["errors"][0]["msg"], format!("asset not found or expired: runflow://assets/{unknown}"));
    assert_eq!(error["errors"][0]["loc"], json!(["body", "input", "image_url"]));
    // Another organization's is as good as none, and so is everything else of ours for them.
    let bearer = format!("Bearer {}", house.neighbour());
    let (kind, form) = multipart("theirs.png", &picture(77));
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    let theirs = send(house.base(), "POST", "/v1/assets", &headers, &form).expect(201);
    let error = run(&id(&theirs)).refuses(422, "VALIDATION_ERROR");
    assert!(
        error["errors"][0]["msg"].as_str().is_some_and(|msg| msg.starts_with("asset not found")),
        "{error}"
    );
    let headers = [("authorization", bearer.as_str())];
    for (path, code) in [
        (format!("/v1/assets/{}", id(&asset)), "ASSET_NOT_FOUND"),
        (format!("/v1/runs/{}", id(&made)), "RUN_NOT_FOUND"),
        (format!("/v1/runs/{}/callback", id(&made)), "RUN_NOT_FOUND"),
        (format!("/v1/runs/{}/logs", id(&made)), "RUN_NOT_FOUND"),
    ] {
        send(house.base(), "GET", &path, &headers, &[]).refuses(404, code);
    }
    let listed = send(house.base(), "GET", "/v1/runs", &headers, &[]).expect(200);
    assert_eq!(listed["items"], json!([]));
}

#[test]
fn folders_hold_assets_and_no_cycle() {
    let house = House::open();
    let make = |name: &str, parent: &Value| {
        house.post("/v1/asset-folders", &json!({ "name": name, "parent_id": parent })).expect(201)
    };
    let outer = make("outer", &Value::Null);
    let inner = make("inner", &outer["id"]);
    let asset = uploaded(&house, 3);
    let path = format!("/v1/assets/{}", id(&asset));
    house.call("PATCH", &path, Some(&json!({ "folder_id": inner["id"] }))).expect(200);
    let cycle = json!({ "parent_id": inner["id"] });
    house
        .call("PATCH", &format!("/v1/asset-folders/{}", id(&outer)), Some(&cycle))
        .refuses(422, "VALIDATION_ERROR");
    assert_eq!(house.call("DELETE", &format!("/v1/asset-folders/{}", id(&inner)), None).status, 204);
    assert!(house.get(&path).expect(200)["folder_id"].is_null());
    let kept = house.get("/v1/asset-folders").expect(200);
    assert_eq!(kept["items"].as_array().expect("a list").len(), 1);
}

#[test]
fn a_file_is_taken_at_once_as_a_form() {
    let house = House::open();
    let (kind, form) = multipart("mug.png", &picture(5));
    let bearer = format!("Bearer {}", house.key);
    let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
    let asset = send(house.base(), "POST", "/v1/assets", &headers, &form).expect(201);
    assert_eq!((&asset["name"], &asset["mime_type"]), (&json!("mug.png"), &json!("image/png")));
    let types = house.get("/v1/assets/types").expect(200);
    assert!(types["items"].as_array().expect("a list").iter().any(|kind| kind["mime_type"] == "image/png"));
}
