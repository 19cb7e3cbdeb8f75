//! How lists are narrowed and ordered, the same for every interface: the filter language bound to a noun's fields.

use domain::filter::{Expr, Fields, Kind, Listing, Refused, Sort, Value, bind, parse, sort_by};
use uuid::Uuid;

/// What a filter or an order has that a list cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The filter cannot be read, or compares what cannot be compared.
    Filter(String),
    /// It names a field that there is not.
    Field(String),
    /// The order cannot be read.
    Order(String),
}

/// The beginning of the list that `q` and the order ask for, of so many entries.
pub(crate) fn narrowed<S: Fields>(
    q: Option<&str>,
    order: &str,
    fields: &S,
    limit: u32,
) -> Result<Listing<S::Field>, Unfit> {
    let filter = match q {
        None => None,
        Some(text) => {
            let written = parse(text).map_err(|malformed| Unfit::Filter(malformed.to_string()))?;
            Some(bind(&written, fields).map_err(|refused| match refused {
                Refused::UnknownField(unknown) => Unfit::Field(unknown.to_string()),
                other => Unfit::Filter(other.to_string()),
            })?)
        }
    };
    let sorts = sort_by(order, fields).map_err(|bad| Unfit::Order(bad.to_string()))?;
    Ok(Listing { filter, sorts, from: None, limit })
}

/// One key of an order.
pub(crate) fn sort<F>(field: F, kind: Kind, descending: bool) -> Sort<F> {
    Sort { field, kind, descending }
}

/// A listing of everything there is of something small.
pub(crate) fn everything<F>(sorts: Vec<Sort<F>>) -> Listing<F> {
    Listing { filter: None, sorts, from: None, limit: 10_000 }
}

/// A listing of the one entry of that id.
pub(crate) fn one<F>(field: F, id: Uuid) -> Listing<F> {
    Listing { filter: Some(Expr::is(field, Value::Id(id))), sorts: Vec::new(), from: None, limit: 1 }
}

/// The same listing of those alone whose field is that id.
pub(crate) fn only<F>(listing: Listing<F>, field: F, id: Uuid) -> Listing<F> {
    let of = Expr::is(field, Value::Id(id));
    let filter = match listing.filter {
        None => of,
        Some(filter) => Expr::And(vec![of, filter]),
    };
    Listing { filter: Some(filter), ..listing }
}

/// The fields of a noun for a list: a table of wire names, and a function that knows the dialect's names of statuses where those
/// are not the store's.
macro_rules! list_fields {
    ($name:ident: $field:ty $(, statuses: $statuses:path)? { $($wire:literal => $variant:expr, $kind:ident;)+ }) => {
        struct $name;

        impl ::domain::filter::Fields for $name {
            type Field = $field;

            fn names(&self) -> &[&'static str] {
                &[$($wire),+]
            }

            fn field(&self, name: &str) -> Option<($field, ::domain::filter::Kind)> {
                match name {
                    $($wire => Some(($variant, ::domain::filter::Kind::$kind)),)+
                    _ => None,
                }
            }

            $(fn statuses(&self, _: &$field, name: &str) -> Result<Vec<String>, String> {
                $statuses(name)
            })?
        }
    };
}
pub(crate) use list_fields;
