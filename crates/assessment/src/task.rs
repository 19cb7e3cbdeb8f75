//! What a picture is meant for, which decides what is measured and what fails it alone.

use serde::{Serialize, Serializer};

/// What a picture is meant for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// `product_photography`: a product before a plain backdrop, white unless the limits name another colour.
    ProductPhotography,
    /// `cut_out`: a product with a transparent background.
    CutOut,
    /// Any other, by its name: only what holds for every photograph is measured.
    Other(String),
}

impl Task {
    /// The task of a name; every name is one.
    pub fn of(name: &str) -> Self {
        match name {
            "product_photography" => Self::ProductPhotography,
            "cut_out" => Self::CutOut,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::ProductPhotography => "product_photography",
            Self::CutOut => "cut_out",
            Self::Other(name) => name,
        }
    }
}

impl Serialize for Task {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
