//! Lists with a filter, an order and cursors: for each noun the columns of its fields, and by which index its entries are
//! found.
//!
//! Which index that is is said, not left to be guessed. What a filter asks for in any case, beside whatever else, is looked
//! up where there is an index for it that is in the order of time; everything else is held against one row after the other.

mod batches;
mod deliveries;
mod evaluations;
mod library;
mod logs;
mod runs;
mod steps;
mod subscriptions;

use async_trait::async_trait;
use domain::asset::{Asset, Folder};
use domain::batch::Batch;
use domain::delivery::{About, Attempt, Delivery};
use domain::evaluation::Evaluation;
use domain::filter::{self, Expr, Leaf, Listing, Relation, Test};
use domain::id::{DeliveryId, OrgId, RunId, SubscriptionId};
use domain::log::LogLine;
use domain::run::Run;
use domain::subscription::{CallbackSecret, Subscription};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use store::{
    AssetField, AttemptField, BatchField, DeliveryField, EvaluationField, FolderField, Listed, ListedAttempt,
    ListedStep, Lists, LogField, RunField, SecretField, StepField, StoreError, SubscriptionField,
};
use uuid::Uuid;

use crate::database::Sqlite;
use crate::filter::{Column, Fragment, Kept, tail};
use crate::sql::Sql;

/// Ways that are walked side by side for one page, at most.
const WAYS: usize = 8;

/// What a noun's entries are read out of.
struct Noun<F> {
    /// The columns its reader reads.
    columns: String,
    /// Its table with the name it goes by, where all of its fields and its id are found.
    table: &'static str,
    /// The column that tells entries apart.
    id: &'static str,
    /// Where its fields are found.
    column: fn(&F) -> Column,
}

/// Entries that one walk along one index finds.
struct Way<F> {
    /// What follows `FROM`, to the end of a condition.
    from: Fragment,
    /// The column that tells entries apart, as this index has it.
    id: &'static str,
    /// Where the noun's fields are found on this way.
    column: fn(&F) -> Column,
}

impl<F> Noun<F> {
    /// The way through what `from` says.
    fn way(&self, from: &str, params: impl IntoIterator<Item = Value>) -> Way<F> {
        Way { from: fragment(from, params), id: self.id, column: self.column }
    }

    /// One way for each of the values.
    fn ways(
        &self,
        values: Vec<Value>,
        from: &str,
        params: impl IntoIterator<Item = Value> + Clone,
    ) -> Vec<Way<F>> {
        values.into_iter().map(|value| self.way(from, params.clone().into_iter().chain([value]))).collect()
    }

    /// The query of a page: what these ways find together. They may have rows in common.
    fn query(&self, ways: &[Way<F>], listing: &Listing<F>) -> Fragment
    where
        F: Clone,
    {
        if let [way] = ways {
            let mut query = fragment(&format!("SELECT {} FROM ", self.columns), []);
            append(&mut query, &way.from);
            append(&mut query, &tail(listing, way.id, &way.column));
            return query;
        }
        // Each way gives as many as a page has at most, so that what is put in order is never much more than that.
        let begin = format!("SELECT {} FROM {} WHERE {} IN (", self.columns, self.table, self.id);
        let mut query = fragment(&begin, []);
        for (nth, way) in ways.iter().enumerate() {
            if nth > 0 {
                query.sql.push_str(" UNION ALL ");
            }
            query.sql.push_str(&format!("SELECT * FROM (SELECT {} FROM ", way.id));
            append(&mut query, &way.from);
            append(&mut query, &tail(listing, way.id, &way.column));
            query.sql.push(')');
        }
        query.sql.push(')');
        let rest = Listing { filter: None, ..listing.clone() };
        append(&mut query, &tail(&rest, self.id, &self.column));
        query
    }

    fn page<T: Listed<Field = F>>(
        &self,
        conn: &Connection,
        ways: &[Way<F>],
        listing: &Listing<F>,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Leaf<T>, StoreError>
    where
        F: Copy,
    {
        let query = self.query(ways, listing);
        let found = conn.all_once(&query.sql, params_from_iter(&query.params), read)?;
        Ok(listing.leaf(found, |entry| listing.position(entry.list_id(), &|field| entry.value(*field))))
    }
}

fn fragment(sql: &str, params: impl IntoIterator<Item = Value>) -> Fragment {
    Fragment { sql: sql.to_owned(), params: params.into_iter().collect() }
}

fn append(to: &mut Fragment, more: &Fragment) {
    to.sql.push_str(&more.sql);
    to.params.extend_from_slice(&more.params);
}

fn blob(id: Uuid) -> Value {
    Value::Blob(id.as_bytes().to_vec())
}

/// The values of which a field must have one for the filter to be met, whatever else it asks; none if it says nothing of that
/// kind, or names too many to walk as many ways.
fn required<F: PartialEq>(listing: &Listing<F>, field: &F) -> Option<Vec<Value>> {
    among(listing.filter.as_ref()?, field).filter(|values| (1..=WAYS).contains(&values.len()))
}

/// The same, however many there are.
fn among<F: PartialEq>(filter: &Expr<F>, field: &F) -> Option<Vec<Value>> {
    match filter {
        Expr::And(parts) => parts.iter().filter_map(|part| among(part, field)).min_by_key(Vec::len),
        Expr::Compare { field: of, test: Test::Is(Relation::Eq, value) } if of == field => {
            Some(kept([value]))
        }
        Expr::Compare { field: of, test: Test::In(values) } if of == field => Some(kept(values)),
        Expr::Or(_) | Expr::Not(_) | Expr::Compare { .. } => None,
    }
}

fn kept<'a>(values: impl IntoIterator<Item = &'a filter::Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        let value = match value {
            filter::Value::Text(text) => Value::Text(text.clone()),
            filter::Value::Id(id) => blob(*id),
            // Nothing is looked up by these.
            filter::Value::Number(_) | filter::Value::Time(_) | filter::Value::Bool(_) => continue,
        };
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// The one value that a field must have.
fn the_one<F: PartialEq>(listing: &Listing<F>, field: &F) -> Option<Value> {
    let mut values = required(listing, field)?;
    values.pop().filter(|_| values.is_empty())
}

const fn always(sql: &'static str, kept: Kept) -> Column {
    Column { sql, kept, may_miss: false }
}

const fn maybe(sql: &'static str, kept: Kept) -> Column {
    Column { sql, kept, may_miss: true }
}

/// A count.
const WHOLE: Kept = Kept::Number { places: 0 };

#[async_trait]
impl Lists for Sqlite {
    async fn list_runs(&self, org: OrgId, listing: &Listing<RunField>) -> Result<Leaf<Run>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| runs::list(conn, org, &listing)).await
    }

    async fn list_batches(
        &self,
        org: OrgId,
        listing: &Listing<BatchField>,
    ) -> Result<Leaf<Batch>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| batches::list(conn, org, &listing)).await
    }

    async fn list_evaluations(
        &self,
        org: OrgId,
        listing: &Listing<EvaluationField>,
    ) -> Result<Leaf<Evaluation>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| evaluations::list(conn, org, &listing)).await
    }

    async fn list_assets(
        &self,
        org: OrgId,
        listing: &Listing<AssetField>,
    ) -> Result<Leaf<Asset>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| library::assets(conn, org, &listing)).await
    }

    async fn list_folders(
        &self,
        org: OrgId,
        listing: &Listing<FolderField>,
    ) -> Result<Leaf<Folder>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| library::folders(conn, org, &listing)).await
    }

    async fn list_subscriptions(
        &self,
        org: OrgId,
        listing: &Listing<SubscriptionField>,
    ) -> Result<Leaf<Subscription>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| subscriptions::subscriptions(conn, org, &listing)).await
    }

    async fn list_secrets(
        &self,
        org: OrgId,
        listing: &Listing<SecretField>,
    ) -> Result<Leaf<CallbackSecret>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| subscriptions::secrets(conn, org, &listing)).await
    }

    async fn list_deliveries(
        &self,
        org: OrgId,
        subscription: Option<SubscriptionId>,
        listing: &Listing<DeliveryField>,
    ) -> Result<Leaf<Delivery>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| deliveries::list(conn, org, subscription, &listing)).await
    }

    async fn list_attempts(
        &self,
        org: OrgId,
        delivery: Option<DeliveryId>,
        listing: &Listing<AttemptField>,
    ) -> Result<Leaf<ListedAttempt>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| deliveries::attempts(conn, org, delivery, &listing)).await
    }

    async fn list_logs(
        &self,
        org: OrgId,
        run: Option<RunId>,
        listing: &Listing<LogField>,
    ) -> Result<Leaf<LogLine>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| logs::list(conn, org, run, &listing)).await
    }

    async fn list_steps(
        &self,
        org: OrgId,
        run: Option<RunId>,
        listing: &Listing<StepField>,
    ) -> Result<Leaf<ListedStep>, StoreError> {
        let listing = listing.clone();
        self.read(move |conn| steps::list(conn, org, run, &listing)).await
    }

    async fn callbacks(&self, org: OrgId, about: About) -> Result<Vec<(Delivery, Vec<Attempt>)>, StoreError> {
        self.read(move |conn| deliveries::callbacks(conn, org, about)).await
    }
}

#[cfg(test)]
mod plans;
