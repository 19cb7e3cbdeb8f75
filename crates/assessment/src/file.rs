//! What is known of the file that a picture came in.

use pixels::{Format, sniff};

/// The luminance table of ITU-T T.81 annex K.1, in the zigzag order in which files hold it.
const ANNEX_K_LUMINANCE: [u16; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40,
    58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103,
    104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];

/// Facts about an encoded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFile {
    /// Its format, as its first bytes announce it; `None` when they announce none that is known.
    pub format: Option<Format>,
    /// Its length in bytes.
    pub bytes: u64,
    /// The luminance quantisation table of a JPEG.
    pub quantisation: Option<Quantisation>,
}

impl EncodedFile {
    /// Looks at a file's header; never fails, whatever the bytes are.
    pub fn of(bytes: &[u8]) -> Self {
        let format = sniff(bytes);
        let quantisation = (format == Some(Format::Jpeg)).then(|| Quantisation::of(bytes)).flatten();
        Self { format, bytes: bytes.len() as u64, quantisation }
    }
}

/// A quantisation table of a JPEG: 64 steps in zigzag order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantisation(pub [u16; 64]);

impl Quantisation {
    /// The table that the first component (luminance) names in the frame header, from the segments before the scan.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut tables: [Option<Self>; 4] = [None; 4];
        let mut at = 2;
        let mut chosen = 0;
        loop {
            // Any number of 0xff may stand before a marker (T.81 B.1.1.2).
            while bytes.get(at) == Some(&0xff) && bytes.get(at + 1) == Some(&0xff) {
                at += 1;
            }
            let (Some(0xff), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) else { break };
            if marker == 0xda || marker == 0xd9 {
                break;
            }
            if marker == 0x01 || (0xd0..=0xd8).contains(&marker) {
                at += 2;
                continue;
            }
            let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
            let body = bytes.get(at + 4..at + 2 + length)?;
            match marker {
                0xdb => Self::read_all(body, &mut tables),
                // Frame headers but for DHT, JPG and DAC: precision, size, then id, sampling and table of each component.
                0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                    chosen = usize::from(*body.get(8)?).min(3);
                }
                _ => {}
            }
            at += 2 + length;
        }
        tables[chosen]
    }

    fn read_all(mut body: &[u8], tables: &mut [Option<Self>; 4]) {
        while let Some((&head, rest)) = body.split_first() {
            let wide = head >> 4 != 0;
            let size = if wide { 128 } else { 64 };
            let Some(values) = rest.get(..size) else { return };
            let mut table = [0u16; 64];
            for (index, slot) in table.iter_mut().enumerate() {
                *slot = if wide {
                    u16::from_be_bytes([values[2 * index], values[2 * index + 1]])
                } else {
                    u16::from(values[index])
                };
            }
            tables[usize::from(head & 3)] = Some(Self(table));
            body = &rest[size..];
        }
    }

    /// The quality 1..=100 at which the Independent JPEG Group's encoder would quantise about as coarsely.
    ///
    /// Its `jpeg_quality_scaling` multiplies annex K's table by 5000 / q percent below q = 50 and by 200 − 2 q percent from
    /// there on; the mean of the factors is inverted. Exact to one for files of that encoder, an equivalent for others.
    pub fn quality(&self) -> f64 {
        let factors = || {
            self.0
                .iter()
                .zip(ANNEX_K_LUMINANCE)
                .map(|(&step, base)| (step, 100.0 * f64::from(step) / f64::from(base)))
        };
        // Baseline files hold no more than 255: what was cut off there says nothing, unless all of it was.
        let told: Vec<f64> = factors().filter(|(step, _)| *step < 255).map(|(_, factor)| factor).collect();
        let told = if told.is_empty() { factors().map(|(_, factor)| factor).collect() } else { told };
        let percent = told.iter().sum::<f64>() / told.len() as f64;
        let quality = if percent <= 100.0 { (200.0 - percent) / 2.0 } else { 5000.0 / percent };
        quality.clamp(1.0, 100.0)
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Bitmap, Channels, EncodeOptions, Encoding, Subsampling, encode};

    use super::*;

    #[test]
    fn the_quality_of_our_own_files_is_read_back() {
        let samples = (0..64 * 48 * 3).map(|i| (i % 251) as u8).collect();
        let picture = Bitmap::from_u8(64, 48, Channels::Rgb, samples).expect("the right number");
        for quality in [10, 35, 50, 75, 90, 97] {
            for progressive in [false, true] {
                let encoding =
                    Encoding::Jpeg { quality, subsampling: Subsampling::S420, progressive, optimise: false };
                let bytes = encode(&picture, &EncodeOptions::new(encoding)).expect("a file");
                let file = EncodedFile::of(&bytes);
                assert_eq!(file.format, Some(Format::Jpeg));
                let found = file.quantisation.expect("a table").quality();
                assert!((found - f64::from(quality)).abs() < 1.5, "{found}, not {quality}");
            }
        }
    }

    #[test]
    fn damaged_headers_have_no_table() {
        for bytes in [
            &b""[..],
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xdb\0",
            b"\xff\xd8\xff\xdb\0\x01",
            b"\xff\xd8\xff\xff\xff",
        ] {
            assert_eq!(EncodedFile::of(bytes).quantisation, None);
        }
        // A length shorter than itself and one that reaches beyond the end.
        assert_eq!(EncodedFile::of(b"\xff\xd8\xff\xdb\0\0\0\0").quantisation, None);
        assert_eq!(EncodedFile::of(b"\xff\xd8\xff\xdb\xff\xff\0\0").quantisation, None);
    }
}
