//! Runs a network on a picture made by code and compares its output with what the manifest expects.
//!
//! The hash says that a file is the pinned one; this says that the runtime computes it rightly on this machine.
//! A runtime that gives wrong values without an error is caught here.

use serde::Serialize;

use crate::backend::{Backend, Precision};
use crate::manifest::GOLDEN_VALUES;
use crate::{Golden, Model, ModelError, NeuralError, Tensor};

/// Cells along each side of the golden grid.
pub(crate) const CELLS: usize = 16;

/// The outcome of a passed self-test.
#[derive(Debug, Clone, Serialize)]
pub struct SelfTest {
    /// Which runtime ran the network, as `name-version+precision`.
    pub backend: String,
    /// Largest difference of a cell's mean alpha, or of a value where the output is no alpha.
    pub difference: f32,
    /// Largest difference allowed.
    pub tolerance: f32,
}

/// Runs the self-test of `model` on `backend`; a model without golden values passes as `None`.
pub(crate) fn check(model: &Model, backend: &dyn Backend) -> Result<Option<SelfTest>, ModelError> {
    let Some(golden) = &model.golden else {
        return Ok(None);
    };
    let info = backend.describe();
    let found = looked_at(model, backend)?;
    let difference = largest_difference(golden, &found);
    let tolerance = match info.precision {
        Precision::F32 => golden.tolerance_f32,
        Precision::Bf16 => golden.tolerance_bf16,
    };
    // Written so that a difference that is no number fails as well.
    if difference <= tolerance {
        Ok(Some(SelfTest { backend: info.to_string(), difference, tolerance }))
    } else {
        Err(ModelError::SelfTest {
            id: model.id.clone(),
            backend: info.kind.name(),
            precision: info.precision.name(),
            difference,
            tolerance,
        })
    }
}

/// Computes what the self-test looks at: the mean alpha of each cell, row by row, or evenly spread values.
pub(crate) fn looked_at(model: &Model, backend: &dyn Backend) -> Result<Vec<f32>, ModelError> {
    let (width, height) = (model.input.width, model.input.height);
    let run = || output(model, backend, &model.input.tensor(&test_picture(width, height))?);
    let values = run().map_err(|source| ModelError::Run { id: model.id.clone(), source })?;
    Ok(match &model.output.shape {
        None => grid(&values, width, height),
        // From the last value backwards, because a network that says how sure it is says it last.
        Some(_) => {
            (0..GOLDEN_VALUES).map(|i| values[values.len() - 1 - i * values.len() / GOLDEN_VALUES]).collect()
        }
    })
}

/// Runs the network; alpha becomes 0 to 1, row-major, `width` by `height`, any other output stays as it is.
pub(crate) fn output(model: &Model, backend: &dyn Backend, input: &Tensor) -> Result<Vec<f32>, NeuralError> {
    let Some(expected) = model.output.shape_for(input.shape(), model.input.shape()) else {
        return Err(NeuralError::Shape {
            what: "input tensor",
            expected: model.input.shape().to_vec(),
            found: input.shape().to_vec(),
        });
    };
    let output = backend.run(input)?;
    if output.shape() != expected {
        return Err(NeuralError::Shape { what: "output tensor", expected, found: output.shape().to_vec() });
    }
    let mut values = output.into_data();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(NeuralError::NotFinite { model: model.id.clone() });
    }
    if model.output.shape.is_none() {
        model.output.scale.apply(&mut values);
    }
    Ok(values)
}

/// Draws a dark red disc with a light spot on a pale grey gradient: interleaved 8-bit RGB, integers only, so that
/// every machine draws the same bytes.
fn test_picture(width: usize, height: usize) -> Vec<u8> {
    let (width, height) = (width as i64, height as i64);
    let inside = |x: i64, y: i64, (cx, cy, r): (i64, i64, i64)| {
        // Coordinates in thousandths of the side.
        let (dx, dy) = (x * 1000 / width - cx, y * 1000 / height - cy);
        dx * dx + dy * dy < r * r
    };
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let shade = (x * 24 / width + y * 32 / height) as u8;
            rgb.extend(if inside(x, y, (430, 440, 70)) {
                [230, 150 - shade, 120]
            } else if inside(x, y, (520, 540, 290)) {
                [150 - shade, 40, 30 + shade]
            } else {
                [242 - shade, 240 - shade, 236 - shade]
            });
        }
    }
    rgb
}

/// Averages alpha over each cell of the grid, row by row.
fn grid(alpha: &[f32], width: usize, height: usize) -> Vec<f32> {
    let edges = |cell: usize, side: usize| cell * side / CELLS..(cell + 1) * side / CELLS;
    let mut means = Vec::with_capacity(CELLS * CELLS);
    for row in 0..CELLS {
        for column in 0..CELLS {
            let (ys, xs) = (edges(row, height), edges(column, width));
            let count = (ys.len() * xs.len()).max(1) as f64;
            let sum: f64 = ys
                .flat_map(|y| &alpha[y * width + xs.start..y * width + xs.end])
                .map(|v| f64::from(*v))
                .sum();
            means.push((sum / count) as f32);
        }
    }
    means
}

fn largest_difference(golden: &Golden, found: &[f32]) -> f32 {
    golden.expected().iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{BackendInfo, BackendKind};
    use crate::{Manifest, OutputScale};

    /// Gives the same plane whatever it is fed.
    struct Plane(Vec<f32>, Precision);

    impl Backend for Plane {
        fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
            let sides = input.shape();
            Tensor::new(vec![1, 1, sides[2], sides[3]], self.0.clone())
        }

        fn describe(&self) -> BackendInfo {
            BackendInfo { kind: BackendKind::Recorded, version: "1".into(), precision: self.1 }
        }
    }

    fn u2netp() -> Model {
        Manifest::embedded().models.into_iter().find(|model| model.id == "u2netp").unwrap()
    }

    /// Spreads the golden cells over the whole output.
    fn golden_plane(model: &Model) -> Vec<f32> {
        let rows = &model.golden.as_ref().unwrap().rows;
        let (width, height) = (model.input.width, model.input.height);
        (0..width * height)
            .map(|i| f32::from(rows[i / width * CELLS / height][i % width * CELLS / width]) / 10_000.0)
            .collect()
    }

    #[test]
    fn the_golden_plane_passes_and_small_errors_are_caught() {
        let mut model = u2netp();
        model.output.scale = OutputScale::None;
        let mut plane = golden_plane(&model);
        assert!(check(&model, &Plane(plane.clone(), Precision::F32)).unwrap().unwrap().difference < 1e-4);
        for value in &mut plane[..320 * 40] {
            *value += 0.005;
        }
        let off = check(&model, &Plane(plane.clone(), Precision::F32)).unwrap_err();
        assert!(matches!(off, ModelError::SelfTest { .. }), "{off}");
        assert!(check(&model, &Plane(plane, Precision::Bf16)).is_ok(), "bfloat16 may be that far off");
    }

    #[test]
    fn values_that_are_no_numbers_are_refused() {
        let model = u2netp();
        let error = check(&model, &Plane(vec![f32::NAN; 320 * 320], Precision::F32)).unwrap_err();
        assert!(error.line().contains("not finite"), "{}", error.line());
    }

    #[test]
    fn the_grid_averages_cells() {
        let alpha: Vec<f32> = (0..32 * 32).map(|i| if i % 32 < 2 { 1.0 } else { 0.0 }).collect();
        let grid = grid(&alpha, 32, 32);
        assert_eq!(grid.len(), 256);
        assert_eq!((grid[0], grid[1], grid[16]), (1.0, 0.0, 1.0));
    }
}
