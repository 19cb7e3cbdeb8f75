//! The measures of one cut-out against the truth, and their means over groups.

use matting::metrics;
use pixels::Bitmap;

use crate::samples::{Ground, Kind, Sample, Spec};

/// The plain colour that cut-outs are laid on to see their edges: one that no sample has.
const SHOWN_ON: [u8; 3] = [40, 150, 90];
/// How far from the exact edge a viewer looks, in pixels.
const RADIUS: usize = 3;

/// The measures of one cut-out, or their means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Sum of absolute differences of alpha, in thousands of pixels for a megapixel.
    pub sad: f64,
    /// Mean squared difference of alpha, in thousandths.
    pub mse: f64,
    /// Gradient error, in thousands for a megapixel.
    pub gradient: f64,
    /// Connectivity error, in thousands for a megapixel.
    pub connectivity: f64,
    /// Intersection over union.
    pub iou: f64,
    /// Mean absolute difference of alpha near the exact edge, in thousandths.
    pub edge: f64,
    /// ΔE2000 of the foreground's own colours where the exact alpha is partial.
    pub colour: f64,
    /// ΔE2000 near the edge once laid on a plain colour.
    pub seen: f64,
    /// Seconds.
    pub seconds: f64,
}

impl Score {
    /// The measures of a cut-out (RGBA, straight) of that sample.
    pub fn of(cut_out: &Bitmap, sample: &Sample, seconds: f64) -> anyhow::Result<Self> {
        let (alpha, exact) = (cut_out.alpha(), sample.alpha());
        let megapixels = exact.values().len() as f64 / 1e6;
        Ok(Self {
            sad: metrics::sad(&alpha, &exact)? / 1e3 / megapixels,
            mse: metrics::mse(&alpha, &exact)? * 1e3,
            gradient: metrics::gradient_error(&alpha, &exact)? / 1e3 / megapixels,
            connectivity: metrics::connectivity_error(&alpha, &exact)? / 1e3 / megapixels,
            iou: metrics::iou(&alpha, &exact)?,
            edge: metrics::band_mae(&alpha, &exact, RADIUS)? * 1e3,
            colour: metrics::edge_colour_error(cut_out, &sample.foreground)?,
            seen: metrics::edge_seen_error(cut_out, &sample.foreground, SHOWN_ON, RADIUS)?,
            seconds,
        })
    }

    fn parts(&self) -> [f64; 9] {
        let Self { sad, mse, gradient, connectivity, iou, edge, colour, seen, seconds } = *self;
        [sad, mse, gradient, connectivity, iou, edge, colour, seen, seconds]
    }

    /// The means; all zero of none.
    pub fn mean<'a>(scores: impl Iterator<Item = &'a Self>) -> Self {
        let (mut sum, mut count) = ([0.0; 9], 0u32);
        for score in scores {
            count += 1;
            sum.iter_mut().zip(score.parts()).for_each(|(sum, value)| *sum += value);
        }
        let [sad, mse, gradient, connectivity, iou, edge, colour, seen, seconds] =
            sum.map(|sum| sum / f64::from(count.max(1)));
        Self { sad, mse, gradient, connectivity, iou, edge, colour, seen, seconds }
    }

    /// Heads of the columns that [`Score::cells`] fills.
    pub const HEADS: &str = "SAD | MSE | gradient | connectivity | IoU | edge alpha | edge ΔE | seen ΔE | s";

    /// Its row of a table.
    pub fn cells(&self) -> String {
        format!(
            "{:.2} | {:.2} | {:.2} | {:.2} | {:.4} | {:.1} | {:.2} | {:.2} | {:.2}",
            self.sad,
            self.mse,
            self.gradient,
            self.connectivity,
            self.iou,
            self.edge,
            self.colour,
            self.seen,
            self.seconds
        )
    }
}

/// Samples that are looked at together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Group {
    /// Of one product.
    Kind(Kind),
    /// Before one backdrop.
    Ground(Ground),
}

impl Group {
    /// All of them, products first.
    pub fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().map(Self::Kind).chain(Ground::ALL.into_iter().map(Self::Ground))
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kind(kind) => kind.name(),
            Self::Ground(ground) => ground.name(),
        }
    }

    /// Whether a sample is in it.
    pub fn holds(self, spec: &Spec) -> bool {
        match self {
            Self::Kind(kind) => spec.kind == kind,
            Self::Ground(ground) => spec.ground == ground,
        }
    }
}
