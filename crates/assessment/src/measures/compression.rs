//! What lossy compression did to the picture: what the file says, and what is seen.

use pixels::Format;

use super::ALWAYS;
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::scene::Scene;
use crate::{Action, Category};

/// Side of a JPEG's block.
const BLOCK: usize = 8;
/// Differences count up to this many levels: what is more is an edge of the picture.
const MOST_STEP: u16 = 12;
/// Pairs of pixels that each phase needs.
const LEAST_PAIRS: u64 = 2000;
/// Rows and columns that are looked at, spread evenly.
const MOST_LINES: usize = 1500;

/// The quality that a JPEG's luminance table stands for.
pub(super) const QUALITY: Measure = Measure {
    info: MeasureInfo {
        code: "jpeg_quality",
        name: "JPEG quality",
        description: "The quality for which the file's quantisation table stands; only of a JPEG.",
        category: Category::Compression,
        unit: Unit::JpegQuality,
        bounds: Bounds::least(75.0, 1.0),
        range: (1.0, 100.0),
        gates: ALWAYS,
        remedy: Action::Reexport,
    },
    take: |scene| match (scene.file.format, &scene.file.quantisation) {
        (_, Some(table)) => Measurement::new(table.quality(), 0.95).into(),
        (Some(Format::Jpeg), None) => {
            Finding::Unmeasured("The JPEG's quantisation table could not be read.".to_owned())
        }
        (Some(format), None) => {
            Finding::Unmeasured(format!("The file is a {format}, which has no JPEG quality."))
        }
        (None, None) => Finding::Unmeasured("The file's format is not known.".to_owned()),
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "coarse",
                format!(
                    "The JPEG was written at quality {value} ({limit}). Export it again from its source at a higher one."
                ),
            ),
            Side::Above => telling(
                "heavy",
                format!("The JPEG was written at quality {value} ({limit}). Export it again at a lower one."),
            ),
            Side::Within => telling("coarse", format!("The JPEG was written at quality {value} ({limit}).")),
        }
    },
};

/// Mean difference across a grid of eight pixels less the mean difference elsewhere.
///
/// B and A of Wang, Sheikh and Bovik (2002), taken at whichever of the eight phases B is largest, so that a crop or a file
/// saved again as PNG is found out, too; and how many levels B is above A in place of the paper's fitted score: on smooth
/// pictures A is next to nothing, and quotients of it find blocks that nobody sees.
pub(super) const BLOCKING: Measure = Measure {
    info: MeasureInfo {
        code: "compression_blocking",
        name: "No blocks",
        description: "How much larger the mean step between blocks of eight pixels is than the mean step inside them.",
        category: Category::Compression,
        unit: Unit::Levels,
        bounds: Bounds::most(1.25, 1.0),
        range: (0.0, 12.0),
        gates: ALWAYS,
        remedy: Action::Reexport,
    },
    take: |scene| {
        let (Some(across), Some(down)) = (excess(scene, true), excess(scene, false)) else {
            return Finding::Unmeasured(
                "The picture is too small to look for blocks of eight pixels in it.".to_owned(),
            );
        };
        Measurement::new((across + down) / 2.0, 0.8)
            .at(scene.subject_region())
            .with(format!("They are {across:.2} levels across and {down:.2} down."))
            .into()
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "blocking",
                format!(
                    "Compression left blocks: steps between them are larger than inside by {value} ({limit}). Export it again from a source that was compressed less."
                ),
            ),
            _ => telling(
                "blocking",
                format!(
                    "Compression left no blocks to see: steps between them are larger than inside by {value} ({limit})."
                ),
            ),
        }
    },
};

fn excess(scene: &Scene<'_>, across: bool) -> Option<f64> {
    let (width, height) = (scene.picture.width() as usize, scene.picture.height() as usize);
    let luma = scene.luma();
    let (lines, length) = if across { (height, width) } else { (width, height) };
    // An odd stride, so that lines of all phases of the other axis take part.
    let stride = (lines / MOST_LINES) | 1;
    let (mut sums, mut counts) = ([0u64; BLOCK], [0u64; BLOCK]);
    for line in (0..lines).step_by(stride) {
        let place = |i: usize| if across { (i, line) } else { (line, i) };
        let mut was_inside = false;
        let mut last = 0u8;
        for i in 0..length {
            let (x, y) = place(i);
            let (value, is_inside) = (luma[y * width + x], scene.is_deep(x, y, 1.0));
            if was_inside && is_inside {
                sums[i % BLOCK] += u64::from(u16::from(value.abs_diff(last)).min(MOST_STEP));
                counts[i % BLOCK] += 1;
            }
            (was_inside, last) = (is_inside, value);
        }
    }
    if counts.iter().any(|&count| count < LEAST_PAIRS) {
        return None;
    }
    let mean = |phase: usize| sums[phase] as f64 / counts[phase] as f64;
    let boundary = (0..BLOCK).max_by(|&a, &b| mean(a).total_cmp(&mean(b)))?;
    let inside = (0..BLOCK).filter(|&phase| phase != boundary).map(mean).sum::<f64>() / (BLOCK - 1) as f64;
    Some(mean(boundary) - inside)
}
