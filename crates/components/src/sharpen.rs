//! Sharpens the subject.

use std::sync::Arc;

use domain::component::Changes;
use retouch::Sharpening;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::{Context, Fault, Frame, Number};

/// What the subject is sharpened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Preset {
    /// By `radius`, `amount` and `threshold`.
    Custom,
    /// After scaling down, a little: gives back what scaling has softened. Radius 0.5 px, amount 60 %.
    AfterDownscaleLow,
    /// After scaling down, as most shops do. Radius 0.6 px, amount 110 %, threshold 1.
    AfterDownscaleStandard,
    /// After scaling down, crisp: for small pictures and matt materials. Radius 0.7 px, amount 170 %, threshold 1.
    AfterDownscaleHigh,
}

/// Settings of `sharpen`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What the subject is sharpened for.
    pub preset: Preset,
    /// How strongly, with `custom`: per cent of the difference between the picture and its blurred self; 0 changes
    /// nothing.
    #[schemars(extend("x-unit" = "%"))]
    pub amount: Number<0, 500>,
    /// Size of the details that are brought out, with `custom`: sigma of the Gaussian that blurs.
    #[schemars(extend("x-unit" = "px"))]
    pub radius: Number<0, 20>,
    /// Differences up to this are left alone, with `custom`, so that grain and skin stay even.
    #[schemars(extend("x-unit" = "levels of 255"))]
    pub threshold: Number<0, 64>,
    /// Whether only edges are sharpened: grain, cloth and even areas stay as they are.
    pub edges_only: bool,
    /// How far light and dark lines along edges are held down: 0 not at all, 100 no pixel becomes lighter or darker
    /// than its neighbours were.
    #[schemars(extend("x-unit" = "%"))]
    pub halo_suppression: Number<0, 100>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            preset: Preset::Custom,
            amount: Number::new(80.0),
            radius: Number::new(0.8),
            threshold: Number::new(2.0),
            edges_only: false,
            halo_suppression: Number::new(70.0),
        }
    }
}

impl Settings {
    fn sharpening(&self) -> Sharpening {
        let (radius, amount, threshold) = match self.preset {
            Preset::Custom => (self.radius.get(), self.amount.get(), self.threshold.get()),
            Preset::AfterDownscaleLow => (0.5, 60.0, 0.0),
            Preset::AfterDownscaleStandard => (0.6, 110.0, 1.0),
            Preset::AfterDownscaleHigh => (0.7, 170.0, 1.0),
        };
        Sharpening {
            radius_px: radius as f32,
            amount: amount as f32 / 100.0,
            threshold: threshold as f32,
            edges_only: self.edges_only,
            halo_suppression: self.halo_suppression.get() as f32 / 100.0,
        }
    }
}

/// Sharpens the subject.
pub struct Sharpen;

impl Component for Sharpen {
    const KIND: &'static str = "sharpen";
    const TITLE: &'static str = "Sharpen";
    const SUMMARY: &'static str =
        "Sharpens the subject's brightness, not its colours, and holds halos along its edges down.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { detail: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let radius = settings.radius.get();
        if settings.preset == Preset::Custom && settings.amount.get() > 0.0 && radius < 0.1 {
            return Err(format!(
                "`radius` is {radius}, at least 0.1 is needed; an `amount` of 0 switches sharpening off"
            ));
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let how = settings.sharpening();
        if how.amount > 0.0 {
            let bitmap = Arc::make_mut(&mut frame.subject.bitmap);
            retouch::sharpen(bitmap, &how, || context.check_cancelled())?;
        }
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture before, which the cache may hold, and after; a strip of 96 rows beside them.
        bytes(megapixels, 17)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_radius_of_nothing_is_refused_unless_nothing_is_sharpened() {
        let check = crate::catalogue().find("sharpen").expect("a component").check;
        let text = check(&json!({ "radius": 0 })).expect_err("refused");
        assert_eq!(text, "`radius` is 0, at least 0.1 is needed; an `amount` of 0 switches sharpening off");
        assert!(check(&json!({ "radius": 0, "amount": 0 })).is_ok());
        assert!(check(&json!({ "radius": 0, "preset": "afterDownscaleHigh" })).is_ok());
    }
}
