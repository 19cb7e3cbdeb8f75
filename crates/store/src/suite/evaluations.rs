//! Evaluations: paid for their report only, measured under leases, fairly across organizations.

use std::collections::HashSet;
use std::sync::Arc;

use domain::evaluation::{Evaluation, EvaluationState, Finding, Opinion, Report};
use domain::event::{Told, What};
use domain::id::{EvaluationId, EventId, LeaseToken, RunId};
use domain::ledger::{Kind, OutOfCredit};
use domain::page::Window;
use domain::repeat::Begun;
use domain::run::{Fault, RetryPolicy, Status};
use domain::time::Millis;
use serde_json::json;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{EVALUATION_PRICE, LEASE, PRICE, Tenant, World};
use crate::{Admitted, EvaluationClaim, Measured, Settled, StoreError, WorkerId};

const CREDITS: i64 = PRICE as i64;
const COST: i64 = EVALUATION_PRICE as i64;

fn report() -> Report {
    let finding = Finding {
        code: "background_purity".to_owned(),
        name: "Background purity".to_owned(),
        description: "how white the background is".to_owned(),
        category: "background".to_owned(),
        value: Some(0.1 + 0.2),
        unit: "share".to_owned(),
        least: Some(0.9),
        most: None,
        passed: Some(false),
        confidence: 0.75,
        weight: 2.0,
        region: Some([1, 2, 30, 40]),
        sentence: "the background is grey in the lower left".to_owned(),
    };
    Report {
        passed: false,
        score: 0.5,
        action: "retouch".to_owned(),
        findings: vec![finding],
        issues: vec!["grey".to_owned()],
        strengths: Vec::new(),
        gates: vec!["background_purity".to_owned()],
    }
}

fn failed(world: &World, fault: Fault) -> Measured {
    let failure = domain::run::Failure { fault, ..world.bad_input() };
    Measured::Failed { failure, policy: RetryPolicy::default(), chance: 0.5 }
}

async fn accepted(world: &World, tenant: &Tenant) -> EvaluationId {
    let new = world.new_evaluation(tenant);
    assert_eq!(world.store.accept_evaluation(&new).await.unwrap(), Admitted::Pending);
    new.evaluation.id
}

async fn claim_by(world: &World, by: &WorkerId, many: usize) -> Vec<EvaluationClaim> {
    let tokens: Vec<_> = (0..many).map(|_| LeaseToken(world.id())).collect();
    let events: Vec<_> = (0..many).map(|_| EventId(world.id())).collect();
    world.store.claim_evaluations(by, LEASE, RetryPolicy::default(), &tokens, &events).await.unwrap()
}

async fn claim(world: &World, many: usize) -> Vec<EvaluationClaim> {
    claim_by(world, &world.worker(), many).await
}

async fn settle(world: &World, claim: &EvaluationClaim, how: &Measured) -> Settled {
    world.store.settle_evaluation(claim.token, EventId(world.id()), how).await.unwrap()
}

async fn read(world: &World, tenant: &Tenant, id: EvaluationId) -> Evaluation {
    world.store.evaluation(tenant.org, id).await.unwrap().expect("the evaluation is there")
}

/// What was told of an evaluation, to which address.
async fn told(world: &World, tenant: &Tenant) -> Vec<(What, String)> {
    let all = world.store.deliveries(tenant.org, &Default::default(), 100, None).await.unwrap().entries;
    all.into_iter().map(|delivery| (delivery.event.what, delivery.address)).collect()
}

/// With its price set aside once, its answer, and what was asked; refused whole if the balance is too low.
pub async fn an_evaluation_is_accepted_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let other = world.tenant("Other", 1).await;
    let mut new = world.new_evaluation(&tenant);
    new.answer = Some(world.answer(&tenant, "k"));
    let (slot, answer) = new.answer.clone().unwrap();
    let begin = || world.store.begin_idempotent(&slot, [1; 32], new.evaluation.id.0, Millis::seconds(60));
    begin().await.unwrap();
    let mut at_once = JoinSet::new();
    for _ in 0..8 {
        let (store, new) = (Arc::clone(&world.store), new.clone());
        at_once.spawn(async move { store.accept_evaluation(&new).await.unwrap() });
    }
    assert!(at_once.join_all().await.iter().all(|admitted| *admitted == Admitted::Pending));
    assert_eq!(world.balance(&tenant).await, CREDITS - COST);
    assert_eq!(read(&world, &tenant, new.evaluation.id).await, new.evaluation);
    assert_eq!(begin().await.unwrap(), Begun::Done(answer));
    let entries = world.store.entries(tenant.org, Window::default()).await.unwrap().entries;
    assert_eq!((entries[0].kind, entries[0].amount, entries[0].id), (Kind::Charge, -COST, new.entry));
    assert_eq!((entries[0].evaluation, entries[0].run), (Some(new.evaluation.id), None));

    let mut dear = world.new_evaluation(&tenant);
    (dear.evaluation.price, dear.evaluation.charged) = (1000, 1000);
    let refused = world.store.accept_evaluation(&dear).await.unwrap();
    assert_eq!(refused, Admitted::OutOfCredit(OutOfCredit { balance: CREDITS - COST, price: 1000 }));
    assert_eq!(world.store.evaluation(tenant.org, dear.evaluation.id).await.unwrap(), None);
    let mut free = world.new_evaluation(&tenant);
    (free.evaluation.price, free.evaluation.charged) = (0, 0);
    assert_eq!(world.store.accept_evaluation(&free).await.unwrap(), Admitted::Pending);
    assert_eq!(world.balance(&tenant).await, CREDITS - COST);

    let mut stolen = new.clone();
    stolen.evaluation.org = other.org;
    assert!(matches!(world.store.accept_evaluation(&stolen).await, Err(StoreError::Conflict(_))));
    assert_eq!(world.store.evaluation(other.org, new.evaluation.id).await.unwrap(), None);
    let what = What::Evaluation { evaluation: new.evaluation.id, completed: true };
    assert_eq!(world.store.told(other.org, what).await.unwrap(), None);
    assert_eq!(world.balance(&other).await, CREDITS);
}

/// Claimed, measured, told of; it keeps its charge.
pub async fn a_report_is_written_whole(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let id = accepted(&world, &tenant).await;
    let asked = read(&world, &tenant, id).await;
    world.clock.advance(Millis(20));
    let started_at = world.now();
    let claims = claim(&world, 5).await;
    assert_eq!(claims.len(), 1);
    let running = Evaluation {
        state: EvaluationState::Running { started_at },
        updated_at: started_at,
        ..asked.clone()
    };
    assert_eq!((claims[0].attempt, claims[0].crashes), (1, 0));
    assert_eq!(claims[0].evaluation, running);
    assert_eq!(read(&world, &tenant, id).await, running);
    assert!(claim(&world, 5).await.is_empty(), "it is somebody's");
    world.clock.advance(Millis(30));
    let done = Measured::Completed(Box::new(report()));
    assert_eq!(settle(&world, &claims[0], &done).await, Settled::Now(Status::Succeeded));
    assert_eq!(settle(&world, &claims[0], &done).await, Settled::LeaseLost);
    let finished_at = world.now();
    let state = EvaluationState::Completed { started_at, finished_at, report: Box::new(report()) };
    let expected = Evaluation { state, updated_at: finished_at, ..asked };
    assert_eq!(read(&world, &tenant, id).await, expected);
    assert_eq!(world.balance(&tenant).await, CREDITS - COST);
    let what = What::Evaluation { evaluation: id, completed: true };
    assert_eq!(told(&world, &tenant).await, [(what, "https://hooks.test/evaluation".to_owned())]);
    let told = world.store.told(tenant.org, what).await.unwrap();
    assert_eq!(told, Some(Told::Evaluation(Box::new(expected))));
    world.clock.advance(Millis::seconds(3600));
    assert!(claim(&world, 5).await.is_empty());
}

/// Of each run the last that was asked for, of no other organization's and of no run that has none.
pub async fn the_latest_evaluation_of_each_run_is_found(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let other = world.tenant("Other", 1).await;
    let runs: Vec<RunId> = (0..3).map(|_| RunId(world.id())).collect();
    let of = async |tenant: &Tenant, run: Option<RunId>| {
        world.clock.advance(Millis(1));
        let mut new = world.new_evaluation(tenant);
        new.evaluation.run = run;
        (new.evaluation.price, new.evaluation.charged) = (0, 0);
        assert_eq!(world.store.accept_evaluation(&new).await.unwrap(), Admitted::Pending);
        read(&world, tenant, new.evaluation.id).await
    };
    of(&tenant, Some(runs[0])).await;
    let latest = of(&tenant, Some(runs[0])).await;
    let only = of(&tenant, Some(runs[1])).await;
    of(&tenant, None).await;
    of(&other, Some(runs[0])).await;
    let wanted = [runs[0], runs[2], runs[1], runs[0]];
    let mut found = world.store.latest_evaluations(tenant.org, &wanted).await.unwrap();
    found.sort_by_key(|evaluation| evaluation.created_at);
    assert_eq!(found, [latest, only]);
    assert_eq!(world.store.latest_evaluations(tenant.org, &[]).await.unwrap(), []);
}

/// At once for a bad picture, after some attempts for a fault of ours; its credits are given back once.
pub async fn a_failed_evaluation_gets_its_credits_back(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let bad = accepted(&world, &tenant).await;
    let claims = claim(&world, 1).await;
    assert_eq!(settle(&world, &claims[0], &failed(&world, Fault::Input)).await, Settled::Now(Status::Failed));
    assert_eq!(settle(&world, &claims[0], &failed(&world, Fault::Input)).await, Settled::LeaseLost);
    let ended = read(&world, &tenant, bad).await;
    let failure = world.bad_input();
    assert_eq!(ended.state, EvaluationState::Failed { finished_at: world.now(), failure });
    assert_eq!((ended.charged, ended.price, world.balance(&tenant).await), (0, EVALUATION_PRICE, CREDITS));
    let entries = world.store.entries(tenant.org, Window::default()).await.unwrap().entries;
    assert_eq!((entries[0].kind, entries[0].amount), (Kind::Refund, COST));
    assert_eq!(entries[0].evaluation, Some(bad));
    let what = What::Evaluation { evaluation: bad, completed: false };
    assert_eq!(told(&world, &tenant).await, [(what, "https://hooks.test/evaluation".to_owned())]);

    let ours = accepted(&world, &tenant).await;
    let most = RetryPolicy::default().max_attempts;
    for attempt in 1..=most {
        let claims = claim(&world, 5).await;
        assert_eq!((claims.len(), claims[0].attempt), (1, attempt));
        let expected = if attempt == most { Status::Failed } else { Status::Queued };
        assert_eq!(settle(&world, &claims[0], &failed(&world, Fault::Ours)).await, Settled::Now(expected));
        if attempt < most {
            assert_eq!(read(&world, &tenant, ours).await.state, EvaluationState::Pending);
            assert_eq!(world.balance(&tenant).await, CREDITS - COST);
        }
        assert!(claim(&world, 5).await.is_empty(), "not before its pause");
        world.clock.advance(Millis::seconds(700));
    }
    assert_eq!(world.balance(&tenant).await, CREDITS);
    assert_eq!(told(&world, &tenant).await.len(), 2);
}

/// Leases that ran out count as crashes; two are enough, and nobody who comes late changes anything.
pub async fn an_evaluation_whose_workers_die_is_given_up(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let id = accepted(&world, &tenant).await;
    let first = claim(&world, 1).await.remove(0);
    world.clock.advance(Millis(LEASE.0 - 1));
    assert!(claim(&world, 1).await.is_empty());
    let renewed = world.store.renew_evaluations(&world.worker(), &[first.token], LEASE).await.unwrap();
    assert!(renewed.is_empty());
    world.clock.advance(Millis(LEASE.0 - 1));
    assert!(claim(&world, 1).await.is_empty(), "it was renewed");
    world.clock.advance(Millis(1));
    let other = WorkerId("worker 2".to_owned());
    let second = claim_by(&world, &other, 1).await.remove(0);
    assert_eq!((second.evaluation.id, second.attempt, second.crashes), (id, 2, 1));
    let asked = [first.token, second.token, LeaseToken(world.id())];
    let lost = world.store.renew_evaluations(&world.worker(), &asked, LEASE).await.unwrap();
    assert_eq!(lost, asked, "ended, another worker's and unknown ones");
    assert!(world.store.renew_evaluations(&other, &[], LEASE).await.unwrap().is_empty());
    let done = Measured::Completed(Box::new(report()));
    assert_eq!(settle(&world, &first, &done).await, Settled::LeaseLost);
    world.clock.advance(LEASE);
    // Without an id for its event it waits.
    let tokens = [LeaseToken(world.id())];
    let policy = RetryPolicy::default();
    let claims = world.store.claim_evaluations(&other, LEASE, policy, &tokens, &[]).await.unwrap();
    assert!(claims.is_empty());
    assert!(matches!(read(&world, &tenant, id).await.state, EvaluationState::Running { .. }));
    assert!(claim(&world, 5).await.is_empty());
    let EvaluationState::Failed { failure, .. } = read(&world, &tenant, id).await.state else {
        panic!("it was given up")
    };
    assert_eq!((failure.code.as_str(), failure.fault), ("worker_crashed", Fault::Crash));
    assert_eq!(world.balance(&tenant).await, CREDITS);
    assert_eq!(settle(&world, &second, &done).await, Settled::LeaseLost);
    assert_eq!(told(&world, &tenant).await.len(), 1);

    // A panic that the worker survived counts too.
    accepted(&world, &tenant).await;
    for expected in [Status::Queued, Status::Failed] {
        let held = claim(&world, 1).await.remove(0);
        assert_eq!(settle(&world, &held, &failed(&world, Fault::Crash)).await, Settled::Now(expected));
        world.clock.advance(Millis::seconds(60));
    }
}

/// Oldest first within an organization, and organizations in turn.
pub async fn evaluations_are_taken_in_turn(make: impl Fn() -> Empty) {
    let (world, large) = World::founded(make(), 100).await;
    let mut of_large = Vec::new();
    for _ in 0..100 {
        of_large.push(accepted(&world, &large).await);
        world.clock.advance(Millis(1));
    }
    let mut small = HashSet::new();
    for number in 0..6 {
        let tenant = world.tenant(&format!("Small {number}"), 5).await;
        for _ in 0..2 {
            small.insert(accepted(&world, &tenant).await);
        }
    }
    let mut turns = HashSet::new();
    let mut taken = Vec::new();
    for _ in 0..7 {
        let claims = claim(&world, 1).await;
        turns.insert(claims[0].evaluation.org);
        taken.extend(claims);
    }
    assert_eq!(turns.len(), 7, "each has its turn before any has a second");
    taken.extend(claim(&world, 14).await);
    let early = taken.iter().filter(|claim| small.contains(&claim.evaluation.id)).count();
    assert_eq!(early, 12, "a backlog delays nobody else");
    loop {
        let claims = claim(&world, 9).await;
        if claims.is_empty() {
            break;
        }
        taken.extend(claims);
    }
    let of = |claims: &[EvaluationClaim], org| -> Vec<_> {
        claims.iter().filter(|claim| claim.evaluation.org == org).map(|claim| claim.evaluation.id).collect()
    };
    assert_eq!(of(&taken, large.org), of_large, "oldest first");
    assert_eq!(taken.len(), 112);
}

/// In place of what was said before, or taken back; by its organization alone.
pub async fn people_say_what_they_think_of_a_verdict(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let other = world.tenant("Other", 0).await;
    let id = accepted(&world, &tenant).await;
    let right = Opinion { is_positive: true, reason: None };
    let wrong = Opinion { is_positive: false, reason: Some("it is white".to_owned()) };
    for opinion in [Some(&right), Some(&wrong), None] {
        world.clock.advance(Millis(1));
        let now = world.store.give_opinion(tenant.org, id, opinion).await.unwrap().unwrap();
        assert_eq!((now.opinion.as_ref(), now.updated_at), (opinion, world.now()));
        assert_eq!(read(&world, &tenant, id).await, now);
    }
    assert_eq!(world.store.give_opinion(other.org, id, Some(&wrong)).await.unwrap(), None);
    let unknown = EvaluationId(world.id());
    assert_eq!(world.store.give_opinion(tenant.org, unknown, Some(&wrong)).await.unwrap(), None);
    assert_eq!(read(&world, &tenant, id).await.opinion, None);
}

/// Empty until they are set, each organization its own.
pub async fn limits_are_an_organizations_own(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let store = &world.store;
    assert_eq!(store.evaluation_limits(tenant.org).await.unwrap(), json!({}));
    for limits in [json!({ "sharpness": { "least": 0.4 } }), json!({})] {
        store.set_evaluation_limits(tenant.org, &limits, &tenant.user).await.unwrap();
        assert_eq!(store.evaluation_limits(tenant.org).await.unwrap(), limits);
        assert_eq!(store.evaluation_limits(other.org).await.unwrap(), json!({}));
    }
    let audit = store.audit(tenant.org, None, 1).await.unwrap();
    assert_eq!(
        (audit[0].action.as_str(), audit[0].actor.as_ref()),
        ("evaluation_limits.set", Some(&tenant.user))
    );
    let nobody = domain::id::OrgId(world.id());
    let refused = store.set_evaluation_limits(nobody, &json!({}), &tenant.user).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))));
}
