//! One channel of a layer: its samples apart, and how they are packed.

use super::{MaskValues, is_deep};
use crate::{Bitmap, Channels, PixelError, Samples, to_u16};

/// The samples of one channel, row by row.
pub(super) struct Plane {
    width: usize,
    samples: Samples,
}

/// How the bytes of a channel follow.
const RAW: u16 = 0;
const RUN_LENGTH: u16 = 1;
const DEFLATE_WITH_PREDICTION: u16 = 3;

impl Plane {
    /// The values of a mask at the document's depth.
    pub(super) fn of_mask(values: &MaskValues<'_>, deep: bool) -> Self {
        let samples = match values {
            MaskValues::Mask(mask) if deep => {
                Samples::U16(mask.values().iter().map(|&v| to_u16(v)).collect())
            }
            MaskValues::Mask(mask) => Samples::U8(mask.values().to_vec()),
            MaskValues::Alpha(bitmap) => match (bitmap.samples(), bitmap.channels()) {
                (Samples::U16(samples), Channels::Rgba) if deep => {
                    Samples::U16(samples.iter().skip(3).step_by(4).copied().collect())
                }
                _ => return Self::of_mask(&MaskValues::Mask(&bitmap.alpha()), deep),
            },
        };
        Self { width: values.size().0 as usize, samples }
    }
}

/// Red, green, blue and perhaps alpha, apart.
pub(super) fn planes(bitmap: &Bitmap) -> Vec<Plane> {
    let (width, count) = (bitmap.width() as usize, bitmap.channels().count());
    fn apart<S: Copy>(samples: &[S], count: usize, channel: usize) -> Vec<S> {
        match count {
            3 => samples.as_chunks::<3>().0.iter().map(|pixel| pixel[channel]).collect(),
            _ => samples.as_chunks::<4>().0.iter().map(|pixel| pixel[channel]).collect(),
        }
    }
    (0..count)
        .map(|channel| {
            let samples = match bitmap.samples() {
                Samples::U8(samples) => Samples::U8(apart(samples, count, channel)),
                Samples::U16(samples) => Samples::U16(apart(samples, count, channel)),
            };
            Plane { width, samples }
        })
        .collect()
}

/// Appends a layer's channel; answers how many bytes it took.
pub(super) fn write_plane(out: &mut Vec<u8>, plane: &Plane) -> Result<usize, PixelError> {
    let start = out.len();
    match &plane.samples {
        Samples::U8(samples) => {
            out.extend_from_slice(&RUN_LENGTH.to_be_bytes());
            let lengths = out.len();
            out.resize(lengths + samples.len() / plane.width * 2, 0);
            pack_rows(out, lengths, samples, plane.width);
        }
        Samples::U16(samples) => {
            out.extend_from_slice(&DEFLATE_WITH_PREDICTION.to_be_bytes());
            out.extend_from_slice(&deflate(samples, plane.width)?);
        }
    }
    Ok(out.len() - start)
}

/// Appends the merged picture. Where it is transparent it is laid on white, as readers expect.
pub(super) fn write_merged(out: &mut Vec<u8>, planes: &[Plane], clear: bool) {
    let deep = planes.first().is_some_and(|plane| is_deep(&plane.samples));
    out.extend_from_slice(&(if deep { RAW } else { RUN_LENGTH }).to_be_bytes());
    let alpha = planes.last().filter(|_| clear).map(|plane| &plane.samples);
    let colours = if clear { planes.len() - 1 } else { planes.len() };
    let mut lengths = out.len();
    if !deep {
        let rows: usize = planes.iter().map(|plane| sample_count(&plane.samples) / plane.width).sum();
        out.resize(lengths + rows * 2, 0);
    }
    for (index, plane) in planes.iter().enumerate() {
        let under = alpha.filter(|_| index < colours);
        match (&plane.samples, under) {
            (Samples::U8(samples), Some(Samples::U8(alpha))) => {
                let laid: Vec<u8> = samples.iter().zip(alpha).map(|(&v, &a)| on_white_u8(v, a)).collect();
                lengths = pack_rows(out, lengths, &laid, plane.width);
            }
            (Samples::U8(samples), _) => lengths = pack_rows(out, lengths, samples, plane.width),
            (Samples::U16(samples), Some(Samples::U16(alpha))) => {
                out.extend(samples.iter().zip(alpha).flat_map(|(&v, &a)| on_white_u16(v, a).to_be_bytes()));
            }
            (Samples::U16(samples), _) => out.extend(samples.iter().flat_map(|v| v.to_be_bytes())),
        }
    }
}

fn sample_count(samples: &Samples) -> usize {
    match samples {
        Samples::U8(samples) => samples.len(),
        Samples::U16(samples) => samples.len(),
    }
}

fn on_white_u8(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn on_white_u16(value: u16, alpha: u16) -> u16 {
    let (value, alpha) = (u64::from(value), u64::from(alpha));
    ((value * alpha + 65_535 * (65_535 - alpha) + 32_767) / 65_535) as u16
}

/// Appends rows by run length, and writes the length of each at `lengths`; answers where the next length goes.
fn pack_rows(out: &mut Vec<u8>, mut lengths: usize, samples: &[u8], width: usize) -> usize {
    for row in samples.chunks_exact(width) {
        let start = out.len();
        pack_bits(out, row);
        let length = ((out.len() - start) as u16).to_be_bytes();
        out[lengths..lengths + 2].copy_from_slice(&length);
        lengths += 2;
    }
    lengths
}

/// Longest run and longest stretch without one that a code can say.
const LONGEST: usize = 128;

/// PackBits (TIFF 6.0 section 9): a byte n, then n + 1 bytes as they are, or, for 257 - n, one byte repeated.
fn pack_bits(out: &mut Vec<u8>, row: &[u8]) {
    let run_at = |at: usize| {
        let rest = &row[at..row.len().min(at + LONGEST)];
        rest.iter().position(|&v| v != rest[0]).unwrap_or(rest.len())
    };
    let mut at = 0;
    while at < row.len() {
        let run = run_at(at);
        if run >= 3 {
            out.extend_from_slice(&[(257 - run) as u8, row[at]]);
            at += run;
            continue;
        }
        // As they are, until three equal ones begin.
        let rest = &row[at..row.len().min(at + LONGEST)];
        let end = rest.windows(3).position(|three| three[0] == three[1] && three[1] == three[2]);
        let length = end.unwrap_or(rest.len());
        out.push((length - 1) as u8);
        out.extend_from_slice(&rest[..length]);
        at += length;
    }
}

/// Differences to the left neighbour, then deflate level 1.
fn deflate(samples: &[u16], width: usize) -> Result<Vec<u8>, PixelError> {
    let mut bytes = Vec::with_capacity(samples.len() * 2);
    for row in samples.chunks_exact(width) {
        let mut left = 0u16;
        bytes.extend(row.iter().flat_map(|&v| {
            let difference = v.wrapping_sub(left);
            left = v;
            difference.to_be_bytes()
        }));
    }
    crate::codec::png::zlib(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((&code, rest)) = bytes.split_first() {
            if code < 128 {
                out.extend_from_slice(&rest[..usize::from(code) + 1]);
                bytes = &rest[usize::from(code) + 1..];
            } else {
                out.resize(out.len() + 257 - usize::from(code), rest[0]);
                bytes = &rest[1..];
            }
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn packed_rows_come_back(runs in proptest::collection::vec((0u8..4, 1usize..300), 1..40)) {
            let row: Vec<u8> = runs.iter().flat_map(|&(value, length)| std::iter::repeat_n(value, length)).collect();
            let mut packed = Vec::new();
            pack_bits(&mut packed, &row);
            proptest::prop_assert_eq!(unpack(&packed), row.clone());
            // One code for 128 bytes is the most that is added.
            proptest::prop_assert!(packed.len() <= row.len() + row.len().div_ceil(LONGEST) + runs.len());
        }
    }
}
