//! Behaviours of deliveries: who is told, when, and what is kept of it.

use std::collections::BTreeMap;

use domain::delivery::{DeliveryFilter, DeliveryState, DeliveryStatus, Disposition, Report};
use domain::event::{Told, What};
use domain::id::{DeliveryId, LeaseToken, RunId};
use domain::run::{Fault, State, Status};
use domain::time::Millis;

use super::Empty;
use super::fixture::{LEASE, Tenant, World};
use crate::{Keeping, Redelivery, Swept, Taken, Taking, WebhookSecret};

fn report(status: Option<u16>, error: Option<&str>) -> Report {
    Report { took: Millis(12), status, error: error.map(str::to_owned), answer: "said".to_owned() }
}

fn taking(world: &World, many: usize, per_receiver: usize) -> Taking {
    let tokens = (0..many).map(|_| LeaseToken(world.id())).collect();
    Taking { tokens, lease: LEASE, per_org: 1000, per_receiver, busy: BTreeMap::new(), after: None }
}

async fn take(world: &World, many: usize) -> Vec<Taken> {
    world.store.take_deliveries(&taking(world, many, 100)).await.unwrap()
}

/// A run that ended with a result and tells these addresses.
async fn ended(world: &World, tenant: &Tenant, addresses: &[&str]) -> RunId {
    let mut new = world.new_run(tenant);
    new.run.webhooks = addresses.iter().map(|address| (*address).to_owned()).collect();
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
    new.run.id
}

/// And tells what was true when it was recorded, whatever became of the run since.
pub async fn a_delivery_tells_what_was_true_then(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks = vec!["https://a.test/1".to_owned(), "https://b.test/2".to_owned()];
    new.run.labels.insert("sku".to_owned(), "1".to_owned());
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.clock.advance(Millis(500));
    world.settle(claim.token, &world.failure(Fault::Input)).await;
    let failed = world.run(&tenant, new.run.id).await;
    world.clock.advance(Millis(500));
    world.store.retry(&[tenant.org], new.run.id, domain::id::EntryId(world.id()), Millis(0)).await.unwrap();
    let claim = world.claim_one().await;
    world.clock.advance(Millis(500));
    world.settle(claim.token, &world.success()).await;
    let succeeded = world.run(&tenant, new.run.id).await;

    let taken = take(&world, 10).await;
    assert_eq!(taken.len(), 4);
    for (status, run) in [(Status::Failed, &failed), (Status::Succeeded, &succeeded)] {
        let told: Vec<_> = taken
            .iter()
            .filter(|taken| taken.delivery.event.what == What::Run { run: new.run.id, status })
            .collect();
        assert_eq!(told.len(), 2, "one for each address");
        let then = Told::Run(Box::new(run.clone()));
        assert!(told.iter().all(|taken| taken.told.as_ref() == Some(&then)), "{:?}", told[0].told);
        assert_eq!(told[0].delivery.event.id, told[1].delivery.event.id);
        assert_ne!(told[0].delivery.id, told[1].delivery.id);
    }
    assert!(
        matches!(failed.state, State::Failed { .. }) && matches!(succeeded.state, State::Succeeded { .. })
    );
    assert_eq!(taken.iter().filter(|taken| taken.receiver == "a.test:443").count(), 2);
}

/// And is over when its receiver has taken it, or its attempts have come to an end; every attempt is kept.
pub async fn every_attempt_is_kept(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    ended(&world, &tenant, &["https://a.test/"]).await;
    let mut id = None;
    for (number, disposition) in
        [Disposition::Again(Millis(1000)), Disposition::GivenUp, Disposition::Delivered]
            .into_iter()
            .enumerate()
    {
        let mut taken = take(&world, 5).await;
        assert_eq!(taken.len(), 1, "attempt {number}");
        let taken = taken.remove(0);
        assert_eq!((taken.delivery.attempts as usize, taken.failed as usize), (number, [0, 1, 0][number]));
        id = Some(taken.delivery.id);
        assert!(take(&world, 5).await.is_empty(), "it is under way");
        let error = (disposition != Disposition::Delivered).then_some("timed_out");
        assert!(world.store.settle_delivery(taken.token, &report(None, error), disposition).await.unwrap());
        assert!(
            !world.store.settle_delivery(taken.token, &report(None, error), disposition).await.unwrap(),
            "once"
        );
        assert!(take(&world, 5).await.is_empty(), "it waits, or is over");
        if number == 0 {
            let due = world.store.next_delivery_due().await.unwrap().unwrap();
            assert_eq!(due, world.now() + Millis(1000));
            world.clock.advance(Millis(1000));
        } else if number == 1 {
            assert_eq!(world.store.next_delivery_due().await.unwrap(), None);
            assert_eq!(
                world.store.redeliver(&[tenant.org], taken.delivery.id).await.unwrap(),
                Redelivery::Due
            );
        }
    }
    let (delivery, attempts) = world.store.delivery(&[tenant.org], id.unwrap()).await.unwrap().unwrap();
    assert_eq!(delivery.state, DeliveryState::Delivered { at: world.now() });
    let told: Vec<_> =
        attempts.iter().map(|attempt| (attempt.number, attempt.report.error.as_deref())).collect();
    assert_eq!(told, [(1, Some("timed_out")), (2, Some("timed_out")), (3, None)]);
    assert_eq!(attempts[0].report, report(None, Some("timed_out")));
}

/// And the one who let it run out can change nothing any more.
pub async fn a_delivery_whose_lease_is_over_is_taken_again(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    ended(&world, &tenant, &["https://a.test/"]).await;
    let late = take(&world, 1).await.remove(0);
    assert_eq!(world.store.redeliver(&[tenant.org], late.delivery.id).await.unwrap(), Redelivery::UnderWay);
    world.clock.advance(LEASE);
    let second = take(&world, 1).await.remove(0);
    assert_eq!(second.delivery.id, late.delivery.id);
    let ok = report(Some(200), None);
    assert!(!world.store.settle_delivery(late.token, &ok, Disposition::Delivered).await.unwrap());
    world.store.hand_back_deliveries(&[late.token]).await.unwrap();
    assert!(take(&world, 1).await.is_empty(), "the late one gave nothing back");
    world.store.hand_back_deliveries(&[second.token]).await.unwrap();
    let third = take(&world, 1).await.remove(0);
    assert_eq!(third.delivery.attempts, 0, "what was handed back does not count");
    assert!(world.store.settle_delivery(third.token, &ok, Disposition::Delivered).await.unwrap());
}

/// A receiver with a backlog gets its share and no more, and a busy one is passed over.
pub async fn a_receiver_with_a_backlog_delays_no_other(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 50).await;
    let slow: Vec<_> = (0..20).map(|number| format!("https://slow.test/{number}")).collect();
    let slow: Vec<_> = slow.iter().map(String::as_str).collect();
    ended(&world, &tenant, &slow).await;
    ended(&world, &tenant, &slow).await;
    world.clock.advance(Millis(1));
    ended(&world, &tenant, &["https://zeta.test/", "https://alpha.test/1", "https://alpha.test/2"]).await;
    let receivers = |taken: &[Taken]| {
        let mut receivers: Vec<_> = taken.iter().map(|taken| taken.receiver.clone()).collect();
        receivers.sort();
        receivers
    };
    let first = world.store.take_deliveries(&taking(&world, 8, 2)).await.unwrap();
    let (alpha, slow, zeta) = ("alpha.test:443", "slow.test:443", "zeta.test:443");
    assert_eq!(receivers(&first), [alpha, alpha, slow, slow, zeta]);
    let under_way = BTreeMap::from([(tenant.org, BTreeMap::from([(slow.to_owned(), 2)]))]);
    let busy = Taking { busy: under_way, ..taking(&world, 8, 2) };
    assert!(world.store.take_deliveries(&busy).await.unwrap().is_empty());
    // With one token at a time, everybody has a turn before anybody has another.
    world.clock.advance(LEASE);
    let mut turns = Vec::new();
    for _ in 0..9 {
        turns.extend(receivers(&world.store.take_deliveries(&taking(&world, 1, 9)).await.unwrap()));
    }
    assert_eq!(turns, [slow, alpha, zeta, slow, alpha, slow, slow, slow, slow]);
}

/// However many of its receivers hang: each organization has its turn, and no more than its share at a time.
pub async fn an_organization_with_many_receivers_delays_no_other(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 50).await;
    let other = world.tenant("Other", 10).await;
    let third = world.tenant("Third", 10).await;
    for run in 0..10 {
        let hung: Vec<_> =
            (0..20).map(|number| format!("https://hung.test:{}/", 1000 + 20 * run + number)).collect();
        ended(&world, &tenant, &hung.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    world.clock.advance(Millis(1));
    for tenant in [&other, &third] {
        ended(&world, tenant, &["https://good.test/1", "https://good.test/2", "https://also.test/"]).await;
    }
    let orgs = |taken: &[Taken]| taken.iter().map(|taken| taken.delivery.event.org).collect::<Vec<_>>();
    let count = |taken: &[Taken], org| orgs(taken).into_iter().filter(|each| *each == org).count();
    let asked = Taking { per_org: 16, ..taking(&world, 64, 1) };
    let first = world.store.take_deliveries(&asked).await.unwrap();
    let counts = [&tenant, &other, &third].map(|tenant| count(&first, tenant.org));
    assert_eq!(counts, [16, 2, 2], "a share for one, one attempt at a time to each receiver");
    let different: std::collections::BTreeSet<_> = first.iter().map(|taken| &taken.receiver).collect();
    assert_eq!(different.len(), 18);
    let mut busy: BTreeMap<_, BTreeMap<String, usize>> = BTreeMap::new();
    for taken in &first {
        *busy.entry(taken.delivery.event.org).or_default().entry(taken.receiver.clone()).or_default() += 1;
    }
    let again = Taking { per_org: 16, busy, ..taking(&world, 64, 1) };
    assert!(world.store.take_deliveries(&again).await.unwrap().is_empty(), "everybody has what they may");
    // The same receiver's place in one organization is no other's.
    let turns = Taking { after: Some(tenant.org), ..taking(&world, 2, 1) };
    let turns = world.store.take_deliveries(&turns).await.unwrap();
    assert_eq!(orgs(&turns), [other.org, third.org]);
    assert!(turns.iter().all(|taken| taken.receiver == "good.test:443"));
    let rest = world.store.take_deliveries(&taking(&world, 500, 1)).await.unwrap();
    assert_eq!(orgs(&rest), vec![tenant.org; 184], "and nobody is forgotten");
    let different: std::collections::BTreeSet<_> = rest.iter().map(|taken| &taken.receiver).collect();
    assert_eq!(different.len(), 184);
}

/// Newest first, by cursor, filtered, and only their own.
pub async fn deliveries_are_listed_for_their_owner(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 10).await;
    let other = world.tenant("Other", 1).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(ended(&world, &tenant, &["https://a.test/", "https://b.test/"]).await);
        world.clock.advance(Millis(10));
    }
    ended(&world, &other, &["https://a.test/"]).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let filter = DeliveryFilter::default();
        let slice = world.store.deliveries(tenant.org, &filter, 4, after).await.unwrap();
        seen.extend(slice.entries);
        after = slice.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.windows(2).all(|two| (two[0].event.at, two[0].id) > (two[1].event.at, two[1].id)));
    assert!(seen.iter().all(|delivery| delivery.event.org == tenant.org));

    let of_run = DeliveryFilter { run: Some(runs[1]), ..DeliveryFilter::default() };
    assert_eq!(world.store.deliveries(tenant.org, &of_run, 50, None).await.unwrap().entries.len(), 2);
    assert!(world.store.deliveries(other.org, &of_run, 50, None).await.unwrap().entries.is_empty());
    let taken = take(&world, 100).await;
    let mine = taken.iter().find(|taken| taken.delivery.id == seen[0].id).unwrap();
    world.store.settle_delivery(mine.token, &report(Some(204), None), Disposition::Delivered).await.unwrap();
    for (status, many) in
        [(DeliveryStatus::Delivered, 1), (DeliveryStatus::Pending, 5), (DeliveryStatus::Failed, 0)]
    {
        let filter = DeliveryFilter { status: Some(status), run: None };
        assert_eq!(world.store.deliveries(tenant.org, &filter, 50, None).await.unwrap().entries.len(), many);
    }
    assert!(world.store.delivery(&[other.org], seen[0].id).await.unwrap().is_none());
    for (org, id) in [(other.org, seen[0].id), (tenant.org, DeliveryId(world.id()))] {
        assert_eq!(world.store.redeliver(&[org], id).await.unwrap(), Redelivery::Missing);
    }
}

/// And once changed, the old one is told beside it until its time is over.
pub async fn a_secret_is_made_once_and_outlives_its_change(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let (first, second) = (WebhookSecret([1; 32]), WebhookSecret([2; 32]));
    let store = &world.store;
    assert_eq!(store.webhook_secrets(tenant.org, first).await.unwrap().current, first);
    let again = store.webhook_secrets(tenant.org, second).await.unwrap();
    assert_eq!((again.current, again.previous), (first, None));
    let changed = store.rotate_webhook_secret(tenant.org, second, Millis(1000), &tenant.user).await.unwrap();
    assert_eq!((changed.current, changed.previous), (second, Some((first, world.now() + Millis(1000)))));
    world.clock.advance(Millis(999));
    assert!(store.webhook_secrets(tenant.org, first).await.unwrap().previous.is_some());
    world.clock.advance(Millis(1));
    assert_eq!(store.webhook_secrets(tenant.org, first).await.unwrap().previous, None);
    let nobody = domain::id::OrgId(world.id());
    assert!(store.webhook_secrets(nobody, first).await.is_err());
}

/// Once it has ended long enough ago; what is pending or young stays, and so do runs and their charges.
pub async fn a_delivery_is_forgotten_long_after_its_end(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 10).await;
    let old = ended(&world, &tenant, &["https://a.test/", "https://b.test/"]).await;
    let mut taken = take(&world, 2).await;
    let (pending, done) = (taken.remove(1), taken.remove(0));
    let store = &world.store;
    store.settle_delivery(done.token, &report(Some(200), None), Disposition::Delivered).await.unwrap();
    let keeping = Keeping { deliveries: Millis(1000), access: Millis(1000) };
    world.clock.advance(Millis(1000));
    let young = ended(&world, &tenant, &["https://c.test/"]).await;
    let third = take(&world, 1).await.remove(0);
    store.settle_delivery(third.token, &report(None, Some("gone")), Disposition::GivenUp).await.unwrap();
    assert_eq!(store.sweep(keeping).await.unwrap().total(), 0, "kept for as long as was said");
    world.clock.advance(Millis(1));
    assert_eq!(store.sweep(keeping).await.unwrap(), Swept { deliveries: 1, ..Swept::default() });
    assert!(store.delivery(&[tenant.org], done.delivery.id).await.unwrap().is_none());
    assert_eq!(store.redeliver(&[tenant.org], done.delivery.id).await.unwrap(), Redelivery::Missing);
    for (run, left) in [(old, pending.delivery.id), (young, third.delivery.id)] {
        let filter = DeliveryFilter { run: Some(run), status: None };
        let found = store.deliveries(tenant.org, &filter, 9, None).await.unwrap().entries;
        assert_eq!(found.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [left]);
        assert_eq!(world.status(&tenant, run).await, Status::Succeeded);
    }
    assert_eq!(store.sweep(keeping).await.unwrap().total(), 0);
}
