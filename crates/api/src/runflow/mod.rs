//! The Runflow dialect. Its words (models, dispatches, outputs) are known in this folder only.

pub mod model;
