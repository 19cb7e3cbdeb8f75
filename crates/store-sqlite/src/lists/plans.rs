//! By which index lists find their entries, and that a page in the order of time needs nothing put in order.

use domain::filter::{Cursor, Direction, Expr, Kind, Listing, Position, Sort, Value as Plain};
use domain::time::Timestamp;

use super::*;
use crate::plans::{database, plan};

const ORG: OrgId = OrgId(Uuid::nil());

fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

fn an_id() -> Plain {
    Plain::Id(Uuid::from_u128(7))
}

/// The first page, one further on and one back, newest and oldest first.
fn pages<F: Copy>(at: F, filter: Option<&Expr<F>>) -> Vec<Listing<F>> {
    let position = Position { keys: vec![Some(Plain::Time(Timestamp(7)))], id: Uuid::nil() };
    let cursor = |direction| Some(Cursor { position: position.clone(), direction });
    let mut pages = Vec::new();
    for descending in [true, false] {
        for from in [None, cursor(Direction::Forward), cursor(Direction::Backward)] {
            let sorts = vec![Sort { field: at, kind: Kind::Time, descending }];
            pages.push(Listing { filter: filter.cloned(), sorts, from, limit: 50 });
        }
    }
    pages
}

/// Both, as one condition with more that no index is for.
fn and<F>(one: Expr<F>, other: Expr<F>) -> Option<Expr<F>> {
    Some(Expr::And(vec![Expr::And(vec![one]), Expr::none_of(other)]))
}

/// Every page is found by so many searches of that index. Nothing is gone through, and nothing is put in order but what
/// several searches found.
fn by<F: Copy>(
    noun: &Noun<F>,
    at: F,
    filter: Option<Expr<F>>,
    ways: impl Fn(&Listing<F>) -> Vec<Way<F>>,
    index: &str,
    searches: usize,
) {
    let (_folder, conn) = database();
    for listing in pages(at, filter.as_ref()) {
        let sql = noun.query(&ways(&listing), &listing).sql;
        let plan = plan(&conn, &sql);
        let found = plan.iter().filter(|line| line.starts_with("SEARCH") && line.contains(index)).count();
        assert_eq!(found, searches, "{index}: {sql}\n{plan:#?}");
        let gone_through = |line: &&String| {
            line.starts_with("SCAN") && !line.starts_with("SCAN (subquery") && !line.contains("VIRTUAL TABLE")
        };
        assert_eq!(plan.iter().find(gone_through), None, "{sql}\n{plan:#?}");
        let orders = plan.iter().filter(|line| line.contains("FOR ORDER BY")).count();
        assert_eq!(orders, usize::from(searches > 1), "{sql}\n{plan:#?}");
    }
}

#[test]
fn runs() {
    use RunField::{Batch, Charged, CreatedAt, Id, InputName, Reference, Status, Workflow};
    let noun = super::runs::noun();
    let by = |filter, index, searches| {
        by(&noun, CreatedAt, filter, |listing| super::runs::ways(&noun, ORG, listing), index, searches);
    };
    let cost = || Expr::is(Charged, Plain::Number(1.into()));
    by(None, "INDEX runs_of_org (org=?", 1);
    by(Some(cost()), "INDEX runs_of_org (org=?", 1);
    let since = Expr::Compare { field: CreatedAt, test: Test::Is(Relation::Gt, Plain::Time(Timestamp(1))) };
    by(Some(since.clone()), "INDEX runs_of_org (org=? AND ", 1);
    by(and(Expr::is(Id, an_id()), cost()), "(id=?)", 1);
    let labelled = "INDEX labels_by_value (org=? AND key=? AND value=?";
    by(and(Expr::is(Reference, text("a")), cost()), labelled, 1);
    by(Some(Expr::is_among(Reference, vec![text("a"), text("b")])), labelled, 2);
    by(and(Expr::is(Batch, an_id()), cost()), "INDEX runs_of_batch (org=? AND batch=?", 1);
    by(and(Expr::is(InputName, text("a")), cost()), "INDEX runs_of_input (org=? AND input_name=?", 1);
    by(and(Expr::is(Workflow, an_id()), cost()), "INDEX runs_of_workflow (org=? AND workflow=?", 1);
    let in_status = "INDEX runs_in_status (org=? AND status=?";
    by(and(Expr::is(Status, text("succeeded")), cost()), in_status, 1);
    by(and(Expr::is_among(Status, vec![text("running"), text("in_review")]), cost()), in_status, 2);
    let both = |status: &str| Expr::And(vec![Expr::is(Status, text(status)), Expr::is(Workflow, an_id())]);
    by(Some(both("failed")), in_status, 1);
    by(Some(both("succeeded")), "INDEX runs_of_workflow (org=? AND workflow=?", 1);
    // What may be met otherwise finds nothing by itself.
    by(Some(Expr::Or(vec![Expr::is(Reference, text("a")), since])), "INDEX runs_of_org (org=?", 1);
    by(Some(Expr::none_of(Expr::is(Reference, text("a")))), "INDEX runs_of_org (org=?", 1);
}

#[test]
fn many_runs_are_looked_up_one_by_one() {
    let (_folder, conn) = database();
    let noun = super::runs::noun();
    let ids = (0..100).map(|_| an_id()).collect();
    for listing in pages(RunField::CreatedAt, Some(&Expr::is_among(RunField::Id, ids))) {
        let sql = noun.query(&super::runs::ways(&noun, ORG, &listing), &listing).sql;
        let plan = plan(&conn, &sql);
        assert!(plan[0].starts_with("SEARCH r USING") && plan[0].contains("(id=?)"), "{plan:#?}");
    }
}

#[test]
fn many_references_are_looked_up_one_by_one() {
    let (_folder, conn) = database();
    let noun = super::runs::noun();
    let references = (0..100).map(|nth| text(&nth.to_string())).collect();
    for listing in pages(RunField::CreatedAt, Some(&Expr::is_among(RunField::Reference, references))) {
        let sql = noun.query(&super::runs::ways(&noun, ORG, &listing), &listing).sql;
        let plan = plan(&conn, &sql);
        assert!(plan[0].contains("labels_by_value (org=? AND key=? AND value=?)"), "{plan:#?}");
    }
}

#[test]
fn batches() {
    let noun = super::batches::noun();
    let by = |filter, index| {
        let ways = |listing: &_| super::batches::ways(&noun, ORG, listing);
        by(&noun, BatchField::CreatedAt, filter, ways, index, 1);
    };
    by(None, "INDEX batches_by_age (org=?");
    by(Some(Expr::is(BatchField::Status, text("running"))), "INDEX batches_by_age (org=?");
    by(Some(Expr::is(BatchField::Id, an_id())), "INDEX batches_by_handle (org=? AND handle=?)");
}

#[test]
fn evaluations() {
    let noun = super::evaluations::noun();
    let by = |filter, index, searches| {
        let ways = |listing: &_| super::evaluations::ways(&noun, ORG, listing);
        by(&noun, EvaluationField::CreatedAt, filter, ways, index, searches);
    };
    by(None, "INDEX evaluations_of_org (org=?", 1);
    by(Some(Expr::is(EvaluationField::Run, an_id())), "INDEX evaluations_of_run (org=? AND run=?", 1);
    let two = Expr::is_among(EvaluationField::Run, vec![an_id(), Plain::Id(Uuid::nil())]);
    by(Some(two), "INDEX evaluations_of_run (org=? AND run=?", 2);
    let reference = Expr::is(EvaluationField::Reference, text("a"));
    by(Some(reference), "INDEX evaluations_by_ref (org=? AND client_ref=?", 1);
    by(Some(Expr::is(EvaluationField::Id, an_id())), "(id=?)", 1);
}

#[test]
fn the_library() {
    let (assets, folders) = (super::library::asset_noun(), super::library::folder_noun());
    let by_asset = |filter, index| {
        let ways = |listing: &_| super::library::asset_ways(&assets, ORG, listing);
        by(&assets, AssetField::CreatedAt, filter, ways, index, 1);
    };
    by_asset(None, "INDEX assets_of_org (org=?");
    by_asset(Some(Expr::is(AssetField::Folder, an_id())), "INDEX assets_in_folder (folder=?");
    by_asset(Some(Expr::is(AssetField::Id, an_id())), "PRIMARY KEY (id=?)");
    let by_folder = |filter, index| {
        let ways = |listing: &_| super::library::folder_ways(&folders, ORG, listing);
        by(&folders, FolderField::CreatedAt, filter, ways, index, 1);
    };
    by_folder(None, "INDEX folders_of_org (org=?");
    by_folder(Some(Expr::is(FolderField::Id, an_id())), "PRIMARY KEY (id=?)");
}

#[test]
fn subscriptions_and_secrets() {
    let (subscriptions, secrets) =
        (super::subscriptions::subscription_noun(), super::subscriptions::secret_noun());
    let ways = |_: &_| super::subscriptions::subscription_ways(&subscriptions, ORG);
    by(&subscriptions, SubscriptionField::CreatedAt, None, ways, "INDEX subscriptions_of_org (org=?", 1);
    let ways = |_: &_| super::subscriptions::secret_ways(&secrets, ORG);
    by(&secrets, SecretField::CreatedAt, None, ways, "INDEX callback_secrets_of_org (org=?", 1);
}

#[test]
fn deliveries() {
    let noun = super::deliveries::noun();
    let by = |of, filter, index, searches| {
        let ways = |listing: &_| super::deliveries::ways(&noun, ORG, of, listing);
        by(&noun, DeliveryField::CreatedAt, filter, ways, index, searches);
    };
    let one = Some(SubscriptionId(Uuid::nil()));
    let of_one = "INDEX deliveries_of_subscription (org=? AND subscription=?";
    let in_state = "INDEX deliveries_in_state (org=? AND state=?";
    let id = || Some(Expr::is(DeliveryField::Id, an_id()));
    let status = |names: &[&str]| {
        Some(Expr::is_among(DeliveryField::Status, names.iter().map(|name| text(name)).collect()))
    };
    by(None, None, "INDEX deliveries_of_subscriptions (org=?", 1);
    by(one, None, of_one, 1);
    by(None, Some(Expr::is(DeliveryField::Subscription, an_id())), of_one, 1);
    by(None, id(), "(id=?)", 1);
    by(one, id(), "(id=?)", 1);
    by(None, status(&["failed"]), in_state, 1);
    by(None, status(&["failed", "pending"]), in_state, 2);
    by(None, status(&["delivered"]), "INDEX deliveries_of_subscriptions (org=?", 1);
    by(one, status(&["failed"]), of_one, 1);
}

#[test]
fn attempts_of_one_delivery_and_callbacks_of_one_thing() {
    let (_folder, conn) = database();
    let noun = super::deliveries::attempt_noun();
    let id = Expr::is(AttemptField::Id, an_id());
    for (delivery, filter, index) in [
        (Some(DeliveryId(Uuid::nil())), None, "(id=?)"),
        (None, Some(&id), "(id>? AND id<?)"),
        (None, None, "INDEX deliveries_of_subscriptions (org=?"),
    ] {
        for listing in pages(AttemptField::CreatedAt, filter) {
            let way = super::deliveries::attempt_way(&noun, ORG, delivery, &listing);
            let plan = plan(&conn, &noun.query(&[way], &listing).sql);
            assert!(plan[0].starts_with("SEARCH d USING") && plan[0].contains(index), "{plan:#?}");
            assert!(plan[1].starts_with("SEARCH a USING PRIMARY KEY (delivery=?"), "{plan:#?}");
        }
    }
    for from in [super::deliveries::CALLBACKS_OF_RUN, super::deliveries::CALLBACKS_OF_BATCH] {
        let sql = format!("SELECT d.id FROM {from} AND d.org = ?2 ORDER BY d.at, d.id");
        let plan = plan(&conn, &sql);
        assert!(plan.len() == 1 && plan[0].starts_with("SEARCH d USING INDEX deliveries_of_"), "{plan:#?}");
    }
}

#[test]
fn logs() {
    let noun = super::logs::noun();
    let by = |of, filter, index, searches| {
        let ways = |listing: &_| super::logs::ways(&noun, ORG, of, listing);
        by(&noun, LogField::At, filter, ways, index, searches);
    };
    by(None, None, "INDEX run_logs_of_org (org=?", 1);
    by(Some(RunId(Uuid::nil())), None, "INDEX run_logs_of_run (run=?", 1);
    by(None, Some(Expr::is(LogField::Run, an_id())), "INDEX run_logs_of_run (run=?", 1);
    by(None, Some(Expr::is(LogField::Id, an_id())), "PRIMARY KEY (id=?)", 1);
}

/// The steps of one run are put in order, as many as they are, and no more.
#[test]
fn steps() {
    let noun = super::steps::noun();
    let by = |of, filter: Option<Expr<StepField>>, index: &str| {
        let ways = |listing: &_| vec![super::steps::way(&noun, ORG, of, listing)];
        let (_folder, conn) = database();
        for listing in pages(StepField::CreatedAt, filter.as_ref()) {
            let plan = plan(&conn, &noun.query(&ways(&listing), &listing).sql);
            assert!(plan[0].starts_with("SEARCH r USING") && plan[0].contains(index), "{index} {plan:#?}");
            assert!(plan[1].starts_with("SCAN s VIRTUAL TABLE"), "{plan:#?}");
            if index.contains("runs_done") {
                assert_eq!(plan[2], "USE TEMP B-TREE FOR LAST TERM OF ORDER BY", "{plan:#?}");
                let further = listing.from.is_none() || plan[0].contains("finished_at");
                assert!(further, "{plan:#?}");
            }
        }
    };
    by(None, None, "INDEX runs_done (org=?");
    by(Some(RunId(Uuid::nil())), None, "(id=?)");
    by(None, Some(Expr::is(StepField::Run, an_id())), "(id=?)");
    by(None, Some(Expr::is(StepField::Id, an_id())), "(id>? AND id<?)");
}
