//! JSON bodies: read leniently as to what is in them besides, strictly as to what is asked for.

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::model::{FieldError, Loc};
use super::problem::Problem;
use crate::Front;
use crate::body::read_all;

/// The members of a JSON body, with what was found wrong with them so far.
pub(crate) struct Form {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl FromRequest<Front> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Problem> {
        let bytes = read_all(request.into_body(), front.settings.inline_bytes_max).await?;
        Self::read(&bytes)
    }
}

/// A body that may be left out.
pub(crate) struct MaybeForm(pub(crate) Form);

impl FromRequest<Front> for MaybeForm {
    type Rejection = Problem;

    async fn from_request(request: Request, front: &Front) -> Result<Self, Problem> {
        let bytes = read_all(request.into_body(), front.settings.inline_bytes_max).await?;
        let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
        if is_empty { Ok(Self(Form::of(Map::new()))) } else { Form::read(&bytes).map(Self) }
    }
}

/// A text field's limits, in characters.
pub(crate) type Length = std::ops::RangeInclusive<usize>;

impl Form {
    fn of(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| Problem::bad_request(format!("The body is no JSON: {error}.")))?;
        match value {
            Value::Object(members) => Ok(Self::of(members)),
            _ => Err(Problem::invalid(vec![FieldError::new(
                ["body"],
                "dict_type",
                "Input should be a valid dictionary",
            )])),
        }
    }

    /// All of its members.
    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// Notes that something is wrong with a field.
    pub(crate) fn wrong(&mut self, name: &str, kind: &'static str, msg: impl Into<String>) {
        self.errors.push(FieldError::new(["body", name], kind, msg));
    }

    /// Notes faults whose ways begin inside that field.
    pub(crate) fn wrong_within(&mut self, way: &[Loc], errors: Vec<FieldError>) {
        let prefix = |error: FieldError| {
            error.within(std::iter::once(Loc::from("body")).chain(way.iter().cloned()).collect::<Vec<_>>())
        };
        self.errors.extend(errors.into_iter().map(prefix));
    }

    /// Refuses the body if anything was found wrong with it.
    pub(crate) fn check(&mut self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(std::mem::take(&mut self.errors))) }
    }

    /// A field as it is; null is as good as none.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there, be it null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// A text of that length, if it is there.
    pub(crate) fn text(&mut self, name: &str, length: Length) -> Option<String> {
        let value = self.get(name)?.clone();
        let Value::String(text) = value else {
            self.wrong(name, "string_type", "Input should be a valid string");
            return None;
        };
        let long = text.chars().count();
        if long < *length.start() {
            let least = length.start();
            self.wrong(name, "string_too_short", format!("String should have at least {least} characters"));
            return None;
        }
        if long > *length.end() {
            let most = length.end();
            self.wrong(name, "string_too_long", format!("String should have at most {most} characters"));
            return None;
        }
        Some(text)
    }

    /// A text that must be there.
    pub(crate) fn required_text(&mut self, name: &str, length: Length) -> String {
        if self.get(name).is_none() {
            self.wrong(name, "missing", "Field required");
            return String::new();
        }
        self.text(name, length).unwrap_or_default()
    }

    /// A whole number within that range, if it is there.
    pub(crate) fn integer(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(name)?.clone();
        let whole =
            value.as_i64().or_else(|| value.as_f64().filter(|it| it.fract() == 0.0).map(|it| it as i64));
        let Some(number) = whole.filter(|_| value.is_number()) else {
            self.wrong(name, "int_type", "Input should be a valid integer");
            return None;
        };
        if number < *range.start() {
            let least = range.start();
            self.wrong(
                name,
                "greater_than_equal",
                format!("Input should be greater than or equal to {least}"),
            );
            return None;
        }
        if number > *range.end() {
            let most = range.end();
            self.wrong(name, "less_than_equal", format!("Input should be less than or equal to {most}"));
            return None;
        }
        Some(number)
    }

    /// A truth value, if it is there.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.get(name)?.as_bool();
        if value.is_none() {
            self.wrong(name, "bool_type", "Input should be a valid boolean");
        }
        value
    }

    /// An object, if it is there.
    pub(crate) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        let value = self.get(name)?.as_object().cloned();
        if value.is_none() {
            self.wrong(name, "dict_type", "Input should be a valid dictionary");
        }
        value
    }

    /// A list, if it is there. It is taken out: a batch has all of its pictures in one.
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.members.get_mut(name)?.take() {
            Value::Null => None,
            Value::Array(list) => Some(list),
            _ => {
                self.wrong(name, "list_type", "Input should be a valid list");
                None
            }
        }
    }

    /// An id, if it is there.
    pub(crate) fn id<Id: From<Uuid>>(&mut self, name: &str) -> Option<Id> {
        let text = self.text(name, 0..=usize::MAX)?;
        match Uuid::try_parse(&text) {
            Ok(id) => Some(Id::from(id)),
            Err(_) => {
                self.wrong(name, "uuid_parsing", "Input should be a valid UUID");
                None
            }
        }
    }

    /// A time with its offset, if it is there.
    pub(crate) fn time(&mut self, name: &str) -> Option<domain::time::Timestamp> {
        let text = self.text(name, 0..=64)?;
        let time = domain::time::Timestamp::parse(&text);
        if time.is_none() {
            self.wrong(name, "datetime_parsing", "Input should be a time such as `2026-05-06T10:00:00Z`");
        }
        time
    }

    /// An address to call back at, if it is there.
    pub(crate) fn callback_url(&mut self) -> Option<String> {
        let address = self.text("callback_url", 1..=2048)?;
        if let Err(failure) = service::check_callback(&address) {
            self.wrong("callback_url", "url_parsing", failure.to_string());
            return None;
        }
        Some(address)
    }
}
