//! Converts a network of TensorFlow Lite into ONNX: the same graph in single precision, with the channels before rows
//! and columns, and with its results joined into one. The same bytes every time.
//!
//! Reads the few operators that networks for faces are made of and refuses all others, and whatever is not whole.

use crate::Model;
use crate::onnx_writer::{Attribute, Side, Writer};

mod flat;
mod graph;
mod window;

use flat::Table;
use graph::{Graph, Kind, Operator, Tensor};
use window::Window;

// Numbers of TensorFlow Lite's list of operators.
const ADD: i32 = 0;
const CONCATENATION: i32 = 2;
const CONV_2D: i32 = 3;
const DEPTHWISE_CONV_2D: i32 = 4;
const DEQUANTIZE: i32 = 6;
const MAX_POOL_2D: i32 = 17;
const RELU: i32 = 19;
const RESHAPE: i32 = 22;
const PAD: i32 = 34;
const PRELU: i32 = 54;

/// Converts `published`; `model` names the graph's input and output. Says what is wrong or not understood.
///
/// A picture is batch, rows, columns, channels in TensorFlow Lite and batch, channels, rows, columns in ONNX; what has
/// three dimensions keeps their order. The results are joined along their last dimension (channels, where they have
/// rows and columns), in the file's order.
pub(crate) fn to_onnx(published: &[u8], model: &Model) -> Result<Vec<u8>, String> {
    let graph = Graph::read(published)?;
    let [input] = graph.inputs.as_slice() else {
        return Err(format!("it takes {} inputs, not one", graph.inputs.len()));
    };
    if graph.tensors[*input].kind != Kind::F32 {
        return Err(format!("its input is {:?}, not single precision", graph.tensors[*input].kind));
    }
    let mut converter = Converter {
        known: graph.tensors.iter().map(|tensor| !tensor.data.is_empty()).collect(),
        graph: &graph,
        constants: vec![None; graph.tensors.len()],
        writer: Writer::default(),
        input: (*input, &model.input.name),
    };
    converter.known[*input] = true;
    for (index, operator) in graph.operators.iter().enumerate() {
        converter
            .operator(operator)
            .map_err(|reason| format!("operator {index} ({}): {reason}", operator.code))?;
    }
    let shape = converter.join(&model.output.name)?;
    let given = pictured(&graph.tensors[*input])?;
    let sides = |shape: &[usize]| shape.iter().map(|side| Side::Fixed(*side)).collect::<Vec<_>>();
    Ok(converter.writer.finish((&model.input.name, &sides(&given)), (&model.output.name, &sides(&shape))))
}

struct Converter<'a> {
    graph: &'a Graph<'a>,
    /// Which tensors have been computed by now.
    known: Vec<bool>,
    /// Constants that an operator made of others: the index of the tensor that holds the values.
    constants: Vec<Option<usize>>,
    writer: Writer,
    input: (usize, &'a str),
}

impl<'a> Converter<'a> {
    fn name(&self, tensor: usize) -> String {
        if tensor == self.input.0 { self.input.1.to_owned() } else { format!("t{tensor}") }
    }

    /// A tensor that is computed, and its name.
    fn flowing(&self, tensor: usize) -> Result<(&'a Tensor<'a>, String), String> {
        let found = &self.graph.tensors[tensor];
        if !self.known[tensor] || !found.data.is_empty() || self.constants[tensor].is_some() {
            return Err(format!("tensor {tensor} is computed later or never"));
        }
        Ok((found, self.name(tensor)))
    }

    /// A constant of floats: its shape and values.
    fn constant(&self, tensor: usize) -> Result<(&'a [usize], Vec<f32>), String> {
        let source = &self.graph.tensors[self.constants[tensor].unwrap_or(tensor)];
        Ok((&self.graph.tensors[tensor].shape, source.floats()?))
    }

    fn operator(&mut self, operator: &Operator<'a>) -> Result<(), String> {
        let result = &self.graph.tensors[operator.output];
        if self.known[operator.output] {
            return Err(format!("tensor {} is computed twice", operator.output));
        }
        if result.kind != Kind::F32 {
            return Err(format!("its result is {:?}, not single precision", result.kind));
        }
        match (operator.code, operator.inputs.as_slice()) {
            (DEQUANTIZE, &[from]) => {
                let constant = &self.graph.tensors[from];
                if constant.kind != Kind::F16 || constant.data.is_empty() || constant.shape != result.shape {
                    return Err("it widens something else than a constant of half precision".to_owned());
                }
                self.constants[operator.output] = Some(from);
            }
            (CONV_2D, &[from, kernel, bias]) => self.convolution(operator, [from, kernel, bias], false)?,
            (DEPTHWISE_CONV_2D, &[from, kernel, bias]) => {
                self.convolution(operator, [from, kernel, bias], true)?;
            }
            (MAX_POOL_2D, &[from]) => self.pool(operator, from)?,
            (RELU, &[from]) => self.even("Relu", operator, &[from])?,
            (ADD, &[left, right]) => {
                plain(options(operator)?, 0)?;
                self.even("Add", operator, &[left, right])?;
            }
            (PRELU, &[from, slope]) => self.prelu(operator, from, slope)?,
            (PAD, &[from, pads]) => self.pad(operator, from, pads)?,
            (RESHAPE, &[from] | &[from, _]) => self.reshape(operator, from)?,
            (CONCATENATION, from @ [_, ..]) => self.concatenation(operator, from)?,
            (_, inputs) => return Err(format!("of {} is not understood", inputs.len())),
        }
        self.known[operator.output] = true;
        Ok(())
    }

    /// An operator whose result has the shape of each of its inputs.
    fn even(&mut self, kind: &str, operator: &Operator<'a>, from: &[usize]) -> Result<(), String> {
        let mut names = Vec::with_capacity(from.len());
        for from in from {
            let (tensor, name) = self.flowing(*from)?;
            if tensor.shape != self.graph.tensors[operator.output].shape {
                return Err("its shapes differ".to_owned());
            }
            names.push(name);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.writer.node(kind, &names, &self.name(operator.output), &[]);
        Ok(())
    }

    fn convolution(
        &mut self,
        operator: &Operator<'a>,
        [from, kernel, bias]: [usize; 3],
        depthwise: bool,
    ) -> Result<(), String> {
        let options = options(operator)?;
        let (activation, dilations) = if depthwise { (4, (5, 6)) } else { (3, (4, 5)) };
        plain(options, activation)?;
        if options.int(dilations.0, 1)? != 1 || options.int(dilations.1, 1)? != 1 {
            return Err("it is dilated".to_owned());
        }
        let (tensor, name) = self.flowing(from)?;
        let [_, channels, rows, columns] = pictured(tensor)?;
        let ((shape, values), (bias_shape, bias)) = (self.constant(kernel)?, self.constant(bias)?);
        let &[first, height, width, last] = shape else {
            return Err("its kernel has not four dimensions".to_owned());
        };
        // One kernel for each channel, or each output from all channels.
        let (outputs, inputs) = if depthwise { (last, 1) } else { (first, last) };
        let fits = if depthwise { first == 1 && last == channels } else { last == channels };
        if !fits || bias_shape != [outputs] {
            return Err("its kernel, its bias and its input do not fit".to_owned());
        }
        let window = Window::of(options, (height, width), (1, 2))?;
        let (pads, size) = window.over((rows, columns))?;
        self.expect(operator, [1, outputs, size.0, size.1])?;
        let area = height * width;
        let mut turned = vec![0f32; values.len()];
        if depthwise {
            for (place, values) in values.chunks_exact(outputs).enumerate() {
                values.iter().enumerate().for_each(|(output, value)| turned[output * area + place] = *value);
            }
        } else {
            for (output, values) in values.chunks_exact(area * inputs).enumerate() {
                for (place, values) in values.chunks_exact(inputs).enumerate() {
                    for (input, value) in values.iter().enumerate() {
                        turned[(output * inputs + input) * area + place] = *value;
                    }
                }
            }
        }
        let (to, kernel) = (self.name(operator.output), self.name(kernel));
        // Several operators may share constants; each has its own here.
        let (kernel, bias_name) = (format!("{to}/{kernel}"), format!("{to}/bias"));
        self.writer.floats(&kernel, &[outputs, inputs, height, width], &turned);
        self.writer.floats(&bias_name, &[outputs], &bias);
        let mut attributes = window.attributes(pads);
        if depthwise {
            attributes.push(("group", Attribute::Int(channels as i64)));
        }
        self.writer.node("Conv", &[&name, &kernel, &bias_name], &to, &attributes);
        Ok(())
    }

    fn pool(&mut self, operator: &Operator<'a>, from: usize) -> Result<(), String> {
        let options = options(operator)?;
        plain(options, 5)?;
        let (tensor, name) = self.flowing(from)?;
        let [_, channels, rows, columns] = pictured(tensor)?;
        let side = |number| usize::try_from(options.int(number, 0)?).map_err(|error| error.to_string());
        let window = Window::of(options, (side(4)?, side(3)?), (1, 2))?;
        let (pads, size) = window.over((rows, columns))?;
        self.expect(operator, [1, channels, size.0, size.1])?;
        self.writer.node("MaxPool", &[&name], &self.name(operator.output), &window.attributes(pads));
        Ok(())
    }

    fn prelu(&mut self, operator: &Operator<'a>, from: usize, slope: usize) -> Result<(), String> {
        let (tensor, name) = self.flowing(from)?;
        let shape = pictured(tensor)?;
        self.expect(operator, shape)?;
        let (slope_shape, values) = self.constant(slope)?;
        if slope_shape != [1, 1, shape[1]] {
            return Err("it has not one slope for each channel".to_owned());
        }
        let to = self.name(operator.output);
        let slope = format!("{to}/slope");
        self.writer.floats(&slope, &[shape[1], 1, 1], &values);
        self.writer.node("PRelu", &[&name, &slope], &to, &[]);
        Ok(())
    }

    fn pad(&mut self, operator: &Operator<'a>, from: usize, pads: usize) -> Result<(), String> {
        let (tensor, name) = self.flowing(from)?;
        let [_, channels, rows, columns] = pictured(tensor)?;
        let pads = &self.graph.tensors[pads];
        let values = pads.ints()?;
        if pads.shape != [4, 2] || values[..2] != [0, 0] || values.iter().any(|pad| !(0..=1024).contains(pad))
        {
            return Err("it pads in another way than rows, columns and channels".to_owned());
        }
        let size = |side: usize, at: usize| side + (values[at] + values[at + 1]) as usize;
        self.expect(operator, [1, size(channels, 6), size(rows, 2), size(columns, 4)])?;
        // Before and after each dimension, in their order; ONNX wants all before, then all after.
        let order = [0, 6, 2, 4, 1, 7, 3, 5].map(|at| i64::from(values[at]));
        let to = self.name(operator.output);
        let pads = format!("{to}/pads");
        self.writer.integers(&pads, &[8], &order);
        self.writer.node("Pad", &[&name, &pads], &to, &[]);
        Ok(())
    }

    /// From a picture or a list to a list: the values stay in TensorFlow's order.
    fn reshape(&mut self, operator: &Operator<'a>, from: usize) -> Result<(), String> {
        let (tensor, mut name) = self.flowing(from)?;
        let shape = &self.graph.tensors[operator.output].shape;
        if shape.len() == 4 || shape.iter().product::<usize>() != tensor.shape.iter().product::<usize>() {
            return Err("it makes a picture, or a list of another length".to_owned());
        }
        let to = self.name(operator.output);
        if tensor.shape.len() == 4 {
            let turned = format!("{to}/turned");
            let order = Attribute::Ints(vec![0, 2, 3, 1]);
            self.writer.node("Transpose", &[&name], &turned, &[("perm", order)]);
            name = turned;
        }
        let sides: Vec<i64> = shape.iter().map(|side| *side as i64).collect();
        let sides_name = format!("{to}/sides");
        self.writer.integers(&sides_name, &[sides.len()], &sides);
        self.writer.node("Reshape", &[&name, &sides_name], &to, &[]);
        Ok(())
    }

    fn concatenation(&mut self, operator: &Operator<'a>, from: &[usize]) -> Result<(), String> {
        let options = options(operator)?;
        plain(options, 1)?;
        let shape = &self.graph.tensors[operator.output].shape;
        let given = i64::from(options.int(0, 0)?);
        let axis = if given < 0 { given + shape.len() as i64 } else { given };
        let axis = usize::try_from(axis).ok().filter(|axis| *axis < shape.len());
        let axis = axis.ok_or("its axis is not there")?;
        let joined = self.joined(from, axis)?;
        if joined != *shape {
            return Err("its result has another shape than its parts".to_owned());
        }
        self.concat(from, axis, &self.name(operator.output))
    }

    /// The shape that tensors make together, joined along `axis`.
    fn joined(&self, from: &[usize], axis: usize) -> Result<Vec<usize>, String> {
        let mut shape = self.graph.tensors[from[0]].shape.clone();
        for from in &from[1..] {
            let next = &self.graph.tensors[*from].shape;
            let fits = next.len() == shape.len()
                && next.iter().zip(&shape).enumerate().all(|(at, (a, b))| at == axis || a == b);
            if !fits {
                return Err("parts of different shapes are joined".to_owned());
            }
            shape[axis] += next[axis];
        }
        Ok(shape)
    }

    fn concat(&mut self, from: &[usize], axis: usize, to: &str) -> Result<(), String> {
        let names: Vec<String> =
            from.iter().map(|from| self.flowing(*from).map(|(_, name)| name)).collect::<Result<_, _>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let is_picture = self.graph.tensors[from[0]].shape.len() == 4;
        let axis = if is_picture { [0, 2, 3, 1][axis] } else { axis as i64 };
        self.writer.node("Concat", &names, to, &[("axis", Attribute::Int(axis))]);
        Ok(())
    }

    /// Joins the results into the one output and returns its shape.
    fn join(&mut self, to: &str) -> Result<Vec<usize>, String> {
        let outputs = &self.graph.outputs;
        let Some(first) = outputs.first() else { return Err("it gives nothing".to_owned()) };
        let axis = self.graph.tensors[*first].shape.len().checked_sub(1).ok_or("its result has no shape")?;
        let mut shape = self.joined(outputs, axis)?;
        self.concat(outputs, axis, to)?;
        if shape.len() == 4 {
            shape = vec![shape[0], shape[3], shape[1], shape[2]];
        }
        Ok(shape)
    }

    /// Refuses an operator whose result is not of that shape (batch, channels, rows, columns).
    fn expect(&self, operator: &Operator<'a>, shape: [usize; 4]) -> Result<(), String> {
        let found = pictured(&self.graph.tensors[operator.output])?;
        if found == shape { Ok(()) } else { Err(format!("its result is {found:?}, not {shape:?}")) }
    }
}

/// The shape of a picture as batch (always one), channels, rows, columns.
fn pictured(tensor: &Tensor<'_>) -> Result<[usize; 4], String> {
    match *tensor.shape {
        [1, rows, columns, channels] => Ok([1, channels, rows, columns]),
        ref shape => Err(format!("{shape:?} is no picture")),
    }
}

fn options<'a>(operator: &Operator<'a>) -> Result<Table<'a>, String> {
    operator.options.ok_or_else(|| "it has no settings".to_owned())
}

/// Refuses an operator that does more: an activation in field `number`.
fn plain(options: Table<'_>, number: usize) -> Result<(), String> {
    match options.byte(number)? {
        0 => Ok(()),
        other => Err(format!("activation {other} in one step with it is not understood")),
    }
}

#[cfg(test)]
mod tests;
