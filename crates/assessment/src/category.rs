//! What a measure is about.

use serde::Serialize;

/// What a measure is about; the first word of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// What is behind the subject.
    Background,
    /// The subject's outline.
    Edges,
    /// Where the subject is in the frame.
    Composition,
    /// How sharp the subject is.
    Sharpness,
    /// How light, and what is lost in black and white.
    Exposure,
    /// Grain.
    Noise,
    /// What lossy compression left.
    Compression,
    /// Pixels and proportions of the file.
    Dimensions,
    /// How like the input it is.
    Originality,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Background,
        Self::Edges,
        Self::Composition,
        Self::Sharpness,
        Self::Exposure,
        Self::Noise,
        Self::Compression,
        Self::Dimensions,
        Self::Originality,
    ];

    /// Its name in data.
    pub fn code(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Edges => "edges",
            Self::Composition => "composition",
            Self::Sharpness => "sharpness",
            Self::Exposure => "exposure",
            Self::Noise => "noise",
            Self::Compression => "compression",
            Self::Dimensions => "dimensions",
            Self::Originality => "originality",
        }
    }
}
