//! From an alpha to a cut-out: tidied pieces, edges of the kind asked for, what a person marked kept, colours freed of the
//! old background.

use pixels::{Bitmap, Mask};

use crate::clean::{clean, snap};
use crate::cut_out::{Matte, Options, Outcome};
use crate::edges::{harden, shift};
use crate::error::{MattingError, check_size};
use crate::foreground::estimate_foreground;
use crate::marks::{Mark, Marks};
use crate::regions::{Connectivity, Regions};

/// Coverage from which a pixel belongs to a piece that a person asked for.
const PIECE: u8 = 8;

/// What an edge looks like in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edges {
    /// As it was solved.
    #[default]
    Solved,
    /// About one pixel wide along the line of one half: as crisp as a drawn outline.
    Hard,
}

/// How an alpha is finished.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finish<'a> {
    /// What an edge looks like.
    pub edges: Edges,
    /// By how many pixels the outline moves: outwards above 0, inwards below.
    pub shift: f32,
    /// What a person marked, of the picture's size: kept and removed to the pixel, whatever the rest says.
    pub marks: Option<&'a Marks>,
}

/// Makes a cut-out of an alpha: snaps the ends, drops pieces and fills holes as `options` say, shapes the edge, obeys
/// the marks, estimates the foreground's colours. A piece with a mark that keeps it is not dropped. Refuses masks of
/// another size than the picture.
pub fn finish(
    bitmap: &Bitmap,
    matte: Matte,
    options: &Options,
    last: &Finish<'_>,
) -> Result<Outcome, MattingError> {
    let Matte { mut alpha, method, confidence, residual, inliers, iou } = matte;
    check_size(bitmap, &alpha)?;
    snap(&mut alpha, options.transparent_up_to, options.opaque_from);
    match last.marks.filter(|marks| marks.has(Mark::Keep) || marks.has(Mark::KeepHere)) {
        Some(marks) => {
            let before = alpha.clone();
            clean(&mut alpha, options.keep, options.holes);
            give_back(&mut alpha, &before, marks);
        }
        None => clean(&mut alpha, options.keep, options.holes),
    }
    shift(&mut alpha, last.shift);
    if last.edges == Edges::Hard {
        harden(&mut alpha);
    }
    if let Some(marks) = last.marks {
        marks.enforce(&mut alpha)?;
    }
    let foreground = estimate_foreground(bitmap, &alpha)?;
    Ok(Outcome { alpha, foreground, method, confidence, residual, inliers, iou })
}

/// Brings the pieces back that a person asked for.
fn give_back(alpha: &mut Mask, before: &Mask, marks: &Marks) {
    let width = before.width() as usize;
    let pieces = Regions::of(before.values(), width, Connectivity::Eight, |value| value >= PIECE);
    let mut is_asked = vec![false; pieces.list.len()];
    for (piece, span) in pieces.spans() {
        is_asked[piece] |= marks.values()[span].iter().any(|mark| mark.keeps());
    }
    for (piece, span) in pieces.spans() {
        if is_asked[piece] {
            let values = alpha.values_mut()[span.clone()].iter_mut();
            values.zip(&before.values()[span]).for_each(|(value, before)| *value = (*value).max(*before));
        }
    }
}
