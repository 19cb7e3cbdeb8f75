//! How light the subject is, and what of it is lost in white and black.

use super::ALWAYS;
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Telling, Told, Unit, telling};
use crate::rank::quantile;
use crate::scene::Scene;
use crate::{Action, Category, Region};

/// A twentieth of the subject is at least as light as the value.
const LIGHTEST: f64 = 0.95;
/// Sample values from which a channel counts as white …
const WHITE: u8 = 254;
/// … and up to which as black.
const BLACK: u8 = 1;
/// Pixels of the picture between what is looked at and the outline.
const DEPTH: f64 = 3.0;
/// Cells on the longer side, of which the fullest is the region.
const CELLS: usize = 16;
/// How far from an opening its surroundings are looked at, in pixels of the bounded picture …
const AROUND: f32 = 4.0;
/// … and how far their L* lies from white where the opening is a highlight that runs out, and not a hole with an edge.
const RUNS_OUT: f32 = 8.0;
/// Pixels that are needed.
const LEAST_PIXELS: u64 = 200;

/// L* that a twentieth of the subject reaches.
pub(super) const EXPOSURE: Measure = Measure {
    info: MeasureInfo {
        code: "exposure",
        name: "Exposure",
        description: "The lightness that the lightest twentieth of the subject reaches.",
        category: Category::Exposure,
        unit: Unit::Lightness,
        bounds: Bounds::least(30.0, 1.0),
        range: (0.0, 100.0),
        gates: ALWAYS,
        remedy: Action::Retouch,
    },
    take: |scene| {
        let mut lightness: Vec<f64> = Vec::new();
        for (at, pixel) in scene.work.rgb.chunks_exact(3).enumerate() {
            let is_inside = match &scene.found.subject {
                Ok(subject) => subject.distance[at] <= -2.0,
                Err(_) => scene.work.alpha.as_ref().is_none_or(|alpha| alpha.values()[at] >= 128),
            };
            if is_inside {
                lightness.push(f64::from(scene.lab.of(pixel)[0]));
            }
        }
        match quantile(&mut lightness, LIGHTEST) {
            Some(value) => {
                Measurement::new(value, 0.8 * scene.inside_confidence()).at(scene.subject_region()).into()
            }
            None => nothing(scene),
        }
    },
    tell: |told| {
        let (value, limit, whole) = (told.value(), told.limit(), told.scene.whole());
        match told.side {
            Side::Below => telling(
                "dark",
                format!(
                    "Even the lightest twentieth of {whole} only reaches {value} ({limit}). Lighten it, or expose longer."
                ),
            ),
            Side::Above => telling(
                "light",
                format!("The lightest twentieth of {whole} reaches {value} ({limit}). Darken it."),
            ),
            Side::Within => {
                telling("dark", format!("The lightest twentieth of {whole} reaches {value} ({limit})."))
            }
        }
    },
};

/// Share of the subject that is white in all channels.
pub(super) const HIGHLIGHTS: Measure = Measure {
    info: MeasureInfo {
        code: "clipped_highlights",
        name: "Detail in the lights",
        description: "How much of the subject is clipped to white.",
        category: Category::Exposure,
        unit: Unit::Percent,
        bounds: Bounds::most(3.0, 1.0),
        range: (0.0, 100.0),
        gates: ALWAYS,
        remedy: Action::Reshoot,
    },
    take: |scene| clipped(scene, |pixel| pixel.iter().all(|&value| value >= WHITE), &highlights(scene)),
    tell: |told| {
        tell_clipped(
            told,
            "white",
            "clipped_highlights",
            "Expose shorter, or take the lights down before they clip.",
        )
    },
};

/// Share of the subject that is black in all channels.
pub(super) const SHADOWS: Measure = Measure {
    info: MeasureInfo {
        code: "clipped_shadows",
        name: "Detail in the darks",
        description: "How much of the subject is clipped to black.",
        category: Category::Exposure,
        unit: Unit::Percent,
        bounds: Bounds::most(10.0, 1.0),
        range: (0.0, 100.0),
        gates: ALWAYS,
        remedy: Action::Retouch,
    },
    take: |scene| clipped(scene, |pixel| pixel.iter().all(|&value| value <= BLACK), &[]),
    tell: |told| {
        tell_clipped(told, "black", "clipped_shadows", "Open the shadows from the source, or light them.")
    },
};

fn tell_clipped(told: &Told<'_>, colour: &str, subcategory: &'static str, way_out: &str) -> Telling {
    let (value, limit, whole) = (told.value(), told.limit(), told.scene.whole());
    telling(
        subcategory,
        match told.side {
            Side::Above => {
                format!("{value} of {whole} is clipped to {colour} ({limit}), most {}. {way_out}", told.place)
            }
            _ => format!("{value} of {whole} is clipped to {colour} ({limit})."),
        },
    )
}

fn nothing(scene: &Scene<'_>) -> Finding {
    Finding::Unmeasured(match &scene.found.subject {
        Err(reason) => reason.clone(),
        Ok(_) => "The subject is too thin to look inside it; give a larger picture of it.".to_owned(),
    })
}

/// The share of the inside for which `is_clipped` says yes, with the cell that holds most of it. `more` are pixels of the
/// bounded picture that belong to the inside, too.
fn clipped(scene: &Scene<'_>, is_clipped: impl Fn(&[u8]) -> bool, more: &[bool]) -> Finding {
    let (width, height) = (scene.picture.width() as usize, scene.picture.height() as usize);
    let count = scene.picture.channels().count();
    let side = width.max(height).div_ceil(CELLS);
    let columns = width.div_ceil(side);
    let mut cells = vec![0u64; columns * height.div_ceil(side)];
    let (mut all, mut lost) = (0u64, 0u64);
    for (y, row) in scene.eight().chunks_exact(width * count).enumerate() {
        let work_row = scene.work_row(y) * scene.work.width;
        for (x, pixel) in row.chunks_exact(count).enumerate() {
            let is_more = more.get(work_row + scene.work_column(x)).copied().unwrap_or(false);
            if !is_more && !scene.is_deep(x, y, DEPTH) {
                continue;
            }
            all += 1;
            if is_clipped(&pixel[..3]) {
                lost += 1;
                cells[y / side * columns + x / side] += 1;
            }
        }
    }
    if all < LEAST_PIXELS {
        return nothing(scene);
    }
    let fullest =
        (0..cells.len()).max_by_key(|&at| (cells[at], std::cmp::Reverse(at))).filter(|&at| cells[at] > 0);
    let region = fullest.map(|at| {
        let (x, y) = (at % columns * side, at / columns * side);
        Region {
            x: x as u32,
            y: y as u32,
            width: side.min(width - x) as u32,
            height: side.min(height - y) as u32,
        }
    });
    Measurement::new(100.0 * lost as f64 / all as f64, 0.9 * scene.inside_confidence()).at(region).into()
}

/// Openings of the subject that are no holes: highlights which run out into white before a white backdrop.
///
/// A hole ends at an edge; a highlight's surroundings are nearly white. What is enclosed and whose surroundings are within
/// [`RUNS_OUT`] of white belongs to the inside.
fn highlights(scene: &Scene<'_>) -> Vec<bool> {
    let Ok(subject) = &scene.found.subject else { return Vec::new() };
    if scene.is_transparent() {
        return Vec::new();
    }
    let (width, height) = (scene.work.width, scene.work.height);
    let inside = |at: usize| subject.distance[at] < 0.0;
    let around = |at: usize| {
        let (x, y) = (at % width, at / width);
        [
            (x > 0).then(|| at.wrapping_sub(1)),
            (x + 1 < width).then_some(at + 1),
            (y > 0).then(|| at.wrapping_sub(width)),
            (y + 1 < height).then_some(at + width),
        ]
    };
    let is_frame = |at: usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    // Which opening each pixel is in; 0 is none. Pixels just inside take the number of the opening that they surround.
    let mut number = vec![0u32; width * height];
    let mut openings: Vec<(bool, f64, u64)> = vec![(true, 0.0, 0)];
    let mut open = Vec::new();
    for start in 0..number.len() {
        if inside(start) || number[start] != 0 {
            continue;
        }
        let this = openings.len() as u32;
        let mut on_frame = false;
        number[start] = this;
        open.push(start);
        while let Some(at) = open.pop() {
            on_frame |= is_frame(at);
            for next in around(at).into_iter().flatten() {
                if !inside(next) && number[next] == 0 {
                    number[next] = this;
                    open.push(next);
                }
            }
        }
        openings.push((on_frame, 0.0, 0));
    }
    // Grow each opening into the subject, ring by ring, and look at what is there.
    let mut rim: Vec<usize> = (0..number.len()).filter(|&at| number[at] != 0).collect();
    for step in 0..AROUND as usize {
        let mut next_rim = Vec::new();
        for &at in &rim {
            for next in around(at).into_iter().flatten() {
                if number[next] == 0 {
                    number[next] = number[at];
                    next_rim.push(next);
                    if step + 1 == AROUND as usize {
                        let opening = &mut openings[number[at] as usize];
                        opening.1 += f64::from(scene.lab.of(&scene.work.rgb[3 * next..3 * next + 3])[0]);
                        opening.2 += 1;
                    }
                }
            }
        }
        rim = next_rim;
    }
    let is_highlight: Vec<bool> = openings
        .iter()
        .map(|&(on_frame, sum, count)| {
            !on_frame && count > 0 && sum / count as f64 >= f64::from(100.0 - RUNS_OUT)
        })
        .collect();
    number.iter().map(|&number| is_highlight[number as usize]).collect()
}
