//! Takes noise out of the subject.

use std::sync::Arc;

use domain::component::Changes;
use retouch::Denoising;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::{Context, Fault, Frame, Number};

/// Settings of `denoise`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How much grain is taken out: 0 none, 50 as much as is measured on the picture, 100 twice as much.
    #[schemars(extend("x-unit" = "%"))]
    pub luma: Number<0, 100>,
    /// How much colour noise is taken out, blotches of up to 32 pixels included: 0 none, 50 as much as is measured on
    /// the picture, 100 twice as much.
    #[schemars(extend("x-unit" = "%"))]
    pub chroma: Number<0, 100>,
    /// How easily fine detail is believed rather than taken for grain: 0 gives the smoothest areas, 100 keeps the most
    /// of cloth, leather and hair.
    #[schemars(extend("x-unit" = "%"))]
    pub detail: Number<0, 100>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { luma: Number::new(50.0), chroma: Number::new(50.0), detail: Number::new(50.0) }
    }
}

/// Takes noise out of the subject.
pub struct Denoise;

impl Component for Denoise {
    const KIND: &'static str = "denoise";
    const TITLE: &'static str = "Denoise";
    const SUMMARY: &'static str =
        "Takes grain and colour noise out, as much as is measured on the picture, and keeps its details.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 1;
    const EXPENSIVE: bool = true;
    const CHANGES: Changes = Changes { detail: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let share = |setting: Number<0, 100>| setting.get() as f32 / 100.0;
        let how = Denoising {
            luma: share(settings.luma),
            chroma: share(settings.chroma),
            detail: share(settings.detail),
        };
        if how.luma > 0.0 || how.chroma > 0.0 {
            let bitmap = Arc::make_mut(&mut frame.subject.bitmap);
            retouch::denoise(bitmap, &how, || context.check_cancelled())?;
        }
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture before and after, four planes of floats, and the halved planes of one of them.
        bytes(megapixels, 36)
    }
}
