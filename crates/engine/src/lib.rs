//! What happens later: takes queued runs on a lease, works on them on plain threads within the memory budget, and
//! settles them. Never sees a request.

mod admission;
mod leases;
mod work;

pub use admission::Admission;
pub use work::{Engine, Parts, Settings};
