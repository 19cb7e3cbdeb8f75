//! Puts a text or a picture over everything.

use std::sync::Arc;

use domain::component::Changes;
use domain::image::ContentHash;
use pixels::{Bitmap, Rect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::{Blend, Colour, Context, Fault, Frame, ImageRef, Length, Mark, Number, Subject};

mod stamp;
mod text;

use text::Lines;

/// Smallest letters that a text is shrunk to, in pixels.
const SMALLEST: f32 = 6.0;

/// Where on the canvas the mark lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Position {
    /// In the top left corner.
    TopLeft,
    /// In the middle of the top edge.
    Top,
    /// In the top right corner.
    TopRight,
    /// In the middle of the left edge.
    Left,
    /// In the middle.
    Center,
    /// In the middle of the right edge.
    Right,
    /// In the bottom left corner.
    BottomLeft,
    /// In the middle of the bottom edge.
    Bottom,
    /// In the bottom right corner.
    BottomRight,
}

impl Position {
    /// Halves of the free width and height that lie left of and above the mark.
    const fn halves(self) -> (i64, i64) {
        match self {
            Self::TopLeft => (0, 0),
            Self::Top => (1, 0),
            Self::TopRight => (2, 0),
            Self::Left => (0, 1),
            Self::Center => (1, 1),
            Self::Right => (2, 1),
            Self::BottomLeft => (0, 2),
            Self::Bottom => (1, 2),
            Self::BottomRight => (2, 2),
        }
    }
}

/// How the mark mixes with what lies under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mix {
    /// It covers what lies under it.
    Normal,
    /// It darkens what lies under it, as ink on paper does; white does not show.
    Multiply,
    /// It lightens what lies under it, as a projector does; black does not show.
    Screen,
}

/// Settings of `watermark`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The text, up to 200 characters; line breaks are kept. Null where a picture is the mark.
    #[schemars(length(max = 200))]
    pub text: Option<String>,
    /// A picture as the mark, named by the SHA-256 of its uploaded file; null where a text is the mark.
    pub image: Option<ImageRef>,
    /// Where on the canvas the mark lies.
    pub position: Position,
    /// Room between the mark and the edges of the canvas, in pixels or in per cent of the canvas's shorter side.
    pub margin: Length<4096, 45>,
    /// Height of the letters' line, in pixels or in per cent of the canvas's shorter side. A text that would be wider
    /// than the canvas less the margins is shrunk to it.
    pub text_size: Length<4096, 100>,
    /// Width of a picture, in pixels or in per cent of the canvas's width. One that would not fit the canvas less the
    /// margins is shrunk to it.
    pub image_width: Length<16384, 100>,
    /// How much of the mark shows.
    #[schemars(extend("x-unit" = "%"))]
    pub opacity: Number<0, 100>,
    /// How far the mark is turned, clockwise.
    #[schemars(extend("x-unit" = "degrees"))]
    pub rotation: Number<-180, 180>,
    /// Whether the mark is repeated all over the canvas; position and margin count for nothing then.
    pub tile: bool,
    /// Room between repeated marks, in pixels or in per cent of the canvas's shorter side.
    pub spacing: Length<4096, 100>,
    /// How the mark mixes with what lies under it.
    pub blend: Mix,
    /// Colour of the letters, sRGB.
    pub color: Colour,
    /// Width of a line around the letters, in pixels or in per cent of the letters' size; it keeps them legible on any
    /// picture.
    pub outline: Length<64, 20>,
    /// Colour of the line around the letters, sRGB.
    pub outline_color: Colour,
    /// How dark a soft shadow under the letters is.
    #[schemars(extend("x-unit" = "%"))]
    pub shadow: Number<0, 100>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            text: None,
            image: None,
            position: Position::BottomRight,
            margin: Length::Percent(3.0),
            text_size: Length::Percent(5.0),
            image_width: Length::Percent(20.0),
            opacity: Number::new(50.0),
            rotation: Number::new(0.0),
            tile: false,
            spacing: Length::Percent(10.0),
            blend: Mix::Normal,
            color: Colour([255; 3]),
            // White letters show on white, too.
            outline: Length::Percent(4.0),
            outline_color: Colour([0; 3]),
            shadow: Number::new(0.0),
        }
    }
}

/// Puts a text or a picture over everything.
pub struct Watermark;

impl Component for Watermark {
    const KIND: &'static str = "watermark";
    const TITLE: &'static str = "Watermark";
    const SUMMARY: &'static str = "Lays a text or a picture over the finished picture, once or all over it.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { background: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let Some(text) = &settings.text else { return Ok(()) };
        if settings.image.is_some() {
            return Err("`text` and `image` are both given; set one of them to null".to_owned());
        }
        if text.trim().is_empty() {
            return Err("`text` is empty; write something, or set it to null".to_owned());
        }
        let length = text.chars().count();
        if length > 200 {
            return Err(format!("`text` has {length} characters, at most 200 are allowed"));
        }
        match text::unknown(text) {
            Some(letter) => Err(format!(
                "`text` has the character `{}`, which the font lacks; use Latin, Greek or Cyrillic letters, or `image`",
                letter.escape_debug()
            )),
            None => Ok(()),
        }
    }

    fn images(settings: &Settings) -> Vec<ContentHash> {
        settings.image.iter().map(|image| image.0).collect()
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let canvas = (frame.width, frame.height);
        let shorter = frame.width.min(frame.height);
        let margin = if settings.tile { 0 } else { settings.margin.px(shorter).min((shorter - 1) / 2) };
        let room = (frame.width - 2 * margin, frame.height - 2 * margin);
        let made = match (&settings.text, &settings.image) {
            (Some(text), _) => written(text, settings, shorter, room)?,
            (None, Some(image)) => {
                let picture = context.image(&image.0)?;
                let wanted = settings.image_width.px(frame.width).max(1);
                let width =
                    wanted.min(fitting((picture.width(), picture.height()), settings.rotation.get(), room));
                stamp::pictured(picture, width)?
            }
            (None, None) => {
                frame.note(
                    "neither a text nor a picture is given, so there is no mark; set `text` or `image`",
                );
                return Ok(());
            }
        };
        context.check_cancelled()?;
        let mut mark = stamp::turned(made, settings.rotation.get())?;
        let (mut x, mut y) = (0, 0);
        if settings.tile {
            mark = stamp::tiled(&mark, canvas, settings.spacing.px(shorter))?;
        } else {
            let (left, top) = settings.position.halves();
            let place = |own: u32, whole: u32, halves: i64| {
                let free = i64::from(whole) - i64::from(own) - 2 * i64::from(margin);
                i64::from(margin) + (free * halves).div_euclid(2)
            };
            (x, y) = (place(mark.width(), canvas.0, left), place(mark.height(), canvas.1, top));
            // Only soft edges ever reach over the canvas.
            let (cut, inside) = cut(&mark, (x, y), canvas)?;
            (mark, x, y) = (cut, inside.0, inside.1);
        }
        frame.marks.push(Mark {
            layer: Subject { bitmap: Arc::new(mark), x, y },
            blend: match settings.blend {
                Mix::Normal => Blend::Normal,
                Mix::Multiply => Blend::Multiply,
                Mix::Screen => Blend::Screen,
            },
            opacity: (settings.opacity.get() / 100.0) as f32,
        });
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 20)
    }
}

/// The largest width at which a picture of that size, turned, fits into `room`.
fn fitting((width, height): (u32, u32), degrees: f64, room: (u32, u32)) -> u32 {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = (f64::from(width), f64::from(height));
    let (wide, tall) =
        ((width * cos).abs() + (height * sin).abs(), (width * sin).abs() + (height * cos).abs());
    let share = (f64::from(room.0) / wide).min(f64::from(room.1) / tall);
    ((width * share) as u32).max(1)
}

/// The text with its line and its shadow.
fn written(text: &str, settings: &Settings, shorter: u32, room: (u32, u32)) -> Result<Bitmap, Fault> {
    let wanted = (settings.text_size.of(shorter) as f32).max(SMALLEST);
    let whole = Lines::of(text, wanted);
    let size = (whole.width.ceil() as u32, whole.height.ceil() as u32);
    // Lines grow with the letters, so that one measure tells how much smaller they have to be.
    let most = fitting(size, settings.rotation.get(), room);
    let size = (wanted * (most as f32 / size.0.max(1) as f32).min(1.0)).max(SMALLEST);
    let lines = if size < wanted { Lines::of(text, size) } else { whole };
    let outline = settings.outline.of(size.round() as u32) as f32;
    let blur = size * 0.06;
    let shade = settings.shadow.get() / 100.0;
    let reach = outline.max(0.0).ceil() + if shade > 0.0 { (blur * 3.0 + size * 0.04).ceil() } else { 0.0 };
    let letters = lines.mask(reach as u32 + 1)?;
    let mut mark = stamp::painted(&letters, settings.color.0, 1.0)?;
    let edge = if outline > 0.0 { retouch::reaching(&letters, outline, 0.5) } else { letters };
    if outline > 0.0 {
        mark = pixels::lay_over(&stamp::painted(&edge, settings.outline_color.0, 1.0)?, &mark)?;
    }
    if shade > 0.0 {
        let down = (size * 0.04).round() as i64;
        let moved = pixels::place_mask(edge.width(), edge.height(), &edge, 0, down)?;
        let soft = pixels::blur_mask(&moved, blur)?;
        mark = pixels::lay_over(&stamp::painted(&soft, [0; 3], shade)?, &mark)?;
    }
    Ok(mark)
}

/// The part of a mark that lies inside the canvas, with its place.
fn cut(mark: &Bitmap, (x, y): (i64, i64), canvas: (u32, u32)) -> Result<(Bitmap, (i64, i64)), Fault> {
    let axis = |at: i64, own: u32, whole: u32| {
        let (first, last) = (at.max(0), (at + i64::from(own)).min(i64::from(whole)));
        ((first - at) as u32, (last - first).max(1) as u32, first)
    };
    let (left, width, x) = axis(x, mark.width(), canvas.0);
    let (top, height, y) = axis(y, mark.height(), canvas.1);
    Ok((pixels::crop(mark, Rect { x: left, y: top, width, height })?, (x, y)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Channels, EncodeOptions, Encoding, PngCompression, Samples};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::StepCache;
    use crate::render::render;

    fn marked(settings: Value, size: (u32, u32), deep: bool) -> (Frame, Bitmap) {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let samples = (0..size.0 * size.1).flat_map(|i| if i % 3 == 0 { [0; 4] } else { [60, 80, 100, 255] });
        let mut bitmap =
            Bitmap::from_u8(size.0, size.1, Channels::Rgba, samples.collect()).expect("a picture");
        if deep {
            bitmap = bitmap.into_u16();
        }
        let mut frame = Frame::new(bitmap, Frame::unread().origin);
        let logo = Bitmap::from_u8(2, 1, Channels::Rgb, vec![255, 0, 0, 0, 0, 255]).expect("2 by 1");
        let options = EncodeOptions::new(Encoding::Png { compression: PngCompression::Small });
        let mut context = Context::new(&cache, &cancel);
        let file = pixels::encode(&logo, &options).expect("a PNG");
        context.images = Arc::new([(ContentHash([7; 32]), file)].into());
        let settings: Settings = serde_json::from_value(settings).expect("settings");
        Watermark::check(&settings).expect("good settings");
        Watermark::run(&mut frame, &settings, &context).expect("marked");
        let out = render(&frame, None, &context).expect("rendered");
        (frame, Arc::unwrap_or_clone(out))
    }

    #[test]
    fn a_mark_lies_where_it_was_told() {
        let hash = ContentHash([7; 32]).to_string();
        let at = |position: &str| {
            let settings = json!({ "image": hash, "imageWidth": 20, "margin": 5, "position": position });
            let (frame, _) = marked(settings, (100, 60), false);
            (frame.marks[0].layer.x, frame.marks[0].layer.y)
        };
        assert_eq!(at("topLeft"), (5, 5));
        assert_eq!(at("center"), (40, 25));
        assert_eq!(at("bottomRight"), (75, 45));
        assert_eq!(at("left"), (5, 25));
    }

    #[test]
    fn settings_that_make_no_mark_are_refused() {
        let refused = |settings: Value| {
            Watermark::check(&serde_json::from_value(settings).expect("settings")).expect_err("refused")
        };
        assert!(refused(json!({ "text": "  " })).starts_with("`text` is empty"));
        assert!(refused(json!({ "text": "写真" })).contains("the character `写`"));
        assert!(refused(json!({ "text": "a".repeat(201) })).contains("at most 200"));
        let both = json!({ "text": "a", "image": ContentHash([7; 32]).to_string() });
        assert!(refused(both).contains("both given"));
    }

    #[test]
    fn marks_go_with_the_canvas() {
        let settings = json!({ "text": "Hxg", "position": "center", "shadow": 0 });
        let (mut frame, _) = marked(settings, (200, 100), false);
        let before = frame.marks[0].layer.clone();
        frame.scale_from((0, 0), (200, 100), (400, 200)).expect("scaled");
        let after = &frame.marks[0].layer;
        assert!(after.bitmap.width().abs_diff(2 * before.bitmap.width()) <= 1);
        assert!((after.x - 2 * before.x).abs() <= 1);
        frame.set_view(crate::frame::View { x: 0, y: 0, width: 20, height: 20 }).expect("cut");
        assert!(frame.marks.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn any_mark_on_any_canvas_keeps_what_it_does_not_cover(
            (width, height) in (1u32..90, 1u32..70), deep in any::<bool>(), tile in any::<bool>(),
            rotation in -180i32..180, size in 1u32..100, outline in 0u32..4, blend in 0usize..3,
            with_image in any::<bool>(),
        ) {
            let image = with_image.then(|| ContentHash([7; 32]).to_string());
            let text = (!with_image).then_some("Àg\nx");
            let settings = json!({
                "text": text, "image": image, "tile": tile, "rotation": rotation, "outline": outline,
                "textSize": format!("{size}%"), "imageWidth": format!("{size}%"), "spacing": "3%",
                "blend": (["normal", "multiply", "screen"][blend]),
            });
            let (frame, out) = marked(settings, (width, height), deep);
            prop_assert_eq!(out.depth(), if deep { 16 } else { 8 });
            let layer = &frame.marks[0].layer;
            prop_assert!(layer.x >= 0 && layer.x + i64::from(layer.bitmap.width()) <= i64::from(width));
            prop_assert!(layer.y >= 0 && layer.y + i64::from(layer.bitmap.height()) <= i64::from(height));
            let covered = pixels::place_mask(width, height, &layer.bitmap.alpha(), layer.x, layer.y).expect("placed");
            let (Samples::U8(before), Samples::U8(after)) = (
                frame.subject.bitmap.as_ref().clone().into_u8().into_samples(),
                out.into_u8().into_samples(),
            ) else { panic!("8 bits") };
            for ((before, after), covered) in before.chunks(4).zip(after.chunks(4)).zip(covered.values()) {
                prop_assert!(*covered > 0 || before == after);
                prop_assert!(after[3] > 0 || after[..3] == [0; 3]);
                prop_assert!(after[3] >= before[3]);
            }
        }
    }
}
