use std::collections::{BTreeMap, BTreeSet};

use domain::access::Author;
use domain::id::{OrgId, UserId, VersionId, WorkflowId};
use domain::image::ContentHash;
use domain::time::Timestamp;
use domain::workflow::{Step, Version, Workflow};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn model(path: &str) -> &'static Model {
    let (owner, slug) = path.split_once('/').expect("an owner");
    find(owner, slug).unwrap_or_else(|| panic!("`{path}` is in the catalogue"))
}

fn checked(path: &str, input: Value) -> Checked {
    validate(model(path), &input, &MediaRules::STRICT).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn planned(path: &str, input: Value) -> Plan {
    plan(model(path), &checked(path, input)).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The faults of an input, as `type loc.loc`.
fn faults(path: &str, input: Value) -> Vec<String> {
    let errors = validate(model(path), &input, &MediaRules::STRICT).expect_err("refused");
    errors.iter().map(|error| format!("{} {}", error.kind, way(error))).collect()
}

fn way(error: &FieldError) -> String {
    let parts = error.loc.iter().map(|part| match part {
        Loc::Key(key) => key.clone(),
        Loc::Index(index) => index.to_string(),
    });
    parts.collect::<Vec<_>>().join(".")
}

fn message(path: &str, input: Value) -> String {
    let mut errors = validate(model(path), &input, &MediaRules::STRICT).expect_err("refused");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0).msg
}

const MUG: &str = "https://shop.example/mug.jpg";

#[test]
fn the_catalogue_holds_what_needs_no_generative_model() {
    let paths: Vec<String> = all().iter().map(Model::path).collect();
    assert_eq!(
        paths,
        [
            "runflow/background-removal",
            "runflow/product-isolation",
            "runflow/background-color",
            "runflow/smart-resize",
            "runflow/outpaint",
            "runflow/object-removal",
            "runflow/tag-removal",
            "runflow/skin-fix",
            "runflow/dyver-removal",
            "bria/background/remove",
            "topaz/upscale/image",
        ]
    );
    for absent in ["model-removal", "object-removal/prompt", "background-replace", "reference-inpaint"] {
        assert!(find("runflow", absent).is_none(), "{absent}");
    }
}

#[test]
fn every_id_is_a_lower_case_uuid_v7_and_its_own() {
    let mut seen = BTreeSet::new();
    let mut once = |id: Uuid| {
        assert_eq!(id.get_version_num(), 7, "{id}");
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122, "{id}");
        assert!(seen.insert(id), "{id} is there twice");
    };
    for creator in creators() {
        once(creator.id);
    }
    for model in all() {
        once(model.id);
        (0..model.inputs.len()).for_each(|index| once(model.input_id(index)));
        (0..model.outputs.len()).for_each(|index| once(model.output_id(index)));
        (0..model.examples.len()).for_each(|index| once(model.example_id(index)));
        assert_eq!(find_id(model.id).map(Model::path), Some(model.path()));
        assert!(creators().iter().any(|creator| creator.id == model.creator && creator.slug == model.owner));
    }
}

#[test]
fn every_model_says_what_it_is_and_its_examples_hold() {
    for model in all() {
        assert!(!model.examples.is_empty() && !model.description.is_empty(), "{}", model.path());
        let names: BTreeSet<&str> = model.inputs.iter().map(|input| input.name).collect();
        assert_eq!(names.len(), model.inputs.len(), "{}", model.path());
        if names.contains("prompt") {
            assert!(model.content.contains("does not steer"), "{}", model.path());
        }
        for example in &model.examples {
            let checked = validate(model, &example.input, &MediaRules::STRICT);
            let checked = checked.unwrap_or_else(|errors| panic!("{}: {errors:?}", model.path()));
            let plan = plan(model, &checked).expect("a plan");
            assert!(plan.picture.value(&example.input).is_some(), "{}", model.path());
            for further in &plan.further {
                assert!(further.source.value(&example.input).is_some(), "{}", model.path());
                assert!(serde_json::to_string(&plan.steps).expect("JSON").contains(further.placeholder));
            }
        }
    }
}

#[test]
fn list_prices_are_those_of_the_catalogue() {
    let price = |path: &str| model(path).price.map(|price| price.to_string());
    assert_eq!(price("runflow/product-isolation").as_deref(), Some("0.27"));
    assert_eq!(price("runflow/background-color").as_deref(), Some("0.12"));
    assert_eq!(price("runflow/tag-removal").as_deref(), Some("0.14"));
    assert_eq!(price("runflow/object-removal").as_deref(), Some("0.48"));
    assert_eq!(price("runflow/outpaint").as_deref(), Some("0.55"));
    assert_eq!(price("runflow/smart-resize").as_deref(), Some("0.55"));
    assert_eq!(price("runflow/skin-fix").as_deref(), Some("0.12"));
    assert_eq!(price("bria/background/remove").as_deref(), Some("0.018"));
    assert_eq!(price("topaz/upscale/image"), None);
}

#[test]
fn every_fault_is_told_at_once() {
    assert_eq!(
        faults(
            "runflow/product-isolation",
            json!({ "image_url": "mug.jpg", "resolution": "8K", "prompt": 3 })
        ),
        ["url_parsing image_url", "missing aspect_ratio", "enum resolution", "string_type prompt"]
    );
    assert_eq!(faults("runflow/skin-fix", json!([])), ["dict_type "]);
    assert_eq!(faults("runflow/skin-fix", json!({ "image_url": null })), ["missing image_url"]);
    assert_eq!(faults("runflow/skin-fix", json!({ "image_url": 7 })), ["string_type image_url"]);
    assert_eq!(
        message("runflow/skin-fix", json!({ "image_url": "http://shop.example/mug.jpg" })),
        "URL scheme should be 'https'"
    );
    assert_eq!(message("runflow/skin-fix", json!({})), "Field required");
    let input = json!({ "image_url": MUG, "aspect_ratio": "1:1", "resolution": "3K" });
    assert_eq!(message("runflow/smart-resize", input), "Input should be '1K', '2K' or '4K'");
}

#[test]
fn numbers_are_held_to_their_kind_and_range() {
    let red = |value: Value| {
        let input = json!({ "image_url": MUG, "color_red": value });
        validate(model("runflow/background-color"), &input, &MediaRules::STRICT)
            .map(|checked| checked.get("color_red").cloned())
            .map_err(|errors| (errors[0].kind, errors[0].msg.clone()))
    };
    assert_eq!(red(json!(7)), Ok(Some(json!(7))));
    assert_eq!(red(json!(7.0)), Ok(Some(json!(7))));
    assert_eq!(red(json!(" 7 ")), Ok(Some(json!(7))));
    assert_eq!(red(Value::Null), Ok(Some(json!(255))));
    let kind = |value: Value| red(value).expect_err("refused").0;
    assert_eq!(kind(json!(7.5)), "int_from_float");
    assert_eq!(kind(json!("seven")), "int_parsing");
    assert_eq!(kind(json!(true)), "int_type");
    assert_eq!(kind(json!(1e300)), "int_parsing_size");
    assert_eq!(red(json!(-1)).expect_err("refused").1, "Input should be greater than or equal to 0");
    assert_eq!(red(json!(256)).expect_err("refused").1, "Input should be less than or equal to 255");
    assert_eq!(kind(json!(256)), "less_than_equal");
    let sides = |top: Value| json!({ "image_url": MUG, "expand_top": top, "expand_bottom": 0, "expand_left": "12.5", "expand_right": 0 });
    let path = "runflow/outpaint";
    assert_eq!(checked(path, sides(json!(33.3))).number("expand_left"), Some(12.5));
    assert_eq!(faults(path, sides(json!([]))), ["float_type expand_top"]);
    assert_eq!(faults(path, sides(json!("much"))), ["float_parsing expand_top"]);
    assert_eq!(faults(path, sides(json!("NaN"))), ["float_parsing expand_top"]);
    assert_eq!(faults(path, sides(json!(-0.1))), ["greater_than_equal expand_top"]);
}

#[test]
fn texts_flags_and_objects_are_held_to_their_kind() {
    let remove = |value: Value| json!({ "image_url": MUG, "sync_mode": value });
    assert!(checked("bria/background/remove", remove(json!("true"))).is("sync_mode"));
    assert!(!checked("bria/background/remove", remove(json!(0))).is("sync_mode"));
    assert_eq!(faults("bria/background/remove", remove(json!("maybe"))), ["bool_parsing sync_mode"]);
    assert_eq!(faults("bria/background/remove", remove(json!([]))), ["bool_type sync_mode"]);
    let config = |value: Value| json!({ "image_url": MUG, "config": value });
    let path = "runflow/background-removal";
    assert!(checked(path, config(json!(r#"{"aspect_ratio":"4:5"}"#))).object("config").is_some());
    assert_eq!(faults(path, config(json!("{"))), ["json_invalid config"]);
    assert_eq!(faults(path, config(json!("[]"))), ["dict_type config"]);
    assert_eq!(faults(path, config(json!(5))), ["dict_type config"]);
    assert_eq!(faults(path, config(json!({ "aspect_ratio": "wide" }))), ["value_error config.aspect_ratio"]);
    assert_eq!(faults(path, config(json!({ "aspect_ratio": 1.5 }))), ["string_type config.aspect_ratio"]);
    let long =
        json!({ "image_url": MUG, "aspect_ratio": "1:1", "resolution": "1K", "prompt": "x".repeat(4001) });
    assert_eq!(faults("runflow/smart-resize", long), ["string_too_long prompt"]);
    let pdf = json!({ "image_url": "data:application/pdf;base64,AAEC" });
    assert_eq!(faults("runflow/skin-fix", pdf), ["value_error image_url"]);
}

#[test]
fn an_object_written_as_a_text_is_unfolded() {
    let model = model("runflow/tag-removal");
    let mut input = json!({
        "image_url": MUG, "config": r#"{"mask_url":"https://shop.example/m.png","aspect_ratio":"4:3"}"#,
        "mask_url": "{", "prompt": "{}",
    });
    unfold(model, &mut input);
    assert_eq!(input["config"]["aspect_ratio"], "4:3");
    assert_eq!(
        (&input["mask_url"], &input["prompt"]),
        (&json!("{"), &json!("{}")),
        "only where objects belong"
    );
    let ways: Vec<_> =
        media(model, &input, &MediaRules::STRICT).into_iter().map(|found| found.path).collect();
    assert!(ways.contains(&vec![Loc::from("config"), Loc::from("mask_url")]));
    for odd in [json!({ "config": "[]" }), json!({ "config": "{" }), json!({}), json!(7)] {
        let mut same = odd.clone();
        unfold(model, &mut same);
        assert_eq!(same, odd);
    }
}

#[test]
fn unknown_keys_are_passed_over() {
    let checked = checked("runflow/skin-fix", json!({ "image_url": MUG, "seed": 7, "model": { "a": [] } }));
    assert!(!checked.has("seed"));
}

#[test]
fn a_mask_comes_by_address_in_an_archive_or_as_a_box() {
    let path = "runflow/object-removal";
    let mask = "https://shop.example/mask.png";
    let zip = "https://shop.example/both.zip";
    let plan = planned(path, json!({ "image_url": MUG, "mask_url": mask }));
    assert_eq!(plan.steps[1].settings["mask"], "@mask");
    assert_eq!((plan.picture.clone(), plan.picture.member.clone()), (Source::field(&["image_url"]), None));
    let hash = ContentHash([7; 32]);
    let steps = plan.filled(&BTreeMap::from([("@mask".to_owned(), hash)])).expect("filled");
    assert_eq!(steps[1].settings["mask"], hash.to_string());
    assert_eq!(plan.filled(&BTreeMap::new()), Err(Unfilled("@mask".into())));
    let archive = json!({ "zip_url": zip, "file_input": "a.jpg", "file_mask": "m.png" });
    let plan = planned(path, archive.clone());
    assert_eq!((plan.picture.value(&archive), plan.picture.member.as_deref()), (Some(zip), Some("a.jpg")));
    assert_eq!(plan.further[0].source.member.as_deref(), Some("m.png"));
    let corner = json!({ "x": 0, "y": 0, "width": 0.5, "height": 0.5 });
    let plan = planned(path, json!({ "image_url": MUG, "config": { "box": corner, "boxes": [corner] } }));
    assert_eq!((plan.steps[1].settings["boxes"].clone(), plan.further.len()), (json!([corner, corner]), 0));

    assert_eq!(faults(path, json!({})), ["missing image_url", "missing mask_url"]);
    assert_eq!(faults(path, json!({ "image_url": MUG })), ["missing mask_url"]);
    assert_eq!(faults(path, json!({ "zip_url": zip })), ["missing file_input", "missing file_mask"]);
    assert_eq!(
        faults(path, json!({ "zip_url": "both.zip", "file_input": "a.jpg", "file_mask": "m.png" })),
        ["url_parsing zip_url"]
    );
    let both = json!({ "image_url": MUG, "zip_url": zip, "file_input": "a.jpg", "file_mask": "m.png" });
    assert_eq!(faults(path, both), ["value_error image_url"]);
    let lost = json!({ "image_url": MUG, "mask_url": mask, "file_mask": "m.png" });
    assert_eq!(faults(path, lost), ["value_error file_mask"]);
    let flat = json!({ "x": 0, "y": -1, "width": 0, "height": 40 });
    assert_eq!(
        faults(path, json!({ "image_url": MUG, "config": { "boxes": [corner, flat, { "x": "a" }, 4] } })),
        [
            "greater_than_equal config.boxes.1.y",
            "greater_than config.boxes.1.width",
            "less_than_equal config.boxes.1.height",
            "float_type config.boxes.2.x",
            "missing config.boxes.2.y",
            "missing config.boxes.2.width",
            "missing config.boxes.2.height",
            "dict_type config.boxes.3",
        ]
    );
}

#[test]
fn tags_must_be_marked() {
    let path = "runflow/tag-removal";
    assert!(message(path, json!({ "image_url": MUG })).contains("config.box"));
    let within = json!({ "image_url": MUG, "config": { "mask_url": "https://shop.example/m.png", "aspect_ratio": "4:3" } });
    let plan = planned(path, within.clone());
    assert_eq!(plan.further[0].source.value(&within), Some("https://shop.example/m.png"));
    assert_eq!(plan.steps[2].settings, json!({ "ratio": "4:3", "unplain": "pad" }));
    let bad = json!({ "image_url": MUG, "config": { "mask_url": "m.png" } });
    assert_eq!(faults(path, bad), ["url_parsing config.mask_url"]);
}

#[test]
fn stages_run_in_their_order_and_a_model_is_not_removed() {
    let path = "runflow/dyver-removal";
    let run = |elements: Value| json!({ "image_url": MUG, "mask_url": "https://shop.example/m.png", "config": { "elements": elements } });
    let plan = planned(path, run(json!(["background_removal", "tag_removal", "product_isolation"])));
    assert_eq!(plan.before, ["tag_removal", "product_isolation"]);
    assert_eq!(plan.name, "result_background_removal");
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["input", "removeObject", "removeBackground", "export"]);
    let plan = planned(path, run(json!(["product_isolation"])));
    assert_eq!((plan.name, plan.before.len()), ("result_product_isolation", 0));
    assert!(plan.further.is_empty(), "without tags the mask is not fetched");
    assert!(message(path, run(json!(["model_removal", "tag_removal"]))).contains("leave it out"));
    assert_eq!(
        faults(path, run(json!(["shoe_removal", 4]))),
        ["enum config.elements.0", "enum config.elements.1"]
    );
    assert_eq!(faults(path, run(json!([]))), ["too_short config.elements"]);
    assert_eq!(faults(path, run(json!("tag_removal"))), ["list_type config.elements"]);
    assert_eq!(faults(path, json!({ "image_url": MUG, "config": {} })), ["missing config.elements"]);
    assert_eq!(faults(path, json!({ "image_url": MUG })), ["missing config"]);
    let unmarked = json!({ "image_url": MUG, "config": { "elements": ["tag_removal"] } });
    assert_eq!(faults(path, unmarked), ["value_error mask_url"]);
}

#[test]
fn an_enlarger_does_what_it_can_and_refuses_the_rest() {
    let path = "topaz/upscale/image";
    let plan = planned(path, json!({ "image_url": MUG, "upscale_factor": 1.5, "output_format": "jpeg" }));
    assert_eq!(plan.steps[1].settings["factor"], 1.5);
    assert_eq!(plan.steps[1].settings["method"], "resample");
    assert_eq!(plan.steps[2].settings["targetFormat"], "JPEG");
    let plan = planned(path, json!({ "image_url": MUG, "model": "CGI", "face_enhancement": false }));
    assert_eq!(
        (&plan.steps[1].settings["method"], &plan.steps[1].settings["factor"]),
        (&json!("network"), &json!(2))
    );
    assert_eq!(faults(path, json!({ "image_url": MUG, "model": "Recovery V2" })), ["enum model"]);
    assert_eq!(
        faults(path, json!({ "image_url": MUG, "upscale_factor": 6 })),
        ["less_than_equal upscale_factor"]
    );
    assert!(message(path, json!({ "image_url": MUG, "face_enhancement": true })).contains("leave it out"));
}

#[test]
fn sizes_follow_shape_and_resolution() {
    let size = |ratio: &str, resolution: &str| parts::size(ratio, resolution);
    assert_eq!(size("1:1", "1K"), Some((1024, 1024)));
    assert_eq!(size("9:16", "2K"), Some((1152, 2048)));
    assert_eq!(size("21:9", "4K"), Some((4096, 1755)));
    assert_eq!(size("25:36", "1K"), Some((711, 1024)));
    assert_eq!(size("1:1", "8K"), None);
    for odd in ["", "1", "0:1", "1:101", "100:1", "a:b", "1:2:3", "-1:2", "inf:1"] {
        assert_eq!(parts::ratio_of(odd), None, "{odd}");
    }
    assert_eq!(parts::ratio_of(" 4 : 5 "), Some((4.0, 5.0)));
}

#[test]
fn a_published_workflow_is_a_model() {
    let step = |kind: &str| Step { kind: kind.into(), label: format!("my {kind}"), settings: json!({}) };
    let workflow = Workflow {
        id: WorkflowId(Uuid::from_u128(0x0197_aaaa_0000_7000_8000_1234_5678_9abc)),
        org: OrgId(Uuid::nil()),
        name: "White packshot".into(),
        author: author(),
        model: None,
        archived_at: None,
        version: Version {
            id: VersionId(Uuid::nil()),
            saved_at: Timestamp(1000),
            steps: vec![step("input"), step("crop"), step("export")],
            price: 10,
            needs_review: false,
        },
    };
    let creator = Uuid::from_u128(1);
    let model = workflow_model("mug-shop", creator, &slug(&workflow.name), &workflow);
    assert_eq!(model.path(), "mug-shop/white-packshot");
    assert!(model.is_workflow() && model.content.contains("`my crop`"));
    assert_eq!((model.id, model.saved_at), (workflow.id.0, Some(Timestamp(1000))));
    assert_eq!(model.input_id(0).get_version_num(), 7);
    let check = |input: Value| validate(&model, &input, &MediaRules::STRICT);
    let plain = check(json!({ "image_url": MUG })).expect("good");
    let made = plan(&model, &plain).expect("a plan");
    assert_eq!((made.steps.clone(), made.overrides), (workflow.version.steps.clone(), Value::Null));
    let changed =
        check(json!({ "image_url": MUG, "settings": { "my crop": { "padding": 4 } } })).expect("good");
    assert_eq!(plan(&model, &changed).expect("a plan").overrides, json!({ "my crop": { "padding": 4 } }));
    let wrong = check(json!({ "settings": { "my crop": 4 } })).expect_err("refused");
    let wrong: Vec<String> = wrong.iter().map(|error| format!("{} {}", error.kind, way(error))).collect();
    assert_eq!(wrong, ["missing image_url", "dict_type settings.my crop"]);
}

fn author() -> Author {
    let id = UserId("somebody".into());
    Author { id, given_name: None, family_name: None, email: None }
}

#[test]
fn slugs_are_plain_and_never_twice() {
    assert_eq!(slug("White packshot"), "white-packshot");
    assert_eq!(slug("  Schuhe (weiß) – Größe 42 "), "schuhe-weiss-groesse-42");
    assert_eq!(slug("Crème brûlée/№5"), "creme-brulee-5");
    assert_eq!(slug("Anna's mug"), "annas-mug");
    assert_eq!(slug("日本"), "workflow");
    assert!(slug(&"ab ".repeat(100)).len() <= 80);
    let names = ["Mug", "mug!", "Mug 2", "MUG", ""];
    assert_eq!(slugs(names), ["mug", "mug-2", "mug-2-2", "mug-3", "workflow"]);
}

#[test]
fn a_fault_is_written_as_clients_read_it() {
    let errors = validate(model("runflow/skin-fix"), &json!({}), &MediaRules::STRICT).expect_err("refused");
    let error = errors[0].clone().within(["body", "input"]);
    assert_eq!(
        serde_json::to_value(&error).expect("JSON"),
        json!({ "loc": ["body", "input", "image_url"], "msg": "Field required", "type": "missing" })
    );
}
