//! The one value that goes into a network and comes out of it.

use crate::NeuralError;

/// A dense `f32` array in row-major order (the last dimension is contiguous); pictures are laid out N, C, H, W.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Tensor {
    /// Wraps `data` as an array of `shape`; refuses with [`NeuralError::Shape`] when the number of values differs.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Self, NeuralError> {
        let wanted = shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side));
        if wanted != Some(data.len()) {
            return Err(NeuralError::Shape { what: "tensor", expected: shape, found: vec![data.len()] });
        }
        Ok(Self { shape, data })
    }

    /// Returns the lengths of the dimensions, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the values in row-major order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Gives up the tensor for its values in row-major order.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_must_hold_its_values() {
        assert!(Tensor::new(vec![2, 3], vec![0.0; 6]).is_ok());
        assert!(Tensor::new(vec![2, 3], vec![0.0; 5]).is_err());
        assert!(Tensor::new(vec![usize::MAX, 2], vec![0.0; 2]).is_err());
    }
}
