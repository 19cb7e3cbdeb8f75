use proptest::prelude::*;

use super::graph::widen;
use super::*;
use crate::Manifest;
use crate::backend::Backend;
use crate::backend::rten::Rten;

/// A field of a table.
enum Field {
    Byte(u8),
    Int(i32),
    Ints(Vec<i32>),
    Bytes(Vec<u8>),
    Table(Fields),
    Tables(Vec<Fields>),
}

type Fields = Vec<(usize, Field)>;

/// Writes a table behind all there is, and what it leads to behind it; says where it begins.
fn table(out: &mut Vec<u8>, fields: &[(usize, Field)]) -> usize {
    let slots = fields.iter().map(|(number, _)| number + 1).max().unwrap_or(0);
    let start = out.len();
    out.extend((4 + 2 * slots as u16).to_le_bytes());
    out.extend((4 + 4 * fields.len() as u16).to_le_bytes());
    for slot in 0..slots {
        let index = fields.iter().position(|(number, _)| *number == slot);
        out.extend(index.map_or(0, |index| 4 + 4 * index as u16).to_le_bytes());
    }
    let at = out.len();
    out.extend(((at - start) as i32).to_le_bytes());
    for (_, field) in fields {
        match field {
            Field::Byte(value) => out.extend([*value, 0, 0, 0]),
            Field::Int(value) => out.extend(value.to_le_bytes()),
            _ => out.extend([0; 4]),
        }
    }
    let lead = |out: &mut Vec<u8>, from: usize| {
        let offset = (out.len() - from) as u32;
        out[from..from + 4].copy_from_slice(&offset.to_le_bytes());
    };
    for (index, (_, field)) in fields.iter().enumerate() {
        let from = at + 4 + 4 * index;
        match field {
            Field::Byte(_) | Field::Int(_) => {}
            Field::Ints(values) => {
                lead(out, from);
                out.extend((values.len() as u32).to_le_bytes());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Field::Bytes(bytes) => {
                lead(out, from);
                out.extend((bytes.len() as u32).to_le_bytes());
                out.extend(bytes);
            }
            Field::Table(fields) => {
                let to = table(out, fields);
                out[from..from + 4].copy_from_slice(&((to - from) as u32).to_le_bytes());
            }
            Field::Tables(tables) => {
                lead(out, from);
                out.extend((tables.len() as u32).to_le_bytes());
                let list = out.len();
                out.extend(vec![0; 4 * tables.len()]);
                for (index, fields) in tables.iter().enumerate() {
                    let from = list + 4 * index;
                    let to = table(out, fields);
                    out[from..from + 4].copy_from_slice(&((to - from) as u32).to_le_bytes());
                }
            }
        }
    }
    at
}

/// A network as it is built: tensors, constants and operators.
#[derive(Default)]
struct Network {
    tensors: Vec<Fields>,
    buffers: Vec<Fields>,
    codes: Vec<Fields>,
    operators: Vec<Fields>,
}

impl Network {
    fn tensor(&mut self, shape: &[i32], kind: u8, data: Option<Vec<u8>>) -> i32 {
        if self.buffers.is_empty() {
            self.buffers.push(vec![]);
        }
        let buffer = data.map_or(0, |data| {
            self.buffers.push(vec![(0, Field::Bytes(data))]);
            self.buffers.len() as i32 - 1
        });
        let fields = vec![(0, Field::Ints(shape.to_vec())), (1, Field::Byte(kind)), (2, Field::Int(buffer))];
        self.tensors.push(fields);
        self.tensors.len() as i32 - 1
    }

    fn floats(&mut self, shape: &[i32], values: &[f32]) -> i32 {
        self.tensor(shape, 0, Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()))
    }

    fn operator(&mut self, code: i32, inputs: &[i32], shape: &[i32], options: Fields) -> i32 {
        let output = self.tensor(shape, 0, None);
        self.codes.push(vec![(0, Field::Byte(code as u8)), (3, Field::Int(code))]);
        self.operators.push(vec![
            (0, Field::Int(self.codes.len() as i32 - 1)),
            (1, Field::Ints(inputs.to_vec())),
            (2, Field::Ints(vec![output])),
            (4, Field::Table(options)),
        ]);
        output
    }

    fn file(self, input: i32, outputs: &[i32]) -> Vec<u8> {
        let graph = vec![
            (0, Field::Tables(self.tensors)),
            (1, Field::Ints(vec![input])),
            (2, Field::Ints(outputs.to_vec())),
            (3, Field::Tables(self.operators)),
        ];
        let fields = vec![
            (0, Field::Int(3)),
            (1, Field::Tables(self.codes)),
            (2, Field::Tables(vec![graph])),
            (4, Field::Tables(self.buffers)),
        ];
        let mut out = vec![0; 4];
        out.extend(b"TFL3");
        let at = table(&mut out, &fields);
        out[..4].copy_from_slice(&(at as u32).to_le_bytes());
        out
    }
}

fn model() -> Model {
    let mut model = Manifest::embedded().models.into_iter().find(|model| model.id == "blazeface").unwrap();
    (model.input.width, model.input.height) = (4, 4);
    model
}

/// A convolution over two steps with half-precision weights, halved where negative; beside it the largest of each two by
/// two pixels with an empty channel behind; both added, as a list of pixels, and all values once more.
fn published(kernel: &[u16]) -> Vec<u8> {
    let mut net = Network::default();
    let strides = |more: Fields| {
        let mut fields = vec![(1, Field::Int(2)), (2, Field::Int(2))];
        fields.extend(more);
        fields
    };
    let input = net.tensor(&[1, 4, 4, 3], 0, None);
    let half = net.tensor(&[4, 3, 3, 3], 1, Some(kernel.iter().flat_map(|v| v.to_le_bytes()).collect()));
    let kernel = net.operator(DEQUANTIZE, &[half], &[4, 3, 3, 3], vec![]);
    let bias = net.floats(&[4], &[0.0, 1.0, -2.0, 0.5]);
    let conv = net.operator(CONV_2D, &[input, kernel, bias], &[1, 2, 2, 4], strides(vec![]));
    let slope = net.floats(&[1, 1, 4], &[0.5; 4]);
    let conv = net.operator(PRELU, &[conv, slope], &[1, 2, 2, 4], vec![]);
    let pooled = vec![(3, Field::Int(2)), (4, Field::Int(2))];
    let pool = net.operator(MAX_POOL_2D, &[input], &[1, 2, 2, 3], strides(pooled));
    let pads = [0i32, 0, 0, 0, 0, 0, 0, 1].iter().flat_map(|v| v.to_le_bytes()).collect();
    let pads = net.tensor(&[4, 2], 2, Some(pads));
    let pool = net.operator(PAD, &[pool, pads], &[1, 2, 2, 4], vec![]);
    let sum = net.operator(ADD, &[conv, pool], &[1, 2, 2, 4], vec![]);
    let list = net.operator(RESHAPE, &[sum], &[1, 4, 4], vec![]);
    let twice = net.operator(CONCATENATION, &[list, list], &[1, 8, 4], vec![(0, Field::Int(1))]);
    let single = net.operator(RESHAPE, &[twice], &[1, 16, 2], vec![]);
    let shifted = net.operator(RESHAPE, &[twice], &[1, 16, 2], vec![]);
    net.file(input, &[single, shifted])
}

/// Small whole numbers have few bits, so that they are exact in half precision.
fn half(value: i32) -> u16 {
    (0..=u16::MAX).find(|bits| widen(*bits) == value as f32).unwrap()
}

#[test]
fn half_precision_is_widened_exactly() {
    for (bits, value) in [
        (0x0000, 0.0),
        (0x3c00, 1.0),
        (0xc000, -2.0),
        (0x7bff, 65504.0),
        (0x0001, 2f32.powi(-24)),
        (0x83ff, -1023.0 * 2f32.powi(-24)),
        (0x0400, 2f32.powi(-14)),
        (0x7c00, f32::INFINITY),
    ] {
        assert_eq!(widen(bits), value, "{bits:04x}");
    }
    assert!(widen(0x7e00).is_nan());
}

#[test]
fn the_converted_network_computes_what_the_operators_say() {
    let kernel: Vec<i32> = (0..4 * 27).map(|i| (i * 7) % 5 - 2).collect();
    let halves: Vec<u16> = kernel.iter().map(|value| half(*value)).collect();
    let file = published(&halves);
    let model = model();
    let onnx = to_onnx(&file, &model).unwrap();
    assert_eq!(onnx, to_onnx(&file, &model).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, onnx).unwrap();
    let backend = Rten::load(&path, &model.input, &model.output, Some(1)).unwrap();
    let rgb: Vec<u8> = (0..48).map(|i| (i * 37 % 256) as u8).collect();
    let input = model.input.tensor(&rgb).unwrap();
    let output = backend.run(&input).unwrap();
    assert_eq!(output.shape(), [1, 16, 4]);
    let pixel = |y: usize, x: usize, c: usize| {
        if y < 4 && x < 4 { input.data()[c * 16 + y * 4 + x] } else { 0.0 }
    };
    let mut expected = Vec::new();
    for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for c in 0..4 {
            // Three pixels two apart leave one missing, which comes after.
            let mut sum = [0.0, 1.0, -2.0, 0.5][c];
            for (ky, kx, kc) in (0..27).map(|i| (i / 9, i / 3 % 3, i % 3)) {
                sum += kernel[c * 27 + ky * 9 + kx * 3 + kc] as f32 * pixel(2 * y + ky, 2 * x + kx, kc);
            }
            let largest =
                |c| [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| pixel(2 * y + dy, 2 * x + dx, c));
            let pooled = if c < 3 { largest(c).into_iter().fold(f32::MIN, f32::max) } else { 0.0 };
            expected.push(if sum < 0.0 { sum / 2.0 } else { sum } + pooled);
        }
    }
    // All twice, cut into pairs; and the same beside it.
    let twice = [expected.clone(), expected].concat();
    let expected: Vec<f32> = twice.chunks(2).flat_map(|pair| [pair, pair].concat()).collect();
    for (found, expected) in output.data().iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5, "{:?}, not {expected:?}", output.data());
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let refused =
        |net: Network, input: i32, outputs: &[i32]| to_onnx(&net.file(input, outputs), &model()).unwrap_err();
    let mut net = Network::default();
    let input = net.tensor(&[1, 4, 4, 3], 0, None);
    let output = net.operator(99, &[input], &[1, 4, 4, 3], vec![]);
    assert!(refused(net, input, &[output]).contains("operator 0 (99): of 1 is not understood"));

    let mut net = Network::default();
    let input = net.tensor(&[1, 4, 4, 3], 0, None);
    let output = net.operator(RELU, &[input + 1], &[1, 4, 4, 3], vec![]);
    assert!(refused(net, input, &[output]).contains("computed later or never"));

    let mut net = Network::default();
    let input = net.tensor(&[1, 4, 4, 3], 0, None);
    let output = net.operator(ADD, &[input, input], &[1, 4, 4, 3], vec![(0, Field::Byte(1))]);
    assert!(refused(net, input, &[output]).contains("activation 1"));

    let mut net = Network::default();
    let input = net.tensor(&[1, 4, 4, 3], 1, None);
    let output = net.operator(RELU, &[input], &[1, 4, 4, 3], vec![]);
    assert!(refused(net, input, &[output]).contains("its input is F16"));

    let mut net = Network::default();
    let input = net.tensor(&[1, 4, 4, 3], 0, None);
    assert!(refused(net, input, &[7]).contains("no tensor 7"));
    assert!(to_onnx(b"", &model()).unwrap_err().contains("not whole"));
    assert!(to_onnx(&[8, 0, 0, 0, b'P', b'K', 3, 4], &model()).unwrap_err().contains("not marked `TFL3`"));
}

#[test]
fn a_cut_file_is_refused() {
    let file = published(&[0; 108]);
    assert!(to_onnx(&file, &model()).is_ok());
    for length in 0..file.len() {
        // What is cut off may be padding or a part that is not read, but nothing may break.
        let _ = to_onnx(&file[..length], &model());
    }
    assert!(to_onnx(&file[..file.len() / 2], &model()).is_err());
}

proptest! {
    #[test]
    fn damaged_bytes_break_nothing(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut file = published(&[0; 108]);
        for (at, value) in changes {
            let at = at.index(file.len());
            file[at] = value;
        }
        let _ = to_onnx(&file, &model());
    }
}
