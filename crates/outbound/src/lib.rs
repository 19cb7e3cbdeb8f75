//! The only HTTP client of the house, for addresses that others name: webhooks and pictures to fetch. It resolves a name
//! once, looks at every address it got, and dials exactly one it has looked at, so that nothing can lead it into the
//! networks behind this server. It follows no redirect and uses no proxy. Knows neither runs nor pictures.

mod allowed;
mod answer;
mod client;
mod failure;
mod global;
mod resolve;
mod target;

pub use allowed::{Allowed, NotAllowable};
pub use answer::Answer;
pub use client::{Outbound, Request, Rules};
pub use failure::Failure;
pub use global::is_global;
pub use resolve::{Resolve, SystemResolver};
