//! Conditions on one thing that is at hand.

use super::{Expr, Test, Value};

/// Whether a thing meets the condition, given the values of its fields; see [the module](super) for what is missing.
pub fn matches<F>(expr: &Expr<F>, value: &dyn Fn(&F) -> Option<Value>) -> bool {
    match expr {
        Expr::And(parts) => parts.iter().all(|part| matches(part, value)),
        Expr::Or(parts) => parts.iter().any(|part| matches(part, value)),
        Expr::Not(inner) => !matches(inner, value),
        Expr::Compare { field, test } => test.holds(value(field).as_ref()),
    }
}

impl Test {
    /// Whether a field with this value passes.
    pub fn holds(&self, found: Option<&Value>) -> bool {
        match self {
            Self::Is(relation, wanted) => relation.holds(found.and_then(|found| found.compare(wanted))),
            Self::In(wanted) => found.is_some_and(|found| wanted.contains(found)),
            Self::Like(pattern) => matches!(found, Some(Value::Text(text)) if pattern.matches(text)),
            Self::IsNull => found.is_none(),
        }
    }
}
