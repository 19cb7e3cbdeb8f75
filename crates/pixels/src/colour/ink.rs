//! From sRGB to four inks, by a profile and `lcms2`.

use lcms2::{Flags, Intent, PixelFormat, Transform};

use super::space::{CmykIntent, CmykProfile};
use crate::{Bitmap, PixelError, Samples};

/// A transform from sRGB to the inks of a profile, with black point compensation.
pub(super) fn transform<From, To>(
    profile: &CmykProfile,
    from: PixelFormat,
    to: PixelFormat,
) -> Result<Transform<From, To>, PixelError>
where
    From: bytemuck::Pod,
    To: bytemuck::Pod,
{
    let failed = |error: lcms2::Error| PixelError::Library { library: "lcms2", reason: error.to_string() };
    let srgb = lcms2::Profile::new_srgb();
    let inks = lcms2::Profile::new_icc(profile.icc()).map_err(failed)?;
    let intent = match profile.intent() {
        CmykIntent::RelativeColorimetric => Intent::RelativeColorimetric,
        CmykIntent::Perceptual => Intent::Perceptual,
    };
    Transform::new_flags(&srgb, from, &inks, to, intent, Flags::BLACKPOINT_COMPENSATION).map_err(failed)
}

/// Interleaved CMYK samples (0 is no ink) of an opaque bitmap, at its depth.
pub(super) fn separate(bitmap: &Bitmap, profile: &CmykProfile) -> Result<Samples, PixelError> {
    fn run<S: bytemuck::Pod>(rgb: &[S], transform: &Transform<[S; 3], [S; 4]>) -> Vec<S> {
        let mut inks = vec![S::zeroed(); rgb.len() / 3 * 4];
        let blocks = rgb
            .as_chunks::<3>()
            .0
            .chunks(super::BLOCK)
            .zip(inks.as_chunks_mut::<4>().0.chunks_mut(super::BLOCK));
        for (from, to) in blocks {
            transform.transform_pixels(from, to);
        }
        inks
    }
    Ok(match bitmap.samples() {
        Samples::U8(rgb) => {
            Samples::U8(run(rgb, &transform(profile, PixelFormat::RGB_8, PixelFormat::CMYK_8)?))
        }
        Samples::U16(rgb) => {
            Samples::U16(run(rgb, &transform(profile, PixelFormat::RGB_16, PixelFormat::CMYK_16)?))
        }
    })
}
