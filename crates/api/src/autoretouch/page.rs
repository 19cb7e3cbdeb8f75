//! Pages of lists.

use domain::page::{Page, Window};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::form::Pairs;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 500;

/// A page: exactly two members.
#[derive(Serialize, ToSchema)]
pub(crate) struct PageView<T> {
    /// The entries.
    entries: Vec<T>,
    /// Entries there are in all.
    total: u64,
}

impl<T> PageView<T> {
    pub(crate) fn of<D>(page: Page<D>, view: impl FnMut(D) -> T) -> Self {
        Self { entries: page.entries.into_iter().map(view).collect(), total: page.total }
    }
}

/// The window a query asks for. What is out of range is brought into it, and what is no number is not looked at.
pub(crate) fn window_of(query: &Pairs) -> Window {
    let number = |name| query.get(name).and_then(|text| text.trim().parse::<i64>().ok());
    let limit = number("limit").unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let offset = number("offset").unwrap_or(0).max(0);
    Window { limit: limit.unsigned_abs() as u32, offset: offset.unsigned_abs() }
}

/// For the document: which part of a list is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct PageParams {
    /// Entries on the page: 50 unless told, 1 to 500.
    limit: Option<u32>,
    /// Entries to pass over first.
    offset: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_brought_into_range() {
        let window = |query: &str| {
            let window = window_of(&Pairs::parse(query.as_bytes()));
            (window.limit, window.offset)
        };
        assert_eq!(window(""), (50, 0));
        assert_eq!(window("limit=7&offset=3"), (7, 3));
        assert_eq!(window("limit=0&offset=-3"), (1, 0));
        assert_eq!(window("limit=100000&offset=abc"), (500, 0));
        assert_eq!(window("limit=-5"), (1, 0));
        assert_eq!(window("limit=99999999999999999999"), (50, 0));
    }
}
