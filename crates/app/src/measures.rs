//! Knows which limits of measures make sense, for the front, which does not know how is measured.

use domain::evaluation::CheckLimits;
use serde_json::Value;

/// Checks limits with the measures' own.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasureLimits;

impl CheckLimits for MeasureLimits {
    fn check(&self, limits: &Value) -> Result<(), String> {
        assessment::Limits::default().merged(limits).map(drop).map_err(|error| error.to_string())
    }
}
