//! Finds small dark and red spots on skin: moles and blemishes.

mod patch;

use pixels::{Bitmap, Channels, Filter, Mask, PixelError, Rect, Samples};

use self::patch::{Slope, flood};
use super::sums::{Size, blurred};
use crate::level::Level;
use crate::reach::reaching;

/// Faces are looked at so many pixels wide at most: enough for the smallest spot that shows.
const FACE: f32 = 500.0;
/// Radii of the squares that blurs are made of; a spot shows in the difference of two that follow each other.
const RADII: [usize; 9] = [1, 2, 3, 5, 8, 12, 18, 27, 40];
/// So many spots within this share of a face's width are stubble or freckles, which belong to the face.
const CROWD: usize = 9;
const CROWD_REACH: f32 = 0.1;
/// No more spots are looked at.
const MOST: usize = 4000;

/// What is sought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoughtBlemishes {
    /// Width of a face in pixels.
    pub face_px: f32,
    /// Largest size of a red spot, as a share of that.
    pub red_size: f32,
    /// Largest size of a dark spot, as a share of that.
    pub dark_size: f32,
    /// How faint a spot may be: 0 finds none, 0.5 what is certain, 1 what might be one.
    pub eagerness: f32,
}

/// Spots that were found. The masks have the picture's size and overlap nowhere; they reach a little farther than the
/// spots, with soft edges, and are 0 wherever the skin's mask is.
#[derive(Clone, Debug)]
pub struct Blemishes {
    /// Red ones.
    pub red: Mask,
    /// How many those are.
    pub red_count: u32,
    /// Dark ones: moles.
    pub dark: Mask,
    /// How many those are.
    pub dark_count: u32,
}

/// Finds spots on the skin that `skin` marks: what is darker or redder than all around it, round rather than long, not
/// larger than what is sought, and not one of a crowd. Differences of blurs at several sizes (Lindeberg 1998) propose them,
/// on sRGB-encoded values; each is then measured against the plane through its surroundings.
pub fn find_blemishes(
    bitmap: &Bitmap,
    skin: &Mask,
    sought: &SoughtBlemishes,
    stop: &dyn Fn() -> bool,
) -> Result<Blemishes, PixelError> {
    let (width, height) = (bitmap.width(), bitmap.height());
    let none = || Mask::new(width, height, vec![0; width as usize * height as usize]);
    let mut found = Blemishes { red: none()?, red_count: 0, dark: none()?, dark_count: 0 };
    let Some(part) = skin.bounds(1).filter(|_| sought.eagerness > 0.0) else { return Ok(found) };
    let scale = (FACE / sought.face_px.max(1.0)).min(1.0);
    let seen = Seen::of(&pixels::crop(bitmap, part)?, &pixels::crop_mask(skin, part)?, scale)?;
    if stop() {
        return Ok(found);
    }
    let face_px = sought.face_px * scale;
    let spots = without_crowds(seen.spots(face_px, sought, stop), CROWD_REACH * face_px);
    let (grow, feather) = ((sought.face_px * 0.006).max(1.0), (sought.face_px * 0.004).max(1.0));
    for is_dark in [false, true] {
        let some: Vec<&Spot> = spots.iter().filter(|spot| spot.is_dark == is_dark).collect();
        if some.is_empty() {
            continue;
        }
        let mut small = Mask::new(seen.size.0 as u32, seen.size.1 as u32, vec![0; seen.red.len()])?;
        for spot in &some {
            spot.pixels.iter().for_each(|at| small.values_mut()[*at] = 255);
        }
        let large = if (small.width(), small.height()) == (part.width, part.height) {
            small
        } else {
            pixels::resize_mask(&small, part.width, part.height, Filter::Bilinear)?
        };
        let large = reaching(&large, grow, feather);
        let (mask, count) = if is_dark {
            (&mut found.dark, &mut found.dark_count)
        } else {
            (&mut found.red, &mut found.red_count)
        };
        *count = some.len() as u32;
        lay(mask, &large, part, skin);
    }
    // What both reach is the moles'.
    for (red, dark) in found.red.values_mut().iter_mut().zip(found.dark.values()) {
        *red = if *dark > 0 { 0 } else { *red };
    }
    Ok(found)
}

/// Puts a mask of a part into one of the whole, where the skin is.
fn lay(to: &mut Mask, from: &Mask, part: Rect, skin: &Mask) {
    let width = to.width() as usize;
    for (y, row) in from.values().chunks_exact(part.width as usize).enumerate() {
        let start = (part.y as usize + y) * width + part.x as usize;
        for (x, value) in row.iter().enumerate() {
            if skin.values()[start + x] > 0 {
                to.values_mut()[start + x] = *value;
            }
        }
    }
}

/// A part of the picture, at the size at which spots are looked for.
struct Seen {
    size: Size,
    /// 1 on skin, 0 elsewhere.
    weight: Vec<f32>,
    /// Brightness in levels of 255.
    light: Vec<f32>,
    /// Red less green, in levels.
    red: Vec<f32>,
    /// Red less blue, in levels.
    warm: Vec<f32>,
}

/// A spot, in pixels of what is seen.
struct Spot {
    at: (f32, f32),
    is_dark: bool,
    /// The longer side of its bounds.
    side: f32,
    pixels: Vec<usize>,
}

impl Seen {
    fn of(bitmap: &Bitmap, skin: &Mask, scale: f32) -> Result<Self, PixelError> {
        let whole = (bitmap.width(), bitmap.height());
        let side = |side: u32| ((side as f32 * scale).round() as u32).max(1);
        let size = if scale < 1.0 { (side(whole.0), side(whole.1)) } else { whole };
        let (bitmap, skin) = if size == whole {
            (bitmap.clone(), skin.clone())
        } else {
            (
                pixels::resize(bitmap, size.0, size.1, Filter::Bilinear)?,
                pixels::resize_mask(skin, size.0, size.1, Filter::Bilinear)?,
            )
        };
        let mut seen = Self {
            size: (size.0 as usize, size.1 as usize),
            weight: skin.values().iter().map(|value| f32::from(u8::from(*value >= 40))).collect(),
            light: Vec::new(),
            red: Vec::new(),
            warm: Vec::new(),
        };
        match (bitmap.channels(), bitmap.samples()) {
            (Channels::Rgb, Samples::U8(samples)) => seen.read::<u8, 3>(samples),
            (Channels::Rgb, Samples::U16(samples)) => seen.read::<u16, 3>(samples),
            (Channels::Rgba, Samples::U8(samples)) => seen.read::<u8, 4>(samples),
            (Channels::Rgba, Samples::U16(samples)) => seen.read::<u16, 4>(samples),
        }
        Ok(seen)
    }

    fn read<S: Level, const N: usize>(&mut self, samples: &[S]) {
        for pixel in samples.as_chunks::<N>().0 {
            let [r, g, b] = [pixel[0].level(), pixel[1].level(), pixel[2].level()];
            self.light.push(0.299 * r + 0.587 * g + 0.114 * b);
            self.red.push(r - g);
            self.warm.push(r - b);
        }
    }

    /// Spots from the strongest to the weakest, none of which shares a pixel with a stronger one.
    fn spots(&self, face_px: f32, sought: &SoughtBlemishes, stop: &dyn Fn() -> bool) -> Vec<Spot> {
        // Dark and red together: what is both is found where it is either.
        let marked: Vec<f32> =
            self.red.iter().zip(&self.light).map(|(red, light)| 0.6 * red - light).collect();
        let largest = sought.red_size.max(sought.dark_size) * face_px;
        let (best, size_of) = self.proposals(&marked, largest, stop);
        let inside = |i: &usize| self.weight[*i] > 0.0;
        let mut calm: Vec<f32> = (0..best.len()).filter(inside).map(|i| best[i]).collect();
        if calm.is_empty() || stop() {
            return Vec::new();
        }
        let middle = calm.len() / 2;
        let noise = *calm.select_nth_unstable_by(middle, f32::total_cmp).1;
        // In levels of contrast, of which a difference of blurs shows a third.
        let least = (13.0 * (1.5 - sought.eagerness)).max(3.0) / 3.0;
        let mut peaks: Vec<usize> = (0..best.len())
            .filter(|i| inside(i) && best[*i] > least.max(2.0 * noise) && self.is_peak(&best, *i))
            .collect();
        peaks.sort_by(|a, b| best[*b].total_cmp(&best[*a]).then(a.cmp(b)));
        peaks.truncate(MOST);
        let mut taken = vec![false; best.len()];
        let mut spots = Vec::new();
        for peak in peaks {
            let size = |spot: &Spot| face_px * if spot.is_dark { sought.dark_size } else { sought.red_size };
            if let Some(spot) =
                self.measured(&marked, peak, spot_radius(size_of[peak] as usize), largest, least * 3.0)
                && spot.side <= size(&spot).max(3.0)
                && !spot.pixels.iter().any(|at| taken[*at])
            {
                spot.pixels.iter().for_each(|at| taken[*at] = true);
                spots.push(spot);
            }
        }
        spots
    }

    /// How much each pixel differs from its surroundings at the size at which it does most, and which that is.
    fn proposals(&self, marked: &[f32], largest: f32, stop: &dyn Fn() -> bool) -> (Vec<f32>, Vec<u8>) {
        let mut best = vec![0f32; marked.len()];
        let mut size_of = vec![0u8; marked.len()];
        let mut fine = blurred(self.size, marked, &self.weight, RADII[0], 2);
        for (index, radii) in RADII.windows(2).enumerate() {
            if (index > 0 && 2.0 * spot_radius(index) > largest * 1.2) || stop() {
                break;
            }
            let coarse = blurred(self.size, marked, &self.weight, radii[1], 2);
            for i in 0..best.len() {
                let differs = fine[i] - coarse[i];
                if differs > best[i] {
                    (best[i], size_of[i]) = (differs, index as u8);
                }
            }
            fine = coarse;
        }
        (best, size_of)
    }

    /// Whether nothing within two pixels is higher.
    fn is_peak(&self, plane: &[f32], at: usize) -> bool {
        let (x, y) = (at % self.size.0, at / self.size.0);
        let rows = y.saturating_sub(2)..(y + 3).min(self.size.1);
        rows.into_iter().all(|y| {
            let row = &plane[y * self.size.0..][x.saturating_sub(2)..(x + 3).min(self.size.0)];
            row.iter().all(|value| *value <= plane[at])
        })
    }

    /// Looks closely at what may be a spot of about `radius` around a peak.
    fn measured(&self, marked: &[f32], peak: usize, radius: f32, largest: f32, least: f32) -> Option<Spot> {
        let (width, height) = self.size;
        let (x, y) = (peak % width, peak / width);
        // With room for a spot that lies between two sizes.
        let reach = ((radius * 2.2).ceil() as usize + 2).min((largest as usize).max(4));
        if x < reach || y < reach || x + reach >= width || y + reach >= height {
            return None;
        }
        let side = 2 * reach + 1;
        let at = |i: usize| (y - reach + i / side) * width + x - reach + i % side;
        let bare = (0..side * side).filter(|i| self.weight[at(*i)] <= 0.0).count();
        if bare * 33 > side * side {
            return None;
        }
        let offset = |i: usize| ((i % side) as f32 - reach as f32, (i / side) as f32 - reach as f32);
        let is_ring = |i: usize| {
            let (dx, dy) = offset(i);
            dx.hypot(dy) > reach as f32 - 1.0
        };
        let ring: Vec<usize> = (0..side * side).filter(|i| is_ring(*i)).collect();
        let around = |plane: &[f32]| Slope::through(ring.iter().map(|i| (offset(*i), plane[at(*i)])));
        let slope = around(marked);
        let above: Vec<f32> = (0..side * side).map(|i| marked[at(i)] - slope.at(offset(i))).collect();
        // A cross of five around the peak, so that one noisy pixel decides nothing.
        let middle = reach * side + reach;
        let contrast = (above[middle] * 2.0
            + above[middle - 1]
            + above[middle + 1]
            + above[middle - side]
            + above[middle + side])
            / 6.0;
        let mut rest: Vec<f32> = ring.iter().map(|i| above[*i].abs()).collect();
        let half = rest.len() / 2;
        let noise = 1.4826 * *rest.select_nth_unstable_by(half, f32::total_cmp).1;
        if contrast < least || contrast < 2.5 * noise {
            return None;
        }
        let spot = flood(side, middle, |i| above[i] > 0.4 * contrast);
        // What reaches the ring is an edge, a wrinkle or a hair.
        if spot.iter().any(|i| is_ring(*i)) {
            return None;
        }
        let extent = |of: fn(usize, usize) -> usize| {
            let (least, most) =
                spot.iter().map(|i| of(*i, side)).fold((side, 0), |(a, b), v| (a.min(v), b.max(v)));
            most - least + 1
        };
        let long = extent(|i, side| i % side).max(extent(|i, side| i / side)) as f32;
        let round = spot.len() as f32 / (long * long * std::f32::consts::FRAC_PI_4);
        if round < 0.5 || long > largest.max(3.0) {
            return None;
        }
        let differs = |plane: &[f32]| {
            let slope = around(plane);
            let sum: f32 = spot.iter().map(|i| plane[at(*i)] - slope.at(offset(*i))).sum();
            sum / spot.len() as f32
        };
        let (darker, redder) = (-differs(&self.light), differs(&self.red));
        // Skin is warm, and so is a mole; a stud, a bead or a drop of paint need not be.
        let warm = around(&self.warm).at((0.0, 0.0));
        if warm + differs(&self.warm) < 0.25 * warm {
            return None;
        }
        let pixels = spot.iter().map(|i| at(*i)).collect();
        Some(Spot { at: (x as f32, y as f32), is_dark: darker > 1.2 * redder.max(0.0), side: long, pixels })
    }
}

/// Radius of the disc that shows best in the difference of blur `index` and the next: √2 sigma of the blur between them.
fn spot_radius(index: usize) -> f32 {
    // A square of side n, twice, has the variance (n² - 1) / 6.
    let variance = |radius: usize| ((2 * radius + 1).pow(2) - 1) as f32 / 6.0;
    (2.0 * (variance(RADII[index]) * variance(RADII[index + 1])).sqrt()).sqrt()
}

/// Leaves out spots that have many others nearby.
fn without_crowds(spots: Vec<Spot>, reach: f32) -> Vec<Spot> {
    let places: Vec<(f32, f32)> = spots.iter().map(|spot| spot.at).collect();
    let crowded = |spot: &Spot| {
        let near = places.iter().filter(|at| (at.0 - spot.at.0).hypot(at.1 - spot.at.1) < reach).count();
        near > CROWD
    };
    spots.into_iter().filter(|spot| !crowded(spot)).collect()
}
