//! A list of settings that carries the limit on its length.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Up to `MOST` values of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct List<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> List<T, MOST> {
    /// Takes the first `MOST` of the values.
    pub fn new(mut values: Vec<T>) -> Self {
        values.truncate(MOST);
        Self(values)
    }
}

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MOST: usize> Deref for List<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let values = Vec::<T>::deserialize(from)?;
        if values.len() > MOST {
            return Err(D::Error::custom(format!(
                "has {} entries, at most {MOST} are allowed",
                values.len()
            )));
        }
        Ok(Self(values))
    }
}

impl<T: JsonSchema, const MOST: usize> JsonSchema for List<T, MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListOfUpTo{MOST}{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "array", "items": items, "maxItems": MOST })
    }

    fn inline_schema() -> bool {
        true
    }
}
