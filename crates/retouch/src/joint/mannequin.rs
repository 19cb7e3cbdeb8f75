//! What of a cut-out is the mannequin: smooth, of one colour that the garment does not have, seen first at the top.

use pixels::{Bitmap, Filter, Mask, Rect, Samples, linear_to_oklab, srgb_u8_to_linear};

/// Longest side at which the mannequin is looked for; its edge is found at full size afterwards.
const SIDE: u32 = 640;
/// How much a difference of brightness counts against one of hue: light falls off around a neck.
const LIGHT: f32 = 0.35;
/// Share of the subject that may be mannequin; what covers more is the garment itself.
const MOST: f64 = 0.45;
/// Share of the subject, besides the mannequin, that may have its colour; more cannot be told from it.
const SHARED: f64 = 0.08;
/// Share of the subject's height that is looked at for the mannequin's colour.
const TOP: f64 = 0.03;
/// Limbs smaller than this share of the subject are part of a print rather than of the mannequin.
const LIMB: f64 = 0.002;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// 255 where the mannequin is, 0 elsewhere.
    pub mask: Mask,
    /// Its colour, sRGB.
    pub colour: [u8; 3],
}

/// Finds the mannequin in a cut-out garment (sRGB, straight alpha). `colour` is the mannequin's colour if it is known, else
/// it is measured where the subject begins at the top. `tolerance` is how far a pixel may be from it in OKLab, 0.02 to 0.3.
/// `None` where no part of the subject stands out from the garment.
pub fn find_mannequin(bitmap: &Bitmap, colour: Option<[u8; 3]>, tolerance: f32) -> Option<Body> {
    let size = pixels::fit_inside((bitmap.width(), bitmap.height()), (SIDE, SIDE), false);
    let small = pixels::resize(bitmap, size.0, size.1, Filter::Bilinear).ok()?.into_u8().into_rgba();
    let seen = Seen::of(&small)?;
    let (model, seeds) = match colour {
        Some(rgb) => {
            let model = oklab(rgb);
            let seeds = (0..seen.labs.len()).filter(|&at| seen.is_like(at, model, tolerance)).collect();
            (model, seeds)
        }
        None => seen.top_colour(tolerance)?,
    };
    let body = seen.grown(seeds, model, tolerance, colour.is_some());
    let found = body.iter().filter(|&&is| is).count() as f64;
    let subject = seen.subject.iter().filter(|&&is| is).count() as f64;
    let alike = (0..body.len()).filter(|&at| !body[at] && seen.is_like(at, model, tolerance)).count() as f64;
    if found == 0.0 || found > subject * MOST || (colour.is_none() && alike > subject * SHARED) {
        return None;
    }
    let mask = at_full_size(bitmap, &body, size, model, tolerance)?;
    Some(Body { mask, colour: rgb_of(model) })
}

/// A cut-out seen small.
struct Seen {
    width: usize,
    height: usize,
    labs: Vec<[f32; 3]>,
    subject: Vec<bool>,
    bounds: Rect,
}

impl Seen {
    fn of(small: &Bitmap) -> Option<Self> {
        let Samples::U8(samples) = small.samples() else { return None };
        let bounds = small.alpha().bounds(128)?;
        let pixels = samples.as_chunks::<4>().0;
        Some(Self {
            width: small.width() as usize,
            height: small.height() as usize,
            labs: pixels.iter().map(|&[r, g, b, _]| oklab([r, g, b])).collect(),
            subject: pixels.iter().map(|pixel| pixel[3] >= 128).collect(),
            bounds,
        })
    }

    fn is_like(&self, at: usize, model: [f32; 3], tolerance: f32) -> bool {
        self.subject[at] && distance(self.labs[at], model) <= tolerance
    }

    /// The colour of what is seen first at the top, and where it is; `None` where that is not of one colour.
    fn top_colour(&self, tolerance: f32) -> Option<([f32; 3], Vec<usize>)> {
        let Rect { x, y, width, height } = self.bounds;
        let rows = ((f64::from(height) * TOP).ceil() as usize).max(3);
        let columns = x as usize..(x + width) as usize;
        let places: Vec<usize> = (y as usize..(y as usize + rows).min(self.height))
            .flat_map(|row| columns.clone().map(move |column| row * self.width + column))
            .filter(|&at| self.subject[at])
            .collect();
        if places.len() < 8 {
            return None;
        }
        let median = |c: usize| {
            let mut values: Vec<f32> = places.iter().map(|&at| self.labs[at][c]).collect();
            let middle = values.len() / 2;
            *values.select_nth_unstable_by(middle, f32::total_cmp).1
        };
        let model = [median(0), median(1), median(2)];
        let seeds: Vec<usize> =
            places.iter().copied().filter(|&at| self.is_like(at, model, tolerance)).collect();
        // Plastic, wood and skin are even; a collar with a label or a pattern is not.
        (seeds.len() * 4 >= places.len() * 3).then_some((model, seeds))
    }

    /// Everything of that colour that hangs together with the seeds, and limbs of it at the subject's edge.
    fn grown(&self, seeds: Vec<usize>, model: [f32; 3], tolerance: f32, is_known: bool) -> Vec<bool> {
        let mut body = vec![false; self.labs.len()];
        let least = (self.subject.iter().filter(|&&is| is).count() as f64 * LIMB).max(4.0) as usize;
        let mut looked = body.clone();
        let mut piece = Vec::new();
        let starts = seeds.iter().copied().map(|at| (at, true));
        let others = (0..self.labs.len()).map(|at| (at, false));
        for (start, is_seed) in starts.chain(others) {
            if looked[start] || !self.is_like(start, model, tolerance) {
                continue;
            }
            piece.clear();
            piece.push(start);
            looked[start] = true;
            let (mut next, mut is_at_edge) = (0, false);
            while let Some(&at) = piece.get(next) {
                next += 1;
                for beside in self.beside(at) {
                    match beside {
                        Some(beside) if self.subject[beside] => {
                            if !looked[beside] && self.is_like(beside, model, tolerance) {
                                looked[beside] = true;
                                piece.push(beside);
                            }
                        }
                        _ => is_at_edge = true,
                    }
                }
            }
            // A colour that was asked for holds everywhere; one that was measured, at the edge of the subject only.
            if (is_seed && !is_known) || (piece.len() >= least && (is_at_edge || is_known)) {
                piece.iter().for_each(|&at| body[at] = true);
            }
        }
        body
    }

    fn beside(&self, at: usize) -> [Option<usize>; 4] {
        let (x, y) = (at % self.width, at / self.width);
        [
            (x > 0).then(|| at - 1),
            (x + 1 < self.width).then(|| at + 1),
            (y > 0).then(|| at - self.width),
            (y + 1 < self.height).then(|| at + self.width),
        ]
    }
}

/// The body at the picture's size: the pixels of cells that are body all around, and near its edge those of its colour.
fn at_full_size(
    bitmap: &Bitmap,
    body: &[bool],
    size: (u32, u32),
    model: [f32; 3],
    tolerance: f32,
) -> Option<Mask> {
    let values = body.iter().map(|&is| if is { 255 } else { 0 }).collect();
    let small = Mask::new(size.0, size.1, values).ok()?;
    let inner = shrunk(&small);
    let outer = crate::reaching(&small, 1.5, 0.0);
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    let columns: Vec<usize> = (0..width).map(|x| x * size.0 as usize / width).collect();
    let mut mask = vec![0u8; width * height];
    let channels = bitmap.channels().count();
    for (y, row) in mask.chunks_exact_mut(width).enumerate() {
        let line = y * size.1 as usize / height * size.0 as usize;
        for (x, value) in row.iter_mut().enumerate() {
            let cell = line + columns[x];
            if outer.values()[cell] < 128 {
                continue;
            }
            let at = (y * width + x) * channels;
            let is_body = inner[cell] || {
                let rgb = match bitmap.samples() {
                    Samples::U8(samples) => [samples[at], samples[at + 1], samples[at + 2]],
                    Samples::U16(samples) => {
                        [samples[at], samples[at + 1], samples[at + 2]].map(pixels::to_u8)
                    }
                };
                distance(oklab(rgb), model) <= tolerance
            };
            if is_body {
                *value = 255;
            }
        }
    }
    Mask::new(bitmap.width(), bitmap.height(), mask).ok()
}

/// Which cells have nothing but body around them.
fn shrunk(mask: &Mask) -> Vec<bool> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let values = mask.values();
    (0..values.len())
        .map(|at| {
            let (x, y) = (at % width, at / width);
            (y.saturating_sub(1)..(y + 2).min(height)).all(|y| {
                let first = x.saturating_sub(1);
                values[y * width..][first..(x + 2).min(width)].iter().all(|&value| value == 255)
            })
        })
        .collect()
}

fn oklab(rgb: [u8; 3]) -> [f32; 3] {
    linear_to_oklab(rgb.map(srgb_u8_to_linear))
}

fn rgb_of(lab: [f32; 3]) -> [u8; 3] {
    pixels::oklab_to_linear(lab)
        .map(|light| (pixels::linear_to_srgb(f64::from(light).clamp(0.0, 1.0)) * 255.0).round() as u8)
}

fn distance(lab: [f32; 3], model: [f32; 3]) -> f32 {
    let (l, a, b) = ((lab[0] - model[0]) * LIGHT, lab[1] - model[1], lab[2] - model[2]);
    (l * l + a * a + b * b).sqrt()
}
