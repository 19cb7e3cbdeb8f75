//! Cuts the product out: chooses between the studio matte and the network's alpha, tidies the edge and
//! frees its colours of the old background.

use pixels::{Bitmap, Mask};

use crate::clean::{Holes, Keep, fill_doubtful_spots};
use crate::error::{MattingError, check_size};
use crate::finish::{Finish, finish};
use crate::refine::{RefineOptions, network_inside, open_clear_parts, refine_band};
use crate::regions::{Connectivity, Regions, Run};
use crate::square::eroded;
use crate::studio::{Measured, Studio};

/// The studio matte is trusted below this residual (ΔE) …
const MOST_RESIDUAL: f32 = 1.5;
/// … above this share of inliers …
const LEAST_INLIERS: f32 = 0.9;
/// … and above this agreement with the network. Border statistics alone do not see a shadow.
const LEAST_AGREEMENT: f32 = 0.95;

/// Of how many pixels of the picture one may belong to a spot that a network left half transparent by mistake.
const LARGEST_SPOT: usize = 500;

/// Which alpha to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The studio matte: the backdrop is plain and the network sees the same product.
    Studio,
    /// The network's alpha with a refined band.
    Network,
}

/// How an alpha was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Studio matte without a network to check it.
    Studio,
    /// Studio matte that the network agreed with; where a whole area was in dispute, the network's.
    NetworkStudio,
    /// The network's alpha, its band refined at full resolution.
    Network,
}

/// How a product is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How a network's alpha is refined.
    pub refine: RefineOptions,
    /// Which pieces stay.
    pub keep: Keep,
    /// Which enclosed openings stay.
    pub holes: Holes,
    /// Alpha up to this becomes 0 in the end.
    pub transparent_up_to: u8,
    /// Alpha from this on becomes 255 in the end.
    pub opaque_from: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            refine: RefineOptions::default(),
            keep: Keep::All,
            holes: Holes::Keep,
            transparent_up_to: 3,
            opaque_from: 252,
        }
    }
}

/// A product cut out of its background.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Coverage by the product, at the picture's size.
    pub alpha: Mask,
    /// The picture as straight RGBA of its own depth: `alpha` applied, edge colours freed of the background.
    pub foreground: Bitmap,
    /// How the alpha was made.
    pub method: Method,
    /// 0.0 (worthless) ..= 1.0 (clear): plainness of the backdrop for a studio matte, agreement with the
    /// network where both were used, decidedness away from the edge for a network's alpha.
    pub confidence: f32,
    /// Distance of the picture's border from a plain backdrop (ΔE).
    pub residual: f32,
    /// Share of the border that is plain backdrop.
    pub inliers: f32,
    /// Intersection over union of studio matte and network; `None` where one of them was not made.
    pub iou: Option<f32>,
}

/// An alpha before it is tidied: [`crate::finish()`] makes a cut-out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Matte {
    /// Coverage by the product, at the picture's size.
    pub alpha: Mask,
    /// As in [`Outcome`].
    pub method: Method,
    /// As in [`Outcome`].
    pub confidence: f32,
    /// As in [`Outcome`].
    pub residual: f32,
    /// As in [`Outcome`].
    pub inliers: f32,
    /// As in [`Outcome`].
    pub iou: Option<f32>,
}

/// Chooses between a studio matte and a network's alpha of the same size.
pub fn route(studio: &Studio, network: &Mask) -> Result<Choice, MattingError> {
    let iou = crate::metrics::iou(&studio.alpha, network)? as f32;
    Ok(choose(studio, iou))
}

fn choose(studio: &Studio, iou: f32) -> Choice {
    if is_plain(studio.residual, studio.inliers) && iou > LEAST_AGREEMENT {
        Choice::Studio
    } else {
        Choice::Network
    }
}

impl Studio {
    /// Whether the backdrop was plain enough for the matte to be trusted.
    pub fn is_plain(&self) -> bool {
        is_plain(self.residual, self.inliers)
    }
}

fn is_plain(residual: f32, inliers: f32) -> bool {
    residual < MOST_RESIDUAL && inliers > LEAST_INLIERS
}

/// Cuts a product out. `network` is a network's alpha, already enlarged to the picture; without one the
/// studio matte is used, and `confidence` says what it is worth. An alpha channel of the bitmap is not read.
/// Refuses a mask of another size.
pub fn cut_out(bitmap: &Bitmap, network: Option<&Mask>, options: &Options) -> Result<Outcome, MattingError> {
    finish(bitmap, matte(bitmap, network, options)?, options, &Finish::default())
}

/// The alpha of [`cut_out`], before specks, holes and colours are seen to.
pub fn matte(bitmap: &Bitmap, network: Option<&Mask>, options: &Options) -> Result<Matte, MattingError> {
    if let Some(network) = network {
        check_size(bitmap, network)?;
    }
    let measured = Measured::of(bitmap);
    let (residual, inliers) = (measured.residual, measured.inliers);
    let (alpha, method, confidence, iou) = match network {
        None => {
            let studio = measured.matte();
            let confidence = plainness(&studio);
            (studio.alpha, Method::Studio, confidence, None)
        }
        Some(network) => {
            // Without a plain backdrop the studio matte is not worth its time.
            let studio = is_plain(residual, inliers).then(|| measured.matte());
            let iou = match &studio {
                Some(studio) => Some(crate::metrics::iou(&studio.alpha, network)? as f32),
                None => None,
            };
            match studio.zip(iou).filter(|(studio, iou)| choose(studio, *iou) == Choice::Studio) {
                Some((studio, agreement)) => {
                    let mut alpha = settle_disputes(bitmap, studio.alpha, network, &options.refine)?;
                    open_clear_parts(bitmap, network, options.refine.source_side, &mut alpha);
                    (alpha, Method::NetworkStudio, agreement, iou)
                }
                None => {
                    let mut refined = refine_band(bitmap, network, &options.refine)?;
                    let confidence = decidedness(&refined);
                    let spot = refined.values().len() / LARGEST_SPOT;
                    let inside = network_inside(network, options.refine.source_side);
                    fill_doubtful_spots(&mut refined, &inside, spot);
                    (refined, Method::Network, confidence, iou)
                }
            }
        }
    };
    Ok(Matte { alpha, method, confidence, residual, inliers, iou })
}

/// Confidence in a studio matte alone.
fn plainness(studio: &Studio) -> f32 {
    let covered = studio.alpha.values().iter().filter(|&&v| v >= 128).count() as f32
        / studio.alpha.values().len() as f32;
    // Nothing found, or all of the picture: there is no product on a plain backdrop.
    if !(0.002..=0.95).contains(&covered) {
        return 0.0;
    }
    let smooth = 1.0 - (studio.residual / (4.0 * MOST_RESIDUAL)).min(1.0);
    let whole = ((studio.inliers - 0.5) / (LEAST_INLIERS - 0.5)).clamp(0.0, 1.0);
    smooth * whole
}

/// Confidence in a network's alpha: how little of what it covers is neither in nor out.
fn decidedness(alpha: &Mask) -> f32 {
    let (mut total, mut undecided) = (0u64, 0u64);
    for &value in alpha.values() {
        total += u64::from(value);
        undecided += u64::from(value.min(255 - value));
    }
    if total == 0 { 0.0 } else { 1.0 - (2.0 * undecided as f32 / total as f32).min(1.0) }
}

/// Keeps the studio matte but for whole areas that the network sees otherwise: a shadow taken for product,
/// a white part taken for backdrop. What is thin (strands, the edge itself) the studio matte knows better.
fn settle_disputes(
    bitmap: &Bitmap,
    mut studio: Mask,
    network: &Mask,
    options: &RefineOptions,
) -> Result<Mask, MattingError> {
    let (width, height) = (studio.width() as usize, studio.height() as usize);
    let scale = width.max(height).div_ceil(options.source_side.max(1) as usize);
    // A part that looks like the backdrop may still be product, and only the network can know; what differs
    // from the backdrop has to be larger before the network may call it a shadow.
    let missing = dispute(&studio, network, |s, n| s < 128 && n >= 128, scale.max(2));
    let surplus = dispute(&studio, network, |s, n| s >= 128 && n < 128, 4 * scale);
    if missing.is_none() && surplus.is_none() {
        return Ok(studio);
    }
    let refined = refine_band(bitmap, network, options)?;
    // The soft edge around an area goes with it.
    let rim = 3 * scale;
    for run in missing.iter().chain(&surplus).flatten() {
        let rows = (run.row as usize).saturating_sub(rim)..=(run.row as usize + rim).min(height - 1);
        let columns = (run.start as usize).saturating_sub(rim)..(run.end as usize + rim).min(width);
        for y in rows {
            let span = y * width + columns.start..y * width + columns.end;
            studio.values_mut()[span.clone()].copy_from_slice(&refined.values()[span]);
        }
    }
    Ok(studio)
}

/// The runs of all disputed areas that hold a square of side `2 * thick + 1`; `None` when there is none.
fn dispute(
    studio: &Mask,
    network: &Mask,
    is_disputed: impl Fn(u8, u8) -> bool,
    thick: usize,
) -> Option<Vec<Run>> {
    let (width, height) = (studio.width() as usize, studio.height() as usize);
    let disputed: Vec<u8> =
        studio.values().iter().zip(network.values()).map(|(&s, &n)| u8::from(is_disputed(s, n))).collect();
    let cores = eroded(&disputed, width, height, thick);
    if !cores.contains(&1) {
        return None;
    }
    let regions = Regions::of(&disputed, width, Connectivity::Eight, |v| v == 1);
    let mut is_thick = vec![false; regions.list.len()];
    for (region, span) in regions.spans() {
        is_thick[region] |= cores[span].contains(&1);
    }
    Some(regions.runs.into_iter().filter(|run| is_thick[run.region as usize]).collect())
}
