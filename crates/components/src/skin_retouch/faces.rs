//! Finds faces: the finder proposes them, the mesh of each says whether it is one and where its parts are.

use std::borrow::Cow;

use neural::Network;
use pixels::{Bitmap, Filter, Rect, Samples};
use retouch::skin::Face;

use super::finder::{self, Found, shared};
use super::mesh;
use crate::{Context, Fault};

/// Longest side at which faces are looked for.
const SIDE: u32 = 1024;
/// How often the squares that are looked at are halved: the finder sees faces from about a seventh of a square on.
const HALVINGS: u32 = 2;
/// Squares of fewer pixels of the picture are not looked at: a face in them is too small to retouch.
const SMALLEST: f32 = 256.0;
/// Faces the mesh is less sure of are none: it says more than 0.9999 of faces, 0.97 of a guitar that the finder took for one,
/// and under 0.01 of flowers and cats.
const LEAST: f32 = 0.99;
/// No more faces are looked at.
const MOST: usize = 24;
/// The crop that the mesh sees is so much wider than the face.
const ROOM: f32 = 1.5;

/// The networks that find faces.
pub(super) struct Networks<'a> {
    /// Proposes faces in a square picture.
    pub(super) finder: &'a Network,
    /// Lays a mesh over one face.
    pub(super) mesh: &'a Network,
}

/// Faces with how sure the mesh is of each, the surest first.
pub(super) fn find(
    bitmap: &Bitmap,
    networks: &Networks<'_>,
    context: &Context<'_>,
) -> Result<Vec<(Face, f32)>, Fault> {
    let whole = (bitmap.width(), bitmap.height());
    let size = pixels::fit_inside(whole, (SIDE, SIDE), false);
    let small = if size == whole {
        Cow::Borrowed(bitmap)
    } else {
        Cow::Owned(pixels::resize(bitmap, size.0, size.1, Filter::Bilinear)?)
    };
    let small = opaque(&small);
    let scale = whole.0 as f32 / size.0 as f32;
    let longest = size.0.max(size.1) as f32;
    let mut faces: Vec<(Face, f32, [f32; 3])> = Vec::new();
    for halvings in 0..=HALVINGS {
        let side = longest / (1 << halvings) as f32;
        if halvings > 0 && side * scale < SMALLEST {
            break;
        }
        let mut proposed: Vec<([f32; 3], Found)> = Vec::new();
        for top in starts(size.1 as f32, side) {
            for left in starts(size.0 as f32, side) {
                context.check_cancelled()?;
                let square = [left, top, side];
                proposed.extend(in_square(&small, square, networks.finder)?.into_iter().map(|f| (square, f)));
            }
        }
        proposed.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
        proposed.truncate(MOST);
        for (square, found) in proposed {
            context.check_cancelled()?;
            let place = found.seen_in(square, scale);
            // Squares overlap, and a part of a large face may look like a small one.
            if faces.iter().any(|(.., known)| is_in(place.middle, *known)) {
                continue;
            }
            let Some((face, sure)) = meshed(bitmap, &place, networks.mesh)? else { continue };
            let place = bounds(&face.oval);
            if faces.iter().all(|(.., known)| shared(place, *known) < 0.3) {
                faces.push((face, sure, place));
            }
        }
    }
    faces.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(faces.into_iter().map(|(face, sure, _)| (face, sure)).collect())
}

/// Whether a point lies in a square: left, top, side.
fn is_in([x, y]: [f32; 2], [left, top, side]: [f32; 3]) -> bool {
    (left..left + side).contains(&x) && (top..top + side).contains(&y)
}

/// Where squares of `side` begin that cover a length, half over each other; one in the middle where it is shorter.
fn starts(length: f32, side: f32) -> Vec<f32> {
    if length <= side {
        return vec![(length - side) / 2.0];
    }
    let count = ((length - side) / (side / 2.0)).ceil() as usize;
    (0..=count).map(|i| (length - side) * i as f32 / count as f32).collect()
}

/// A face in the picture: the middle and the side of a square around it, and the angle of its eyes.
struct Place {
    middle: [f32; 2],
    side: f32,
    angle: f64,
}

impl Found {
    /// From shares of a square of a picture to pixels of one `scale` times as large.
    fn seen_in(&self, [left, top, side]: [f32; 3], scale: f32) -> Place {
        let px = |[x, y]: [f32; 2]| [(left + x * side) * scale, (top + y * side) * scale];
        let [a, b] = self.eyes.map(px);
        let angle = f64::from(b[1] - a[1]).atan2(f64::from(b[0] - a[0]));
        Place { middle: px(self.middle), side: self.side * side * scale, angle }
    }
}

/// What the finder says about a square that may reach outside of the picture, where it is black.
fn in_square(bitmap: &Bitmap, [left, top, side]: [f32; 3], finder: &Network) -> Result<Vec<Found>, Fault> {
    let spec = finder.spec();
    let (width, height) = (spec.width, spec.height);
    let axis = |start: f32, length: u32| {
        let (first, last) = (start.max(0.0).round() as u32, (start + side).min(length as f32).round() as u32);
        (first.min(length - 1), last.saturating_sub(first).max(1).min(length - first.min(length - 1)))
    };
    let ((x, across), (y, down)) = (axis(left, bitmap.width()), axis(top, bitmap.height()));
    let part = pixels::crop(bitmap, Rect { x, y, width: across, height: down })?;
    let scale = width as f32 / side;
    let scaled = |length: u32, most: usize| ((length as f32 * scale).round() as u32).clamp(1, most as u32);
    let (across, down) = (scaled(across, width), scaled(down, height));
    let part = pixels::resize(&part, across, down, Filter::Bilinear)?;
    let offset = |start: f32, inner: u32, most: usize| {
        (((-start).max(0.0) * scale).round() as usize).min(most - inner as usize)
    };
    let (dx, dy) = (offset(left, across, width), offset(top, down, height));
    let mut rgb = vec![0u8; width * height * 3];
    for (row, samples) in rows(&part)?.chunks_exact(across as usize * 3).enumerate() {
        rgb[((dy + row) * width + dx) * 3..][..samples.len()].copy_from_slice(samples);
    }
    let output = finder.run(&spec.tensor(&rgb)?)?;
    Ok(finder::read(output.data(), width as f32))
}

/// The face at a place, and how sure the mesh is of it; `None` where it is none. Looked at twice: the first mesh says
/// better than the finder where the face is and how it is turned.
fn meshed(bitmap: &Bitmap, place: &Place, network: &Network) -> Result<Option<(Face, f32)>, Fault> {
    let Some((points, _)) = mesh_at(bitmap, place, network)? else { return Ok(None) };
    let [a, b] = mesh::EYE_CORNERS.map(|i| points[i]);
    let angle = f64::from(b[1] - a[1]).atan2(f64::from(b[0] - a[0]));
    // The smallest upright box along the eyes.
    let (sin, cos) = ((-angle).sin() as f32, (-angle).cos() as f32);
    let (mut least, mut most) = ([f32::MAX; 2], [f32::MIN; 2]);
    for [x, y] in &points {
        for (at, value) in [x * cos - y * sin, x * sin + y * cos].into_iter().enumerate() {
            (least[at], most[at]) = (least[at].min(value), most[at].max(value));
        }
    }
    let [x, y] = [(least[0] + most[0]) / 2.0, (least[1] + most[1]) / 2.0];
    let middle = [x * cos + y * sin, y * cos - x * sin];
    let side = (most[0] - least[0]).max(most[1] - least[1]);
    Ok(mesh_at(bitmap, &Place { middle, side, angle }, network)?
        .map(|(points, sure)| (mesh::face(&points), sure)))
}

/// The points of a mesh in pixels of the picture, and how sure the network is.
type Seen = (Vec<[f32; 2]>, f32);

/// The points of the mesh in pixels of the picture, and how sure the network is that it is a face.
fn mesh_at(bitmap: &Bitmap, place: &Place, network: &Network) -> Result<Option<Seen>, Fault> {
    let spec = network.spec();
    let side = place.side * ROOM;
    if !side.is_finite() || side < 8.0 || place.middle.iter().any(|value| !value.is_finite()) {
        return Ok(None);
    }
    let step = side / spec.width as f32;
    let (sin, cos) = (place.angle.sin() as f32, place.angle.cos() as f32);
    let half = spec.width as f32 / 2.0;
    // From pixels of the crop to pixels of the picture.
    let to_picture = |[u, v]: [f32; 2]| {
        let (dx, dy) = ((u - half) * step, (v - half) * step);
        [place.middle[0] + dx * cos - dy * sin, place.middle[1] + dx * sin + dy * cos]
    };
    let Some(rgb) = turned(bitmap, side, place.middle, spec.width, to_picture)? else { return Ok(None) };
    let output = network.run(&spec.tensor(&rgb)?)?;
    let values = output.data();
    let sure = 1.0 / (1.0 + (-values[mesh::POINTS * 3]).exp());
    let points: Vec<[f32; 2]> =
        values[..mesh::POINTS * 3].as_chunks::<3>().0.iter().map(|[x, y, _]| to_picture([*x, *y])).collect();
    Ok((sure >= LEAST).then_some((points, sure)))
}

/// A square crop that may be turned, as interleaved RGB; what lies outside of the picture continues its edge. `None` where
/// nothing of the picture lies in it.
fn turned(
    bitmap: &Bitmap,
    side: f32,
    middle: [f32; 2],
    out: usize,
    to_picture: impl Fn([f32; 2]) -> [f32; 2],
) -> Result<Option<Vec<u8>>, Fault> {
    // All that a turned square of that side can reach.
    let reach = side * std::f32::consts::FRAC_1_SQRT_2 + 2.0;
    let axis = |at: f32, length: u32| {
        let (first, last) = ((at - reach).max(0.0) as u32, (at + reach).min(length as f32).max(0.0) as u32);
        (first < last && last <= length).then(|| (first, last - first))
    };
    let (Some((x, across)), Some((y, down))) =
        (axis(middle[0], bitmap.width()), axis(middle[1], bitmap.height()))
    else {
        return Ok(None);
    };
    let part = pixels::crop(bitmap, Rect { x, y, width: across, height: down })?;
    let part = opaque(&part);
    // Smaller first, so that nothing is skipped.
    let shrink = (out as f32 / side).min(1.0);
    let scaled = |length: u32| ((length as f32 * shrink).round() as u32).max(1);
    let (width, height) = (scaled(across), scaled(down));
    let part = if (width, height) == (across, down) {
        part
    } else {
        Cow::Owned(pixels::resize(&part, width, height, Filter::Bilinear)?)
    };
    let samples = rows(&part)?;
    let (factor_x, factor_y) = (width as f32 / across as f32, height as f32 / down as f32);
    let mut rgb = Vec::with_capacity(out * out * 3);
    for v in 0..out {
        for u in 0..out {
            let [px, py] = to_picture([u as f32 + 0.5, v as f32 + 0.5]);
            let sx = ((px - x as f32) * factor_x - 0.5).clamp(0.0, width as f32 - 1.0);
            let sy = ((py - y as f32) * factor_y - 0.5).clamp(0.0, height as f32 - 1.0);
            let (left, top) = (sx as usize, sy as usize);
            let (right, bottom) = ((left + 1).min(width as usize - 1), (top + 1).min(height as usize - 1));
            let (fx, fy) = (sx - left as f32, sy - top as f32);
            let at = |x: usize, y: usize, c: usize| f32::from(samples[(y * width as usize + x) * 3 + c]);
            for c in 0..3 {
                let above = at(left, top, c) * (1.0 - fx) + at(right, top, c) * fx;
                let below = at(left, bottom, c) * (1.0 - fx) + at(right, bottom, c) * fx;
                rgb.push((above * (1.0 - fy) + below * fy + 0.5) as u8);
            }
        }
    }
    Ok(Some(rgb))
}

/// The picture as opaque 8-bit RGB; what is clear is white.
fn opaque(bitmap: &Bitmap) -> Cow<'_, Bitmap> {
    match (bitmap.channels(), bitmap.depth()) {
        (pixels::Channels::Rgb, 8) => Cow::Borrowed(bitmap),
        (pixels::Channels::Rgb, _) => Cow::Owned(bitmap.clone().into_u8()),
        (pixels::Channels::Rgba, _) => Cow::Owned(pixels::flatten(bitmap, [255; 3]).into_u8()),
    }
}

fn rows(bitmap: &Bitmap) -> Result<&[u8], Fault> {
    match bitmap.samples() {
        Samples::U8(samples) => Ok(samples),
        Samples::U16(_) => Err(Fault::ours("processing_failed", "the network's input is not 8 bit")),
    }
}

/// The square around points: left, top, side.
fn bounds(points: &[[f32; 2]]) -> [f32; 3] {
    let (mut least, mut most) = ([f32::MAX; 2], [f32::MIN; 2]);
    for point in points {
        for (at, value) in point.iter().enumerate() {
            (least[at], most[at]) = (least[at].min(*value), most[at].max(*value));
        }
    }
    let side = (most[0] - least[0]).max(most[1] - least[1]);
    [(least[0] + most[0] - side) / 2.0, (least[1] + most[1] - side) / 2.0, side]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_cover_a_length_half_over_each_other() {
        assert_eq!(starts(100.0, 100.0), [0.0]);
        assert_eq!(starts(60.0, 100.0), [-20.0]);
        assert_eq!(starts(100.0, 50.0), [0.0, 25.0, 50.0]);
        let all = starts(110.0, 50.0);
        assert_eq!((all[0], all[all.len() - 1]), (0.0, 60.0));
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] <= 25.0), "{all:?}");
    }

    #[test]
    fn a_crop_that_is_not_turned_is_the_picture() {
        let samples: Vec<u8> =
            (0..64 * 64).flat_map(|i: u32| [(i % 64 * 4) as u8, (i / 64 * 4) as u8, 7]).collect();
        let bitmap = Bitmap::from_u8(64, 64, pixels::Channels::Rgb, samples.clone()).expect("64 by 64");
        let same = turned(&bitmap, 64.0, [32.0, 32.0], 64, |at| at).expect("a crop");
        assert_eq!(same.expect("something"), samples);
        let far = turned(&bitmap, 10.0, [900.0, 32.0], 16, |[u, v]| [u + 900.0, v]).expect("a crop");
        assert!(far.is_none());
    }
}
