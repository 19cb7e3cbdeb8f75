//! Lists of deliveries, of their attempts, and the callbacks about one thing.

use domain::delivery::{About, DeliveryFilter, Disposition, Report as Answer};
use domain::id::{LeaseToken, OrgId};
use domain::time::Millis;

use super::super::Empty;
use super::super::fixture::{LEASE, World};
use super::compare::compare;
use super::history::{filing, two};
use super::{ALL, plain};
use crate::{AttemptField, DeliveryField, ListedAttempt, Taking};

/// Takes every delivery that is due; some are taken, some are not, some are given up.
async fn send(world: &World) {
    for _ in 0..3 {
        world.clock.advance(Millis::seconds(60));
        let tokens = (0..200).map(|_| LeaseToken(world.id())).collect();
        let taking = Taking {
            tokens,
            lease: LEASE,
            per_org: 500,
            per_receiver: 500,
            busy: std::collections::BTreeMap::new(),
            after: None,
        };
        for (nth, taken) in world.store.take_deliveries(&taking).await.unwrap().into_iter().enumerate() {
            world.clock.advance(Millis((nth % 2) as i64));
            let (status, error, disposition) = match nth % 4 {
                0 => (Some(200), None, Disposition::Delivered),
                1 => (Some(500), Some("http_error"), Disposition::Again(Millis::seconds(30))),
                2 => (None, Some("timed_out"), Disposition::GivenUp),
                _ => continue,
            };
            let error = error.map(str::to_owned);
            let answer = Answer { took: Millis(nth as i64), status, error, answer: "said".to_owned() };
            assert!(world.store.settle_delivery(taken.token, &answer, disposition).await.unwrap());
        }
    }
}

/// Every field of a delivery and of an attempt, of all subscriptions and of one; callbacks are not among them.
pub async fn deliveries_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    send(&world).await;
    let mut waiting = 0;
    for (tenant, runs) in &tenants {
        let listed = world.store.deliveries(tenant.org, &DeliveryFilter::default(), ALL, None).await.unwrap();
        let (mut all, mut attempts, mut callbacks) = (Vec::new(), Vec::new(), Vec::new());
        for delivery in listed.entries {
            let (delivery, made) =
                world.store.delivery(&[tenant.org], delivery.id).await.unwrap().expect("there");
            if delivery.subscription.is_none() {
                callbacks.push((delivery, made));
                continue;
            }
            let last = made.len();
            for (nth, attempt) in made.into_iter().enumerate() {
                let next_at = match delivery.state {
                    domain::delivery::DeliveryState::Pending { due_at } if nth + 1 == last => Some(due_at),
                    _ => None,
                };
                attempts.push(ListedAttempt { delivery: delivery.id, attempt, next_at });
            }
            all.push(delivery);
        }
        assert!(!callbacks.is_empty());
        waiting += attempts.iter().filter(|attempt| attempt.next_at.is_some()).count();
        let of = all[0].subscription.expect("of a subscription");
        let of_one: Vec<_> =
            all.iter().filter(|delivery| delivery.subscription == Some(of)).cloned().collect();
        for (subscription, rows) in [(None, all.clone()), (Some(of), of_one)] {
            compare(rows, DeliveryField::ALL, DeliveryField::kind, async |listing| {
                world.store.list_deliveries(tenant.org, subscription, &listing).await.unwrap()
            })
            .await;
        }
        let most = all.iter().max_by_key(|delivery| delivery.attempts).expect("some").id;
        let of_one: Vec<_> = attempts.iter().filter(|attempt| attempt.delivery == most).cloned().collect();
        for (delivery, rows) in [(None, attempts.clone()), (Some(most), of_one)] {
            compare(rows, AttemptField::ALL, AttemptField::kind, async |listing| {
                world.store.list_attempts(tenant.org, delivery, &listing).await.unwrap()
            })
            .await;
        }
        let mut told = Vec::new();
        for run in runs {
            let about = world.store.callbacks(tenant.org, About::Run(*run)).await.unwrap();
            assert!(about.is_sorted_by_key(|(delivery, _)| (delivery.event.at, delivery.id)));
            told.extend(about);
        }
        callbacks.sort_by_key(|(delivery, _)| delivery.id);
        told.sort_by_key(|(delivery, _)| delivery.id);
        assert_eq!(told, callbacks);
    }
    assert!(waiting > 0, "some are tried again");
    let [(ours, _), (theirs, their_runs)] = &tenants;
    for run in their_runs {
        assert_eq!(world.store.callbacks(ours.org, About::Run(*run)).await.unwrap(), []);
    }
    let listed = world.store.list_deliveries(theirs.org, None, &plain(Vec::new())).await.unwrap().entries;
    for delivery in listed {
        let found = world.store.list_attempts(ours.org, Some(delivery.id), &plain(Vec::new())).await.unwrap();
        assert_eq!(found.entries, []);
        let found =
            world.store.list_deliveries(ours.org, delivery.subscription, &plain(Vec::new())).await.unwrap();
        assert_eq!(found.entries, []);
    }
}

/// The end of a batch is told once, and that is among its callbacks.
pub async fn a_batch_has_its_callback(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 10).await;
    let filing = filing(&world, &tenant);
    let handle = filing.batch.as_ref().unwrap().handle;
    world.store.file(&filing).await.unwrap();
    assert_eq!(world.store.callbacks(tenant.org, About::Batch(handle)).await.unwrap(), []);
    for claim in world.claim(10).await {
        world.settle(claim.token, &world.success()).await;
    }
    let told = world.store.callbacks(tenant.org, About::Batch(handle)).await.unwrap();
    let addresses: Vec<_> = told.iter().map(|(delivery, _)| delivery.address.as_str()).collect();
    assert_eq!(addresses, ["https://a.test/batch"]);
    assert_eq!(world.store.callbacks(OrgId(world.id()), About::Batch(handle)).await.unwrap(), []);
}
