//! Lists of runs.

use std::collections::BTreeSet;

use domain::run::Status;

use super::super::Empty;
use super::compare::compare;
use super::history::two;
use crate::RunField;

/// Every field of a run, in every status there is.
pub async fn runs_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, ids) in &tenants {
        let mut runs = Vec::new();
        for id in ids {
            runs.push(world.run(tenant, *id).await);
        }
        let statuses: BTreeSet<_> = runs.iter().map(|run| run.state.status()).collect();
        if tenant.org == tenants[1].0.org {
            assert_eq!(statuses, BTreeSet::from(Status::ALL), "one in each status");
        }
        compare(runs, RunField::ALL, RunField::kind, async |listing| {
            world.store.list_runs(tenant.org, &listing).await.unwrap()
        })
        .await;
    }
}
