//! What `skinRetouch` promises on the pictures of its golden cases.

use std::fs;

use pixels::{Bitmap, Samples};
use serde_json::{Value, json};

use crate::golden::{cases, made, pixels_of, png, recorded};

fn retouched(case: &str, input: &[u8], more: Value) -> Bitmap {
    let folder = cases().join("skinRetouch").join(case);
    let settings = fs::read_to_string(folder.join("settings.json")).expect("settings");
    let mut settings: Value = serde_json::from_str(&settings).expect("JSON");
    for (name, value) in more.as_object().expect("settings") {
        settings[name] = value.clone();
    }
    let product = made("skinRetouch", settings, &folder, input, Some(recorded())).expect("retouched");
    pixels_of(&product.file.bytes)
}

fn levels(bitmap: Bitmap) -> Vec<u16> {
    match bitmap.without_alpha().into_u16().into_samples() {
        Samples::U16(samples) => samples,
        Samples::U8(_) => unreachable!("16 bits were asked for"),
    }
}

/// Pixels that the mask does not show keep their bytes: lips, eyes, brows, hair, cloth and the backdrop, on a real face too.
#[test]
fn what_is_not_dyed_is_not_changed() {
    for case in ["face", "forearm-marked", "forearm-by-colour"] {
        let input = fs::read(cases().join("skinRetouch").join(case).join("in.png")).expect("a picture");
        let deep = png(&pixels_of(&input).into_u16());
        for input in [input, deep] {
            let before = pixels_of(&input);
            let depth = before.depth();
            let strong = json!({ "strength": 100, "texture": 0, "evenTone": 100, "blemishes": 100, "moles": "remove" });
            let after = retouched(case, &input, strong);
            assert_eq!(after.depth(), depth, "{case}");
            let dyed = levels(retouched(case, &input, json!({ "show": "mask" })));
            let (before, after) = (levels(before), levels(after));
            let pixels = before.chunks(3).zip(after.chunks(3)).zip(dyed.chunks(3));
            let changed = pixels.clone().filter(|((before, after), _)| before != after).count();
            assert!(changed * 20 > before.len() / 3, "{case}: {changed} pixels changed");
            let outside = pixels.filter(|((before, after), dyed)| before != after && before == dyed).count();
            assert_eq!(outside, 0, "{case} at {depth} bits");
        }
    }
}
