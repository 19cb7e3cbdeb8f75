//! What a sample shows; the seed decides everything that is not said here.

use serde_json::{Value, json};

use super::chance::{Chance, scrambled};

/// What is photographed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A bottle, a dispenser or a jar, with a cap and a label.
    Bottle,
    /// A mug with a handle.
    Mug,
    /// A shoe with laces.
    Shoe,
    /// A garment laid flat: folds, seams, a print or stripes.
    Garment,
    /// A scarf with a fringe at both ends.
    Fringe,
    /// A drinking glass: alpha below one over wide areas.
    Glass,
    /// A chain: many small holes.
    Chain,
    /// Hair: a brush, a ball of fur, a strand of long hair.
    Hair,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Bottle,
        Self::Mug,
        Self::Shoe,
        Self::Garment,
        Self::Fringe,
        Self::Glass,
        Self::Chain,
        Self::Hair,
    ];

    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bottle => "bottle",
            Self::Mug => "mug",
            Self::Shoe => "shoe",
            Self::Garment => "garment",
            Self::Fringe => "fringe",
            Self::Glass => "glass",
            Self::Chain => "chain",
            Self::Hair => "hair",
        }
    }
}

/// What it stands or lies on, and what is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Ground {
    /// A white sweep.
    White,
    /// A white sweep with a white product.
    WhiteOnWhite,
    /// A grey sweep.
    Grey,
    /// A coloured sweep.
    Colour,
    /// From one colour to another.
    Gradient,
    /// Boards.
    Wood,
    /// Concrete.
    Concrete,
    /// A room out of focus.
    Room,
}

impl Ground {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::White,
        Self::Colour,
        Self::Grey,
        Self::Wood,
        Self::WhiteOnWhite,
        Self::Gradient,
        Self::Room,
        Self::Concrete,
    ];

    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::White => "white",
            Self::WhiteOnWhite => "white-on-white",
            Self::Grey => "grey",
            Self::Colour => "colour",
            Self::Gradient => "gradient",
            Self::Wood => "wood",
            Self::Concrete => "concrete",
            Self::Room => "room",
        }
    }
}

/// Which half of the set a sample is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Half {
    /// For choosing thresholds: even seeds.
    Tune,
    /// Kept aside, for figures that are told to others: odd seeds.
    Report,
    /// Both.
    All,
}

/// One sample. Two equal specs give the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// What is photographed.
    pub kind: Kind,
    /// Where.
    pub ground: Ground,
    /// Decides everything else.
    pub seed: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Factor on the sensor's noise; 0.0 for none.
    pub noise: f32,
    /// Factor on the shadow on the ground; 0.0 for none.
    pub shadow: f32,
    /// JPEG quality of the photo's file, or `None` for a PNG.
    pub jpeg: Option<u8>,
}

impl Spec {
    /// The sample of that number in the set that begins with the seed `first`, its longer side `side` pixels. Kinds
    /// follow each other, and every kind meets every ground; both halves get the same mixture.
    pub fn numbered(first: u64, number: u64, side: u32) -> Self {
        let seed = first + number;
        // Neighbours in pairs: an even and an odd seed of the same kind.
        let pair = (seed / 2) as usize;
        let kind = Kind::ALL[pair % Kind::ALL.len()];
        let ground = Ground::ALL[(pair / Kind::ALL.len() + pair + seed as usize % 2 * 3) % Ground::ALL.len()];
        let mut chance = Chance::new(seed, 1);
        let shape = chance.one_of(&[(1.0, 1.0), (0.8, 1.0), (0.75, 1.0), (1.0, 0.75), (1.0, 0.667)]);
        let length = |share: f32| ((side as f32 * share).round() as u32).max(8);
        Self {
            kind,
            ground,
            seed,
            width: length(shape.0),
            height: length(shape.1),
            noise: 1.0,
            shadow: 1.0,
            jpeg: chance.happens(0.7).then(|| 88 + chance.below(10) as u8),
        }
    }

    /// The samples of a set: `count` of them of that half, in the order of their seeds.
    pub fn set(first: u64, count: usize, half: Half, side: u32) -> Vec<Self> {
        (0..)
            .map(|number| Self::numbered(first, number, side))
            .filter(|spec| half == Half::All || spec.half() == half)
            .take(count)
            .collect()
    }

    /// Which half it is in.
    pub fn half(&self) -> Half {
        if self.seed.is_multiple_of(2) { Half::Tune } else { Half::Report }
    }

    /// A name for its folder.
    pub fn name(&self) -> String {
        format!("{:05}-{}-{}", self.seed, self.kind.name(), self.ground.name())
    }

    /// A seed for noise of one purpose.
    pub fn noise_seed(&self, purpose: u64) -> u32 {
        (scrambled(self.seed ^ scrambled(purpose)) >> 32) as u32
    }

    /// What a reader of the files wants to know.
    pub fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.name(),
            "backdrop": self.ground.name(),
            "seed": self.seed,
            "half": if self.half() == Half::Tune { "tune" } else { "report" },
            "width": self.width,
            "height": self.height,
            "noise": self.noise,
            "shadow": self.shadow,
            "jpegQuality": self.jpeg,
        })
    }
}
