//! The database finds what the plain evaluator finds, page by page.

use std::collections::BTreeMap;

use domain::filter::{Kind, Sort, Value as Plain, bind, matches, parse};
use domain::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use rusqlite::{Connection, params_from_iter};
use uuid::Uuid;

use super::*;

/// Every field: its column, what it keeps, and whether it may be missing.
const FIELDS: [(&str, Kept, bool); 9] = [
    ("text", Kept::Text, true),
    ("cost", Kept::Number { places: 2 }, true),
    ("at", Kept::Time, true),
    ("flag", Kept::Bool, true),
    ("other", Kept::Id, true),
    ("always_text", Kept::Text, false),
    ("always_cost", Kept::Number { places: 0 }, false),
    ("always_at", Kept::Time, false),
    ("always_flag", Kept::Bool, false),
];

const fn kind(kept: Kept) -> Kind {
    match kept {
        Kept::Text => Kind::Text,
        Kept::Number { .. } => Kind::Number,
        Kept::Time => Kind::Time,
        Kept::Bool => Kind::Bool,
        Kept::Id => Kind::Id,
    }
}

fn column(field: &usize) -> Column {
    let (sql, kept, may_miss) = FIELDS[*field];
    Column { sql, kept, may_miss }
}

#[derive(Clone, Debug, PartialEq)]
struct Thing {
    id: u8,
    values: Vec<Option<Plain>>,
}

impl Thing {
    fn id(&self) -> Uuid {
        // Ids whose order is not that of their numbers.
        Uuid::from_u128(u128::from(self.id.reverse_bits()) << 120 | u128::from(self.id))
    }

    fn value(&self, field: &usize) -> Option<Plain> {
        self.values[*field].clone()
    }
}

fn database() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(
        "CREATE TABLE things (
             id BLOB PRIMARY KEY, org INTEGER NOT NULL DEFAULT 1,
             text TEXT, cost INTEGER, at INTEGER, flag INTEGER, other BLOB,
             always_text TEXT NOT NULL, always_cost INTEGER NOT NULL, always_at INTEGER NOT NULL,
             always_flag INTEGER NOT NULL
         ) STRICT;
         CREATE INDEX things_of_org ON things (org, always_at, id);
         CREATE INDEX things_by_text ON things (org, text);",
    )
    .unwrap();
    conn
}

fn insert(conn: &Connection, thing: &Thing) {
    let values = thing.values.iter().zip(FIELDS).map(|(value, (_, kept, _))| match value {
        None => Value::Null,
        Some(value) => match kept.place(value) {
            Place::At(value) => value,
            _ => panic!("{value:?} cannot be kept"),
        },
    });
    let params = [Value::Blob(thing.id().as_bytes().to_vec())].into_iter().chain(values);
    let sql = "INSERT INTO things (id, text, cost, at, flag, other, always_text, always_cost, always_at, always_flag)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    conn.execute(sql, params_from_iter(params)).unwrap();
}

fn ids(conn: &Connection, from: &str, fragment: &Fragment) -> Vec<Uuid> {
    let sql = format!("SELECT id FROM things WHERE {from}{}", fragment.sql);
    let mut statement = conn.prepare(&sql).unwrap_or_else(|error| panic!("{error} in {sql}"));
    let rows =
        statement.query_map(params_from_iter(&fragment.params), |row| row.get(0).map(Uuid::from_bytes));
    rows.unwrap().map(Result::unwrap).collect()
}

/// Few values, among them the ones that tell wrong translations from right ones.
fn kept_value(kept: Kept) -> BoxedStrategy<Plain> {
    const TEXTS: [&str; 14] =
        ["", "a", "A", "ab", "b", "a%b", "a_b", "a*b", "a?b", "[a]", "a\\b", "ä", "it's", "\u{10000}"];
    match kept {
        Kept::Text => select(TEXTS.to_vec()).prop_map(|text| Plain::Text(text.to_owned())).boxed(),
        Kept::Number { places } => prop_oneof![9 => -2i64..4, 1 => select(vec![i64::MIN, i64::MAX])]
            .prop_map(move |units| Plain::Number(Decimal::new(units, places).unwrap()))
            .boxed(),
        Kept::Time => (-1i64..4).prop_map(|ms| Plain::Time(Timestamp(ms))).boxed(),
        Kept::Bool => any::<bool>().prop_map(Plain::Bool).boxed(),
        Kept::Id => (0u128..4).prop_map(|id| Plain::Id(Uuid::from_u128(id))).boxed(),
    }
}

/// What a column of that kind may be compared with: also numbers it cannot keep, and values of other kinds.
fn asked_value(kept: Kept) -> BoxedStrategy<Plain> {
    const NUMBERS: [&str; 6] =
        ["0.015", "-0.015", "1.5", "9999999999999999999", "-9999999999999999999", "92233720368547758.075"];
    let number = select(NUMBERS.to_vec()).prop_map(|number| Plain::Number(number.parse().unwrap()));
    let foreign = prop_oneof![kept_value(Kept::Text), kept_value(Kept::Time), kept_value(Kept::Bool)];
    match kept {
        Kept::Number { .. } => prop_oneof![6 => kept_value(kept), 3 => number, 1 => foreign].boxed(),
        _ => prop_oneof![9 => kept_value(kept), 1 => foreign, 1 => number].boxed(),
    }
}

fn tests(kept: Kept) -> impl Strategy<Value = Test> {
    // What means something to the database's own patterns, and must not.
    const PATTERNS: [&str; 10] = ["[a]", "[%", "%]", "a*b", "a?b", "%*%", "a\\%b", "a\\_b", "a_b", "\\\\"];
    let patterns =
        prop_oneof![select(PATTERNS.to_vec()).prop_map(str::to_owned), "[ab%_*?\\[\\]\\\\äA]{0,4}",]
            .prop_map(|text| Test::Like(Pattern::parse(&text)));
    let relations = (select(Relation::ALL.to_vec()), asked_value(kept));
    prop_oneof![
        4 => relations.prop_map(|(relation, value)| Test::Is(relation, value)),
        2 => prop::collection::vec(asked_value(kept), 0..4).prop_map(Test::In),
        1 => Just(Test::IsNull),
        if kept == Kept::Text { 3 } else { 1 } => patterns,
    ]
}

fn exprs() -> impl Strategy<Value = Expr<usize>> {
    let leaf = (0..FIELDS.len())
        .prop_flat_map(|field| tests(FIELDS[field].1).prop_map(move |test| Expr::Compare { field, test }));
    leaf.prop_recursive(4, 16, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            several.clone().prop_map(Expr::And),
            several.prop_map(Expr::Or),
            inner.prop_map(Expr::none_of),
        ]
    })
}

fn values() -> impl Strategy<Value = Vec<Option<Plain>>> {
    let each: Vec<_> = FIELDS
        .iter()
        .map(|(_, kept, may_miss)| match may_miss {
            true => prop::option::weighted(0.6, kept_value(*kept)).boxed(),
            false => kept_value(*kept).prop_map(Some).boxed(),
        })
        .collect();
    each
}

fn things(most: usize) -> impl Strategy<Value = Vec<Thing>> {
    prop::collection::btree_map(any::<u8>(), values(), 0..most).prop_map(|things: BTreeMap<_, _>| {
        things.into_iter().map(|(id, values)| Thing { id, values }).collect()
    })
}

fn sorts() -> impl Strategy<Value = Vec<Sort<usize>>> {
    let by = |(field, descending): (usize, bool)| Sort { field, kind: kind(FIELDS[field].1), descending };
    prop::collection::btree_map(0..FIELDS.len(), any::<bool>(), 0..4)
        .prop_map(|keys| keys.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(move |keys| keys.into_iter().map(by).collect())
}

/// The page the database gives; it must be the one that the same rows give without it.
fn page(conn: &Connection, listing: &Listing<usize>, there: &[Thing]) -> domain::filter::Leaf<Thing> {
    let tail = tail(listing, "id", &column);
    let found = ids(conn, "org = 1", &tail)
        .into_iter()
        .map(|id| there.iter().find(|thing| thing.id() == id).expect("one of those there are").clone())
        .collect();
    let leaf = listing.leaf(found, |thing: &Thing| listing.position(thing.id(), &|field| thing.value(field)));
    assert_eq!(leaf, listing.of_all(there.to_vec(), Thing::id, Thing::value), "{}", tail.sql);
    leaf
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_condition_is_true_of_the_same_rows(things in things(12), expr in exprs()) {
        let conn = database();
        things.iter().for_each(|thing| insert(&conn, thing));
        let condition = condition(&expr, &column);
        let mut found = ids(&conn, "", &condition);
        found.sort();
        let is_meant = |thing: &&Thing| matches(&expr, &|field| thing.value(field));
        let mut meant: Vec<_> = things.iter().filter(is_meant).map(Thing::id).collect();
        meant.sort();
        prop_assert_eq!(found, meant, "{}", condition.sql);
    }

    #[test]
    fn a_walk_meets_everything_once_while_others_come(
        things in things(30),
        newcomers in things(10),
        expr in prop::option::weighted(0.3, exprs()),
        sorts in sorts(),
        limit in 1u32..8,
        goes_back: bool,
    ) {
        let conn = database();
        things.iter().for_each(|thing| insert(&conn, thing));
        let mut there = things.clone();
        let mut newcomers: Vec<_> =
            newcomers.into_iter().filter(|new| things.iter().all(|thing| thing.id != new.id)).collect();
        let mut listing = Listing { filter: expr, sorts, from: None, limit };
        let mut before = page(&conn, &Listing { limit: 1000, ..listing.clone() }, &there).entries;
        if goes_back {
            // From behind the last.
            let position = before.last().map(|thing| listing.position(thing.id(), &|field| thing.value(field)));
            let Some(position) = position else { return Ok(()) };
            listing.from = Some(Cursor { position, direction: Direction::Backward });
            before.pop();
        }
        let mut seen = Vec::new();
        loop {
            let leaf = page(&conn, &listing, &there);
            if goes_back {
                seen.splice(0..0, leaf.entries);
            } else {
                seen.extend(leaf.entries);
            }
            listing.from = if goes_back { leaf.previous } else { leaf.next };
            if listing.from.is_none() {
                break;
            }
            for new in newcomers.split_off(newcomers.len().saturating_sub(2)) {
                insert(&conn, &new);
                there.push(new);
            }
        }
        // Nobody is met twice, those that were there before are all met, and in their order.
        let mut once: Vec<_> = seen.iter().map(Thing::id).collect();
        once.sort();
        prop_assert!(once.windows(2).all(|two| two[0] != two[1]));
        seen.retain(|thing| things.contains(thing));
        prop_assert_eq!(seen, before);
    }

    #[test]
    fn every_page_has_the_way_it_came(things in things(20), sorts in sorts(), limit in 1u32..6) {
        let conn = database();
        things.iter().for_each(|thing| insert(&conn, thing));
        let mut listing = Listing { filter: None, sorts, from: None, limit };
        let mut pages = Vec::new();
        loop {
            let leaf = page(&conn, &listing, &things);
            pages.push(leaf.entries);
            listing.from = leaf.next;
            if listing.from.is_none() {
                listing.from = leaf.previous;
                break;
            }
        }
        pages.pop();
        while listing.from.is_some() {
            let leaf = page(&conn, &listing, &things);
            prop_assert_eq!(Some(leaf.entries), pages.pop());
            listing.from = leaf.previous;
        }
        prop_assert!(pages.is_empty());
    }
}

/// What a program reads out of a caller's text.
struct Names;

impl domain::filter::Fields for Names {
    type Field = usize;

    fn names(&self) -> &[&'static str] {
        &["text"]
    }

    fn field(&self, name: &str) -> Option<(usize, Kind)> {
        let found = FIELDS.iter().position(|(each, ..)| *each == name)?;
        Some((found, kind(FIELDS[found].1)))
    }
}

fn written(text: &str) -> Expr<usize> {
    bind(&parse(text).unwrap(), &Names).unwrap()
}

#[test]
fn what_somebody_wrote_is_never_part_of_the_query() {
    let expr = written("text:'x''; DROP TABLE things; --' OR text.like:'%\"?%' OR text.in:('?','''')");
    let condition = condition(&expr, &column);
    assert_eq!(condition.sql, "(text = ? OR text GLOB ? OR text IN (?, ?))");
    assert_eq!(condition.params.len(), 4);
}

#[test]
fn the_longest_and_deepest_filters_run() {
    let conn = database();
    for text in [
        format!("{}text:a{}", "NOT (".repeat(16), ")".repeat(16)),
        format!("{}text:a{}", "(text<b OR NOT ".repeat(16), ")".repeat(16)),
        ["cost>-1.005"; 100].join(" OR NOT "),
        format!("text.in:({})", vec!["a"; 2000].join(",")),
        format!("NOT text.like:'{}'", "%*".repeat(2000)),
    ] {
        ids(&conn, "", &condition(&written(&text), &column));
    }
    let by = |field: usize| Sort { field, kind: kind(FIELDS[field].1), descending: field.is_multiple_of(2) };
    let mut listing =
        Listing { filter: None, sorts: (0..FIELDS.len()).map(by).collect(), from: None, limit: 1 };
    let position = listing.position(Uuid::nil(), &|_| None);
    listing.from = Some(Cursor { position, direction: Direction::Forward });
    ids(&conn, "org = 1", &tail(&listing, "id", &column));
}

#[test]
fn a_list_by_time_is_walked_along_its_index() {
    let conn = database();
    let always_at = FIELDS.iter().position(|(name, ..)| *name == "always_at").unwrap();
    let first = |filter: Option<&str>, descending, direction| {
        let sorts = vec![Sort { field: always_at, kind: Kind::Time, descending }];
        let mut listing = Listing { filter: filter.map(written), sorts, from: None, limit: 50 };
        let position = listing.position(Uuid::nil(), &|_| Some(Plain::Time(Timestamp(7))));
        listing.from = Some(Cursor { position, direction });
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM things WHERE org = 1{}",
            tail(&listing, "id", &column).sql
        );
        let mut statement = conn.prepare(&sql).unwrap();
        let mut rows = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get::<_, String>(3).unwrap());
        }
        plan
    };
    for (descending, direction, sign) in [
        (false, Direction::Forward, ">"),
        (true, Direction::Forward, "<"),
        (false, Direction::Backward, "<"),
        (true, Direction::Backward, ">"),
    ] {
        let searched =
            format!("SEARCH things USING INDEX things_of_org (org=? AND (always_at,id){sign}(?,?))");
        for filter in [None, Some("cost>1 AND NOT flag:true")] {
            assert_eq!(first(filter, descending, direction), [searched.as_str()]);
        }
    }
    let condition = condition(&written("text:'a'"), &column).sql;
    let plan: String = conn
        .query_row(
            &format!("EXPLAIN QUERY PLAN SELECT 1 FROM things WHERE org = 1 AND {condition}"),
            ["a"],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("things_by_text (org=? AND text=?)"), "{plan}");
}
