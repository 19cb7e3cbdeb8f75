//! The measures, a file for each thing that is measured.

use crate::measure::{Gates, Measure, Role};

pub(crate) mod background;
mod composition;
mod compression;
mod dimensions;
mod edges;
mod exposure;
pub(crate) mod noise;
mod originality;
mod sharpness;
mod transparency;

/// The measure that says whether there is a subject at all.
pub(crate) const SUBJECT_CODE: &str = composition::PRESENCE.info.code;

/// All measures, in the order in which reports hold them.
pub(crate) const ALL: &[Measure] = &[
    composition::PRESENCE,
    composition::CUT_OFF,
    composition::FILL,
    composition::CENTRING,
    background::PLAINNESS,
    background::EXTENT,
    background::PURITY,
    background::UNIFORMITY,
    transparency::CLEARNESS,
    transparency::RESIDUE,
    transparency::HIDDEN_COLOUR,
    edges::HALO,
    edges::FRINGE,
    sharpness::SHARPNESS,
    exposure::EXPOSURE,
    exposure::HIGHLIGHTS,
    exposure::SHADOWS,
    noise::NOISE,
    compression::QUALITY,
    compression::BLOCKING,
    dimensions::RESOLUTION,
    dimensions::ASPECT,
    originality::CHANGE,
];

/// Taken in every task.
const ALWAYS: Gates = Gates { product_photography: Role::Counts, cut_out: Role::Counts, other: Role::Counts };
/// Taken in every task, and alone enough to fail.
const ALWAYS_GATE: Gates = Gates { product_photography: Role::Gate, cut_out: Role::Gate, other: Role::Gate };
/// Taken where there is a subject to find.
const SUBJECT: Gates =
    Gates { product_photography: Role::Counts, cut_out: Role::Counts, other: Role::Absent };
/// Taken where there is a subject to find, and alone enough to fail.
const SUBJECT_GATE: Gates =
    Gates { product_photography: Role::Gate, cut_out: Role::Gate, other: Role::Absent };
/// Taken where a backdrop is to be seen.
const BACKDROP: Gates =
    Gates { product_photography: Role::Counts, cut_out: Role::Absent, other: Role::Absent };
/// Taken where a backdrop is to be seen, and alone enough to fail.
const BACKDROP_GATE: Gates =
    Gates { product_photography: Role::Gate, cut_out: Role::Absent, other: Role::Absent };
/// Taken where there is to be none.
const CUT_OUT: Gates =
    Gates { product_photography: Role::Absent, cut_out: Role::Counts, other: Role::Absent };
/// Taken where there is to be none, and alone enough to fail.
const CUT_OUT_GATE: Gates =
    Gates { product_photography: Role::Absent, cut_out: Role::Gate, other: Role::Absent };
