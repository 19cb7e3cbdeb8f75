//! Which format a file is, told from its first bytes and never from its name.

use std::fmt;

use crate::PixelError;

/// A picture format that is written; all but AVIF and PSD are read, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG (ITU-T T.81), in a JFIF, Exif or Adobe container.
    Jpeg,
    /// PNG (W3C, third edition).
    Png,
    /// WebP (RFC 9649).
    WebP,
    /// TIFF 6.0, and BigTIFF when reading.
    Tiff,
    /// AVIF (AV1 Image File Format 1.1); written only.
    Avif,
    /// Photoshop document; written only.
    Psd,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Jpeg, Self::Png, Self::WebP, Self::Tiff, Self::Avif, Self::Psd];

    /// Media type, such as `image/jpeg`.
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Avif => "image/avif",
            Self::Psd => "image/vnd.adobe.photoshop",
        }
    }

    /// Usual file name extension without the dot, such as `jpg`.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Tiff => "tif",
            Self::Avif => "avif",
            Self::Psd => "psd",
        }
    }

    /// Format of a media type; upper case and parameters (`; q=1`) do not matter.
    pub fn from_mime(mime: &str) -> Option<Self> {
        let essence = mime.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "image/jpeg" | "image/jpg" | "image/pjpeg" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            "image/webp" => Some(Self::WebP),
            "image/tiff" | "image/tif" => Some(Self::Tiff),
            "image/avif" => Some(Self::Avif),
            "image/vnd.adobe.photoshop" | "image/x-photoshop" => Some(Self::Psd),
            _ => None,
        }
    }

    /// Format of a file name extension without the dot; upper case does not matter.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "jpe" | "jfif" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::WebP),
            "tif" | "tiff" => Some(Self::Tiff),
            "avif" => Some(Self::Avif),
            "psd" => Some(Self::Psd),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Avif => "AVIF",
            Self::Psd => "PSD",
        })
    }
}

/// Format that the first bytes announce, among those that are read; 16 bytes are enough.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
        // 42 is TIFF, 43 BigTIFF; in the byte order that the first two letters announce.
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
        _ => None,
    }
}

/// The same, with the refusal that tells the sender what the bytes are instead.
pub(crate) fn recognise(bytes: &[u8]) -> Result<Format, PixelError> {
    if bytes.is_empty() {
        return Err(PixelError::Empty);
    }
    sniff(bytes).ok_or_else(|| {
        foreign(bytes).map_or(PixelError::UnknownFormat, |name| PixelError::UnsupportedFormat { name })
    })
}

/// Name of a format that is recognised only to be refused by its name.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => Some("GIF"),
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some("BMP"),
        [b'8', b'B', b'P', b'S', ..] => Some("PSD"),
        [b'%', b'P', b'D', b'F', ..] => Some("PDF"),
        [b'%', b'!', b'P', b'S', ..] => Some("PostScript"),
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => Some("JPEG XL"),
        [0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..] => Some("JPEG 2000"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4) {
            Some(b"avif" | b"avis") => Some("AVIF"),
            Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => Some("HEIC"),
            Some(b"crx ") => Some("Canon raw"),
            _ => Some("ISO media"),
        },
        _ if text.starts_with(b"<svg") => Some("SVG"),
        _ if text.starts_with(b"<?xml") && text.windows(4).take(1024).any(|w| w == b"<svg") => Some("SVG"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_from_their_first_bytes() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0\0\x10JFIF"), Some(Format::Jpeg));
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Some(Format::Png));
        assert_eq!(sniff(b"RIFF\x24\0\0\0WEBPVP8 "), Some(Format::WebP));
        assert_eq!(sniff(b"II*\0\x08\0\0\0"), Some(Format::Tiff));
        assert_eq!(sniff(b"MM\0*\0\0\0\x08"), Some(Format::Tiff));
        assert_eq!(sniff(b"GIF89a"), None);
        assert_eq!(sniff(b""), None);
    }

    #[test]
    fn foreign_formats_are_refused_by_name() {
        let message = |bytes: &[u8]| recognise(bytes).expect_err("not one of ours").to_string();
        assert!(message(b"GIF89a\x01\0\x01\0").contains("`GIF`"));
        assert!(message(b"\0\0\0\x20ftypheic\0\0\0\0").contains("`HEIC`"));
        assert!(message(b"\0\0\0\x20ftypavif\0\0\0\0").contains("`AVIF`"));
        assert!(message(b"8BPS\0\x01\0\0").contains("`PSD`"));
        assert!(message(b"<?xml version=\"1.0\"?>\n<svg>").contains("`SVG`"));
        assert!(message(b"just a text file").contains("no picture"));
        assert!(message(b"").contains("empty"));
    }

    #[test]
    fn names_lead_back_to_the_format() {
        for format in Format::ALL {
            assert_eq!(Format::from_mime(format.mime()), Some(format));
            assert_eq!(Format::from_extension(format.extension()), Some(format));
        }
        assert_eq!(Format::from_mime("IMAGE/JPEG; charset=binary"), Some(Format::Jpeg));
        assert_eq!(Format::from_mime("image/gif"), None);
        assert_eq!(Format::from_extension("TIFF"), Some(Format::Tiff));
    }
}
