//! Filters, orders and places of lists, as SQL.
//!
//! What somebody wrote only ever becomes a parameter: the text of a query is made of what is written here and of the
//! columns' own SQL, which is fixed when the program is built. What is missing means what `domain::filter` says: SQL's third
//! truth value never reaches a `NOT`, and NULL is less than everything, which is SQLite's own order.

use domain::filter::{self, Cursor, Decimal, Direction, Expr, Listing, Pattern, Piece, Relation, Test};
use rusqlite::types::Value;

/// What is never true. Not `0`: a condition joined to that by `AND` is folded into it before an index is chosen, so that a
/// query that names its index has no solution left.
const NEVER: &str = "''";

/// How a column keeps the values of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// As text in the binary collation.
    Text,
    /// As a whole number of units of 10 to the power of minus `places`, at most 18.
    Number {
        /// Places behind the point.
        places: u32,
    },
    /// As milliseconds.
    Time,
    /// As 0 or 1.
    Bool,
    /// As 16 bytes.
    Id,
}

/// Where a field is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// A column, or an expression that needs no parentheses around it: `r.created_at`.
    pub(crate) sql: &'static str,
    /// How its values are kept.
    pub(crate) kept: Kept,
    /// Whether it may be NULL. If it says no, it must not be; saying no lets an index serve more.
    pub(crate) may_miss: bool,
}

/// Part of a query with the parameters for its question marks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fragment {
    /// Its text.
    pub(crate) sql: String,
    /// Its parameters, in order.
    pub(crate) params: Vec<Value>,
}

/// What follows a query's own `WHERE` condition: ` AND … ORDER BY … LIMIT ?`. Finds what [`Listing::leaf`] makes a page of.
/// `id` is the column that tells the list's entries apart; it keeps 16 bytes and is never NULL. Texts differ from filter to
/// filter: such a query is prepared for once and not kept among the cached statements.
pub(crate) fn tail<F>(listing: &Listing<F>, id: &'static str, column: &dyn Fn(&F) -> Column) -> Fragment {
    let mut tail = Fragment::default();
    if let Some(filter) = &listing.filter {
        tail.push(" AND ");
        tail.condition(filter, column, false);
    }
    let keys = keys(listing, id, column);
    if let Some(cursor) = &listing.from {
        tail.push(" AND ");
        tail.beyond(&keys, cursor);
    }
    let terms: Vec<_> = keys
        .iter()
        .map(|key| format!("{} {}", key.column.sql, if key.descends { "DESC" } else { "ASC" }))
        .collect();
    tail.push(&format!(" ORDER BY {} LIMIT ?", terms.join(", ")));
    tail.params.push(Value::Integer(i64::try_from(listing.ask()).unwrap_or(i64::MAX)));
    tail
}

/// A condition for `WHERE`, true of exactly the rows of which [`filter::matches`] is.
#[cfg(test)]
fn condition<F>(expr: &Expr<F>, column: &dyn Fn(&F) -> Column) -> Fragment {
    let mut condition = Fragment::default();
    condition.condition(expr, column, false);
    condition
}

/// A key of the order in which a list is walked.
struct Key {
    column: Column,
    descends: bool,
}

/// The keys of the walk, the id last; turned round if it goes back.
fn keys<F>(listing: &Listing<F>, id: &'static str, column: &dyn Fn(&F) -> Column) -> Vec<Key> {
    let goes_back = listing.direction() == Direction::Backward;
    let by_field = listing
        .sorts
        .iter()
        .map(|sort| Key { column: column(&sort.field), descends: sort.descending != goes_back });
    let by_id = Key {
        column: Column { sql: id, kept: Kept::Id, may_miss: false },
        descends: filter::ids_descend(&listing.sorts) != goes_back,
    };
    by_field.chain([by_id]).collect()
}

/// A value among those a column can keep.
enum Place {
    /// It is one of them.
    At(Value),
    /// It is between this whole number and the next.
    JustAfter(i64),
    /// It is greater than all of them.
    AboveAll,
    /// It is less than all of them.
    BelowAll,
    /// It is of another kind.
    Apart,
}

impl Kept {
    fn place(self, value: &filter::Value) -> Place {
        match (self, value) {
            (Self::Text, filter::Value::Text(text)) => Place::At(Value::Text(text.clone())),
            (Self::Number { places }, filter::Value::Number(number)) => place_of(*number, places),
            (Self::Time, filter::Value::Time(at)) => Place::At(Value::Integer(at.0)),
            (Self::Bool, filter::Value::Bool(truth)) => Place::At(Value::Integer((*truth).into())),
            (Self::Id, filter::Value::Id(id)) => Place::At(Value::Blob(id.as_bytes().to_vec())),
            _ => Place::Apart,
        }
    }
}

fn place_of(number: Decimal, places: u32) -> Place {
    let (units, is_exact) = number.units(places);
    match i64::try_from(units) {
        Ok(units) if is_exact => Place::At(Value::Integer(units)),
        Ok(units) => Place::JustAfter(units),
        Err(_) if units > 0 => Place::AboveAll,
        Err(_) => Place::BelowAll,
    }
}

/// The pattern as `GLOB` has it, which tells letter cases apart as `LIKE` does not.
fn glob(pattern: &Pattern) -> String {
    let mut glob = String::new();
    for piece in pattern.pieces() {
        match piece {
            Piece::Any => glob.push('*'),
            Piece::One => glob.push('?'),
            Piece::Char(special @ ('*' | '?' | '[')) => glob.extend(['[', *special, ']']),
            Piece::Char(char) => glob.push(*char),
        }
    }
    glob
}

impl Fragment {
    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// `denied` says that a `NOT` is around it, so that it must be false where otherwise NULL is as good.
    fn condition<F>(&mut self, expr: &Expr<F>, column: &dyn Fn(&F) -> Column, denied: bool) {
        match expr {
            Expr::And(parts) => self.joined(parts, " AND ", "1", column, denied),
            Expr::Or(parts) => self.joined(parts, " OR ", NEVER, column, denied),
            Expr::Not(inner) => {
                self.push("NOT (");
                self.condition(inner, column, true);
                self.push(")");
            }
            Expr::Compare { field, test } => self.test(column(field), test, denied),
        }
    }

    fn joined<F>(
        &mut self,
        parts: &[Expr<F>],
        between: &str,
        if_empty: &str,
        column: &dyn Fn(&F) -> Column,
        denied: bool,
    ) {
        if parts.is_empty() {
            return self.push(if_empty);
        }
        self.push("(");
        for (nth, part) in parts.iter().enumerate() {
            if nth > 0 {
                self.push(between);
            }
            self.condition(part, column, denied);
        }
        self.push(")");
    }

    fn test(&mut self, column: Column, test: &Test, denied: bool) {
        // All that can come out NULL: a comparison with a column that is NULL.
        let guarded = denied && column.may_miss && !matches!(test, Test::IsNull | Test::Is(Relation::Ne, _));
        if guarded {
            self.push("ifnull(");
        }
        match test {
            Test::Is(relation, value) => self.relation(column, *relation, value),
            Test::In(values) => {
                let places = values.iter().map(|value| column.kept.place(value));
                let kept =
                    places.filter_map(|place| if let Place::At(value) = place { Some(value) } else { None });
                let before = self.params.len();
                self.params.extend(kept);
                match self.params.len() - before {
                    0 => self.push(NEVER),
                    many => self.push(&format!("{} IN ({})", column.sql, vec!["?"; many].join(", "))),
                }
            }
            Test::Like(pattern) if column.kept == Kept::Text => {
                self.push(&format!("{} GLOB ?", column.sql));
                self.params.push(Value::Text(glob(pattern)));
            }
            Test::Like(_) => self.push(NEVER),
            Test::IsNull => self.missing(column),
        }
        if guarded {
            self.push(", 0)");
        }
    }

    fn relation(&mut self, column: Column, relation: Relation, value: &filter::Value) {
        use Relation::{Eq, Gt, Gte, Lt, Lte, Ne};
        match (column.kept.place(value), relation) {
            (Place::At(value), relation) => self.sign(column, relation, value),
            (_, Eq) => self.push(NEVER),
            (_, Ne) => self.push("1"),
            (Place::JustAfter(units), Gt | Gte) => self.sign(column, Gt, Value::Integer(units)),
            (Place::JustAfter(units), Lt | Lte) => self.sign(column, Lte, Value::Integer(units)),
            (Place::AboveAll, Lt | Lte) | (Place::BelowAll, Gt | Gte) => self.present(column),
            (Place::AboveAll | Place::BelowAll | Place::Apart, Gt | Gte | Lt | Lte) => self.push(NEVER),
        }
    }

    fn sign(&mut self, column: Column, relation: Relation, value: Value) {
        let sign = match relation {
            Relation::Eq => "=",
            Relation::Ne if column.may_miss => "IS NOT",
            Relation::Ne => "<>",
            Relation::Gt => ">",
            Relation::Gte => ">=",
            Relation::Lt => "<",
            Relation::Lte => "<=",
        };
        self.push(&format!("{} {sign} ?", column.sql));
        self.params.push(value);
    }

    fn missing(&mut self, column: Column) {
        if column.may_miss { self.push(&format!("{} IS NULL", column.sql)) } else { self.push(NEVER) }
    }

    fn present(&mut self, column: Column) {
        if column.may_miss { self.push(&format!("{} IS NOT NULL", column.sql)) } else { self.push("1") }
    }

    /// Only what comes after the cursor's position in the order of the walk.
    fn beyond(&mut self, keys: &[Key], cursor: &Cursor) {
        let id = Some(filter::Value::Id(cursor.position.id));
        let at: Vec<_> = keys.iter().zip(cursor.position.keys.iter().chain([&id])).collect();
        if !self.beyond_as_row(&at) {
            self.beyond_by_key(&at);
        }
    }

    /// As one comparison of rows, which an index on the keys serves, if the keys go one way and none may be missing.
    fn beyond_as_row(&mut self, at: &[(&Key, &Option<filter::Value>)]) -> bool {
        let (sqls, values): (Vec<_>, Vec<_>) = at
            .iter()
            .filter(|(key, _)| !key.column.may_miss && key.descends == at[0].0.descends)
            .filter_map(|(key, value)| match value.as_ref().map(|value| key.column.kept.place(value)) {
                Some(Place::At(value)) => Some((key.column.sql, value)),
                _ => None,
            })
            .unzip();
        let fits = values.len() == at.len();
        if fits {
            let sign = if at[0].0.descends { "<" } else { ">" };
            self.push(&format!("({}) {sign} ({})", sqls.join(", "), vec!["?"; sqls.len()].join(", ")));
            self.params.extend(values);
        }
        fits
    }

    /// Beyond in the first key, or equal in it and beyond in the next, and so on.
    fn beyond_by_key(&mut self, at: &[(&Key, &Option<filter::Value>)]) {
        let Some(((key, value), rest)) = at.split_first() else {
            return self.push(NEVER);
        };
        let beyond = if key.descends { Relation::Lt } else { Relation::Gt };
        self.push("(");
        match value {
            Some(value) => {
                self.relation(key.column, beyond, value);
                if key.descends && key.column.may_miss {
                    self.push(" OR ");
                    self.missing(key.column);
                }
            }
            None if key.descends => self.push(NEVER),
            None => self.present(key.column),
        }
        if !rest.is_empty() {
            self.push(" OR (");
            match value {
                Some(value) => self.relation(key.column, Relation::Eq, value),
                None => self.missing(key.column),
            }
            self.push(" AND ");
            self.beyond_by_key(rest);
            self.push(")");
        }
        self.push(")");
    }
}

#[cfg(test)]
mod tests;
