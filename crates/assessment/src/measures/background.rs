//! The backdrop: whether it is plain, its colour, and how even that is.

use pixels::{Rect, ciede2000};

use super::{BACKDROP, BACKDROP_GATE};
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Telling, Told, Unit, telling};
use crate::rank::quantile;
use crate::scene::Scene;
use crate::subject::{PLAIN_RESIDUAL, PLAIN_SHARE};
use crate::{Action, Category};

/// Pixels of the picture that are kept between backdrop and subject: 4:2:0 compression reaches so far.
const EDGE_BAND: f64 = 24.0;
/// Fewer tiles tell nothing of a backdrop.
const LEAST_TILES: usize = 12;
/// Share of the backdrop that may be less even than the value: the marks of a stand, a corner.
const EVEN_SHARE: f64 = 0.95;

/// Root mean square CIE76 distance of the border from a smooth colour surface.
pub(super) const PLAINNESS: Measure = Measure {
    info: MeasureInfo {
        code: "background_plainness",
        name: "Plain backdrop",
        description: "How far the picture's border lies from a smooth colour surface.",
        category: Category::Background,
        unit: Unit::DeltaE76,
        bounds: Bounds::most(PLAIN_RESIDUAL as f64, 3.0),
        range: (0.0, 50.0),
        gates: BACKDROP_GATE,
        remedy: Action::Retouch,
    },
    take: |scene| match scene.found.plainness {
        Some(plain) => Measurement::new(f64::from(plain.residual), f64::from(plain.share)).into(),
        None => no_border(scene),
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "busy",
                format!(
                    "The backdrop is not plain: its border lies {value} from a smooth surface ({limit}). Cut the \
                     subject out and lay it on a plain colour."
                ),
            ),
            _ => telling("busy", format!("The backdrop is plain: {value} from a smooth surface ({limit}).")),
        }
    },
};

/// Share of the border that lies on that surface.
pub(super) const EXTENT: Measure = Measure {
    info: MeasureInfo {
        code: "background_extent",
        name: "Backdrop around the subject",
        description: "How much of the picture's border is one smooth backdrop.",
        category: Category::Background,
        unit: Unit::Percent,
        bounds: Bounds::least(100.0 * PLAIN_SHARE as f64, 2.0),
        range: (0.0, 100.0),
        gates: BACKDROP_GATE,
        remedy: Action::Retouch,
    },
    take: |scene| match scene.found.plainness {
        Some(plain) => Measurement::new(100.0 * f64::from(plain.share), 0.9).into(),
        None => no_border(scene),
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "interrupted",
                format!(
                    "Only {value} of the border is one smooth backdrop ({limit}); the rest shows something else. Cut \
                     the subject out, or show more of the backdrop around it."
                ),
            ),
            _ => telling("interrupted", format!("{value} of the border is one smooth backdrop ({limit}).")),
        }
    },
};

/// CIEDE2000 of the backdrop's middle colour from the colour that is wanted.
pub(super) const PURITY: Measure = Measure {
    info: MeasureInfo {
        code: "background_purity",
        name: "Colour of the backdrop",
        description: "How far the backdrop's middle colour is from the colour that is wanted, which is pure white unless \
                      another is set.",
        category: Category::Background,
        unit: Unit::DeltaE2000,
        bounds: Bounds::most(0.15, 3.0),
        range: (0.0, 100.0),
        gates: BACKDROP_GATE,
        remedy: Action::Retouch,
    },
    take: |scene| {
        with_tiles(scene, |tiles, confidence| {
            let middle = middle_of(tiles);
            let wanted = scene.lab.of(&scene.limits.backdrop());
            let off = |tile: &Tile| f64::from(ciede2000(tile.lab, wanted));
            let worst = tiles.iter().max_by(|a, b| off(a).total_cmp(&off(b)));
            Measurement::new(f64::from(ciede2000(middle, wanted)), confidence)
                .at(worst.map(|tile| scene.work.region(tile.rect, scene.size())))
                .with(format!(
                    "The backdrop's middle colour is L* {:.1}, a* {:.1}, b* {:.1}.",
                    middle[0], middle[1], middle[2]
                ))
                .with(format!("Its middle sample values are {}.", hex(middle_rgb(tiles))))
        })
    },
    tell: tell_purity,
};

fn tell_purity(told: &Told<'_>) -> Telling {
    let wanted = hex(told.scene.limits.backdrop());
    let (value, limit) = (told.value(), told.limit());
    if told.side != Side::Above {
        return telling("off_colour", format!("The backdrop is {wanted} within {value} ({limit})."));
    }
    let found = tiles(told.scene).map_or_else(|_| String::new(), |tiles| hex(middle_rgb(&tiles)));
    telling(
        "off_colour",
        format!(
            "The backdrop is {found}, {value} from {wanted} ({limit}), farthest {}. Clean the backdrop to {wanted}, or \
             lay the cut-out on it.",
            told.place
        ),
    )
}

/// CIEDE2000 between the backdrop's tiles and its middle colour, at the 95th percentile.
pub(super) const UNIFORMITY: Measure = Measure {
    info: MeasureInfo {
        code: "background_uniformity",
        name: "Evenness of the backdrop",
        description: "How far all but a twentieth of the backdrop's tiles are from its middle colour at most.",
        category: Category::Background,
        unit: Unit::DeltaE2000,
        bounds: Bounds::most(1.0, 2.0),
        range: (0.0, 100.0),
        gates: BACKDROP,
        remedy: Action::Retouch,
    },
    take: |scene| {
        with_tiles(scene, |tiles, confidence| {
            let middle = middle_of(tiles);
            let mut off: Vec<f64> = tiles.iter().map(|tile| f64::from(ciede2000(tile.lab, middle))).collect();
            let worst = (0..tiles.len()).max_by(|&a, &b| off[a].total_cmp(&off[b]));
            let region = worst.map(|at| scene.work.region(tiles[at].rect, scene.size()));
            let most = worst.map_or(0.0, |at| off[at]);
            let value = quantile(&mut off, EVEN_SHARE).unwrap_or(0.0);
            Measurement::new(value, confidence)
                .at(region)
                .with(format!("The tile that differs most differs by {most:.2} ΔE."))
        })
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "uneven",
                format!(
                    "The backdrop is uneven by {value} ({limit}), most {}. Clean the backdrop to one colour.",
                    told.place
                ),
            ),
            _ => telling("uneven", format!("The backdrop is even within {value} ({limit}).")),
        }
    },
};

/// A square of backdrop in the bounded picture.
struct Tile {
    rect: Rect,
    /// Mean sample values.
    rgb: [f64; 3],
    /// L*a*b* of that mean, between levels.
    lab: [f32; 3],
}

fn no_border(scene: &Scene<'_>) -> Finding {
    Finding::Unmeasured(match &scene.found.subject {
        _ if scene.is_transparent() => transparent(),
        Err(reason) => reason.clone(),
        Ok(_) => transparent(),
    })
}

fn transparent() -> String {
    "The picture is transparent where a backdrop would be, so that it has no colour; lay it on one, or evaluate it as \
     `cut_out`."
        .to_owned()
}

fn with_tiles(scene: &Scene<'_>, measure: impl Fn(&[Tile], f64) -> Measurement) -> Finding {
    match tiles(scene) {
        Ok(tiles) => {
            // Few tiles may not stand for all of the backdrop.
            let enough = (tiles.len() as f64 / (4.0 * LEAST_TILES as f64)).min(1.0);
            let sure = scene.found.subject.as_ref().map_or(0.5, |subject| subject.confidence);
            measure(&tiles, sure * enough.sqrt()).into()
        }
        Err(reason) => Finding::Unmeasured(reason),
    }
}

/// The tiles that are backdrop and nothing else, or why there are none.
fn tiles(scene: &Scene<'_>) -> Result<Vec<Tile>, String> {
    if scene.is_transparent() {
        return Err(transparent());
    }
    let work = &scene.work;
    // Without any subject the whole picture may still be backdrop.
    let subject = match &scene.found.subject {
        Ok(subject) => Some(subject),
        Err(_) if scene.found.presence.is_some() => None,
        Err(reason) => return Err(reason.clone()),
    };
    let band = (EDGE_BAND / work.mean_scale()).clamp(4.0, EDGE_BAND) as f32;
    let is_backdrop =
        |at: usize| subject.is_none_or(|subject| subject.is_backdrop[at] && subject.distance[at] >= band);
    let side = (work.width.min(work.height) / 40).clamp(4, 16);
    let mut tiles = Vec::new();
    for top in (0..work.height / side).map(|row| row * side) {
        for left in (0..work.width / side).map(|column| column * side) {
            let rows = || (top..top + side).map(|y| y * work.width + left..y * work.width + left + side);
            if !rows().all(|mut row| row.all(is_backdrop)) {
                continue;
            }
            let mut sum = [0u32; 3];
            for row in rows() {
                for pixel in work.rgb[3 * row.start..3 * row.end].chunks_exact(3) {
                    (0..3).for_each(|c| sum[c] += u32::from(pixel[c]));
                }
            }
            let rgb = sum.map(|sum| f64::from(sum) / (side * side) as f64);
            let rect = Rect { x: left as u32, y: top as u32, width: side as u32, height: side as u32 };
            tiles.push(Tile { rect, rgb, lab: lab(rgb) });
        }
    }
    if tiles.len() < LEAST_TILES {
        return Err(
            "The subject leaves too little of the backdrop to measure; give the picture more room around it."
                .to_owned(),
        );
    }
    Ok(tiles)
}

/// L*a*b* of sample values that need not be whole.
fn lab(rgb: [f64; 3]) -> [f32; 3] {
    pixels::linear_to_lab(rgb.map(|value| pixels::srgb_to_linear(value / 255.0) as f32))
}

fn middle_of(tiles: &[Tile]) -> [f32; 3] {
    let colours: Vec<[f32; 3]> = tiles.iter().map(|tile| tile.lab).collect();
    middle(&colours).unwrap_or([0.0; 3])
}

fn middle_rgb(tiles: &[Tile]) -> [u8; 3] {
    let colours: Vec<[f32; 3]> = tiles.iter().map(|tile| tile.rgb.map(|value| value as f32)).collect();
    middle(&colours).unwrap_or([0.0; 3]).map(|value| value.round() as u8)
}

/// The median of each channel.
pub(crate) fn middle(colours: &[[f32; 3]]) -> Option<[f32; 3]> {
    let mut out = [0.0; 3];
    for (channel, slot) in out.iter_mut().enumerate() {
        let mut values: Vec<f64> = colours.iter().map(|colour| f64::from(colour[channel])).collect();
        *slot = quantile(&mut values, 0.5)? as f32;
    }
    Some(out)
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
