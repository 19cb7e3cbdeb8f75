//! White balance: what the light was, and the map that makes it neutral.

use pixels::{Bitmap, Rect, ciede2000, linear_to_lab, srgb_u8_to_linear};
use retouch::colour::{
    Adaptation, BACKDROP_SIDE, Backdrop, Matrix, Sampled, adaptation, backdrop, grey_light, linear_bytes,
    luminance, neutralised, patch_light,
};

use super::settings::{Settings, WhiteBalance};
use crate::setting::Rectangle;
use crate::{Colour, Frame, Subject};

/// Cells along the longer side of a patch.
const PATCH_SIDE: usize = 96;

/// The map for the light that the settings say to look at; `None` where none is asked for, or where nothing can be told,
/// which is said.
pub(super) fn measured(frame: &mut Frame, settings: &Settings) -> Option<Matrix> {
    match settings.white_balance {
        WhiteBalance::Off => None,
        WhiteBalance::Auto => by_backdrop(frame),
        WhiteBalance::Patch | WhiteBalance::Target => {
            let patch = settings.patch?;
            let light = light_of_patch(frame, &patch)?;
            let wanted = match settings.white_balance {
                WhiteBalance::Target => settings.patch_color.0.map(srgb_u8_to_linear),
                _ => [luminance(light); 3],
            };
            let map = adaptation(light, wanted, Adaptation::Bradford);
            match map {
                Some(_) => say(frame, "the patch", light, wanted),
                None => frame.note(format!(
                    "the patch is {}, too dark or too pure to tell the light; the white balance was left as it is",
                    Colour(linear_bytes(light))
                )),
            }
            map
        }
    }
}

/// The layer that shows what was there before anything was cut away.
fn whole(frame: &Frame) -> &Subject {
    frame.photo.as_ref().filter(|_| frame.is_cut_out()).unwrap_or(&frame.subject)
}

fn by_backdrop(frame: &mut Frame) -> Option<Matrix> {
    const LEFT: &str = "; the white balance was left as it is";
    let small = Sampled::of(&whole(frame).bitmap, BACKDROP_SIDE, 3);
    let light = match backdrop(&small) {
        Backdrop::Plain { light, share } => {
            frame.confidence(share);
            say(frame, "the backdrop", light, [luminance(light); 3]);
            light
        }
        Backdrop::Clipped => {
            frame.note(format!("the backdrop is clipped to white, which tells nothing of the light{LEFT}"));
            return None;
        }
        Backdrop::Coloured(light) => {
            let colour = Colour(linear_bytes(light));
            frame.note(format!(
                "the backdrop is {colour}, a colour of its own rather than white under some light{LEFT}"
            ));
            return None;
        }
        Backdrop::None => {
            let Some(light) = grey_light(&small) else {
                frame.note(format!(
                    "there is no plain backdrop, and hardly a grey part to tell the light by{LEFT}"
                ));
                return None;
            };
            frame.confidence(0.3);
            frame.note("there is no plain backdrop; nearly grey parts of the picture tell the light, which is a guess");
            say(frame, "the mean of grey parts", light, [luminance(light); 3]);
            light
        }
    };
    neutralised(light, Adaptation::Bradford)
}

fn say(frame: &mut Frame, what: &str, light: [f32; 3], wanted: [f32; 3]) {
    let by = ciede2000(linear_to_lab(light), linear_to_lab(wanted));
    let (from, to) = (Colour(linear_bytes(light)), Colour(linear_bytes(wanted)));
    frame.note(format!("white balance: {what} was {from} and becomes {to}, {by:.1} ΔE2000"));
}

/// The mean light of an area of the canvas.
fn light_of_patch(frame: &mut Frame, patch: &Rectangle) -> Option<[f32; 3]> {
    let layer = whole(frame);
    let light = rect_of(frame, layer, patch)
        .and_then(|rect| patch_light(&Sampled::of_part(&layer.bitmap, rect, PATCH_SIDE, 4)));
    let Some(light) = light else {
        frame.note("`patch` lies where the picture shows nothing; the white balance was left as it is");
        return None;
    };
    if light.iter().any(|&v| v > 0.97) {
        frame.note("the patch is clipped in at least one channel, so that its tint is not known exactly");
    }
    Some(light)
}

/// The part of a layer under an area of the canvas, at least a pixel; `None` where it lies beside the layer.
fn rect_of(frame: &Frame, layer: &Subject, patch: &Rectangle) -> Option<Rect> {
    let bitmap: &Bitmap = &layer.bitmap;
    let span = |from: f64, length: f64, canvas: u32, at: i64, own: u32| -> Option<(u32, u32)> {
        let first = (from * f64::from(canvas)).floor() as i64;
        let last = (((from + length) * f64::from(canvas)).ceil() as i64).max(first + 1);
        let (first, last) = ((first - at).max(0), (last - at).min(i64::from(own)));
        (last > first).then(|| (first as u32, (last - first) as u32))
    };
    let (x, width) = span(patch.x.get(), patch.width.get(), frame.width, layer.x, bitmap.width())?;
    let (y, height) = span(patch.y.get(), patch.height.get(), frame.height, layer.y, bitmap.height())?;
    Some(Rect { x, y, width, height })
}
