//! Enlarges a bitmap by a network, tile by tile.

use neural::Network;
use pixels::{Bitmap, Channels, Filter, Samples};

use super::tiles::{self, OVERLAP, Row, SIDE, Tile};
use crate::{Context, Fault};

/// Bytes of one row of tiles over 4096 pixels, four times enlarged, with one tile beside it.
pub(super) const BAND_BYTES: u64 = (4096 * 4 + SIDE as u64 * 4) * SIDE as u64 * 4 * 3 * 4;

/// The bitmap at the size `to`, at the same depth. Colours go through the network, continued into what is transparent, so
/// that no edge sees another colour than the product's; alpha is resampled. Stops between tiles when asked to.
pub(super) fn enlarge(
    bitmap: &Bitmap,
    to: (u32, u32),
    network: &Network,
    context: &Context<'_>,
) -> Result<Bitmap, Fault> {
    let times = network.times().ok_or_else(|| Fault::ours("model_failed", "the network does not enlarge"))?;
    let scale =
        (f64::from(to.0) / f64::from(bitmap.width())).max(f64::from(to.1) / f64::from(bitmap.height()));
    // To the next whole multiple in each tile, where no phase is lost, and from there to the size.
    let multiple = (scale.ceil() as usize).clamp(1, times);
    let colours = retouch::extend_colours(bitmap);
    let mut each = |tile: &Tile| {
        context.check_cancelled()?;
        let levels = match colours.samples() {
            Samples::U8(samples) => planes(samples, bitmap.width() as usize, tile, f32::from),
            Samples::U16(samples) => {
                planes(samples, bitmap.width() as usize, tile, |v| f32::from(v) * (1.0 / 257.0))
            }
        };
        let output = network.run(&network.spec().planes(tile.width, tile.height, levels)?)?.into_data();
        shrink(output, tile, times, multiple)
    };
    let width = bitmap.width() as usize;
    let columns = Row::over(width, SIDE, OVERLAP);
    let rows = Row::over(bitmap.height() as usize, SIDE, OVERLAP);
    let samples = match colours.samples() {
        Samples::U8(_) => {
            let mut rgb = Vec::new();
            tiles::enlarge(&columns, &rows, width, multiple, &mut each, |rows| {
                rgb.extend(rows.iter().map(|value| (value * 255.0 + 0.5) as u8));
            })?;
            Samples::U8(rgb)
        }
        Samples::U16(_) => {
            let mut rgb = Vec::new();
            tiles::enlarge(&columns, &rows, width, multiple, &mut each, |rows| {
                rgb.extend(rows.iter().map(|value| (value * 65_535.0 + 0.5) as u16));
            })?;
            Samples::U16(rgb)
        }
    };
    drop(colours);
    let large = (bitmap.width() * multiple as u32, bitmap.height() * multiple as u32);
    let enlarged = Bitmap::new(large.0, large.1, Channels::Rgb, samples)?;
    let enlarged = pixels::resize(&enlarged, to.0, to.1, Filter::Lanczos3)?;
    context.check_cancelled()?;
    with_alpha_of(enlarged, bitmap)
}

/// A tile of interleaved RGB as three planes of levels.
fn planes<S: Copy>(rgb: &[S], width: usize, tile: &Tile, level: impl Fn(S) -> f32) -> Vec<f32> {
    let mut planes = Vec::with_capacity(tile.width * tile.height * 3);
    for c in 0..3 {
        for y in tile.y..tile.y + tile.height {
            let row = &rgb.as_chunks::<3>().0[y * width + tile.x..][..tile.width];
            planes.extend(row.iter().map(|pixel| level(pixel[c])));
        }
    }
    planes
}

/// Three planes, `times` as large as the tile, at `multiple` times its size; from 0 to 1.
fn shrink(output: Vec<f32>, tile: &Tile, times: usize, multiple: usize) -> Result<Vec<f32>, Fault> {
    if multiple == times {
        return Ok(output);
    }
    let size = |by: usize| ((tile.width * by) as u32, (tile.height * by) as u32);
    let (from, to) = (size(times), size(multiple));
    let mut shrunk = Vec::with_capacity(tile.width * tile.height * multiple * multiple * 3);
    for plane in output.chunks_exact((from.0 * from.1) as usize) {
        shrunk.extend(pixels::resize_plane(plane, from, to, Filter::Lanczos3)?);
    }
    Ok(shrunk)
}

/// The enlarged colours with the alpha of the bitmap, resampled to their size.
fn with_alpha_of(enlarged: Bitmap, bitmap: &Bitmap) -> Result<Bitmap, Fault> {
    if bitmap.channels() == Channels::Rgb {
        return Ok(enlarged);
    }
    let (width, height) = (enlarged.width(), enlarged.height());
    let from = (bitmap.width(), bitmap.height());
    let alpha: Vec<f32> = match bitmap.samples() {
        Samples::U8(samples) => samples.as_chunks::<4>().0.iter().map(|pixel| f32::from(pixel[3])).collect(),
        Samples::U16(samples) => samples.as_chunks::<4>().0.iter().map(|pixel| f32::from(pixel[3])).collect(),
    };
    let alpha = pixels::resize_plane(&alpha, from, (width, height), Filter::Lanczos3)?;
    let samples = match enlarged.into_samples() {
        Samples::U8(rgb) => Samples::U8(joined(&rgb, &alpha, |value| (value + 0.5) as u8)),
        Samples::U16(rgb) => Samples::U16(joined(&rgb, &alpha, |value| (value + 0.5) as u16)),
    };
    Ok(Bitmap::new(width, height, Channels::Rgba, samples)?)
}

fn joined<S: Copy + Default + PartialEq>(rgb: &[S], alpha: &[f32], rounded: impl Fn(f32) -> S) -> Vec<S> {
    let mut rgba = Vec::with_capacity(alpha.len() * 4);
    for (pixel, alpha) in rgb.as_chunks::<3>().0.iter().zip(alpha) {
        let alpha = rounded(*alpha);
        // What is clear is black.
        let [r, g, b] = if alpha == S::default() { [S::default(); 3] } else { *pixel };
        rgba.extend_from_slice(&[r, g, b, alpha]);
    }
    rgba
}
