//! Converts the layers model of TensorFlow.js, which Keras models are published as, into ONNX: the same graph, with the
//! channels before rows and columns, and with its result clamped to 0..1. The same bytes every time.
//!
//! Reads the few kinds of layers that enlarging networks are made of and refuses all others.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::Model;
use crate::onnx_writer::{Attribute, Side, Writer};

#[derive(Deserialize)]
struct File {
    #[serde(rename = "modelTopology")]
    topology: Topology,
    #[serde(rename = "weightsManifest")]
    weights: Vec<Group>,
}

#[derive(Deserialize)]
struct Topology {
    model_config: Class<Graph>,
}

#[derive(Deserialize)]
struct Class<C> {
    config: C,
}

#[derive(Deserialize)]
struct Graph {
    layers: Vec<Layer>,
    output_layers: Vec<(String, usize, usize)>,
}

#[derive(Deserialize)]
struct Layer {
    class_name: String,
    name: String,
    config: Value,
    inbound_nodes: Vec<Vec<(String, usize, usize, Value)>>,
}

#[derive(Deserialize)]
struct Group {
    weights: Vec<Weight>,
}

#[derive(Deserialize)]
struct Weight {
    name: String,
    shape: Vec<usize>,
    dtype: String,
}

/// A constant of the graph: its shape and its values, as Keras orders them.
struct Constant<'a> {
    shape: &'a [usize],
    values: Vec<f32>,
}

/// Converts `published`, which is `model.json` followed by its shards; `model` names the graph's input and output.
/// Says what is wrong or not understood.
pub(crate) fn to_onnx(published: &[u8], model: &Model) -> Result<Vec<u8>, String> {
    let mut stream = serde_json::Deserializer::from_slice(published).into_iter::<File>();
    let file = stream.next().ok_or("it is empty")?.map_err(|error| error.to_string())?;
    let shards = &published[stream.byte_offset()..];
    let specs: Vec<&Weight> = file.weights.iter().flat_map(|group| &group.weights).collect();
    let mut constants = read_constants(&specs, shards)?;
    let graph = file.topology.model_config.config;
    let mut converter = Converter { writer: Writer::default(), values: HashMap::new() };
    for layer in &graph.layers {
        converter
            .layer(layer, &mut constants, &model.input.name)
            .map_err(|reason| format!("layer `{}`: {reason}", layer.name))?;
    }
    let [(output, _, _)] = graph.output_layers.as_slice() else {
        return Err(format!("its graph has {} outputs, not one", graph.output_layers.len()));
    };
    let result = converter.value(output)?.to_owned();
    let mut writer = converter.writer;
    writer.floats("lowest", &[], &[0.0]);
    writer.floats("highest", &[], &[1.0]);
    writer.node("Clip", &[&result, "lowest", "highest"], &model.output.name, &[]);
    let picture = |height, width| [Side::Fixed(1), Side::Fixed(3), Side::Any(height), Side::Any(width)];
    let (input, output) = (picture("height", "width"), picture("enlarged_height", "enlarged_width"));
    Ok(writer.finish((&model.input.name, &input), (&model.output.name, &output)))
}

/// Cuts the shards into constants: single precision, little-endian, one after another. They lie at the end of `rest`;
/// before them is only the white space that the JSON ends with.
fn read_constants<'a>(specs: &[&'a Weight], rest: &[u8]) -> Result<HashMap<&'a str, Constant<'a>>, String> {
    let mut total = 0usize;
    let mut sizes = Vec::with_capacity(specs.len());
    for spec in specs {
        if spec.dtype != "float32" {
            return Err(format!("weight `{}` is {}, not float32", spec.name, spec.dtype));
        }
        let size = spec.shape.iter().try_fold(4usize, |all, side| all.checked_mul(*side));
        let size = size.ok_or_else(|| format!("weight `{}` is too large", spec.name))?;
        total = total.checked_add(size).ok_or("its weights are too large")?;
        sizes.push(size);
    }
    let wrong = || format!("its weights need {total} bytes, the shards have {}", rest.len());
    let (space, mut shards) =
        rest.len().checked_sub(total).and_then(|at| rest.split_at_checked(at)).ok_or_else(wrong)?;
    if !space.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong());
    }
    let mut constants = HashMap::with_capacity(specs.len());
    for (spec, size) in specs.iter().zip(sizes) {
        let (bytes, after) = shards.split_at(size);
        let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        constants.insert(spec.name.as_str(), Constant { shape: &spec.shape, values });
        shards = after;
    }
    Ok(constants)
}

struct Converter {
    writer: Writer,
    /// What the graph calls the result of each layer.
    values: HashMap<String, String>,
}

impl Converter {
    fn value(&self, layer: &str) -> Result<&str, String> {
        self.values
            .get(layer)
            .map(String::as_str)
            .ok_or_else(|| format!("`{layer}` comes later or not at all"))
    }

    fn layer(
        &mut self,
        layer: &Layer,
        constants: &mut HashMap<&str, Constant<'_>>,
        input: &str,
    ) -> Result<(), String> {
        let config = &layer.config;
        if layer.class_name == "InputLayer" {
            self.values.insert(layer.name.clone(), input.to_owned());
            return Ok(());
        }
        let [from] = layer.inbound_nodes.as_slice() else {
            return Err("is used more than once".to_owned());
        };
        let from: Vec<String> =
            from.iter().map(|(name, ..)| self.value(name).map(str::to_owned)).collect::<Result<_, _>>()?;
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        let to = layer.name.clone();
        match (layer.class_name.as_str(), from.len()) {
            ("Conv2D", 1) => self.convolution(layer, constants, from[0])?,
            ("Activation", 1) if config["activation"] == "relu" => self.writer.node("Relu", &from, &to, &[]),
            ("Concatenate", 2..) if config["axis"] == 3 || config["axis"] == -1 => {
                self.writer.node("Concat", &from, &to, &[("axis", Attribute::Int(1))]);
            }
            ("Add", 2) => self.writer.node("Add", &from, &to, &[]),
            ("MultiplyBeta", 1) => {
                let beta = config["beta"].as_f64().ok_or("has no `beta`")?;
                let factor = format!("{to}/beta");
                self.writer.floats(&factor, &[], &[beta as f32]);
                self.writer.node("Mul", &[from[0], &factor], &to, &[]);
            }
            (name, 1) if name.starts_with("PixelShuffle") => {
                let scale = config["scale"].as_i64().ok_or("has no `scale`")?;
                // The channels of one pixel are together, as in TensorFlow's `depth_to_space`.
                let attributes = [("blocksize", Attribute::Int(scale)), ("mode", Attribute::Text("DCR"))];
                self.writer.node("DepthToSpace", &from, &to, &attributes);
            }
            (name, count) => {
                return Err(format!("`{name}` of {count} with these settings is not understood"));
            }
        }
        self.values.insert(to.clone(), to);
        Ok(())
    }

    fn convolution(
        &mut self,
        layer: &Layer,
        constants: &mut HashMap<&str, Constant<'_>>,
        from: &str,
    ) -> Result<(), String> {
        let (config, to) = (&layer.config, layer.name.as_str());
        let plain = config["padding"] == "same"
            && config["strides"] == serde_json::json!([1, 1])
            && config["dilation_rate"] == serde_json::json!([1, 1])
            && config["data_format"] == "channels_last"
            && config["groups"].as_i64().unwrap_or(1) == 1
            && config["use_bias"] == true
            && config["activation"] == "linear";
        if !plain {
            return Err("is a convolution of another kind".to_owned());
        }
        let mut take = |what: &str| {
            let name = format!("{to}/{what}");
            constants.remove(name.as_str()).ok_or_else(|| format!("`{name}` is not among the weights"))
        };
        let (kernel, bias) = (take("kernel")?, take("bias")?);
        let &[rows, columns, inputs, outputs] = kernel.shape else {
            return Err("its kernel has not four dimensions".to_owned());
        };
        if rows % 2 == 0 || columns % 2 == 0 || bias.shape != [outputs] {
            return Err("its kernel or bias has an odd shape".to_owned());
        }
        // From rows, columns, inputs, outputs to outputs, inputs, rows, columns.
        let area = rows * columns;
        let mut turned = vec![0f32; kernel.values.len()];
        for (place, values) in kernel.values.chunks_exact(inputs * outputs).enumerate() {
            for (input, values) in values.chunks_exact(outputs).enumerate() {
                for (output, value) in values.iter().enumerate() {
                    turned[(output * inputs + input) * area + place] = *value;
                }
            }
        }
        let (kernel_name, bias_name) = (format!("{to}/kernel"), format!("{to}/bias"));
        self.writer.floats(&kernel_name, &[outputs, inputs, rows, columns], &turned);
        self.writer.floats(&bias_name, &[outputs], &bias.values);
        let (up, left) = (rows as i64 / 2, columns as i64 / 2);
        let attributes = [
            ("kernel_shape", Attribute::Ints(vec![rows as i64, columns as i64])),
            ("pads", Attribute::Ints(vec![up, left, up, left])),
        ];
        self.writer.node("Conv", &[from, &kernel_name, &bias_name], to, &attributes);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
