//! Points of a curve as a setting.

use std::borrow::Cow;

use retouch::colour::Curve;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The most points that a curve goes through.
const MOST: usize = 32;

/// Points of a curve: levels before and after, 0 to 255, the first ones rising, the second ones not falling. Without
/// points there is no curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points(Vec<[f64; 2]>);

impl Points {
    /// The curve through them, on values 0 to 1.
    pub(super) fn curve(&self) -> Option<Curve> {
        let points: Vec<[f64; 2]> = self.0.iter().map(|point| point.map(|level| level / 255.0)).collect();
        let is_straight = points.iter().all(|[x, y]| x == y)
            && points.first().is_none_or(|p| p[0] == 0.0)
            && points.last().is_none_or(|p| p[0] == 1.0);
        if is_straight { None } else { Curve::through(&points) }
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Whole numbers without a decimal point, so that 5 and 5.0 are one setting.
        let plain =
            |level: f64| if level.fract() == 0.0 { Value::from(level as i64) } else { Value::from(level) };
        to.collect_seq(self.0.iter().map(|point| point.map(plain)))
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        let points: Vec<[f64; 2]> = serde_json::from_value(given.clone()).map_err(|_| {
            D::Error::custom(format!(
                "is {given}, a list of pairs such as [[0, 0], [128, 140], [255, 255]] is needed"
            ))
        })?;
        if points.len() == 1 || points.len() > MOST {
            return Err(D::Error::custom(format!("has {} points, 2 to {MOST} are allowed", points.len())));
        }
        if let Some(level) = points.iter().flatten().find(|level| !(0.0..=255.0).contains(*level)) {
            return Err(D::Error::custom(format!("has the level {level}, 0 to 255 is allowed")));
        }
        let falls = |pair: &[[f64; 2]]| pair[1][0] <= pair[0][0] || pair[1][1] < pair[0][1];
        if let Some(pair) = points.windows(2).find(|pair| falls(pair)) {
            return Err(D::Error::custom(format!(
                "falls from {:?} to {:?}; sort the points, the first levels must rise and the second ones may not fall",
                pair[0], pair[1]
            )));
        }
        Ok(Self(points))
    }
}

impl JsonSchema for Points {
    fn schema_name() -> Cow<'static, str> {
        "Points".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": {
                "type": "array",
                "items": { "type": "number", "minimum": 0, "maximum": 255 },
                "minItems": 2,
                "maxItems": 2,
            },
            "maxItems": MOST,
            "x-range": "up to 32 pairs of levels, 0 to 255",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn points_make_a_curve_and_have_one_canonical_form() {
        let points: Points = from_value(json!([[0, 0], [128.0, 150], [255, 255]])).expect("points");
        assert_eq!(to_value(&points).expect("JSON"), json!([[0, 0], [128, 150], [255, 255]]));
        let curve = points.curve().expect("a curve");
        assert!((curve.at(128.0 / 255.0) - 150.0 / 255.0).abs() < 1e-9);
        for straight in [json!([]), json!([[0, 0], [255, 255]])] {
            assert_eq!(from_value::<Points>(straight).expect("points").curve(), None);
        }
    }

    #[test]
    fn points_that_make_no_curve_are_refused() {
        let refusal = |given| from_value::<Points>(given).expect_err("refused").to_string();
        assert!(refusal(json!([[0, 0]])).contains("has 1 points, 2 to 32"));
        assert!(refusal(json!([[0, 0], [256, 255]])).contains("the level 256"));
        assert!(refusal(json!([[0, 10], [255, 5]])).contains("falls from"));
        assert!(refusal(json!([[9, 0], [9, 5]])).contains("falls from"));
        assert!(refusal(json!("straight")).contains("a list of pairs"));
    }
}
