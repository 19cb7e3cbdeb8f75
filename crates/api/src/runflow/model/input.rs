//! What a model takes and gives: names, kinds and limits.

use serde_json::{Value, json};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A picture: an address, a data URI or a reference to an asset.
    Image,
    /// Pictures.
    ImageList,
    /// Any other file, named as a picture is.
    File,
    /// An object.
    Json,
}

impl Kind {
    /// Its name on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Image => "image",
            Self::ImageList => "image_list",
            Self::File => "file",
            Self::Json => "json",
        }
    }
}

/// What a value must keep to.
#[derive(Clone, Debug, PartialEq)]
pub enum Validator {
    /// One of these texts.
    Enum(&'static [&'static str]),
    /// A number from `min` to `max`.
    Range {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A text of so many characters.
    Length {
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// An address, a data URI or a reference to an asset.
    Url,
}

impl Validator {
    /// Its name on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Enum(_) => "enum",
            Self::Range { .. } => "range",
            Self::Length { .. } => "length",
            Self::Url => "url",
        }
    }

    /// Its limits on the wire.
    pub fn attrs(&self) -> Value {
        match self {
            Self::Enum(values) => json!({ "values": values }),
            Self::Range { min, max } => json!({ "min": number(*min), "max": number(*max) }),
            Self::Length { min, max } => json!({ "min": min, "max": max }),
            Self::Url => json!({}),
        }
    }
}

/// Whole numbers without a decimal point.
pub(crate) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

/// One key of a model's `input`.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The key.
    pub name: &'static str,
    /// Its name for people.
    pub display_name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What is taken where it is not; null is nothing.
    pub default: Value,
    /// What its value must keep to.
    pub validator: Option<Validator>,
}

impl Input {
    /// An input that may be left out.
    pub(crate) const fn new(
        name: &'static str,
        kind: Kind,
        display_name: &'static str,
        description: &'static str,
    ) -> Self {
        let validator = match kind {
            Kind::Image | Kind::ImageList | Kind::File => Some(Validator::Url),
            _ => None,
        };
        Self { name, display_name, description, kind, required: false, default: Value::Null, validator }
    }

    /// It must be there.
    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// What is taken where it is not there.
    pub(crate) fn or(self, default: Value) -> Self {
        Self { default, ..self }
    }

    /// What its value must keep to.
    pub(crate) fn within(self, validator: Validator) -> Self {
        Self { validator: Some(validator), ..self }
    }

    /// What happens where it is not there.
    pub fn default_behavior(&self) -> &'static str {
        match (self.required, &self.default) {
            (true, _) => "required",
            (false, Value::Null) => "omit",
            (false, _) => "default",
        }
    }
}

/// One key of a model's `output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The key.
    pub name: &'static str,
    /// Its name for people.
    pub display_name: &'static str,
    /// What it holds.
    pub description: &'static str,
    /// The kind of its value.
    pub kind: Kind,
}
