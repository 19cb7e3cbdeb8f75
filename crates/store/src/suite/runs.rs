//! Behaviours of runs as their owners see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::id::{EntryId, OrgId, VersionId};
use domain::image::FileName;
use domain::ledger::Kind;
use domain::page::Window;
use domain::run::{Fault, RunFilter, State, Status};
use domain::time::Millis;
use serde_json::json;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{Tenant, World};
use crate::{Accepted, Retried, StoreError};

/// Every member, including what only the caller understands.
pub async fn a_run_reads_back_as_it_was_given(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.labels = BTreeMap::from([
        ("sku".to_owned(), "shoe \"01\" — ☂ \u{0} end".to_owned()),
        (String::new(), String::new()),
    ]);
    new.run.overrides = json!({ "export": { "quality": 71, "z": [1.5, null, "ü"], "a": { "deep": true } } });
    new.run.webhooks = vec!["https://example.test/a?b=c".to_owned()];
    new.run.input_name = FileName::clean("Schuh für Ünal.JPG");
    let accepted = world.store.accept(&new).await.unwrap();
    assert_eq!(accepted, Accepted { status: Status::Queued, created_at: world.now() });
    let mut expected = new.run.clone();
    (expected.created_at, expected.charged, expected.state) = (world.now(), 10, State::Queued);
    let read = world.run(&tenant, new.run.id).await;
    assert_eq!(read, expected);
    let keys: Vec<_> = read.overrides["export"].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["quality", "z", "a"], "in the order they were given");
}

/// Sixty-four times at once, and again later.
pub async fn accepting_charges_exactly_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 5).await;
    let new = world.new_run(&tenant);
    let mut accepting = JoinSet::new();
    for _ in 0..64 {
        let (store, new) = (Arc::clone(&world.store), new.clone());
        accepting.spawn(async move { store.accept(&new).await.unwrap() });
    }
    let answers = accepting.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(world.balance(&tenant).await, 40);
    let entries = world.store.entries(tenant.org, Window::default()).await.unwrap().entries;
    assert_eq!(entries.iter().filter(|entry| entry.kind == Kind::Charge).count(), 1);
    assert_eq!((entries[0].amount, entries[0].run, entries[0].id), (-10, Some(new.run.id), new.entry));
    assert_eq!(world.claim(64).await.len(), 1);
}

/// Whatever became of the run since: a client that lost the answer learns what it would have learnt.
pub async fn accepting_again_answers_the_same_for_ever(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let (paid, unpaid) = (world.new_run(&tenant), world.new_run(&tenant));
    let answers = (world.store.accept(&paid).await.unwrap(), world.store.accept(&unpaid).await.unwrap());
    assert_eq!((answers.0.status, answers.1.status), (Status::Queued, Status::Unpaid));
    world.clock.advance(Millis::seconds(60));
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
    world.store.grant(tenant.org, EntryId(world.id()), 10).await.unwrap();
    let retried =
        world.store.retry(&[tenant.org], unpaid.run.id, EntryId(world.id()), Millis(0)).await.unwrap();
    assert_eq!(retried, Retried::Queued);
    let again = (world.store.accept(&paid).await.unwrap(), world.store.accept(&unpaid).await.unwrap());
    assert_eq!(again, answers);
    assert_eq!(world.status(&tenant, paid.run.id).await, Status::Succeeded);
    assert_eq!(world.balance(&tenant).await, 0);
}

/// Nothing is charged, nothing is queued, and those who asked are told.
pub async fn a_run_beyond_the_balance_is_unpaid_and_told_of(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    world.accepted(&tenant).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks = vec!["https://example.test/1".to_owned(), "https://example.test/2".to_owned()];
    assert_eq!(world.store.accept(&new).await.unwrap().status, Status::Unpaid);
    let run = world.run(&tenant, new.run.id).await;
    assert_eq!((run.state, run.charged), (State::Unpaid, 0));
    assert_eq!(world.balance(&tenant).await, 0);
    assert_eq!(world.claim(5).await.len(), 1, "only the paid one");
    let told = world.store.outbox(tenant.org, new.run.id).await.unwrap();
    let expected: Vec<_> =
        new.run.webhooks.iter().map(|address| (new.event, address.clone(), Status::Unpaid)).collect();
    assert_eq!(told, expected);
}

/// Sixty-four at once with credits for ten: ten are paid.
pub async fn accepts_at_once_never_overdraw(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 10).await;
    let mut accepting = JoinSet::new();
    for _ in 0..64 {
        let (store, new) = (Arc::clone(&world.store), world.new_run(&tenant));
        accepting.spawn(async move { store.accept(&new).await.unwrap().status });
    }
    let statuses = accepting.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == Status::Queued).count(), 10);
    assert_eq!(statuses.iter().filter(|status| **status == Status::Unpaid).count(), 54);
    assert_eq!(world.balance(&tenant).await, 0);
    let entries = world.store.entries(tenant.org, Window { limit: 100, offset: 0 }).await.unwrap();
    assert_eq!(entries.total, 11);
    assert!(entries.entries.iter().all(|entry| entry.balance >= 0));
    assert_eq!(world.claim(64).await.len(), 10);
}

/// No entry, no refusal.
pub async fn a_free_run_needs_no_credits(make: impl Fn() -> Empty) {
    let (world, mut tenant) = World::founded(make(), 0).await;
    tenant.workflow = world.workflow(tenant.org, &tenant.user, "Free", 0);
    world.store.save_workflow(&tenant.workflow).await.unwrap();
    let run = world.accepted(&tenant).await;
    assert_eq!(world.store.entries(tenant.org, Window::default()).await.unwrap().total, 0);
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.failure(Fault::Input)).await;
    let retried = world.store.retry(&[tenant.org], run, EntryId(world.id()), Millis(0)).await.unwrap();
    assert_eq!(retried, Retried::Queued);
    assert_eq!(world.run(&tenant, run).await.charged, 0);
}

/// Nothing is filed for what does not exist.
pub async fn accepting_needs_an_organization_and_a_version(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 5).await;
    let mut homeless = world.new_run(&tenant);
    homeless.run.org = OrgId(world.id());
    let mut unversioned = world.new_run(&tenant);
    unversioned.run.version = VersionId(world.id());
    for new in [&homeless, &unversioned] {
        assert!(matches!(world.store.accept(new).await, Err(StoreError::Missing(_))));
        assert_eq!(world.store.run(&[new.run.org], new.run.id).await.unwrap(), None);
    }
    assert_eq!(world.balance(&tenant).await, 50);
    assert!(world.claim(5).await.is_empty());
}

async fn failed(world: &World, tenant: &Tenant) -> domain::id::RunId {
    let run = world.accepted(tenant).await;
    let claim = world.claim_one().await;
    assert_eq!(claim.run.id, run);
    world.settle(claim.token, &world.failure(Fault::Input)).await;
    assert_eq!(world.status(tenant, run).await, Status::Failed);
    run
}

/// What it was charged pays for every retry; its times and its attempts start anew.
pub async fn a_failed_run_is_tried_again_free_of_charge(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = failed(&world, &tenant).await;
    for _ in 0..2 {
        let delay = Millis::seconds(1);
        let retried = world.store.retry(&[tenant.org], run, EntryId(world.id()), delay).await.unwrap();
        assert_eq!(retried, Retried::Queued);
        let queued = world.run(&tenant, run).await;
        assert_eq!((queued.state, queued.charged), (State::Queued, 10));
        assert!(world.claim(5).await.is_empty(), "not before its delay");
        world.clock.advance(delay);
        let claim = world.claim_one().await;
        assert_eq!((claim.attempt, claim.crashes), (1, 0));
        world.settle(claim.token, &world.failure(Fault::Input)).await;
    }
    assert_eq!(world.balance(&tenant).await, 0);
    assert_eq!(world.store.entries(tenant.org, Window::default()).await.unwrap().total, 2);
}

/// Still unpaid while the balance is low; charged once when it is not.
pub async fn an_unpaid_run_is_charged_once_by_its_retry(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let new = world.new_run(&tenant);
    assert_eq!(world.store.accept(&new).await.unwrap().status, Status::Unpaid);
    let retry = || async {
        world.store.retry(&[tenant.org], new.run.id, EntryId(world.id()), Millis(0)).await.unwrap()
    };
    world.store.grant(tenant.org, EntryId(world.id()), 9).await.unwrap();
    assert_eq!(retry().await, Retried::StillUnpaid);
    assert_eq!(world.run(&tenant, new.run.id).await.state, State::Unpaid);
    world.store.grant(tenant.org, EntryId(world.id()), 6).await.unwrap();
    assert_eq!(retry().await, Retried::Queued);
    assert_eq!(world.balance(&tenant).await, 5);
    assert_eq!(world.run(&tenant, new.run.id).await.charged, 10);
    assert_eq!(retry().await, Retried::Refused(Status::Queued));
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.failure(Fault::Input)).await;
    assert_eq!(retry().await, Retried::Queued, "and from then on it is free");
    assert_eq!(world.balance(&tenant).await, 5);
}

/// Queued, running and succeeded runs, and runs there are not.
pub async fn other_statuses_refuse_a_retry(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = world.accepted(&tenant).await;
    let retry =
        |run| world.store.retry(std::slice::from_ref(&tenant.org), run, EntryId(world.id()), Millis(0));
    assert_eq!(retry(run).await.unwrap(), Retried::Refused(Status::Queued));
    let claim = world.claim_one().await;
    assert_eq!(retry(run).await.unwrap(), Retried::Refused(Status::Running));
    world.settle(claim.token, &world.success()).await;
    assert_eq!(retry(run).await.unwrap(), Retried::Refused(Status::Succeeded));
    assert_eq!(retry(domain::id::RunId(world.id())).await.unwrap(), Retried::Missing);
    assert_eq!(world.status(&tenant, run).await, Status::Succeeded);
    assert!(world.claim(5).await.is_empty());
}

/// Many hands on one button.
pub async fn retries_at_once_charge_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let new = world.new_run(&tenant);
    world.store.accept(&new).await.unwrap();
    world.store.grant(tenant.org, EntryId(world.id()), 100).await.unwrap();
    let mut retrying = JoinSet::new();
    for _ in 0..16 {
        let (store, entry, among, id) =
            (Arc::clone(&world.store), EntryId(world.id()), [tenant.org], new.run.id);
        retrying.spawn(async move { store.retry(&among, id, entry, Millis(0)).await.unwrap() });
    }
    let answers = retrying.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Retried::Queued).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Retried::Refused(Status::Queued)).count(), 15);
    assert_eq!(world.balance(&tenant).await, 90);
    assert_eq!(world.claim(5).await.len(), 1);
}

/// Each member of a filter alone, and several together.
pub async fn filters_find_what_they_name(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 5).await;
    let second = world.workflow(tenant.org, &tenant.user, "Second", 1000);
    world.store.save_workflow(&second).await.unwrap();
    let file = |name: &'static str, labels: &'static [(&str, &str)], elsewhere: bool| {
        let mut new = world.new_run(&tenant);
        new.run.input_name = FileName::clean(name);
        new.run.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if elsewhere {
            (new.run.workflow, new.run.version, new.run.price) = (second.id, second.version.id, 1000);
        }
        new
    };
    let news = [
        file("a.jpg", &[], false),
        file("a.jpg", &[("batch", "7"), ("sku", "x")], false),
        file("b.jpg", &[("batch", "7")], true),
        file("A.jpg", &[("batch", "77")], false),
    ];
    for new in &news {
        world.store.accept(new).await.unwrap();
        world.clock.advance(Millis(1));
    }
    let find = |filter: RunFilter| {
        let (store, news, org) = (&world.store, &news, tenant.org);
        async move {
            let page = store.runs(org, &filter, Window::default()).await.unwrap();
            assert_eq!(page.total, page.entries.len() as u64);
            let place = |id| news.iter().position(|new| new.run.id == id).expect("one of ours");
            page.entries.iter().map(|run| place(run.id)).collect::<Vec<_>>()
        }
    };
    let labels = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let all = RunFilter::default;
    assert_eq!(find(all()).await, [3, 2, 1, 0]);
    assert_eq!(find(RunFilter { workflow: Some(second.id), ..all() }).await, [2]);
    assert_eq!(find(RunFilter { statuses: vec![Status::Queued], ..all() }).await, [3, 1, 0]);
    assert_eq!(find(RunFilter { statuses: vec![Status::Unpaid], ..all() }).await, [2]);
    let open = vec![Status::Unpaid, Status::Queued, Status::Failed];
    assert_eq!(find(RunFilter { statuses: open, ..all() }).await, [3, 2, 1, 0]);
    assert_eq!(find(RunFilter { statuses: vec![Status::Failed], ..all() }).await, [0; 0]);
    assert_eq!(find(RunFilter { input_name: Some("a.jpg".to_owned()), ..all() }).await, [1, 0]);
    assert_eq!(find(RunFilter { labels: labels(&[("batch", "7")]), ..all() }).await, [2, 1]);
    assert_eq!(find(RunFilter { labels: labels(&[("batch", "7"), ("sku", "x")]), ..all() }).await, [1]);
    assert_eq!(find(RunFilter { labels: labels(&[("batch", "")]), ..all() }).await, [0; 0]);
    assert_eq!(find(RunFilter { without_labels: vec!["batch".to_owned()], ..all() }).await, [0]);
    let of_batches = ["autoretouch_batch_id", "autoretouch_batch_name", "autoretouch_batch_createdAt"];
    let of_batches = of_batches.map(str::to_owned).to_vec();
    assert_eq!(find(RunFilter { without_labels: of_batches.clone(), ..all() }).await, [3, 2, 1, 0]);
    let more = [of_batches.clone(), vec!["sku".to_owned()]].concat();
    assert_eq!(find(RunFilter { without_labels: more, ..all() }).await, [3, 2, 0]);
    let both = vec!["sku".to_owned(), "other".to_owned()];
    assert_eq!(find(RunFilter { without_labels: both.clone(), ..all() }).await, [3, 2, 0]);
    let mixed = RunFilter {
        labels: labels(&[("batch", "7")]),
        without_labels: both,
        statuses: vec![Status::Unpaid],
        workflow: Some(second.id),
        input_name: Some("b.jpg".to_owned()),
        batch: None,
    };
    assert_eq!(find(mixed.clone()).await, [2]);
    assert_eq!(find(RunFilter { input_name: Some("c.jpg".to_owned()), ..mixed }).await, [0; 0]);
    for key in &of_batches {
        // The name alone is enough, an empty id as well.
        let mut new = world.new_run(&tenant);
        new.run.labels.insert(key.clone(), String::new());
        world.store.accept(&new).await.unwrap();
        world.clock.advance(Millis(1));
    }
    let without = RunFilter { without_labels: of_batches, ..all() };
    assert_eq!(find(without.clone()).await, [3, 2, 1, 0]);
    let queued = vec![Status::Queued, Status::Succeeded];
    assert_eq!(find(RunFilter { statuses: queued, ..without }).await, [3, 1, 0]);
}

/// Ties go by id downwards, and pages neither repeat nor leave out.
pub async fn runs_are_listed_newest_first(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 12).await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(world.accepted(&tenant).await);
        if number % 4 == 3 {
            world.clock.advance(Millis(1));
        }
    }
    ids.reverse();
    for filter in
        [RunFilter::default(), RunFilter { workflow: Some(tenant.workflow.id), ..RunFilter::default() }]
    {
        let mut seen = Vec::new();
        for offset in [0, 5, 10, 15] {
            let page = world.store.runs(tenant.org, &filter, Window { limit: 5, offset }).await.unwrap();
            assert_eq!(page.total, 12);
            seen.extend(page.entries.iter().map(|run| run.id));
        }
        assert_eq!(seen, ids);
    }
}
