//! Photoshop documents, read back by another program's reader.

use ag_psd::psd::{BlendMode, Layer as Found, Psd, ReadOptions};
use pixels::{
    Bitmap, Blend, Channels, ClippingPath, Document, EncodeOptions, Encoding, Layer, LayerMask, Mask,
    MaskValues, Space, TraceOptions, encode, encode_layers, trace,
};

use crate::build::*;

fn read(bytes: &[u8]) -> Psd {
    let options = ReadOptions { use_image_data: Some(true), ..ReadOptions::default() };
    ag_psd::read_psd(bytes, &options).expect("a document")
}

fn options() -> EncodeOptions {
    EncodeOptions::new(Encoding::Psd)
}

fn pixels_of(layer: &Found) -> &[u8] {
    &layer.image_data.as_ref().expect("pixels").data
}

/// Colours as RGBA bytes.
fn rgba(bitmap: &Bitmap) -> Vec<u8> {
    bytes(&bitmap.clone().into_u8().into_rgba()).to_vec()
}

fn disc(width: u32, height: u32) -> Mask {
    let values = (0..width * height)
        .map(|i| {
            let (x, y) = (f64::from(i % width) - 20.0, f64::from(i / width) - 15.0);
            ((12.0 - x.hypot(y)).clamp(-0.5, 0.5) * 255.0 + 127.5).round() as u8
        })
        .collect();
    Mask::new(width, height, values).expect("a mask")
}

#[test]
fn layers_come_back_with_all_that_was_said_about_them() {
    let (background, product, shadow) = (scene(64, 48), scene(40, 30), scene_with_alpha(50, 20));
    let mask = disc(40, 30);
    let layers = vec![
        Layer::new("background", &background),
        Layer {
            opacity: 128, blend: Blend::Multiply, ..Layer::new("Schatten – groß", &shadow).at(20, 30)
        },
        Layer { visible: false, ..Layer::new("original", &product).at(-5, 3) },
        Layer {
            mask: Some(LayerMask { values: MaskValues::Mask(&mask), x: 4, y: 5, outside: 0 }),
            ..Layer::new("product", &product).at(4, 5)
        },
    ];
    let document = Document { merged: &background, layers };
    let file = encode_layers(&document, &EncodeOptions { dpi: Some(300.0), ..options() }).expect("a file");
    assert_eq!(pixels::Format::from_extension("psd"), Some(pixels::Format::Psd));
    let psd = read(&file);
    assert_eq!(
        (psd.width, psd.height, psd.bits_per_channel, psd.channels),
        (64.0, 48.0, Some(8.0), Some(3.0))
    );
    let resources = psd.image_resources.as_ref().expect("resources");
    assert_eq!(resources.resolution_info.as_ref().expect("a resolution").horizontal_resolution, 300.0);
    assert_eq!(psd.image_data.as_ref().expect("the merged picture").data, rgba(&background));
    let found = psd.children.as_ref().expect("layers");
    let names: Vec<&str> = found.iter().filter_map(|l| l.additional_info.name.as_deref()).collect();
    assert_eq!(names, ["background", "Schatten – groß", "original", "product"]);
    assert_eq!(found[1].blend_mode, Some(BlendMode::Multiply));
    assert!((found[1].opacity.expect("an opacity") - 128.0 / 255.0).abs() < 1e-6);
    assert_eq!(
        (found[1].left, found[1].top, found[1].right, found[1].bottom),
        (Some(20.0), Some(30.0), Some(70.0), Some(50.0))
    );
    assert_eq!(pixels_of(&found[1]), rgba(&shadow));
    assert_eq!((found[2].hidden, found[2].left), (Some(true), Some(-5.0)));
    assert_eq!(found[3].hidden, Some(false));
    assert_eq!(pixels_of(&found[3]), rgba(&product));
    let painted = found[3].additional_info.mask.as_ref().expect("a mask");
    assert_eq!((painted.left, painted.top, painted.default_color), (Some(4.0), Some(5.0), Some(0.0)));
    let values: Vec<u8> =
        painted.image_data.as_ref().expect("its values").data.iter().step_by(4).copied().collect();
    assert_eq!(values, mask.values());
}

#[test]
fn what_is_transparent_stays_so_and_lies_on_white() {
    let clear = scene_with_alpha(30, 20);
    let psd = read(&encode(&clear, &options()).expect("a file"));
    assert_eq!(psd.channels, Some(4.0));
    let layer = &psd.children.as_ref().expect("layers")[0];
    let hidden = [0, 0, 0, 0];
    for (found, given) in pixels_of(layer).chunks(4).zip(bytes(&clear).chunks(4)) {
        assert_eq!(found, if given[3] == 0 { &hidden[..] } else { given });
    }
    // The merged picture is on white, its alpha is the fourth channel.
    let merged = &psd.image_data.as_ref().expect("the merged picture").data;
    for (found, given) in merged.chunks(4).zip(bytes(&clear).chunks(4)) {
        assert_eq!(found[3], given[3]);
    }
}

#[test]
fn sixteen_bits_stay_sixteen_bits() {
    for channels in [Channels::Rgb, Channels::Rgba] {
        let picture = deep(37, 23, channels);
        let file =
            encode(&picture, &EncodeOptions { keep_hidden_colours: true, ..options() }).expect("a file");
        let psd = read(&file);
        assert_eq!(psd.bits_per_channel, Some(16.0));
        let layer = &psd.children.as_ref().expect("layers")[0];
        let data = pixels_of(layer);
        // The reader gives 8 or 16 bits, as it finds them.
        if data.len() == 37 * 23 * 8 {
            let found: Vec<u16> =
                data.as_chunks::<2>().0.iter().map(|pair| u16::from_ne_bytes(*pair)).collect();
            assert_eq!(found, words(&picture.clone().into_rgba()));
        } else {
            for (found, given) in data.iter().zip(words(&picture.clone().into_rgba())) {
                assert!(found.abs_diff((given >> 8) as u8) <= 1, "{found} {given}");
            }
        }
    }
}

#[test]
fn paths_profiles_and_rights_are_stored() {
    let picture = scene(64, 48);
    let path = trace(&disc(64, 48), &TraceOptions::default()).expect("a path");
    let given = EncodeOptions {
        space: Space::AdobeRgb,
        clipping_path: Some(ClippingPath { path, name: "Freisteller".to_owned() }),
        copyright: Some("© Studio <Nord>".to_owned()),
        ..options()
    };
    let file = encode(&picture, &given).expect("a file");
    let has = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(has(b"8BIM\x07\xd0\x0bFreisteller") && has(b"8BIM\x0b\xb7"));
    assert!(has("© Studio &lt;Nord&gt;".as_bytes()) && has(b"Compatible with Adobe RGB"));
    let psd = read(&file);
    assert_eq!(psd.image_resources.expect("resources").copyrighted, Some(true));
    assert!(encode(&picture, &EncodeOptions { space: Space::Gray, ..options() }).is_err());
    let small = trace(&disc(40, 30), &TraceOptions::default()).expect("a path");
    let other = Some(ClippingPath { path: small, name: "a".to_owned() });
    assert!(encode(&picture, &EncodeOptions { clipping_path: other, ..options() }).is_err());
}
