//! Lists of batches.

use domain::filter::{Expr, Listing, Value};
use domain::id::EventId;
use domain::page::Window;
use domain::run::Fault;

use super::super::Empty;
use super::super::fixture::World;
use super::compare::compare;
use super::history::{filing, two};
use super::{ALL, plain};
use crate::{BatchField, Listed};

/// Every field of a batch: of those that may grow, and of those that are whole.
pub async fn batches_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, _) in &tenants {
        let batches =
            world.store.batches(tenant.org, None, Window { limit: ALL, offset: 0 }).await.unwrap().entries;
        assert!(batches.len() >= 4 && batches.iter().any(|batch| batch.size.is_some()));
        compare(batches, BatchField::ALL, BatchField::kind, async |listing| {
            world.store.list_batches(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}

/// A batch is queued until one of its runs is not, and running until none of them is under way.
pub async fn a_batch_is_found_by_where_it_stands(make: impl Fn() -> Empty) {
    let (world, tenant) = World::founded(make(), 30).await;
    let ended = |failing: usize, cancelling: usize| {
        let (world, tenant) = (&world, &tenant);
        async move {
            let mut filing = filing(world, tenant);
            filing.runs.pop();
            let handle = filing.batch.as_ref().unwrap().handle;
            world.store.file(&filing).await.unwrap();
            let status = async || {
                let one = Some(Expr::is(BatchField::Id, Value::Id(handle)));
                let listing = Listing { filter: one, ..plain(Vec::new()) };
                let found = world.store.list_batches(tenant.org, &listing).await.unwrap().entries.remove(0);
                let named = Value::Text(found.status().as_str().to_owned());
                assert_eq!(found.value(BatchField::Status), Some(named.clone()));
                let filter = Some(Expr::And(vec![
                    Expr::is(BatchField::Id, Value::Id(handle)),
                    Expr::is(BatchField::Status, named),
                ]));
                let listing = Listing { filter, ..plain(Vec::new()) };
                assert_eq!(
                    world.store.list_batches(tenant.org, &listing).await.unwrap().entries,
                    std::slice::from_ref(&found)
                );
                found.status().as_str()
            };
            let mut seen = vec![status().await];
            for (nth, new) in filing.runs.iter().enumerate() {
                if nth < cancelling {
                    let event = EventId(world.id());
                    world.store.cancel(&[tenant.org], new.run.id, &tenant.user, None, event).await.unwrap();
                }
            }
            for (nth, claim) in world.claim(10).await.into_iter().enumerate() {
                seen.push(status().await);
                let how = if nth < failing { world.failure(Fault::Input) } else { world.success() };
                world.settle(claim.token, &how).await;
            }
            seen.push(status().await);
            seen.dedup();
            seen
        }
    };
    assert_eq!(ended(0, 0).await, ["queued", "running", "succeeded"]);
    assert_eq!(ended(1, 0).await, ["queued", "running", "partly_succeeded"]);
    assert_eq!(ended(0, 2).await, ["queued", "running", "partly_succeeded"]);
    assert_eq!(ended(3, 0).await, ["queued", "running", "failed"]);
    assert_eq!(ended(1, 2).await, ["queued", "running", "failed"]);
    assert_eq!(ended(0, 3).await, ["queued", "cancelled"]);
}
