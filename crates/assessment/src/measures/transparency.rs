//! What a cut-out holds beside its subject.

use pixels::{Channels, Rect};

use super::{CUT_OUT, CUT_OUT_GATE};
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::scene::Scene;
use crate::{Action, Category, Region};

/// Pixels of the bounded picture around the outline in which alpha may be anything: a soft edge, hair, a shadow's rim.
const BAND: f32 = 16.0;
/// Alpha that counts as left over, of 255: from what a viewer could see …
const LEAST_LEFT: u8 = 2;
/// … to what is meant as a shadow.
const MOST_LEFT: u8 = 24;

/// Share of pixels with an alpha under one half.
pub(super) const CLEARNESS: Measure = Measure {
    info: MeasureInfo {
        code: "transparency",
        name: "Transparent background",
        description: "How much of the picture is transparent.",
        category: Category::Background,
        unit: Unit::Percent,
        bounds: Bounds::least(1.0, 3.0),
        range: (0.0, 100.0),
        gates: CUT_OUT_GATE,
        remedy: Action::Retouch,
    },
    take: |scene| Measurement::new(100.0 * scene.clear, 1.0).into(),
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "opaque",
                format!(
                    "The background is not transparent: {value} of the picture is ({limit}). Cut the subject out, and write a format that holds alpha."
                ),
            ),
            Side::Above => telling(
                "empty",
                format!("{value} of the picture is transparent ({limit}). Crop to the subject."),
            ),
            Side::Within => telling("opaque", format!("{value} of the picture is transparent ({limit}).")),
        }
    },
};

/// Share of the pixels well away from the subject that are faintly covered.
pub(super) const RESIDUE: Measure = Measure {
    info: MeasureInfo {
        code: "background_residue",
        name: "Clean background",
        description: "How much of the transparent background still holds a faint veil of the old one.",
        category: Category::Background,
        unit: Unit::Percent,
        bounds: Bounds::most(0.5, 2.0),
        range: (0.0, 100.0),
        gates: CUT_OUT,
        remedy: Action::Retouch,
    },
    take: |scene| {
        let (Some(alpha), Ok(subject)) = (&scene.work.alpha, &scene.found.subject) else {
            return unmeasured(scene);
        };
        let width = scene.work.width;
        let (mut away, mut left, mut bounds) = (0usize, 0usize, None::<(usize, usize, usize, usize)>);
        for (at, (&alpha, &distance)) in alpha.values().iter().zip(&subject.distance).enumerate() {
            if distance < BAND {
                continue;
            }
            away += 1;
            if (LEAST_LEFT..=MOST_LEFT).contains(&alpha) {
                left += 1;
                let (x, y) = (at % width, at / width);
                let (l, t, r, b) = bounds.unwrap_or((x, y, x, y));
                bounds = Some((l.min(x), t.min(y), r.max(x), b.max(y)));
            }
        }
        if away == 0 {
            return Finding::Unmeasured(
                "The subject leaves no background to measure; give the picture more room around it."
                    .to_owned(),
            );
        }
        let region = bounds.map(|(left, top, right, bottom)| {
            let rect = Rect {
                x: left as u32,
                y: top as u32,
                width: (right - left + 1) as u32,
                height: (bottom - top + 1) as u32,
            };
            scene.work.region(rect, scene.size())
        });
        Measurement::new(100.0 * left as f64 / away as f64, 0.8).at(region).into()
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "residue",
                format!(
                    "A faint veil is left on {value} of the transparent background ({limit}), {}. Cut out with harder edges, or drop faint alpha.",
                    told.place
                ),
            ),
            _ => telling(
                "residue",
                format!("The transparent background is clean: {value} of it is veiled ({limit})."),
            ),
        }
    },
};

/// Share of the fully transparent pixels that are not black.
pub(super) const HIDDEN_COLOUR: Measure = Measure {
    info: MeasureInfo {
        code: "hidden_colour",
        name: "Nothing under the transparency",
        description: "How much of what is fully transparent still holds a colour that can be brought back.",
        category: Category::Background,
        unit: Unit::Percent,
        bounds: Bounds::most(0.5, 1.0),
        range: (0.0, 100.0),
        gates: CUT_OUT,
        remedy: Action::Reexport,
    },
    take: |scene| {
        if scene.picture.channels() != Channels::Rgba {
            return unmeasured(scene);
        }
        let (mut clear, mut coloured, mut first) = (0u64, 0u64, None);
        for (at, pixel) in scene.eight().chunks_exact(4).enumerate() {
            if pixel[3] == 0 {
                clear += 1;
                if pixel[..3] != [0; 3] {
                    coloured += 1;
                    first = first.or(Some(at));
                }
            }
        }
        if clear == 0 {
            return unmeasured(scene);
        }
        let width = scene.picture.width() as usize;
        let region =
            first.map(|at| Region { x: (at % width) as u32, y: (at / width) as u32, width: 1, height: 1 });
        Measurement::new(100.0 * coloured as f64 / clear as f64, 1.0).at(region).into()
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "hidden_colour",
                format!(
                    "{value} of what is transparent still holds the old background's colours ({limit}). Export it again without hidden colours."
                ),
            ),
            _ => telling(
                "hidden_colour",
                format!("Nothing is hidden under the transparency: {value} holds a colour ({limit})."),
            ),
        }
    },
};

fn unmeasured(scene: &Scene<'_>) -> Finding {
    Finding::Unmeasured(match &scene.found.subject {
        Err(reason) if scene.is_transparent() => reason.clone(),
        _ => "The picture is nowhere transparent; cut the subject out first.".to_owned(),
    })
}
