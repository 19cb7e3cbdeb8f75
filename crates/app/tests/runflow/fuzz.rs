//! The document that is served is a good one, and what the server answers is what it says: `schemathesis` asks every operation
//! of it for things that its schemas allow and for things that they forbid.
//!
//! `PACKSHOT_FUZZ_EXAMPLES` asks more of each operation, `PACKSHOT_FUZZ_SEED` other things.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::house::{House, LOOPBACK, id, multipart, picture, send};
use crate::support::models_dir;

/// The tools and their versions: another version asks other things.
const TOOLS: [&str; 2] = ["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"];

/// What every answer is held to. Left out are those checks that judge taste rather than truth: whether what a schema allows is
/// also taken (a schema cannot say that a picture must exist), and whether what it forbids is refused (unknown keys and
/// parameters are ignored on purpose).
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance";

/// Asked of each operation, besides the edges of its schemas.
const EXAMPLES: &str = "6";
const SEED: &str = "20260506";

/// The folder of a virtual environment with the tools, made once and kept in the cache.
fn tools() -> PathBuf {
    let cache = models_dir().parent().expect("a parent").join("test-clients");
    let ready = cache.join(TOOLS.join("-").replace("==", "-"));
    if ready.join("venv/bin/python").exists() {
        return ready.join("venv/bin");
    }
    fs::create_dir_all(&cache).expect("a cache folder");
    let folder = tempfile::Builder::new().prefix("making-").tempdir_in(&cache).expect("a folder");
    let venv = folder.path().join("venv");
    let run = |program: &Path, words: &[&str]| {
        let output = Command::new(program).args(words).output().expect("it runs");
        assert!(output.status.success(), "{} {words:?}: {}", program.display(), said(&output));
    };
    // `--copies`, because the folder is moved when it is whole.
    run(Path::new("python3"), &["-m", "venv", "--copies", venv.to_str().expect("a path")]);
    run(&venv.join("bin/python"), &[&["-m", "pip", "install", "--quiet"][..], &TOOLS].concat());
    // Whoever renames first wins; the others use what is there.
    let _ = fs::rename(folder.path(), &ready);
    assert!(ready.join("venv/bin/python").exists(), "the tools could not be installed");
    ready.join("venv/bin")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Objects of every noun, by the words that stand for their ids in `fuzz.toml`.
fn furnish(house: &House) -> BTreeMap<&'static str, Vec<String>> {
    let many = |path: &str, body: Value| -> Vec<String> {
        (0..6).map(|_| id(&house.post(path, &body).expect(201))).collect()
    };
    let items = |path: &str| -> Vec<String> {
        let page = house.get(path).expect(200);
        page["items"].as_array().expect("a list").iter().take(3).map(id).collect()
    };
    let webhooks = many("/v1/webhooks", json!({ "url": "http://127.0.0.1:9/hook" }));
    let folders = many("/v1/asset-folders", json!({ "name": "Spring" }));
    let secrets = many("/v1/callback-secrets", json!({}));
    let bearer = format!("Bearer {}", house.key);
    let assets: Vec<_> = (0..6)
        .map(|seed| {
            let (kind, form) = multipart("mug.png", &picture(seed));
            let headers = [("authorization", bearer.as_str()), ("content-type", kind.as_str())];
            id(&send(house.base(), "POST", "/v1/assets", &headers, &form).expect(201))
        })
        .collect();
    let upload = json!({ "filename": "mug.png", "mime_type": "image/png", "size_bytes": 100 });
    let upload = house.post("/v1/asset-uploads", &upload).expect(201);
    let announced = link(house, &upload["upload_url"]);
    let asset = house.get(&format!("/v1/assets/{}", assets[0])).expect(200);
    let (file, thumbnail) = (link(house, &asset["url"]), link(house, &asset["thumbnail_url"]));
    let told = json!({
        "client_ref": "it's", "metadata": { "sku": "A-1" }, "callback_url": "http://127.0.0.1:9/back",
    });
    let run = id(&house.run(1, &told));
    house.ended(&run);
    let pictures = json!({ "input": [{ "image_url": house.inline(2) }, { "image_url": "no address" }] });
    let batch = house.post(&format!("/v1/models/{}/batches", house.plain_model()), &pictures).expect(201);
    let batch = id(&batch);
    house.batch_ended(&batch);
    let evaluation = json!({
        "generated_image_url": format!("runflow://assets/{}", assets[0]), "task_type": "product_photography", "run_id": run,
    });
    let evaluation = id(&house.post("/v1/evaluations", &evaluation).expect(202));
    let deployment = json!({ "slug": "x", "name": "X", "workflow_json": {}, "graph": {} });
    let deployment = id(&house.post("/v1/comfyui-workflows", &deployment).expect(201));
    let (nodes, logs) = (items(&format!("/v1/runs/{run}/node-runs")), items(&format!("/v1/runs/{run}/logs")));
    let first = house.get(&format!("/v1/runs/{run}/node-runs?limit=1")).expect(200);
    let preview = link(house, &first["items"][0]["preview_value"]);
    let deliveries = house.until("webhooks are told", || {
        Some(items("/v1/webhooks/any/deliveries?limit=3")).filter(|deliveries| !deliveries.is_empty())
    });
    let attempts = house.until("a delivery is tried", || {
        let path = format!("/v1/webhooks/any/deliveries/{}/attempts", deliveries[0]);
        Some(items(&path)).filter(|attempts| !attempts.is_empty())
    });
    let (kept, rest) = (|ids: &[String]| ids[..2].to_vec(), |ids: &[String]| ids[2..].to_vec());
    BTreeMap::from([
        ("BATCHES", vec![batch.clone()]),
        ("ITEMS", items(&format!("/v1/batches/{batch}/items"))),
        ("NODES", [nodes, logs].concat()),
        ("RUNS", vec![run]),
        ("ASSETS", kept(&assets)),
        ("DISPOSABLE_ASSETS", rest(&assets)),
        ("UPLOADS", vec![announced[1].clone(), assets[0].clone()]),
        ("FOLDERS", kept(&folders)),
        ("DISPOSABLE_FOLDERS", rest(&folders)),
        ("EVALUATIONS", vec![evaluation]),
        ("WEBHOOKS", kept(&webhooks)),
        ("DISPOSABLE_WEBHOOKS", rest(&webhooks)),
        ("SECRETS", kept(&secrets)),
        ("DISPOSABLE_SECRETS", rest(&secrets)),
        ("DELIVERIES", deliveries),
        ("ATTEMPTS", attempts),
        ("DEPLOYMENTS", vec![deployment]),
        ("EXAMPLES", items("/v1/models/any/examples")),
        ("MODELS", items("/v1/models")),
        ("ORGANIZATION", vec![file[0].clone()]),
        ("FILE_HASH", vec![file[1].clone()]),
        ("FILE_UNTIL", vec![file[2].clone()]),
        ("FILE_NAME", vec![file[3].clone()]),
        ("FILE_SIGNATURE", vec![file[4].clone()]),
        ("THUMBNAIL_HASH", vec![thumbnail[1].clone()]),
        ("THUMBNAIL_UNTIL", vec![thumbnail[2].clone()]),
        ("THUMBNAIL_NAME", vec![thumbnail[3].clone()]),
        ("THUMBNAIL_SIGNATURE", vec![thumbnail[4].clone()]),
        ("PREVIEW_STEP", vec![preview[1].clone()]),
        ("PREVIEW_UNTIL", vec![preview[2].clone()]),
        ("PREVIEW_NAME", vec![preview[3].clone()]),
        ("PREVIEW_SIGNATURE", vec![preview[4].clone()]),
        ("UPLOAD_ASSET", vec![announced[1].clone()]),
        ("UPLOAD_UNTIL", vec![announced[2].clone()]),
        ("UPLOAD_SIGNATURE", vec![announced[3].clone()]),
    ])
}

/// The changing parts of a signed address: those of its path, then its signature.
fn link(house: &House, url: &Value) -> Vec<String> {
    let url = url.as_str().expect("an address");
    let path = url.strip_prefix(house.base()).unwrap_or_else(|| panic!("`{url}` leads elsewhere"));
    let (path, signature) = path.split_once("?sig=").expect("a signature");
    path.split('/').skip(3).chain([signature]).map(str::to_owned).collect()
}

/// `fuzz.toml` with the ids of what is there.
fn configuration(ids: &BTreeMap<&'static str, Vec<String>>) -> String {
    let mut text = include_str!("fuzz.toml").replace("FIRST_RUN", &ids["RUNS"][0]);
    for (word, ids) in ids {
        // Times are numbers.
        let quoted = |id: &String| if id.parse::<u64>().is_ok() { id.clone() } else { format!("\"{id}\"") };
        let listed: Vec<String> = ids.iter().map(quoted).collect();
        assert!(!listed.is_empty(), "nothing for {word}");
        for end in ["]", ","] {
            text = text.replace(&format!("[{word}{end}"), &format!("[{}{end}", listed.join(", ")));
        }
    }
    text
}

/// The document, and nothing is answered that it does not name: schemas of objects are closed, but those that others are made
/// of with `allOf`.
fn closed(mut document: Value) -> Value {
    let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
    let parts: Vec<String> = schemas
        .values()
        .flat_map(|schema| schema["allOf"].as_array().into_iter().flatten())
        .filter_map(|part| Some(part["$ref"].as_str()?.rsplit('/').next()?.to_owned()))
        .collect();
    let mut many = 0;
    for (name, schema) in schemas {
        let is_open = schema["properties"].is_object() && schema["additionalProperties"].is_null();
        if is_open && !parts.contains(name) {
            schema["additionalProperties"] = json!(false);
            many += 1;
        }
    }
    assert!(many > 50, "only {many} schemas are of objects");
    document
}

#[test]
fn every_answer_is_one_that_the_document_tells_of() {
    let tools = tools();
    let settings = [&LOOPBACK[..], &[("PACKSHOT_LIMITS__RATE_CALLS", "1000000")]].concat();
    let house = House::with(&settings);
    let folder = tempfile::tempdir().expect("a folder");
    let document = folder.path().join("openapi.json");
    let served = send(house.base(), "GET", "/v1/openapi.json", &[], &[]);
    served.expect(200);
    fs::write(&document, &served.body).expect("written");
    let judged =
        Command::new(tools.join("python")).args(["-m", "openapi_spec_validator"]).arg(&document).output();
    let judged = judged.expect("it runs");
    assert!(judged.status.success(), "{}", said(&judged));
    fs::write(&document, closed(served.json()).to_string()).expect("written");

    let file = folder.path().join("fuzz.toml");
    fs::write(&file, configuration(&furnish(&house))).expect("written");
    let setting = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let fuzzed = Command::new(tools.join("python"))
        .current_dir(folder.path())
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(&file)
        .arg("run")
        .arg(&document)
        .args(["--url", house.base(), "--header", &format!("Authorization: Bearer {}", house.key)])
        .args(["--phases", "examples,coverage,fuzzing", "--checks", CHECKS, "--continue-on-failure"])
        .args(["--seed", &setting("PACKSHOT_FUZZ_SEED", SEED)])
        .args(["--max-examples", &setting("PACKSHOT_FUZZ_EXAMPLES", EXAMPLES)])
        .args(["--no-color", "--warnings", "off", "--output-truncate", "false"])
        .output()
        .expect("it runs");
    let report = said(&fuzzed);
    assert!(fuzzed.status.success(), "{report}");
    assert!(!house.server.log().contains("panicked"), "{report}");
    // It has asked every operation, and said that it has.
    let operations: usize = served.json()["paths"]
        .as_object()
        .expect("paths")
        .values()
        .map(|methods| methods.as_object().expect("methods").len())
        .sum();
    assert!(report.contains(&format!("Tested: {operations}")), "{operations}: {report}");
}
