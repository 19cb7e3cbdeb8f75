//! Models, examples and creators as JSON: every field that the wire declares, null where there is nothing to say.

use domain::id::OrgId;
use serde_json::{Map, Value, json};

use super::{Creator, Example, Input, Kind, Model, Output, Validator};

/// Fields that the anonymous form of a model leaves out.
const NOT_PUBLIC: [&str; 5] = ["org_id", "is_public", "created_by", "deleted_at", "deleted_by"];
/// Models that come with the program change with it, and have no other version.
const VERSION: &str = "1";
/// The longest side that pictures are worked on.
const MAX_RESOLUTION: &str = "4096x4096";

/// A model as the wire has it. `org` is whose it is, if it is an organization's; `saved_at` is when it was saved, written as
/// the wire writes times.
pub fn model_json(model: &Model, org: Option<OrgId>, saved_at: Option<&str>) -> Value {
    let inputs: Vec<Value> =
        model.inputs.iter().enumerate().map(|(index, input)| input_json(model, index, input)).collect();
    let outputs: Vec<Value> =
        model.outputs.iter().enumerate().map(|(index, output)| output_json(model, index, output)).collect();
    let is_ours = !model.is_workflow();
    json!({
        "id": model.id,
        "org_id": org,
        "model_creator_id": model.creator,
        "slug": model.slug,
        "name": model.name,
        "description": model.description,
        "version": VERSION,
        "is_public": is_ours,
        "is_open_source": null,
        "icon_url": null,
        "cover_url": null,
        "category_code": model.category,
        "status_code": "active",
        "family_id": null,
        "family_variant_code": null,
        "param_count": null,
        "architecture": null,
        "license_code": null,
        "max_resolution": MAX_RESOLUTION,
        "lora_support": false,
        "fine_tuning": false,
        "supports_streaming": false,
        "paper_url": null,
        "github_url": null,
        "is_official": is_ours,
        "availability_status": "available",
        "seo": null,
        "notable_features": model.notable_features,
        "content": model.content,
        "pricing_note": model.pricing_note,
        "created_by": null,
        "created_at": saved_at,
        "updated_at": saved_at,
        "deleted_at": null,
        "deleted_by": null,
        "inputs": inputs,
        "outputs": outputs,
    })
}

/// What anybody may see of a model as the wire has it.
pub fn for_anybody(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !NOT_PUBLIC.contains(&name.as_str()));
    }
    value
}

fn input_json(model: &Model, index: usize, input: &Input) -> Value {
    let mut fields =
        part(input.name, input.display_name, input.description, input.kind, input.validator.as_ref());
    fields.extend([
        ("id".to_owned(), json!(model.input_id(index))),
        ("model_id".to_owned(), json!(model.id)),
        ("default_behavior_code".to_owned(), json!(input.default_behavior())),
        ("is_required".to_owned(), json!(input.required)),
        ("default_value".to_owned(), input.default.clone()),
        ("sort_order".to_owned(), json!(index)),
        ("is_featured".to_owned(), json!(input.required)),
    ]);
    Value::Object(fields)
}

fn output_json(model: &Model, index: usize, output: &Output) -> Value {
    let mut fields = part(output.name, output.display_name, output.description, output.kind, None);
    fields.extend([
        ("id".to_owned(), json!(model.output_id(index))),
        ("model_id".to_owned(), json!(model.id)),
        ("sort_order".to_owned(), json!(index)),
    ]);
    Value::Object(fields)
}

/// What inputs and outputs have in common.
fn part(
    name: &str,
    display_name: &str,
    description: &str,
    kind: Kind,
    validator: Option<&Validator>,
) -> Map<String, Value> {
    [
        ("name", json!(name)),
        ("display_name", json!(display_name)),
        ("description", json!(description)),
        ("variable_type_code", json!(kind.code())),
        ("validator_code", json!(validator.map(Validator::code))),
        ("validator_attrs", json!(validator.map(Validator::attrs))),
        ("created_at", Value::Null),
        ("updated_at", Value::Null),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// An example of a model as the wire has it. What was not measured is null.
pub fn example_json(model: &Model, index: usize, example: &Example) -> Value {
    json!({
        "id": model.example_id(index),
        "model_id": model.id,
        "title": example.title,
        "description": example.description,
        "input": example.input,
        "output": null,
        "status_code": null,
        "cost": model.price.map(|price| price.to_string()),
        "start_type": null,
        "timing": null,
        "duration_ms": null,
        "total_ms": null,
        "thumbnail_url": null,
        "category_code": model.category,
        "is_featured": index == 0,
        "is_public": !model.is_workflow(),
        "sort_order": index,
        "ran_at": null,
        "created_at": null,
        "updated_at": null,
    })
}

/// A creator as the wire has it, without its models, which are there only when they are asked for.
pub fn creator_json(creator: &Creator, claimed_by: Option<OrgId>) -> Value {
    json!({
        "id": creator.id,
        "slug": creator.slug,
        "display_name": creator.display_name,
        "description": creator.description,
        "avatar_url": null,
        "website_url": null,
        "claimed_by_org_id": claimed_by,
        "created_at": null,
        "updated_at": null,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::runflow::model::{all, creators, find};

    fn names(value: &Value) -> BTreeSet<&str> {
        value.as_object().expect("an object").keys().map(String::as_str).collect()
    }

    #[test]
    fn every_declared_field_is_there() {
        let model = find("runflow", "outpaint").expect("a model");
        let value = model_json(model, None, Some("2026-05-06T10:00:00Z"));
        assert_eq!(names(&value).len(), 37);
        assert_eq!(names(&for_anybody(model_json(model, None, None))).len(), 32);
        assert_eq!(names(&value["inputs"][0]).len(), 15);
        assert_eq!(names(&value["outputs"][0]).len(), 11);
        assert_eq!(names(&example_json(model, 0, &model.examples[0])).len(), 20);
        assert_eq!(names(&creator_json(&creators()[0], None)).len(), 9);
        assert_eq!(value["inputs"][1]["validator_attrs"], json!({ "min": 0, "max": 200 }));
        assert_eq!(value["inputs"][0]["validator_code"], "url");
        assert_eq!(example_json(model, 0, &model.examples[0])["cost"], "0.55");
    }

    #[test]
    fn required_inputs_and_defaults_are_told() {
        let model = find("runflow", "background-color").expect("a model");
        let value = model_json(model, None, None);
        let behaviour = |index: usize| value["inputs"][index]["default_behavior_code"].clone();
        assert_eq!((behaviour(0), behaviour(1)), (json!("required"), json!("default")));
        assert_eq!(value["inputs"][1]["default_value"], 255);
        assert!(all().iter().all(|model| model_json(model, None, None)["status_code"] == "active"));
    }
}
