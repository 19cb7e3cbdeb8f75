//! Names to fields, literals to values.

use super::{
    Asked, Decimal, Expr, Kind, Literal, Malformed, Pattern, Relation, Test, UnknownName, Value, Written,
    shown,
};
use crate::time::Timestamp;

/// The fields of a noun by their names on the wire. A dialect has one for each of its lists.
pub trait Fields {
    /// The noun's own fields.
    type Field: Clone + PartialEq;

    /// Every name there is, for errors.
    fn names(&self) -> &[&'static str];

    /// The field of that name and what kind of values it has.
    fn field(&self, name: &str) -> Option<(Self::Field, Kind)>;

    /// Whether a list can be ordered by that field.
    fn is_sortable(&self, _field: &Self::Field) -> bool {
        true
    }

    /// The store's names for what the dialect calls so, for a field of [`Kind::Status`]: several where the dialect makes no
    /// difference, none where the store knows no such thing. Fails with what is wanted instead: `` one of `queued`, … ``.
    /// Unless a noun says otherwise, both have the same names.
    fn statuses(&self, _field: &Self::Field, name: &str) -> Result<Vec<String>, String> {
        Ok(vec![name.to_owned()])
    }
}

/// Why an expression means nothing for a noun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no expression.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// There is no such field.
    #[error(transparent)]
    UnknownField(#[from] UnknownName),
    /// The field is of a kind that is not compared so.
    #[error("{} cannot be used on {}; {way_out}", shown(operator), shown(field))]
    WrongOperator {
        /// The field's name.
        field: String,
        /// The operator: `like`.
        operator: &'static str,
        /// What goes instead.
        way_out: &'static str,
    },
    /// The field has values of another kind.
    #[error("{} is compared with {}; give {wanted}", shown(field), shown(value))]
    WrongValue {
        /// The field's name.
        field: String,
        /// The value that was given.
        value: String,
        /// What its values look like.
        wanted: String,
    },
}

/// Gives an expression the meaning it has for a noun. Fails at the first name or value that has none.
pub fn bind<S: Fields>(expr: &Written, fields: &S) -> Result<Expr<S::Field>, Refused> {
    let all = |parts: &[Written]| parts.iter().map(|part| bind(part, fields)).collect::<Result<Vec<_>, _>>();
    match expr {
        Expr::And(parts) => Ok(Expr::And(all(parts)?)),
        Expr::Or(parts) => Ok(Expr::Or(all(parts)?)),
        Expr::Not(inner) => Ok(Expr::none_of(bind(inner, fields)?)),
        Expr::Compare { field: name, test } => {
            let Some((field, kind)) = fields.field(name) else {
                let known = fields.names().iter().map(|&name| name.to_owned()).collect();
                return Err(UnknownName { name: name.clone(), known }.into());
            };
            Named { name, field, kind, fields }.compare(test)
        }
    }
}

/// A field under its name.
struct Named<'a, S: Fields> {
    name: &'a str,
    field: S::Field,
    kind: Kind,
    fields: &'a S,
}

/// What a literal stands for.
enum Meant {
    /// One value.
    One(Value),
    /// Any of these, of which there may be none.
    Any(Vec<Value>),
    /// A time after this one and before the next that can be told apart.
    JustAfter(Timestamp),
}

impl<S: Fields> Named<'_, S> {
    fn compare(&self, asked: &Asked) -> Result<Expr<S::Field>, Refused> {
        match asked {
            Asked::Is(relation, literal) => self.relation(*relation, literal),
            Asked::In(literals) => self.list(literals),
            Asked::Like(literal) => match self.kind {
                Kind::Text => Ok(self.test(Test::Like(Pattern::parse(&literal.text)))),
                _ => Err(self.wrong_operator("like", "`like` is for text; use `eq`, `ne` or `in`")),
            },
            Asked::IsNull(literal) => match truth(&literal.text) {
                Some(is_null) => Ok(self.missing(is_null)),
                None => Err(self.wrong_value(literal, "`true` or `false` to `isnull`".to_owned())),
            },
        }
    }

    fn relation(&self, relation: Relation, literal: &Literal) -> Result<Expr<S::Field>, Refused> {
        if !relation.is_equality() && matches!(self.kind, Kind::Bool | Kind::Status) {
            let way_out = "its values have no order; use `eq`, `ne` or `in`";
            return Err(self.wrong_operator(relation.as_str(), way_out));
        }
        if literal.is_null() {
            return match relation {
                Relation::Eq => Ok(self.missing(true)),
                Relation::Ne => Ok(self.missing(false)),
                _ => {
                    Err(self.wrong_value(literal, format!("{}, as `null` has no order", self.kind.wanted())))
                }
            };
        }
        let none = || self.test(Test::In(Vec::new()));
        Ok(match (self.meant(literal)?, relation) {
            (Meant::One(value), relation) => self.test(Test::Is(relation, value)),
            (Meant::Any(values), Relation::Ne) => Expr::none_of(self.test(Test::In(values))),
            (Meant::Any(values), _) => self.test(Test::In(values)),
            (Meant::JustAfter(_), Relation::Eq) => none(),
            (Meant::JustAfter(_), Relation::Ne) => Expr::none_of(none()),
            (Meant::JustAfter(at), Relation::Gt | Relation::Gte) => {
                self.test(Test::Is(Relation::Gt, Value::Time(at)))
            }
            (Meant::JustAfter(at), Relation::Lt | Relation::Lte) => {
                self.test(Test::Is(Relation::Lte, Value::Time(at)))
            }
        })
    }

    fn list(&self, literals: &[Literal]) -> Result<Expr<S::Field>, Refused> {
        let mut values = Vec::new();
        for literal in literals.iter().filter(|literal| !literal.is_null()) {
            match self.meant(literal)? {
                Meant::One(value) => values.push(value),
                Meant::Any(several) => values.extend(several),
                Meant::JustAfter(_) => {}
            }
        }
        let among = self.test(Test::In(values));
        let may_miss = literals.iter().any(Literal::is_null);
        Ok(if may_miss { Expr::Or(vec![among, self.missing(true)]) } else { among })
    }

    fn meant(&self, literal: &Literal) -> Result<Meant, Refused> {
        let text = literal.text.as_str();
        let value = match self.kind {
            Kind::Text => Some(Value::Text(text.to_owned())),
            Kind::Number => text.parse::<Decimal>().ok().map(Value::Number),
            Kind::Bool => truth(text).map(Value::Bool),
            Kind::Id => uuid::Uuid::try_parse(text).ok().map(Value::Id),
            Kind::Time => match instant(text) {
                Some((at, true)) => Some(Value::Time(at)),
                Some((at, false)) => return Ok(Meant::JustAfter(at)),
                None => None,
            },
            Kind::Status => {
                let statuses = self.fields.statuses(&self.field, text);
                let statuses = statuses.map_err(|wanted| self.wrong_value(literal, wanted))?;
                return Ok(Meant::Any(statuses.into_iter().map(Value::Text).collect()));
            }
        };
        value.map(Meant::One).ok_or_else(|| self.wrong_value(literal, self.kind.wanted().to_owned()))
    }

    fn test(&self, test: Test) -> Expr<S::Field> {
        Expr::Compare { field: self.field.clone(), test }
    }

    fn missing(&self, is_missing: bool) -> Expr<S::Field> {
        let missing = self.test(Test::IsNull);
        if is_missing { missing } else { Expr::none_of(missing) }
    }

    fn wrong_operator(&self, operator: &'static str, way_out: &'static str) -> Refused {
        Refused::WrongOperator { field: self.name.to_owned(), operator, way_out }
    }

    fn wrong_value(&self, literal: &Literal, wanted: String) -> Refused {
        Refused::WrongValue { field: self.name.to_owned(), value: literal.text.clone(), wanted }
    }
}

fn truth(text: &str) -> Option<bool> {
    [true, false].into_iter().find(|truth| text.eq_ignore_ascii_case(if *truth { "true" } else { "false" }))
}

/// A time rounded down to the millisecond, and whether that is exactly it.
fn instant(text: &str) -> Option<(Timestamp, bool)> {
    const DATE: usize = "2026-04-01".len();
    let (date, clock) = text.split_at_checked(DATE)?;
    let Some(clock) = clock.strip_prefix(['T', 't', ' ']) else {
        return clock
            .is_empty()
            .then(|| Timestamp::parse(&format!("{date}T00:00:00Z")))
            .flatten()
            .map(|at| (at, true));
    };
    let has_offset = clock.contains(['Z', 'z', '+', '-']);
    let zone = if has_offset { "" } else { "Z" };
    let at = Timestamp::parse(&format!("{date}T{clock}{zone}").to_ascii_uppercase())?;
    let digits = clock.split_once('.').map_or("", |(_, part)| part);
    let beyond = digits.bytes().take_while(u8::is_ascii_digit).skip(3).any(|digit| digit != b'0');
    Some((at, !beyond))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{listed, matches, parse};
    use super::*;

    /// Fields of a run, as a dialect might have them.
    struct Runs;

    impl Fields for Runs {
        type Field = &'static str;

        fn names(&self) -> &[&'static str] {
            &["client_ref", "cost", "created_at", "id", "is_rated", "status_code"]
        }

        fn field(&self, name: &str) -> Option<(&'static str, Kind)> {
            let kinds = [Kind::Text, Kind::Number, Kind::Time, Kind::Id, Kind::Bool, Kind::Status];
            let found = self.names().iter().zip(kinds).find(|(each, _)| **each == name);
            found.map(|(name, kind)| (*name, kind))
        }

        fn statuses(&self, _: &&'static str, name: &str) -> Result<Vec<String>, String> {
            match name {
                "canceled" | "cancelled" => Ok(vec!["cancelled".to_owned()]),
                "running" => Ok(vec!["running".to_owned(), "in_review".to_owned()]),
                "dispatching" => Ok(Vec::new()),
                _ => Err(format!("one of {}", listed(["canceled", "dispatching", "running"]))),
            }
        }
    }

    fn bound(text: &str) -> Result<Expr<&'static str>, Refused> {
        bind(&parse(text)?, &Runs)
    }

    fn wrong(text: &str) -> String {
        bound(text).expect_err(text).to_string()
    }

    fn finds(text: &str, value: Option<Value>) -> bool {
        matches(&bound(text).expect(text), &|_| value.clone())
    }

    #[test]
    fn every_kind_takes_its_values_quoted_and_bare() {
        let id = uuid::Uuid::from_u128(0x0196_a1b2_7c00_7d11_8a22_5f6e_7d8c_9b0a);
        for (text, value) in [
            ("client_ref:17", Value::Text("17".to_owned())),
            ("client_ref:true", Value::Text("true".to_owned())),
            ("client_ref:'null'", Value::Text("null".to_owned())),
            ("cost:'0.550'", Value::Number("0.55".parse().expect("a number"))),
            ("cost=-3", Value::Number(Decimal::from(-3))),
            ("is_rated:TRUE", Value::Bool(true)),
            ("is_rated:'false'", Value::Bool(false)),
            ("id:0196a1b2-7c00-7d11-8a22-5f6e7d8c9b0a", Value::Id(id)),
            ("id:'0196A1B2-7C00-7D11-8A22-5F6E7D8C9B0A'", Value::Id(id)),
        ] {
            assert_eq!(
                bound(text),
                Ok(Expr::is(text.split([':', '=']).next().unwrap_or(""), value)),
                "{text}"
            );
        }
    }

    #[test]
    fn times_come_in_every_form() {
        let at = Timestamp(1_775_037_600_000);
        for time in [
            "2026-04-01T10:00:00Z",
            "2026-04-01t10:00:00z",
            "2026-04-01T10:00:00",
            "'2026-04-01 10:00:00Z'",
            "2026-04-01T10:00:00.000000000Z",
            "2026-04-01T12:00:00+02:00",
            "2026-04-01T12:00:00.0 02:00",
            "2026-03-31T23:30:00-10:30",
        ] {
            assert_eq!(
                bound(&format!("created_at:{time}")),
                Ok(Expr::is("created_at", Value::Time(at))),
                "{time}"
            );
        }
        let midnight = Value::Time(Timestamp(1_775_001_600_000));
        assert_eq!(bound("created_at:2026-04-01"), Ok(Expr::is("created_at", midnight)));
        for time in [
            "2026-04-31",
            "2026-4-1",
            "20260401",
            "'2026-04-01T'",
            "2026-04-01T25:00:00Z",
            "soon",
            "1775037600",
        ] {
            assert!(wrong(&format!("created_at:{time}")).contains("a date such as"), "{time}");
        }
    }

    #[test]
    fn digits_beyond_the_millisecond_count() {
        let at = |ms: i64| Some(Value::Time(Timestamp(1_775_037_600_000 + ms)));
        let time = "2026-04-01T10:00:00.1234Z";
        for (operator, before, after) in [
            ("eq", false, false),
            ("ne", true, true),
            ("gt", false, true),
            ("gte", false, true),
            ("lt", true, false),
            ("lte", true, false),
            ("in", false, false),
        ] {
            let text = format!("created_at.{operator}:{time}");
            assert_eq!((finds(&text, at(123)), finds(&text, at(124))), (before, after), "{text}");
            assert_eq!(finds(&text, None), operator == "ne", "{text}");
        }
    }

    #[test]
    fn a_status_may_stand_for_several() {
        let named = |status: &str| Some(Value::Text(status.to_owned()));
        for (text, status, found) in [
            ("status_code:canceled", "cancelled", true),
            ("status_code:cancelled", "cancelled", true),
            ("status_code:running", "in_review", true),
            ("status_code:running", "queued", false),
            ("status_code.ne:running", "in_review", false),
            ("status_code.ne:running", "queued", true),
            ("status_code.in:running,canceled", "cancelled", true),
            ("status_code:dispatching", "queued", false),
            ("status_code.ne:dispatching", "queued", true),
        ] {
            assert_eq!(finds(text, named(status)), found, "{text} {status}");
        }
        assert_eq!(
            wrong("status_code:done"),
            "`status_code` is compared with `done`; give one of `canceled`, `dispatching`, `running`"
        );
    }

    #[test]
    fn what_is_missing_is_found_by_null() {
        let text = Some(Value::Text("x".to_owned()));
        for (filter, when_missing) in [
            ("client_ref:null", true),
            ("client_ref.isnull:true", true),
            ("client_ref.ISNULL:'TRUE'", true),
            ("client_ref.in:(y,NULL)", true),
            ("client_ref.isnull:false", false),
            ("client_ref.ne:null", false),
        ] {
            assert_eq!(finds(filter, None), when_missing, "{filter}");
            assert_eq!(finds(filter, text.clone()), !when_missing, "{filter}");
        }
        for (filter, found) in [
            ("client_ref:x", false),
            ("client_ref.ne:x", true),
            ("client_ref<x", false),
            ("NOT client_ref<x", true),
        ] {
            assert_eq!(finds(filter, None), found, "{filter}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        assert!(matches!(bound("foo:1"), Err(Refused::UnknownField(_))));
        assert!(matches!(bound("Client_ref:1 OR id.like:x"), Err(Refused::UnknownField(_))));
        assert!(matches!(bound("a:"), Err(Refused::Malformed(_))));
        for text in ["status_code>running", "is_rated<true", "cost.like:1", "status_code.like:'r%'"] {
            assert!(matches!(bound(text), Err(Refused::WrongOperator { .. })), "{text}");
        }
        for text in
            ["cost:cheap", "cost:1e3", "id:17", "is_rated:1", "cost>null", "cost.isnull:1", "cost.in:(1,x)"]
        {
            assert!(matches!(bound(text), Err(Refused::WrongValue { .. })), "{text}");
        }
        assert_eq!(
            wrong("NOT (foo:1)"),
            "`foo` is not known here; there are `client_ref`, `cost`, `created_at`, `id`, `is_rated`, `status_code`"
        );
        assert!(wrong(&format!("cost:'{}'", "9".repeat(1000))).len() < 300);
    }

    proptest! {
        #[test]
        fn every_instant_is_read_with_every_offset(
            ms in 0i64..4_102_444_800_000,
            minutes in -14 * 60i64..=14 * 60,
            quoted: bool,
        ) {
            let local = Timestamp(ms + minutes * 60_000).to_string();
            let sign = if minutes < 0 { '-' } else { '+' };
            let offset = format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
            let time = format!("{}{offset}", local.trim_end_matches('Z'));
            let text = if quoted { format!("created_at:'{time}'") } else { format!("created_at:{time}") };
            prop_assert_eq!(bound(&text), Ok(Expr::is("created_at", Value::Time(Timestamp(ms)))));
        }

        #[test]
        fn not_is_exactly_the_complement(
            test in prop::sample::select(vec![
                "cost:1", "cost.ne:1", "cost>1", "cost>=1", "cost<1", "cost<=1", "cost.in:1,2", "cost.in:1,null",
                "cost.isnull:true", "cost.isnull:false", "cost:null", "cost.ne:null",
            ]),
            value in prop::option::of(0i64..3),
        ) {
            let value = value.map(|value| Value::Number(Decimal::from(value)));
            prop_assert_ne!(finds(test, value.clone()), finds(&format!("NOT {test}"), value));
        }

        #[test]
        fn no_value_breaks_it(field in prop::sample::select(Runs.names().to_vec()), value in "[^\u{0}']{0,30}") {
            let _ = bound(&format!("{field}:'{value}'"));
        }
    }
}
