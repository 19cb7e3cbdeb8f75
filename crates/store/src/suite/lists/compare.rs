//! Any list held against a naive evaluation of its rows.

use std::fmt::Debug;

use domain::filter::{Decimal, Expr, Kind, Leaf, Listing, Pattern, Relation, Sort, Test, Value};
use domain::time::Timestamp;
use uuid::Uuid;

use super::ALL;
use crate::Listed;

/// What a filter may compare a field with: values that are there, and one that is not.
fn values<T: Listed>(rows: &[T], field: T::Field, kind: Kind) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for value in rows.iter().filter_map(|row| row.value(field)) {
        assert!(value.is_of(kind), "{value:?} is no {kind:?}");
        if values.len() < 5 && !values.contains(&value) {
            values.push(value);
        }
    }
    values.push(match kind {
        Kind::Text | Kind::Status => Value::Text("mug".to_owned()),
        Kind::Number => Value::Number("0.5".parse::<Decimal>().unwrap()),
        Kind::Time => Value::Time(Timestamp(1)),
        Kind::Bool => Value::Bool(true),
        Kind::Id => Value::Id(Uuid::from_u128(1)),
    });
    values
}

/// Every test of one field.
fn tests(values: &[Value], kind: Kind) -> Vec<Test> {
    let ordered = !matches!(kind, Kind::Bool | Kind::Status);
    let relations = Relation::ALL.into_iter().filter(|relation| ordered || relation.is_equality());
    let mut tests: Vec<Test> = relations
        .flat_map(|relation| values.iter().map(move |value| Test::Is(relation, value.clone())))
        .collect();
    tests.extend([
        Test::IsNull,
        Test::In(values.to_vec()),
        Test::In(values[..1].to_vec()),
        Test::In(Vec::new()),
    ]);
    if kind == Kind::Text {
        tests.extend(["%a%", "_u%", "", "a\\%%"].map(|pattern| Test::Like(Pattern::parse(pattern))));
    }
    tests
}

/// Holds a list against the rows that it is of: every filter on every field, every order, both ways, page by page.
pub(super) async fn compare<T>(
    rows: Vec<T>,
    fields: &[T::Field],
    kind: impl Fn(T::Field) -> Kind,
    list: impl AsyncFn(Listing<T::Field>) -> Leaf<T>,
) where
    T: Listed + Clone + PartialEq + Debug,
    T::Field: PartialEq + Debug,
{
    assert!(!rows.is_empty() && rows.len() < ALL as usize, "there is something to list: {}", rows.len());
    let meant = |listing: &Listing<T::Field>| {
        listing.of_all(rows.clone(), T::list_id, |row, field| row.value(*field))
    };
    let ids = |leaf: &Leaf<T>| leaf.entries.iter().map(T::list_id).collect::<Vec<_>>();
    let by = |field: T::Field, descending| Sort { field, kind: kind(field), descending };
    let (first, last) = (fields[0], fields[fields.len() - 1]);
    let whole = Listing { filter: None, sorts: vec![by(first, false)], from: None, limit: ALL };
    assert_eq!(list(whole.clone()).await, meant(&whole), "entries read back as they are");

    for field in fields {
        for test in tests(&values(&rows, *field, kind(*field)), kind(*field)) {
            let expr = Expr::Compare { field: *field, test };
            let other = Expr::none_of(Expr::is(last, values(&rows, last, kind(last)).remove(0)));
            let among = Expr::And(vec![other.clone(), expr.clone()]);
            for filter in [expr.clone(), Expr::none_of(expr.clone()), among, Expr::Or(vec![expr, other])] {
                // Two pages of it, which is where an order that no index has would show.
                for descending in [false, true] {
                    let filter = Some(filter.clone());
                    let mut listing =
                        Listing { filter, sorts: vec![by(last, descending)], from: None, limit: 3 };
                    for _ in 0..2 {
                        let (found, wanted) = (list(listing.clone()).await, meant(&listing));
                        assert_eq!(ids(&found), ids(&wanted), "{listing:?}");
                        assert_eq!(
                            (&found.next, &found.previous),
                            (&wanted.next, &wanted.previous),
                            "{listing:?}"
                        );
                        listing.from = found.next;
                        if listing.from.is_none() {
                            break;
                        }
                    }
                }
            }
        }
    }

    for field in fields {
        for sorts in [
            vec![by(*field, false)],
            vec![by(*field, true)],
            vec![by(last, true), by(*field, false)],
            vec![by(*field, true), by(first, false)],
        ] {
            walk(&rows, sorts, &list).await;
        }
    }
    walk(&rows, Vec::new(), &list).await;
}

/// To the end of a list and back.
async fn walk<T>(rows: &[T], sorts: Vec<Sort<T::Field>>, list: &impl AsyncFn(Listing<T::Field>) -> Leaf<T>)
where
    T: Listed + Clone + PartialEq + Debug,
    T::Field: PartialEq + Debug,
{
    let mut listing = Listing { filter: None, sorts, from: None, limit: 4 };
    let mut pages = Vec::new();
    loop {
        let leaf = list(listing.clone()).await;
        let wanted = listing.of_all(rows.to_vec(), T::list_id, |row, field| row.value(*field));
        assert_eq!(leaf, wanted, "{listing:?}");
        pages.push(leaf.entries);
        listing.from = leaf.next;
        if listing.from.is_none() {
            listing.from = leaf.previous;
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).sum::<usize>(), rows.len());
    pages.pop();
    while listing.from.is_some() {
        let leaf = list(listing.clone()).await;
        assert_eq!(Some(leaf.entries), pages.pop(), "{listing:?}");
        listing.from = leaf.previous;
    }
    assert!(pages.is_empty());
}
