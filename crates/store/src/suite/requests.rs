//! Runs that are asked for together, paid for their success only, and cancelled; batches as a whole.

use std::sync::Arc;

use domain::batch::BatchEnd;
use domain::event::What;
use domain::id::{EntryId, EventId, LeaseToken, OrgId, RunId};
use domain::ledger::{Kind, OutOfCredit};
use domain::page::Window;
use domain::repeat::Begun;
use domain::run::{Fault, RunFilter, State, Status};
use domain::time::Millis;
use domain::workflow::Step;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Empty;
use super::fixture::{LEASE, PRICE, Tenant, World};
use crate::{Cancelled, Claim, Filed, Filing, Retried, Settled, StoreError};

async fn entries(world: &World, tenant: &Tenant, kind: Kind) -> usize {
    let all = world.store.entries(tenant.org, Window { limit: 1000, offset: 0 }).await.unwrap().entries;
    all.iter().filter(|entry| entry.kind == kind).count()
}

async fn many(world: &World, tenant: &Tenant) -> u64 {
    world.store.runs(tenant.org, &RunFilter::default(), Window { limit: 1, offset: 0 }).await.unwrap().total
}

fn handle(filing: &Filing) -> Uuid {
    filing.batch.as_ref().unwrap().handle
}

/// Deliveries that tell of a batch's end.
async fn told_of_batch(world: &World, tenant: &Tenant, batch: Uuid) -> Vec<BatchEnd> {
    let all = world.store.deliveries(tenant.org, &Default::default(), 1000, None).await.unwrap().entries;
    let of_batch = all.iter().filter_map(|delivery| match delivery.event.what {
        What::Batch { batch: told, end } if told == batch => Some(end),
        _ => None,
    });
    of_batch.collect()
}

async fn cancel(world: &World, tenant: &Tenant, run: RunId) -> Cancelled {
    let event = EventId(world.id());
    world.store.cancel(&[tenant.org], run, &tenant.user, Some("no more"), event).await.unwrap()
}

/// A hundred runs and their batch, or nothing at all.
pub async fn filing_is_all_or_nothing(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 100).await;
    let spent = world.filed(&tenant).await;
    let mut too_many = world.filing(&tenant, 100);
    too_many.answer = Some(world.answer(&tenant, "k"));
    let (slot, answer) = too_many.answer.clone().unwrap();
    let begin = || world.store.begin_idempotent(&slot, [1; 32], Uuid::from_u128(7), Millis::seconds(60));
    assert!(matches!(begin().await.unwrap(), Begun::First { .. }));
    let refused = world.store.file(&too_many).await.unwrap();
    assert_eq!(
        refused,
        Filed::OutOfCredit(OutOfCredit { balance: i64::from(99 * PRICE), price: 100 * PRICE })
    );
    assert_eq!(world.balance(&tenant).await, i64::from(99 * PRICE));
    assert_eq!(many(&world, &tenant).await, 1);
    assert!(world.store.batch_of(tenant.org, handle(&too_many)).await.unwrap().is_none());
    assert_eq!(begin().await.unwrap(), Begun::InFlight, "its answer is not kept either");

    assert_eq!(cancel(&world, &tenant, spent).await, Cancelled::Now);
    assert_eq!(world.store.file(&too_many).await.unwrap(), Filed::Done);
    assert_eq!((world.balance(&tenant).await, many(&world, &tenant).await), (0, 101));
    let batch = world.store.batch_of(tenant.org, handle(&too_many)).await.unwrap().unwrap();
    assert_eq!((batch.runs, batch.size, batch.charged), (100, Some(100), u64::from(100 * PRICE)));
    assert_eq!((batch.name.as_str(), batch.created_at, batch.end()), ("Drop 3", too_many.at, None));
    assert_eq!(batch.request, Some(too_many.batch.as_ref().unwrap().request.clone()));
    assert_eq!(batch.webhooks, ["https://hooks.test/batch"]);
    assert_eq!(begin().await.unwrap(), Begun::Done(answer));
    let mut expected = too_many.runs[41].run.clone();
    (expected.created_at, expected.charged) = (too_many.at, PRICE);
    assert_eq!(world.run(&tenant, expected.id).await, expected, "as it was asked for");

    // One that refers to what is not there takes all the others with it.
    world.store.grant(tenant.org, EntryId(world.id()), 2 * PRICE).await.unwrap();
    let mut broken = world.filing(&tenant, 2);
    broken.runs[1].run.version = domain::id::VersionId(world.id());
    assert!(matches!(world.store.file(&broken).await, Err(StoreError::Missing(_))));
    assert_eq!((world.balance(&tenant).await, many(&world, &tenant).await), (i64::from(2 * PRICE), 101));
    assert!(world.store.batch_of(tenant.org, handle(&broken)).await.unwrap().is_none());
}

/// Whatever became of them since.
pub async fn filing_again_changes_nothing(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 4).await;
    let other = world.tenant("Other", 4).await;
    let filing = world.filing(&tenant, 3);
    let mut at_once = JoinSet::new();
    for _ in 0..8 {
        let (store, filing) = (Arc::clone(&world.store), filing.clone());
        at_once.spawn(async move { store.file(&filing).await.unwrap() });
    }
    assert!(at_once.join_all().await.iter().all(|filed| *filed == Filed::Done));
    assert_eq!((world.balance(&tenant).await, many(&world, &tenant).await), (i64::from(PRICE), 3));
    let claims = world.claim(5).await;
    assert_eq!(claims.len(), 3);
    world.succeed(&claims[0]).await;
    assert_eq!(world.store.file(&filing).await.unwrap(), Filed::Done);
    assert_eq!((world.balance(&tenant).await, many(&world, &tenant).await), (i64::from(PRICE), 3));
    assert_eq!(world.status(&tenant, claims[0].run.id).await, Status::Succeeded);
    let mut theirs = filing.clone();
    theirs.runs.iter_mut().for_each(|new| new.run.org = other.org);
    assert!(matches!(world.store.file(&theirs).await, Err(StoreError::Conflict(_))));
    assert_eq!(world.balance(&other).await, i64::from(4 * PRICE));
}

/// It is there with its reason, was never queued and never charged, and counts in its batch.
pub async fn a_run_may_have_failed_before_it_began(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut filing = world.filing(&tenant, 2);
    filing.runs[0].failure = Some(world.bad_input());
    filing.runs[0].run.webhooks = vec!["https://hooks.test/run".to_owned()];
    assert_eq!(world.store.file(&filing).await.unwrap(), Filed::Done, "it takes no credits");
    let failed = world.run(&tenant, filing.runs[0].run.id).await;
    let State::Failed { failure, finished_at, .. } = &failed.state else { panic!("{:?}", failed.state) };
    assert_eq!((failure, *finished_at), (&world.bad_input(), filing.at));
    assert_eq!((failed.charged, world.balance(&tenant).await), (0, 0));
    assert_eq!(entries(&world, &tenant, Kind::Refund).await, 0);
    let told = world.store.outbox(tenant.org, failed.id).await.unwrap();
    assert_eq!(told, [(filing.runs[0].event, "https://hooks.test/run".to_owned(), Status::Failed)]);
    let batch = world.store.batch_of(tenant.org, handle(&filing)).await.unwrap().unwrap();
    assert_eq!((batch.runs, batch.counts.in_status(Status::Failed), batch.charged), (2, 1, u64::from(PRICE)));
    assert_eq!(told_of_batch(&world, &tenant, handle(&filing)).await, []);
    let claim = world.claim_one().await;
    assert_eq!(claim.run.id, filing.runs[1].run.id);
    world.succeed(&claim).await;
    assert_eq!(told_of_batch(&world, &tenant, handle(&filing)).await, [BatchEnd::PartlySucceeded]);
    let retried = world.store.retry(&[tenant.org], failed.id, EntryId(world.id()), Millis(0)).await.unwrap();
    assert_eq!(retried, Retried::Refused(Status::Failed));
}

/// A batch of which every run failed before it began has ended when it is filed.
pub async fn a_batch_may_have_ended_when_it_is_filed(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let mut filing = world.filing(&tenant, 3);
    for new in &mut filing.runs {
        new.failure = Some(world.bad_input());
    }
    assert_eq!(world.store.file(&filing).await.unwrap(), Filed::Done);
    assert_eq!(told_of_batch(&world, &tenant, handle(&filing)).await, [BatchEnd::Failed]);
    let batch = world.store.batch_of(tenant.org, handle(&filing)).await.unwrap().unwrap();
    assert_eq!((batch.end(), batch.ended_at), (Some(BatchEnd::Failed), Some(filing.at)));
}

/// Kept for a success; given back once for a failure and for a cancellation.
pub async fn credits_are_kept_for_a_success_only(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 3).await;
    let filing = world.filing(&tenant, 3);
    world.store.file(&filing).await.unwrap();
    assert_eq!(world.balance(&tenant).await, 0, "set aside");
    let claims = world.claim(3).await;
    world.succeed(&claims[0]).await;
    assert_eq!(world.balance(&tenant).await, 0);
    world.settle(claims[1].token, &world.failure(Fault::Input)).await;
    assert_eq!(world.balance(&tenant).await, i64::from(PRICE));
    assert_eq!(world.settle(claims[1].token, &world.failure(Fault::Input)).await, Settled::LeaseLost);
    assert_eq!(cancel(&world, &tenant, claims[2].run.id).await, Cancelled::Now);
    assert_eq!(cancel(&world, &tenant, claims[2].run.id).await, Cancelled::Ended(Status::Cancelled));
    assert_eq!(world.balance(&tenant).await, i64::from(2 * PRICE));
    let charged = [PRICE, 0, 0];
    for (claim, charged) in claims.iter().zip(charged) {
        assert_eq!(world.run(&tenant, claim.run.id).await.charged, charged);
    }
    assert_eq!(entries(&world, &tenant, Kind::Charge).await, 3);
    assert_eq!(entries(&world, &tenant, Kind::Refund).await, 2);
    let batch = world.store.batch_of(tenant.org, handle(&filing)).await.unwrap().unwrap();
    assert_eq!(batch.charged, u64::from(PRICE));
    for claim in &claims[1..] {
        let id = claim.run.id;
        let retried = world.store.retry(&[tenant.org], id, EntryId(world.id()), Millis(0)).await.unwrap();
        assert!(matches!(retried, Retried::Refused(_)), "a new one is to be asked for");
    }
}

/// What is tried again keeps its charge; the one whose workers die gets it back in the end.
pub async fn a_poisonous_run_gets_its_credits_back(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = world.filed(&tenant).await;
    world.claim_one().await;
    world.clock.advance(LEASE);
    world.claim_one().await;
    assert_eq!(world.balance(&tenant).await, 0);
    world.clock.advance(LEASE);
    assert!(world.claim(5).await.is_empty());
    assert_eq!(world.status(&tenant, run).await, Status::Failed);
    assert_eq!(world.balance(&tenant).await, i64::from(PRICE));
}

/// Queued, running or in review: it has no place and no lease any more, is told of, and the audit knows who did it.
pub async fn a_cancelled_run_is_nobodys_work(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 3).await;
    let mut new = world.new_later(&tenant);
    new.run.webhooks = vec!["https://hooks.test/run".to_owned()];
    world.store.file(&world.filing_of(new.clone())).await.unwrap();
    let claim = world.claim_one().await;
    let waiting = world.filed(&tenant).await;
    world.clock.advance(Millis(5));
    let event = EventId(world.id());
    let by = &tenant.user;
    let cancelled =
        world.store.cancel(&[tenant.org], new.run.id, by, Some("wrong shoe"), event).await.unwrap();
    assert_eq!(cancelled, Cancelled::Now);
    let run = world.run(&tenant, new.run.id).await;
    assert_eq!((run.state, run.charged), (State::Cancelled { finished_at: world.now() }, 0));
    let told = world.store.outbox(tenant.org, run.id).await.unwrap();
    assert_eq!(told, [(event, "https://hooks.test/run".to_owned(), Status::Cancelled)]);
    let lost = world.store.renew(&world.worker(), &[claim.token], LEASE).await.unwrap();
    assert_eq!(lost, [claim.token]);
    let supplied = world.store.supply(claim.token, &world.image(), &[], None).await.unwrap();
    assert!(!supplied, "the lease is lost");
    let (balance, before) = (world.balance(&tenant).await, world.run(&tenant, new.run.id).await);
    for late in [world.success(), world.failure(Fault::Input), world.failure(Fault::Ours)] {
        assert_eq!(world.settle(claim.token, &late).await, Settled::LeaseLost);
    }
    world.store.hand_back(&[claim.token]).await.unwrap();
    assert_eq!(world.run(&tenant, new.run.id).await, before, "what comes late changes nothing");
    assert_eq!(world.balance(&tenant).await, balance);
    assert_eq!(cancel(&world, &tenant, waiting).await, Cancelled::Now);
    world.clock.advance(Millis::seconds(3600));
    assert!(world.claim(5).await.is_empty());
    assert_eq!(world.store.next_due().await.unwrap(), None);
    let audit = world.store.audit(tenant.org, None, 9).await.unwrap();
    let first = audit.iter().find(|entry| entry.subject == new.run.id.to_string()).expect("told");
    assert_eq!((first.action.as_str(), first.actor.as_ref()), ("run.cancelled", Some(by)));
    assert_eq!(first.details["reason"], "wrong shoe");
}

/// And changes nothing; nor does one for a run of somebody else.
pub async fn cancelling_what_has_ended_says_so(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let other = world.tenant("Other", 0).await;
    let mut ended = Vec::new();
    for how in [world.success(), world.failure(Fault::Input)] {
        let run = world.accepted(&tenant).await;
        let claim = world.claim_one().await;
        world.settle(claim.token, &how).await;
        ended.push(run);
    }
    let unpaid = world.new_run(&tenant);
    world.store.accept(&unpaid).await.unwrap();
    ended.push(unpaid.run.id);
    for (run, status) in ended.into_iter().zip([Status::Succeeded, Status::Failed, Status::Unpaid]) {
        assert_eq!(cancel(&world, &other, run).await, Cancelled::Missing);
        assert_eq!(cancel(&world, &tenant, run).await, Cancelled::Ended(status));
        assert_eq!(world.status(&tenant, run).await, status);
    }
    assert_eq!(cancel(&world, &tenant, RunId(world.id())).await, Cancelled::Missing);
    assert_eq!(entries(&world, &tenant, Kind::Refund).await, 0);
}

/// One that pays at its acceptance keeps its charge when it is cancelled.
pub async fn what_is_paid_at_acceptance_is_not_given_back(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let run = world.accepted(&tenant).await;
    assert_eq!(cancel(&world, &tenant, run).await, Cancelled::Now);
    assert_eq!((world.run(&tenant, run).await.charged, world.balance(&tenant).await), (PRICE, 0));
}

/// Those of its runs that have not ended, in one go.
pub async fn a_batch_is_cancelled_as_a_whole(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 10).await;
    let other = world.tenant("Other", 0).await;
    let filing = world.filing(&tenant, 5);
    world.store.file(&filing).await.unwrap();
    let elsewhere = world.filed(&tenant).await;
    let claims = world.claim(2).await;
    world.succeed(&claims[0]).await;
    let (batch, by, seed) = (handle(&filing), &tenant.user, world.id());
    let cancel = |org: OrgId| world.store.cancel_batch(org, batch, by, Some("enough"), seed);
    assert_eq!(cancel(other.org).await.unwrap(), None);
    assert_eq!(cancel(tenant.org).await.unwrap(), Some(4));
    assert_eq!(cancel(tenant.org).await.unwrap(), Some(0));
    assert_eq!(world.balance(&tenant).await, i64::from((10 - 2) * PRICE));
    assert_eq!(world.settle(claims[1].token, &world.success()).await, Settled::LeaseLost);
    let found = world.store.batch_of(tenant.org, batch).await.unwrap().unwrap();
    assert_eq!(
        (found.counts.in_status(Status::Cancelled), found.end()),
        (4, Some(BatchEnd::PartlySucceeded))
    );
    assert_eq!(found.ended_at, Some(world.now()));
    assert_eq!(told_of_batch(&world, &tenant, batch).await, [BatchEnd::PartlySucceeded]);
    assert_eq!(world.claim_one().await.run.id, elsewhere);
    assert_eq!(world.store.cancel_batch(tenant.org, world.id(), by, None, seed).await.unwrap(), None);

    let whole = world.filing(&tenant, 3);
    world.store.file(&whole).await.unwrap();
    let cancelled = world.store.cancel_batch(tenant.org, handle(&whole), by, None, world.id()).await.unwrap();
    assert_eq!(cancelled, Some(3));
    assert_eq!(told_of_batch(&world, &tenant, handle(&whole)).await, [BatchEnd::Cancelled]);
}

/// Whatever the order of its runs' ends, and however they end; never before all have.
pub async fn a_batch_tells_of_its_end_once(make: impl Fn() -> Empty) {
    #[derive(Clone, Copy, PartialEq)]
    enum End {
        Success,
        Failure,
        Stop,
    }
    use End::{Failure, Stop, Success};
    let (world, tenant) = World::founded(make(), 100).await;
    let cases = [
        ([Success, Success, Success], BatchEnd::Succeeded),
        ([Success, Failure, Stop], BatchEnd::PartlySucceeded),
        ([Failure, Stop, Success], BatchEnd::PartlySucceeded),
        ([Stop, Stop, Failure], BatchEnd::Failed),
        ([Failure, Failure, Failure], BatchEnd::Failed),
        ([Stop, Stop, Stop], BatchEnd::Cancelled),
    ];
    for (ends, expected) in cases {
        let filing = world.filing(&tenant, 3);
        world.store.file(&filing).await.unwrap();
        let claims = world.claim(3).await;
        for (nth, (claim, end)) in claims.iter().zip(ends).enumerate() {
            assert_eq!(told_of_batch(&world, &tenant, handle(&filing)).await, [], "{nth} of three");
            match end {
                Success => drop(world.succeed(claim).await),
                Failure => drop(world.settle(claim.token, &world.failure(Fault::Input)).await),
                Stop => drop(cancel(&world, &tenant, claim.run.id).await),
            }
            world.clock.advance(Millis(1));
        }
        assert_eq!(told_of_batch(&world, &tenant, handle(&filing)).await, [expected]);
        let batch = world.store.batch_of(tenant.org, handle(&filing)).await.unwrap().unwrap();
        assert_eq!((batch.end(), batch.started_at), (Some(expected), Some(filing.at)));
        assert_eq!(batch.ended_at, Some(filing.at + Millis(2)));
    }
}

/// Settled and cancelled by many at once.
pub async fn a_batch_that_ends_at_once_tells_once(make: impl Fn() -> Empty) {
    const RUNS: usize = 60;
    let (world, tenant) = World::founded(make(), RUNS as u32).await;
    let filing = world.filing(&tenant, RUNS as u32);
    world.store.file(&filing).await.unwrap();
    let claims = world.claim(RUNS).await;
    let world = Arc::new(world);
    let mut ending = JoinSet::new();
    for (nth, claim) in claims.into_iter().enumerate() {
        let (world, tenant) = (Arc::clone(&world), tenant.clone());
        ending.spawn(async move {
            match nth % 3 {
                0 => drop(world.succeed(&claim).await),
                1 => drop(world.settle(claim.token, &world.failure(Fault::Input)).await),
                _ => drop(cancel(&world, &tenant, claim.run.id).await),
            }
        });
    }
    ending.join_all().await;
    assert_eq!(told_of_batch(&world, &tenant, handle(&filing)).await, [BatchEnd::PartlySucceeded]);
    assert_eq!(world.balance(&tenant).await, i64::from(PRICE) * (RUNS as i64 * 2 / 3));
}

/// The picture, and steps with what was fetched in them; an old token changes nothing.
pub async fn what_is_fetched_is_noted_under_a_lease(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let new = world.new_later(&tenant);
    world.store.file(&world.filing_of(new.clone())).await.unwrap();
    let claim: Claim = world.claim_one().await;
    assert_eq!((claim.run.input.as_ref(), &claim.run.sources), (None, &new.run.sources));
    assert_eq!(claim.steps, tenant.workflow.version.steps);
    let (input, further) = (world.image(), world.image());
    let step = Step { kind: "shadow".to_owned(), label: "shadow".to_owned(), settings: json!({ "a": 1 }) };
    let supply = |token| {
        let (store, input, further, steps) = (&world.store, &input, [further.clone()], [step.clone()]);
        async move { store.supply(token, input, &further, Some(&steps)).await.unwrap() }
    };
    assert!(!supply(LeaseToken(world.id())).await);
    assert_eq!(world.store.image(&[tenant.org], input.hash).await.unwrap(), None);
    assert!(supply(claim.token).await);
    let run = world.run(&tenant, new.run.id).await;
    assert_eq!((run.input.as_ref(), run.sources.len()), (Some(&input), 0));
    assert_eq!(run.steps.as_deref(), Some(std::slice::from_ref(&step)));
    for image in [&input, &further] {
        assert_eq!(world.store.image(&[tenant.org], image.hash).await.unwrap().as_ref(), Some(image));
    }
    // Another attempt has them, and the one before can say nothing any more.
    world.clock.advance(LEASE);
    let second = world.claim_one().await;
    assert_eq!((second.run.input.as_ref(), second.steps), (Some(&input), vec![step]));
    let other = world.image();
    assert!(!world.store.supply(claim.token, &other, &[], None).await.unwrap());
    assert_eq!(world.run(&tenant, new.run.id).await.input, Some(input));
    assert_eq!(world.store.image(&[tenant.org], other.hash).await.unwrap(), None);
}

/// A batch of somebody else, its runs and its end are not there for anybody else.
pub async fn batches_are_their_organizations_own(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 2).await;
    let other = world.tenant("Other", 2).await;
    let filing = world.filing(&tenant, 2);
    world.store.file(&filing).await.unwrap();
    let batch = handle(&filing);
    assert_eq!(world.store.batch_of(other.org, batch).await.unwrap(), None);
    assert_eq!(world.store.batch(other.org, &batch.to_string()).await.unwrap(), None);
    let what = What::Batch { batch, end: BatchEnd::Succeeded };
    assert_eq!(world.store.told(other.org, what).await.unwrap(), None);
    let what = What::Run { run: filing.runs[0].run.id, status: Status::Queued };
    assert_eq!(world.store.told(other.org, what).await.unwrap(), None);
    assert!(world.store.told(tenant.org, what).await.unwrap().is_some());
    assert_eq!(world.balance(&other).await, i64::from(2 * PRICE));
}
