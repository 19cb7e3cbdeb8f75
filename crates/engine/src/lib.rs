//! What happens later: takes queued runs on a lease, works on them on plain threads within the memory budget, and
//! settles them; measures pictures that are to be evaluated; and tells those who asked what came of it. Fetches what either
//! needs first. Never sees a request.

mod admission;
mod archive;
mod deliver;
mod evaluate;
mod fetch;
mod leases;
mod places;
mod prepared;
mod previews;
mod sign;
mod stop;
mod thread;
mod work;

pub use admission::Admission;
pub use deliver::{Deliveries, DeliveryParts, DeliverySettings};
pub use fetch::FetchSettings;
pub use previews::Previews;
pub use work::{Engine, Parts, Settings};
