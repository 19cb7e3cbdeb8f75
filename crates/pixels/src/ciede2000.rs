//! The colour difference CIEDE2000 (CIE 142-2001), as Sharma, Wu and Dalal (2005) say to compute it.

/// 25 to the power of 7.
const POW_25_7: f64 = 6_103_515_625.0;

/// ΔE2000 of two colours in CIE L*a*b*, with kL = kC = kH = 1. About 1 is a difference that a trained eye just sees.
pub fn ciede2000(first: [f32; 3], second: [f32; 3]) -> f32 {
    let [[l1, a1, b1], [l2, a2, b2]] = [first.map(f64::from), second.map(f64::from)];
    let seventh = ((a1.hypot(b1) + a2.hypot(b2)) / 2.0).powi(7);
    // Greys are spread along a*, so that differences near the axis count as much as elsewhere.
    let spread = 1.0 + 0.5 * (1.0 - (seventh / (seventh + POW_25_7)).sqrt());
    let (c1, h1) = polar(a1 * spread, b1);
    let (c2, h2) = polar(a2 * spread, b2);
    let is_grey = c1 * c2 == 0.0;
    // Opposite hues may differ from a half circle by rounding alone.
    let over = |degrees: f64| degrees > 180.0 + 1e-9;
    let turn = match h2 - h1 {
        _ if is_grey => 0.0,
        turn if over(turn) => turn - 360.0,
        turn if over(-turn) => turn + 360.0,
        turn => turn,
    };
    let mean_hue = match h1 + h2 {
        sum if is_grey => sum,
        sum if !over((h1 - h2).abs()) => sum / 2.0,
        sum if sum < 360.0 => (sum + 360.0) / 2.0,
        sum => (sum - 360.0) / 2.0,
    };
    let (dl, dc) = (l2 - l1, c2 - c1);
    let dh = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
    let (mean_l, mean_c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
    let cos = |degrees: f64| degrees.to_radians().cos();
    let t = 1.0 - 0.17 * cos(mean_hue - 30.0) + 0.24 * cos(2.0 * mean_hue) + 0.32 * cos(3.0 * mean_hue + 6.0)
        - 0.20 * cos(4.0 * mean_hue - 63.0);
    let from_50 = (mean_l - 50.0).powi(2);
    let sl = 1.0 + 0.015 * from_50 / (20.0 + from_50).sqrt();
    let sc = 1.0 + 0.045 * mean_c;
    let sh = 1.0 + 0.015 * mean_c * t;
    let seventh = mean_c.powi(7);
    let rotation = 60.0 * (-((mean_hue - 275.0) / 25.0).powi(2)).exp();
    let rt = -rotation.to_radians().sin() * 2.0 * (seventh / (seventh + POW_25_7)).sqrt();
    let (l, c, h) = (dl / sl, dc / sc, dh / sh);
    (l * l + c * c + h * h + rt * c * h).max(0.0).sqrt() as f32
}

/// Chroma, and hue from 0 to 360 degrees; the hue of a grey is 0.
fn polar(a: f64, b: f64) -> (f64, f64) {
    let hue = if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) };
    (a.hypot(b), hue)
}

#[cfg(test)]
mod tests {
    use super::ciede2000;

    /// Table 1 of Sharma, Wu and Dalal (2005): two colours and their difference.
    const PAIRS: [([f32; 3], [f32; 3], f32); 34] = [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 3.1571, -77.2803], [50.0, 0.0, -82.7485], 2.8615),
        ([50.0, 2.8361, -74.0200], [50.0, 0.0, -82.7485], 3.4412),
        ([50.0, -1.3802, -84.2814], [50.0, 0.0, -82.7485], 1.0000),
        ([50.0, -1.1848, -84.8006], [50.0, 0.0, -82.7485], 1.0000),
        ([50.0, -0.9009, -85.5211], [50.0, 0.0, -82.7485], 1.0000),
        ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
        ([50.0, -1.0, 2.0], [50.0, 0.0, 0.0], 2.3669),
        ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0009], 7.1792),
        ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0010], 7.1792),
        ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0011], 7.2195),
        ([50.0, 2.4900, -0.0010], [50.0, -2.4900, 0.0012], 7.2195),
        ([50.0, -0.0010, 2.4900], [50.0, 0.0009, -2.4900], 4.8045),
        ([50.0, -0.0010, 2.4900], [50.0, 0.0010, -2.4900], 4.8045),
        ([50.0, -0.0010, 2.4900], [50.0, 0.0011, -2.4900], 4.7461),
        ([50.0, 2.5, 0.0], [50.0, 0.0, -2.5], 4.3065),
        ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
        ([50.0, 2.5, 0.0], [61.0, -5.0, 29.0], 22.8977),
        ([50.0, 2.5, 0.0], [56.0, -27.0, -3.0], 31.9030),
        ([50.0, 2.5, 0.0], [58.0, 24.0, 15.0], 19.4535),
        ([50.0, 2.5, 0.0], [50.0, 3.1736, 0.5854], 1.0000),
        ([50.0, 2.5, 0.0], [50.0, 3.2972, 0.0], 1.0000),
        ([50.0, 2.5, 0.0], [50.0, 1.8634, 0.5757], 1.0000),
        ([50.0, 2.5, 0.0], [50.0, 3.2592, 0.3350], 1.0000),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
        ([63.0109, -31.0961, -5.8663], [62.8187, -29.7946, -4.0864], 1.2630),
        ([61.2901, 3.7196, -5.3901], [61.4292, 2.2480, -4.9620], 1.8731),
        ([35.0831, -44.1164, 3.7933], [35.0232, -40.0716, 1.5901], 1.8645),
        ([22.7233, 20.0904, -46.6940], [23.0331, 14.9730, -42.5619], 2.0373),
        ([36.4612, 47.8580, 18.3852], [36.2715, 50.5065, 21.2231], 1.4146),
        ([90.8027, -2.0831, 1.4410], [91.1528, -1.6435, 0.0447], 1.4441),
        ([90.9257, -0.5406, -0.9208], [88.6381, -0.8985, -0.7239], 1.5381),
        ([6.7747, -0.2908, -2.4247], [5.8714, -0.0985, -2.2286], 0.6377),
        ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
    ];

    #[test]
    fn the_published_pairs_have_their_published_differences() {
        for (first, second, expected) in PAIRS {
            for got in [ciede2000(first, second), ciede2000(second, first)] {
                assert!((got - expected).abs() < 1e-4, "{first:?}, {second:?}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn a_colour_does_not_differ_from_itself() {
        for (first, second, _) in PAIRS {
            assert_eq!(ciede2000(first, first), 0.0);
            assert_eq!(ciede2000(second, second), 0.0);
        }
    }
}
