//! How an inlay shot lies on the front shot: by the outlines of both, which a camera on its tripod sees alike.

use pixels::{Filter, Mask};

/// Longest side at which outlines are compared.
const SIDE: u32 = 320;
/// Share of the garment's height, from the top, that is compared: hems hang differently in every shot.
const ZONE: f64 = 0.35;

/// How one picture lies on another: a point of it times `scale`, then moved by `x` and `y`, in pixels of the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Factor.
    pub scale: f64,
    /// Columns.
    pub x: f64,
    /// Rows.
    pub y: f64,
    /// Intersection over union of both outlines in the zone that was compared, 0 to 1.
    pub overlap: f64,
}

/// Lays `inlay` on `front` so that their outlines agree best around the top of the garment: a coordinate search from the
/// places where the canvases agree and where the bounds do, with halving steps, on soft values. `None` where one of them
/// is empty.
pub fn register(front: &Mask, inlay: &Mask) -> Option<Fit> {
    let (front_small, front_scale) = reduced(front)?;
    let (inlay_small, inlay_scale) = reduced(inlay)?;
    let zone = Zone::of(&front_small)?;
    let own = inlay_small.bounds(128)?;
    let (same_x, same_y) = (
        f64::from(front_small.width()) / f64::from(inlay_small.width()),
        f64::from(front_small.height()) / f64::from(inlay_small.height()),
    );
    let mut starts = Vec::new();
    if (same_x / same_y - 1.0).abs() < 0.02 {
        starts.push(Fit { scale: same_x, x: 0.0, y: 0.0, overlap: 0.0 });
    }
    let by_width = zone.width / f64::from(own.width);
    for factor in [0.9, 1.0, 1.1] {
        let scale = by_width * factor;
        let middle = f64::from(own.x) + f64::from(own.width) / 2.0;
        starts.push(Fit {
            scale,
            x: zone.middle - middle * scale,
            y: zone.top as f64 - f64::from(own.y) * scale,
            overlap: 0.0,
        });
    }
    let best = starts
        .into_iter()
        .map(|start| climbed(&front_small, &inlay_small, &zone, start))
        .max_by(|a, b| a.overlap.total_cmp(&b.overlap))?;
    Some(Fit {
        scale: best.scale * inlay_scale / front_scale,
        x: best.x / front_scale,
        y: best.y / front_scale,
        overlap: best.overlap,
    })
}

/// The mask made smaller, and by how much.
fn reduced(mask: &Mask) -> Option<(Mask, f64)> {
    let size = pixels::fit_inside((mask.width(), mask.height()), (SIDE, SIDE), false);
    let scale = f64::from(size.0) / f64::from(mask.width());
    Some((pixels::resize_mask(mask, size.0, size.1, Filter::Bilinear).ok()?, scale))
}

/// The rows that are compared.
struct Zone {
    top: usize,
    bottom: usize,
    middle: f64,
    width: f64,
}

impl Zone {
    fn of(front: &Mask) -> Option<Self> {
        let bounds = front.bounds(128)?;
        let top = bounds.y as usize;
        let bottom = top + (f64::from(bounds.height) * ZONE).ceil() as usize;
        Some(Self {
            top,
            bottom: bottom.min(front.height() as usize),
            middle: f64::from(bounds.x) + f64::from(bounds.width) / 2.0,
            width: f64::from(bounds.width),
        })
    }
}

fn climbed(front: &Mask, inlay: &Mask, zone: &Zone, start: Fit) -> Fit {
    let score = |fit: Fit| Fit { overlap: overlap(front, inlay, zone, fit), ..fit };
    let mut best = score(start);
    let (mut step, mut growth) = (8.0, 0.06);
    // Ends after a few hundred looks, each linear in the zone.
    for _ in 0..60 {
        let before = best;
        for (x, y, scale) in [
            (1.0, 0.0, 0.0),
            (-1.0, 0.0, 0.0),
            (0.0, 1.0, 0.0),
            (0.0, -1.0, 0.0),
            (0.0, 0.0, 1.0),
            (0.0, 0.0, -1.0),
        ] {
            let factor = 1.0 + scale * growth;
            // Growing leaves the middle of the garment's top where it is.
            let (pivot_x, pivot_y) = (zone.middle, zone.top as f64);
            let next = score(Fit {
                scale: before.scale * factor,
                x: pivot_x - (pivot_x - before.x) * factor + x * step,
                y: pivot_y - (pivot_y - before.y) * factor + y * step,
                overlap: 0.0,
            });
            if next.overlap > best.overlap {
                best = next;
            }
        }
        if best.overlap <= before.overlap {
            (step, growth) = (step / 2.0, growth / 2.0);
            if step < 0.12 {
                break;
            }
        }
    }
    best
}

fn overlap(front: &Mask, inlay: &Mask, zone: &Zone, fit: Fit) -> f64 {
    let width = front.width() as usize;
    let (mut both, mut either) = (0.0f64, 0.0f64);
    for y in zone.top..zone.bottom {
        for (x, &value) in front.values()[y * width..][..width].iter().enumerate() {
            let at = ((x as f64 + 0.5 - fit.x) / fit.scale, (y as f64 + 0.5 - fit.y) / fit.scale);
            let other = sampled(inlay, at.0 - 0.5, at.1 - 0.5);
            let own = f64::from(value);
            both += own.min(other);
            either += own.max(other);
        }
    }
    if either > 0.0 { both / either } else { 0.0 }
}

/// Bilinear; what lies outside is 0.
fn sampled(mask: &Mask, x: f64, y: f64) -> f64 {
    let (width, height) = (mask.width() as i64, mask.height() as i64);
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let (left, top) = (left as i64, top as i64);
    if left < -1 || top < -1 || left >= width || top >= height {
        return 0.0;
    }
    let at = |x: i64, y: i64| match x >= 0 && y >= 0 && x < width && y < height {
        true => f64::from(mask.values()[(y * width + x) as usize]),
        false => 0.0,
    };
    let upper = at(left, top) * (1.0 - across) + at(left + 1, top) * across;
    let lower = at(left, top + 1) * (1.0 - across) + at(left + 1, top + 1) * across;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shirt(scale: f64, dx: f64, dy: f64) -> Mask {
        let mut values = vec![0; 240 * 240];
        for (index, value) in values.iter_mut().enumerate() {
            let x = ((index % 240) as f64 + 0.5 - dx) / scale - 100.0;
            let y = ((index / 240) as f64 + 0.5 - dy) / scale;
            let is_in = x.abs() < 80.0 && y > 30.0 + x.abs() * 0.25 && y < 190.0;
            *value = if is_in { 255 } else { 0 };
        }
        Mask::new(240, 240, values).expect("240 by 240")
    }

    #[test]
    fn a_moved_and_larger_outline_is_laid_back() {
        for (scale, dx, dy) in [(1.0, 6.0, -9.0), (1.12, -4.0, 3.0), (0.9, 12.0, 15.0)] {
            let fit = register(&shirt(1.0, 0.0, 0.0), &shirt(scale, dx, dy)).expect("both show");
            // A point of the shirt, say its top, has to land where the front has it.
            let (x, y) = (100.0 * scale + dx, 30.0 * scale + dy);
            let (landed_x, landed_y) = (x * fit.scale + fit.x, y * fit.scale + fit.y);
            assert!(fit.overlap > 0.97, "{fit:?}");
            assert!((landed_x - 100.0).abs() < 1.0 && (landed_y - 30.0).abs() < 1.0, "{fit:?}");
            assert!((fit.scale * scale - 1.0).abs() < 0.02, "{fit:?}");
        }
    }
}
