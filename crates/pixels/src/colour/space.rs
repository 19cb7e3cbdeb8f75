//! The colour spaces that files are written in, and the way there from sRGB.

use std::fmt;
use std::sync::{Arc, LazyLock};

use super::matrix::{SRGB_D50, inverse, multiply};
use super::profile;
use crate::srgb::{linear_to_srgb, srgb_to_linear};
use crate::{Channels, Format, PixelError};

/// The colour space of a written file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Space {
    /// sRGB: what a screen and every shop expects.
    #[default]
    Srgb,
    /// Display P3: the primaries of DCI-P3 with the white and the curve of sRGB.
    DisplayP3,
    /// The primaries, white and gamma of Adobe RGB (1998).
    AdobeRgb,
    /// One channel of brightness at gamma 2.2.
    Gray,
    /// Four inks, by a profile of the caller's.
    Cmyk(CmykProfile),
}

/// How colours that a press cannot print are brought into its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CmykIntent {
    /// In-range colours stay, others move to the edge; paper white becomes white.
    #[default]
    RelativeColorimetric,
    /// All colours move together, so that their order stays.
    Perceptual,
}

/// A printing condition: an ICC profile for CMYK, and how colours are brought into it. Always with black point
/// compensation.
#[derive(Clone, PartialEq, Eq)]
pub struct CmykProfile {
    icc: Arc<[u8]>,
    intent: CmykIntent,
}

impl CmykProfile {
    /// Takes a profile over; refuses one that is broken, not for CMYK, or without the tables for output.
    pub fn new(icc: Vec<u8>, intent: CmykIntent) -> Result<Self, PixelError> {
        let refuse = |value: &str| PixelError::Argument {
            name: "cmyk profile",
            value: value.to_owned(),
            allowed: "an ICC output profile for CMYK is needed",
        };
        if icc.get(16..20) != Some(b"CMYK") {
            return Err(refuse("no profile for CMYK"));
        }
        let profile = Self { icc: icc.into(), intent };
        super::ink::transform::<[u8; 3], [u8; 4]>(
            &profile,
            lcms2::PixelFormat::RGB_8,
            lcms2::PixelFormat::CMYK_8,
        )
        .map_err(|_| refuse("broken, or one that only reads"))?;
        Ok(profile)
    }

    /// The profile's bytes.
    pub fn icc(&self) -> &[u8] {
        &self.icc
    }

    /// How colours are brought into its range.
    pub fn intent(&self) -> CmykIntent {
        self.intent
    }
}

impl fmt::Debug for CmykProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CmykProfile({} bytes, {:?})", self.icc.len(), self.intent)
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Srgb => "sRGB",
            Self::DisplayP3 => "Display P3",
            Self::AdobeRgb => "Adobe RGB",
            Self::Gray => "grey",
            Self::Cmyk(_) => "CMYK",
        })
    }
}

impl Space {
    /// Whether its pixels are red, green and blue.
    pub const fn is_rgb(&self) -> bool {
        matches!(self, Self::Srgb | Self::DisplayP3 | Self::AdobeRgb)
    }

    /// Whether pixels change on the way from the working space.
    pub(crate) const fn is_converted(&self) -> bool {
        !matches!(self, Self::Srgb)
    }

    /// Whether a file of that format can hold it.
    pub const fn fits(&self, format: Format, channels: Channels) -> bool {
        match self {
            Self::Srgb => true,
            Self::DisplayP3 | Self::AdobeRgb => !matches!(format, Format::Avif),
            Self::Gray => matches!(format, Format::Jpeg | Format::Png | Format::Tiff),
            Self::Cmyk(_) => {
                matches!(format, Format::Jpeg | Format::Tiff) && matches!(channels, Channels::Rgb)
            }
        }
    }

    /// Its ICC profile: made here for all but CMYK.
    pub(crate) fn profile(&self) -> &[u8] {
        static DISPLAY_P3: LazyLock<Vec<u8>> = LazyLock::new(|| {
            profile::rgb("Display P3", &columns(&P3.to_xyz()), &profile::sampled(srgb_to_linear))
        });
        static ADOBE_RGB: LazyLock<Vec<u8>> = LazyLock::new(|| {
            profile::rgb(
                "Compatible with Adobe RGB (1998)",
                &columns(&ADOBE.to_xyz()),
                &profile::gamma(GAMMA_256),
            )
        });
        static GRAY: LazyLock<Vec<u8>> =
            LazyLock::new(|| profile::gray("Gray Gamma 2.2", &profile::gamma(GAMMA_256)));
        match self {
            Self::Srgb => profile::srgb_profile(),
            Self::DisplayP3 => &DISPLAY_P3,
            Self::AdobeRgb => &ADOBE_RGB,
            Self::Gray => &GRAY,
            Self::Cmyk(profile) => profile.icc(),
        }
    }

    /// Light of sRGB to light of this space; the first row alone is brightness for grey.
    pub(super) fn srgb_to_own(&self) -> [[f64; 3]; 3] {
        let rows = match self {
            Self::DisplayP3 => multiply(&inverse(&P3.to_xyz()), &SRGB_D50),
            Self::AdobeRgb => multiply(&inverse(&ADOBE.to_xyz()), &SRGB_D50),
            Self::Gray => [SRGB_D50[1]; 3],
            Self::Srgb | Self::Cmyk(_) => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        };
        // White stays white to the last bit.
        rows.map(|row| {
            let sum: f64 = row.iter().sum();
            row.map(|v| v / sum)
        })
    }

    /// Stored value (0..=1) of linear light (0..=1).
    pub(super) fn encode(&self, light: f64) -> f64 {
        match self {
            Self::AdobeRgb | Self::Gray => light.max(0.0).powf(256.0 / f64::from(GAMMA_256)),
            Self::Srgb | Self::DisplayP3 | Self::Cmyk(_) => linear_to_srgb(light),
        }
    }
}

/// The gamma of Adobe RGB (1998), in 256ths: 2.199.
const GAMMA_256: u16 = 563;

/// Red, green, blue as (x, y) of CIE 1931, with the white D65.
struct Primaries([[f64; 2]; 3]);

/// SMPTE EG 432-1.
const P3: Primaries = Primaries([[0.680, 0.320], [0.265, 0.690], [0.150, 0.060]]);
/// Adobe RGB (1998) Color Image Encoding, section 4.2.1.
const ADOBE: Primaries = Primaries([[0.640, 0.330], [0.210, 0.710], [0.150, 0.060]]);
const D65: [f64; 2] = [0.3127, 0.3290];
/// White of the connection space.
pub(super) const D50: [f64; 3] = [0.9642, 1.0, 0.8249];

impl Primaries {
    /// Linear light to XYZ, adapted to D50 by Bradford's method (ICC.1:2022 annex E).
    fn to_xyz(&self) -> [[f64; 3]; 3] {
        let of = |[x, y]: [f64; 2]| [x / y, 1.0, (1.0 - x - y) / y];
        let [r, g, b] = self.0.map(of);
        let unscaled: [[f64; 3]; 3] = std::array::from_fn(|i| [r[i], g[i], b[i]]);
        let white = of(D65);
        let scale = apply(&inverse(&unscaled), white);
        let native: [[f64; 3]; 3] =
            std::array::from_fn(|i| std::array::from_fn(|j| unscaled[i][j] * scale[j]));
        const BRADFORD: [[f64; 3]; 3] =
            [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];
        let (from, to) = (apply(&BRADFORD, white), apply(&BRADFORD, D50));
        let gain: [[f64; 3]; 3] =
            std::array::from_fn(|i| std::array::from_fn(|j| if i == j { to[i] / from[i] } else { 0.0 }));
        let adapt = multiply(&inverse(&BRADFORD), &multiply(&gain, &BRADFORD));
        multiply(&adapt, &native)
    }
}

fn apply(m: &[[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

fn columns(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
}
