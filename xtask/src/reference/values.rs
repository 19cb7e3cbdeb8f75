//! Values that show what a setting does, from its JSON Schema.

use serde_json::{Value, json};

/// Most values in a strip.
const MOST: usize = 6;

/// The values, smallest first; `None` where a schema suggests none.
pub fn suggested(property: &Value) -> Option<Vec<Value>> {
    let default = &property["default"];
    if let Some([whole, nothing]) = property["anyOf"].as_array().map(Vec::as_slice)
        && nothing["type"] == "null"
    {
        let mut values = vec![Value::Null];
        values.extend(suggested(whole)?);
        values.truncate(MOST);
        return Some(values);
    }
    let choices = choices(property);
    if !choices.is_empty() {
        return Some(choices.into_iter().take(MOST).collect());
    }
    if property["type"] == "boolean" {
        return Some(vec![json!(false), json!(true)]);
    }
    if property["format"] == "color" {
        return Some(vec![json!("#FFFFFF"), json!("#C8D8E4"), json!("#1F3A5F")]);
    }
    if let Some([_, percent]) = property["anyOf"].as_array().map(Vec::as_slice)
        && let Some(most) = percent["x-maximum-percent"].as_i64()
    {
        let large = json!(format!("{}%", (most / 3).max(1)));
        let mut values = vec![json!(0), default.clone(), large];
        values.dedup();
        return Some(values);
    }
    let (min, max) = (property["minimum"].as_i64()?, property["maximum"].as_i64()?);
    let mut values = match default.as_f64() {
        Some(own) if own > min as f64 && own < max as f64 => vec![json!(min), default.clone(), json!(max)],
        _ => vec![json!(min), json!(min + (max - min) / 2), json!(max)],
    };
    values.dedup();
    Some(values)
}

fn choices(property: &Value) -> Vec<Value> {
    let listed = |schema: &Value| schema["enum"].as_array().cloned().unwrap_or_default();
    let mut found: Vec<Value> = listed(property);
    for one in property["oneOf"].as_array().into_iter().flatten() {
        found.extend(one.get("const").cloned());
        found.extend(listed(one));
    }
    found.retain(Value::is_string);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_suggests_values_from_end_to_end() {
        let of = |property: Value| suggested(&property).expect("values");
        assert_eq!(of(json!({ "type": "integer", "minimum": 0, "maximum": 9, "default": 4 })), [0, 4, 9]);
        assert_eq!(of(json!({ "type": "number", "minimum": 0, "maximum": 100, "default": 0 })), [0, 50, 100]);
        assert_eq!(of(json!({ "type": "boolean" })), [false, true]);
        assert_eq!(of(json!({ "oneOf": [{ "const": "a" }, { "enum": ["b"] }] })), ["a", "b"]);
        assert_eq!(suggested(&json!({ "type": "array" })), None);
    }
}
