use serde_json::json;

use super::*;
use crate::Manifest;
use crate::backend::Backend;
use crate::backend::rten::Rten;

fn layer(class: &str, name: &str, from: &[&str], config: Value) -> Value {
    let from: Vec<Value> = from.iter().map(|from| json!([from, 0, 0, {}])).collect();
    let inbound = if from.is_empty() { json!([]) } else { json!([from]) };
    json!({ "class_name": class, "name": name, "config": config, "inbound_nodes": inbound })
}

fn convolution() -> Value {
    json!({
        "padding": "same", "strides": [1, 1], "dilation_rate": [1, 1], "data_format": "channels_last",
        "groups": 1, "use_bias": true, "activation": "linear", "filters": 12,
    })
}

/// A network that doubles: a convolution to twelve channels, halved and added to itself, whose channels become pixels.
fn published(kernel: &[f32], bias: &[f32]) -> Vec<u8> {
    let file = json!({
        "modelTopology": { "model_config": { "config": {
            "layers": [
                layer("InputLayer", "in", &[], json!({})),
                layer("Conv2D", "conv", &["in"], convolution()),
                layer("Activation", "relu", &["conv"], json!({ "activation": "relu" })),
                layer("MultiplyBeta", "half", &["relu"], json!({ "beta": 0.5 })),
                layer("Add", "sum", &["half", "half"], json!({})),
                layer("PixelShuffle2x", "shuffle", &["sum"], json!({ "scale": 2 })),
            ],
            "output_layers": [["shuffle", 0, 0]],
        } } },
        "weightsManifest": [{ "paths": ["shard"], "weights": [
            { "name": "conv/kernel", "shape": [3, 3, 3, 12], "dtype": "float32" },
            { "name": "conv/bias", "shape": [12], "dtype": "float32" },
        ] }],
    });
    let mut bytes = serde_json::to_vec(&file).unwrap();
    bytes.push(b'\n');
    bytes.extend(kernel.iter().chain(bias).flat_map(|value| value.to_le_bytes()));
    bytes
}

fn model() -> Model {
    Manifest::embedded().models.into_iter().find(|model| model.id == "esrgan-thick").unwrap()
}

/// From row, column, input and output to the place in a Keras kernel.
fn at(row: usize, column: usize, input: usize, output: usize) -> usize {
    ((row * 3 + column) * 3 + input) * 12 + output
}

#[test]
fn the_converted_network_computes_what_the_layers_say() {
    let (mut kernel, mut bias) = (vec![0f32; 3 * 3 * 3 * 12], vec![0f32; 12]);
    // Upper left: the pixel itself. Upper right: its right neighbour. Lower left: the one below. Lower right: a quarter.
    for channel in 0..3 {
        kernel[at(1, 1, channel, channel)] = 1.0;
        kernel[at(1, 2, channel, 3 + channel)] = 1.0;
        kernel[at(2, 1, channel, 6 + channel)] = 1.0;
        bias[9 + channel] = if channel == 1 { -3.0 } else { 0.25 + 4.0 * channel as f32 };
    }
    let onnx = to_onnx(&published(&kernel, &bias), &model()).unwrap();
    assert_eq!(onnx, to_onnx(&published(&kernel, &bias), &model()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, onnx).unwrap();
    let model = model();
    let backend = Rten::load(&path, &model.input, &model.output, Some(1)).unwrap();
    let (width, height) = (3, 2);
    let levels: Vec<f32> = (0..18).map(|i| i as f32 * 14.0).collect();
    let input = model.input.planes(width, height, levels).unwrap();
    let output = backend.run(&input).unwrap();
    assert_eq!(output.shape(), [1, 3, 4, 6]);
    let of = |tensor: &crate::Tensor, channel: usize, y: usize, x: usize| {
        let sides = tensor.shape();
        if y >= sides[2] || x >= sides[3] {
            0.0
        } else {
            tensor.data()[(channel * sides[2] + y) * sides[3] + x]
        }
    };
    for channel in 0..3 {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let expected = [
                of(&input, channel, y, x),
                of(&input, channel, y, x + 1),
                of(&input, channel, y + 1, x),
                [0.25, 0.0, 1.0][channel],
            ];
            for (part, expected) in expected.into_iter().enumerate() {
                let found = of(&output, channel, 2 * y + part / 2, 2 * x + part % 2);
                assert!((found - expected).abs() < 1e-6, "{channel} {y} {x} {part}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn what_is_not_understood_or_not_whole_is_refused() {
    let (kernel, bias) = (vec![0f32; 3 * 3 * 3 * 12], vec![0f32; 12]);
    let good = published(&kernel, &bias);
    assert!(to_onnx(&good, &model()).is_ok());
    let refused = |bytes: &[u8]| to_onnx(bytes, &model()).unwrap_err();
    // Fewer bytes than there is white space before the shards are noticed by the hash of the file alone.
    assert!(refused(&good[..good.len() - 4]).contains("the shards have"));
    assert!(refused(&[&good[..], &[0]].concat()).contains("the shards have"));
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"{}").contains("missing field"));
    let with = |from: &str, to: &str| {
        let end = good.len() - (kernel.len() + bias.len()) * 4;
        let text = std::str::from_utf8(&good[..end]).unwrap();
        assert!(text.contains(from), "{from}");
        [text.replacen(from, to, 1).as_bytes(), &good[end..]].concat()
    };
    assert!(refused(&with("\"relu\"}", "\"tanh\"}")).contains("is not understood"));
    assert!(refused(&with("\"same\"", "\"valid\"")).contains("convolution of another kind"));
    assert!(refused(&with("[\"conv\",0", "[\"later\",0")).contains("`later` comes later"));
    assert!(refused(&with("float32", "uint8")).contains("is uint8"));
}
