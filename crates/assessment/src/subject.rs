//! Where the subject is: from alpha where there is one, else from a plain backdrop.

use matting::studio_matte;
use pixels::{Bitmap, Channels, Lab, Mask, Rect};

use crate::distance::signed;
use crate::scene::Work;

/// Sides shorter than this hold no subject that could be told from noise.
const LEAST_SIDE: usize = 32;
/// Alpha from which a pixel belongs to the subject, of 255.
const INSIDE: u8 = 128;
/// Alpha up to which a pixel belongs to the backdrop, of 255.
const OUTSIDE: u8 = 8;
/// A backdrop is plain up to this distance of its border from a smooth colour surface (CIE76), as for cutting out.
pub(crate) const PLAIN_RESIDUAL: f32 = 1.5;
/// So much of the border must lie on that surface: a robust fit holds with two fifths of foreign colours.
pub(crate) const PLAIN_SHARE: f32 = 0.6;
/// A subject is at least this share of the picture.
const LEAST_AREA: f64 = 0.0005;
/// A piece of the subject is at least this share of the picture.
const LEAST_PIECE: f64 = 0.0002;

/// How plain the border of an opaque picture is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plainness {
    /// Root mean square distance from a smooth colour surface, CIE76 ΔE.
    pub residual: f32,
    /// Share of the border on that surface, 0.0..=1.0.
    pub share: f32,
}

/// What was found in the bounded picture.
pub(crate) struct Found {
    /// How plain the border is; `None` where the picture is transparent or tiny.
    pub plainness: Option<Plainness>,
    /// Share of the picture that is subject, 0.0..=1.0; `None` where that cannot be told.
    pub presence: Option<f64>,
    /// The subject, or why there is none to measure: a sentence with the way out.
    pub subject: Result<Subject, String>,
}

/// The subject in the bounded picture, without its shadow.
pub(crate) struct Subject {
    /// Signed distance from its outline in pixels, negative inside.
    pub distance: Vec<f32>,
    /// Which pixels are backdrop and nothing else: no subject, no shadow, no soft edge.
    pub is_backdrop: Vec<bool>,
    /// The smallest rectangle around it.
    pub bounds: Rect,
    /// How sure it is, 0.0..=1.0.
    pub confidence: f64,
}

/// Finds the subject.
pub(crate) fn find(work: &Work, lab: &Lab) -> Found {
    if work.width.min(work.height) < LEAST_SIDE {
        let reason = format!(
            "The picture is too small or too narrow to tell a subject from its backdrop; give one with at least {LEAST_SIDE} px on each side."
        );
        return Found { plainness: None, presence: None, subject: Err(reason) };
    }
    if let Some(alpha) = &work.alpha {
        return transparent(alpha);
    }
    let bitmap = Bitmap::from_u8(work.width as u32, work.height as u32, Channels::Rgb, work.rgb.clone());
    let Ok(bitmap) = bitmap else {
        // A picture of this size was just read from a bitmap; were it not, nothing could be said of it.
        return Found {
            plainness: None,
            presence: None,
            subject: Err("The picture cannot be read.".to_owned()),
        };
    };
    let studio = studio_matte(&bitmap);
    let plainness = Plainness { residual: studio.residual, share: studio.inliers };
    if plainness.residual > PLAIN_RESIDUAL || plainness.share < PLAIN_SHARE {
        let reason = "The backdrop is not plain, so that the subject cannot be told from it; put the subject before a \
                      plain backdrop, or evaluate its cut-out.";
        return Found { plainness: Some(plainness), presence: None, subject: Err(reason.to_owned()) };
    }
    let inside = without_shadow(work, &studio.alpha, lab);
    let inside = without_scraps(inside, work.width);
    let smooth = 1.0 - f64::from(plainness.residual / (2.0 * PLAIN_RESIDUAL));
    let whole = f64::from((plainness.share - PLAIN_SHARE) / (1.0 - PLAIN_SHARE)).clamp(0.0, 1.0);
    let confidence = (0.5 + 0.5 * smooth * whole.sqrt()).clamp(0.0, 1.0);
    let (presence, subject) = subject(inside, &studio.alpha, confidence);
    Found { plainness: Some(plainness), presence: Some(presence), subject }
}

fn transparent(alpha: &Mask) -> Found {
    let inside = alpha.values().iter().map(|&alpha| alpha >= INSIDE).collect();
    let inside = without_scraps(inside, alpha.width() as usize);
    let (presence, subject) = subject(inside, alpha, 1.0);
    Found { plainness: None, presence: Some(presence), subject }
}

fn subject(inside: Vec<bool>, alpha: &Mask, confidence: f64) -> (f64, Result<Subject, String>) {
    let width = alpha.width() as usize;
    let presence = inside.iter().filter(|&&inside| inside).count() as f64 / inside.len() as f64;
    let bounds = bounds(&inside, width);
    let (Some(bounds), true) = (bounds, presence >= LEAST_AREA) else {
        let reason = "No subject was found: nothing in the picture differs from its backdrop. Check that the right \
                      picture was given.";
        return (presence, Err(reason.to_owned()));
    };
    let is_backdrop = alpha.values().iter().map(|&alpha| alpha <= OUTSIDE).collect();
    (presence, Ok(Subject { distance: signed(&inside, width), is_backdrop, bounds, confidence }))
}

/// The smallest rectangle around the true pixels.
fn bounds(inside: &[bool], width: usize) -> Option<Rect> {
    let values = inside.iter().map(|&inside| if inside { u8::MAX } else { 0 }).collect();
    let mask = Mask::new(width as u32, (inside.len() / width) as u32, values).ok()?;
    mask.bounds(1)
}

/// How far L* may step between neighbours of a smooth shadow.
const SHADOW_STEP: f32 = 1.2;
/// A shadow keeps at least this share of the backdrop's L*.
const DARKEST_SHADOW: f32 = 0.45;
/// How far a shadow's a*b* may lie from the backdrop's.
const SHADOW_CHROMA: f32 = 4.0;
/// What looks like a shadow over more of the matte than this is a smooth product.
const MOST_SHADOW: f64 = 0.6;

/// The matte without what only darkens the backdrop, smoothly and from outside: shadows have no edge towards it.
///
/// A product that is paler than [`SHADOW_STEP`] a pixel along its whole outline would be taken for a shadow; where that
/// would leave less than two fifths of the matte, the matte is kept.
fn without_shadow(work: &Work, alpha: &Mask, lab: &Lab) -> Vec<bool> {
    let (width, height) = (work.width, work.height);
    let matte: Vec<bool> = alpha.values().iter().map(|&alpha| alpha >= INSIDE).collect();
    let colours: Vec<[f32; 3]> = work.rgb.chunks_exact(3).map(|rgb| lab.of(rgb)).collect();
    let backdrop: Vec<[f32; 3]> = colours
        .iter()
        .zip(alpha.values())
        .filter(|(_, alpha)| **alpha <= OUTSIDE)
        .map(|(colour, _)| *colour)
        .step_by(7)
        .collect();
    let Some(behind) = crate::measures::background::middle(&backdrop) else { return matte };
    let lightness = smoothed(&colours, width, height);
    let is_shade = |at: usize| {
        let [l, a, b] = colours[at];
        l <= behind[0] + 1.0
            && l >= DARKEST_SHADOW * behind[0]
            && (a - behind[1]).hypot(b - behind[2]) <= SHADOW_CHROMA
    };
    let mut inside = matte.clone();
    // From the frame only: what an opening darkens towards is a highlight that runs out.
    let outside = from_frame(width, height, |at| !matte[at]);
    let mut open: Vec<usize> = (0..inside.len()).filter(|&at| outside[at]).collect();
    while let Some(at) = open.pop() {
        for next in beside(at, width, height) {
            if inside[next] && (lightness[next] - lightness[at]).abs() <= SHADOW_STEP && is_shade(next) {
                inside[next] = false;
                open.push(next);
            }
        }
    }
    let count = |mask: &[bool]| mask.iter().filter(|&&inside| inside).count() as f64;
    if count(&inside) < (1.0 - MOST_SHADOW) * count(&matte) { matte } else { inside }
}

/// The pixels that share a side with one.
pub(crate) fn beside(at: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (at % width, at / width);
    [
        (x > 0).then(|| at.wrapping_sub(1)),
        (x + 1 < width).then_some(at + 1),
        (y > 0).then(|| at.wrapping_sub(width)),
        (y + 1 < height).then_some(at + width),
    ]
    .into_iter()
    .flatten()
}

/// The chosen pixels that are connected to the frame through chosen pixels.
pub(crate) fn from_frame(width: usize, height: usize, chosen: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut reached = vec![false; width * height];
    let frame = (0..width)
        .flat_map(|x| [x, (height - 1) * width + x])
        .chain((0..height).flat_map(|y| [y * width, y * width + width - 1]));
    let mut open: Vec<usize> = Vec::new();
    for at in frame {
        if chosen(at) && !reached[at] {
            reached[at] = true;
            open.push(at);
        }
    }
    while let Some(at) = open.pop() {
        for next in beside(at, width, height) {
            if !reached[next] && chosen(next) {
                reached[next] = true;
                open.push(next);
            }
        }
    }
    reached
}

/// L* by means of three by three pixels, which halve the noise thrice over.
fn smoothed(colours: &[[f32; 3]], width: usize, height: usize) -> Vec<f32> {
    let mut across = vec![0.0f32; colours.len()];
    for y in 0..height {
        for x in 0..width {
            let row = y * width;
            across[row + x] = (colours[row + x.saturating_sub(1)][0]
                + colours[row + x][0]
                + colours[row + (x + 1).min(width - 1)][0])
                / 3.0;
        }
    }
    let mut out = vec![0.0f32; colours.len()];
    for y in 0..height {
        let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
        for x in 0..width {
            out[y * width + x] = (across[above + x] + across[y * width + x] + across[below + x]) / 3.0;
        }
    }
    out
}

/// Drops pieces that are too small to be part of a subject: dust, compression's scatter.
fn without_scraps(mut inside: Vec<bool>, width: usize) -> Vec<bool> {
    let height = inside.len() / width;
    let least = (inside.len() as f64 * LEAST_PIECE).max(4.0) as usize;
    let mut seen = vec![false; inside.len()];
    let mut piece = Vec::new();
    for start in 0..inside.len() {
        if !inside[start] || seen[start] {
            continue;
        }
        piece.clear();
        piece.push(start);
        seen[start] = true;
        let mut next = 0;
        while next < piece.len() {
            let (x, y) = (piece[next] % width, piece[next] / width);
            for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let at = row * width + column;
                    if inside[at] && !seen[at] {
                        seen[at] = true;
                        piece.push(at);
                    }
                }
            }
            next += 1;
        }
        if piece.len() < least {
            for &at in &piece {
                inside[at] = false;
            }
        }
    }
    inside
}
