//! Behaviours of the queue: claims, attempts, pauses, fairness.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use domain::id::{EventId, RunId};
use domain::run::{Fault, RetryPolicy, State, Status};
use domain::time::Millis;
use tokio::task::JoinSet;

use super::Empty;
use super::fixture::{LEASE, World};
use crate::{Change, Depth, Settled, Settlement, WorkerId};

const LOST: Settled = Settled::LeaseLost;

/// Not a millisecond earlier.
pub async fn a_run_waits_for_its_delay(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.delay = Millis(1500);
    world.store.accept(&new).await.unwrap();
    let due = world.now() + Millis(1500);
    assert_eq!(world.store.next_due().await.unwrap(), Some(due));
    world.clock.advance(Millis(1499));
    assert!(world.claim(5).await.is_empty());
    world.clock.advance(Millis(1));
    assert_eq!(world.claim_one().await.run.id, new.run.id);
}

/// The run as running, its version's steps, and a proof.
pub async fn a_claim_carries_what_a_worker_needs(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let new = world.new_run(&tenant);
    world.store.accept(&new).await.unwrap();
    let mut later = tenant.workflow.clone();
    later.version = world.version(99, 1);
    world.store.save_workflow(&later).await.unwrap();
    world.clock.advance(Millis(250));
    let claim = world.claim_one().await;
    assert_eq!(claim.steps, tenant.workflow.version.steps, "those of the version it was accepted at");
    assert_eq!(claim.run.state, State::Running { started_at: world.now() });
    assert_eq!((claim.attempt, claim.crashes), (1, 0));
    assert_eq!(claim.lease_ends, world.now() + LEASE);
    assert_eq!(claim.run, world.run(&tenant, new.run.id).await);
    assert!(world.claim(5).await.is_empty(), "a leased run is nobody else's");
    assert!(world.claim(0).await.is_empty());
}

/// State, picture, event and queue, in one commit.
pub async fn a_success_is_written_whole(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks = vec!["https://example.test/1".to_owned(), "https://example.test/2".to_owned()];
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    let started_at = world.now();
    world.clock.advance(Millis(800));
    let outcome = world.outcome();
    assert_eq!(world.store.image(&[tenant.org], outcome.image.hash).await.unwrap(), None);
    let event = EventId(world.id());
    let how = Settlement::Succeeded(outcome.clone());
    let settled = world.store.settle(claim.token, event, &how).await.unwrap();
    assert_eq!(settled, Settled::Now(Status::Succeeded));
    let run = world.run(&tenant, new.run.id).await;
    assert_eq!(run.state, State::Succeeded { started_at, finished_at: world.now(), result: outcome.clone() });
    assert_eq!(run.charged, 10);
    assert_eq!(world.store.image(&[tenant.org], outcome.image.hash).await.unwrap(), Some(outcome.image));
    let told = world.store.outbox(tenant.org, new.run.id).await.unwrap();
    let expected: Vec<_> =
        new.run.webhooks.iter().map(|address| (event, address.clone(), Status::Succeeded)).collect();
    assert_eq!(told, expected);
    assert_eq!(world.store.depth().await.unwrap(), Depth::default());
    assert_eq!(world.store.next_due().await.unwrap(), None);
}

/// The pause is kept in the store and follows its clock.
pub async fn a_fault_of_ours_is_tried_again_after_its_pause(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks.push("https://example.test/1".to_owned());
    world.store.accept(&new).await.unwrap();
    for (attempt, pause) in [(1, 2000), (2, 4000), (3, 8000)] {
        let claim = world.claim_one().await;
        assert_eq!((claim.attempt, claim.crashes), (attempt, 0));
        assert_eq!(
            world.settle(claim.token, &world.failure(Fault::Ours)).await,
            Settled::Now(Status::Queued)
        );
        assert_eq!(world.run(&tenant, new.run.id).await.state, State::Queued);
        assert_eq!(world.store.next_due().await.unwrap(), Some(world.now() + Millis(pause)));
        world.clock.advance(Millis(pause - 1));
        assert!(world.claim(5).await.is_empty());
        world.clock.advance(Millis(1));
    }
    assert!(world.store.outbox(tenant.org, new.run.id).await.unwrap().is_empty(), "nothing has ended");
    let claim = world.claim_one().await;
    let failure = world.failure(Fault::Ours);
    let Settlement::Failed { failure, policy, .. } = failure else { unreachable!("made as a failure") };
    let hasty = Settlement::Failed { failure, policy, chance: 0.0 };
    world.settle(claim.token, &hasty).await;
    assert_eq!(
        world.store.next_due().await.unwrap(),
        Some(world.now() + Millis(12_800)),
        "a fifth less than 16 s"
    );
}

/// The last one fails for good, with its reason.
pub async fn attempts_come_to_an_end(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = world.accepted(&tenant).await;
    let most = RetryPolicy::default().max_attempts;
    for attempt in 1..=most {
        let claim = world.claim_one().await;
        assert_eq!(claim.attempt, attempt);
        let settled = world.settle(claim.token, &world.failure(Fault::Ours)).await;
        let expected = if attempt == most { Status::Failed } else { Status::Queued };
        assert_eq!(settled, Settled::Now(expected));
        world.clock.advance(Millis::seconds(700));
    }
    let State::Failed { failure, .. } = world.run(&tenant, run).await.state else { panic!("it failed") };
    assert_eq!(failure.code, "test_failure");
    assert!(world.claim(5).await.is_empty());
}

/// It fails at once, and is told of.
pub async fn a_bad_picture_is_not_tried_again(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks.push("https://example.test/1".to_owned());
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    let event = EventId(world.id());
    let settled = world.store.settle(claim.token, event, &world.failure(Fault::Input)).await.unwrap();
    assert_eq!(settled, Settled::Now(Status::Failed));
    let told = world.store.outbox(tenant.org, new.run.id).await.unwrap();
    assert_eq!(told, [(event, "https://example.test/1".to_owned(), Status::Failed)]);
    world.clock.advance(Millis::seconds(3600));
    assert!(world.claim(5).await.is_empty());
    assert_eq!(world.balance(&tenant).await, 0, "it keeps its charge");
}

/// A worker that survives a panic says so, and two of them are enough.
pub async fn a_panic_counts_as_a_crash(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = world.accepted(&tenant).await;
    let claim = world.claim_one().await;
    assert_eq!(world.settle(claim.token, &world.failure(Fault::Crash)).await, Settled::Now(Status::Queued));
    world.clock.advance(Millis::seconds(10));
    let claim = world.claim_one().await;
    assert_eq!((claim.attempt, claim.crashes), (2, 1));
    assert_eq!(world.settle(claim.token, &world.failure(Fault::Crash)).await, Settled::Now(Status::Failed));
    assert_eq!(world.status(&tenant, run).await, Status::Failed);
}

/// One event, one address, one row.
pub async fn an_address_given_twice_is_told_once(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks = ["1", "2", "1"].map(|path| format!("https://example.test/{path}")).to_vec();
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
    let told = world.store.outbox(tenant.org, new.run.id).await.unwrap();
    let addresses: Vec<_> = told.iter().map(|(_, address, _)| address.as_str()).collect();
    assert_eq!(addresses, ["https://example.test/1", "https://example.test/2"]);
}

/// One organization with 900 runs of 1000 does not hold up twenty with five each, who came after it.
pub async fn a_long_backlog_delays_nobody_else(make: impl Fn() -> Empty) {
    let (world, large) = World::founded(make(), 900).await;
    world.accepted_many(&large, 900).await;
    world.clock.advance(Millis(1));
    for number in 0..20 {
        let small = world.tenant(&format!("Small {number}"), 5).await;
        world.accepted_many(&small, 5).await;
    }
    let mut turns = HashSet::new();
    for _ in 0..21 {
        turns.insert(world.claim(1).await[0].run.org);
    }
    assert_eq!(turns.len(), 21, "one by one, each has its turn before any has a second");
    let (mut claimed, mut small, mut small_done_at) = (21, 20, 0);
    for round in 0.. {
        // Claims of different sizes, as workers with different room ask.
        let claims = world.claim([10, 3, 16, 7][round % 4]).await;
        if claims.is_empty() {
            break;
        }
        claimed += claims.len();
        small += claims.iter().filter(|claim| claim.run.org != large.org).count();
        if small == 100 && small_done_at == 0 {
            small_done_at = claimed;
        }
    }
    assert_eq!((claimed, small), (1000, 100));
    assert!(small_done_at <= 150, "the small ones were done after {small_done_at} of 1000");
}

/// Sixteen workers, two thousand runs: each is one worker's, and each ends once.
pub async fn many_workers_never_share_a_run(make: impl Fn() -> Empty) {
    const RUNS: usize = 2000;
    let (world, tenant) = World::founded(make(), RUNS as u32).await;
    world.accepted_many(&tenant, RUNS).await;
    let world = Arc::new(world);
    let seen = Arc::new(Mutex::new(HashMap::<RunId, usize>::new()));
    let mut workers = JoinSet::new();
    for number in 0..16 {
        let (world, seen) = (Arc::clone(&world), Arc::clone(&seen));
        workers.spawn(async move {
            let by = WorkerId(format!("worker {number}"));
            loop {
                let claims = world.claim_by(&by, 10).await;
                if claims.is_empty() {
                    break;
                }
                for claim in claims {
                    *seen.lock().unwrap().entry(claim.run.id).or_default() += 1;
                    let settled = world.settle(claim.token, &world.success()).await;
                    assert_eq!(settled, Settled::Now(Status::Succeeded));
                }
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.len(), RUNS);
    assert!(seen.values().all(|times| *times == 1));
    assert_eq!(world.store.depth().await.unwrap(), Depth::default());
}

/// Ready, waiting, leased, and for how long the oldest has been ready.
pub async fn the_queue_knows_its_depth(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 6).await;
    assert_eq!(world.store.depth().await.unwrap(), Depth::default());
    for delay in [0, 0, 1000, 5000] {
        let mut new = world.new_run(&tenant);
        new.delay = Millis(delay);
        world.store.accept(&new).await.unwrap();
    }
    let depth = |ready, waiting, leased, oldest| Depth { ready, waiting, leased, oldest: Millis(oldest) };
    assert_eq!(world.store.depth().await.unwrap(), depth(2, 2, 0, 0));
    world.clock.advance(Millis(1500));
    assert_eq!(world.store.depth().await.unwrap(), depth(3, 1, 0, 1500));
    world.claim(2).await;
    assert_eq!(world.store.depth().await.unwrap(), depth(1, 1, 2, 500));
    world.clock.advance(LEASE);
    assert_eq!(world.store.depth().await.unwrap().ready, 4, "leases that are over can be claimed");
    assert_eq!(world.store.next_due().await.unwrap().map(|due| due < world.now()), Some(true));
}

/// A hint arrives for each change, and what it says can be read by then.
pub async fn changes_are_told_once_they_are_true(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut changes = world.store.changes();
    let mut told = HashSet::new();
    let run = world.accepted(&tenant).await;
    let unpaid = world.new_run(&tenant);
    world.store.accept(&unpaid).await.unwrap();
    let claim = world.claim_one().await;
    world.store.hand_back(&[claim.token]).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
    assert_eq!(world.settle(claim.token, &world.success()).await, LOST);
    while let Ok(Change { run, status, .. }) = changes.try_recv() {
        told.insert((run, status));
    }
    let expected = [
        (run, Status::Queued),
        (run, Status::Running),
        (run, Status::Succeeded),
        (unpaid.run.id, Status::Unpaid),
    ];
    assert_eq!(told, HashSet::from(expected));

    let late = world.tenant("Late", 1).await;
    let new = world.new_run(&late);
    let listener = {
        let (store, id, org) = (Arc::clone(&world.store), new.run.id, late.org);
        tokio::spawn(async move {
            let change = changes.recv().await.unwrap();
            (change, store.run(&[org], id).await.unwrap().map(|run| run.state.status()))
        })
    };
    world.store.accept(&new).await.unwrap();
    let (change, read) = listener.await.unwrap();
    assert_eq!((change.run, change.status), (new.run.id, Status::Queued));
    assert_eq!(read, Some(Status::Queued));
}
