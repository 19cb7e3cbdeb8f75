//! Recorded conversations. A file holds exchanges, divided by lines of `###`. Lines that begin with `#` are remarks,
//! lines that begin with `!` say what happens beside the wire. An exchange is a request (line, headers, blank line,
//! body), a line `--- STATUS`, and what of the answer is promised: headers, a blank line, a body.
//!
//! `${name}` in a request stands for something the house knows or an answer gave. In an expected body it stands for a
//! kind of value (`uuid`, `hash`, `timestamp`, `micros`, `any`) or for what is known by that name; `${name=kind}` keeps
//! what it matched. An expected JSON body names every member, and no other may be there.

use std::collections::HashMap;

use serde_json::Value;

/// Things by name.
pub type Names = HashMap<String, Vec<u8>>;

/// One line of a file that does something.
pub enum Step {
    /// What happens beside the wire: words.
    Beside(Vec<String>),
    /// A request and what is promised of its answer.
    Exchange(Exchange),
}

pub struct Exchange {
    pub request: Vec<String>,
    pub body: Option<String>,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub expected: Option<String>,
}

pub fn parse(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in text.split("\n###") {
        let mut lines: Vec<&str> = part.lines().collect();
        // What follows the division on its line is its title.
        if part.len() < text.len() && !text.starts_with(part) && !lines.is_empty() {
            lines.remove(0);
        }
        while let Some(first) = lines.first() {
            if let Some(beside) = first.strip_prefix('!') {
                steps.push(Step::Beside(beside.split_whitespace().map(str::to_owned).collect()));
            } else if !first.is_empty() && !first.starts_with('#') {
                break;
            }
            lines.remove(0);
        }
        if !lines.is_empty() {
            steps.push(Step::Exchange(exchange(&lines)));
        }
    }
    steps
}

fn exchange(lines: &[&str]) -> Exchange {
    let cut = lines.iter().position(|line| line.starts_with("--- ")).expect("a line `--- STATUS`");
    let (asked, promised) = (&lines[..cut], &lines[cut + 1..]);
    let blank = asked.iter().position(|line| line.is_empty()).unwrap_or(asked.len());
    let body = asked.get(blank + 1..).map(|lines| lines.join("\n")).map(|body| body.trim_end().to_owned());
    let is_header = |line: &&&str| {
        line.split_once(": ")
            .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
    };
    let headers: Vec<_> = promised
        .iter()
        .take_while(is_header)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let expected = promised[headers.len()..].join("\n").trim().to_owned();
    Exchange {
        request: asked[..blank].iter().map(|line| (*line).to_owned()).collect(),
        body: body.filter(|body| !body.is_empty()),
        status: lines[cut][4..].trim().parse().expect("a status"),
        headers,
        expected: (!expected.is_empty()).then_some(expected),
    }
}

/// Puts what is known in the place of its names.
pub fn fill(text: &str, names: &Names) -> Vec<u8> {
    let mut filled = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.extend_from_slice(before.as_bytes());
        let (name, after) = after.split_once('}').expect("a closing brace");
        filled.extend_from_slice(names.get(name).unwrap_or_else(|| panic!("nothing is called `{name}`")));
        rest = after;
    }
    filled.extend_from_slice(rest.as_bytes());
    filled
}

/// Compares an answer's body to what was promised, and keeps what is to be kept.
pub fn compare(expected: &str, found: &[u8], names: &mut Names) -> Result<(), String> {
    if expected.starts_with(['{', '[']) {
        let expected: Value =
            serde_json::from_str(expected).map_err(|error| format!("in the case: {error}"))?;
        let found: Value = serde_json::from_slice(found)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(found)))?;
        return json(&expected, &found, "", names);
    }
    if let Some(name) = whole_placeholder(expected) {
        if let Some((keep, "any")) = name.split_once('=') {
            names.insert(keep.to_owned(), found.to_vec());
            return Ok(());
        }
        let text = String::from_utf8_lossy(found).into_owned();
        return value(name, &text, names).or_else(|why| match names.get(name) {
            Some(known) if known == found => Ok(()),
            _ => Err(why),
        });
    }
    let expected = fill(expected, names);
    // A case's last line break is the file's; an answer's own ones are written `\n`.
    let expected =
        String::from_utf8_lossy(&expected).replace("\\n", "\n").replace("\\u0020", " ").into_bytes();
    if expected == found {
        Ok(())
    } else {
        Err(format!("expected {}, found {}", show(&expected), show(found)))
    }
}

fn show(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(500)]))
}

fn whole_placeholder(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("${")?.strip_suffix('}')?;
    (!inside.contains('}')).then_some(inside)
}

fn json(expected: &Value, found: &Value, at: &str, names: &mut Names) -> Result<(), String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for name in found.keys() {
                if !expected.contains_key(name) {
                    return Err(format!("{at}: `{name}` is not promised"));
                }
            }
            for (name, expected) in expected {
                let found = found.get(name).ok_or_else(|| format!("{at}: `{name}` is missing"))?;
                json(expected, found, &format!("{at}/{name}"), names)?;
            }
            Ok(())
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                json(expected, found, &format!("{at}/{index}"), names)?;
            }
            Ok(())
        }
        (Value::String(text), found) if whole_placeholder(text).is_some() => {
            let name = whole_placeholder(text).unwrap_or_default();
            match found {
                Value::String(found) => value(name, found, names).map_err(|why| format!("{at}: {why}")),
                _ if name == "any" => Ok(()),
                other => Err(format!("{at}: expected a string, found {other}")),
            }
        }
        (Value::String(text), Value::String(found)) => {
            let expected = String::from_utf8_lossy(&fill(text, names)).into_owned();
            if expected == *found {
                Ok(())
            } else {
                Err(format!("{at}: expected `{expected}`, found `{found}`"))
            }
        }
        _ if expected == found => Ok(()),
        _ => Err(format!("{at}: expected {expected}, found {found}")),
    }
}

/// Whether a text is what `name` or `name=kind` stands for.
fn value(name: &str, found: &str, names: &mut Names) -> Result<(), String> {
    let (keep, kind) = match name.split_once('=') {
        Some((keep, kind)) => (Some(keep), kind),
        None => (None, name),
    };
    let shaped = |shape: &str| {
        found.len() == shape.len()
            && found.bytes().zip(shape.bytes()).all(|(found, shape)| match shape {
                b'0' => found.is_ascii_digit(),
                other => found == other,
            })
    };
    let fits = match kind {
        "any" => true,
        "uuid" => found.len() == 36 && found.to_lowercase() == found && uuid::Uuid::try_parse(found).is_ok(),
        "hash" => {
            found.len() == 64 && found.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        }
        "timestamp" => shaped("0000-00-00T00:00:00.000Z"),
        "micros" => shaped("0000-00-00T00:00:00.000000Z"),
        "error_time" => shaped("0000-00-00T00:00:00.000+00:00"),
        known => names.get(known).is_some_and(|known| known == found.as_bytes()),
    };
    if !fits {
        return Err(format!("`{found}` is no {kind}"));
    }
    if let Some(keep) = keep {
        names.insert(keep.to_owned(), found.as_bytes().to_vec());
    }
    Ok(())
}
