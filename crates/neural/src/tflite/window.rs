//! Windows that move over a picture: of convolutions and of pools.

use super::flat::Table;
use crate::onnx_writer::Attribute;

/// A window that moves over a picture.
pub(super) struct Window {
    same: bool,
    kernel: (usize, usize),
    strides: (usize, usize),
}

/// Padding before and after rows, then columns.
type Pads = [(usize, usize); 2];

impl Window {
    /// Reads the padding from field 0 and the strides across and down from `fields`.
    pub(super) fn of(
        options: Table<'_>,
        kernel: (usize, usize),
        fields: (usize, usize),
    ) -> Result<Self, String> {
        let stride = |number| usize::try_from(options.int(number, 0)?).map_err(|error| error.to_string());
        let strides = (stride(fields.1)?, stride(fields.0)?);
        let good = |side: usize| (1..=64).contains(&side);
        if ![strides.0, strides.1, kernel.0, kernel.1].into_iter().all(good) {
            return Err("its window or its strides are not understood".to_owned());
        }
        match options.byte(0)? {
            padding @ (0 | 1) => Ok(Self { same: padding == 0, kernel, strides }),
            other => Err(format!("padding {other} is not understood")),
        }
    }

    /// Padding before and after rows and columns, and the size of the result, over a picture of that size.
    pub(super) fn over(&self, size: (usize, usize)) -> Result<(Pads, (usize, usize)), String> {
        let axis = |side: usize, kernel: usize, stride: usize| {
            if self.same {
                let count = side.div_ceil(stride);
                let missing = ((count - 1) * stride + kernel).saturating_sub(side);
                // Where it is odd, one more comes after.
                Ok(((missing / 2, missing - missing / 2), count))
            } else {
                let rest = side.checked_sub(kernel).ok_or("its window is larger than the picture")?;
                Ok::<_, String>(((0, 0), rest / stride + 1))
            }
        };
        let (rows, height) = axis(size.0, self.kernel.0, self.strides.0)?;
        let (columns, width) = axis(size.1, self.kernel.1, self.strides.1)?;
        Ok(([rows, columns], (height, width)))
    }

    /// The attributes that ONNX has for it.
    pub(super) fn attributes(&self, [rows, columns]: Pads) -> Vec<(&'static str, Attribute)> {
        let ints = |values: &[usize]| Attribute::Ints(values.iter().map(|value| *value as i64).collect());
        vec![
            ("kernel_shape", ints(&[self.kernel.0, self.kernel.1])),
            ("strides", ints(&[self.strides.0, self.strides.1])),
            ("pads", ints(&[rows.0, columns.0, rows.1, columns.1])),
        ]
    }
}
