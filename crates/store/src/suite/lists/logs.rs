//! Lists of lines of runs' logs.

use super::super::Empty;
use super::compare::compare;
use super::history::two;
use super::plain;
use crate::LogField;

/// Every field of a line, of all runs and of one.
pub async fn logs_are_found_by_every_field(make: impl Fn() -> Empty) {
    let (world, tenants) = two(make).await;
    for (tenant, runs) in &tenants {
        let all = world.store.list_logs(tenant.org, None, &plain(Vec::new())).await.unwrap().entries;
        assert!(all.iter().all(|line| line.org == tenant.org && runs.contains(&line.run)));
        assert!(all.iter().any(|line| line.message == "cancelled"));
        let run = all.iter().find(|line| line.message == "made its result").expect("of a result").run;
        let of_one: Vec<_> = all.iter().filter(|line| line.run == run).cloned().collect();
        assert!(of_one.len() >= 3, "one for each note and one for the result");
        for (run, rows) in [(None, all.clone()), (Some(run), of_one)] {
            compare(rows, LogField::ALL, LogField::kind, async |listing| {
                world.store.list_logs(tenant.org, run, &listing).await.unwrap()
            })
            .await;
        }
    }
    let [(ours, _), (_, their_runs)] = &tenants;
    for run in their_runs {
        assert_eq!(
            world.store.list_logs(ours.org, Some(*run), &plain(Vec::new())).await.unwrap().entries,
            []
        );
    }
}
