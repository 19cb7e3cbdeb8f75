//! What a list is ordered by.

use std::cmp::Ordering;

use super::{Fields, Kind, Position, UnknownName, Value, shown};

/// One key of an order. What has no value is less than everything: first ascending, last descending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort<F> {
    /// Which field.
    pub field: F,
    /// What kind of values it has.
    pub kind: Kind,
    /// Whether the greatest is first.
    pub descending: bool,
}

/// Why a list cannot be ordered so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSort {
    /// There is no such field, or nothing is ordered by it.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Something else than a direction stands behind the colon.
    #[error("{} is no direction; write `asc` or `desc` behind {}", shown(given), shown(name))]
    Direction {
        /// The field's name.
        name: String,
        /// What was given.
        given: String,
    },
}

/// Reads `created_at:desc, cost`: fields of the noun, each with a direction or else ascending, applied in order. Directions
/// may be in any letter case. A field that is given again changes nothing. The id is not added: whoever orders by these
/// keys adds it after them, in the [direction of the last](ids_descend).
pub fn sort_by<S: Fields>(text: &str, fields: &S) -> Result<Vec<Sort<S::Field>>, BadSort> {
    let mut sorts: Vec<Sort<S::Field>> = Vec::new();
    for key in text.split(',').map(str::trim).filter(|key| !key.is_empty()) {
        let (name, direction) = match key.split_once(':') {
            Some((name, direction)) => (name.trim(), direction.trim()),
            None => (key, "asc"),
        };
        let Some((field, kind)) = fields.field(name).filter(|(field, _)| fields.is_sortable(field)) else {
            let sortable =
                |name: &&str| fields.field(name).is_some_and(|(field, _)| fields.is_sortable(&field));
            let known = fields.names().iter().copied().filter(sortable).map(str::to_owned).collect();
            return Err(UnknownName { name: name.to_owned(), known }.into());
        };
        let descending = match direction.to_ascii_lowercase().as_str() {
            "asc" => false,
            "desc" => true,
            _ => return Err(BadSort::Direction { name: name.to_owned(), given: direction.to_owned() }),
        };
        if !sorts.iter().any(|sort| sort.field == field) {
            sorts.push(Sort { field, kind, descending });
        }
    }
    Ok(sorts)
}

/// Whether the greatest id is first among entries that are equal in every key: as in the last key, so that one index serves
/// both; ascending if there is no key.
pub fn ids_descend<F>(sorts: &[Sort<F>]) -> bool {
    sorts.last().is_some_and(|sort| sort.descending)
}

/// How two places in a list of that order stand to each other.
pub fn in_order<F>(sorts: &[Sort<F>], a: &Position, b: &Position) -> Ordering {
    let directed = |order: Ordering, descending: bool| if descending { order.reverse() } else { order };
    let keys = sorts.iter().zip(a.keys.iter().zip(&b.keys));
    let by_keys = keys.map(|(sort, (a, b))| directed(by_value(a.as_ref(), b.as_ref()), sort.descending));
    by_keys.fold(Ordering::Equal, Ordering::then).then(directed(a.id.cmp(&b.id), ids_descend(sorts)))
}

fn by_value(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.compare(b).unwrap_or(Ordering::Equal),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Runs;

    impl Fields for Runs {
        type Field = char;

        fn names(&self) -> &[&'static str] {
            &["created_at", "cost", "metadata"]
        }

        fn field(&self, name: &str) -> Option<(char, Kind)> {
            match name {
                "created_at" => Some(('t', Kind::Time)),
                "cost" => Some(('c', Kind::Number)),
                "metadata" => Some(('m', Kind::Text)),
                _ => None,
            }
        }

        fn is_sortable(&self, field: &char) -> bool {
            *field != 'm'
        }
    }

    fn keys(text: &str) -> Result<Vec<(char, bool)>, BadSort> {
        Ok(sort_by(text, &Runs)?.into_iter().map(|sort| (sort.field, sort.descending)).collect())
    }

    #[test]
    fn keys_are_read_in_order_and_once() {
        for (text, expected) in [
            ("created_at:asc", vec![('t', false)]),
            ("created_at", vec![('t', false)]),
            (" cost : DESC ,created_at:Asc,", vec![('c', true), ('t', false)]),
            ("cost,created_at:desc,cost:desc", vec![('c', false), ('t', true)]),
            ("", vec![]),
        ] {
            assert_eq!(keys(text), Ok(expected), "{text}");
        }
        let sorts = sort_by("cost,created_at:desc", &Runs).expect("keys");
        assert!(ids_descend(&sorts) && !ids_descend(&sorts[..1]) && !ids_descend::<char>(&[]));
        assert_eq!(sorts[1].kind, Kind::Time);
    }

    #[test]
    fn what_nothing_is_ordered_by_is_refused() {
        for text in ["foo", "metadata:asc", "Cost", "-cost", ":asc", "cost desc"] {
            let error = keys(text).expect_err(text);
            assert!(matches!(error, BadSort::Unknown(_)), "{text}");
            assert!(
                error.to_string().ends_with("is not known here; there are `created_at`, `cost`"),
                "{error}"
            );
        }
        for text in ["cost:", "cost:down", "cost:asc:desc"] {
            assert!(matches!(keys(text), Err(BadSort::Direction { .. })), "{text}");
        }
    }
}
