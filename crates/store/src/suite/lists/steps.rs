//! Lists of the steps of runs that succeeded or failed.

use domain::run::State;

use super::super::Empty;
use super::compare::compare;
use super::history::two;
use super::plain;
use crate::{ListedStep, StepField};

/// Every field of a step, of all runs that succeeded or failed and of one.
pub async fn steps_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, runs) in &tenants {
        let mut all = Vec::new();
        for run in runs {
            let (started_at, finished_at, made_by) = match world.run(tenant, *run).await.state {
                State::Succeeded { started_at, finished_at, result } => {
                    (started_at, finished_at, result.made_by)
                }
                State::Failed { started_at, finished_at, failure } => {
                    (started_at, finished_at, failure.made_by)
                }
                _ => continue,
            };
            all.extend((0..).zip(made_by).map(|(place, report)| ListedStep {
                run: *run,
                place,
                started_at,
                finished_at,
                report,
            }));
        }
        assert!(all.iter().any(|step| step.report.error.is_some()), "one of a failure");
        let run = all[0].run;
        let of_one: Vec<_> = all.iter().filter(|step| step.run == run).cloned().collect();
        for (run, rows) in [(None, all.clone()), (Some(run), of_one)] {
            compare(rows, StepField::ALL, StepField::kind, async |listing| {
                world.store.list_steps(tenant.org, run, &listing).await.unwrap()
            })
            .await;
        }
    }
    let [(ours, _), (_, their_runs)] = &tenants;
    for run in their_runs {
        assert_eq!(
            world.store.list_steps(ours.org, Some(*run), &plain(Vec::new())).await.unwrap().entries,
            []
        );
    }
}
