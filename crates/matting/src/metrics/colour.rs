//! How far the colours of a cut-out are from the exact ones, along the edge, where the old background stays behind.

use pixels::{Bitmap, Lab, Samples, ciede2000};

use super::edge_band;
use crate::error::MattingError;

/// Mean CIEDE2000 of the straight foreground colours over the pixels that the exact alpha covers in part (1..=254), each
/// weighted by the smaller of its two alphas: a colour counts as much as it shows. 0.0 where there is none.
pub fn edge_colour_error(cut_out: &Bitmap, exact: &Bitmap) -> Result<f64, MattingError> {
    let (a, b) = rgba(cut_out, exact)?;
    let lab = Lab::new();
    let (mut sum, mut weights) = (0.0, 0.0);
    for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
        let weight = f64::from(a[3].min(b[3]));
        if (1..=254).contains(&b[3]) && weight > 0.0 {
            sum += weight * f64::from(ciede2000(lab.of(&a[..3]), lab.of(&b[..3])));
            weights += weight;
        }
    }
    Ok(if weights == 0.0 { 0.0 } else { sum / weights })
}

/// Mean CIEDE2000 between the two cut-outs laid on a plain colour (sRGB), within `radius` pixels of the exact edge: what
/// a viewer sees there, alpha and colour together. 0.0 where there is no edge.
pub fn edge_seen_error(
    cut_out: &Bitmap,
    exact: &Bitmap,
    on: [u8; 3],
    radius: usize,
) -> Result<f64, MattingError> {
    let band = edge_band(&exact.alpha(), radius);
    let (a, b) = (pixels::flatten(cut_out, on).into_u8(), pixels::flatten(exact, on).into_u8());
    let (Samples::U8(a), Samples::U8(b)) = (a.samples(), b.samples()) else {
        return Ok(0.0); // Both were just rounded to 8 bit.
    };
    if a.len() != b.len() {
        return Err(sizes(cut_out, exact));
    }
    let lab = Lab::new();
    let (mut sum, mut count) = (0.0, 0u64);
    let pairs = a.as_chunks::<3>().0.iter().zip(b.as_chunks::<3>().0);
    for ((a, b), _) in pairs.zip(band).filter(|(_, is_in)| *is_in) {
        sum += f64::from(ciede2000(lab.of(a), lab.of(b)));
        count += 1;
    }
    Ok(if count == 0 { 0.0 } else { sum / count as f64 })
}

fn rgba(cut_out: &Bitmap, exact: &Bitmap) -> Result<(Vec<u8>, Vec<u8>), MattingError> {
    let eight = |bitmap: &Bitmap| match bitmap.clone().into_rgba().into_u8().into_samples() {
        Samples::U8(samples) => samples,
        Samples::U16(_) => Vec::new(), // It was just rounded to 8 bit.
    };
    let (a, b) = (eight(cut_out), eight(exact));
    if a.len() == b.len() { Ok((a, b)) } else { Err(sizes(cut_out, exact)) }
}

fn sizes(cut_out: &Bitmap, exact: &Bitmap) -> MattingError {
    MattingError::Size { picture: (exact.width(), exact.height()), mask: (cut_out.width(), cut_out.height()) }
}

#[cfg(test)]
mod tests {
    use pixels::{Bitmap, Channels};

    use super::*;

    fn edge(colour: [u8; 3]) -> Bitmap {
        let row = [0u8, 64, 128, 255].into_iter().flat_map(|alpha| match alpha {
            0 => [0; 4],
            _ => [colour[0], colour[1], colour[2], alpha],
        });
        Bitmap::from_u8(4, 1, Channels::Rgba, row.collect()).unwrap()
    }

    #[test]
    fn the_same_colours_are_no_error_and_others_are_what_the_formula_says() {
        let (red, wine) = (edge([200, 30, 30]), edge([150, 30, 40]));
        assert_eq!(edge_colour_error(&red, &red), Ok(0.0));
        assert_eq!(edge_seen_error(&red, &red, [255; 3], 2), Ok(0.0));
        let lab = Lab::new();
        let expected = f64::from(ciede2000(lab.of(&[200, 30, 30]), lab.of(&[150, 30, 40])));
        assert!((edge_colour_error(&wine, &red).unwrap() - expected).abs() < 1e-5);
        let seen = edge_seen_error(&wine, &red, [255; 3], 2).unwrap();
        assert!(seen > 0.0 && seen < expected);
    }

    #[test]
    fn two_sizes_are_refused() {
        let small = Bitmap::from_u8(1, 1, Channels::Rgba, vec![0; 4]).unwrap();
        assert!(edge_colour_error(&small, &edge([1; 3])).is_err());
        assert!(edge_seen_error(&small, &edge([1; 3]), [0; 3], 1).is_err());
    }
}
