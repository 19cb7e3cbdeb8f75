//! Makes small pictures for the front, which does not know how pictures are decoded.

use domain::image::{Facts, Thumbnail, Thumbnailer, Unusable};
use pixels::{DecodeOptions, SMALL_SIDE, Small};

/// Makes WebP files with the decoder's own limits. What is transparent stays so.
#[derive(Debug)]
pub struct SmallPictures {
    limits: pixels::Limits,
}

impl SmallPictures {
    /// Refuses pictures that go beyond these limits.
    pub fn new(limits: pixels::Limits) -> Self {
        Self { limits }
    }

    fn make(&self, bytes: &[u8]) -> Result<Thumbnail, pixels::PixelError> {
        let options = DecodeOptions {
            limits: self.limits,
            max_side: Some(SMALL_SIDE),
            // Better an approximate picture than none: nobody prints a small one.
            assume_device_cmyk: true,
            ..DecodeOptions::default()
        };
        let bitmap = pixels::decode(bytes, &options)?.bitmap;
        Ok(thumbnail(pixels::small(&bitmap)?))
    }
}

/// A small picture as the front takes it.
pub fn thumbnail(small: Small) -> Thumbnail {
    let Small { bytes, media_type, width, height } = small;
    Thumbnail { bytes, facts: Facts { media_type: media_type.to_owned(), width, height } }
}

impl Thumbnailer for SmallPictures {
    fn thumbnail(&self, bytes: &[u8]) -> Result<Thumbnail, Unusable> {
        self.make(bytes).map_err(|error| Unusable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Bitmap, Channels, EncodeOptions, Encoding, Samples};

    use super::*;

    fn png(width: u32, height: u32, channels: Channels, sample: u8) -> Vec<u8> {
        let count = width as usize * height as usize * if channels == Channels::Rgba { 4 } else { 3 };
        let bitmap =
            Bitmap::new(width, height, channels, Samples::U8(vec![sample; count])).expect("a bitmap");
        pixels::encode(&bitmap, &EncodeOptions::new(Encoding::png())).expect("a file")
    }

    fn small(bytes: &[u8]) -> Thumbnail {
        SmallPictures::new(pixels::Limits::default()).thumbnail(bytes).expect("a small picture")
    }

    #[test]
    fn a_large_picture_fits_into_320_pixels_and_a_small_one_stays() {
        let large = small(&png(1600, 800, Channels::Rgb, 200));
        assert_eq!((large.facts.width, large.facts.height), (320, 160));
        assert_eq!(large.facts.media_type, "image/webp");
        let header = pixels::probe(&large.bytes, &pixels::Limits::default()).expect("a WebP file");
        assert_eq!((header.width, header.height), (320, 160));
        let same = small(&png(20, 30, Channels::Rgb, 200));
        assert_eq!((same.facts.width, same.facts.height), (20, 30));
    }

    #[test]
    fn what_is_transparent_stays_so() {
        let made = small(&png(640, 640, Channels::Rgba, 100));
        let decoded = pixels::decode(&made.bytes, &DecodeOptions::default()).expect("a picture").bitmap;
        assert_eq!(decoded.channels(), Channels::Rgba);
        let Samples::U8(samples) = decoded.samples() else { panic!("8 bits") };
        assert_eq!(samples[3], 100, "alpha");
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let made = SmallPictures::new(pixels::Limits::default()).thumbnail(b"no picture");
        assert!(made.is_err());
    }
}
