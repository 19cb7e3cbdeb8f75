//! What to do with a picture next.

use serde::Serialize;

/// What to do with a picture next, from the least work to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Use it.
    Accept,
    /// Write the file anew from the same pixels or their source.
    Reexport,
    /// Change the pixels: backdrop, edges, place on the canvas, tone.
    Retouch,
    /// Take the photograph again: what is missing in it cannot be put back.
    Reshoot,
}

impl Action {
    /// All of them, from the least work to the most.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Reexport, Self::Retouch, Self::Reshoot];

    /// Its name in data.
    pub fn code(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reexport => "reexport",
            Self::Retouch => "retouch",
            Self::Reshoot => "reshoot",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "Accept",
            Self::Reexport => "Export again",
            Self::Retouch => "Retouch",
            Self::Reshoot => "Take it again",
        }
    }

    /// What it asks of somebody, in a sentence.
    pub fn description(self) -> &'static str {
        match self {
            Self::Accept => "The picture can be used as it is.",
            Self::Reexport => "Write the file again from its source, with other settings of the export.",
            Self::Retouch => "Change what the issues name, and evaluate the result.",
            Self::Reshoot => "The photograph lacks what no retouching can put back; take it again.",
        }
    }
}
