//! Removes the outputs of an ONNX graph that nobody reads, so that no runtime computes them.
//!
//! Works on the bytes of the protocol buffer: `ModelProto.graph` is field 7, `GraphProto.output` field 12 and
//! `ValueInfoProto.name` field 1, all length-delimited. Everything else is copied unread.

/// Returns `model` with only the graph output called `keep`; says why when the bytes are no ONNX model or lack it.
pub(crate) fn keep_output(model: &[u8], keep: &str) -> Result<Vec<u8>, String> {
    const GRAPH: u64 = 7;
    const OUTPUT: u64 = 12;
    const NAME: u64 = 1;

    let mut whole = Vec::with_capacity(model.len());
    let mut kept = 0;
    for field in Fields(model) {
        let field = field?;
        if field.number != GRAPH {
            whole.extend_from_slice(field.raw);
            continue;
        }
        let graph = field.content.ok_or("its graph is no message")?;
        let mut pruned = Vec::with_capacity(graph.len());
        for part in Fields(graph) {
            let part = part?;
            if part.number == OUTPUT {
                let mut name = None;
                for inner in Fields(part.content.ok_or("an output is no message")?) {
                    let inner = inner?;
                    if inner.number == NAME {
                        name = inner.content;
                    }
                }
                if name != Some(keep.as_bytes()) {
                    continue;
                }
                kept += 1;
            }
            pruned.extend_from_slice(part.raw);
        }
        write_varint(&mut whole, GRAPH << 3 | 2);
        write_varint(&mut whole, pruned.len() as u64);
        whole.extend_from_slice(&pruned);
    }
    if kept == 1 { Ok(whole) } else { Err(format!("its graph has {kept} outputs called `{keep}`, not one")) }
}

/// One field of a message: its number, its bytes with the key, and its content if length-delimited.
struct Field<'a> {
    number: u64,
    raw: &'a [u8],
    content: Option<&'a [u8]>,
}

/// The fields of a message, in order.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = read_field(self.0);
        self.0 = field.as_ref().map_or(&[], |field| &self.0[field.raw.len()..]);
        Some(field.ok_or_else(|| "it is no protocol buffer".to_owned()))
    }
}

fn read_field(bytes: &[u8]) -> Option<Field<'_>> {
    let (key, mut at) = read_varint(bytes)?;
    let mut content = None;
    let length = match key & 7 {
        0 => read_varint(&bytes[at..])?.1,
        1 => 8,
        2 => {
            let (length, size) = read_varint(&bytes[at..])?;
            at += size;
            let length = usize::try_from(length).ok()?;
            content = Some(bytes.get(at..at.checked_add(length)?)?);
            length
        }
        5 => 4,
        _ => return None,
    };
    Some(Field { number: key >> 3, raw: bytes.get(..at.checked_add(length)?)?, content })
}

fn read_varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Appends a number in the variable-length form of protocol buffers.
pub(crate) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u64, content: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_varint(&mut bytes, number << 3 | 2);
        write_varint(&mut bytes, content.len() as u64);
        bytes.extend_from_slice(content);
        bytes
    }

    fn model(outputs: &[&str]) -> Vec<u8> {
        let mut graph = field(2, b"graph name");
        for name in outputs {
            graph.extend(field(12, &[field(1, name.as_bytes()), field(2, &[0; 200])].concat()));
        }
        // A field 1 varint (ir_version) before, and field 8 (opset_import) after.
        [vec![0x08, 0x97, 0x01], field(7, &graph), field(8, b"opset")].concat()
    }

    #[test]
    fn only_the_wanted_output_stays_and_the_rest_is_untouched() {
        let pruned = keep_output(&model(&["side", "output", "d2"]), "output").unwrap();
        assert_eq!(pruned, model(&["output"]));
        assert_eq!(keep_output(&pruned, "output").unwrap(), pruned);
    }

    #[test]
    fn a_missing_output_or_broken_bytes_are_refused() {
        assert!(keep_output(&model(&["side"]), "output").unwrap_err().contains("0 outputs"));
        let whole = model(&["output"]);
        assert!(keep_output(&whole[..whole.len() - 3], "output").is_err());
        assert!(keep_output(b"\xff\xff\xff", "output").is_err());
        assert!(keep_output(b"", "output").is_err());
    }
}
