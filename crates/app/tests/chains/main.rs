//! The models of the catalogue against the components that they are chains of: every chain is one, and really makes its
//! picture of a sample photograph. The results lie in the folder `chains` of cargo's temporary folder, to be looked at.
//! `PACKSHOT_TEST_MODELS` names a folder of networks that were fetched; without it the studio matte cuts out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use api::runflow::model::{self, MediaRules, Model, Plan};
use components::{Images, Input, Product, StepCache, Toolbox, catalogue};
use domain::image::{ContentHash, FileName};
use neural::{Runtime, RuntimeOptions};
use pixels::{Bitmap, Channels, EncodeOptions, Encoding, PngCompression, Samples};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

fn found(path: &str) -> &'static Model {
    let (owner, slug) = path.split_once('/').expect("an owner");
    model::find(owner, slug).expect("it is in the catalogue")
}

fn planned(model: &Model, input: &Value) -> Plan {
    let checked = model::validate(model, input, &MediaRules::STRICT)
        .unwrap_or_else(|errors| panic!("{}: {errors:?}", model.path()));
    model::plan(model, &checked).unwrap_or_else(|errors| panic!("{}: {errors:?}", model.path()))
}

fn toolbox() -> Toolbox {
    let runtime = std::env::var_os("PACKSHOT_TEST_MODELS").map(|folder| {
        let options = RuntimeOptions { offline: true, ..RuntimeOptions::new(folder) };
        Arc::new(Runtime::new(options).expect("good options"))
    });
    Toolbox::new(runtime, StepCache::none())
}

fn results() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chains");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs a model's chain on a sample, with a mask where it asks for one; keeps what comes out under `name`.
fn run(path: &str, input: Value, photo: &str, mask: Option<&[u8]>, name: &str) -> Product {
    made(path, input, photo, mask, name).unwrap_or_else(|fault| panic!("{path}: {fault:?}"))
}

fn made(
    path: &str,
    mut input: Value,
    photo: &str,
    mask: Option<&[u8]>,
    name: &str,
) -> Result<Product, components::Fault> {
    input["image_url"] = json!("https://shop.example/photo");
    let plan = planned(found(path), &input);
    let mask = mask.unwrap_or_default().to_vec();
    let hash = ContentHash(Sha256::digest(&mask).into());
    let hashes: BTreeMap<String, ContentHash> =
        plan.further.iter().map(|further| (further.placeholder.to_owned(), hash)).collect();
    let steps = plan.filled(&hashes).expect("every further picture is there");
    let steps = catalogue().check(&steps).unwrap_or_else(|invalid| panic!("{path}: {invalid}"));
    let images: Images = catalogue().images(&steps).into_iter().map(|named| (named, mask.clone())).collect();
    assert_eq!(images.len(), plan.further.len(), "{path}: the steps name the further pictures and no others");
    let bytes = sample(photo);
    let file_name = FileName::clean(&format!("{}.png", plan.name));
    let hash = ContentHash(Sha256::digest(&bytes).into());
    let inputs = [Input { bytes: &bytes, hash, name: &file_name }];
    let product = toolbox().process_together(0, &inputs, images, &steps, &AtomicBool::new(false))?;
    for label in &plan.before {
        assert!(product.more.contains_key(*label), "{path}: there is a picture `{label}`");
    }
    assert_eq!(product.more.len(), plan.before.len(), "{path}: every further file is told of");
    let extension = |media_type: &str| media_type.rsplit('/').next().expect("a subtype").to_owned();
    let file = format!("{name}.{}", extension(product.file.media_type));
    fs::write(results().join(file), &product.file.bytes).expect("written");
    for (label, file) in &product.more {
        fs::write(results().join(format!("{name}-{label}.{}", extension(file.media_type))), &file.bytes)
            .expect("written");
    }
    Ok(product)
}

fn picture(product: &Product) -> Bitmap {
    decoded(&product.file.bytes)
}

fn decoded(bytes: &[u8]) -> Bitmap {
    pixels::decode(bytes, &pixels::DecodeOptions::default()).expect("a picture").bitmap
}

/// The pixel at that place, as RGBA of 8 bit.
fn pixel(bitmap: &Bitmap, x: u32, y: u32) -> [u8; 4] {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bits") };
    let at = (y * bitmap.width() + x) as usize;
    match bitmap.channels() {
        Channels::Rgba => samples.as_chunks::<4>().0[at],
        Channels::Rgb => {
            let [r, g, b] = samples.as_chunks::<3>().0[at];
            [r, g, b, 255]
        }
    }
}

fn size(product: &Product) -> (u32, u32) {
    (product.file.width, product.file.height)
}

/// A mask with a white rectangle, in shares of a picture of 320 by 240.
fn mask(x: f64, y: f64, width: f64, height: f64) -> Vec<u8> {
    let samples = (0..320 * 240)
        .flat_map(|i| {
            let (across, down) = (f64::from(i % 320) / 320.0, f64::from(i / 320) / 240.0);
            let is_in = (x..x + width).contains(&across) && (y..y + height).contains(&down);
            [if is_in { 255 } else { 0 }; 3]
        })
        .collect();
    let bitmap = Bitmap::from_u8(320, 240, Channels::Rgb, samples).expect("320 by 240");
    let options = EncodeOptions::new(Encoding::Png { compression: PngCompression::Small });
    pixels::encode(&bitmap, &options).expect("a PNG")
}

#[test]
fn every_example_is_a_chain_of_components() {
    let hash = ContentHash([7; 32]);
    for model in model::all() {
        for example in &model.examples {
            let plan = planned(model, &example.input);
            let hashes = plan.further.iter().map(|further| (further.placeholder.to_owned(), hash)).collect();
            let steps = plan.filled(&hashes).expect("filled");
            let checked = catalogue().check(&steps);
            let checked = checked.unwrap_or_else(|invalid| panic!("{}: {invalid}", model.path()));
            let named = catalogue().images(&checked);
            assert_eq!(named.len(), plan.further.len(), "{}", model.path());
        }
    }
}

#[test]
fn every_value_of_every_choice_is_a_chain_of_components() {
    let url = "https://shop.example/photo.jpg";
    let mut inputs = Vec::new();
    for ratio in ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "25:36"] {
        for resolution in ["1K", "2K", "4K"] {
            let input = json!({ "image_url": url, "aspect_ratio": ratio, "resolution": resolution });
            if ratio != "25:36" {
                inputs.push(("runflow/product-isolation", input.clone()));
            }
            inputs.push(("runflow/smart-resize", input));
        }
    }
    for share in [json!(0), json!(200), json!(33.333_333_333), json!(1e-9)] {
        let input = json!({
            "image_url": url, "expand_top": share, "expand_bottom": share, "expand_left": share, "expand_right": share,
        });
        inputs.push(("runflow/outpaint", input));
    }
    for way in ["Standard V2", "High Fidelity V2", "Low Resolution V2", "CGI"] {
        for (factor, format) in
            [(json!(1), "png"), (json!(1.25), "jpg"), (json!(3), "jpeg"), (json!(4), "webp")]
        {
            let input =
                json!({ "image_url": url, "model": way, "upscale_factor": factor, "output_format": format });
            inputs.push(("topaz/upscale/image", input));
        }
    }
    for ratio in ["20:1", "1:20", "1.5 : 1", "100:99"] {
        inputs.push((
            "runflow/background-removal",
            json!({ "image_url": url, "config": { "aspect_ratio": ratio } }),
        ));
    }
    for (path, input) in inputs {
        let plan = planned(found(path), &input);
        catalogue().check(&plan.steps).unwrap_or_else(|invalid| panic!("{path}: {input}: {invalid}"));
    }
}

#[test]
fn a_cut_out_is_transparent_and_keeps_its_place() {
    for path in ["runflow/background-removal", "bria/background/remove"] {
        let product = run(path, json!({}), "pliers.jpg", None, &path.replace('/', "-"));
        let bitmap = picture(&product);
        assert_eq!((product.file.media_type, size(&product)), ("image/png", (750, 295)));
        assert_eq!((pixel(&bitmap, 2, 2)[3], pixel(&bitmap, 420, 60)[3]), (0, 255));
    }
    let config = json!({ "config": { "aspect_ratio": "4:5" } });
    let product = run("runflow/background-removal", config, "pliers.jpg", None, "background-removal-4-5");
    assert_eq!(size(&product), (750, 938));
    assert_eq!(pixel(&picture(&product), 420, 60 + (938 - 295) / 2)[3], 255);
}

#[test]
fn a_product_stands_alone_on_white() {
    let input = json!({ "aspect_ratio": "4:5", "resolution": "1K", "prompt": "on marble" });
    let product = run("runflow/product-isolation", input, "teacup.webp", None, "product-isolation");
    let bitmap = picture(&product);
    assert_eq!(
        (product.file.media_type, size(&product), bitmap.channels()),
        ("image/png", (819, 1024), Channels::Rgb)
    );
    for (x, y) in [(0, 0), (818, 0), (0, 1023), (818, 1023), (409, 100)] {
        assert_eq!(pixel(&bitmap, x, y), [255; 4]);
    }
    assert_ne!(pixel(&bitmap, 409, 512), [255; 4]);
}

#[test]
fn a_backdrop_has_exactly_the_colour() {
    let input = json!({ "color_red": 12, "color_green": "140", "color_blue": 96.0 });
    let product = run("runflow/background-color", input, "pliers.jpg", None, "background-color");
    let bitmap = picture(&product);
    assert_eq!((size(&product), pixel(&bitmap, 1, 1)), ((750, 295), [12, 140, 96, 255]));
}

#[test]
fn a_picture_gets_another_shape_and_nothing_is_cut_off() {
    let input = |ratio: &str| json!({ "aspect_ratio": ratio, "resolution": "1K" });
    let product = run("runflow/smart-resize", input("9:16"), "teacup.webp", None, "smart-resize");
    assert_eq!((product.file.media_type, size(&product)), ("image/webp", (576, 1024)));
    let bitmap = picture(&product);
    // The backdrop goes on: above the old edge it is about as light as below.
    let edge = (1024 - 576 * 247 / 320) / 2;
    for x in [20, 288, 556] {
        let (above, below) = (pixel(&bitmap, x, edge - 6), pixel(&bitmap, x, edge + 6));
        assert!(above[0].abs_diff(below[0]) <= 4, "{above:?} and {below:?}");
    }
    let product = run("runflow/smart-resize", input("21:9"), "tape-measure.jpg", None, "smart-resize-wood");
    assert_eq!(size(&product), (1024, 439));
    let product = run("runflow/smart-resize", input("1:1"), "coffee-cup.jpg", None, "smart-resize-padded");
    assert_eq!(size(&product), (1024, 1024));
    assert!(product.reports[1].notes.iter().any(|note| note.contains("not plain")), "{:?}", product.reports);
}

#[test]
fn plain_surroundings_are_continued_and_others_refused() {
    let input = json!({ "expand_top": 60, "expand_bottom": 20, "expand_left": 50, "expand_right": 0 });
    let product = run("runflow/outpaint", input.clone(), "teacup.webp", None, "outpaint");
    assert_eq!((product.file.media_type, size(&product)), ("image/png", (480, 444)));
    let (old, new) = (decoded(&sample("teacup.webp")), picture(&product));
    for (x, y) in [(0, 0), (160, 130), (319, 246)] {
        assert_eq!(pixel(&new, x + 160, y + 148), pixel(&old, x, y), "the picture stays as it is");
    }
    let fault =
        made("runflow/outpaint", input, "coffee-cup.jpg", None, "outpaint-refused").expect_err("wood");
    assert_eq!(fault.code, "surroundings_not_plain");
}

#[test]
fn what_is_marked_goes() {
    let all_of_it = mask(0.12, 0.34, 0.8, 0.54);
    let masked = json!({ "mask_url": "https://shop.example/mask.png" });
    let product = run("runflow/object-removal", masked, "teacup.webp", Some(&all_of_it), "object-removal");
    assert_eq!((product.file.media_type, size(&product)), ("image/png", (320, 247)));
    let [r, g, b, _] = pixel(&picture(&product), 160, 160);
    assert!([r, g, b].iter().all(|level| (150..230).contains(level)), "the backdrop is there: {r} {g} {b}");
    let corner = json!({ "config": { "box": { "x": 0.42, "y": 0.5, "width": 0.15, "height": 0.17 } } });
    let product = run("runflow/tag-removal", corner, "teacup.webp", None, "tag-removal");
    let (old, new) = (decoded(&sample("teacup.webp")), picture(&product));
    assert_ne!(pixel(&new, 160, 143), pixel(&old, 160, 143), "the butterfly is gone");
    assert_eq!(pixel(&new, 60, 170), pixel(&old, 60, 170), "what is not marked stays");
    let wide = json!({
        "config": { "aspect_ratio": "16:9", "mask_url": "https://shop.example/mask.png" },
    });
    let butterfly = mask(0.42, 0.5, 0.15, 0.17);
    let product = run("runflow/tag-removal", wide, "teacup.webp", Some(&butterfly), "tag-removal-wide");
    assert_eq!(size(&product), (439, 247));
}

#[test]
fn every_stage_has_its_picture() {
    let input = json!({
        "mask_url": "https://shop.example/mask.png",
        "config": {
            "elements": ["tag_removal", "product_isolation", "background_removal"], "aspect_ratio": "1:1",
        },
    });
    let butterfly = mask(0.42, 0.5, 0.15, 0.17);
    let product = run("runflow/dyver-removal", input, "teacup.webp", Some(&butterfly), "dyver");
    assert_eq!((size(&product), pixel(&picture(&product), 3, 3)[3]), ((320, 320), 0));
    let stage = |label: &str| decoded(&product.more[label].bytes);
    let (tag, isolated) = (stage("tag_removal"), stage("product_isolation"));
    assert_eq!((tag.width(), tag.height()), (320, 320));
    assert_eq!(pixel(&isolated, 3, 3), [255; 4]);
    assert_ne!(pixel(&tag, 3, 60), [255; 4], "the photo's own backdrop");
    let only = json!({ "config": { "elements": ["product_isolation"] } });
    let product = run("runflow/dyver-removal", only, "pliers.jpg", None, "dyver-isolation");
    assert_eq!((size(&product), pixel(&picture(&product), 0, 0)), ((750, 295), [255; 4]));
}

#[test]
fn skin_and_size_come_out_as_they_should() {
    let product = run("runflow/skin-fix", json!({}), "tape-measure.jpg", None, "skin-fix");
    assert_eq!(size(&product), (640, 480));
    let (old, new) = (decoded(&sample("tape-measure.jpg")), picture(&product));
    assert_eq!(pixel(&new, 300, 400), pixel(&old, 300, 400), "without a face nothing is skin");
    let input = json!({ "upscale_factor": 2.5, "output_format": "jpeg" });
    let product = run("topaz/upscale/image", input, "tape-measure.jpg", None, "upscale");
    assert_eq!((product.file.media_type, size(&product)), ("image/jpeg", (1600, 1200)));
}
