//! Alpha of a product photo without a network: matte of a plain backdrop, edges at full resolution,
//! colours freed of the old background. Deterministic, one thread, no I/O; knows nothing of models.
//!
//! Colours are mixed as they are stored (sRGB-encoded), the way cut-outs are composited later.

mod band;
mod clean;
mod crisp;
mod cut_out;
mod error;
mod foreground;
mod glass;
pub mod metrics;
mod refine;
mod regions;
mod shape;
mod source;
mod square;
mod studio;
mod surface;

pub use clean::{Holes, Keep, clean, snap};
pub use cut_out::{Choice, Method, Options, Outcome, cut_out, route};
pub use error::MattingError;
pub use foreground::estimate_foreground;
pub use refine::{RefineOptions, refine_band};
pub use studio::{Studio, studio_matte};
