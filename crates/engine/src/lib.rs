//! What happens later: takes queued runs on a lease, works on them on plain threads within the memory budget, and
//! settles them; and tells those who asked what came of it. Never sees a request.

mod admission;
mod deliver;
mod leases;
mod sign;
mod work;

pub use admission::Admission;
pub use deliver::{Deliveries, DeliveryParts, DeliverySettings};
pub use work::{Engine, Parts, Settings};
