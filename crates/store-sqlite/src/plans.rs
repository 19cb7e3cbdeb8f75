//! How the database finds what is asked most: by which index, and without going through whole tables.

use domain::delivery::{DeliveryFilter, DeliveryStatus};
use domain::id::{OrgId, RunId, WorkflowId};
use domain::page::Cursor;
use domain::run::{RunFilter, Status};
use domain::time::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use crate::deliveries::listing;
use crate::evaluations::LATEST;
use crate::library::{FILES, THESE_ASSETS};
use crate::runs::Selection;
use crate::schema;

pub(crate) fn database() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packshot.db");
    schema::prepare(&path).unwrap();
    (folder, schema::open(&path).unwrap())
}

/// What the database says that it does.
pub(crate) fn plan(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement =
        conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|error| panic!("{error} in {sql}"));
    // What the parameters are makes no difference to the plan.
    let mut rows = statement.raw_query();
    let mut plan = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plan.push(row.get(3).unwrap());
    }
    plan
}

/// Each of these has a part of its own, and nothing is gone through or put in order beside the named indexes.
fn by(conn: &Connection, sql: &str, index: &str, walks: usize, covering: bool) {
    let plan = plan(conn, sql);
    let wanted =
        if covering { format!("USING COVERING INDEX {index} (") } else { format!("INDEX {index} (") };
    let found = plan.iter().filter(|line| line.starts_with("SEARCH") && line.contains(&wanted)).count();
    assert_eq!(found, walks, "{wanted}: {sql}\n{plan:#?}");
    let whole = plan.iter().filter(|line| {
        ["runs", "r", "deliveries", "d", "labels", "receivers", "evaluations", "uploads", "subscriptions"]
            .iter()
            .any(|table| {
                line.starts_with(&format!("SCAN {table}")) && !line.contains("INDEX receivers_turns")
            })
    });
    assert_eq!(whole.count(), 0, "{sql}\n{plan:#?}");
}

fn ordered(conn: &Connection, sql: &str) {
    let plan = plan(conn, sql);
    assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{sql}\n{plan:#?}");
}

const ORG: OrgId = OrgId(Uuid::nil());

fn filter() -> RunFilter {
    RunFilter::default()
}

#[test]
fn runs_are_listed_and_counted_by_an_index() {
    let (_folder, conn) = database();
    let batch_labels = ["autoretouch_batch_id", "autoretouch_batch_name", "autoretouch_batch_createdAt"];
    let without_labels = batch_labels.map(str::to_owned).to_vec();
    let workflow = Some(WorkflowId(Uuid::nil()));
    let cases = [
        (filter(), "runs_of_org", true),
        (RunFilter { workflow, ..filter() }, "runs_of_workflow", true),
        (RunFilter { statuses: vec![Status::Succeeded], ..filter() }, "runs_in_status", true),
        (RunFilter { workflow, statuses: vec![Status::Succeeded], ..filter() }, "runs_of_workflow", false),
        (RunFilter { workflow, statuses: vec![Status::Failed], ..filter() }, "runs_in_status", false),
        (RunFilter { input_name: Some("a".to_owned()), ..filter() }, "runs_of_input", true),
        (RunFilter { batch: Some("a".to_owned()), ..filter() }, "runs_of_batch", true),
        (RunFilter { without_labels: without_labels.clone(), ..filter() }, "runs_without_batch", true),
        (
            RunFilter { labels: [("a".to_owned(), "b".to_owned())].into(), ..filter() },
            "labels_by_value",
            true,
        ),
    ];
    for (filter, index, covering) in cases {
        let selection = Selection::of(ORG, &filter);
        by(&conn, &selection.total(), index, 1, covering);
        by(&conn, &selection.list(), index, 1, false);
        ordered(&conn, &selection.list());
        let rest = selection.after(0, RunId(Uuid::nil()));
        by(&conn, &rest.list(), index, 1, false);
        ordered(&conn, &rest.list());
    }
}

#[test]
fn several_statuses_are_merged_out_of_one_index() {
    let (_folder, conn) = database();
    let statuses = vec![Status::Failed, Status::Cancelled, Status::Failed];
    let selection = Selection::of(ORG, &RunFilter { statuses, ..filter() });
    by(&conn, &selection.total(), "runs_in_status", 2, true);
    for selection in [selection.list(), selection.after(0, RunId(Uuid::nil())).list()] {
        by(&conn, &selection, "runs_in_status", 2, true);
        let plan = plan(&conn, &selection);
        assert!(plan.iter().any(|line| line.contains("MERGE (UNION ALL)")), "{plan:#?}");
        let sorts = plan.iter().filter(|line| line.contains("TEMP B-TREE")).count();
        assert!(sorts <= 1, "what is wanted alone may be put in order: {plan:#?}");
    }
}

#[test]
fn deliveries_are_listed_by_an_index() {
    let (_folder, conn) = database();
    let (run, status) = (Some(RunId(Uuid::nil())), Some(DeliveryStatus::Failed));
    let cases = [
        (DeliveryFilter::default(), "deliveries_of_org"),
        (DeliveryFilter { run, status: None }, "deliveries_of_run"),
        (DeliveryFilter { run: None, status }, "deliveries_in_state"),
        (DeliveryFilter { run, status }, "deliveries_of_run"),
    ];
    for (filter, index) in cases {
        for after in [None, Some(Cursor { at: Timestamp(0), id: Uuid::nil() })] {
            let (sql, _) = listing(ORG, &filter, 10, after);
            by(&conn, &sql, index, 1, false);
            ordered(&conn, &sql);
        }
    }
}

#[test]
fn turns_and_what_is_old_are_found_by_an_index() {
    let (_folder, conn) = database();
    let cases = [
        (crate::deliveries::NEXT_ORG, "receivers_in_turn"),
        (crate::deliveries::NEXT_RECEIVER, "receivers_in_turn"),
        (crate::deliveries::LINE_UP, "receivers_waiting"),
        (crate::deliveries::OLDEST, "deliveries_to_receiver"),
        (
            "SELECT due_at FROM deliveries WHERE state = 'pending' AND due_at > ?1 ORDER BY due_at LIMIT 1",
            "deliveries_due",
        ),
        (
            "SELECT org, receiver, due_at FROM deliveries
             WHERE state = 'pending' AND org = ?1 AND receiver = ?2 ORDER BY due_at LIMIT 1",
            "deliveries_to_receiver",
        ),
        (
            "SELECT id FROM deliveries WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at, id LIMIT ?2",
            "deliveries_ended",
        ),
    ];
    for (sql, index) in cases {
        by(&conn, sql, index, 1, false);
    }
    let last = plan(&conn, crate::deliveries::LAST_TURN);
    assert!(last.iter().all(|line| line.contains("receivers_turns")), "{last:?}");
}

#[test]
fn evaluations_are_claimed_by_an_index() {
    let (_folder, conn) = database();
    let turns = crate::evaluations::IN_TURN;
    let cases = [
        (turns.anything, "evaluations_due"),
        (turns.next, "evaluations_due_of_org"),
        (turns.is_due, "evaluations_due_of_org"),
        (crate::evaluations::DUE, "evaluations_due_of_org"),
        (crate::evaluations::LEASED, "sqlite_autoindex_evaluations_2"),
    ];
    for (sql, index) in cases {
        by(&conn, sql, index, 1, false);
        ordered(&conn, sql);
    }
}

#[test]
fn what_asks_for_an_event_and_what_came_to_nothing_is_found_by_an_index() {
    let (_folder, conn) = database();
    let cases = [
        (crate::deliveries::SUBSCRIBED, "subscriptions_of_org"),
        (crate::deliveries::NOT_SENT, "deliveries_of_subscription"),
        (crate::library::STALE, "uploads_by_age"),
    ];
    for (sql, index) in cases {
        by(&conn, sql, index, 1, false);
    }
}

#[test]
fn what_a_page_refers_to_is_looked_up_one_by_one() {
    let (_folder, conn) = database();
    let by_id = |sql: &str, indexes: &[&str]| {
        let plan = plan(&conn, sql);
        for index in indexes {
            assert!(
                plan.iter().any(|line| line.starts_with("SEARCH") && line.contains(index)),
                "{index}: {plan:#?}"
            );
        }
        for table in ["assets", "a", "images", "i", "evaluations", "e"] {
            assert!(!plan.iter().any(|line| *line == format!("SCAN {table}")), "{plan:#?}");
        }
    };
    by_id(&format!("SELECT id FROM assets WHERE {THESE_ASSETS}"), &["(id=?)"]);
    by_id(FILES, &["PRIMARY KEY (org=? AND hash=?)", "assets_by_hash (org=? AND hash=?)"]);
    by_id(
        &format!("SELECT created_at FROM evaluations WHERE {LATEST}"),
        &["(id=?)", "evaluations_of_run (org=? AND run=?)"],
    );
}
