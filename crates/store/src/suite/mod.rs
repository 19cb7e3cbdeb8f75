//! The tests every database must pass: `store::suite!(constructor)` makes one test of each behaviour. The constructor
//! gives an empty store and the clock it runs on.

#![allow(
    clippy::unwrap_used,
    reason = "these are tests, though compiled as a library for the databases' own tests"
)]

pub mod access;
pub mod accounts;
pub mod deliveries;
pub mod evaluations;
pub mod fixture;
pub mod lease;
pub mod library;
pub mod lists;
pub mod model;
pub mod orders;
pub mod queue;
pub mod requests;
pub mod runs;
pub mod subscriptions;
pub mod workflows;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::time::{Clock, Millis, Timestamp};

use crate::Store;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock at that time.
    pub const fn at(time: Timestamp) -> Self {
        Self(AtomicI64::new(time.0))
    }

    /// Moves it forward.
    pub fn advance(&self, span: Millis) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }

    /// Moves it to that time, which may be in its past.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.0, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// A clock on a morning of March 2026.
    fn default() -> Self {
        Self::at(Timestamp(1_772_442_845_120))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// An empty store and the clock it runs on.
pub type Empty = (Arc<dyn Store>, Arc<ManualClock>);

/// Makes one test of each behaviour that a database must have. Takes what gives an [`Empty`] store: a function, or a
/// closure without captures. The crate that uses it needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! suite {
    ($make:expr) => {
        $crate::suite! { @tests $make;
            access {
                founding_happens_once,
                founding_leaves_what_it_says,
                further_organizations_have_their_first_member,
                users_are_found_by_their_sign_in_name_in_any_case,
                connections_are_found_until_they_are_revoked,
                connections_need_a_member,
                a_device_gets_one_set_of_tokens,
                a_device_is_told_how_its_sign_in_stands,
                only_the_first_decision_counts,
                an_open_user_code_is_given_once,
                nothing_is_readable_across_organizations,
            }
            accounts {
                a_session_lasts_while_it_is_used,
                sessions_are_closed,
                a_new_password_closes_the_other_sessions,
                a_session_looks_at_an_organization_of_its_user,
                an_invitation_is_accepted_once,
                an_invitation_is_good_for_whom_and_while_it_says,
                an_organization_keeps_an_administrator,
                who_may_not_invite_any_more_has_no_open_invitations,
                who_leaves_loses_what_acts_for_them_there,
                connections_are_listed_renamed_and_ended,
                connections_are_listed_page_by_page,
                the_audit_is_read_page_by_page,
                access_that_is_long_over_is_forgotten,
            }
            workflows {
                versions_are_pinned_and_the_latest_is_listed,
                workflow_names_are_unique_within_an_organization,
                a_saved_version_never_changes,
                workflows_are_listed_in_the_order_they_were_made,
                pictures_are_seen_where_they_were_admitted,
                a_grant_counts_once,
                entries_are_listed_newest_first,
            }
            runs {
                a_run_reads_back_as_it_was_given,
                accepting_charges_exactly_once,
                accepting_again_answers_the_same_for_ever,
                a_run_beyond_the_balance_is_unpaid_and_told_of,
                accepts_at_once_never_overdraw,
                a_free_run_needs_no_credits,
                accepting_needs_an_organization_and_a_version,
                a_failed_run_is_tried_again_free_of_charge,
                an_unpaid_run_is_charged_once_by_its_retry,
                other_statuses_refuse_a_retry,
                retries_at_once_charge_once,
                filters_find_what_they_name,
                runs_are_listed_newest_first,
            }
            orders {
                a_batch_counts_its_runs,
                batches_are_listed_newest_first,
                runs_are_listed_part_by_part,
                a_result_waits_for_its_check,
                a_rejected_result_is_done_again_or_given_up,
                judging_passes_over_what_is_not_in_review,
                of_many_judgements_one_counts,
                feedback_is_kept_in_place_of_the_last,
                the_feed_tells_every_status_in_order,
                a_repeated_request_gets_the_first_answer,
                a_request_that_died_is_begun_again_with_its_seed,
                a_revision_needs_the_latest_version,
                an_archived_workflow_is_out_of_the_way,
                a_top_up_says_who_and_what_for,
            }
            lease {
                an_old_token_changes_nothing,
                of_two_settlements_one_counts,
                a_lease_that_is_over_counts_as_a_crash,
                a_poisonous_run_fails_with_its_event,
                a_renewed_lease_is_kept,
                a_renewal_names_what_is_lost,
                a_run_handed_back_is_claimed_at_once,
            }
            queue {
                a_run_waits_for_its_delay,
                a_claim_carries_what_a_worker_needs,
                a_success_is_written_whole,
                a_fault_of_ours_is_tried_again_after_its_pause,
                attempts_come_to_an_end,
                a_bad_picture_is_not_tried_again,
                a_panic_counts_as_a_crash,
                an_address_given_twice_is_told_once,
                a_long_backlog_delays_nobody_else,
                many_workers_never_share_a_run,
                the_queue_knows_its_depth,
                changes_are_told_once_they_are_true,
            }
            deliveries {
                a_delivery_tells_what_was_true_then,
                every_attempt_is_kept,
                a_delivery_whose_lease_is_over_is_taken_again,
                a_receiver_with_a_backlog_delays_no_other,
                an_organization_with_many_receivers_delays_no_other,
                deliveries_are_listed_for_their_owner,
                a_delivery_is_forgotten_long_after_its_end,
                a_secret_is_made_once_and_outlives_its_change,
            }
            requests {
                filing_is_all_or_nothing,
                filing_again_changes_nothing,
                a_run_may_have_failed_before_it_began,
                a_batch_may_have_ended_when_it_is_filed,
                credits_are_kept_for_a_success_only,
                a_poisonous_run_gets_its_credits_back,
                a_cancelled_run_is_nobodys_work,
                cancelling_what_has_ended_says_so,
                what_is_paid_at_acceptance_is_not_given_back,
                a_batch_is_cancelled_as_a_whole,
                a_batch_tells_of_its_end_once,
                a_batch_that_ends_at_once_tells_once,
                what_is_fetched_is_noted_under_a_lease,
                batches_are_their_organizations_own,
            }
            subscriptions {
                a_subscription_is_sent_what_it_asked_for,
                a_subscription_and_an_address_are_told_apart,
                a_subscription_is_changed_from_what_was_seen,
                a_disabled_or_ended_subscription_is_sent_nothing,
                a_delivery_keeps_its_body,
                an_end_is_told_again_on_request,
                one_secret_signs_at_a_time,
                a_secrets_use_is_noted_now_and_then,
            }
            library {
                an_upload_becomes_an_asset_once,
                uploads_that_came_to_nothing_are_forgotten,
                an_asset_is_kept_under_its_name,
                a_folder_never_lies_within_itself,
                what_lay_in_a_deleted_folder_lies_elsewhere,
                deployed_workflows_are_kept_as_given,
                a_credit_alert_is_set_from_what_was_seen,
            }
            evaluations {
                an_evaluation_is_accepted_once,
                a_report_is_written_whole,
                the_latest_evaluation_of_each_run_is_found,
                a_failed_evaluation_gets_its_credits_back,
                an_evaluation_whose_workers_die_is_given_up,
                evaluations_are_taken_in_turn,
                people_say_what_they_think_of_a_verdict,
                limits_are_an_organizations_own,
            }
            lists {
                runs_are_found_by_every_field,
                batches_are_found_by_every_field,
                a_batch_is_found_by_where_it_stands,
                evaluations_are_found_by_every_field,
                the_library_is_found_by_every_field,
                subscriptions_and_secrets_are_found_by_every_field,
                deliveries_are_found_by_every_field,
                a_batch_has_its_callback,
                logs_are_found_by_every_field,
                steps_are_found_by_every_field,
                a_walk_goes_on_while_others_come,
            }
        }

        #[test]
        fn random_histories_follow_the_model() {
            $crate::suite::model::random_histories_follow_the_model($make);
        }
    };
    (@tests $make:expr; $($module:ident { $($name:ident,)+ })+) => {$(
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $crate::suite::$module::$name($make).await;
                }
            )+
        }
    )+};
}
