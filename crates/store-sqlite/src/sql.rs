//! Short forms over rusqlite: cached statements, and errors in the store's words.

use rusqlite::{Connection, OptionalExtension, Params, Row};
use store::StoreError;

use crate::error::store_error;
use crate::rows::number;

/// Short forms over a connection, inside whatever transaction it is in.
pub(crate) trait Sql {
    /// Runs a statement; answers how many rows it changed.
    fn exec(&self, sql: &str, params: impl Params) -> Result<usize, StoreError>;

    /// The first row, if there is one.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError>;

    /// The number that a counting query gives.
    fn count(&self, sql: &str, params: impl Params) -> Result<u64, StoreError> {
        Ok(self.one(sql, params, |row| number(row, 0))?.unwrap_or(0))
    }

    /// Every row.
    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError>;

    /// Every row of a query whose text is not asked again: it takes no place among the cached statements.
    fn all_once<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError>;
}

impl Sql for Connection {
    fn exec(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).map_err(store_error)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(store_error)
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, read)?.collect())
            .map_err(store_error)
    }

    fn all_once<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.prepare(sql)
            .and_then(|mut statement| statement.query_map(params, read)?.collect())
            .map_err(store_error)
    }
}
