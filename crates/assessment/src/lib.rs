//! How good a finished photograph is, by measures that can be repeated: a number, its limit, a place and a sentence each.
//!
//! [`assess()`] takes any picture, ours or not, and gives a [`Report`]. Classical image quality assessment: deterministic,
//! one thread, no I/O, no network, linear in pixels. What cannot be measured is said to be so, never guessed.
//! `docs/evaluations.md` has each measure's formula, source and limits for a reader.

mod action;
mod assess;
mod category;
mod distance;
mod file;
mod limits;
mod luma;
mod measure;
mod measures;
mod outline;
mod place;
mod rank;
mod report;
mod scene;
mod subject;
mod task;

pub use action::Action;
pub use assess::assess;
pub use category::Category;
pub use file::{EncodedFile, Quantisation};
pub use limits::{Bounds, LimitError, Limits};
pub use measure::{Gates, MeasureInfo, Role, Unit, catalogue};
pub use place::Region;
pub use report::{GateFailure, Issue, Outcome, Reading, Report, Summary};
pub use task::Task;
