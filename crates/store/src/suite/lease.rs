//! Behaviours of leases: who has a run, and until when.

use std::sync::Arc;

use domain::id::{EventId, LeaseToken};
use domain::run::{Fault, RetryPolicy, State, Status};
use domain::time::Millis;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{LEASE, World};
use crate::{Settled, WorkerId};

const LOST: Settled = Settled::LeaseLost;

/// Neither after the run was taken by others, nor after it ended, nor if it never was one.
pub async fn an_old_token_changes_nothing(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = world.accepted(&tenant).await;
    let first = world.claim_one().await;
    world.clock.advance(LEASE);
    let second = world.claim_one().await;
    assert_ne!(first.token, second.token);
    let before = world.run(&tenant, run).await;
    for how in [world.success(), world.failure(Fault::Input), world.failure(Fault::Ours)] {
        assert_eq!(world.settle(first.token, &how).await, LOST);
    }
    world.store.hand_back(&[first.token]).await.unwrap();
    let lost = world.store.renew(&world.worker(), &[first.token], LEASE).await.unwrap();
    assert_eq!(lost, [first.token]);
    assert_eq!(world.run(&tenant, run).await, before);
    assert!(world.claim(5).await.is_empty());
    assert_eq!(world.settle(second.token, &world.success()).await, Settled::Now(Status::Succeeded));
    let after = world.run(&tenant, run).await;
    for token in [first.token, second.token, LeaseToken(world.id())] {
        assert_eq!(world.settle(token, &world.failure(Fault::Input)).await, LOST);
        world.store.hand_back(&[token]).await.unwrap();
    }
    assert_eq!(world.run(&tenant, run).await, after);
    assert!(world.claim(5).await.is_empty());
}

/// Even with the right token, and both at once.
pub async fn of_two_settlements_one_counts(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks.push("https://example.test/1".to_owned());
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    let mut settling = JoinSet::new();
    for number in 0..8 {
        let how = if number % 2 == 0 { world.success() } else { world.failure(Fault::Input) };
        let (store, event, token) = (Arc::clone(&world.store), EventId(world.id()), claim.token);
        settling.spawn(async move { store.settle(token, event, &how).await.unwrap() });
    }
    let answers = settling.join_all().await;
    let counted: Vec<_> = answers.iter().filter(|answer| **answer != LOST).collect();
    assert_eq!(counted.len(), 1);
    assert_eq!(*counted[0], Settled::Now(world.status(&tenant, new.run.id).await));
    assert_eq!(world.store.outbox(tenant.org, new.run.id).await.unwrap().len(), 1);
}

/// And the next worker gets it at once; until then the late one may still end it.
pub async fn a_lease_that_is_over_counts_as_a_crash(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let run = world.accepted(&tenant).await;
    world.claim_one().await;
    world.clock.advance(Millis(LEASE.0 - 1));
    assert!(world.claim(5).await.is_empty(), "the lease has a millisecond left");
    world.clock.advance(Millis(1));
    let second = world.claim_one().await;
    assert_eq!((second.run.id, second.attempt, second.crashes), (run, 2, 1));
    assert_eq!(second.run.state, State::Running { started_at: world.now() });
    world.clock.advance(Millis(LEASE.0 * 3));
    let late = world.settle(second.token, &world.success()).await;
    assert_eq!(late, Settled::Now(Status::Succeeded), "late, but nobody else has it");
}

/// Two workers died: it is not given to a third.
pub async fn a_poisonous_run_fails_with_its_event(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let mut poison = world.new_run(&tenant);
    poison.run.webhooks.push("https://example.test/1".to_owned());
    world.store.accept(&poison).await.unwrap();
    let started_at = world.now();
    world.claim_one().await;
    world.clock.advance(LEASE);
    let last = world.claim_one().await;
    world.clock.advance(LEASE);
    let good = world.accepted(&tenant).await;
    let event = EventId(world.id());
    let token = LeaseToken(world.id());
    let claims =
        world.store.claim(&world.worker(), LEASE, RetryPolicy::default(), &[token], &[event]).await.unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!((claims[0].run.id, claims[0].token), (good, token), "the one behind it comes at once");
    let run = world.run(&tenant, poison.run.id).await;
    let State::Failed { started_at: last_start, finished_at, failure } = run.state else {
        panic!("a poisonous run is {:?}", run.state);
    };
    assert_eq!((last_start, finished_at), (started_at + LEASE, world.now()));
    assert_eq!((failure.code.as_str(), failure.fault), ("worker_crashed", Fault::Crash));
    let told = world.store.outbox(tenant.org, poison.run.id).await.unwrap();
    assert_eq!(told, [(event, "https://example.test/1".to_owned(), Status::Failed)]);
    assert_eq!(world.settle(last.token, &world.success()).await, LOST);
    assert_eq!(run.charged, 10, "it keeps its charge, and its retry is free");
}

/// As long as it is renewed in time, and even later if nobody else came.
pub async fn a_renewed_lease_is_kept(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    world.accepted(&tenant).await;
    let claim = world.claim_one().await;
    for _ in 0..5 {
        world.clock.advance(Millis(LEASE.0 - 1));
        let lost = world.store.renew(&world.worker(), &[claim.token], LEASE).await.unwrap();
        assert!(lost.is_empty());
        assert!(world.claim(5).await.is_empty());
    }
    world.clock.advance(Millis(LEASE.0 * 2));
    assert!(world.store.renew(&world.worker(), &[claim.token], LEASE).await.unwrap().is_empty());
    assert!(world.claim(5).await.is_empty());
    assert_eq!(world.store.next_due().await.unwrap(), Some(world.now() + LEASE));
    assert_eq!(world.settle(claim.token, &world.success()).await, Settled::Now(Status::Succeeded));
}

/// Ended, taken, unknown and another worker's leases are lost; the rest is renewed all the same.
pub async fn a_renewal_names_what_is_lost(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 4).await;
    for _ in 0..3 {
        world.accepted(&tenant).await;
    }
    let claims = world.claim(3).await;
    let (kept, ended, taken) = (claims[0].token, claims[1].token, claims[2].token);
    world.settle(ended, &world.success()).await;
    world.clock.advance(Millis(LEASE.0 - 1));
    world.store.renew(&world.worker(), &[kept], LEASE).await.unwrap();
    world.clock.advance(Millis(1));
    let other = WorkerId("worker 2".to_owned());
    let theirs = world.claim_by(&other, 5).await;
    assert_eq!(theirs.len(), 1);
    let unknown = LeaseToken(world.id());
    let asked = [kept, ended, taken, theirs[0].token, unknown];
    let lost = world.store.renew(&world.worker(), &asked, LEASE).await.unwrap();
    assert_eq!(lost, [ended, taken, theirs[0].token, unknown]);
    assert!(world.store.renew(&world.worker(), &[], LEASE).await.unwrap().is_empty());
    world.clock.advance(Millis(LEASE.0 - 1));
    assert!(world.claim(5).await.is_empty(), "the kept one was renewed");
}

/// Before what came later, by anybody, and without counting the attempt.
pub async fn a_run_handed_back_is_claimed_at_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 5).await;
    let first = world.accepted(&tenant).await;
    let other = WorkerId("worker 2".to_owned());
    for _ in 0..7 {
        world.clock.advance(Millis(1));
        let claim = world.claim_by(&other, 1).await.remove(0);
        assert_eq!((claim.run.id, claim.attempt, claim.crashes), (first, 1, 0));
        world.store.hand_back(&[claim.token]).await.unwrap();
        assert_eq!(world.run(&tenant, first).await.state, State::Queued);
        assert_eq!(world.settle(claim.token, &world.success()).await, LOST);
    }
    let second = world.accepted(&tenant).await;
    let order: Vec<_> = [world.claim(1).await, world.claim(1).await].concat();
    assert_eq!(order.iter().map(|claim| claim.run.id).collect::<Vec<_>>(), [first, second]);
    let tokens: Vec<_> = order.iter().map(|claim| claim.token).collect();
    world.store.hand_back(&tokens).await.unwrap();
    assert_eq!(world.claim(5).await.len(), 2);
    world.store.hand_back(&[]).await.unwrap();
}
