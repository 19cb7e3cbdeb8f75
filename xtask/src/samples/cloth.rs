//! Cloth that lies flat: an outline, folds as heights, a weave, and what is printed or knitted into it.

use super::chance::{Chance, cloud2, noise2};
use super::light::{Studio, Surface};
use super::vector::{Curve, V3, mix, smooth, v3};

/// A ridge in the cloth.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    /// Where its middle is, in pixels.
    pub middle: (f32, f32),
    /// Its direction, length one.
    pub along: (f32, f32),
    /// Half its length and half its width, in pixels.
    pub half: (f32, f32),
    /// How high it rises, in pixels.
    pub height: f32,
}

/// How the threads lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weave {
    /// Fine and even.
    Plain,
    /// Loops in columns.
    Knit,
    /// Slanted ribs.
    Twill,
    /// Short fibres that stand up.
    Fleece,
}

/// What colours the cloth besides its own.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// Nothing.
    Plain,
    /// Bands across, so many over the longer side.
    Bands(f32),
    /// A check, so many squares over the longer side.
    Check(f32),
    /// A print around that place with that half size, in pixels.
    Print((f32, f32), f32),
}

/// A piece of cloth.
pub struct Cloth {
    /// Its outline in pixels, closed, smoothed where it should be.
    pub outline: Vec<(f32, f32)>,
    /// Its folds.
    pub folds: Vec<Fold>,
    /// Its threads.
    pub weave: Weave,
    /// Its colour.
    pub base: V3,
    /// The pattern's colour.
    pub accent: V3,
    /// Its pattern.
    pub pattern: Pattern,
    /// Sine and cosine of the angle at which the pattern and the weave lie.
    pub turn: (f32, f32),
    /// Longer side of the picture in pixels; details are sized by it.
    pub side: f32,
    /// The light.
    pub studio: Studio,
    /// Spread of the lens in pixels.
    pub spread: f32,
    /// How thick its rim looks, in pixels.
    pub rim: f32,
    /// Distance of the seam from the rim in pixels, 0.0 for none.
    pub seam: f32,
    /// Share of the light that reaches it.
    pub open: f32,
    /// Decides its noise.
    pub seed: u32,
}

/// Signed distance to an outline (negative inside), and the direction out of it.
#[derive(Clone, Copy)]
struct Rim {
    distance: f32,
    out: (f32, f32),
}

impl Cloth {
    /// Paints the row whose middle has that height over what is there: sRGB times alpha, and alpha.
    pub fn paint(&self, y: f32, row: &mut [[f32; 4]], curve: &Curve) {
        let margin = self.spread + self.side * 0.01;
        let range = |axis: fn(&(f32, f32)) -> f32| {
            let low = self.outline.iter().map(axis).fold(f32::INFINITY, f32::min);
            (low - margin, self.outline.iter().map(axis).fold(f32::NEG_INFINITY, f32::max) + margin)
        };
        let ((top, bottom), (left, right)) = (range(|p| p.1), range(|p| p.0));
        if y < top || y > bottom {
            return;
        }
        let start = left.max(0.0) as usize;
        let end = (right.max(0.0) as usize).min(row.len());
        let near: Vec<Fold> = self
            .folds
            .iter()
            .filter(|fold| (fold.middle.1 - y).abs() < fold.half.0 + 3.0 * fold.half.1)
            .copied()
            .collect();
        // Far from the rim the next pixels are as far, less one pixel each.
        let deep = (self.rim * 1.2).max(self.seam * 1.5).max(self.spread) + self.side * 0.004;
        let (mut rim, mut sure) = (Rim { distance: 0.0, out: (0.0, 0.0) }, 0usize);
        for (index, pixel) in row[start.min(end)..end].iter_mut().enumerate() {
            let x = (start + index) as f32 + 0.5;
            if sure == 0 {
                rim = self.rim_at(x, y);
                sure = (rim.distance.abs() - deep).max(0.0) as usize;
            } else {
                sure -= 1;
            }
            if rim.distance > self.spread {
                continue;
            }
            let cover = 1.0 - smooth(-0.5 * self.spread, 0.5 * self.spread, rim.distance);
            if cover <= 0.0 {
                continue;
            }
            let shown = curve.encode(self.light(x, y, rim, &near));
            for (old, value) in pixel.iter_mut().zip(shown) {
                *old = *old * (1.0 - cover) + value * cover;
            }
            pixel[3] = pixel[3] * (1.0 - cover) + cover;
        }
    }

    fn rim_at(&self, x: f32, y: f32) -> Rim {
        // Cut cloth is never quite straight.
        let grain = self.side * 0.012;
        let wobble = (noise2(x / grain, y / grain, self.seed) - 0.5) * self.side * 0.003;
        let (mut nearest, mut inside) = ((f32::INFINITY, (0.0, 0.0)), false);
        let mut from = *self.outline.last().unwrap_or(&(0.0, 0.0));
        for &to in &self.outline {
            let (ex, ey, wx, wy) = (to.0 - from.0, to.1 - from.1, x - from.0, y - from.1);
            let share = ((wx * ex + wy * ey) / (ex * ex + ey * ey).max(1e-9)).clamp(0.0, 1.0);
            let (bx, by) = (wx - ex * share, wy - ey * share);
            let square = bx * bx + by * by;
            if square < nearest.0 {
                nearest = (square, (bx, by));
            }
            if (from.1 > y) != (to.1 > y) && x < ex * (y - from.1) / (to.1 - from.1) + from.0 {
                inside = !inside;
            }
            from = to;
        }
        let distance = nearest.0.sqrt().max(1e-4);
        let sign = if inside { -1.0 } else { 1.0 };
        let out = (sign * nearest.1.0 / distance, sign * nearest.1.1 / distance);
        Rim { distance: sign * distance + wobble, out }
    }

    fn height(&self, x: f32, y: f32, folds: &[Fold]) -> f32 {
        let unit = 1.0 / self.side;
        let soft = cloud2(x * unit * 5.0, y * unit * 5.0, 3, self.seed ^ 11) * self.side * 0.022;
        folds.iter().fold(soft, |sum, fold| {
            let (dx, dy) = (x - fold.middle.0, y - fold.middle.1);
            let bend = (noise2(x * unit * 7.0, y * unit * 7.0, self.seed ^ 12) - 0.5) * fold.half.1 * 2.5;
            let along = (dx * fold.along.0 + dy * fold.along.1) / fold.half.0;
            let across = (dy * fold.along.0 - dx * fold.along.1 + bend) / fold.half.1;
            if along.abs() >= 1.0 || across.abs() >= 2.0 {
                return sum;
            }
            let (end, side) = (1.0 - along * along, 1.0 - across * across * 0.25);
            // Steeper on one side, as folds fall.
            let lean = 1.0 + 0.35 * across;
            sum + fold.height * end * end * side * side * side * lean
        })
    }

    fn light(&self, x: f32, y: f32, rim: Rim, folds: &[Fold]) -> V3 {
        let step = (self.side * 0.0012).max(1.0);
        let here = self.height(x, y, folds);
        let slope = (
            (self.height(x + step, y, folds) - here) / step,
            (self.height(x, y + step, folds) - here) / step,
        );
        let depth = (-rim.distance).max(0.0);
        let roll = (1.0 - depth / self.rim.max(0.1)).clamp(0.0, 1.0);
        let tilt = 1.1 * roll * roll;
        let (fine, groove) = self.threads(x, y);
        let seam =
            if self.seam > 0.0 { smooth(self.side * 0.0016, 0.0, (depth - self.seam).abs()) } else { 0.0 };
        let normal =
            v3(-slope.0 + rim.out.0 * tilt + fine.0, slope.1 - rim.out.1 * tilt - fine.1, 1.0).unit();
        let unit = 1.0 / self.side;
        let open = (0.86 + here * unit * 5.0 - 0.25 * (slope.0.abs() + slope.1.abs())).clamp(0.35, 1.0);
        let light = self.open * open * (1.0 - 0.35 * seam) * (1.0 - 0.3 * groove) * (1.0 - 0.25 * roll);
        let albedo = self.coloured(x + slope.0 * self.side * 0.012, y + slope.1 * self.side * 0.012);
        let surface = Surface::cloth(albedo);
        self.studio.shade(&surface, normal, v3(0.0, 0.0, 1.0), light, light)
    }

    fn turned(&self, x: f32, y: f32) -> (f32, f32) {
        (x * self.turn.1 + y * self.turn.0, y * self.turn.1 - x * self.turn.0)
    }

    /// Relief of the threads as a slope, and how deep between them a place is.
    fn threads(&self, x: f32, y: f32) -> ((f32, f32), f32) {
        let (u, v) = self.turned(x, y);
        match self.weave {
            Weave::Plain => {
                let size = (self.side * 0.0016).max(1.2);
                let n = |seed| noise2(u / size, v / size, self.seed ^ seed) - 0.5;
                ((0.16 * n(1), 0.16 * n(2)), 0.0)
            }
            Weave::Knit => {
                let size = self.side * 0.0095;
                let (column, lean) = (u / size, 0.5);
                let at = column - column.floor();
                let side = if at < 0.5 { 1.0 } else { -1.0 };
                let row = v / (size * 0.8) + side * (at - if at < 0.5 { 0.0 } else { 1.0 }) * lean * 2.0;
                let wave = libm::sinf(row * std::f32::consts::TAU);
                let between = libm::fabsf(at * 2.0 - 1.0);
                let fuzz = noise2(x / 2.0, y / 2.0, self.seed ^ 3) - 0.5;
                let gap = smooth(0.75, 1.0, between) + smooth(-0.6, -1.0, wave) * 0.7;
                ((0.45 * (0.5 - at) * 2.0 * between + 0.2 * fuzz, 0.45 * wave + 0.2 * fuzz), gap.min(1.0))
            }
            Weave::Twill => {
                let size = (self.side * 0.0032).max(2.4);
                let wave = libm::sinf((u + v) / size * std::f32::consts::TAU);
                let fade = noise2(u / size * 0.5, v / size * 3.0, self.seed ^ 4);
                ((0.22 * wave, 0.22 * wave), 0.35 * fade)
            }
            Weave::Fleece => {
                let size = (self.side * 0.003).max(1.5);
                let n = |seed| cloud2(u / size, v / size, 2, self.seed ^ seed) - 0.5;
                ((0.8 * n(5), 0.8 * n(6)), (0.8 * n(7)).max(0.0))
            }
        }
    }

    fn coloured(&self, x: f32, y: f32) -> V3 {
        let (u, v) = self.turned(x, y);
        let soft = 1.0 / self.side;
        let band = |at: f32, share: f32, soft: f32| {
            let at = at - at.floor();
            smooth(0.0, soft, at) * (1.0 - smooth(share, share + soft, at))
        };
        let share = match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Bands(count) => band(v * soft * count, 0.4, soft * count * 1.5),
            Pattern::Check(count) => {
                let (a, b) = (
                    band(u * soft * count, 0.45, soft * count * 1.5),
                    band(v * soft * count, 0.45, soft * count * 1.5),
                );
                let thin = band(u * soft * count + 0.27, 0.04, soft * count).max(band(
                    v * soft * count + 0.27,
                    0.04,
                    soft * count,
                ));
                (0.5 * a + 0.5 * b).max(0.6 * thin)
            }
            Pattern::Print(place, half) => {
                let (du, dv) = ((x - place.0) / half, (place.1 - y) / half);
                if du.abs() < 1.0 && dv.abs() < 1.0 {
                    super::products::print(du, dv, self.seed, 1.0 / half)
                } else {
                    0.0
                }
            }
        };
        let unit = 1.0 / self.side;
        let worn = 0.94 + 0.12 * cloud2(x * unit * 16.0, y * unit * 16.0, 3, self.seed ^ 21);
        mix(self.base, self.accent, share) * worn
    }
}

/// A closed outline with its corners cut again and again (Chaikin 1974); corners given twice stay sharper.
pub fn rounded(mut points: Vec<(f32, f32)>, passes: usize) -> Vec<(f32, f32)> {
    for _ in 0..passes {
        let count = points.len();
        points = (0..count)
            .flat_map(|index| {
                let (a, b) = (points[index], points[(index + 1) % count]);
                let at = |share: f32| (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share);
                [at(0.25), at(0.75)]
            })
            .collect();
    }
    points
}

/// Folds within a box around the middle of the picture, most of them along one direction.
pub fn folds(
    chance: &mut Chance,
    count: usize,
    middle: (f32, f32),
    half: (f32, f32),
    side: f32,
    main: f32,
) -> Vec<Fold> {
    (0..count)
        .map(|_| {
            let angle = main + chance.normal() * 0.45;
            Fold {
                middle: (
                    middle.0 + chance.between(-1.0, 1.0) * half.0,
                    middle.1 + chance.between(-1.0, 1.0) * half.1,
                ),
                along: (libm::cosf(angle), libm::sinf(angle)),
                half: (side * chance.between(0.06, 0.28), side * chance.between(0.008, 0.028)),
                height: side * chance.between(0.003, 0.010),
            }
        })
        .collect()
}
