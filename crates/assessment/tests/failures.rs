//! Each measure fails on the picture that was made to fail it, and no other does.

#[allow(unreachable_pub)]
mod pictures;

use std::collections::BTreeSet;

use assessment::{Limits, Outcome, assess, catalogue};

#[test]
fn each_picture_fails_exactly_what_it_was_made_to_fail() {
    let limits = Limits::default();
    let mut wrong = Vec::new();
    let mut failed = BTreeSet::new();
    for case in pictures::cases() {
        let report = assess(&case.picture, &case.file, Some(&case.reference), &case.task, &limits);
        let fails: Vec<&str> = report
            .readings
            .iter()
            .filter(|reading| reading.outcome == Outcome::Failed)
            .map(|reading| reading.code)
            .collect();
        if fails != case.fails.into_iter().collect::<Vec<_>>() {
            let said: Vec<String> = report.issues.iter().map(|issue| issue.detail.clone()).collect();
            wrong.push(format!("{} fails {fails:?}: {}", case.name, said.join(" ")));
        }
        failed.extend(case.fails);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<&str> = catalogue().map(|info| info.code).collect();
    assert_eq!(failed, all, "a measure has no picture that fails it");
}
