//! From the colour space of a file into the working space, sRGB, and from there into that of a written file.
//!
//! Profiles are parsed by `moxcms`. Matrix profiles are applied here, in floats with a last rounding to nearest
//! (`moxcms` itself truncates, 0.4 level too dark); tables and CMYK by `lcms2`. Relative colorimetric throughout.

mod curve;
mod ink;
mod matrix;
mod output;
mod profile;
mod space;

use lcms2::{Flags, Intent, Transform};
use moxcms::{ColorProfile, DataColorSpace, ProfileText};

pub(crate) use output::{Ink, Raster, raster_in, to_space};
pub use space::{CmykIntent, CmykProfile, Space};

use crate::header::NamedSpace;
use crate::{Bitmap, Channels, PixelError, Samples, SamplesMut};
use curve::Curve;
use matrix::Matrix;

/// How the samples of a file become sRGB.
pub(crate) enum Conversion {
    /// They are sRGB already, or near enough that no 8-bit level changes.
    None,
    /// Three curves and a matrix.
    Matrix(Box<Matrix>),
    /// Grey: one curve to luminance, then the sRGB curve.
    Gray(Curve),
    /// Whatever the profile says, by `lcms2`; holds the profile.
    Tables(Vec<u8>),
    /// CMYK without a profile, by the device formula.
    DeviceCmyk,
}

/// A conversion, and its name for a reader.
pub(crate) struct Source {
    /// What is to be done.
    pub conversion: Conversion,
    /// Name of the colour space.
    pub name: String,
}

/// What the samples of the file are, as far as profiles care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One sample, already repeated to three.
    Gray,
    /// Red, green, blue.
    Rgb,
    /// Cyan, magenta, yellow, black; 0 is no ink.
    Cmyk,
}

/// Decides how a file's samples become sRGB. A profile that is broken or of another kind is left aside with a warning;
/// `None` is returned for CMYK that is left without a profile.
pub(crate) fn interpret(
    icc: Option<&[u8]>,
    named: Option<NamedSpace>,
    kind: Kind,
    warnings: &mut Vec<String>,
) -> Option<Source> {
    if let Some(icc) = icc {
        match by_profile(icc, kind) {
            Ok(source) => return Some(source),
            Err(reason) => warnings.push(format!("the embedded ICC profile was ignored: {reason}")),
        }
    }
    if kind == Kind::Cmyk {
        return None;
    }
    let (profile, name) = match named {
        None => {
            return Some(Source { conversion: Conversion::None, name: "sRGB (assumed)".to_owned() });
        }
        Some(NamedSpace::Srgb) => {
            return Some(Source { conversion: Conversion::None, name: "sRGB".to_owned() });
        }
        Some(NamedSpace::AdobeRgb) => (ColorProfile::new_adobe_rgb(), "Adobe RGB (1998)"),
        Some(NamedSpace::DisplayP3) => (ColorProfile::new_display_p3(), "Display P3"),
    };
    let matrix = Matrix::of(&profile).ok()?;
    Some(Source { conversion: Conversion::Matrix(Box::new(matrix)), name: name.to_owned() })
}

fn by_profile(icc: &[u8], kind: Kind) -> Result<Source, String> {
    let parsed = std::panic::catch_unwind(|| ColorProfile::new_from_slice(icc));
    let profile = match parsed {
        Ok(Ok(profile)) => profile,
        Ok(Err(error)) => {
            // The second opinion: `lcms2` reads tables that `moxcms` finds too unusual.
            let space: &[u8] = if kind == Kind::Cmyk { b"CMYK" } else { b"RGB " };
            if icc.get(16..20) == Some(space)
                && let Ok(conversion) = tables(icc, kind)
            {
                return Ok(Source { conversion, name: "unnamed ICC profile".to_owned() });
            }
            return Err(format!("it is broken ({error})"));
        }
        Err(_) => return Err("it is broken".to_owned()),
    };
    let name = description(&profile);
    let has_table = profile.lut_a_to_b_perceptual.is_some() || profile.lut_a_to_b_colorimetric.is_some();
    let conversion = match (profile.color_space, kind) {
        (DataColorSpace::Rgb, Kind::Rgb | Kind::Gray) if has_table => tables(icc, kind)?,
        (DataColorSpace::Rgb, Kind::Rgb | Kind::Gray) => {
            let matrix = Matrix::of(&profile)?;
            if matrix.is_srgb() { Conversion::None } else { Conversion::Matrix(Box::new(matrix)) }
        }
        (DataColorSpace::Gray, Kind::Gray) => {
            let trc = profile.gray_trc.as_ref().ok_or("it has no grey curve")?;
            let curve = Curve::of(trc)?;
            let curve =
                if profile.pcs == DataColorSpace::Lab { curve.lightness_to_luminance() } else { curve };
            if curve.is_srgb() { Conversion::None } else { Conversion::Gray(curve) }
        }
        (DataColorSpace::Cmyk, Kind::Cmyk) => tables(icc, kind)?,
        (space, _) => return Err(format!("it is for {space:?} pictures")),
    };
    Ok(Source { conversion, name })
}

/// Makes sure, before any pixel is read, that `lcms2` can use the profile.
fn tables(icc: &[u8], kind: Kind) -> Result<Conversion, String> {
    let usable = match kind {
        Kind::Cmyk => {
            transform::<[u8; 4], [u8; 3]>(icc, lcms2::PixelFormat::CMYK_8, lcms2::PixelFormat::RGB_8).is_ok()
        }
        _ => transform::<[u8; 3], [u8; 3]>(icc, lcms2::PixelFormat::RGB_8, lcms2::PixelFormat::RGB_8).is_ok(),
    };
    if usable { Ok(Conversion::Tables(icc.to_vec())) } else { Err("its tables cannot be used".to_owned()) }
}

fn transform<From, To>(
    icc: &[u8],
    from: lcms2::PixelFormat,
    to: lcms2::PixelFormat,
) -> Result<Transform<From, To>, PixelError>
where
    From: bytemuck::Pod,
    To: bytemuck::Pod,
{
    let failed = |error: lcms2::Error| PixelError::Library { library: "lcms2", reason: error.to_string() };
    let profile = lcms2::Profile::new_icc(icc).map_err(failed)?;
    let srgb = lcms2::Profile::new_srgb();
    // As Photoshop does by default: paper white becomes white, the deepest ink becomes black.
    let (intent, flags) = (Intent::RelativeColorimetric, Flags::BLACKPOINT_COMPENSATION);
    Transform::new_flags(&profile, from, &srgb, to, intent, flags).map_err(failed)
}

fn description(profile: &ColorProfile) -> String {
    let text = match &profile.description {
        Some(ProfileText::PlainString(text)) => text.as_str(),
        Some(ProfileText::Localizable(texts)) => {
            let english = texts.iter().find(|text| text.language == "en");
            english.or(texts.first()).map_or("", |text| text.value.as_str())
        }
        Some(ProfileText::Description(text)) if !text.ascii_string.is_empty() => text.ascii_string.as_str(),
        Some(ProfileText::Description(text)) => text.unicode_string.as_str(),
        None => "",
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    let text = text.trim();
    if text.is_empty() { "unnamed ICC profile".to_owned() } else { text.to_owned() }
}

/// Brings an RGB or RGBA bitmap into sRGB, in place; alpha is not touched.
pub(crate) fn convert(bitmap: &mut Bitmap, conversion: &Conversion) -> Result<(), PixelError> {
    let channels = bitmap.channels();
    match conversion {
        Conversion::None | Conversion::DeviceCmyk => Ok(()),
        Conversion::Matrix(matrix) => {
            match (bitmap.samples_mut(), channels) {
                (SamplesMut::U8(samples), Channels::Rgb) => matrix.apply_u8(samples.as_chunks_mut::<3>().0),
                (SamplesMut::U8(samples), Channels::Rgba) => matrix.apply_u8(samples.as_chunks_mut::<4>().0),
                (SamplesMut::U16(samples), Channels::Rgb) => matrix.apply_u16(samples.as_chunks_mut::<3>().0),
                (SamplesMut::U16(samples), Channels::Rgba) => {
                    matrix.apply_u16(samples.as_chunks_mut::<4>().0)
                }
            }
            Ok(())
        }
        Conversion::Gray(curve) => {
            match bitmap.samples_mut() {
                SamplesMut::U8(samples) => {
                    let table: Vec<u8> = (0..=255)
                        .map(|i| (curve.to_srgb(f64::from(i) / 255.0) * 255.0).round() as u8)
                        .collect();
                    map_colours(samples, channels, |v| table[usize::from(v)]);
                }
                SamplesMut::U16(samples) => {
                    let table: Vec<u16> = (0..=65_535)
                        .map(|i| (curve.to_srgb(f64::from(i) / 65_535.0) * 65_535.0).round() as u16)
                        .collect();
                    map_colours(samples, channels, |v| table[usize::from(v)]);
                }
            }
            Ok(())
        }
        Conversion::Tables(icc) => convert_by_tables(bitmap, icc),
    }
}

fn map_colours<S: Copy>(samples: &mut [S], channels: Channels, map: impl Fn(S) -> S) {
    match channels {
        Channels::Rgb => samples.iter_mut().for_each(|v| *v = map(*v)),
        Channels::Rgba => {
            for pixel in samples.as_chunks_mut::<4>().0 {
                for value in &mut pixel[..3] {
                    *value = map(*value);
                }
            }
        }
    }
}

/// Pixels converted at a time, so that the copies stay in the cache.
const BLOCK: usize = 4096;

fn convert_by_tables(bitmap: &mut Bitmap, icc: &[u8]) -> Result<(), PixelError> {
    use lcms2::PixelFormat as P;
    fn run<S: bytemuck::Pod>(samples: &mut [S], channels: Channels, transform: &Transform<[S; 3], [S; 3]>) {
        match channels {
            Channels::Rgb => transform.transform_in_place(samples.as_chunks_mut::<3>().0),
            Channels::Rgba => {
                let mut colours = [[S::zeroed(); 3]; BLOCK];
                for block in samples.as_chunks_mut::<4>().0.chunks_mut(BLOCK) {
                    let colours = &mut colours[..block.len()];
                    for (colour, pixel) in colours.iter_mut().zip(&*block) {
                        *colour = [pixel[0], pixel[1], pixel[2]];
                    }
                    transform.transform_in_place(colours);
                    for (colour, pixel) in colours.iter().zip(block) {
                        pixel[..3].copy_from_slice(colour);
                    }
                }
            }
        }
    }
    let channels = bitmap.channels();
    match bitmap.samples_mut() {
        SamplesMut::U8(samples) => {
            run(samples, channels, &transform::<[u8; 3], [u8; 3]>(icc, P::RGB_8, P::RGB_8)?)
        }
        SamplesMut::U16(samples) => {
            run(samples, channels, &transform::<[u16; 3], [u16; 3]>(icc, P::RGB_16, P::RGB_16)?);
        }
    }
    Ok(())
}

/// Turns interleaved CMYK samples (0 is no ink) into RGB samples of the same depth.
pub(crate) fn cmyk_to_rgb(cmyk: &Samples, conversion: &Conversion) -> Result<Samples, PixelError> {
    use lcms2::PixelFormat as P;
    fn run<S: bytemuck::Pod>(cmyk: &[S], transform: &Transform<[S; 4], [S; 3]>) -> Vec<S> {
        let mut rgb = vec![S::zeroed(); cmyk.len() / 4 * 3];
        let blocks = cmyk.as_chunks::<4>().0.chunks(BLOCK).zip(rgb.as_chunks_mut::<3>().0.chunks_mut(BLOCK));
        for (from, to) in blocks {
            transform.transform_pixels(from, to);
        }
        rgb
    }
    Ok(match (cmyk, conversion) {
        (Samples::U8(cmyk), Conversion::Tables(icc)) => {
            Samples::U8(run(cmyk, &transform(icc, P::CMYK_8, P::RGB_8)?))
        }
        (Samples::U16(cmyk), Conversion::Tables(icc)) => {
            Samples::U16(run(cmyk, &transform(icc, P::CMYK_16, P::RGB_16)?))
        }
        (Samples::U8(cmyk), _) => {
            let mut rgb = vec![0; cmyk.len() / 4 * 3];
            for (to, from) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(cmyk.as_chunks::<4>().0) {
                let light = 255 - u32::from(from[3]);
                for i in 0..3 {
                    to[i] = (((255 - u32::from(from[i])) * light + 127) / 255) as u8;
                }
            }
            Samples::U8(rgb)
        }
        (Samples::U16(cmyk), _) => {
            let mut rgb = vec![0; cmyk.len() / 4 * 3];
            for (to, from) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(cmyk.as_chunks::<4>().0) {
                let light = 65_535 - u32::from(from[3]);
                for i in 0..3 {
                    to[i] = (((65_535 - u32::from(from[i])) * light + 32_767) / 65_535) as u16;
                }
            }
            Samples::U16(rgb)
        }
    })
}
