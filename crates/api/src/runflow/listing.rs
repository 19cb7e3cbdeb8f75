//! Lists: the query that asks for a page, and the envelope of one.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::filter::{Cursor, Direction, Fields, Leaf, Listing, Mark, names};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use crate::form::Pairs;
use crate::listing::{Unfit, narrowed};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;
/// The usual order of lists.
pub(crate) const NEWEST: &str = "created_at:desc";
/// The parameter that holds a cursor.
const CURSOR: &str = "pq";

/// What a list is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    /// Which list: its path.
    list: String,
    q: Option<String>,
    fields: Option<String>,
    embed: Option<String>,
    sort_by: Option<String>,
    limit: Option<String>,
    pq: Option<String>,
    from_prev: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self { list: parts.uri.path().to_owned(), ..Self::of(&pairs) })
    }
}

impl ListQuery {
    fn of(pairs: &Pairs) -> Self {
        let text = |name: &str| pairs.get(name).map(str::to_owned);
        Self {
            list: String::new(),
            q: text("q"),
            fields: text("fields"),
            embed: text("embed"),
            sort_by: text("sort_by"),
            limit: text("limit"),
            pq: text(CURSOR),
            from_prev: text("from_prev"),
        }
    }

    /// What a noun's list is asked for; `usual` is its order unless the query has one, `known` are the names of an entry and
    /// `relations` what may be embedded.
    pub(crate) fn ask<S: Fields>(
        &self,
        fields: &S,
        usual: &str,
        known: &'static [&'static str],
        relations: &'static [&'static str],
    ) -> Result<Asked<S::Field>, Problem> {
        let order = self.sort_by.as_deref().unwrap_or(usual);
        let listing = narrowed(self.q.as_deref(), order, fields, self.limit()?).map_err(unfit)?;
        // Another list's cursors are told apart by it.
        let mark = Mark::of([self.list.as_str(), self.q.as_deref().unwrap_or_default(), order]);
        let backwards = self.walks_back()?;
        let from = match &self.pq {
            None => None,
            Some(text) => {
                let mut cursor = Cursor::read(text, CURSOR, mark, &listing.sorts)
                    .map_err(|bad| Problem::bad_request(format!("`{CURSOR}`: {bad}.")))?;
                if backwards {
                    cursor.direction = Direction::Backward;
                }
                Some(cursor)
            }
        };
        Ok(Asked { listing: Listing { from, ..listing }, shown: self.shown(known, relations)?, mark })
    }

    fn limit(&self) -> Result<u32, Problem> {
        let Some(text) = &self.limit else { return Ok(LIMIT_DEFAULT) };
        match text.parse() {
            Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
            _ => Err(Problem::parameter(
                "limit",
                format!("Input should be a whole number from 1 to {LIMIT_MAX}"),
            )),
        }
    }

    fn walks_back(&self) -> Result<bool, Problem> {
        match self.from_prev.as_deref() {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") || text == "1" => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") || text == "0" => Ok(false),
            Some(_) => Err(Problem::parameter("from_prev", "Input should be a valid boolean")),
        }
    }

    /// What the query wants to be shown of an entry: names among `known`, all of them unless it says, and `relations`.
    pub(crate) fn shown(
        &self,
        known: &'static [&'static str],
        relations: &'static [&'static str],
    ) -> Result<Shown, Problem> {
        Ok(Shown { only: self.names(known)?.only, ..self.relations(relations)? })
    }

    /// The same where every name is shown, whatever the query says.
    pub(crate) fn relations(&self, known: &'static [&'static str]) -> Result<Shown, Problem> {
        let embeds = self.embed.as_deref().map(|text| names(text, known)).transpose();
        let embeds = embeds.map_err(|unknown| Problem::parameter("embed", unknown.to_string()))?;
        Ok(Shown { only: None, embeds: embeds.unwrap_or_default() })
    }

    /// The same where nothing can be embedded, whatever the query says.
    pub(crate) fn names(&self, known: &'static [&'static str]) -> Result<Shown, Problem> {
        let only = self.fields.as_deref().map(|text| names(text, known)).transpose();
        let only = only.map_err(|unknown| Problem::parameter("fields", unknown.to_string()))?;
        Ok(Shown { only, embeds: Vec::new() })
    }
}

fn unfit(unfit: Unfit) -> Problem {
    match unfit {
        Unfit::Filter(why) => Problem::bad_request(format!("`q` cannot be read: {why}.")),
        Unfit::Field(why) => Problem::parameter("q", why),
        Unfit::Order(why) => Problem::parameter("sort_by", why),
    }
}

/// What a list is asked for.
pub(crate) struct Asked<F> {
    /// Which entries, in which order.
    pub(crate) listing: Listing<F>,
    /// What is shown of each.
    pub(crate) shown: Shown,
    mark: Mark,
}

impl<F> Asked<F> {
    /// The page of a list: of its entries what is shown, and where it goes on.
    pub(crate) fn page<T>(&self, leaf: &Leaf<T>, entries: impl IntoIterator<Item = Value>) -> PageBody {
        let written = |cursor: &Option<Cursor>| cursor.as_ref().map(|cursor| cursor.write(self.mark));
        PageBody {
            items: entries.into_iter().map(|entry| self.shown.of(entry)).collect(),
            next: written(&leaf.next),
            previous: written(&leaf.previous),
        }
    }
}

/// What is shown of an entry: all of its names unless some are named, and the relations that are wanted with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    only: Option<Vec<&'static str>>,
    embeds: Vec<&'static str>,
}

impl Shown {
    /// Whether that name is shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&name))
    }

    /// Whether that name was asked for by itself.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.only.as_ref().is_some_and(|only| only.contains(&name))
    }

    /// Whether that relation is wanted.
    pub(crate) fn embeds(&self, relation: &str) -> bool {
        self.embeds.contains(&relation)
    }

    /// Of an entry what is shown. Embedded relations stay: they were asked for by name.
    pub(crate) fn of(&self, entry: Value) -> Value {
        match (&self.only, entry) {
            (Some(only), Value::Object(members)) => Value::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| only.contains(&name.as_str()) || self.embeds(name))
                    .collect::<Map<_, _>>(),
            ),
            (_, entry) => entry,
        }
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub(crate) struct PageBody {
    items: Vec<Value>,
    next: Option<String>,
    previous: Option<String>,
}

impl PageBody {
    /// A list that is all there.
    pub(crate) fn whole(items: Vec<Value>) -> Self {
        Self { items, next: None, previous: None }
    }
}

impl IntoResponse for PageBody {
    fn into_response(self) -> Response {
        let Self { items, next, previous } = self;
        // Both pairs of names are in use among clients.
        Json(json!({
            "items": items, "first": null, "next": next, "previous": previous, "next_pq": next, "prev_pq": previous,
        }))
        .into_response()
    }
}
