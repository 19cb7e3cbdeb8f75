//! Types of settings that carry their own limits: what they refuse, their JSON Schema and their canonical form all
//! come from the type.

use std::borrow::Cow;
use std::fmt;

use domain::image::ContentHash;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

mod area;
mod list;

pub use area::{Areas, Point, Polygon, Rectangle, Share, Stroke};
pub use list::List;

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The value, or the nearest that is allowed.
    pub const fn new(value: i64) -> Self {
        Self(if value < MIN {
            MIN
        } else if value > MAX {
            MAX
        } else {
            value
        })
    }

    /// The value; `MIN` must not be negative.
    pub const fn get(self) -> u32 {
        self.0 as u32
    }
}

impl<const MIN: i64, const MAX: i64> Serialize for Whole<MIN, MAX> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(self.0)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        let number = in_range::<D::Error>(&given, MIN, MAX, "a whole number")?;
        if number.fract() != 0.0 {
            return Err(D::Error::custom(format!("is {given}, a whole number is needed")));
        }
        Ok(Self(number as i64))
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Whole<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Whole{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A number from `MIN` to `MAX`, fractions allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number<const MIN: i64, const MAX: i64>(f64);

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    /// The value, or the nearest that is allowed.
    pub const fn new(value: f64) -> Self {
        Self(value.clamp(MIN as f64, MAX as f64))
    }

    /// The value.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> Serialize for Number<MIN, MAX> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_number(self.0, to)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        in_range::<D::Error>(&given, MIN, MAX, "a number").map(Self)
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Number<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Number{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": MIN, "maximum": MAX })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A length: 0 to `PX` pixels as a number, or 0 % to `PERCENT` % of something as a text such as `"5%"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length<const PX: i64, const PERCENT: i64> {
    /// So many pixels.
    Px(u32),
    /// So many hundredths of what the setting's description names.
    Percent(f64),
}

impl<const PX: i64, const PERCENT: i64> Length<PX, PERCENT> {
    /// The length in pixels, where 100 % are `whole` pixels.
    pub fn of(self, whole: u32) -> f64 {
        match self {
            Self::Px(px) => f64::from(px),
            Self::Percent(percent) => f64::from(whole) * percent / 100.0,
        }
    }

    /// The length in whole pixels, to nearest.
    pub fn px(self, whole: u32) -> u32 {
        self.of(whole).round() as u32
    }
}

impl<const PX: i64, const PERCENT: i64> Serialize for Length<PX, PERCENT> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Px(px) => to.serialize_u32(*px),
            Self::Percent(percent) => to.collect_str(&format_args!("{percent}%")),
        }
    }
}

impl<'de, const PX: i64, const PERCENT: i64> Deserialize<'de> for Length<PX, PERCENT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        const NEEDED: &str = "a whole number of pixels or a percentage such as `5%`";
        let given = Value::deserialize(from)?;
        let Some(text) = given.as_str() else {
            let px = in_range::<D::Error>(&given, 0, PX, NEEDED)?;
            if px.fract() != 0.0 {
                return Err(D::Error::custom(format!("is {given}, {NEEDED} is needed")));
            }
            return Ok(Self::Px(px as u32));
        };
        let percent = text
            .trim()
            .strip_suffix('%')
            .map(str::trim)
            // `str::parse` would take `inf`, `1e3` and `+5` too.
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
            .and_then(|digits| digits.parse::<f64>().ok())
            .ok_or_else(|| D::Error::custom(format!("is `{text}`, {NEEDED} is needed")))?;
        if percent > PERCENT as f64 {
            return Err(D::Error::custom(format!("is {text}, at most {PERCENT}% is allowed")));
        }
        Ok(Self::Percent(percent))
    }
}

impl<const PX: i64, const PERCENT: i64> JsonSchema for Length<PX, PERCENT> {
    fn schema_name() -> Cow<'static, str> {
        format!("LengthTo{PX}Or{PERCENT}Percent").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": PX },
                { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$", "x-maximum-percent": PERCENT },
            ],
            "x-unit": "px or %",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A colour in sRGB, written `#RRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// Reads `#RRGGBB` or `#RGB`, in either case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#')?;
        let digits: String = match digits.len() {
            3 => digits.chars().flat_map(|c| [c, c]).collect(),
            6 => digits.to_owned(),
            _ => return None,
        };
        let mut rgb = [0; 3];
        hex::decode_to_slice(digits, &mut rgb).ok()?;
        Some(Self(rgb))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02X}{g:02X}{b:02X}")
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        given.as_str().and_then(Self::parse).ok_or_else(|| {
            D::Error::custom(format!("is {}, a colour such as `#FFFFFF` is needed", quoted(&given)))
        })
    }
}

impl JsonSchema for Colour {
    fn schema_name() -> Cow<'static, str> {
        "Colour".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "color", "pattern": "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Width to height, written `4:5`; each side from 1 to 100, and none more than 20 times the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Share of the width.
    pub width: f64,
    /// Share of the height.
    pub height: f64,
}

impl Ratio {
    fn parse(text: &str) -> Option<Self> {
        let side = |text: &str| -> Option<f64> {
            let text = text.trim();
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let side = plain.then(|| text.parse::<f64>().ok()).flatten()?;
            (1.0..=100.0).contains(&side).then_some(side)
        };
        let (width, height) = text.split_once(':')?;
        let (width, height) = (side(width)?, side(height)?);
        (width <= height * 20.0 && height <= width * 20.0).then_some(Self { width, height })
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}:{}", self.width, self.height))
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        given.as_str().and_then(Self::parse).ok_or_else(|| {
            D::Error::custom(format!(
                "is {}, width to height such as `4:5` is needed (1 to 100 each)",
                quoted(&given)
            ))
        })
    }
}

impl JsonSchema for Ratio {
    fn schema_name() -> Cow<'static, str> {
        "Ratio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?:[0-9]+(\\.[0-9]+)?$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A further stored picture, named by the SHA-256 of its file: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRef(pub ContentHash);

impl Serialize for ImageRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ImageRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        given.as_str().and_then(|text| text.trim().parse().ok()).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "is {}, the SHA-256 of an uploaded picture is needed (64 hexadecimal digits)",
                quoted(&given)
            ))
        })
    }
}

impl JsonSchema for ImageRef {
    fn schema_name() -> Cow<'static, str> {
        "ImageRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "image-hash", "pattern": "^[0-9A-Fa-f]{64}$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A value as a reader writes it: texts in backticks, the rest as JSON.
pub(crate) fn quoted(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))
}

fn in_range<E: Error>(given: &Value, min: i64, max: i64, needed: &str) -> Result<f64, E> {
    let number = given
        .as_f64()
        .filter(|number| number.is_finite())
        .ok_or_else(|| E::custom(format!("is {}, {needed} is needed", quoted(given))))?;
    if number < min as f64 {
        return Err(E::custom(format!("is {given}, at least {min} is needed")));
    }
    if number > max as f64 {
        return Err(E::custom(format!("is {given}, at most {max} is allowed")));
    }
    Ok(number)
}

/// Whole numbers without a decimal point, so that 5 and 5.0 are one setting.
fn write_number<S: Serializer>(number: f64, to: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 { to.serialize_i64(number as i64) } else { to.serialize_f64(number) }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn refusal<T: for<'de> Deserialize<'de> + fmt::Debug>(given: Value) -> String {
        from_value::<T>(given).expect_err("refused").to_string()
    }

    #[test]
    fn limits_are_part_of_the_type() {
        type Width = Whole<1, 2000>;
        assert_eq!(refusal::<Width>(json!(9000)), "is 9000, at most 2000 is allowed");
        assert_eq!(refusal::<Width>(json!(0)), "is 0, at least 1 is needed");
        assert_eq!(refusal::<Width>(json!(1.5)), "is 1.5, a whole number is needed");
        assert_eq!(refusal::<Width>(json!("12")), "is `12`, a whole number is needed");
        assert_eq!(to_value(from_value::<Width>(json!(7.0)).expect("7")).expect("JSON"), json!(7));
        assert_eq!(to_value(from_value::<Number<0, 9>>(json!(7.0)).expect("7")).expect("JSON"), json!(7));
        assert_eq!(to_value(from_value::<Number<0, 9>>(json!(7.5)).expect("7.5")).expect("JSON"), json!(7.5));
    }

    #[test]
    fn a_length_is_pixels_or_per_cent() {
        type Margin = Length<2000, 49>;
        assert_eq!(from_value::<Margin>(json!(100)).expect("pixels").px(300), 100);
        assert_eq!(from_value::<Margin>(json!("5 %")).expect("per cent").px(300), 15);
        assert_eq!(to_value(Margin::Percent(5.0)).expect("JSON"), json!("5%"));
        assert_eq!(refusal::<Margin>(json!(9000)), "is 9000, at most 2000 is allowed");
        assert_eq!(refusal::<Margin>(json!("50%")), "is 50%, at most 49% is allowed");
        for odd in ["5", "inf%", "-1%", "1e1%", "%", "..%"] {
            assert!(refusal::<Margin>(json!(odd)).contains("a percentage such as `5%` is needed"), "{odd}");
        }
    }

    #[test]
    fn colours_and_ratios_have_one_canonical_form() {
        assert_eq!(
            to_value(from_value::<Colour>(json!("#fa0")).expect("a colour")).expect("JSON"),
            json!("#FFAA00")
        );
        assert!(refusal::<Colour>(json!("white")).starts_with("is `white`, a colour"));
        assert!(refusal::<Colour>(json!("#é12")).starts_with("is `#é12`, a colour"));
        assert_eq!(
            to_value(from_value::<Ratio>(json!("4 : 5")).expect("a ratio")).expect("JSON"),
            json!("4:5")
        );
        assert!(refusal::<Ratio>(json!("100:1")).contains("4:5"));
    }
}
