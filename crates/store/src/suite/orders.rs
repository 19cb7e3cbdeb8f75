//! Batches, the check by people, feedback, the feed, and requests that may be repeated.

use std::sync::Arc;

use domain::batch::{BatchRef, BatchState};
use domain::id::{EntryId, EventId, OrgId, RunId, UserId, VersionId};
use domain::page::Window;
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::review::Verdict;
use domain::run::{Fault, Feedback, RunFilter, State, Status};
use domain::time::{Millis, Timestamp};
use serde_json::json;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{PRICE, Tenant, World};
use crate::{ANSWERS_KEPT, Judged, Judgement, NewRun, Retried, Revised, Ruling, Settled, TopUp};

fn in_batch(world: &World, tenant: &Tenant, id: &str, name: &str) -> NewRun {
    let mut new = world.new_run(tenant);
    new.run.batch = Some(id.to_owned());
    new.batch = Some(BatchRef { id: id.to_owned(), name: name.to_owned(), created_at: None });
    new
}

/// A tenant whose workflow asks for a check of every result.
async fn reviewing(make: impl Fn() -> Empty, runs: u32) -> (World, Tenant) {
    let (world, mut tenant) = World::founded(make(), runs).await;
    tenant.workflow.version = domain::workflow::Version {
        needs_review: true,
        id: VersionId(world.id()),
        ..tenant.workflow.version.clone()
    };
    world.store.save_workflow(&tenant.workflow).await.unwrap();
    (world, tenant)
}

/// A run that waits for its check.
async fn in_review(world: &World, tenant: &Tenant) -> RunId {
    let mut new = world.new_run(tenant);
    new.run.webhooks = vec!["https://example.test/told".to_owned()];
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    assert_eq!(world.settle(claim.token, &world.success()).await, Settled::Now(Status::InReview));
    new.run.id
}

async fn judge(world: &World, tenant: &Tenant, run: RunId, what: Ruling, reason: Option<&str>) -> Judged {
    let judgement = Judgement { run, what, event: EventId(world.id()) };
    world.store.judge(tenant.org, &tenant.user, reason, &[judgement]).await.unwrap()[0]
}

/// Counts, credits and state follow the runs; the first name stays, and the earliest run speaks for the batch.
pub async fn a_batch_counts_its_runs(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 3).await;
    let news = [
        in_batch(&world, &tenant, "7", ""),
        in_batch(&world, &tenant, "7", "Drop 3"),
        in_batch(&world, &tenant, "7", "Drop 4"),
        in_batch(&world, &tenant, "7", ""),
    ];
    let began = world.now();
    for new in &news {
        world.store.accept(new).await.unwrap();
        world.store.accept(new).await.unwrap();
        world.clock.advance(Millis(5));
    }
    let batch = world.store.batch(tenant.org, "7").await.unwrap().expect("it began");
    assert_eq!((batch.name.as_str(), batch.created_at, &batch.author), ("Drop 3", began, &tenant.user));
    assert_eq!((batch.workflow, batch.workflow_name.as_str()), (tenant.workflow.id, "White packshot"));
    assert_eq!((batch.runs, batch.charged), (4, u64::from(3 * PRICE)));
    assert_eq!((batch.counts.in_status(Status::Queued), batch.counts.in_status(Status::Unpaid)), (3, 1));
    assert_eq!(batch.state(), BatchState::Working);
    let claims = world.claim(3).await;
    world.settle(claims[0].token, &world.success()).await;
    world.settle(claims[1].token, &world.success()).await;
    world.settle(claims[2].token, &world.failure(Fault::Input)).await;
    let batch = world.store.batch(tenant.org, "7").await.unwrap().expect("still there");
    assert_eq!((batch.counts.in_status(Status::Succeeded), batch.counts.in_status(Status::Failed)), (2, 1));
    assert_eq!(batch.state(), BatchState::Unpaid);
    world.store.grant(tenant.org, EntryId(world.id()), PRICE).await.unwrap();
    let retried = world.store.retry(&[tenant.org], news[3].run.id, EntryId(world.id()), Millis(0)).await;
    assert_eq!(retried.unwrap(), Retried::Queued);
    let batch = world.store.batch(tenant.org, "7").await.unwrap().expect("still there");
    assert_eq!((batch.charged, batch.counts.in_status(Status::Queued)), (u64::from(4 * PRICE), 1));
    let filter = RunFilter { batch: Some("7".to_owned()), ..RunFilter::default() };
    assert_eq!(world.store.runs(tenant.org, &filter, Window::default()).await.unwrap().total, 4);
    let filter = RunFilter { batch: Some("8".to_owned()), ..RunFilter::default() };
    assert_eq!(world.store.runs(tenant.org, &filter, Window::default()).await.unwrap().total, 0);
}

/// Newest first, by what their first run said; each organization its own, though the ids are the same.
pub async fn batches_are_listed_newest_first(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 9).await;
    let other = world.tenant("Other", 1).await;
    for (id, at) in [("a", None), ("b", Some(Timestamp(5))), ("c", None), ("d", None)] {
        let mut new = in_batch(&world, &tenant, id, id);
        new.batch.as_mut().expect("a batch").created_at = at;
        world.store.accept(&new).await.unwrap();
        world.clock.advance(Millis(1));
    }
    world.store.accept(&in_batch(&world, &other, "a", "theirs")).await.unwrap();
    let ids = |batches: Vec<domain::batch::Batch>| -> Vec<String> {
        batches.into_iter().map(|batch| batch.id).collect()
    };
    let page = world.store.batches(tenant.org, None, Window { limit: 3, offset: 0 }).await.unwrap();
    assert_eq!((page.total, ids(page.entries)), (4, vec!["d".to_owned(), "c".to_owned(), "a".to_owned()]));
    let page = world.store.batches(tenant.org, Some("a"), Window::default()).await.unwrap();
    assert_eq!((page.total, page.entries[0].name.as_str()), (1, "a"));
    let page = world.store.batches(tenant.org, Some("z"), Window::default()).await.unwrap();
    assert_eq!((page.total, page.entries.len()), (0, 0));
    let page = world.store.batches(other.org, None, Window::default()).await.unwrap();
    assert_eq!((page.total, page.entries[0].name.as_str()), (1, "theirs"));
    assert_eq!(world.store.batch(other.org, "b").await.unwrap(), None);
    let part = |before: Option<&'static str>| world.store.batches_before(tenant.org, before, 3);
    assert_eq!(ids(part(None).await.unwrap()), ["d", "c", "a"]);
    assert_eq!(ids(part(Some("a")).await.unwrap()), ["b"]);
    assert_eq!(ids(part(Some("z")).await.unwrap()), [""; 0]);
}

/// Parts of a list by the last run seen: nothing twice, nothing left out, with and without a label.
pub async fn runs_are_listed_part_by_part(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 20).await;
    let mut made = Vec::new();
    for number in 0..11 {
        let mut new = in_batch(&world, &tenant, "7", "");
        new.run.labels.insert("shelf".to_owned(), "x".to_owned());
        world.store.accept(&new).await.unwrap();
        made.push(new.run.id);
        if number % 3 == 0 {
            world.clock.advance(Millis(1));
        }
    }
    made.reverse();
    let labelled =
        RunFilter { labels: [("shelf".to_owned(), "x".to_owned())].into(), ..RunFilter::default() };
    let batched = RunFilter { batch: Some("7".to_owned()), ..RunFilter::default() };
    for filter in [RunFilter::default(), labelled, batched] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let part = world.store.runs_before(tenant.org, &filter, before, 4).await.unwrap();
            let Some(last) = part.last() else { break };
            before = Some(last.id);
            seen.extend(part.iter().map(|run| run.id));
        }
        assert_eq!(seen, made);
    }
    let other = world.tenant("Other", 0).await;
    let theirs = world.store.runs_before(other.org, &RunFilter::default(), Some(made[0]), 4).await.unwrap();
    assert!(theirs.is_empty());
}

/// Neither succeeded nor final, but the result is there to be looked at; approved, it counts from then on.
pub async fn a_result_waits_for_its_check(make: impl Fn() -> Empty) {
    let (world, tenant) = reviewing(make, 1).await;
    let run = in_review(&world, &tenant).await;
    let waiting = world.run(&tenant, run).await;
    let State::InReview { result, started_at } = &waiting.state else { panic!("{:?}", waiting.state) };
    assert!(world.store.image(&[tenant.org], result.image.hash).await.unwrap().is_some());
    assert!(world.claim(5).await.is_empty());
    world.clock.advance(Millis::seconds(90));
    assert_eq!(judge(&world, &tenant, run, Ruling::Approve, None).await, Judged::Now(Status::Succeeded));
    let done = world.run(&tenant, run).await;
    let expected =
        State::Succeeded { started_at: *started_at, finished_at: world.now(), result: result.clone() };
    assert_eq!(done.state, expected);
    let review = done.review.expect("checked");
    assert_eq!((review.verdict, review.by, review.at), (Verdict::Approve, tenant.user.clone(), world.now()));
    let told: Vec<_> = world.store.outbox(tenant.org, run).await.unwrap();
    let told: Vec<_> = told.into_iter().map(|(_, _, status)| status).collect();
    assert_eq!(told, [Status::InReview, Status::Succeeded]);
    assert_eq!(judge(&world, &tenant, run, Ruling::Approve, None).await, Judged::Refused(Status::Succeeded));
    assert_eq!(world.balance(&tenant).await, 0, "charged once");
}

/// Done once more with other settings, free of charge; or given up, and then free to be tried again.
pub async fn a_rejected_result_is_done_again_or_given_up(make: impl Fn() -> Empty) {
    let (world, tenant) = reviewing(make, 1).await;
    let run = in_review(&world, &tenant).await;
    let overrides = json!({ "export": { "quality": 40 } });
    let again = Ruling::Reprocess { overrides: overrides.clone() };
    let judged = judge(&world, &tenant, run, again, Some("soft edge")).await;
    assert_eq!(judged, Judged::Now(Status::Queued));
    let queued = world.run(&tenant, run).await;
    assert_eq!((&queued.state, &queued.overrides), (&State::Queued, &overrides));
    assert_eq!(queued.review.and_then(|review| review.reason).as_deref(), Some("soft edge"));
    let claim = world.claim_one().await;
    assert_eq!((claim.run.id, claim.attempt), (run, 1));
    world.settle(claim.token, &world.success()).await;
    let judged = judge(&world, &tenant, run, Ruling::GiveUp, Some("strap missing")).await;
    assert_eq!(judged, Judged::Now(Status::Failed));
    let State::Failed { failure, .. } = world.run(&tenant, run).await.state else { panic!("not failed") };
    assert_eq!(failure.code, "rejected");
    assert!(failure.message.contains("strap missing"), "{}", failure.message);
    let retried = world.store.retry(&[tenant.org], run, EntryId(world.id()), Millis(0)).await.unwrap();
    assert_eq!(retried, Retried::Queued);
    assert_eq!(world.balance(&tenant).await, 0, "charged once");
}

/// One call, one answer for each; what is not there or not in review stays as it is.
pub async fn judging_passes_over_what_is_not_in_review(make: impl Fn() -> Empty) {
    let (world, tenant) = reviewing(make, 3).await;
    let other = world.tenant("Other", 0).await;
    let first = in_review(&world, &tenant).await;
    let second = in_review(&world, &tenant).await;
    let queued = world.accepted(&tenant).await;
    let judgement = |run, what| Judgement { run, what, event: EventId(world.id()) };
    let theirs = world.store.judge(other.org, &other.user, None, &[judgement(first, Ruling::Approve)]).await;
    assert_eq!(theirs.unwrap(), [Judged::Missing]);
    let all = [
        judgement(first, Ruling::Approve),
        judgement(queued, Ruling::GiveUp),
        judgement(RunId(world.id()), Ruling::Approve),
        judgement(second, Ruling::GiveUp),
        judgement(first, Ruling::GiveUp),
    ];
    let judged = world.store.judge(tenant.org, &tenant.user, None, &all).await.unwrap();
    let expected = [
        Judged::Now(Status::Succeeded),
        Judged::Refused(Status::Queued),
        Judged::Missing,
        Judged::Now(Status::Failed),
        Judged::Refused(Status::Succeeded),
    ];
    assert_eq!(judged, expected);
}

/// Of many who press at once, one is heard.
pub async fn of_many_judgements_one_counts(make: impl Fn() -> Empty) {
    let (world, tenant) = reviewing(make, 1).await;
    let run = in_review(&world, &tenant).await;
    let mut judging = JoinSet::new();
    for number in 0..24 {
        let what = if number % 2 == 0 { Ruling::Approve } else { Ruling::GiveUp };
        let judgement = Judgement { run, what, event: EventId(world.id()) };
        let (store, org, user) = (Arc::clone(&world.store), tenant.org, tenant.user.clone());
        judging.spawn(async move { store.judge(org, &user, None, &[judgement]).await.unwrap()[0] });
    }
    let answers = judging.join_all().await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Judged::Now(_))).count(), 1);
    assert_eq!(world.store.outbox(tenant.org, run).await.unwrap().len(), 2);
}

/// The last word stands; nobody else's run takes it.
pub async fn feedback_is_kept_in_place_of_the_last(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let other = world.tenant("Other", 0).await;
    let run = world.accepted(&tenant).await;
    let bad = Feedback {
        thumbs_up: false,
        expected: vec![world.image().hash],
        reason: Some("too soft".to_owned()),
    };
    let good = Feedback { thumbs_up: true, expected: Vec::new(), reason: None };
    for feedback in [&bad, &good] {
        assert!(world.store.give_feedback(&[other.org, tenant.org], run, feedback).await.unwrap());
        assert_eq!(world.run(&tenant, run).await.feedback.as_ref(), Some(feedback));
    }
    assert!(!world.store.give_feedback(&[other.org], run, &bad).await.unwrap());
    assert_eq!(world.run(&tenant, run).await.feedback, Some(good));
}

/// Every status, in order, each organization its own; a reader who stays behind misses nothing.
pub async fn the_feed_tells_every_status_in_order(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let other = world.tenant("Other", 1).await;
    let start = world.store.feed_end().await.unwrap();
    let run = world.accepted(&tenant).await;
    world.accepted(&other).await;
    let claims = world.claim(2).await;
    let ours = claims.iter().find(|claim| claim.run.id == run).expect("claimed");
    world.settle(ours.token, &world.success()).await;
    let part = world.store.feed(tenant.org, start, 10).await.unwrap();
    assert!(!part.has_gap);
    let statuses: Vec<_> = part.items.iter().map(|item| (item.run, item.status)).collect();
    assert_eq!(statuses, [(run, Status::Queued), (run, Status::Running), (run, Status::Succeeded)]);
    assert!(part.items.is_sorted_by_key(|item| item.place));
    assert!(part.items.iter().all(|item| item.at == world.now()));
    let rest = world.store.feed(tenant.org, part.items[0].place, 1).await.unwrap();
    assert_eq!(rest.items, part.items[1..2]);
    let end = world.store.feed_end().await.unwrap();
    assert_eq!(end, part.items[2].place);
    assert_eq!(world.store.feed(tenant.org, end, 10).await.unwrap().items, []);
}

fn slot(tenant: &Tenant, key: &str) -> Slot {
    Slot { org: tenant.org, user: tenant.user.clone(), key: key.to_owned() }
}

/// Many at once: one begins. Its answer is everybody's from then on, for a day.
pub async fn a_repeated_request_gets_the_first_answer(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let lease = Millis::seconds(60);
    let mut beginning = JoinSet::new();
    for _ in 0..32 {
        let (store, slot, seed) = (Arc::clone(&world.store), slot(&tenant, "k"), world.id());
        beginning.spawn(async move { store.begin_idempotent(&slot, [1; 32], seed, lease).await.unwrap() });
    }
    let begun = beginning.join_all().await;
    assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::First { .. })).count(), 1);
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::InFlight).count(), 31);
    let begin = |key: &'static str, print| {
        let (store, slot, seed) = (Arc::clone(&world.store), slot(&tenant, key), world.id());
        async move { store.begin_idempotent(&slot, [print; 32], seed, lease).await.unwrap() }
    };
    assert_eq!(begin("k", 2).await, Begun::OtherRequest);
    let answer = KeptAnswer {
        status: 201,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{\"a\":1}".to_vec(),
    };
    world.store.finish_idempotent(&slot(&tenant, "k"), &answer).await.unwrap();
    let late = KeptAnswer { status: 500, ..answer.clone() };
    world.store.finish_idempotent(&slot(&tenant, "k"), &late).await.unwrap();
    assert_eq!(begin("k", 1).await, Begun::Done(answer));
    assert_eq!(begin("k", 2).await, Begun::OtherRequest);
    assert!(matches!(begin("another", 2).await, Begun::First { .. }));
    let nobody = Slot { user: UserId("packshot|nobody".to_owned()), ..slot(&tenant, "k") };
    let theirs = world.store.begin_idempotent(&nobody, [3; 32], world.id(), lease).await.unwrap();
    assert!(matches!(theirs, Begun::First { .. }), "keys are each user's own");
    world.clock.advance(Millis(ANSWERS_KEPT.0 + 1));
    assert!(matches!(begin("k", 2).await, Begun::First { .. }));
}

/// One that died leaves its seed to the next, so that nothing is made twice.
pub async fn a_request_that_died_is_begun_again_with_its_seed(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let lease = Millis::seconds(60);
    let begin = |seed| {
        let (store, slot) = (Arc::clone(&world.store), slot(&tenant, "k"));
        async move { store.begin_idempotent(&slot, [1; 32], seed, lease).await }
    };
    let first = world.id();
    assert_eq!(begin(first).await.unwrap(), Begun::First { seed: first });
    world.clock.advance(Millis(lease.0 - 1));
    assert_eq!(begin(world.id()).await.unwrap(), Begun::InFlight);
    world.clock.advance(Millis(1));
    assert_eq!(begin(world.id()).await.unwrap(), Begun::First { seed: first });
    assert_eq!(begin(world.id()).await.unwrap(), Begun::InFlight);
    world.store.free_idempotent(&slot(&tenant, "k")).await.unwrap();
    assert_eq!(begin(world.id()).await.unwrap(), Begun::First { seed: first });
}

/// Only over the version it was made from; twice the same is once.
pub async fn a_revision_needs_the_latest_version(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let first = tenant.workflow.version.id;
    let mut next = tenant.workflow.clone();
    next.version = world.version(25, 80);
    next.name = "Grey packshot".to_owned();
    let revise = |workflow: domain::workflow::Workflow, from| {
        let (store, user) = (Arc::clone(&world.store), tenant.user.clone());
        async move { store.revise_workflow(&workflow, from, &user).await.unwrap() }
    };
    assert_eq!(revise(next.clone(), first).await, Revised::Saved);
    assert_eq!(revise(next.clone(), first).await, Revised::Saved, "the same again");
    let mut late = tenant.workflow.clone();
    late.version = world.version(30, 70);
    assert_eq!(revise(late.clone(), first).await, Revised::Stale(next.version.id));
    let theirs = domain::workflow::Workflow { org: other.org, ..late };
    assert_eq!(revise(theirs, first).await, Revised::Missing);
    let read = world.store.workflow(&[tenant.org], tenant.workflow.id, None).await.unwrap().expect("there");
    assert_eq!((read.name.as_str(), &read.version), ("Grey packshot", &next.version));
    let versions = world.store.versions(&[tenant.org], tenant.workflow.id).await.unwrap();
    assert_eq!(versions, [next.version, tenant.workflow.version.clone()]);
    assert!(world.store.versions(&[other.org], tenant.workflow.id).await.unwrap().is_empty());
}

/// Out of the list, but still readable, and its runs go on.
pub async fn an_archived_workflow_is_out_of_the_way(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let other = world.tenant("Other", 0).await;
    let run = world.accepted(&tenant).await;
    let archive =
        |org: OrgId, archived| world.store.archive_workflow(org, tenant.workflow.id, archived, &tenant.user);
    assert!(!archive(other.org, true).await.unwrap());
    assert!(archive(tenant.org, true).await.unwrap());
    let since = world.now();
    world.clock.advance(Millis(7));
    assert!(archive(tenant.org, true).await.unwrap());
    assert_eq!(world.store.workflows(tenant.org, Window::default()).await.unwrap().total, 0);
    let archived = world.store.archived_workflows(tenant.org, Window::default()).await.unwrap();
    assert_eq!((archived.total, archived.entries[0].archived_at), (1, Some(since)));
    let read = world.store.workflow(&[tenant.org], tenant.workflow.id, None).await.unwrap().expect("there");
    assert_eq!(read.archived_at, Some(since));
    assert_eq!(world.claim_one().await.run.id, run);
    assert!(archive(tenant.org, false).await.unwrap());
    assert_eq!(world.store.workflows(tenant.org, Window::default()).await.unwrap().total, 1);
}

/// Who gave credits and what for is in the entry; parts of the ledger follow one another.
pub async fn a_top_up_says_who_and_what_for(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let top_up = TopUp {
        entry: EntryId(world.id()),
        credits: 500,
        by: Some(tenant.user.clone()),
        note: "invoice 12".to_owned(),
    };
    let after = i64::from(PRICE + 500);
    assert_eq!(world.store.top_up(tenant.org, &top_up).await.unwrap(), after);
    assert_eq!(world.store.top_up(tenant.org, &top_up).await.unwrap(), after, "the same entry counts once");
    world.accepted(&tenant).await;
    let newest = world.store.entries_before(tenant.org, None, 2).await.unwrap();
    assert_eq!(newest.iter().map(|entry| entry.amount).collect::<Vec<_>>(), [-i64::from(PRICE), 500]);
    assert_eq!((newest[1].by.as_ref(), newest[1].note.as_str()), (Some(&tenant.user), "invoice 12"));
    let rest = world.store.entries_before(tenant.org, Some(newest[1].id), 2).await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.amount).collect::<Vec<_>>(), [i64::from(PRICE)]);
    let other = world.tenant("Other", 1).await;
    assert!(world.store.entries_before(other.org, Some(newest[0].id), 2).await.unwrap().is_empty());
}
