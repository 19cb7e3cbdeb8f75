//! How light the subject is, and what of it is lost in white and black.

use super::ALWAYS;
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Telling, Told, Unit, telling};
use crate::rank::quantile;
use crate::scene::Scene;
use crate::subject::{beside, from_frame};
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
/// How far from an opening its surroundings are looked at, in pixels of the bounded picture.
const NEAR: usize = 5;
const FAR: usize = 14;
/// A highlight that runs out has a gentle slope: so light at least, in L*, where it ceases to be white, …
const LEAST_EDGE: f64 = 96.5;
/// … at most so much darker near by …
const MOST_EDGE: f64 = 8.0;
/// … and at least so much more to what is far.
const LEAST_FADING: f64 = 3.0;
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
        bounds: Bounds::least(12.0, 1.0),
        range: (0.0, 100.0),
        gates: ALWAYS,
        remedy: Action::Retouch,
    },
    take: |scene| {
        let mut lightness: Vec<f64> = Vec::new();
        let skips_white = is_before_white(scene);
        for (at, pixel) in scene.work.rgb.chunks_exact(3).enumerate() {
            let is_inside = match &scene.found.subject {
                Ok(subject) => subject.distance[at] <= -2.0,
                Err(_) => {
                    scene.is_all_inside()
                        && scene.work.alpha.as_ref().is_none_or(|alpha| alpha.values()[at] >= 128)
                }
            };
            if is_inside && !(skips_white && is_white(pixel)) {
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
    take: |scene| {
        let (highlights, others) = white_places(scene);
        clipped(scene, is_white, &highlights, &others)
    },
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
    take: |scene| clipped(scene, is_black, &[], &[]),
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
/// bounded picture that belong to the inside, too, and `less` those that do not.
fn clipped(scene: &Scene<'_>, is_clipped: impl Fn(&[u8]) -> bool, more: &[bool], less: &[bool]) -> Finding {
    let (width, height) = (scene.picture.width() as usize, scene.picture.height() as usize);
    let count = scene.picture.channels().count();
    let side = width.max(height).div_ceil(CELLS);
    let columns = width.div_ceil(side);
    let mut cells = vec![0u64; columns * height.div_ceil(side)];
    let beyond = beyond(scene, &is_clipped);
    let (mut all, mut lost) = (0u64, 0u64);
    for (y, row) in scene.eight().chunks_exact(width * count).enumerate() {
        let work_row = scene.work_row(y) * scene.work.width;
        for (x, pixel) in row.chunks_exact(count).enumerate() {
            let at = work_row + scene.work_column(x);
            let is_in = |mask: &[bool]| mask.get(at).copied().unwrap_or(false);
            if is_in(&beyond) || is_in(less) || (!is_in(more) && !scene.is_deep(x, y, DEPTH)) {
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

/// What is white inside a subject before a white backdrop, in pixels of the bounded picture: highlights that run out, and
/// what may as well be holes or print.
///
/// A hole or a print ends at an edge, after which the subject goes on as it is; a highlight fades. What is enclosed, differs
/// little from what is [`NEAR`] it and more from what is [`FAR`] is taken for one.
fn white_places(scene: &Scene<'_>) -> (Vec<bool>, Vec<bool>) {
    if !is_before_white(scene) {
        return (Vec::new(), Vec::new());
    }
    let (width, height) = (scene.work.width, scene.work.height);
    let white = |at: usize| is_white(&scene.work.rgb[3 * at..3 * at + 3]);
    let lightness = |at: usize| f64::from(scene.lab.of(&scene.work.rgb[3 * at..3 * at + 3])[0]);
    let reached = from_frame(width, height, white);
    // Which opening each pixel is in; 0 is none, 1 what reaches the frame.
    let mut number: Vec<u32> = reached.iter().map(|&reached| u32::from(reached)).collect();
    let mut openings = vec![Opening::default(); 2];
    let mut open = Vec::new();
    for start in 0..number.len() {
        if number[start] != 0 || !white(start) {
            continue;
        }
        let this = openings.len() as u32;
        openings.push(Opening::default());
        number[start] = this;
        open.push(start);
        while let Some(at) = open.pop() {
            for next in beside(at, width, height) {
                if white(next) && number[next] == 0 {
                    number[next] = this;
                    open.push(next);
                }
            }
        }
    }
    // Each opening grows into the subject, ring by ring, as far as we look.
    let mut rim: Vec<usize> = (0..number.len()).filter(|&at| number[at] > 1).collect();
    for step in 1..=FAR {
        let mut grown = Vec::new();
        for &at in &rim {
            for next in beside(at, width, height) {
                if number[next] != 0 {
                    continue;
                }
                number[next] = number[at];
                grown.push(next);
                let opening = &mut openings[number[at] as usize];
                match step {
                    1 => opening.edge.add(lightness(next)),
                    NEAR => opening.near.add(lightness(next)),
                    FAR => opening.far.add(lightness(next)),
                    _ => {}
                }
            }
        }
        rim = grown;
    }
    let fades: Vec<bool> = openings.iter().map(Opening::fades).collect();
    let highlights = number.iter().map(|&number| fades[number as usize]).collect();
    let others = (0..number.len()).map(|at| white(at) && !fades[number[at] as usize]).collect();
    (highlights, others)
}

fn is_white(pixel: &[u8]) -> bool {
    pixel.iter().all(|&value| value >= WHITE)
}

fn is_black(pixel: &[u8]) -> bool {
    pixel.iter().all(|&value| value <= BLACK)
}

/// Whether a subject stands before a backdrop that is itself clipped to white, so that white inside it says little.
fn is_before_white(scene: &Scene<'_>) -> bool {
    let Ok(subject) = &scene.found.subject else { return false };
    let backdrop = || subject.is_backdrop.iter().enumerate().filter(|(_, is_backdrop)| **is_backdrop);
    let white = backdrop().filter(|(at, _)| is_white(&scene.work.rgb[3 * at..3 * at + 3])).count();
    !scene.is_transparent() && 2 * white > backdrop().count()
}

/// What is around an enclosed piece of backdrop.
#[derive(Clone, Default)]
struct Opening {
    edge: Mean,
    near: Mean,
    far: Mean,
}

impl Opening {
    fn fades(&self) -> bool {
        let (Some(edge), Some(near), Some(far)) = (self.edge.get(), self.near.get(), self.far.get()) else {
            return false;
        };
        edge >= LEAST_EDGE && edge - near <= MOST_EDGE && near - far >= LEAST_FADING
    }
}

/// A mean in the making.
#[derive(Clone, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn get(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// White or black that reaches the frame where the whole picture stands for the subject: it may be the backdrop.
fn beyond(scene: &Scene<'_>, is_clipped: impl Fn(&[u8]) -> bool) -> Vec<bool> {
    if !scene.is_all_inside() {
        return Vec::new();
    }
    from_frame(scene.work.width, scene.work.height, |at| is_clipped(&scene.work.rgb[3 * at..3 * at + 3]))
}
