//! What can be chosen about a cut-out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Polygon, Rectangle, Stroke};
use crate::{Areas, ImageRef, List, Number};

/// How the subject is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// A picture that is transparent already is kept as it is; any other is cut out by the network, and on a plain
    /// backdrop by its colour where the network agrees.
    Auto,
    /// As `auto`, for a thing: bottles, shoes, furniture. The same network finds it.
    Product,
    /// As `auto`, for a person with all they wear and hold. The same network finds both.
    ClothingAndModel,
    /// The clothing without the person. No network here tells clothing from skin and hair, so that this works only where
    /// somebody marks what is to go: by `removeStrokes` over skin and hair, by `polygons` around the clothing, or by `mask`;
    /// otherwise it is refused.
    Clothing,
    /// As `auto`, but transparency in the file is looked at as white, and the picture is cut out anew.
    Fresh,
    /// By the colour of a plain backdrop alone, without a network.
    Studio,
    /// Only by the transparency in the file; a picture without any is refused.
    ExistingAlpha,
}

/// Which pieces of the subject stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeepPieces {
    /// Every piece but specks: sets of several products stay whole.
    All,
    /// Only the largest piece, and what is marked to stay.
    Largest,
    /// Every piece of at least `minArea` of the largest, and what is marked to stay.
    MinArea,
}

/// What happens to openings that the subject encloses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Holes {
    /// Where the network is in doubt, colour decides: what has the backdrop's own colour is open, what has another is whole.
    Auto,
    /// As they were found, doubtful places half there.
    Keep,
    /// All are closed: for products without openings, of which a part has the backdrop's colour.
    Fill,
}

/// What an edge looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Edges {
    /// As `soft`.
    Auto,
    /// As it is in the photo, from sharp to out of focus.
    Soft,
    /// About one pixel wide, as an outline drawn by hand: for boxes, bottles and electronics.
    Hard,
    /// Solved over a wide band, so that strands of hair, fur and fringes are found: for people and textiles before an even
    /// backdrop. Before a busy or very dark one it leaves a veil.
    Hair,
}

/// What becomes of a result that nobody should trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unsure {
    /// It is given, with a remark and a low confidence.
    Accept,
    /// It is refused (`no_subject`).
    Refuse,
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Output {
    /// The subject on nothing.
    CutOut,
    /// The mask itself, as a grey picture: white is subject.
    Mask,
    /// The subject on nothing, and the mask of the finished picture as a further file `mask` (PNG).
    Both,
}

/// Settings of `removeBackground`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How the subject is found.
    pub mode: Mode,
    /// Which pieces of the subject stay.
    pub keep: KeepPieces,
    /// Smallest piece that stays with `keep` `minArea`, as a share of the largest piece.
    #[schemars(extend("x-unit" = "%"))]
    pub min_area: Number<0, 100>,
    /// What happens to openings that the subject encloses, such as the inside of a handle.
    pub holes: Holes,
    /// What an edge looks like.
    pub edges: Edges,
    /// By how much the outline is moved: outwards above 0, inwards below.
    #[schemars(extend("x-unit" = "px"))]
    pub shift: Number<-20, 20>,
    /// Rectangles around what is meant. What lies outside of all of them goes, and the network looks at what is inside at
    /// its full resolution. Coordinates are shares of the canvas, 0 to 1, from the top left corner.
    pub boxes: List<Rectangle, 100>,
    /// Closed lines around what is meant; as `boxes`, each a list of points as shares of the canvas.
    pub polygons: List<Polygon, 100>,
    /// Strokes of a round brush over what is to stay, with what belongs to it: points as shares of the canvas, a width as a
    /// share of its longer side. What is under the brush stays in any case.
    pub keep_strokes: List<Stroke, 1000>,
    /// Strokes of a round brush over what is to go, with what belongs to it. What is under the brush goes in any case.
    pub remove_strokes: List<Stroke, 1000>,
    /// A picture that says what stays, named by the SHA-256 of its uploaded file and stretched over the canvas: white (or
    /// opaque, where it has transparent parts) stays, black (or clear) goes, and between them it is found. Null when
    /// there is none.
    pub mask: Option<ImageRef>,
    /// What becomes of a result that nobody should trust: of parts half there, pieces cut by the picture's border, or next
    /// to nothing.
    pub unsure: Unsure,
    /// What comes out.
    pub output: Output,
    /// Whether the result is cut down to the subject.
    pub crop: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            keep: KeepPieces::All,
            min_area: Number::new(1.0),
            holes: Holes::Auto,
            edges: Edges::Auto,
            shift: Number::new(0.0),
            boxes: List::default(),
            polygons: List::default(),
            keep_strokes: List::default(),
            remove_strokes: List::default(),
            mask: None,
            unsure: Unsure::Accept,
            output: Output::CutOut,
            crop: false,
        }
    }
}

impl Settings {
    /// What lies outside of these goes; empty where nothing was marked.
    pub(super) fn meant(&self) -> Areas {
        let boxes = List::new(self.boxes.to_vec());
        Areas { boxes, polygons: List::new(self.polygons.to_vec()), strokes: List::default() }
    }

    /// Whether a person marked anything.
    pub(super) fn has_marks(&self) -> bool {
        !(self.boxes.is_empty()
            && self.polygons.is_empty()
            && self.keep_strokes.is_empty()
            && self.remove_strokes.is_empty()
            && self.mask.is_none())
    }

    /// Refuses what makes no sense together.
    pub(super) fn check(&self) -> Result<(), String> {
        self.meant().check()?;
        for (name, strokes) in [("keepStrokes", &self.keep_strokes), ("removeStrokes", &self.remove_strokes)]
        {
            let strokes = Areas { strokes: List::new(strokes.to_vec()), ..Areas::default() };
            strokes.check().map_err(|reason| format!("`{name}`: {reason}"))?;
        }
        if self.keep == KeepPieces::MinArea && self.min_area.get() == 0.0 {
            return Err("`minArea` is 0, which keeps every speck; choose more, or `keep` `all`".into());
        }
        Ok(())
    }

    /// The strokes that keep, or those that remove.
    pub(super) fn strokes(&self, keep: bool) -> Areas {
        let strokes = if keep { &self.keep_strokes } else { &self.remove_strokes };
        Areas { strokes: List::new(strokes.to_vec()), ..Areas::default() }
    }
}
