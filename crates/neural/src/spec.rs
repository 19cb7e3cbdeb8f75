//! What a model wants to be fed and what it gives back.

use serde::{Deserialize, Serialize};

use crate::{NeuralError, Tensor};

/// The tensor a model takes: f32 [1, 3, height, width], red, green, blue, made from 8-bit sRGB values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Name of the graph's input.
    pub name: String,
    /// Width the picture must be resized to, in pixels.
    pub width: usize,
    /// Height the picture must be resized to, in pixels.
    pub height: usize,
    /// How 8-bit values become network values.
    pub normalise: Normalise,
}

/// How an 8-bit value `v` becomes a network value; `mean` and `deviation` are per channel, red first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalise {
    /// `(v - mean) / deviation` with `v` from 0 to 255.
    Constant {
        /// Subtracted from each value.
        mean: [f32; 3],
        /// Divides what is left.
        deviation: [f32; 3],
    },
    /// `(v / largest - mean) / deviation`, where `largest` is the largest value in the picture.
    Largest {
        /// Subtracted from each value.
        mean: [f32; 3],
        /// Divides what is left.
        deviation: [f32; 3],
    },
}

/// The tensor a model gives: f32 [1, 1, height, width] of alpha, of the input's size; or anything else of one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Name of the graph's output.
    pub name: String,
    /// How the values become alpha.
    #[serde(default)]
    pub scale: OutputScale,
    /// The shape of an output that is no alpha; its values stay as the network gives them.
    #[serde(default)]
    pub shape: Option<Vec<usize>>,
    /// How many times larger than its input a picture is that comes out. Then the input may have any size, and `shape`
    /// and the input's size are those of the self-test.
    #[serde(default)]
    pub times: Option<usize>,
}

/// How a network's values become alpha from 0 (background) to 1 (product).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputScale {
    /// They are alpha already; what rounding puts outside 0..1 is clamped.
    #[default]
    None,
    /// The smallest value becomes 0, the largest 1.
    MinMax,
}

impl InputSpec {
    /// Makes the input tensor from `rgb`: interleaved 8-bit sRGB, without alpha, exactly `width` by `height` pixels.
    pub fn tensor(&self, rgb: &[u8]) -> Result<Tensor, NeuralError> {
        let plane = self.width * self.height;
        if rgb.len() != plane * 3 {
            return Err(NeuralError::Shape {
                what: "input picture",
                expected: vec![self.height, self.width, 3],
                found: vec![rgb.len()],
            });
        }
        let (mean, deviation, divisor) = match &self.normalise {
            Normalise::Constant { mean, deviation } => (mean, deviation, 1.0),
            Normalise::Largest { mean, deviation } => {
                (mean, deviation, f32::from(rgb.iter().copied().max().unwrap_or(0).max(1)))
            }
        };
        let mut data = Vec::with_capacity(plane * 3);
        for channel in 0..3 {
            let table: Vec<f32> =
                (0..=255u8).map(|v| (f32::from(v) / divisor - mean[channel]) / deviation[channel]).collect();
            data.extend(rgb.chunks_exact(3).map(|pixel| table[usize::from(pixel[channel])]));
        }
        Tensor::new(self.shape().to_vec(), data)
    }

    /// Makes an input tensor of any size, for networks that take one, from `levels`: f32 planes red, green, blue, each
    /// row by row, sRGB from 0 to 255. Refuses a wrong number of values and a rule that needs the whole picture.
    pub fn planes(&self, width: usize, height: usize, mut levels: Vec<f32>) -> Result<Tensor, NeuralError> {
        let shape = vec![1, 3, height, width];
        let Normalise::Constant { mean, deviation } = &self.normalise else {
            let found = vec![levels.len()];
            return Err(NeuralError::Shape { what: "input picture", expected: self.shape().to_vec(), found });
        };
        let plane = (width * height).max(1);
        for (channel, values) in levels.chunks_mut(plane).enumerate().take(3) {
            values.iter_mut().for_each(|value| *value = (*value - mean[channel]) / deviation[channel]);
        }
        Tensor::new(shape, levels)
    }

    /// Returns the shape of the input tensor: 1, 3, height, width.
    pub fn shape(&self) -> [usize; 4] {
        [1, 3, self.height, self.width]
    }
}

impl OutputSpec {
    /// Returns the shape of the output for an input of that shape, or `None` where the network does not take it;
    /// `fixed` is the shape it takes.
    pub(crate) fn shape_for(&self, input: &[usize], fixed: [usize; 4]) -> Option<Vec<usize>> {
        if let (Some(times), [1, 3, height, width]) = (self.times, input) {
            let takes =
                (1..=usize::from(u16::MAX)).contains(height) && (1..=usize::from(u16::MAX)).contains(width);
            return takes.then(|| vec![1, 3, height * times, width * times]);
        }
        (input == fixed).then(|| self.shape.clone().unwrap_or_else(|| vec![1, 1, fixed[2], fixed[3]]))
    }
}

impl OutputScale {
    /// Turns raw network values into alpha from 0 to 1, in place.
    pub(crate) fn apply(self, values: &mut [f32]) {
        let (low, factor) = match self {
            Self::None => (0.0, 1.0),
            Self::MinMax => {
                let low = values.iter().copied().fold(f32::INFINITY, f32::min);
                let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                // A flat output has no subject to stretch.
                if high - low > 1e-6 { (low, 1.0 / (high - low)) } else { (0.0, 1.0) }
            }
        };
        for value in values {
            *value = ((*value - low) * factor).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(normalise: Normalise) -> InputSpec {
        InputSpec { name: "input".into(), width: 2, height: 1, normalise }
    }

    #[test]
    fn constants_are_taken_from_0_to_255_values() {
        let spec = spec(Normalise::Constant { mean: [128.0; 3], deviation: [256.0; 3] });
        let tensor = spec.tensor(&[0, 128, 255, 64, 192, 32]).unwrap();
        assert_eq!(tensor.shape(), [1, 3, 1, 2]);
        assert_eq!(tensor.data(), [-0.5, -0.25, 0.0, 0.25, 127.0 / 256.0, -0.375]);
    }

    #[test]
    fn the_largest_value_of_all_channels_divides() {
        let spec = spec(Normalise::Largest { mean: [0.5, 0.0, 0.0], deviation: [0.5, 1.0, 1.0] });
        let tensor = spec.tensor(&[0, 100, 200, 200, 50, 0]).unwrap();
        assert_eq!(tensor.data(), [-1.0, 1.0, 0.5, 0.25, 1.0, 0.0]);
        assert!(spec.tensor(&[0; 6]).unwrap().data().iter().all(|v| v.is_finite()));
    }

    #[test]
    fn networks_of_any_size_take_any_size() {
        let spec = spec(Normalise::Constant { mean: [0.0; 3], deviation: [255.0; 3] });
        let tensor = spec.planes(1, 2, vec![255.0, 0.0, 51.0, 51.0, 0.0, 255.0]).unwrap();
        assert_eq!((tensor.shape(), tensor.data()), (&[1, 3, 2, 1][..], &[1.0, 0.0, 0.2, 0.2, 0.0, 1.0][..]));
        assert!(spec.planes(2, 2, vec![0.0; 6]).is_err());
        let shape = Some(vec![1, 3, 4, 8]);
        let mut output =
            OutputSpec { name: "out".into(), scale: OutputScale::None, shape: shape.clone(), times: Some(4) };
        assert_eq!(output.shape_for(&[1, 3, 5, 7], spec.shape()), Some(vec![1, 3, 20, 28]));
        assert_eq!(output.shape_for(&[1, 3, 0, 7], spec.shape()), None);
        output.times = None;
        assert_eq!(output.shape_for(&[1, 3, 5, 7], spec.shape()), None);
        assert_eq!(output.shape_for(&spec.shape(), spec.shape()), shape);
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        let spec = spec(Normalise::Constant { mean: [0.0; 3], deviation: [1.0; 3] });
        assert!(matches!(spec.tensor(&[0; 9]), Err(NeuralError::Shape { .. })));
    }

    #[test]
    fn min_max_stretches_and_leaves_a_flat_output_alone() {
        let mut values = [0.2, 0.4, 0.6];
        OutputScale::MinMax.apply(&mut values);
        assert_eq!(values[0], 0.0);
        assert!((values[1] - 0.5).abs() < 1e-6 && (values[2] - 1.0).abs() < 1e-6);
        let mut flat = [0.25; 3];
        OutputScale::MinMax.apply(&mut flat);
        assert_eq!(flat, [0.25; 3]);
        let mut outside = [-0.1, 1.1];
        OutputScale::None.apply(&mut outside);
        assert_eq!(outside, [0.0, 1.0]);
    }
}
