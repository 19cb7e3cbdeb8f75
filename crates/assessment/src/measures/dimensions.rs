//! Pixels and proportions.

use super::{ALWAYS, ALWAYS_GATE};
use crate::limits::Bounds;
use crate::measure::{Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::{Action, Category};

/// The longest side.
pub(super) const RESOLUTION: Measure = Measure {
    info: MeasureInfo {
        code: "resolution",
        name: "Resolution",
        description: "The picture's longest side.",
        category: Category::Dimensions,
        unit: Unit::Pixels,
        bounds: Bounds::between(1000.0, 10_000.0, 2.0),
        range: (1.0, 100_000.0),
        gates: ALWAYS_GATE,
        remedy: Action::Reshoot,
    },
    take: |scene| {
        let (width, height) = scene.size();
        Measurement::new(f64::from(width.max(height)), 1.0)
            .with(format!("The picture has {width} by {height} px."))
            .into()
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "too_small",
                format!(
                    "The longest side is {value} ({limit}). Use a larger original; enlarging adds no detail."
                ),
            ),
            Side::Above => telling(
                "too_large",
                format!("The longest side is {value} ({limit}). Scale the picture down."),
            ),
            Side::Within => telling("too_small", format!("The longest side is {value} ({limit}).")),
        }
    },
};

/// Width over height.
pub(super) const ASPECT: Measure = Measure {
    info: MeasureInfo {
        code: "aspect_ratio",
        name: "Proportions",
        description: "The picture's width over its height.",
        category: Category::Dimensions,
        unit: Unit::Ratio,
        bounds: Bounds::between(0.5, 2.0, 1.0),
        range: (0.001, 1000.0),
        gates: ALWAYS,
        remedy: Action::Retouch,
    },
    take: |scene| {
        let (width, height) = scene.size();
        Measurement::new(f64::from(width) / f64::from(height), 1.0)
            .with(format!("The picture has {width} by {height} px."))
            .into()
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "too_narrow",
                format!("Width over height is {value} ({limit}). Place the subject on a wider canvas."),
            ),
            Side::Above => telling(
                "too_wide",
                format!("Width over height is {value} ({limit}). Place the subject on a higher canvas."),
            ),
            Side::Within => telling("too_narrow", format!("Width over height is {value} ({limit}).")),
        }
    },
};
