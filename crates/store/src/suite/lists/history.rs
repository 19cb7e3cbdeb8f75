//! A history to be listed: runs in every status, their batches, and subscriptions to their events.

use std::collections::BTreeSet;

use domain::batch::BatchRef;
use domain::event;
use domain::id::{EntryId, EventId, RunId, SubscriptionId};
use domain::image::FileName;
use domain::request::{Face, Origin, Request};
use domain::run::{Failure, Fault, Feedback, Outcome, RetryPolicy, StepReport, Terms};
use domain::subscription::Subscription;
use domain::time::Millis;
use serde_json::json;

use super::super::Empty;
use super::super::fixture::{Tenant, World};
use crate::{Filed, Filing, NewBatch, NewRun, REFERENCE, Settlement};

fn request(target: &str) -> Request {
    Request {
        face: Face("runflow".to_owned()),
        target: target.to_owned(),
        input: json!({ "image_url": "https://img.test/1.jpg" }),
        metadata: json!({ "sku": 17 }),
        origin: Origin::Single,
        request_id: None,
        repeats: None,
        before: Vec::new(),
        evaluate: false,
    }
}

fn step(component: &str, millis: f64, cached: bool) -> StepReport {
    let notes = if cached { Vec::new() } else { vec![format!("{component} is not sure")] };
    StepReport {
        label: component.to_owned(),
        component: component.to_owned(),
        version: 1,
        millis,
        cached,
        notes,
        ..StepReport::default()
    }
}

fn outcome(world: &World, millis: f64) -> Settlement {
    let made_by =
        vec![step("input", 0.0, true), step("dropShadow", millis, false), step("export", 12.5, false)];
    Settlement::Succeeded(Outcome { made_by, ..world.outcome() })
}

fn failed_at_export() -> Settlement {
    let error = Some("it is too large".to_owned());
    let made_by = vec![step("input", 0.5, false), StepReport { error, ..step("export", 3.0, false) }];
    let failure = Failure { made_by, ..Failure::new("result_too_large", "it is too large", Fault::Input) };
    Settlement::Failed { failure, policy: RetryPolicy::default(), chance: 0.5 }
}

/// A batch of four runs that is asked for as a whole; the last of them failed before it began.
pub(super) fn filing(world: &World, tenant: &Tenant) -> Filing {
    let handle = world.id();
    let runs = (0..4).map(|place| {
        let mut new = world.new_run(tenant);
        new.run.place = Some(place);
        new.run.terms = Terms::ForSuccess;
        new.run.request = Some(Request { origin: Origin::Batch, ..request("runflow/b") });
        new.failure = (place == 3).then(|| Failure::new("validation", "it says nothing", Fault::Input));
        new
    });
    let batch = NewBatch {
        handle,
        name: "mugs".to_owned(),
        request: request("runflow/b"),
        webhooks: vec!["https://a.test/batch".to_owned()],
        event: EventId(world.id()),
    };
    Filing { at: world.now(), runs: runs.collect(), batch: Some(batch), answer: None }
}

/// Runs in every status, with and without what may be missing, some of them made at the same moment.
async fn history(world: &World, tenant: &Tenant) -> Vec<RunId> {
    let mut reviewing = tenant.clone();
    reviewing.workflow = world.workflow(tenant.org, &tenant.user, "With a check", 10);
    reviewing.workflow.version.needs_review = true;
    world.store.save_workflow(&reviewing.workflow).await.unwrap();
    let mut runs = Vec::new();
    for nth in 0..12_usize {
        if nth % 3 == 0 {
            world.clock.advance(Millis(10));
        }
        let mut new: NewRun = world.new_run(if nth % 4 == 3 { &reviewing } else { tenant });
        if nth % 3 == 1 {
            new.run.input_name = FileName::clean("Mug a%b.png");
        }
        if let Some(reference) = [Some("a"), None, Some("a'b"), Some("mug")][nth % 4] {
            new.run.labels.insert(REFERENCE.to_owned(), reference.to_owned());
            new.run.labels.insert("other".to_owned(), "a".to_owned());
        }
        if nth % 4 != 1 {
            new.run.request = Some(request(["runflow/a", "runflow/b"][nth % 2]));
        }
        if nth % 5 < 2 {
            let id = ["order 7", "0195f000-0000-7000-8000-00000000000a"][nth % 2].to_owned();
            new.batch = Some(BatchRef { id, name: format!("order {nth}"), created_at: None });
        }
        new.run.webhooks = (0..nth % 3).map(|each| format!("https://{each}.test/")).collect();
        world.store.accept(&new).await.unwrap();
        runs.push(new.run.id);
    }
    for nth in [0, 3, 7] {
        let feedback = Feedback { thumbs_up: nth > 0, expected: Vec::new(), reason: None };
        assert!(world.store.give_feedback(&[tenant.org], runs[nth], &feedback).await.unwrap());
    }
    world.clock.advance(Millis(100));
    let mut millis = 0.4;
    for claim in world.claim(8).await {
        world.clock.advance(Millis(7));
        match runs.iter().position(|run| *run == claim.run.id) {
            Some(4) => drop(world.settle(claim.token, &failed_at_export()).await),
            Some(5) => {}
            _ => drop(world.settle(claim.token, &outcome(world, millis)).await),
        }
        millis *= 2.0;
    }
    let cancelled = EventId(world.id());
    world.store.cancel(&[tenant.org], runs[8], &tenant.user, Some("by mistake"), cancelled).await.unwrap();
    world.store.grant(tenant.org, EntryId(world.id()), 60).await.unwrap();
    for _ in 0..2 {
        world.clock.advance(Millis(3));
        let filing = filing(world, tenant);
        assert_eq!(world.store.file(&filing).await.unwrap(), Filed::Done);
        runs.extend(filing.runs.iter().map(|new| new.run.id));
    }
    runs
}

/// Two organizations with such a history each, and with credits for ten runs at its beginning.
pub(super) async fn two(make: impl Fn() -> Empty) -> (World, [(Tenant, Vec<RunId>); 2]) {
    let (world, ours) = World::founded(make(), 10).await;
    subscribe(&world, &ours).await;
    let our_runs = history(&world, &ours).await;
    while !world.claim(20).await.is_empty() {}
    let theirs = world.tenant("Other", 10).await;
    subscribe(&world, &theirs).await;
    let their_runs = history(&world, &theirs).await;
    (world, [(ours, our_runs), (theirs, their_runs)])
}

pub(super) async fn subscribe(world: &World, tenant: &Tenant) {
    let kinds = [
        BTreeSet::from([event::Kind::RunSucceeded, event::Kind::RunFailed]),
        BTreeSet::from([event::Kind::RunSucceeded, event::Kind::RunInReview, event::Kind::RunUnpaid]),
        BTreeSet::from([event::Kind::RunCancelled]),
    ];
    for (nth, kinds) in (0..).zip(kinds) {
        let disabled_at = (nth == 2).then(|| world.now() + Millis(5));
        let subscription = Subscription {
            id: SubscriptionId(world.id()),
            org: tenant.org,
            face: Face("runflow".to_owned()),
            address: format!("https://hooks.test/a{}", nth % 2),
            kinds,
            secret: vec![1, 2, 3],
            fingerprint: "f00d".to_owned(),
            disabled_at,
            last_event_at: None,
            created_at: world.now(),
            updated_at: world.now(),
        };
        world.store.subscribe(&subscription, &tenant.user).await.unwrap();
    }
}
