//! Whether anything was done to the input.

use pixels::{Bitmap, Filter, Lab, Rect, Samples, ciede2000, flatten, resize, to_u8};

use super::ALWAYS;
use crate::limits::Bounds;
use crate::luma;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::scene::Scene;
use crate::{Action, Category};

/// Both pictures are compared at this width and height, whatever theirs are.
const SIDE: u32 = 256;
/// From this difference on a place counts as changed: compression alone stays below.
const CHANGED: f32 = 2.0;

/// Share of the picture that differs from the input.
pub(super) const CHANGE: Measure = Measure {
    info: MeasureInfo {
        code: "change_from_input",
        name: "Change from the input",
        description: "How much of the picture differs visibly from the photograph that it was made from.",
        category: Category::Originality,
        unit: Unit::Percent,
        bounds: Bounds::least(0.1, 1.0),
        range: (0.0, 100.0),
        gates: ALWAYS,
        remedy: Action::Retouch,
    },
    take: |scene| {
        let Some(reference) = scene.reference else {
            return Finding::Unmeasured("No input was given to compare with.".to_owned());
        };
        match (small(scene.picture, SIDE, SIDE), small(reference, SIDE, SIDE)) {
            (Some(made), Some(given)) => compare(scene, reference, &made, &given),
            _ => Finding::Unmeasured("The pictures could not be scaled to be compared.".to_owned()),
        }
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "unchanged",
                format!(
                    "The picture is nearly its input: {value} of it differs ({limit}). Check that the work was done and that the right file was sent."
                ),
            ),
            Side::Above => telling(
                "changed",
                format!(
                    "{value} of the picture differs from its input ({limit}). Check that it shows the same product."
                ),
            ),
            Side::Within => {
                telling("unchanged", format!("{value} of the picture differs from its input ({limit})."))
            }
        }
    },
};

fn compare(scene: &Scene<'_>, reference: &Bitmap, made: &[u8], given: &[u8]) -> Finding {
    let lab: &Lab = &scene.lab;
    let (mut changed, mut bounds) = (0u32, None::<(u32, u32, u32, u32)>);
    for (at, (made, given)) in made.chunks_exact(3).zip(given.chunks_exact(3)).enumerate() {
        if ciede2000(lab.of(made), lab.of(given)) >= CHANGED {
            changed += 1;
            let (x, y) = (at as u32 % SIDE, at as u32 / SIDE);
            let (l, t, r, b) = bounds.unwrap_or((x, y, x, y));
            bounds = Some((l.min(x), t.min(y), r.max(x), b.max(y)));
        }
    }
    let region = bounds.map(|(left, top, right, bottom)| {
        let rect = Rect { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
        let (width, height) = scene.size();
        let span = |start: u32, length: u32, side: u32| {
            let from = (u64::from(start) * u64::from(side) / u64::from(SIDE)) as u32;
            let to = (u64::from(start + length) * u64::from(side)).div_ceil(u64::from(SIDE)) as u32;
            (from.min(side - 1), to.clamp(from.min(side - 1) + 1, side))
        };
        let ((x, right), (y, bottom)) = (span(rect.x, rect.width, width), span(rect.y, rect.height, height));
        crate::Region { x, y, width: right - x, height: bottom - y }
    });
    let mut found = Measurement::new(100.0 * f64::from(changed) / f64::from(SIDE * SIDE), 0.9).at(region);
    if let (Some(a), Some(b)) = (difference_hash(scene.picture), difference_hash(reference)) {
        found = found
            .with(format!("The difference hashes of both differ in {} of 64 bits.", (a ^ b).count_ones()));
    }
    found.into()
}

/// Sample values of a picture at another size, on white.
fn small(picture: &Bitmap, width: u32, height: u32) -> Option<Vec<u8>> {
    let small = resize(picture, width, height, Filter::Box).ok()?;
    Some(match flatten(&small, [255; 3]).without_alpha().into_samples() {
        Samples::U8(samples) => samples,
        Samples::U16(samples) => samples.into_iter().map(to_u8).collect(),
    })
}

/// The difference hash of Krawetz (2013): at nine by eight pixels, whether each is darker than the one right of it.
fn difference_hash(picture: &Bitmap) -> Option<u64> {
    let luma = luma::luma(&small(picture, 9, 8)?, 3);
    Some(luma.chunks_exact(9).fold(0, |hash, row| {
        row.windows(2).fold(hash, |hash, pair| hash << 1 | u64::from(pair[0] < pair[1]))
    }))
}
