//! The statuses' names on the wire.

use domain::run::Status;

/// A status's name. The dialect has no word for a run its owner stopped; it ended without a result.
pub(crate) const fn name_of(status: Status) -> &'static str {
    match status {
        Status::Queued => "CREATED",
        Status::Running => "ACTIVE",
        Status::InReview => "IN_QA",
        Status::Succeeded => "COMPLETED",
        Status::Failed | Status::Cancelled => "FAILED",
        Status::Unpaid => "PAYMENT_REQUIRED",
    }
}

/// Every status that has this name.
pub(crate) fn of_name(name: &str) -> Vec<Status> {
    Status::ALL.into_iter().filter(|status| name_of(*status).eq_ignore_ascii_case(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back() {
        for status in Status::ALL {
            assert!(of_name(name_of(status)).contains(&status));
        }
        assert_eq!(of_name("failed"), [Status::Failed, Status::Cancelled]);
        assert_eq!(of_name("SUCCEEDED"), []);
    }
}
