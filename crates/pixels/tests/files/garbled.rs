//! Whatever the bytes, the answer is a picture or a refusal; never a panic, never a half picture.

use std::sync::LazyLock;

use pixels::{Codec, DecodeOptions, EncodeOptions, Encoding, Limits, encode};
use proptest::prelude::*;

use crate::build::*;

/// One small file of each kind.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files: Vec<Vec<u8>> = [
        Encoding::jpeg(85),
        Encoding::Jpeg {
            quality: 85,
            subsampling: pixels::Subsampling::S444,
            progressive: true,
            optimise: true,
        },
        Encoding::png(),
        Encoding::webp(80),
        Encoding::WebpLossless,
        Encoding::tiff(),
        Encoding::Tiff { compression: pixels::TiffCompression::Lzw },
    ]
    .map(|encoding| encode(&scene(40, 30), &EncodeOptions::new(encoding)).expect("a file"))
    .into();
    for encoding in [Encoding::png(), Encoding::webp(80), Encoding::tiff()] {
        files.push(encode(&scene_with_alpha(40, 30), &EncodeOptions::new(encoding)).expect("a file"));
    }
    let cmyk: Vec<u8> = (0..40 * 30 * 4).map(|i| (i % 251) as u8).collect();
    let cmyk = jpeg(&cmyk, 40, 30, turbojpeg::PixelFormat::CMYK, |c| {
        c.set_colorspace(turbojpeg::Colorspace::YCCK).expect("set");
    });
    files.push(with_icc(&cmyk, &cmyk_profile()));
    files
});

fn options(codec: Codec) -> DecodeOptions {
    // Small, so that a size that was garbled upwards cannot make the test slow.
    let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
    DecodeOptions { codec, limits, ..DecodeOptions::default() }
}

#[test]
fn a_file_that_ends_early_is_refused_in_words() {
    for file in FILES.iter() {
        let format = pixels::sniff(file).expect("a known format");
        for codec in [Codec::Fast, Codec::Safe] {
            for part in 1..20 {
                let cut = &file[..file.len() * part / 20];
                match pixels::decode(cut, &options(codec)) {
                    Ok(_) => panic!("{format} {codec:?} was read from {part}/20 of its bytes"),
                    Err(error) => assert!(error.is_input(), "{error}"),
                }
            }
            let half = pixels::decode(&file[..file.len() * 3 / 4], &options(codec)).expect_err("half a file");
            assert_eq!(half.code(), "picture_truncated", "{format} {codec:?}: {half}");
            assert!(half.to_string().contains("truncated"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbled_files_never_panic(
        which in 0usize..11,
        safe in any::<bool>(),
        cut in 0.0f64..1.2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let mut bytes = FILES[which % FILES.len()].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let end = ((bytes.len() as f64 * cut) as usize).min(bytes.len());
        let codec = if safe { Codec::Safe } else { Codec::Fast };
        match pixels::decode(&bytes[..end], &options(codec)) {
            Ok(decoded) => prop_assert!(decoded.bitmap.width() > 0),
            Err(error) => prop_assert!(error.is_input(), "{error:?}"),
        }
    }

    #[test]
    fn headers_followed_by_noise_never_panic(which in 0usize..11, noise in prop::collection::vec(any::<u8>(), 0..400), keep in 0usize..80) {
        let file = &FILES[which % FILES.len()];
        let bytes = [&file[..keep.min(file.len())], &noise].concat();
        if let Err(error) = pixels::decode(&bytes, &options(Codec::Fast)) {
            prop_assert!(error.is_input(), "{error:?}");
        }
    }
}
