//! Pages of lists, from cursor to cursor. A cursor is where the next page begins; it belongs to the list that gave it.

use std::str::FromStr;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::filter::{self, Cursor, Fields, Leaf, Mark};
use domain::page::{Page, Window};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::problem::{Fault, Problem};
use crate::form::Pairs;
use crate::listing::{Unfit, narrowed};
use crate::paths::Received;

/// The usual order of lists.
const NEWEST: &str = "created_at:desc";
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;
/// What stands for itself in a query (RFC 3986, section 2.3).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Part of a list.
#[derive(Serialize, ToSchema)]
#[schema(as = Page)]
pub(crate) struct PageView<T> {
    /// The entries.
    items: Vec<T>,
    /// Where the next page begins: give it as `cursor`. Null on the last page.
    next_cursor: Option<String>,
}

/// A page with the address of the next one.
pub(crate) struct Listing<T> {
    page: PageView<T>,
    next: Option<String>,
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.page).into_response();
        let link = self.next.and_then(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")).ok());
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// At the start.
    Start,
    /// After so many entries; for lists that only grow at their end.
    Offset(u64),
    /// After the entry of that name; for lists that grow at their start.
    After(String),
}

/// Which part of which list a request asks for.
#[derive(Debug)]
pub(crate) struct Paging {
    limit: u32,
    /// Tells lists apart.
    mark: u32,
    path: String,
    query: Pairs,
}

impl Paging {
    fn read(path: String, query: Pairs) -> Result<Self, Problem> {
        let limit = match query.get("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => match text.parse() {
                Ok(limit @ 1..=LIMIT_MAX) => limit,
                _ => {
                    let start: String = text.chars().take(40).collect();
                    let detail = format!("`limit` is `{start}`; give a whole number from 1 to {LIMIT_MAX}");
                    return Err(Problem::invalid(vec![Fault::parameter("limit", detail)]));
                }
            },
        };
        let mark = mark_of(&path, &query);
        Ok(Self { limit, mark, path, query })
    }

    /// Where the page begins, of a list that is not [narrowed](Self::narrowed).
    fn place(&self) -> Result<Place, Problem> {
        match self.query.get("cursor") {
            None => Ok(Place::Start),
            Some(cursor) => place_of(cursor, self.mark).ok_or_else(bad_cursor),
        }
    }

    /// The window of a list that only grows at its end.
    pub(crate) fn window(&self) -> Result<Window, Problem> {
        match self.place()? {
            Place::Start => Ok(Window { limit: self.limit, offset: 0 }),
            Place::Offset(offset) => Ok(Window { limit: self.limit, offset }),
            Place::After(_) => Err(bad_cursor()),
        }
    }

    /// The page that was asked for, of a list that only grows at its end.
    pub(crate) fn page<T, V>(self, page: Page<T>, view: impl FnMut(T) -> V) -> Result<Listing<V>, Problem> {
        let end = self.window()?.offset + page.entries.len() as u64;
        let next = (end < page.total && !page.entries.is_empty()).then_some(Place::Offset(end));
        Ok(self.listing(page.entries.into_iter().map(view).collect(), next))
    }

    /// The same, of a list that is all there.
    pub(crate) fn page_of<T, V>(
        self,
        all: impl ExactSizeIterator<Item = T>,
        view: impl FnMut(T) -> V,
    ) -> Result<Listing<V>, Problem> {
        let Window { limit, offset } = self.window()?;
        let total = all.len() as u64;
        let first = usize::try_from(offset).unwrap_or(usize::MAX);
        self.page(Page { entries: all.skip(first).take(limit as usize).collect(), total }, view)
    }

    /// What the query asks for in the filter language, if it does: `q` and `sort_by`. `others` are parameters that do not go with
    /// those.
    pub(crate) fn narrowed<S: Fields>(
        &self,
        fields: &S,
        others: &[&str],
    ) -> Result<Option<filter::Listing<S::Field>>, Problem> {
        if !is_narrowed(&self.query) {
            return Ok(None);
        }
        let given = self.query.iter().map(|(name, _)| name.split('[').next().unwrap_or(name));
        let faults: Vec<_> = given
            .filter(|name| others.contains(name))
            .map(|name| {
                Fault::parameter(name, format!("`{name}` does not go with `q` and `sort_by`; say it in `q`"))
            })
            .collect();
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        let wrong = |name: &str, why: String| Problem::invalid(vec![Fault::parameter(name, why)]);
        let listing =
            narrowed(self.query.get("q"), self.order(), fields, self.limit).map_err(|unfit| match unfit {
                Unfit::Filter(why) | Unfit::Field(why) => wrong("q", why),
                Unfit::Order(why) => wrong("sort_by", why),
            })?;
        let read = |text| {
            Cursor::read(text, "cursor", self.filter_mark(), &listing.sorts)
                .map_err(|bad| wrong("cursor", bad.to_string()))
        };
        let from = self.query.get("cursor").map(read).transpose()?;
        Ok(Some(filter::Listing { from, ..listing }))
    }

    fn order(&self) -> &str {
        self.query.get("sort_by").unwrap_or(NEWEST)
    }

    fn filter_mark(&self) -> Mark {
        Mark::of([self.path.as_str(), self.query.get("q").unwrap_or_default(), self.order()])
    }

    /// The page of a list that was [narrowed](Self::narrowed).
    pub(crate) fn leaf<T, V>(self, leaf: Leaf<T>, view: impl FnMut(T) -> V) -> Listing<V> {
        let next_cursor = leaf.next.map(|cursor| cursor.write(self.filter_mark()));
        let next = next_cursor.as_ref().map(|cursor| self.address(cursor));
        Listing { page: PageView { items: leaf.entries.into_iter().map(view).collect(), next_cursor }, next }
    }

    /// How many entries fit.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// The page that was asked for, which ends where the list says.
    pub(crate) fn slice<V>(self, items: Vec<V>, next: Option<String>) -> Listing<V> {
        self.listing(items, next.map(Place::After))
    }

    /// The page that was asked for, of a list that is all there and grows at its start.
    pub(crate) fn page_of_newest<T, V>(
        self,
        all: Vec<T>,
        id: impl Fn(&T) -> String,
        view: impl FnMut(T) -> V,
    ) -> Result<Listing<V>, Problem> {
        let first = match self.after::<String>()? {
            None => 0,
            // After one that is gone there is nothing to be found.
            Some(after) => all.iter().position(|it| id(it) == after).map_or(all.len(), |at| at + 1),
        };
        let part = all.into_iter().skip(first).take(self.ask() as usize).collect();
        Ok(self.part(part, id, view))
    }

    /// How many entries to ask for: one more than fit, to know whether there are more.
    pub(crate) fn ask(&self) -> u32 {
        self.limit + 1
    }

    /// The entry after which the page begins.
    pub(crate) fn after<Id: FromStr>(&self) -> Result<Option<Id>, Problem> {
        match self.place()? {
            Place::Start => Ok(None),
            Place::After(id) => id.parse().map(Some).map_err(|_| bad_cursor()),
            Place::Offset(_) => Err(bad_cursor()),
        }
    }

    /// The page that was asked for, of entries that came [one more](Self::ask) than fit if there are more.
    pub(crate) fn part<T, V>(
        self,
        mut entries: Vec<T>,
        id: impl Fn(&T) -> String,
        view: impl FnMut(T) -> V,
    ) -> Listing<V> {
        let has_more = entries.len() > self.limit as usize;
        entries.truncate(self.limit as usize);
        let next = entries.last().filter(|_| has_more).map(|last| Place::After(id(last)));
        self.listing(entries.into_iter().map(view).collect(), next)
    }

    fn listing<V>(self, items: Vec<V>, next: Option<Place>) -> Listing<V> {
        let next_cursor = next.map(|place| cursor_of(&place, self.mark));
        let next = next_cursor.as_ref().map(|cursor| self.address(cursor));
        Listing { page: PageView { items, next_cursor }, next }
    }

    /// The address of the same list from that cursor on.
    fn address(&self, cursor: &str) -> String {
        let mut address = format!("{}?", self.path);
        for (name, value) in self.query.iter().filter(|(name, _)| *name != "cursor") {
            let (name, value) = (utf8_percent_encode(name, VALUE), utf8_percent_encode(value, VALUE));
            address.push_str(&format!("{name}={value}&"));
        }
        address + "cursor=" + cursor
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let path = parts.extensions.get::<Received>().map_or_else(String::new, |it| it.path.clone());
        Self::read(path, Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

/// Whether a query narrows or orders a list in the filter language.
fn is_narrowed(query: &Pairs) -> bool {
    query.get("q").is_some() || query.get("sort_by").is_some()
}

fn bad_cursor() -> Problem {
    let detail = "`cursor` was not given by this list; begin without one";
    Problem::invalid(vec![Fault::parameter("cursor", detail)])
}

/// FNV-1a of what makes a list what it is: its path and everything in the query but the page.
fn mark_of(path: &str, query: &Pairs) -> u32 {
    let filters = query.iter().filter(|(name, _)| !["cursor", "limit"].contains(name));
    let parts = std::iter::once(path).chain(filters.flat_map(|(name, value)| [name, value]));
    let bytes = parts.flat_map(|part| part.bytes().chain([0xFF]));
    bytes.fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn cursor_of(place: &Place, mark: u32) -> String {
    let text = match place {
        Place::Start => format!("{mark:08x}s"),
        Place::Offset(offset) => format!("{mark:08x}o{offset}"),
        Place::After(id) => format!("{mark:08x}a{id}"),
    };
    URL_SAFE_NO_PAD.encode(text)
}

fn place_of(cursor: &str, mark: u32) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let rest = text.strip_prefix(&format!("{mark:08x}"))?;
    let (kind, rest) = rest.split_at_checked(1)?;
    match kind {
        "s" if rest.is_empty() => Some(Place::Start),
        // A place that no list reaches is nobody's.
        "o" => rest.parse().ok().filter(|offset| i64::try_from(*offset).is_ok()).map(Place::Offset),
        "a" => Some(Place::After(rest.to_owned())),
        _ => None,
    }
}

/// For the document: which part of a list is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct PageParams {
    /// Entries on the page: 50 unless told, 1 to 200.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// For the document: which entries are meant, in the filter language.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct FilterParams {
    /// A filter over the fields that this list has for it, such as `created_at>2026-04-01 AND charged.gte:20`; with `AND`, `OR`, `NOT`, parentheses, and the operators `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `like`, `in`, `isnull`.
    q: Option<String>,
    /// Fields to order by, each with `:asc` or `:desc`: `status:asc,created_at:desc`. Newest first unless told.
    sort_by: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paging(query: &str) -> Result<Paging, Problem> {
        Paging::read("/list".to_owned(), Pairs::parse(query.as_bytes()))
    }

    #[test]
    fn a_list_is_walked_from_cursor_to_cursor() {
        let mut seen = Vec::new();
        let mut query = "limit=3&status=a%26b".to_owned();
        loop {
            let listing = paging(&query).expect("good").page_of(0..8, |n| n).expect("a page");
            seen.extend(listing.page.items);
            let Some(next) = listing.next else { break };
            query = next.strip_prefix("/list?").expect("the same list").to_owned();
            assert!(query.starts_with("limit=3&status=a%26b&cursor="), "{query}");
        }
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_last_page_is_the_last() {
        let listing = paging("limit=4").expect("good").page_of(0..4, |n| n).expect("a page");
        assert_eq!(listing.page.next_cursor, None);
        let part = paging("limit=2").expect("good").part(vec![9, 8], ToString::to_string, |n| n);
        assert_eq!(part.page.next_cursor, None);
        let part = paging("limit=2").expect("good").part(vec![9, 8, 7], ToString::to_string, |n| n);
        assert_eq!(part.page.items, [9, 8]);
        let cursor = part.page.next_cursor.expect("more");
        let next = paging(&format!("limit=2&cursor={cursor}")).expect("good");
        assert_eq!(next.after::<u32>().expect("an id"), Some(8));
        assert!(next.window().is_err());
    }

    #[test]
    fn limits_out_of_range_are_refused() {
        for limit in ["0", "201", "-1", "ten", "99999999999"] {
            assert!(paging(&format!("limit={limit}")).is_err(), "{limit}");
        }
        assert_eq!(paging("").expect("good").limit, 50);
        assert_eq!(paging("limit=200").expect("good").limit, 200);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let part = paging("limit=1&status=a").expect("good").part(vec![2, 1], ToString::to_string, |n| n);
        let cursor = part.page.next_cursor.expect("more");
        let place = |query: &str| paging(&format!("{query}&cursor={cursor}")).expect("good").place();
        assert!(place("status=a&limit=7").is_ok());
        assert!(place("status=b").is_err());
        // A parameter that the list passes over makes it another list, which is walked as well.
        assert!(place("status=a&q=b").is_err());
    }

    proptest! {
        #[test]
        fn no_cursor_breaks_it(cursor in "[A-Za-z0-9_=-]{1,40}") {
            let found = paging(&format!("cursor={cursor}")).expect("a limit").place();
            prop_assert!(found.is_err(), "{:?}", found);
        }

        #[test]
        fn every_place_leads_back(offset in 0..i64::MAX as u64, id in "[^\u{0}]{0,20}") {
            for place in [Place::Offset(offset), Place::After(id.clone())] {
                prop_assert_eq!(place_of(&cursor_of(&place, 7), 7), Some(place));
            }
        }
    }
}
