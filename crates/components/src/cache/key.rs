//! The name of a step's result: SHA-256 over everything that decides it.

use std::fmt::Write;

use domain::image::ContentHash;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Entry, Limits};

/// Rises whenever frames themselves change their meaning.
const FORMAT: &str = "packshot step 2";

/// Within which size a file is read, and whether its photo is kept beside the cut-out.
pub(crate) type Kept = (Option<(u32, u32)>, bool);

/// The name of one step's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// Where the chain begins: whose file, which, and how it is read.
    pub fn of_file(owner: u128, hash: &ContentHash, limits: &Limits, kept: Kept) -> Self {
        let how = (limits.working_side, limits.codec, limits.assume_device_cmyk, kept);
        Self::hash(&[FORMAT.as_bytes(), &owner.to_le_bytes(), &hash.0, format!("{how:?}").as_bytes()])
    }

    /// Where the chain goes on after several pictures became one.
    pub fn of_all(keys: &[Self]) -> Self {
        let parts: Vec<&[u8]> = keys.iter().map(|key| key.0.as_slice()).collect();
        Self::hash(&parts)
    }

    /// The result of one more step.
    pub fn after(&self, entry: &Entry, settings: &Value, identity: Option<&str>) -> Self {
        let mut canonical = String::new();
        write_sorted(settings, &mut canonical);
        Self::hash(&[
            &self.0,
            entry.kind.as_bytes(),
            &entry.version.to_le_bytes(),
            canonical.as_bytes(),
            identity.unwrap_or_default().as_bytes(),
        ])
    }

    /// The name in lower-case hexadecimal.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    fn hash(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists of parts read the same.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// JSON without spaces and with sorted names.
fn write_sorted(value: &Value, to: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            to.push('{');
            for name in names {
                write!(to, "{}:", Value::from(name.as_str())).expect("writing into memory does not fail");
                write_sorted(&members[name], to);
                to.push(',');
            }
            to.push('}');
        }
        Value::Array(items) => {
            to.push('[');
            for item in items {
                write_sorted(item, to);
                to.push(',');
            }
            to.push(']');
        }
        plain => write!(to, "{plain}").expect("writing into memory does not fail"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entry;

    #[test]
    fn every_ingredient_changes_the_key_and_nothing_else_does() {
        let limits = Limits::default();
        let file = ContentHash([7; 32]);
        let start = Key::of_file(0, &file, &limits, (None, false));
        let crop = entry("crop").expect("a component");
        let first = start.after(crop, &json!({ "a": 1, "b": [2] }), Some("net"));
        assert_eq!(first, start.after(crop, &json!({ "b": [2], "a": 1 }), Some("net")), "order of settings");
        let newer = Entry { version: crop.version + 1, ..Entry::of::<crate::Crop>() };
        let others = [
            Key::of_file(0, &ContentHash([8; 32]), &limits, (None, false)).after(
                crop,
                &json!({ "a": 1, "b": [2] }),
                Some("net"),
            ),
            Key::of_file(0, &file, &limits, (Some((9, 9)), false)).after(
                crop,
                &json!({ "a": 1, "b": [2] }),
                Some("net"),
            ),
            Key::of_file(0, &file, &limits, (None, true)).after(
                crop,
                &json!({ "a": 1, "b": [2] }),
                Some("net"),
            ),
            Key::of_file(0, &file, &Limits { working_side: 9, ..limits }, (None, false)).after(
                crop,
                &json!({ "a": 1, "b": [2] }),
                Some("net"),
            ),
            start.after(entry("dropShadow").expect("a component"), &json!({ "a": 1, "b": [2] }), Some("net")),
            start.after(&newer, &json!({ "a": 1, "b": [2] }), Some("net")),
            start.after(crop, &json!({ "a": 1, "b": [3] }), Some("net")),
            start.after(crop, &json!({ "a": "1", "b": [2] }), Some("net")),
            start.after(crop, &json!({ "a": 1, "b": [2] }), Some("other net")),
            start.after(crop, &json!({ "a": 1, "b": [2] }), None),
            first.after(crop, &json!({ "a": 1, "b": [2] }), Some("net")),
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(first, *other, "ingredient {index}");
            assert!(others[index + 1..].iter().all(|later| later != other), "ingredient {index}");
        }
    }
}
