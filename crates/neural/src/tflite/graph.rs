//! The parts of a TensorFlow Lite file that are read: tensors with their shapes and constants, and the operators.

use super::flat::{Flat, Table};

/// Sides of a tensor may be so long, and a tensor may have so many values: far above what any face network has.
const LONGEST: usize = 1 << 16;
const MOST_VALUES: usize = 1 << 24;

/// The one graph of a file.
pub(super) struct Graph<'a> {
    pub(super) tensors: Vec<Tensor<'a>>,
    pub(super) operators: Vec<Operator<'a>>,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

/// What flows between operators, or is constant.
pub(super) struct Tensor<'a> {
    /// Batch, rows, columns, channels; or fewer.
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    /// The values of a constant, little-endian; empty where they are computed.
    pub(super) data: &'a [u8],
}

/// What values a tensor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    I32,
    Other(u8),
}

/// One step of the computation.
pub(super) struct Operator<'a> {
    /// Its number in TensorFlow Lite's list.
    pub(super) code: i32,
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
    /// Its settings.
    pub(super) options: Option<Table<'a>>,
}

impl<'a> Graph<'a> {
    /// Reads a file of one graph; says what is wrong with any other.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, String> {
        let model = Flat::root(file, b"TFL3")?;
        let codes: Vec<i32> = model.tables(1)?.iter().map(code).collect::<Result<_, _>>()?;
        let buffers: Vec<&[u8]> =
            model.tables(4)?.iter().map(|buffer| buffer.bytes(0)).collect::<Result<_, _>>()?;
        let graphs = model.tables(2)?;
        let [graph] = graphs.as_slice() else {
            return Err(format!("it has {} graphs, not one", graphs.len()));
        };
        let tensors: Vec<Tensor<'a>> =
            graph.tables(0)?.iter().map(|tensor| read_tensor(tensor, &buffers)).collect::<Result<_, _>>()?;
        let indexes = |given: Vec<i32>| -> Result<Vec<usize>, String> {
            let index = |i: i32| usize::try_from(i).ok().filter(|i| *i < tensors.len());
            given.into_iter().map(|i| index(i).ok_or_else(|| format!("it has no tensor {i}"))).collect()
        };
        let (inputs, outputs) = (indexes(graph.ints(1)?)?, indexes(graph.ints(2)?)?);
        let mut operators = Vec::new();
        for operator in graph.tables(3)? {
            let index = usize::try_from(operator.int(0, 0)?).ok();
            let code = index.and_then(|i| codes.get(i)).ok_or("an operator has no code")?;
            let outputs = indexes(operator.ints(2)?)?;
            let [output] = outputs.as_slice() else {
                return Err(format!("an operator has {} results, not one", outputs.len()));
            };
            let (inputs, output) = (indexes(operator.ints(1)?)?, *output);
            operators.push(Operator { code: *code, inputs, output, options: operator.table(4)? });
        }
        Ok(Self { tensors, operators, inputs, outputs })
    }
}

/// The number of an operator: newer files have it in a field of 32 bits, older ones in one byte.
fn code(table: &Table<'_>) -> Result<i32, String> {
    Ok(i32::from(table.byte(0)?).max(table.int(3, 0)?))
}

fn read_tensor<'a>(table: &Table<'a>, buffers: &[&'a [u8]]) -> Result<Tensor<'a>, String> {
    if table.has(6)? {
        return Err("a tensor is sparse".to_owned());
    }
    let side = |side: i32| usize::try_from(side).ok().filter(|side| (1..=LONGEST).contains(side));
    let shape: Vec<usize> = table
        .ints(0)?
        .into_iter()
        .map(|given| side(given).ok_or_else(|| format!("a side of {given} is not understood")))
        .collect::<Result<_, _>>()?;
    let count = shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side));
    let count = count.filter(|count| *count <= MOST_VALUES).ok_or("a tensor is too large")?;
    let kind = match table.byte(1)? {
        0 => Kind::F32,
        1 => Kind::F16,
        2 => Kind::I32,
        other => Kind::Other(other),
    };
    let index = usize::try_from(table.int(2, 0)?).ok();
    let data = *index.and_then(|i| buffers.get(i)).ok_or("a tensor has no buffer")?;
    let size = match kind {
        Kind::F32 | Kind::I32 => 4,
        Kind::F16 => 2,
        Kind::Other(_) => 1,
    };
    if !data.is_empty() && data.len() != count * size {
        return Err(format!("a constant of {count} values has {} bytes", data.len()));
    }
    Ok(Tensor { shape, kind, data })
}

impl Tensor<'_> {
    /// The values of a constant of half or single precision.
    pub(super) fn floats(&self) -> Result<Vec<f32>, String> {
        match self.kind {
            _ if self.data.is_empty() => Err("a value that should be constant is not".to_owned()),
            Kind::F32 => Ok(self.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Kind::F16 => {
                Ok(self.data.as_chunks::<2>().0.iter().map(|b| widen(u16::from_le_bytes(*b))).collect())
            }
            kind => Err(format!("a constant is {kind:?}, not a float")),
        }
    }

    /// The values of a constant of whole numbers.
    pub(super) fn ints(&self) -> Result<Vec<i32>, String> {
        match self.kind {
            Kind::I32 if !self.data.is_empty() => {
                Ok(self.data.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect())
            }
            kind => Err(format!("a constant is {kind:?}, not a whole number")),
        }
    }
}

/// IEEE 754 half precision as single precision, exactly.
pub(super) fn widen(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let (exponent, fraction) = (u32::from(half >> 10 & 0x1f), u32::from(half & 0x3ff));
    match exponent {
        // 2⁻²⁴ for each step of the smallest numbers.
        0 => f32::from_bits(sign | (fraction as f32 * (1.0 / 16_777_216.0)).to_bits()),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}
