//! Behaviours of lists: filters, orders and cursors find what the same rows give without a database.

mod batches;
mod compare;
mod deliveries;
mod evaluations;
mod history;
mod library;
mod logs;
mod runs;
mod steps;
mod subscriptions;
mod walks;

use domain::filter::{Listing, Sort};

pub use self::batches::{a_batch_is_found_by_where_it_stands, batches_are_found_by_every_field};
pub use self::deliveries::{a_batch_has_its_callback, deliveries_are_found_by_every_field};
pub use self::evaluations::evaluations_are_found_by_every_field;
pub use self::library::the_library_is_found_by_every_field;
pub use self::logs::logs_are_found_by_every_field;
pub use self::runs::runs_are_found_by_every_field;
pub use self::steps::steps_are_found_by_every_field;
pub use self::subscriptions::subscriptions_and_secrets_are_found_by_every_field;
pub use self::walks::a_walk_goes_on_while_others_come;

/// More than there are of anything here.
const ALL: u32 = 200;

/// What an organization's lists are asked for.
fn plain<F>(sorts: Vec<Sort<F>>) -> Listing<F> {
    Listing { filter: None, sorts, from: None, limit: ALL }
}
