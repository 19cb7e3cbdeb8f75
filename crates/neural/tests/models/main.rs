//! Tests of fetching and running models, as one binary.
// The allowance for tests in `clippy.toml` does not reach the helpers of tests.
#![allow(clippy::unwrap_used)]

mod fetch;
mod networks;
