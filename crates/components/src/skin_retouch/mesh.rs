//! Which points of the face mesh go around what.
//!
//! The mesh is that of MediaPipe (Kartynnik et al. 2019): 468 points in a fixed order. Left and right are the viewer's.

use retouch::skin::{Face, Spared};

/// Points of the mesh.
pub(super) const POINTS: usize = 468;

const OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176,
    149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];
const LIPS: [usize; 20] =
    [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185];
const LEFT_EYE: [usize; 16] = [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246];
const RIGHT_EYE: [usize; 16] =
    [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466];
const LEFT_BROW: [usize; 10] = [46, 53, 52, 65, 55, 107, 66, 105, 63, 70];
const RIGHT_BROW: [usize; 10] = [276, 283, 282, 295, 285, 336, 296, 334, 293, 300];
const NOSTRILS: [usize; 12] = [98, 166, 79, 238, 19, 458, 309, 392, 327, 326, 2, 97];

/// What stays as it is, and how much farther than the mesh says, as a share of the face's width: lashes and shadow belong
/// to an eye, single hairs to a brow.
const SPARED: [(&[usize], f32); 6] = [
    (&LIPS, 0.02),
    (&LEFT_EYE, 0.05),
    (&RIGHT_EYE, 0.05),
    (&LEFT_BROW, 0.035),
    (&RIGHT_BROW, 0.035),
    (&NOSTRILS, 0.02),
];

/// The corners of both eyes that are farthest apart.
pub(super) const EYE_CORNERS: [usize; 2] = [33, 263];

/// The face that the points of a mesh describe; points are pixels of the picture.
pub(super) fn face(points: &[[f32; 2]]) -> Face {
    let around = |of: &[usize]| of.iter().map(|i| points[*i]).collect::<Vec<_>>();
    let apart = |a: usize, b: usize| (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1]);
    Face {
        oval: around(&OVAL),
        spared: SPARED.iter().map(|(of, grow)| Spared { outline: around(of), grow: *grow }).collect(),
        // Seen from the side, it is as high as from the front but narrower.
        width: apart(234, 454).max(0.75 * apart(10, 152)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_one_of_the_mesh_and_no_line_has_one_twice() {
        for of in SPARED.iter().map(|(of, _)| *of).chain([&OVAL[..]]) {
            let mut seen = std::collections::BTreeSet::new();
            assert!(of.iter().all(|i| *i < POINTS && seen.insert(*i)), "{of:?}");
        }
    }
}
