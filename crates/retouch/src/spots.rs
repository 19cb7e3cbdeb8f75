//! Finds what fell on a product or on the sensor and does not belong to the picture: dust, lint, scratches, sensor spots.
//!
//! Whatever could belong to the product is left alone: it counts only what stands out from its surroundings (top-hats),
//! much farther than anything else around does (robust statistics), lies on something even, and has no likes nearby.

use pixels::{Bitmap, Channels, Mask, Samples};

mod shape;
mod soft;
mod tophat;
mod twins;
mod unrest;

use shape::{Piece, pieces};
use tophat::{Luma, TopHat};
use twins::Crowd;
use unrest::{Sureness, Unrest};

/// What to look for. A strength of 0 looks for nothing, 100 for everything that might be it. Sizes are in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Strength for small specks, dark or bright.
    pub dust: u32,
    /// Strength for short thin fibres.
    pub lint: u32,
    /// Strength for long thin straight lines.
    pub scratches: u32,
    /// Strength for large soft dark discs.
    pub sensor_spots: u32,
    /// Largest side of a speck.
    pub dust_size: u32,
    /// Largest length of a fibre.
    pub lint_length: u32,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spots {
    /// 255 where something lies, with the pixels beside it that it may have touched.
    pub mask: Mask,
    /// Specks.
    pub dust: u32,
    /// Fibres.
    pub lint: u32,
    /// Scratches.
    pub scratches: u32,
    /// Sensor spots.
    pub sensor_spots: u32,
}

impl Spots {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.dust + self.lint + self.scratches + self.sensor_spots
    }
}

/// Pixels that the soft edges of a speck may add to its size.
const SOFT: u32 = 4;

/// What a piece may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dust,
    Lint,
    Scratch,
}

/// Looks for spots where `inside` is at least 128 (everywhere without one). Alpha below full is never looked at, so that
/// outlines stay. Works on sRGB-encoded luma. `None` when `stop` said so.
///
/// Panics when `inside` has another size than the bitmap.
pub fn find_spots(
    bitmap: &Bitmap,
    inside: Option<&Mask>,
    sought: &Sought,
    stop: &dyn Fn() -> bool,
) -> Option<Spots> {
    if let Some(inside) = inside {
        assert_eq!((inside.width(), inside.height()), (bitmap.width(), bitmap.height()), "one size");
    }
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    let looked_at = looked_at(bitmap, inside);
    let counts = |at: usize| looked_at.as_ref().is_none_or(|looked_at| looked_at[at]);
    let luma = luma(bitmap);
    let mask = Mask::new(bitmap.width(), bitmap.height(), vec![0; width * height]).ok()?;
    let mut spots = Spots { mask, dust: 0, lint: 0, scratches: 0, sensor_spots: 0 };
    let strongest = sought.dust.max(sought.lint).max(sought.scratches);
    if strongest > 0 {
        let side = (sought.dust_size as usize).clamp(3, 61) + SOFT as usize + 2;
        let hat = TopHat::of(&luma, side.min(width.min(height)).max(1), stop)?;
        let longest = width.max(height);
        for strength in strengths(sought) {
            let unrest = Unrest::of(&hat, width, Sureness::of(strength), &counts);
            for is_dark in [true, false] {
                if stop() {
                    return None;
                }
                let values = if is_dark { &hat.dark } else { &hat.bright };
                let (found, outlines) =
                    pieces((width, height), values, &unrest, is_dark, 16 * longest, &counts);
                let crowd = Crowd::of(outlines);
                for piece in &found {
                    let Some(kind) = kind_of(piece, width, longest, sought) else { continue };
                    if kind.strength(sought) != strength
                        || crowd.repeats(piece)
                        || !piece.is_alone(&luma, &hat, &unrest, &counts)
                    {
                        continue;
                    }
                    match kind {
                        Kind::Dust => spots.dust += 1,
                        Kind::Lint => spots.lint += 1,
                        Kind::Scratch => spots.scratches += 1,
                    }
                    mark(&mut spots.mask, &piece.pixels, 2);
                }
            }
        }
    }
    if sought.sensor_spots > 0 {
        for disc in soft::discs(&luma, Sureness::of(sought.sensor_spots), &counts, stop)? {
            spots.sensor_spots += 1;
            disc.mark(&mut spots.mask);
        }
    }
    if let Some(looked_at) = looked_at {
        for (value, _) in spots.mask.values_mut().iter_mut().zip(looked_at).filter(|(_, inside)| !inside) {
            *value = 0;
        }
    }
    Some(spots)
}

impl Kind {
    fn strength(self, sought: &Sought) -> u32 {
        match self {
            Self::Dust => sought.dust,
            Self::Lint => sought.lint,
            Self::Scratch => sought.scratches,
        }
    }
}

/// The different strengths that something is sought with.
fn strengths(sought: &Sought) -> Vec<u32> {
    let mut all = vec![sought.dust, sought.lint, sought.scratches];
    all.retain(|strength| *strength > 0);
    all.sort_unstable();
    all.dedup();
    all
}

/// What a piece is by its shape, if it is anything.
fn kind_of(piece: &Piece, columns: usize, longest: usize, sought: &Sought) -> Option<Kind> {
    if piece.pixels.len() < 2 {
        return None;
    }
    let (length, width) = piece.length_and_width(columns);
    let side = (piece.side() as u32).saturating_sub(SOFT);
    let thin = (longest as f32 * 0.0018).max(4.5);
    if side <= sought.dust_size && length < 4.0 * width.max(1.0) {
        return Some(Kind::Dust);
    }
    if length < 5.0 * width || width > thin {
        // A speck that is longer than wide is a speck while it is small.
        return (side <= sought.dust_size).then_some(Kind::Dust);
    }
    if length <= sought.lint_length as f32 {
        return Some(Kind::Lint);
    }
    (piece.bend(columns) <= 2.0 + length * 0.02).then_some(Kind::Scratch)
}

fn mark(mask: &mut Mask, pixels: &[u32], by: usize) {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    for &at in pixels {
        let (x, y) = (at as usize % width, at as usize / width);
        for row in y.saturating_sub(by)..(y + by + 1).min(height) {
            mask.values_mut()[row * width..][x.saturating_sub(by)..(x + by + 1).min(width)].fill(255);
        }
    }
}

/// Which pixels are looked at; `None` is all.
fn looked_at(bitmap: &Bitmap, inside: Option<&Mask>) -> Option<Vec<bool>> {
    let opaque: Option<Vec<bool>> = match (bitmap.channels(), bitmap.samples()) {
        (Channels::Rgb, _) => None,
        (Channels::Rgba, Samples::U8(samples)) => {
            Some(samples.as_chunks::<4>().0.iter().map(|pixel| pixel[3] == u8::MAX).collect())
        }
        (Channels::Rgba, Samples::U16(samples)) => {
            Some(samples.as_chunks::<4>().0.iter().map(|pixel| pixel[3] >= 0xFE00).collect())
        }
    };
    let Some(inside) = inside else { return opaque };
    let inside = inside.values().iter().map(|&value| value >= 128);
    Some(match opaque {
        None => inside.collect(),
        Some(opaque) => inside.zip(opaque).map(|(inside, opaque)| inside && opaque).collect(),
    })
}

/// Luma at twelve bits: the green of an eye twice, red and blue once.
fn luma(bitmap: &Bitmap) -> Luma {
    fn of<S: Copy, const N: usize>(samples: &[S], twelve: impl Fn(S) -> i32) -> Vec<i16> {
        let value = |pixel: &[S; N]| {
            let [r, g, b] = [0, 1, 2].map(|c| twelve(pixel[c]));
            ((r + 2 * g + b) >> 2) as i16
        };
        samples.as_chunks::<N>().0.iter().map(value).collect()
    }
    let narrow = |sample: u8| i32::from(sample) * 4095 / 255;
    let wide = |sample: u16| i32::from(sample >> 4);
    let values = match (bitmap.samples(), bitmap.channels()) {
        (Samples::U8(samples), Channels::Rgb) => of::<_, 3>(samples, narrow),
        (Samples::U8(samples), Channels::Rgba) => of::<_, 4>(samples, narrow),
        (Samples::U16(samples), Channels::Rgb) => of::<_, 3>(samples, wide),
        (Samples::U16(samples), Channels::Rgba) => of::<_, 4>(samples, wide),
    };
    Luma { width: bitmap.width() as usize, height: bitmap.height() as usize, values }
}

#[cfg(test)]
mod tests;
