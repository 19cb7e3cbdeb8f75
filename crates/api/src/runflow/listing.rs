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

    /// What the store is asked for a noun's list; `usual` is its order unless the query has one.
    pub(crate) fn listing<S: Fields>(&self, fields: &S, usual: &str) -> Result<Listing<S::Field>, Problem> {
        let order = self.sort_by.as_deref().unwrap_or(usual);
        let listing = narrowed(self.q.as_deref(), order, fields, self.limit()?).map_err(unfit)?;
        let mark = self.mark(usual);
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
        Ok(Listing { from, ..listing })
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

    /// The names that the query wants of each entry; all of them unless it says.
    pub(crate) fn projection(&self, known: &'static [&'static str]) -> Result<Projection, Problem> {
        let only = self.fields.as_deref().map(|text| names(text, known)).transpose();
        let only = only.map_err(|unknown| Problem::parameter("fields", unknown.to_string()))?;
        Ok(Projection(only))
    }

    /// The relations that the query wants with each entry.
    pub(crate) fn embeds(&self, known: &'static [&'static str]) -> Result<Vec<&'static str>, Problem> {
        let embeds = self.embed.as_deref().map(|text| names(text, known)).transpose();
        Ok(embeds.map_err(|unknown| Problem::parameter("embed", unknown.to_string()))?.unwrap_or_default())
    }

    /// What cursors of this list are marked with, so that another list's are told apart.
    fn mark(&self, usual: &str) -> Mark {
        let order = self.sort_by.as_deref().unwrap_or(usual);
        Mark::of([self.list.as_str(), self.q.as_deref().unwrap_or_default(), order])
    }

    /// The page of a list: its entries as they are shown, and where it goes on.
    pub(crate) fn page<T>(&self, leaf: &Leaf<T>, usual: &str, items: Vec<Value>) -> PageBody {
        let mark = self.mark(usual);
        let written = |cursor: &Option<Cursor>| cursor.as_ref().map(|cursor| cursor.write(mark));
        PageBody { items, next: written(&leaf.next), previous: written(&leaf.previous) }
    }
}

fn unfit(unfit: Unfit) -> Problem {
    match unfit {
        Unfit::Filter(why) => Problem::bad_request(format!("`q` cannot be read: {why}.")),
        Unfit::Field(why) => Problem::parameter("q", why),
        Unfit::Order(why) => Problem::parameter("sort_by", why),
    }
}

/// Which names of an entry are shown: all of them, unless some are named.
#[derive(Clone, Debug, Default)]
pub(crate) struct Projection(Option<Vec<&'static str>>);

impl Projection {
    /// Whether that name is shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|only| only.contains(&name))
    }

    /// Whether that name was asked for by itself.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|only| only.contains(&name))
    }

    /// The entry with the names that are shown. Embedded relations stay: they were asked for by name.
    pub(crate) fn of(&self, entry: Value, embeds: &[&str]) -> Value {
        match (&self.0, entry) {
            (Some(only), Value::Object(members)) => Value::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| only.contains(&name.as_str()) || embeds.contains(&name.as_str()))
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
