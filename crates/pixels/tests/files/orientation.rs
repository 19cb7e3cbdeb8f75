//! Orientation is applied exactly once, wherever it is stored.

use pixels::{Bitmap, DecodeOptions, orient};

use crate::build::*;

/// How the scene must be stored so that `orientation` turns it upright.
fn stored(scene: &Bitmap, orientation: u8) -> Bitmap {
    let inverse = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    orient(scene.clone(), inverse).expect("1 to 8")
}

fn exif(orientation: u8) -> Vec<u8> {
    [b"Exif\0\0".as_slice(), &exif_orientation(orientation)].concat()
}

#[test]
fn all_eight_show_the_same_scene_in_every_format() {
    let scene = scene(48, 32);
    for orientation in 1..=8 {
        let stored = stored(&scene, orientation);
        let (width, height) = (stored.width(), stored.height());

        let jpeg = with_segment(&rgb_jpeg(&stored), 0xe1, &exif(orientation));
        let decoded = decode(&jpeg);
        assert!(worst(&decoded.bitmap, &scene) <= 8, "JPEG {orientation}");
        assert_eq!(decoded.header.upright_size(), (48, 32));

        let png = png(bytes(&stored), width, height, png::ColorType::Rgb, png::BitDepth::Eight, |_| {});
        assert_eq!(
            decode(&with_chunk(&png, b"eXIf", &exif_orientation(orientation))).bitmap,
            scene,
            "PNG {orientation}"
        );

        let tiff = tiff(
            width,
            height,
            bytes(&stored),
            &[
                (262, 3, vec![2]),
                (258, 3, vec![8, 8, 8]),
                (277, 3, vec![3]),
                (274, 3, vec![u32::from(orientation)]),
            ],
        );
        assert_eq!(decode(&tiff).bitmap, scene, "TIFF {orientation}");

        let webp = webp_with_exif(&stored, &exif_orientation(orientation));
        assert_eq!(decode(&webp).bitmap, scene, "WebP {orientation}");
    }
}

fn webp_with_exif(bitmap: &Bitmap, exif: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = image_webp::WebPEncoder::new(&mut out);
    encoder.set_exif_metadata(exif.to_vec());
    encoder
        .encode(bytes(bitmap), bitmap.width(), bitmap.height(), image_webp::ColorType::Rgb8)
        .expect("a WebP");
    out
}

#[test]
fn a_turned_picture_is_fitted_as_it_is_seen() {
    let scene = scene(640, 320);
    let file = with_segment(&rgb_jpeg(&stored(&scene, 6)), 0xe1, &exif(6));
    let options = DecodeOptions { max_side: Some(160), ..DecodeOptions::default() };
    let decoded = pixels::decode(&file, &options).expect("a JPEG");
    assert_eq!((decoded.bitmap.width(), decoded.bitmap.height()), (160, 80));
    let options = DecodeOptions { fit: Some((200, 100)), ..DecodeOptions::default() };
    let decoded = pixels::decode(&file, &options).expect("a JPEG");
    assert_eq!((decoded.bitmap.width(), decoded.bitmap.height()), (320, 160));
}

#[test]
fn what_is_written_needs_no_turning() {
    let scene = scene(48, 32);
    let file = with_segment(&rgb_jpeg(&stored(&scene, 8)), 0xe1, &exif(8));
    let decoded = decode(&file);
    for encoding in [
        pixels::Encoding::jpeg(95),
        pixels::Encoding::png(),
        pixels::Encoding::webp(95),
        pixels::Encoding::tiff(),
    ] {
        let again = pixels::encode(&decoded.bitmap, &pixels::EncodeOptions::new(encoding)).expect("a file");
        let again = decode(&again);
        assert_eq!(again.header.orientation, 1);
        assert_eq!((again.bitmap.width(), again.bitmap.height()), (48, 32));
    }
}
