//! Where the skin is: in faces by their outlines, elsewhere by the colour of the faces.
//!
//! What is approximate: cloth, wood and walls of the very colour of the skin are taken for skin where they are as even as
//! skin; nails are spared as far as their colour differs; light hair is told from skin by its texture alone.

use pixels::{Bitmap, Filter, Mask, PixelError, Rect};

use super::Face;
use super::outline::fill;
use super::parts::parts;
use super::tones::{Model, Tones};
use crate::reach::reaching;

/// Longest side at which skin is looked for.
const SIDE: u32 = 1024;

/// Where skin is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// In faces alone.
    Face,
    /// In faces, and wherever something has their colour: neck, ears, arms, hands, legs.
    Body,
    /// The same; and where there is no face, wherever something has a colour that skin often has.
    All,
}

/// Skin that was found.
#[derive(Clone, Debug)]
pub struct Skin {
    /// How far each pixel is skin; of the picture's size.
    pub mask: Mask,
    /// Width of a face in pixels, by which the size of pores and spots is judged; a guess where there is no face.
    pub face_px: f32,
}

/// Finds the skin of a picture. `None` where there is none, or no colour to find it by.
///
/// Looks at the picture at most 1024 pixels long, with colours in Oklab (see Ottosson 2020) divided by their lightness.
/// `check` is asked between stages; its error ends the search.
pub fn find_skin<E: From<PixelError>>(
    bitmap: &Bitmap,
    faces: &[Face],
    area: Area,
    mut check: impl FnMut() -> Result<(), E>,
) -> Result<Option<Skin>, E> {
    let whole = (bitmap.width(), bitmap.height());
    let size = pixels::fit_inside(whole, (SIDE, SIDE), false);
    let scale = size.0 as f32 / whole.0 as f32;
    let small = if size == whole {
        bitmap.clone()
    } else {
        pixels::resize(bitmap, size.0, size.1, Filter::Bilinear)?
    };
    check()?;
    let widest = faces.iter().map(|face| face.width * scale).fold(0.0, f32::max);
    if widest < 8.0 && area != Area::All {
        return Ok(None);
    }
    // Without a face, one a quarter as wide as the picture is long.
    let face_px = if widest < 8.0 { 0.25 * size.0.max(size.1) as f32 } else { widest };
    let tones = Tones::of(&small, face_px);
    drop(small);
    check()?;
    let Some((inside, face_px)) = map(&tones, faces, scale, area, face_px)? else { return Ok(None) };
    check()?;
    let mask =
        Mask::new(size.0, size.1, inside.iter().map(|inside| if *inside { 255 } else { 0 }).collect())?;
    let mask = faded(mask, face_px * 0.03);
    let mask =
        if size == whole { mask } else { pixels::resize_mask(&mask, whole.0, whole.1, Filter::Bilinear)? };
    let mask = without(mask, &spared(whole, faces, 1.0)?, bitmap);
    let found = mask.values().iter().any(|value| *value > 0);
    Ok(found.then_some(Skin { mask, face_px: face_px / scale }))
}

/// Skin that somebody marked: all of it that shows, with a soft edge inside, without what is no skin in faces.
pub fn marked_skin(bitmap: &Bitmap, marked: &Mask, faces: &[Face]) -> Result<Skin, PixelError> {
    let size = (bitmap.width(), bitmap.height());
    let count = marked.values().iter().filter(|value| **value >= 128).count();
    let widest = faces.iter().map(|face| face.width).fold(0.0, f32::max);
    // A face is about as large as what is marked; at most half as wide as the picture is long.
    let guess = (count as f32).sqrt().clamp(16.0, 0.5 * size.0.max(size.1) as f32 + 16.0);
    let face_px = if widest > 0.0 { widest } else { guess };
    let mask = faded(marked.clone(), (face_px * 0.01).clamp(1.0, 12.0));
    let mask = without(mask, &spared(size, faces, 1.0)?, bitmap);
    Ok(Skin { mask, face_px })
}

/// What is skin of a small picture, and the width of a face in it.
fn map(
    tones: &Tones,
    faces: &[Face],
    scale: f32,
    area: Area,
    face_px: f32,
) -> Result<Option<(Vec<bool>, f32)>, PixelError> {
    let size = (tones.size.0 as u32, tones.size.1 as u32);
    let count = tones.light.len();
    let spared = spared(size, faces, scale)?;
    let mut inside = vec![false; count];
    let mut learned = false;
    // Each face has a colour of its own, and so have the arms that belong to it.
    for face in faces {
        let mut oval = Mask::new(size.0, size.1, vec![0; count])?;
        fill(&mut oval, &face.oval, scale);
        let pixels = oval.values().iter().filter(|value| **value > 0).count();
        // Well inside, where neither hair nor background is.
        let core = faded(oval.clone(), face.width * scale * 0.04);
        let model = Model::learn(tones, |i| core.values()[i] == 255 && spared.values()[i] == 0);
        let Some(model) = model else { continue };
        learned = true;
        if area != Area::Face && !model.is_colourless() {
            let body = body_of(face, scale, size);
            grow(tones, &model, (pixels as f32 * 0.03) as usize, body, &mut inside);
        }
        // Hair over the forehead and a beard are darker, or far less even.
        let (darkest, calm) = (0.7 * model.light, (5.0 * model.unrest).max(0.05));
        for i in 0..count {
            let is_skin =
                || model.distance(tones, i) < 16.0 && tones.light[i] > darkest && tones.unrest[i] < calm;
            inside[i] |= oval.values()[i] > 0 && is_skin();
        }
    }
    if !learned && (!faces.is_empty() || area != Area::All) {
        return Ok(None);
    }
    if !learned {
        let general = Model::general();
        let everywhere = Some(Rect { x: 0, y: 0, width: size.0, height: size.1 });
        grow(tones, &general, count / 150, everywhere, &mut inside);
        // Again with the colour of what was found, which covers more of it and less of all else.
        let Some(model) = Model::learn(tones, |i| inside[i]) else { return Ok(None) };
        inside.fill(false);
        grow(tones, &model, count / 150, everywhere, &mut inside);
    }
    let face_px = if learned { face_px } else { guessed(tones, &inside) };
    close_holes(tones, &mut inside, (face_px * 0.2).powi(2) as usize);
    open(tones.size, &mut inside, face_px * 0.01)?;
    for (inside, (spared, weight)) in inside.iter_mut().zip(spared.values().iter().zip(&tones.weight)) {
        *inside &= *spared < 128 && *weight > 0.0;
    }
    Ok(Some((inside, face_px)))
}

/// How far the body of a face may reach: a person is about eleven faces tall and as wide with arms stretched out; `None` where none of it is in the picture.
fn body_of(face: &Face, scale: f32, size: (u32, u32)) -> Option<Rect> {
    around(&face.oval, scale, 10.0 * face.width * scale, size).map(|square| {
        // To the sides no farther than a stretched arm.
        let across = around(&face.oval, scale, 6.0 * face.width * scale, size).unwrap_or(square);
        Rect { x: across.x, width: across.width, ..square }
    })
}

/// Adds the parts of at least `least` pixels that have the colour of the model, are as even as it, and hold enough that is
/// very close to it, within a part of the picture.
fn grow(tones: &Tones, model: &Model, least: usize, within: Option<Rect>, inside: &mut [bool]) {
    let Some(within) = within else { return };
    let (lowest, calm) = (0.68 * model.light, (3.0 * model.unrest).max(0.03));
    let warm = |i: usize| tones.red[i] > 0.5 * model.mean[0] && tones.yellow[i] > 0.5 * model.mean[1];
    let like = |i: usize, distance: f32, darkest: f32, brightest: f32| {
        tones.weight[i] > 0.0
            && model.distance(tones, i) < distance
            && (darkest..brightest).contains(&tones.light[i])
            && tones.unrest[i] < calm
            && warm(i)
    };
    let (columns, rows) = (within.x..within.x + within.width, within.y..within.y + within.height);
    let near = |i: usize| {
        columns.contains(&((i % tones.size.0) as u32)) && rows.contains(&((i / tones.size.0) as u32))
    };
    let weak: Vec<bool> =
        (0..inside.len()).map(|i| near(i) && like(i, 9.0, lowest, model.brightest + 0.12)).collect();
    let (labels, sizes) = parts(tones.size.0, &weak);
    let mut close = vec![0usize; sizes.len()];
    let mut sums = vec![[0f64; 2]; sizes.len()];
    for i in 0..inside.len() {
        let part = labels[i] as usize;
        if part > 0 {
            close[part] += usize::from(like(i, 4.0, 1.08 * lowest, model.brightest + 0.08));
            sums[part][0] += f64::from(tones.red[i]);
            sums[part][1] += f64::from(tones.yellow[i]);
        }
    }
    let good: Vec<bool> = (0..sizes.len())
        .map(|part| {
            let mean = sums[part].map(|sum| (sum / sizes[part].max(1) as f64) as f32);
            part > 0
                && close[part] >= least.max(1)
                && close[part] * 5 > sizes[part] * 2
                && model.apart(mean[0], mean[1]) < 2.5
        })
        .collect();
    inside.iter_mut().zip(&labels).for_each(|(inside, label)| *inside |= good[*label as usize]);
}

/// Width of a face that would have the area of the largest part.
fn guessed(tones: &Tones, inside: &[bool]) -> f32 {
    let largest = parts(tones.size.0, inside).1[1..].iter().copied().max().unwrap_or(0);
    let side = tones.size.0.max(tones.size.1) as f32;
    (0.8 * (largest as f32).sqrt()).clamp(0.05 * side, 0.5 * side)
}

/// Fills what is enclosed, smaller than that, and warm as skin is: moles, shine, single hairs. What has another colour stays
/// out: jewellery, buttons, what is seen between arm and body.
fn close_holes(tones: &Tones, inside: &mut [bool], smaller: usize) {
    let mean = |plane: &[f32], of: &dyn Fn(usize) -> bool| {
        let (mut sum, mut count) = (0f64, 0f64);
        for (_, value) in plane.iter().enumerate().filter(|(i, _)| of(*i)) {
            (sum, count) = (sum + f64::from(*value), count + 1.0);
        }
        (sum / f64::max(count, 1.0)) as f32
    };
    let is_skin = |i: usize| inside[i];
    let least = [0.3 * mean(&tones.red, &is_skin), 0.3 * mean(&tones.yellow, &is_skin)];
    let outside: Vec<bool> = inside.iter().map(|inside| !inside).collect();
    let (labels, sizes) = parts(tones.size.0, &outside);
    let mut sums = vec![[0f64; 2]; sizes.len()];
    let mut is_open = vec![false; sizes.len()];
    let (width, height) = tones.size;
    for (i, label) in labels.iter().enumerate() {
        let (x, y) = (i % width, i / width);
        is_open[*label as usize] |= x == 0 || y == 0 || x + 1 == width || y + 1 == height;
        let sum = &mut sums[*label as usize];
        (sum[0], sum[1]) = (sum[0] + f64::from(tones.red[i]), sum[1] + f64::from(tones.yellow[i]));
    }
    for (inside, label) in inside.iter_mut().zip(labels) {
        let (size, sum) = (sizes[label as usize], sums[label as usize]);
        let is_warm = || (0..2).all(|at| sum[at] > f64::from(least[at]) * size as f64);
        *inside |= label > 0 && size < smaller && !is_open[label as usize] && is_warm();
    }
}

/// Takes off what is thinner than twice `radius`.
fn open(size: (usize, usize), inside: &mut [bool], radius: f32) -> Result<(), PixelError> {
    if radius < 0.5 {
        return Ok(());
    }
    let mask = |inside: &[bool], is: bool| {
        let values = inside.iter().map(|inside| if *inside == is { 255 } else { 0 }).collect();
        Mask::new(size.0 as u32, size.1 as u32, values)
    };
    let eaten = reaching(&mask(inside, false)?, radius, 0.0);
    let left: Vec<bool> = eaten.values().iter().map(|value| *value < 128).collect();
    let back = reaching(&mask(&left, true)?, radius, 0.0);
    inside.iter_mut().zip(back.values()).for_each(|(inside, back)| *inside &= *back >= 128);
    Ok(())
}

/// The parts of faces that stay as they are, 255 inside, with a soft edge outside of them.
fn spared(size: (u32, u32), faces: &[Face], scale: f32) -> Result<Mask, PixelError> {
    let mut all = Mask::new(size.0, size.1, vec![0; size.0 as usize * size.1 as usize])?;
    for face in faces {
        let width = face.width * scale;
        for part in &face.spared {
            let (grow, feather) = (width * part.grow, width * 0.015);
            let Some(place) = around(&part.outline, scale, grow + feather + 2.0, size) else { continue };
            let offset = [place.x as f32, place.y as f32];
            let outline: Vec<[f32; 2]> =
                part.outline.iter().map(|[x, y]| [x * scale - offset[0], y * scale - offset[1]]).collect();
            let mut one =
                Mask::new(place.width, place.height, vec![0; (place.width * place.height) as usize])?;
            fill(&mut one, &outline, 1.0);
            let one = reaching(&one, grow, feather);
            for (y, row) in one.values().chunks_exact(place.width as usize).enumerate() {
                let start = (place.y as usize + y) * size.0 as usize + place.x as usize;
                let to = &mut all.values_mut()[start..start + row.len()];
                to.iter_mut().zip(row).for_each(|(to, one)| *to = (*to).max(*one));
            }
        }
    }
    Ok(all)
}

/// The rectangle around a line of points times `scale`, `room` pixels wider on each side, as far as it lies in a picture.
fn around(points: &[[f32; 2]], scale: f32, room: f32, (width, height): (u32, u32)) -> Option<Rect> {
    let axis = |at: usize, length: u32| {
        let values = points.iter().map(|point| point[at] * scale);
        let (least, most) = values.fold((f32::MAX, f32::MIN), |(a, b), value| (a.min(value), b.max(value)));
        let first = (least - room).clamp(0.0, length as f32) as u32;
        let last = (most + room).ceil().clamp(0.0, length as f32) as u32;
        (first < last).then(|| (first, last - first))
    };
    let ((x, width), (y, height)) = (axis(0, width)?, axis(1, height)?);
    Some(Rect { x, y, width, height })
}

/// The mask fading to 0 towards its edge, over `width` pixels inside of it.
fn faded(mut mask: Mask, width: f32) -> Mask {
    let invert = |mask: &mut Mask| mask.values_mut().iter_mut().for_each(|value| *value = 255 - *value);
    invert(&mut mask);
    let mut mask = reaching(&mask, 0.0, width);
    invert(&mut mask);
    mask
}

/// The mask without what is spared and what does not show.
fn without(mut mask: Mask, spared: &Mask, bitmap: &Bitmap) -> Mask {
    let alpha = bitmap.alpha();
    for ((value, spared), alpha) in mask.values_mut().iter_mut().zip(spared.values()).zip(alpha.values()) {
        *value = if *alpha == 0 { 0 } else { (*value).min(255 - *spared) };
    }
    mask
}
