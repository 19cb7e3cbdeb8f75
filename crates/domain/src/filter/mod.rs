//! How a list is narrowed, ordered and walked: a filter language, sort keys and cursors, the same for every interface.
//!
//! # The language
//!
//! ```text
//! expr    = and { "OR" and }
//! and     = not { "AND" not }
//! not     = { "NOT" } prim
//! prim    = "(" expr ")" | field ( ":" | "=" | ">" | "<" | ">=" | "<=" ) value
//!                        | field "." op ":" value
//!                        | field "." "in" ":" list
//! op      = "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "like" | "isnull"
//! list    = "(" value { "," value } ")" | value { "," value }
//! value   = "'" chars "'" | '"' chars '"' | bareword
//! ```
//!
//! - Operators and the words `AND`, `OR`, `NOT`, `true`, `false`, `null` may be in any letter case; names of fields may
//!   not. Blanks may stand between any two of these.
//! - `:` and `=` are equality. `NOT` binds tightest, then `AND`.
//! - Inside quotes the same quote is doubled: `'it''s'`. A bareword ends at a blank, a quote, a parenthesis, a comma or
//!   one of `<`, `>`, `=`. What a value means is decided by its field: `17` is a number for a number and text for text;
//!   quoted or bare makes no difference but for `null`, which is the absence of a value when it is bare.
//! - A time is a date (midnight UTC), or RFC 3339 with `T` or a blank in the middle and with any offset; without an
//!   offset it is UTC. A `+` that came as a blank, as it does out of a form that was not encoded well, is still understood.
//!   Digits beyond the millisecond count: nothing is equal to such a time, but everything is before or after it.
//! - `in` takes a list with or without parentheses. A comma inside quotes is part of a value.
//! - `like` is for text, and tells letter cases apart: `%` is any run of characters, `_` is any one character, and `\`
//!   before `%`, `_` or `\` makes it that character.
//! - `isnull` takes `true` or `false`. `field:null` is `field.isnull:true`, `field.ne:null` is `field.isnull:false`, and
//!   `null` in a list is one more way to be in it.
//! - Text is compared by its UTF-8 bytes, a number exactly, a time as an instant. A status and a yes-or-no are equal or
//!   not, and nothing else.
//!
//! # What is missing
//!
//! Every comparison is true or false, never unknown. One with a field that has no value is false, except `ne`, which is
//! exactly what `eq` is not, and `isnull`. So `NOT x` is exactly what `x` is not, whatever `x` is: `NOT score>3` finds what
//! has no score, and so does `score.ne:3`. Whoever wants neither says `AND score.isnull:false`.
//!
//! In an order, what is missing is less than everything else: first ascending, last descending.
//!
//! # Limits
//!
//! [`MAX_BYTES`], [`MAX_DEPTH`], [`MAX_COMPARISONS`].

mod bind;
mod cursor;
mod decimal;
mod evaluate;
mod list;
mod names;
mod parse;
mod pattern;
mod sort;
mod value;

use std::fmt;

pub use bind::{Fields, Refused, bind};
pub use cursor::{BadCursor, Cursor, Direction, Mark, Position};
pub use decimal::{Decimal, NotADecimal};
pub use evaluate::matches;
pub use list::{Leaf, Listing};
pub use names::{UnknownName, names};
pub use parse::{Malformed, parse};
pub use pattern::{Pattern, Piece};
pub use sort::{BadSort, Sort, ids_descend, in_order, sort_by};
pub use value::{Kind, Value};

/// Longest text of an expression, in bytes.
pub const MAX_BYTES: usize = 4096;

/// How deep parentheses and `NOT` may nest together.
pub const MAX_DEPTH: usize = 32;

/// How many comparisons an expression may have; a list counts as one.
pub const MAX_COMPARISONS: usize = 100;

/// A condition on the fields `F` of a thing. [`parse()`] gives one of names and literals, which [`bind()`] makes one of a noun's
/// own fields and typed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr<F, T = Test> {
    /// All of them; true if there are none.
    And(Vec<Self>),
    /// At least one of them; false if there are none.
    Or(Vec<Self>),
    /// Exactly what the other is not.
    Not(Box<Self>),
    /// One field's value is as the test wants it.
    Compare {
        /// Which field.
        field: F,
        /// What its value must be.
        test: T,
    },
}

/// An expression as somebody wrote it: names of fields that may not exist, values without a type. Its text form is read
/// back by [`parse()`] as the same expression.
pub type Written = Expr<String, Asked>;

impl<F> Expr<F> {
    /// The field has exactly this value.
    pub const fn is(field: F, value: Value) -> Self {
        Self::Compare { field, test: Test::Is(Relation::Eq, value) }
    }

    /// The field has one of these values.
    pub const fn is_among(field: F, values: Vec<Value>) -> Self {
        Self::Compare { field, test: Test::In(values) }
    }

    /// The field has no value.
    pub const fn is_missing(field: F) -> Self {
        Self::Compare { field, test: Test::IsNull }
    }
}

impl<F, T> Expr<F, T> {
    /// Exactly what `other` is not.
    pub fn none_of(other: Self) -> Self {
        Self::Not(Box::new(other))
    }
}

/// How two values stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Equal.
    Eq,
    /// Not equal; also true of a missing value.
    Ne,
    /// Greater, or later.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less, or earlier.
    Lt,
    /// Less or equal.
    Lte,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Gt, Self::Gte, Self::Lt, Self::Lte];

    /// Its name in the language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
        }
    }

    /// Whether it asks for equality alone, and not for an order.
    pub const fn is_equality(self) -> bool {
        matches!(self, Self::Eq | Self::Ne)
    }
}

/// What a field's value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It stands so to that value.
    Is(Relation, Value),
    /// It is one of these.
    In(Vec<Value>),
    /// It is text of that form.
    Like(Pattern),
    /// It is missing.
    IsNull,
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Its text, without quotes.
    pub text: String,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

impl Literal {
    /// Whether it is the absence of a value.
    pub fn is_null(&self) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case("null")
    }
}

/// What was written behind a field's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A relation and a value.
    Is(Relation, Literal),
    /// A list, never empty.
    In(Vec<Literal>),
    /// A pattern.
    Like(Literal),
    /// Whether it is to be missing.
    IsNull(Literal),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted { write!(f, "'{}'", self.text.replace('\'', "''")) } else { f.write_str(&self.text) }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(relation, literal) => write!(f, "{}:{literal}", relation.as_str()),
            Self::Like(literal) => write!(f, "like:{literal}"),
            Self::IsNull(literal) => write!(f, "isnull:{literal}"),
            Self::In(literals) => {
                f.write_str("in:(")?;
                separated(f, literals, ",", |f, literal| write!(f, "{literal}"))?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = |f: &mut fmt::Formatter<'_>, part: &Self| match part {
            Self::And(_) | Self::Or(_) => write!(f, "({part})"),
            Self::Not(_) | Self::Compare { .. } => write!(f, "{part}"),
        };
        match self {
            Self::And(parts) => separated(f, parts, " AND ", apart),
            Self::Or(parts) => separated(f, parts, " OR ", |f, part| match part {
                Self::And(_) => write!(f, "{part}"),
                _ => apart(f, part),
            }),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                apart(f, inner)
            }
            Self::Compare { field, test } => write!(f, "{field}.{test}"),
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    between: &str,
    mut show: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (nth, part) in parts.iter().enumerate() {
        if nth > 0 {
            f.write_str(between)?;
        }
        show(f, part)?;
    }
    Ok(())
}

/// A text that somebody sent, short enough for an error.
fn shown(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// Names for an error: `` `a`, `b` ``.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
