//! Writes an ONNX file (IR version 8, operator set 13): the few messages of its protocol buffer that are needed.

use crate::onnx_outputs::write_varint;

const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// An attribute of a node.
pub(crate) enum Attribute {
    /// One whole number.
    Int(i64),
    /// Several whole numbers.
    Ints(Vec<i64>),
    /// A word.
    Text(&'static str),
}

/// The length of one side of an input or output.
pub(crate) enum Side {
    /// Always this.
    Fixed(usize),
    /// Whatever comes; sides of one name are equal.
    Any(&'static str),
}

/// A graph that grows node by node.
#[derive(Default)]
pub(crate) struct Writer {
    nodes: Vec<u8>,
    constants: Vec<u8>,
    count: usize,
}

impl Writer {
    /// Adds a node with one result.
    pub(crate) fn node(
        &mut self,
        kind: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Vec::new();
        inputs.iter().for_each(|input| field(&mut node, 1, input.as_bytes()));
        field(&mut node, 2, output.as_bytes());
        field(&mut node, 3, format!("n{}", self.count).as_bytes());
        field(&mut node, 4, kind.as_bytes());
        for (name, value) in attributes {
            let mut attribute = Vec::new();
            field(&mut attribute, 1, name.as_bytes());
            match value {
                Attribute::Int(number) => {
                    number_field(&mut attribute, 3, *number as u64);
                    number_field(&mut attribute, 20, 2);
                }
                Attribute::Text(text) => {
                    field(&mut attribute, 4, text.as_bytes());
                    number_field(&mut attribute, 20, 3);
                }
                Attribute::Ints(numbers) => {
                    numbers.iter().for_each(|number| number_field(&mut attribute, 8, *number as u64));
                    number_field(&mut attribute, 20, 7);
                }
            }
            field(&mut node, 5, &attribute);
        }
        field(&mut self.nodes, 1, &node);
        self.count += 1;
    }

    /// Adds a constant of single-precision values.
    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, FLOAT, &raw);
    }

    /// Adds a constant of whole numbers.
    pub(crate) fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, INT64, &raw);
    }

    fn constant(&mut self, name: &str, shape: &[usize], kind: u64, raw: &[u8]) {
        let mut tensor = Vec::with_capacity(raw.len() + 64);
        shape.iter().for_each(|side| number_field(&mut tensor, 1, *side as u64));
        number_field(&mut tensor, 2, kind);
        field(&mut tensor, 8, name.as_bytes());
        field(&mut tensor, 9, raw);
        field(&mut self.constants, 5, &tensor);
    }

    /// The whole file; input and output are of single-precision values.
    pub(crate) fn finish(self, input: (&str, &[Side]), output: (&str, &[Side])) -> Vec<u8> {
        let mut graph = self.nodes;
        field(&mut graph, 2, b"converted");
        graph.extend_from_slice(&self.constants);
        field(&mut graph, 11, &value(input));
        field(&mut graph, 12, &value(output));
        let mut model = Vec::with_capacity(graph.len() + 64);
        number_field(&mut model, 1, 8);
        field(&mut model, 7, &graph);
        let mut operators = Vec::new();
        field(&mut operators, 1, b"");
        number_field(&mut operators, 2, 13);
        field(&mut model, 8, &operators);
        model
    }
}

fn value((name, shape): (&str, &[Side])) -> Vec<u8> {
    let mut dimensions = Vec::new();
    for side in shape {
        let mut dimension = Vec::new();
        match side {
            Side::Fixed(length) => number_field(&mut dimension, 1, *length as u64),
            Side::Any(name) => field(&mut dimension, 2, name.as_bytes()),
        }
        field(&mut dimensions, 1, &dimension);
    }
    let mut tensor = Vec::new();
    number_field(&mut tensor, 1, FLOAT);
    field(&mut tensor, 2, &dimensions);
    let mut kind = Vec::new();
    field(&mut kind, 1, &tensor);
    let mut value = Vec::new();
    field(&mut value, 1, name.as_bytes());
    field(&mut value, 2, &kind);
    value
}

fn field(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    write_varint(out, number << 3 | 2);
    write_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn number_field(out: &mut Vec<u8>, number: u64, value: u64) {
    write_varint(out, number << 3);
    write_varint(out, value);
}
