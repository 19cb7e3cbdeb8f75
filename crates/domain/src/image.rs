//! Pictures from the outside: their content hash, their name, and what their header says.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// SHA-256 over the exact bytes of a file; lower-case hexadecimal as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content hash is 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for ContentHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotAHash)?;
        Ok(Self(bytes))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The name of a file, without folders and without characters that could harm a path or a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileName(String);

impl FileName {
    /// Longest name kept, in bytes; common file systems allow 255.
    pub const MAX_BYTES: usize = 200;

    /// Keeps the last path component, replaces control characters, `?` and `#` by `_`, and names the nameless `image`.
    pub fn clean(given: &str) -> Self {
        let last = given.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
        let mut name: String = last
            .chars()
            .map(|c| if c.is_control() || matches!(c, '?' | '#') { '_' } else { c })
            .collect::<String>()
            .trim()
            .to_owned();
        if name.is_empty() || name == "." || name == ".." {
            name = "image".to_owned();
        }
        if name.len() > Self::MAX_BYTES {
            // Shorten the stem and keep the extension: the extension says what the file is.
            let extension = match name.rsplit_once('.') {
                Some((stem, extension)) if !stem.is_empty() && extension.len() <= 10 => {
                    format!(".{extension}")
                }
                _ => String::new(),
            };
            let mut end = Self::MAX_BYTES - extension.len();
            while !name.is_char_boundary(end) {
                end -= 1;
            }
            name.truncate(end);
            name.push_str(&extension);
        }
        Self(name)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its last extension: `shirt 01` of `shirt 01.jpg`.
    pub fn stem(&self) -> &str {
        match self.0.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => &self.0,
        }
    }

    /// The last extension without its dot, if there is one: `jpg` of `shirt 01.jpg`.
    pub fn extension(&self) -> Option<&str> {
        self.0.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored picture: which bytes, and what their header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Which bytes.
    pub hash: ContentHash,
    /// Their media type as found in the bytes, never as declared: `image/jpeg`.
    pub media_type: String,
    /// How many bytes.
    pub bytes: u64,
    /// Width in pixels as stored, before any orientation tag is applied.
    pub width: u32,
    /// Height in pixels as stored, before any orientation tag is applied.
    pub height: u32,
}

impl Image {
    /// Millions of pixels.
    pub fn megapixels(&self) -> f64 {
        f64::from(self.width) * f64::from(self.height) / 1e6
    }
}

/// What a file's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Media type as found in the bytes.
    pub media_type: String,
    /// Width in pixels as stored.
    pub width: u32,
    /// Height in pixels as stored.
    pub height: u32,
}

/// Why a file cannot be worked on; the text says what is wrong and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// Reads a file's header, so that the front can refuse a bad file without knowing how pictures are decoded.
pub trait Inspect: Send + Sync {
    /// What the header of the file at `path` says, or why the file cannot be worked on. Blocking; decodes no pixel.
    fn inspect(&self, path: &Path) -> Result<Facts, Unusable>;
}

/// Makes small pictures of pictures, so that the front can show them without knowing how pictures are decoded.
pub trait Thumbnailer: Send + Sync {
    /// A small picture of the file with these bytes, upright; or why there is none.
    /// Blocking, and takes as much memory as decoding the whole picture.
    fn thumbnail(&self, bytes: &[u8]) -> Result<Thumbnail, Unusable>;
}

/// A small picture of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Its file.
    pub bytes: Vec<u8>,
    /// What that is.
    pub facts: Facts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_only_its_last_component() {
        assert_eq!(FileName::clean("../../etc/passwd").as_str(), "passwd");
        assert_eq!(FileName::clean("C:\\shoot\\a b.jpg").as_str(), "a b.jpg");
        assert_eq!(FileName::clean("a?b#c\u{7}.jpg").as_str(), "a_b_c_.jpg");
        assert_eq!(FileName::clean("..").as_str(), "image");
        assert_eq!(FileName::clean("").as_str(), "image");
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = FileName::clean(&format!("{}.jpeg", "é".repeat(300)));
        assert!(name.as_str().len() <= FileName::MAX_BYTES);
        assert_eq!(name.extension(), Some("jpeg"));
    }

    #[test]
    fn a_hidden_file_has_no_extension() {
        let name = FileName::clean(".htaccess");
        assert_eq!((name.stem(), name.extension()), (".htaccess", None));
    }

    #[test]
    fn a_hash_is_64_hexadecimal_digits() {
        let text = "8bcac2125bd98cd96ba75667b9a8832024970ac05bf4123f864bb63bcfefbcf7";
        assert_eq!(text.parse::<ContentHash>().expect("a hash").to_string(), text);
        assert_eq!("8bca".parse::<ContentHash>(), Err(NotAHash));
        assert_eq!(format!("{text}0").parse::<ContentHash>(), Err(NotAHash));
    }
}
