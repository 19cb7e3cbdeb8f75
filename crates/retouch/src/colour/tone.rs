//! Tone: what happens to each channel by itself, on sRGB values, as levels and curves are drawn.

use pixels::{linear_to_srgb, srgb_to_linear};

use super::curve::Curve;
use super::lanes::{Colours, Table};

/// sRGB value of 18 % grey, around which contrast turns.
const MIDDLE_GREY: f64 = 0.461_356;

/// Levels, brightness, contrast and curves, in this order. Values are sRGB, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Tone {
    /// What becomes black.
    pub black: f64,
    /// What becomes white; more than `black`.
    pub white: f64,
    /// Exponent 1/gamma between them: above 1 is brighter.
    pub gamma: f64,
    /// Brightens or darkens the middle, black and white stay: -1 to 1.
    pub brightness: f64,
    /// Steepness around 18 % grey, black and white stay: -1 to 1.
    pub contrast: f64,
    /// A curve for all channels.
    pub curve: Option<Curve>,
    /// Curves for red, green and blue, after the common one.
    pub channels: [Option<Curve>; 3],
}

impl Default for Tone {
    fn default() -> Self {
        Self {
            black: 0.0,
            white: 1.0,
            gamma: 1.0,
            brightness: 0.0,
            contrast: 0.0,
            curve: None,
            channels: [None, None, None],
        }
    }
}

impl Tone {
    /// Whether it changes nothing.
    pub fn is_neutral(&self) -> bool {
        *self == Self::default()
    }

    /// What becomes of an sRGB value of a channel (0 red, 1 green, 2 blue).
    pub fn at(&self, value: f64, channel: usize) -> f64 {
        let level = ((value - self.black) / (self.white - self.black)).clamp(0.0, 1.0).powf(1.0 / self.gamma);
        let bright = bent(level, 2.0f64.powf(-self.brightness));
        let steep = 2.5f64.powf(self.contrast);
        let contrasted = if bright < MIDDLE_GREY {
            MIDDLE_GREY * bent(bright / MIDDLE_GREY, steep)
        } else {
            MIDDLE_GREY
                + (1.0 - MIDDLE_GREY) * bent((bright - MIDDLE_GREY) / (1.0 - MIDDLE_GREY), 1.0 / steep)
        };
        let curved = self.curve.as_ref().map_or(contrasted, |curve| curve.at(contrasted));
        let own = self.channels[channel].as_ref().map_or(curved, |curve| curve.at(curved));
        own.clamp(0.0, 1.0)
    }

    /// Tables from linear light to linear light, or to sRGB where nothing follows.
    pub(crate) fn tables(&self, to_srgb: bool) -> Tables {
        let table = |channel: usize| {
            Table::new(|light| {
                let value = self.at(linear_to_srgb(light), channel);
                if to_srgb { value } else { srgb_to_linear(value) }
            })
        };
        let alike = self.channels.iter().all(Option::is_none);
        Tables(if alike { vec![table(0)] } else { vec![table(0), table(1), table(2)] })
    }
}

/// A hyperbola from (0, 0) to (1, 1) with slope `1 / end` at its start and `end` at its end (Schlick 1994): bent as one
/// likes, never flat, its own inverse with `1 / end`.
fn bent(t: f64, end: f64) -> f64 {
    t / (end + (1.0 - end) * t)
}

/// The tables of a [`Tone`]: one for all channels, or one for each.
pub(crate) struct Tables(Vec<Table>);

impl Tables {
    /// Applies them to linear light.
    pub fn apply(&self, colours: &mut Colours) {
        for (channel, plane) in colours.iter_mut().enumerate() {
            self.0[channel.min(self.0.len() - 1)].apply(plane);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::lanes::LANES;

    fn steps(tone: &Tone) -> Vec<f64> {
        (0..=1000).map(|i| tone.at(f64::from(i) / 1000.0, 0)).collect()
    }

    #[test]
    fn neutral_is_the_identity() {
        for (i, value) in steps(&Tone::default()).iter().enumerate() {
            assert!((value - i as f64 / 1000.0).abs() < 1e-12);
        }
    }

    #[test]
    fn contrast_and_brightness_keep_black_and_white_and_order() {
        for strength in [-1.0, -0.4, 0.3, 1.0] {
            for tone in [
                Tone { contrast: strength, ..Tone::default() },
                Tone { brightness: strength, ..Tone::default() },
            ] {
                let steps = steps(&tone);
                assert!(steps[0].abs() < 1e-12 && (steps[1000] - 1.0).abs() < 1e-12);
                assert!(steps.windows(2).all(|s| s[1] > s[0]), "no two levels become one");
            }
        }
        let steep = Tone { contrast: 1.0, ..Tone::default() };
        assert!((steep.at(MIDDLE_GREY, 0) - MIDDLE_GREY).abs() < 1e-9, "the middle stays");
        assert!(steep.at(0.3, 0) < 0.3 && steep.at(0.7, 0) > 0.7);
        let flat = Tone { contrast: -1.0, ..Tone::default() };
        assert!((flat.at(steep.at(0.7, 0), 0) - 0.7).abs() < 1e-9, "one undoes the other");
    }

    #[test]
    fn levels_do_what_they_say() {
        let tone = Tone { black: 0.1, white: 0.9, gamma: 2.0, ..Tone::default() };
        assert_eq!((tone.at(0.1, 0), tone.at(0.9, 0), tone.at(0.05, 0)), (0.0, 1.0, 0.0));
        assert!((tone.at(0.5, 0) - 0.5f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn tables_are_within_half_a_level_of_eight_bits() {
        let curve = Curve::through(&[[0.0, 0.0], [0.2, 0.08], [0.7, 0.9], [1.0, 1.0]]);
        let tones = [
            Tone { black: 0.12, white: 0.85, gamma: 1.8, contrast: 0.6, ..Tone::default() },
            Tone { gamma: 0.4, brightness: 1.0, contrast: -1.0, ..Tone::default() },
            Tone { curve: curve.clone(), channels: [None, curve, None], ..Tone::default() },
        ];
        for tone in tones {
            let tables = tone.tables(true);
            for start in 0..64 {
                let value = |i: usize| (start * LANES + i) as f64 / (64 * LANES) as f64;
                let mut colours = [[0.0; LANES]; 3];
                for plane in &mut colours {
                    (0..LANES).for_each(|i| plane[i] = srgb_to_linear(value(i)) as f32);
                }
                tables.apply(&mut colours);
                for (channel, plane) in colours.iter().enumerate() {
                    for (i, got) in plane.iter().enumerate() {
                        let off = (f64::from(*got) - tone.at(value(i), channel)).abs() * 255.0;
                        assert!(off < 0.5, "{tone:?} at {}: {off} levels", value(i));
                    }
                }
            }
        }
    }
}
