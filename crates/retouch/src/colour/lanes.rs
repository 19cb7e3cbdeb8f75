//! A short run of pixels as planes, and the arithmetic that all colour work shares. Every loop here vectorises.

use std::sync::LazyLock;

use pixels::{LMS_TO_RGB, OKLAB_TO_ROOTS, RGB_TO_LMS, ROOTS_TO_OKLAB, linear_to_srgb, srgb_to_linear};

use super::light::Matrix;

/// Pixels worked on at once: three planes of them stay in the nearest cache.
pub(crate) const LANES: usize = 128;

/// One value for each pixel of the run.
pub(crate) type Plane = [f32; LANES];

/// Three coordinates for each pixel of the run: linear sRGB, sRGB or OKLab, as the function that takes them says.
pub(crate) type Colours = [Plane; 3];

/// Multiplies every colour by a matrix.
pub(crate) fn transform(colours: &mut Colours, m: &Matrix) {
    let [x, y, z] = colours;
    for ((x, y), z) in x.iter_mut().zip(y).zip(z) {
        let v = [*x, *y, *z];
        *x = m[0][0] * v[0] + m[0][1] * v[1] + m[0][2] * v[2];
        *y = m[1][0] * v[0] + m[1][1] * v[1] + m[1][2] * v[2];
        *z = m[2][0] * v[0] + m[2][1] * v[1] + m[2][2] * v[2];
    }
}

/// Brings every coordinate into 0..=1; what is no number becomes 0.
pub(crate) fn clamp(colours: &mut Colours) {
    for value in colours.iter_mut().flatten() {
        *value = if *value > 0.0 { *value } else { 0.0 };
        *value = if *value < 1.0 { *value } else { 1.0 };
    }
}

/// Linear sRGB to OKLab.
pub(crate) fn to_oklab(colours: &mut Colours) {
    transform(colours, &RGB_TO_LMS);
    for value in colours.iter_mut().flatten() {
        *value = cube_root(*value);
    }
    transform(colours, &ROOTS_TO_OKLAB);
}

/// OKLab to linear sRGB, which may lie outside 0..=1.
pub(crate) fn from_oklab(colours: &mut Colours) {
    transform(colours, &OKLAB_TO_ROOTS);
    for value in colours.iter_mut().flatten() {
        *value = *value * *value * *value;
    }
    transform(colours, &LMS_TO_RGB);
}

/// Cube root of what is not negative (0 for what is), by two of Halley's steps: exact to the last bits of a float.
#[inline(always)]
pub(crate) fn cube_root(x: f32) -> f32 {
    let x = if x > 0.0 { x } else { 0.0 };
    // A third of the bits is about a third of the logarithm; shifts and sums vectorise where a division would not.
    let bits = x.to_bits();
    let third = (bits >> 2) + (bits >> 4) + (bits >> 6) + (bits >> 8);
    let mut y = f32::from_bits(third + 711_352_906);
    for _ in 0..2 {
        let cube = y * y * y;
        y *= (cube + 2.0 * x) / (2.0 * cube + x);
    }
    y
}

/// Brings OKLab colours into sRGB along their own lightness and hue: the chroma is multiplied by the largest factor up
/// to 1 with which the colour exists. Answers linear sRGB.
pub(crate) fn fit_gamut(colours: &mut Colours) {
    let mut rgb = *colours;
    from_oklab(&mut rgb);
    if !is_outside(&rgb) {
        *colours = rgb;
        return;
    }
    // Along a fixed lightness and hue each channel is a cubic of the factor.
    let cubics = cubics(colours);
    let mut low = [0.0; LANES];
    let mut high = [1.0; LANES];
    // What fits as it is keeps its chroma to the last bit.
    for i in 0..LANES {
        low[i] = if fits(rgb[0][i], rgb[1][i], rgb[2][i]) { 1.0 } else { 0.0 };
    }
    for _ in 0..13 {
        for i in 0..LANES {
            let t = 0.5 * (low[i] + high[i]);
            let [r, g, b] = cubics.each_ref().map(|[p, q, c, d]| ((d[i] * t + c[i]) * t + q[i]) * t + p[i]);
            let inside = fits(r, g, b);
            low[i] = if inside { t } else { low[i] };
            high[i] = if inside { high[i] } else { t };
        }
    }
    for i in 0..LANES {
        colours[1][i] *= low[i];
        colours[2][i] *= low[i];
    }
    from_oklab(colours);
}

/// For each channel of linear sRGB, the coefficients of its cubic in the factor of the chroma, lowest power first.
fn cubics(lab: &Colours) -> [[Plane; 4]; 3] {
    let mut cubics = [[[0.0; LANES]; 4]; 3];
    for i in 0..LANES {
        let l = lab[0][i];
        let parts: [f32; 3] =
            std::array::from_fn(|k| OKLAB_TO_ROOTS[k][1] * lab[1][i] + OKLAB_TO_ROOTS[k][2] * lab[2][i]);
        for (channel, row) in cubics.iter_mut().zip(&LMS_TO_RGB) {
            let [first, second, third] = [0, 1, 2].map(|k| row[k] * parts[k]);
            channel[0][i] = l * l * l;
            channel[1][i] = 3.0 * l * l * (first + second + third);
            let squares = first * parts[0] + second * parts[1] + third * parts[2];
            channel[2][i] = 3.0 * l * squares;
            channel[3][i] =
                first * parts[0] * parts[0] + second * parts[1] * parts[1] + third * parts[2] * parts[2];
        }
    }
    cubics
}

/// What lies outside by less does not show at 16 bits.
const SLACK: f32 = 2e-5;

#[inline(always)]
fn fits(r: f32, g: f32, b: f32) -> bool {
    let least = if r < g { r } else { g };
    let most = if r > g { r } else { g };
    let least = if b < least { b } else { least };
    let most = if b > most { b } else { most };
    (least >= -SLACK) & (most <= 1.0 + SLACK)
}

fn is_outside(rgb: &Colours) -> bool {
    let mut all = true;
    let [red, green, blue] = rgb;
    for ((&red, &green), &blue) in red.iter().zip(green).zip(blue) {
        all &= fits(red, green, blue);
    }
    !all
}

/// A function of linear light 0..=1 as a table over its square root, read with interpolation: fine where eyes are.
pub(crate) struct Table {
    values: Vec<f32>,
}

impl Table {
    /// Steps of the table.
    const STEPS: usize = 8192;

    /// Tabulates a function of linear light.
    pub fn new(function: impl Fn(f64) -> f64) -> Self {
        let at = |step: usize| {
            let root = step as f64 / Self::STEPS as f64;
            function(root * root) as f32
        };
        let mut values: Vec<f32> = (0..=Self::STEPS).map(at).collect();
        // Read, with weight 0, for full light.
        values.push(values[Self::STEPS]);
        Self { values }
    }

    /// The function of every value; what lies outside 0..=1 is taken as the end that is nearer.
    pub fn apply(&self, plane: &mut Plane) {
        let values = &self.values[..Self::STEPS + 2];
        for value in plane.iter_mut() {
            *value = if *value > 0.0 { *value } else { 0.0 };
            *value = if *value < 1.0 { *value } else { 1.0 };
            *value = value.sqrt() * Self::STEPS as f32;
        }
        for value in plane {
            let index = (*value as usize).min(Self::STEPS);
            let low = values[index];
            *value = low + (values[index + 1] - low) * (*value - index as f32);
        }
    }
}

/// Linear light to sRGB.
pub(crate) fn encoding() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(linear_to_srgb));
    &TABLE
}

/// A sample of either depth.
pub(crate) trait Sample: Copy + PartialEq {
    /// The value that is fully on.
    const FULL: f32;
    /// The sample as a number.
    fn number(self) -> f32;
    /// Linear light of every sample there is.
    fn linear() -> &'static [f32];
    /// Its place in that table.
    fn index(self) -> usize;
    /// The value at 16 bits.
    fn deep(self) -> u16;
}

impl Sample for u8 {
    const FULL: f32 = 255.0;
    #[inline(always)]
    fn number(self) -> f32 {
        f32::from(self)
    }
    fn linear() -> &'static [f32] {
        static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| decoding(255));
        &TABLE
    }
    #[inline(always)]
    fn index(self) -> usize {
        usize::from(self)
    }
    #[inline(always)]
    fn deep(self) -> u16 {
        pixels::to_u16(self)
    }
}

impl Sample for u16 {
    const FULL: f32 = 65_535.0;
    #[inline(always)]
    fn number(self) -> f32 {
        f32::from(self)
    }
    fn linear() -> &'static [f32] {
        static TABLE: LazyLock<Vec<f32>> = LazyLock::new(|| decoding(65_535));
        &TABLE
    }
    #[inline(always)]
    fn index(self) -> usize {
        usize::from(self)
    }
    #[inline(always)]
    fn deep(self) -> u16 {
        self
    }
}

fn decoding(full: u32) -> Vec<f32> {
    (0..=full).map(|sample| srgb_to_linear(f64::from(sample) / f64::from(full)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cube_root_is_exact_to_the_last_bits() {
        for i in 1..200_000 {
            let x = (i as f32 / 100_000.0).powi(4);
            let (got, expected) = (cube_root(x), x.cbrt());
            assert!((got - expected).abs() <= 4e-7 * expected, "{x}: {got}, not {expected}");
        }
        assert!(cube_root(0.0) < 1e-12 && cube_root(-1.0) < 1e-12);
    }

    #[test]
    fn the_table_is_exact_to_a_sixteen_bit_level() {
        let mut plane = [0.0; LANES];
        for start in 0..512 {
            let light = |i: usize| ((start * LANES + i) as f64 / 65_535.0).powi(2);
            (0..LANES).for_each(|i| plane[i] = light(i) as f32);
            encoding().apply(&mut plane);
            for (i, value) in plane.iter().enumerate() {
                assert!((f64::from(*value) - linear_to_srgb(light(i))).abs() < 0.5 / 65_535.0);
            }
        }
        let mut plane = [f32::NAN; LANES];
        (plane[0], plane[1]) = (-3.0, 7.0);
        encoding().apply(&mut plane);
        assert_eq!((plane[0], plane[1], plane[2]), (0.0, 1.0, 0.0));
    }

    #[test]
    fn what_has_no_place_in_srgb_keeps_lightness_and_hue() {
        let mut colours: Colours = [[0.0; LANES]; 3];
        for i in 0..LANES {
            let hue = i as f32 / LANES as f32 * std::f32::consts::TAU;
            colours[0][i] = 0.2 + 0.6 * (i % 7) as f32 / 6.0;
            (colours[1][i], colours[2][i]) = (0.5 * hue.cos(), 0.5 * hue.sin());
        }
        let wanted = colours;
        fit_gamut(&mut colours);
        assert!(colours.iter().flatten().all(|v| (-1e-3..=1.001).contains(v)));
        to_oklab(&mut colours);
        for i in 0..LANES {
            assert!((colours[0][i] - wanted[0][i]).abs() < 1e-3);
            let cross = colours[1][i] * wanted[2][i] - colours[2][i] * wanted[1][i];
            assert!(cross.abs() < 1e-3, "{i}: {cross}");
            assert!(colours[1][i].hypot(colours[2][i]) > 0.02);
        }
    }
}
