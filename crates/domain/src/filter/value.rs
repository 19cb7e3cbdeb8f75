//! Values of fields, and what kinds of them there are.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Decimal, Relation};
use crate::time::Timestamp;

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text, compared by its UTF-8 bytes.
    Text,
    /// An exact decimal number.
    Number,
    /// An instant.
    Time,
    /// Yes or no.
    Bool,
    /// A UUID.
    Id,
    /// One of a few names. What a name stands for is the dialect's to say; its values are [`Value::Text`].
    Status,
}

impl Kind {
    /// What a value of it looks like, for errors.
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => {
                "a decimal number without an exponent, with at most 19 digits before the point and 18 behind it"
            }
            Self::Time => "a date such as `2026-04-01` or a time such as `2026-04-01T10:00:00Z`",
            Self::Bool => "`true` or `false`",
            Self::Id => "a UUID such as `0196a1b2-7c00-7d11-8a22-5f6e7d8c9b0a`",
            Self::Status => "the name of a status",
        }
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// Text, or the store's name of a status.
    #[serde(rename = "s")]
    Text(String),
    /// A number.
    #[serde(rename = "n")]
    Number(Decimal),
    /// An instant.
    #[serde(rename = "t")]
    Time(Timestamp),
    /// Yes or no.
    #[serde(rename = "b")]
    Bool(bool),
    /// A UUID.
    #[serde(rename = "i")]
    Id(Uuid),
}

impl Value {
    /// Whether a field of that kind can have it.
    pub const fn is_of(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Text(_), Kind::Text | Kind::Status)
                | (Self::Number(_), Kind::Number)
                | (Self::Time(_), Kind::Time)
                | (Self::Bool(_), Kind::Bool)
                | (Self::Id(_), Kind::Id)
        )
    }

    /// How it stands to a value of the same kind; `None` of another kind.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Id(a), Self::Id(b)) => a.cmp(b),
            _ => return None,
        })
    }
}

impl Relation {
    /// Whether a value that compares so stands in this relation. `None` is a value that is missing or of another kind.
    pub const fn holds(self, found: Option<Ordering>) -> bool {
        match (self, found) {
            (Self::Eq, Some(order)) => order.is_eq(),
            (Self::Ne, Some(order)) => order.is_ne(),
            (Self::Gt, Some(order)) => order.is_gt(),
            (Self::Gte, Some(order)) => order.is_ge(),
            (Self::Lt, Some(order)) => order.is_lt(),
            (Self::Lte, Some(order)) => order.is_le(),
            (Self::Ne, None) => true,
            (_, None) => false,
        }
    }
}
