//! Subscriptions, what they are sent, telling once more, and the secrets that sign callbacks.

use std::collections::{BTreeMap, BTreeSet};

use domain::batch::BatchEnd;
use domain::delivery::{About, Delivery, DeliveryState, Disposition, Report};
use domain::event::{Kind, Told, What};
use domain::id::{EventId, LeaseToken, OrgId, SecretId, SubscriptionId};
use domain::run::{Fault, Status};
use domain::subscription::{CallbackSecret, Subscription};
use domain::time::{Millis, Timestamp};

use super::Empty;
use super::fixture::{LEASE, Tenant, World};
use crate::{Changing, SubscriptionChange, Taken, Taking, ToldAgain};

fn report(error: Option<&str>) -> Report {
    Report { took: Millis(3), status: None, error: error.map(str::to_owned), answer: String::new() }
}

async fn take(world: &World) -> Vec<Taken> {
    let tokens = (0..50).map(|_| LeaseToken(world.id())).collect();
    let busy = BTreeMap::new();
    let taking = Taking { tokens, lease: LEASE, per_org: 1000, per_receiver: 1000, busy, after: None };
    world.store.take_deliveries(&taking).await.unwrap()
}

async fn deliveries(world: &World, org: OrgId) -> Vec<Delivery> {
    world.store.deliveries(org, &Default::default(), 1000, None).await.unwrap().entries
}

/// What a subscription was to be sent: kinds, in no order.
async fn sent(world: &World, subscription: &Subscription) -> Vec<Kind> {
    let all = deliveries(world, subscription.org).await;
    let its = all.iter().filter(|delivery| delivery.subscription == Some(subscription.id));
    let mut kinds: Vec<_> = its.filter_map(|delivery| delivery.event.what.kind()).collect();
    kinds.sort_unstable();
    kinds
}

/// A batch of two: one succeeds, one fails.
async fn ended_batch(world: &World, tenant: &Tenant) -> crate::Filing {
    let filing = world.filing(tenant, 2);
    world.store.file(&filing).await.unwrap();
    let claims = world.claim(2).await;
    world.succeed(&claims[0]).await;
    world.settle(claims[1].token, &world.failure(Fault::Input)).await;
    filing
}

/// One for each event of its kinds, none when it is disabled, and none of another organization.
pub async fn a_subscription_is_sent_what_it_asked_for(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 20).await;
    let other = world.tenant("Other", 1).await;
    let all = world.subscription(&tenant);
    let failures = Subscription {
        kinds: BTreeSet::from([Kind::RunFailed, Kind::BatchFailed]),
        ..world.subscription(&tenant)
    };
    let disabled = Subscription { disabled_at: Some(world.now()), ..world.subscription(&tenant) };
    let theirs = world.subscription(&other);
    for subscription in [&all, &failures, &disabled] {
        world.store.subscribe(subscription, &tenant.user).await.unwrap();
    }
    world.store.subscribe(&theirs, &other.user).await.unwrap();
    world.clock.advance(Millis(9));
    let filing = ended_batch(&world, &tenant).await;
    let expected = [Kind::RunSucceeded, Kind::RunFailed, Kind::BatchPartlySucceeded];
    assert_eq!(sent(&world, &all).await, expected);
    assert_eq!(sent(&world, &failures).await, [Kind::RunFailed]);
    assert_eq!(sent(&world, &disabled).await, []);
    assert_eq!(sent(&world, &theirs).await, []);
    let kept = world.store.subscription(tenant.org, all.id).await.unwrap().unwrap();
    assert_eq!(kept.last_event_at, Some(world.now()));
    assert_eq!(kept, Subscription { last_event_at: Some(world.now()), ..all.clone() });

    // What is told, and in which words it is asked for.
    let taken = take(&world).await;
    let of_batch: Vec<_> =
        taken.iter().filter(|taken| matches!(taken.delivery.event.what, What::Batch { .. })).collect();
    assert_eq!(of_batch.len(), 2, "its own address and the subscription's");
    for taken in &of_batch {
        assert_eq!((taken.delivery.face.0.as_str(), &taken.told), ("runflow", &None));
        let told = world.store.told(tenant.org, taken.delivery.event.what).await.unwrap();
        let Some(Told::Batch(batch, runs)) = told else { panic!("{told:?}") };
        assert_eq!(batch.end(), Some(BatchEnd::PartlySucceeded));
        let places: Vec<_> = runs.iter().map(|run| (run.id, run.place)).collect();
        assert_eq!(places, [(filing.runs[0].run.id, Some(0)), (filing.runs[1].run.id, Some(1))]);
    }
    for taken in taken {
        let its_secret = taken.delivery.subscription.is_some().then_some(vec![1, 2, 3]);
        assert_eq!(taken.secret, its_secret);
        assert!(taken.delivery.is_automatic);
    }
}

/// The address of a subscription that was named with the run too is told twice: once for each.
pub async fn a_subscription_and_an_address_are_told_apart(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let subscription = world.subscription(&tenant);
    let same = Subscription { id: SubscriptionId(world.id()), ..subscription.clone() };
    for each in [&subscription, &same] {
        world.store.subscribe(each, &tenant.user).await.unwrap();
    }
    let mut new = world.new_later(&tenant);
    new.run.webhooks = vec![subscription.address.clone()];
    world.store.file(&world.filing_of(new)).await.unwrap();
    let claim = world.claim_one().await;
    world.succeed(&claim).await;
    let told: Vec<_> =
        deliveries(&world, tenant.org).await.iter().map(|delivery| delivery.subscription).collect();
    let all: BTreeSet<_> = told.iter().copied().collect();
    assert_eq!((told.len(), all), (3, BTreeSet::from([None, Some(subscription.id), Some(same.id)])));
}

/// Only from the state that was seen, each later than the one before; the audit is told without secrets.
pub async fn a_subscription_is_changed_from_what_was_seen(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 5).await;
    let other = world.tenant("Other", 0).await;
    let made = world.subscription(&tenant);
    world.store.subscribe(&made, &tenant.user).await.unwrap();
    let again = Subscription { address: "https://else.test/".to_owned(), ..made.clone() };
    world.store.subscribe(&again, &tenant.user).await.unwrap();
    assert_eq!(world.store.subscription(tenant.org, made.id).await.unwrap().as_ref(), Some(&made));
    let change = |org: OrgId, change: SubscriptionChange| {
        let (store, user) = (&world.store, &tenant.user);
        async move { store.change_subscription(org, made.id, &change, user).await.unwrap() }
    };
    let address =
        || SubscriptionChange { address: Some("https://new.test/".to_owned()), ..Default::default() };
    assert_eq!(change(other.org, address()).await, Changing::Missing);
    let seen = Some(made.updated_at);
    let Changing::Now(first) =
        change(tenant.org, SubscriptionChange { unless_changed_since: seen, ..address() }).await
    else {
        panic!("it was seen as it is")
    };
    assert_eq!(first.address, "https://new.test/");
    assert_eq!(first.updated_at, made.updated_at + Millis(1), "later, though no time has passed");
    let stale = SubscriptionChange { unless_changed_since: seen, ..address() };
    assert_eq!(change(tenant.org, stale).await, Changing::Stale);
    world.clock.advance(Millis(500));
    let all = SubscriptionChange {
        kinds: Some(BTreeSet::from([Kind::RunFailed])),
        secret: Some((vec![9], "ffff0000".to_owned())),
        ..Default::default()
    };
    let Changing::Now(second) = change(tenant.org, all).await else { panic!("nothing was asked to be seen") };
    let expected = Subscription {
        kinds: BTreeSet::from([Kind::RunFailed]),
        secret: vec![9],
        fingerprint: "ffff0000".to_owned(),
        updated_at: world.now(),
        ..first
    };
    assert_eq!(second, expected);
    assert_eq!(world.store.subscription(tenant.org, made.id).await.unwrap(), Some(expected));
    let audit = world.store.audit(tenant.org, None, 3).await.unwrap();
    let actions: Vec<_> = audit.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["subscription.changed", "subscription.changed", "subscription.made"]);
    assert!(audit.iter().all(|entry| entry.details.get("secret").is_none()));
}

/// Nothing is sent any more: what waited is given up, what comes is not recorded, and what was sent stays in the records.
pub async fn a_disabled_or_ended_subscription_is_sent_nothing(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 20).await;
    let other = world.tenant("Other", 0).await;
    let (first, second) = (world.subscription(&tenant), world.subscription(&tenant));
    let only = |subscription: &Subscription| Subscription {
        kinds: BTreeSet::from([Kind::RunSucceeded]),
        address: format!("https://hooks.test/{}", subscription.id),
        ..subscription.clone()
    };
    let (first, second) = (only(&first), only(&second));
    for each in [&first, &second] {
        world.store.subscribe(each, &tenant.user).await.unwrap();
    }
    let end_one = || async {
        world.filed(&tenant).await;
        let claim = world.claim_one().await;
        world.succeed(&claim).await;
    };
    end_one().await;
    let under_way = take(&world).await;
    assert_eq!(under_way.len(), 2);
    end_one().await;
    let disable = |at: Option<Timestamp>| {
        let change = SubscriptionChange { disabled_at: Some(at), ..Default::default() };
        let (store, user, org, id) = (&world.store, &tenant.user, tenant.org, first.id);
        async move { store.change_subscription(org, id, &change, user).await.unwrap() }
    };
    assert!(matches!(disable(Some(world.now())).await, Changing::Now(_)));
    assert!(!world.store.unsubscribe(other.org, second.id, &tenant.user).await.unwrap());
    assert!(world.store.unsubscribe(tenant.org, second.id, &tenant.user).await.unwrap());
    assert!(!world.store.unsubscribe(tenant.org, second.id, &tenant.user).await.unwrap());
    assert_eq!(world.store.subscription(tenant.org, second.id).await.unwrap(), None);
    for taken in under_way {
        let counted = world.store.settle_delivery(taken.token, &report(None), Disposition::Delivered).await;
        assert!(!counted.unwrap(), "it was given up meanwhile");
    }
    world.clock.advance(LEASE);
    assert!(take(&world).await.is_empty());
    end_one().await;
    let all = deliveries(&world, tenant.org).await;
    assert_eq!(all.len(), 4, "two events for each, and none since");
    for delivery in all {
        assert!(matches!(delivery.state, DeliveryState::Failed { .. }));
        let expected = match delivery.subscription == Some(first.id) {
            true => "subscription_disabled",
            false => "subscription_ended",
        };
        let (_, attempts) = world.store.delivery(&[tenant.org], delivery.id).await.unwrap().unwrap();
        let errors: Vec<_> = attempts.iter().map(|attempt| attempt.report.error.as_deref()).collect();
        assert_eq!(errors, [Some(expected)]);
    }
    disable(None).await;
    end_one().await;
    assert_eq!(sent(&world, &first).await.len(), 3);
}

/// The body that was kept first, whoever words it later; what signs it may change.
pub async fn a_delivery_keeps_its_body(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 1).await;
    let mut new = world.new_later(&tenant);
    new.run.webhooks = vec!["https://hooks.test/".to_owned()];
    world.store.file(&world.filing_of(new)).await.unwrap();
    let claim = world.claim_one().await;
    world.succeed(&claim).await;
    let secrets = [SecretId(world.id()), SecretId(world.id())];
    for (attempt, (body, secret)) in
        [(b"first", Some(secrets[0])), (b"other", Some(secrets[1])), (b"third", None)].into_iter().enumerate()
    {
        let taken = take(&world).await.remove(0);
        assert_eq!(taken.delivery.body.as_deref(), (attempt > 0).then_some(&b"first"[..]));
        assert!(world.store.keep_body(taken.token, body, secret).await.unwrap());
        let (kept, _) = world.store.delivery(&[tenant.org], taken.delivery.id).await.unwrap().unwrap();
        assert_eq!((kept.body.as_deref(), kept.secret), (Some(&b"first"[..]), secret));
        let again = Disposition::Again(Millis(10));
        assert!(world.store.settle_delivery(taken.token, &report(Some("timed_out")), again).await.unwrap());
        assert!(!world.store.keep_body(taken.token, b"late!", None).await.unwrap(), "the lease is over");
        world.clock.advance(Millis(10));
    }
}

/// Once it has ended, has an address, and nothing is on its way already.
pub async fn an_end_is_told_again_on_request(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 9).await;
    let other = world.tenant("Other", 0).await;
    let mut filing = world.filing(&tenant, 1);
    filing.runs[0].run.webhooks = vec!["https://hooks.test/1".to_owned(), "https://hooks.test/2".to_owned()];
    world.store.file(&filing).await.unwrap();
    let (run, batch) = (filing.runs[0].run.id, filing.batch.as_ref().unwrap().handle);
    let again = |org: OrgId, about| {
        let (store, event) = (&world.store, EventId(world.id()));
        async move { store.tell_again(org, about, event).await.unwrap() }
    };
    let both = [About::Run(run), About::Batch(batch)];
    for about in both {
        assert_eq!(again(tenant.org, about).await, ToldAgain::NotEnded);
        assert_eq!(again(other.org, about).await, ToldAgain::Missing);
    }
    let claim = world.claim_one().await;
    world.succeed(&claim).await;
    for about in both {
        assert_eq!(again(tenant.org, about).await, ToldAgain::UnderWay);
        assert_eq!(again(other.org, about).await, ToldAgain::Missing);
    }
    for taken in take(&world).await {
        world.store.settle_delivery(taken.token, &report(Some("gone")), Disposition::GivenUp).await.unwrap();
    }
    for about in both {
        let ToldAgain::Due(id) = again(tenant.org, about).await else { panic!("it has ended") };
        assert_eq!(again(tenant.org, about).await, ToldAgain::UnderWay);
        let (delivery, _) = world.store.delivery(&[tenant.org], id).await.unwrap().unwrap();
        assert!(!delivery.is_automatic && delivery.body.is_none() && delivery.subscription.is_none());
        let (what, address) = match about {
            About::Run(_) => (What::Run { run, status: Status::Succeeded }, "https://hooks.test/1"),
            About::Batch(_) => (What::Batch { batch, end: BatchEnd::Succeeded }, "https://hooks.test/batch"),
        };
        assert_eq!((delivery.event.what, delivery.address.as_str()), (what, address));
    }
    assert_eq!(take(&world).await.len(), 2);
    let silent = world.filed(&tenant).await;
    let claim = world.claim_one().await;
    world.succeed(&claim).await;
    assert_eq!(again(tenant.org, About::Run(silent)).await, ToldAgain::NoAddress);
    for about in [About::Run(domain::id::RunId(world.id())), About::Batch(world.id())] {
        assert_eq!(again(tenant.org, about).await, ToldAgain::Missing);
    }
}

fn secret(world: &World, tenant: &Tenant, prefix: &str) -> CallbackSecret {
    CallbackSecret {
        id: SecretId(world.id()),
        org: tenant.org,
        label: Some(prefix.to_owned()),
        prefix: prefix.to_owned(),
        secret: vec![5; 40],
        is_current: false,
        last_used_at: None,
        created_at: world.now(),
        updated_at: world.now(),
    }
}

/// The first signs until another is made current; when it is deleted, the newest of the others does.
pub async fn one_secret_signs_at_a_time(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    let other = world.tenant("Other", 0).await;
    let (store, by) = (&world.store, &tenant.user);
    assert_eq!(store.current_secret(tenant.org, true).await.unwrap(), None);
    let mut secrets = Vec::new();
    for prefix in ["a", "b", "c", "d"] {
        let new = secret(&world, &tenant, prefix);
        let added = store.add_secret(&new, by).await.unwrap();
        assert_eq!(added, CallbackSecret { is_current: prefix == "a", ..new.clone() });
        assert_eq!(store.add_secret(&new, by).await.unwrap(), added, "once");
        secrets.push(added);
        world.clock.advance(Millis(1));
    }
    let ids: Vec<_> = secrets.iter().map(|secret| secret.id).collect();
    let current = || async {
        let mut signing = Vec::new();
        for id in &ids {
            signing.extend(store.secret(tenant.org, *id).await.unwrap().filter(|secret| secret.is_current));
        }
        assert!(signing.len() <= 1, "{signing:?}");
        assert_eq!(store.current_secret(tenant.org, false).await.unwrap(), signing.first().cloned());
        signing.first().map(|secret| secret.prefix.clone())
    };
    assert_eq!(current().await.as_deref(), Some("a"));
    let renamed = store.change_secret(tenant.org, ids[0], Some(None), false, by).await.unwrap().unwrap();
    assert_eq!((renamed.label, renamed.is_current, renamed.updated_at), (None, true, world.now()));
    let promoted = store.change_secret(tenant.org, ids[1], None, true, by).await.unwrap().unwrap();
    assert!(promoted.is_current && promoted.label.as_deref() == Some("b"));
    assert_eq!(current().await.as_deref(), Some("b"));
    assert!(store.delete_secret(tenant.org, ids[2], by).await.unwrap());
    assert_eq!(current().await.as_deref(), Some("b"), "another one's deletion changes nothing");
    assert!(store.delete_secret(tenant.org, ids[1], by).await.unwrap());
    assert_eq!(current().await.as_deref(), Some("d"), "the newest that is left");
    assert!(store.delete_secret(tenant.org, ids[3], by).await.unwrap());
    assert_eq!(current().await.as_deref(), Some("a"));
    assert!(!store.delete_secret(tenant.org, ids[3], by).await.unwrap());

    for id in [ids[0], SecretId(world.id())] {
        assert_eq!(store.secret(other.org, id).await.unwrap(), None);
        assert_eq!(store.change_secret(other.org, id, None, true, by).await.unwrap(), None);
        assert!(!store.delete_secret(other.org, id, by).await.unwrap());
    }
    let stolen = CallbackSecret { org: other.org, ..secrets[0].clone() };
    assert!(store.add_secret(&stolen, by).await.is_err());
    assert!(store.delete_secret(tenant.org, ids[0], by).await.unwrap());
    assert_eq!(current().await, None);
}

/// Not more often than once a minute, and not by a look.
pub async fn a_secrets_use_is_noted_now_and_then(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 0).await;
    world.store.add_secret(&secret(&world, &tenant, "a"), &tenant.user).await.unwrap();
    let noted = |used| {
        let (store, org) = (&world.store, tenant.org);
        async move { store.current_secret(org, used).await.unwrap().unwrap().last_used_at }
    };
    assert_eq!(noted(false).await, None);
    let first = world.now();
    assert_eq!(noted(true).await, Some(first));
    world.clock.advance(Millis(59_999));
    assert_eq!(noted(true).await, Some(first));
    world.clock.advance(Millis(1));
    assert_eq!(noted(false).await, Some(first));
    assert_eq!(noted(true).await, Some(world.now()));
}
