//! How much stands out anyway in each part of a picture: grain, weave, print. What is sought has to stand out from that.

use super::tophat::TopHat;

/// Side of the blocks that are looked at.
const BLOCK: usize = 32;
/// Blocks on each side of a block that have a say in it.
const AROUND: usize = 2;

/// Robust standard deviations beyond which something is more than grain.
const GRAIN: f32 = 3.2;

/// How sure it must be that something does not belong there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sureness {
    /// Least contrast, as a share of the full range.
    pub(crate) contrast: f32,
    /// Least contrast in robust standard deviations of what is around.
    pub(crate) deviations: f32,
    /// Least contrast as a multiple of the strongest fiftieth of what is around.
    pub(crate) outlier: f32,
}

impl Sureness {
    /// The sureness for a strength of 1 to 100: 50 changes nothing on a clean product.
    pub(crate) fn of(strength: u32) -> Self {
        let strength = strength.min(100) as f32 / 100.0;
        let between = |weak: f32, middle: f32, strong: f32| {
            let (from, to, by) =
                if strength < 0.5 { (weak, middle, strength) } else { (middle, strong, strength - 0.5) };
            from + (to - from) * by * 2.0
        };
        Self {
            contrast: between(0.12, 0.035, 0.014),
            deviations: between(18.0, 6.5, 4.5),
            outlier: between(3.0, 1.6, 1.2),
        }
    }
}

/// The least value of a top-hat that is sure enough, block by block.
pub(crate) struct Unrest {
    columns: usize,
    levels: Vec<Levels>,
}

/// Values of a top-hat in one block.
#[derive(Clone, Copy)]
struct Levels {
    /// What is sure enough.
    least: u8,
    /// What is more than grain.
    grain: u8,
}

impl Unrest {
    /// Looks at a picture of `width` pixels a row. Only pixels of which `counts` is true are looked at.
    pub(crate) fn of(hat: &TopHat, width: usize, sure: Sureness, counts: &dyn Fn(usize) -> bool) -> Self {
        let height = hat.dark.len() / width;
        let (columns, rows) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
        let mut counted = vec![[0u16; 256]; columns * rows];
        for y in 0..height {
            for x in 0..width {
                let at = y * width + x;
                if counts(at) {
                    counted[y / BLOCK * columns + x / BLOCK][usize::from(hat.most(at))] += 1;
                }
            }
        }
        let mut levels = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                let mut sum = [0u32; 256];
                for y in row.saturating_sub(AROUND)..(row + AROUND + 1).min(rows) {
                    for x in column.saturating_sub(AROUND)..(column + AROUND + 1).min(columns) {
                        for (sum, count) in sum.iter_mut().zip(&counted[y * columns + x]) {
                            *sum += u32::from(*count);
                        }
                    }
                }
                levels.push(Levels::of(&sum, sure));
            }
        }
        Self { columns, levels }
    }

    /// The least value that is sure enough at a pixel.
    pub(crate) fn least(&self, x: usize, y: usize) -> u8 {
        self.levels[y / BLOCK * self.columns + x / BLOCK].least
    }

    /// The least value that is more than grain at a pixel.
    pub(crate) fn grain(&self, x: usize, y: usize) -> u8 {
        self.levels[y / BLOCK * self.columns + x / BLOCK].grain
    }
}

impl Levels {
    fn of(counts: &[u32; 256], sure: Sureness) -> Self {
        let all: u32 = counts.iter().sum();
        let quantile = |counts: &[u32; 256], share: f64| {
            let wanted = (f64::from(all) * share) as u32;
            let mut below = 0;
            counts.iter().position(|count| {
                below += count;
                below > wanted
            })
        };
        let Some(middle) = quantile(counts, 0.5) else { return Self { least: 255, grain: 255 } };
        let mut away = [0u32; 256];
        for (value, count) in counts.iter().enumerate() {
            away[value.abs_diff(middle)] += count;
        }
        let spread = quantile(&away, 0.5).unwrap_or(0) as f32 * 1.4826;
        let strongest = quantile(counts, 0.98).unwrap_or(255) as f32;
        let (middle, contrast) = (middle as f32, sure.contrast * 1024.0);
        let least = contrast.max(middle + sure.deviations * spread).max(sure.outlier * strongest);
        let grain = (contrast * 0.5).max(middle + GRAIN * spread);
        let whole = |value: f32| value.ceil().min(255.0) as u8;
        Self { least: whole(least), grain: whole(grain.min(least)) }
    }
}
