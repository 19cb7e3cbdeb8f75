//! Alpha of a product photo without a network: matte of a plain backdrop, edges at full resolution,
//! colours freed of the old background. Deterministic, one thread, no I/O; knows nothing of models.
//!
//! Colours are mixed as they are stored (sRGB-encoded), the way cut-outs are composited later.

mod band;
mod claims;
mod clean;
mod crisp;
mod cut_out;
mod edges;
mod error;
mod finish;
mod foreground;
mod front;
mod glass;
mod grid;
mod hair;
mod marks;
pub mod metrics;
mod missing;
mod openings;
mod palette;
mod refine;
mod regions;
mod rims;
mod scraps;
mod shape;
mod source;
mod square;
mod studio;
mod surface;

pub use clean::{Holes, Keep, clean, snap};
pub use cut_out::{Choice, Matte, Method, Options, Outcome, cut_out, matte, route};
pub use edges::{harden, shift};
pub use error::MattingError;
pub use finish::{Edges, Finish, finish};
pub use foreground::estimate_foreground;
pub use hair::solve_strands;
pub use marks::{Mark, Marks, obey};
pub use missing::recover_parts;
pub use openings::settle_inside;
pub use refine::{RefineOptions, refine_band};
pub use scraps::{drop_scraps, keep_pieces_of, largest_piece};
pub use studio::{Studio, studio_matte};
