//! What is wrong with one field of a request, in the form that pydantic made common.

use serde::Serialize;

/// One part of the way to a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Loc {
    /// A key of an object.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

impl From<&str> for Loc {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The way to it.
    pub loc: Vec<Loc>,
    /// What is wrong, for people.
    pub msg: String,
    /// The kind of fault: `missing`, `string_type`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl FieldError {
    /// A fault of that kind at a field.
    pub fn new(
        loc: impl IntoIterator<Item = impl Into<Loc>>,
        kind: &'static str,
        msg: impl Into<String>,
    ) -> Self {
        Self { loc: loc.into_iter().map(Into::into).collect(), msg: msg.into(), kind }
    }

    /// A value that makes no sense where it stands.
    pub(crate) fn value(loc: Vec<Loc>, why: impl std::fmt::Display) -> Self {
        Self { loc, msg: format!("Value error, {why}"), kind: "value_error" }
    }

    /// A field that is needed and not there.
    pub(crate) fn missing(loc: Vec<Loc>) -> Self {
        Self { loc, msg: "Field required".to_owned(), kind: "missing" }
    }

    /// The same fault seen from farther outside: `prefix` comes before its way.
    #[must_use]
    pub fn within(mut self, prefix: impl IntoIterator<Item = impl Into<Loc>>) -> Self {
        let mut loc: Vec<Loc> = prefix.into_iter().map(Into::into).collect();
        loc.append(&mut self.loc);
        self.loc = loc;
        self
    }
}

/// The way to a key, and farther.
pub(crate) fn at(parts: &[&str]) -> Vec<Loc> {
    parts.iter().map(|part| Loc::from(*part)).collect()
}
