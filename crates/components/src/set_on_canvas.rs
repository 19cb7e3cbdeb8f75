//! Places the subject on a canvas of a given size.

use domain::component::Changes;
use pixels::Rect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::frame::View;
use crate::{Context, Fault, Frame, Length, Number, Whole};

/// Room on one side of a canvas.
pub type Margin = Length<8192, 49>;

/// Where the subject stands across.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Horizontal {
    /// At the left margin.
    Left,
    /// In the middle between the margins.
    Center,
    /// At the right margin.
    Right,
}

/// Where the subject stands from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Vertical {
    /// At the top margin.
    Top,
    /// In the middle between the margins.
    Center,
    /// At the bottom margin: several products stand on one line.
    Bottom,
}

/// How the subject is scaled to the room between the margins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fit {
    /// As large as fits: nothing of it is cut off.
    Contain,
    /// So large that no room is left free; what stands over the margins is cut off.
    Cover,
    /// Not at all, unless it is larger than the room.
    None,
}

/// What is measured and aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// What shows of the subject, without shadows.
    Subject,
    /// The whole picture, transparent parts included.
    Original,
}

/// What happens to a side on which the photo cuts the subject off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SnapCroppedSides {
    /// It stands at the canvas's edge, without a margin, so that the cut does not show. Use it before any `crop`.
    Auto,
    /// It gets its margin like any other.
    Never,
}

/// Settings of `setOnCanvas`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Width of the canvas.
    #[schemars(extend("x-unit" = "px"))]
    pub width: Whole<1, 16384>,
    /// Height of the canvas.
    #[schemars(extend("x-unit" = "px"))]
    pub height: Whole<1, 16384>,
    /// Room above the subject, in pixels or in per cent of the canvas's height.
    pub margin_top: Margin,
    /// Room right of the subject, in pixels or in per cent of the canvas's width.
    pub margin_right: Margin,
    /// Room under the subject, in pixels or in per cent of the canvas's height.
    pub margin_bottom: Margin,
    /// Room left of the subject, in pixels or in per cent of the canvas's width.
    pub margin_left: Margin,
    /// Where the subject stands across, where there is room to spare.
    pub horizontal_alignment: Horizontal,
    /// Where the subject stands from top to bottom, where there is room to spare.
    pub vertical_alignment: Vertical,
    /// How the subject is scaled to the room between the margins.
    pub fit: Fit,
    /// What is measured and aligned.
    pub reference: Reference,
    /// Whether a subject smaller than the room is enlarged; otherwise it keeps its size, because enlarging blurs it.
    pub upscale: bool,
    /// How far a subject is enlarged at most, where `upscale` allows it; null sets no limit.
    #[schemars(extend("x-unit" = "%"))]
    pub max_upscale: Option<Number<100, 1600>>,
    /// Share of the canvas that the subject fills at least, along whichever side it fills more; margins give way.
    #[schemars(extend("x-unit" = "%"))]
    pub min_fill: Option<Number<1, 100>>,
    /// Share of the canvas that the subject fills at most, along whichever side it fills more.
    #[schemars(extend("x-unit" = "%"))]
    pub max_fill: Option<Number<1, 100>>,
    /// Height of the line that the subject's foot stands on, above the canvas's lower edge, in pixels or in per cent of
    /// the canvas's height: products of any height stand on one line. Takes the place of `verticalAlignment`.
    pub baseline: Option<Length<16384, 100>>,
    /// Whether the middle is where the subject looks heaviest (the centre of its mask) rather than the middle of its
    /// outline; applies where an alignment is `center`, and leaves the margins whole.
    pub optical_centering: bool,
    /// What happens to a side on which the photo cuts the subject off.
    pub snap_cropped_sides: SnapCroppedSides,
}

impl Default for Settings {
    fn default() -> Self {
        let margin = Length::Percent(5.0);
        Self {
            width: Whole::new(2048),
            height: Whole::new(2048),
            margin_top: margin,
            margin_right: margin,
            margin_bottom: margin,
            margin_left: margin,
            horizontal_alignment: Horizontal::Center,
            vertical_alignment: Vertical::Center,
            fit: Fit::Contain,
            reference: Reference::Subject,
            upscale: false,
            max_upscale: None,
            min_fill: None,
            max_fill: None,
            baseline: None,
            optical_centering: false,
            snap_cropped_sides: SnapCroppedSides::Never,
        }
    }
}

impl Settings {
    /// The room between the margins; sides that are snapped have none.
    fn room(&self, snapped: Sides) -> Room {
        let (width, height) = (self.width.get(), self.height.get());
        let unless = |snapped: bool, margin: Margin, whole: u32| if snapped { 0 } else { margin.px(whole) };
        let left = unless(snapped.left, self.margin_left, width);
        let right = unless(snapped.right, self.margin_right, width);
        let top = unless(snapped.top, self.margin_top, height);
        let bottom = unless(snapped.bottom, self.margin_bottom, height);
        Room {
            left,
            top,
            width: width.saturating_sub(left + right),
            height: height.saturating_sub(top + bottom),
        }
    }

    /// The most that is needed of a picture that comes straight from its file, if that can be told.
    pub(crate) fn needs(&self) -> Option<(u32, u32)> {
        let room = self.room(Sides::default());
        let by_room =
            self.reference == Reference::Original && self.fit == Fit::Contain && self.min_fill.is_none();
        by_room.then_some((room.width, room.height))
    }
}

/// Places the subject on a canvas of a given size.
pub struct SetOnCanvas;

impl Component for SetOnCanvas {
    const KIND: &'static str = "setOnCanvas";
    const TITLE: &'static str = "Set on canvas";
    const SUMMARY: &'static str =
        "Scales the subject to the room between the margins of a canvas and places it there.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let Room { width, height, .. } = settings.room(Sides::default());
        let canvas = (settings.width.get(), settings.height.get());
        if let (Some(least), Some(most)) = (settings.min_fill, settings.max_fill)
            && least.get() > most.get()
        {
            return Err(format!(
                "`minFill` is {}, which is more than `maxFill` ({}); make it smaller",
                least.get(),
                most.get()
            ));
        }
        if settings.max_upscale.is_some() && !settings.upscale {
            return Err("`maxUpscale` needs `upscale`; switch it on, or take the limit away".into());
        }
        if width == 0 {
            return Err(format!(
                "`marginLeft` and `marginRight` leave no room on a canvas {} pixels wide; make them smaller",
                canvas.0
            ));
        }
        if height == 0 {
            return Err(format!(
                "`marginTop` and `marginBottom` leave no room on a canvas {} pixels high; make them smaller",
                canvas.1
            ));
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let (measured, snapped) = match settings.reference {
            Reference::Subject => {
                // What is too faint to be measured is cut, so that the edges fall on whole pixels.
                let bounds = frame.subject_bounds()?;
                let snapped = match settings.snap_cropped_sides {
                    SnapCroppedSides::Auto => cut_off(frame, bounds),
                    SnapCroppedSides::Never => Sides::default(),
                };
                frame.trim_subject(bounds)?;
                (bounds, snapped)
            }
            Reference::Original => {
                (Rect { x: 0, y: 0, width: frame.width, height: frame.height }, Sides::default())
            }
        };
        let room = settings.room(snapped);
        let canvas = (settings.width.get(), settings.height.get());
        let target = target_size((measured.width, measured.height), &room, canvas, settings);
        context.check_cancelled()?;
        let centre = match settings.optical_centering {
            true => centre_of_mass(frame, measured),
            false => (0.5, 0.5),
        };
        let across = match settings.horizontal_alignment {
            _ if snapped.left && !snapped.right => Stand::Start,
            _ if snapped.right && !snapped.left => Stand::End,
            Horizontal::Left => Stand::Start,
            Horizontal::Center => Stand::Middle(centre.0),
            Horizontal::Right => Stand::End,
        };
        let down = match settings.vertical_alignment {
            _ if snapped.top && !snapped.bottom => Stand::Start,
            _ if snapped.bottom && !snapped.top => Stand::End,
            Vertical::Top => Stand::Start,
            Vertical::Center => Stand::Middle(centre.1),
            Vertical::Bottom => Stand::End,
        };
        // Where what is measured will begin, on the new canvas.
        let to_x = i64::from(room.left) + across.begin(room.width, target.0);
        let to_y = match settings.baseline.filter(|_| !snapped.bottom) {
            Some(line) => i64::from(canvas.1) - i64::from(line.px(canvas.1)) - i64::from(target.1),
            None => i64::from(room.top) + down.begin(room.height, target.1),
        };
        frame.scale_from((measured.x, measured.y), (measured.width, measured.height), target)?;
        frame.set_view(View { x: -to_x, y: -to_y, width: canvas.0, height: canvas.1 })?;
        tell(frame, (measured.width, measured.height), target, &room, canvas, settings);
        frame.fixed_size = true;
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 12)
    }
}

/// The room between the margins, in pixels of the canvas.
struct Room {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// Sides of a subject.
#[derive(Clone, Copy, Default)]
struct Sides {
    left: bool,
    top: bool,
    right: bool,
    bottom: bool,
}

/// Where a length stands in its room.
enum Stand {
    /// At its beginning.
    Start,
    /// With this share of the length in the middle of the room, as far as it stays inside.
    Middle(f64),
    /// At its end.
    End,
}

impl Stand {
    /// Pixels from the beginning of the room to the length's own; negative where it is longer than the room.
    fn begin(&self, room: u32, length: u32) -> i64 {
        let spare = f64::from(room) - f64::from(length);
        match self {
            Self::Start => 0,
            Self::End => spare as i64,
            Self::Middle(share) => {
                let begin = f64::from(room) / 2.0 - f64::from(length) * share;
                begin.clamp(spare.min(0.0), spare.max(0.0)).floor() as i64
            }
        }
    }
}

/// The sides on which the picture's edge cuts the subject off: it lies along that edge for more than a fiftieth of it. A
/// subject that lies along all four was cropped before, which says nothing.
fn cut_off(frame: &Frame, bounds: Rect) -> Sides {
    let alpha = frame.subject.bitmap.alpha();
    let (width, height) = (alpha.width() as usize, alpha.height() as usize);
    let values = alpha.values();
    let along = |length: usize, opaque: &dyn Fn(usize) -> bool| {
        (0..length).filter(|&at| opaque(at)).count() * 50 > length
    };
    let touches = |at: i64, edge: i64| at == edge;
    let (x, y) = (frame.subject.x, frame.subject.y);
    let sides = Sides {
        left: bounds.x == 0 && touches(x, 0) && along(height, &|row| values[row * width] >= 128),
        right: bounds.x + bounds.width == frame.width
            && touches(x + width as i64, i64::from(frame.width))
            && along(height, &|row| values[row * width + width - 1] >= 128),
        top: bounds.y == 0 && touches(y, 0) && along(width, &|column| values[column] >= 128),
        bottom: bounds.y + bounds.height == frame.height
            && touches(y + height as i64, i64::from(frame.height))
            && along(width, &|column| values[(height - 1) * width + column] >= 128),
    };
    match sides {
        Sides { left: true, top: true, right: true, bottom: true } => Sides::default(),
        sides => sides,
    }
}

/// Where the centre of the mask lies inside its bounds: shares of their width and height.
fn centre_of_mass(frame: &Frame, bounds: Rect) -> (f64, f64) {
    let alpha = frame.subject.bitmap.alpha();
    let (width, x, y) = (alpha.width() as usize, frame.subject.x, frame.subject.y);
    let (mut mass, mut across, mut down) = (0.0, 0.0, 0.0);
    for (row, values) in alpha.values().chunks_exact(width).enumerate() {
        let (mut sum, mut moment) = (0u64, 0u64);
        for (column, &value) in values.iter().enumerate() {
            sum += u64::from(value);
            moment += u64::from(value) * column as u64;
        }
        mass += sum as f64;
        across += moment as f64;
        down += sum as f64 * row as f64;
    }
    if mass == 0.0 {
        return (0.5, 0.5);
    }
    let share = |moment: f64, at: i64, start: u32, length: u32| {
        ((moment / mass + 0.5 + at as f64 - f64::from(start)) / f64::from(length)).clamp(0.0, 1.0)
    };
    (share(across, x, bounds.x, bounds.width), share(down, y, bounds.y, bounds.height))
}

/// Share of the canvas that a size fills, along whichever side it fills more, in per cent.
fn fill_of(size: (u32, u32), canvas: (u32, u32)) -> f64 {
    let share = |length: u32, whole: u32| f64::from(length) / f64::from(whole) * 100.0;
    share(size.0, canvas.0).max(share(size.1, canvas.1))
}

fn target_size(size: (u32, u32), room: &Room, canvas: (u32, u32), settings: &Settings) -> (u32, u32) {
    let largest = match (settings.upscale, settings.max_upscale) {
        (false, _) => 1.0,
        (true, Some(percent)) => percent.get() / 100.0,
        (true, None) => f64::INFINITY,
    };
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    let side = |length: f64, scale: f64| ((length * scale).round() as u32).clamp(1, 30_000);
    let at = |scale: f64| (side(width, scale), side(height, scale));
    let room_size = (room.width, room.height);
    let mut target = match settings.fit {
        Fit::Contain => pixels::fit_inside(size, room_size, settings.upscale),
        Fit::None => pixels::fit_inside(size, room_size, false),
        Fit::Cover => {
            let scale = (f64::from(room.width) / width).max(f64::from(room.height) / height);
            // A sliver may not become longer than any picture is.
            at(scale.min(largest))
        }
    };
    let mut scale = f64::from(target.0) / width;
    if scale > largest {
        scale = largest;
        target = at(scale);
    }
    let fill = fill_of(target, canvas);
    if let Some(most) = settings.max_fill.map(Number::get).filter(|most| fill > *most) {
        target = at(scale * most / fill);
    } else if let Some(least) = settings.min_fill.map(Number::get).filter(|least| fill < *least) {
        target = at((scale * least / fill).min(largest));
    }
    target
}

/// Says what somebody should know of how the subject was scaled.
fn tell(
    frame: &mut Frame,
    size: (u32, u32),
    target: (u32, u32),
    room: &Room,
    canvas: (u32, u32),
    settings: &Settings,
) {
    if target.0 < room.width
        && target.1 < room.height
        && settings.fit != Fit::None
        && settings.max_fill.is_none()
    {
        let way = if settings.upscale { "a larger `maxUpscale`" } else { "`upscale`" };
        frame.note(format!(
            "the subject is {} × {} pixels and was not enlarged to {} × {}; {way} would",
            target.0, target.1, room.width, room.height
        ));
    }
    if target.0 > size.0 || target.1 > size.1 {
        let percent = f64::from(target.0.max(1)) / f64::from(size.0.max(1)) * 100.0;
        frame.note(format!("the subject was enlarged to {percent:.0} %"));
    }
    let fill = fill_of(target, canvas);
    if let Some(least) = settings.min_fill.map(Number::get).filter(|least| fill + 0.5 < *least) {
        frame.note(format!("the subject fills {fill:.0} % of the canvas, less than {least} % (`minFill`)"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels, Mask};

    use super::*;
    use crate::{Ink, Shadow, ShadowKind, StepCache};

    fn placed(frame: &Frame, settings: &Settings) -> (Frame, Rect) {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let mut frame = frame.clone();
        SetOnCanvas::run(&mut frame, settings, &Context::new(&cache, &cancel)).expect("a subject");
        let bounds = frame.subject_bounds().expect("a subject");
        (frame, bounds)
    }

    fn cut_out(at: (u32, u32), size: (u32, u32), canvas: (u32, u32)) -> Frame {
        let inside = |i: u32| {
            let (x, y) = (i % canvas.0, i / canvas.0);
            (at.0..at.0 + size.0).contains(&x) && (at.1..at.1 + size.1).contains(&y)
        };
        let samples = (0..canvas.0 * canvas.1)
            .flat_map(|i| if inside(i) { [200, 90, 30, 255] } else { [0; 4] })
            .collect();
        let origin = Frame::unread().origin;
        Frame::new(Bitmap::from_u8(canvas.0, canvas.1, Channels::Rgba, samples).expect("a size"), origin)
    }

    fn settings(width: i64, height: i64, margins: [u32; 4]) -> Settings {
        let [top, right, bottom, left] = margins.map(Length::Px);
        Settings {
            width: Whole::new(width),
            height: Whole::new(height),
            margin_top: top,
            margin_right: right,
            margin_bottom: bottom,
            margin_left: left,
            ..Settings::default()
        }
    }

    #[test]
    fn margins_are_exact_to_the_pixel() {
        for (size, canvas) in [((300, 200), (400, 400)), ((131, 377), (200, 400)), ((399, 20), (400, 33))] {
            let frame = cut_out((1, 7), size, canvas);
            let settings = settings(160, 120, [11, 17, 23, 5]);
            let (placed, bounds) = placed(&frame, &settings);
            assert_eq!((placed.width, placed.height), (160, 120));
            let touches_sides = bounds.x == 5 && bounds.x + bounds.width == 160 - 17;
            let touches_ends = bounds.y == 11 && bounds.y + bounds.height == 120 - 23;
            assert!(touches_sides || touches_ends, "{size:?}: {bounds:?}");
            assert!(
                bounds.x >= 5
                    && bounds.x + bounds.width <= 143
                    && bounds.y >= 11
                    && bounds.y + bounds.height <= 97
            );
        }
    }

    #[test]
    fn per_cent_are_of_the_side_they_lie_on() {
        let mut settings = settings(400, 200, [0; 4]);
        settings.margin_left = Length::Percent(10.0);
        settings.margin_top = Length::Percent(10.0);
        (settings.horizontal_alignment, settings.vertical_alignment) = (Horizontal::Left, Vertical::Top);
        let (_, bounds) = placed(&cut_out((3, 3), (50, 50), (60, 60)), &settings);
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (40, 20, 50, 50));
    }

    #[test]
    fn nothing_is_enlarged_unless_asked() {
        let frame = cut_out((3, 3), (50, 40), (60, 60));
        for fit in [Fit::Contain, Fit::Cover, Fit::None] {
            let (placed, bounds) = placed(&frame, &Settings { fit, ..settings(200, 200, [10; 4]) });
            assert_eq!((bounds.width, bounds.height), (50, 40), "{fit:?}");
            assert_eq!((bounds.x, bounds.y), (75, 80));
            assert_eq!(placed.subject.bitmap.byte_len(), 50 * 40 * 4);
        }
        let asked = Settings { upscale: true, ..settings(200, 200, [10; 4]) };
        let (_, bounds) = placed(&frame, &asked);
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (10, 28, 180, 144));
        let (_, bounds) = placed(&frame, &Settings { fit: Fit::Cover, ..asked });
        assert_eq!(
            (bounds.x, bounds.y, bounds.width, bounds.height),
            (0, 10, 200, 180),
            "cut by the canvas alone"
        );
    }

    #[test]
    fn alignment_uses_the_room_that_is_left() {
        let frame = cut_out((3, 3), (50, 40), (60, 60));
        for (horizontal, x) in [(Horizontal::Left, 10), (Horizontal::Center, 75), (Horizontal::Right, 140)] {
            for (vertical, y) in [(Vertical::Top, 10), (Vertical::Center, 80), (Vertical::Bottom, 150)] {
                let settings = Settings {
                    horizontal_alignment: horizontal,
                    vertical_alignment: vertical,
                    ..settings(200, 200, [10; 4])
                };
                let (_, bounds) = placed(&frame, &settings);
                assert_eq!((bounds.x, bounds.y), (x, y));
            }
        }
    }

    #[test]
    fn the_whole_picture_can_be_the_reference() {
        let frame = cut_out((0, 10), (20, 20), (80, 40));
        let whole = Settings { reference: Reference::Original, ..settings(60, 60, [10; 4]) };
        let (placed, _) = placed(&frame, &whole);
        // Inside the picture the edge is an edge among others, soft by a pixel: measured where it is half covered.
        let bounds = placed.subject.bitmap.alpha().bounds(128).expect("a subject");
        let at = (placed.subject.x + i64::from(bounds.x), placed.subject.y + i64::from(bounds.y));
        assert_eq!((at, bounds.width, bounds.height), ((10, 25), 10, 10));
    }

    #[test]
    fn shadows_move_and_shrink_with_the_subject() {
        let mut frame = cut_out((40, 40), (40, 40), (120, 120));
        let mask = Mask::new(60, 20, vec![255; 1200]).expect("60 by 20");
        frame.shadows.push(Shadow {
            kind: ShadowKind::Drop,
            mask: Arc::new(mask),
            x: 30,
            y: 76,
            ink: Ink::Plain([0; 3]),
            opacity: 0.5,
        });
        let (placed, bounds) = placed(&frame, &settings(40, 40, [10; 4]));
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (10, 10, 20, 20));
        let shadow = &placed.shadows[0];
        assert_eq!((shadow.x, shadow.y, shadow.mask.width(), shadow.mask.height()), (5, 28, 30, 10));
    }

    #[test]
    fn margins_that_leave_no_room_are_refused() {
        let text = SetOnCanvas::check(&settings(100, 100, [0, 60, 0, 40])).expect_err("refused");
        assert_eq!(
            text,
            "`marginLeft` and `marginRight` leave no room on a canvas 100 pixels wide; make them smaller"
        );
        assert!(
            SetOnCanvas::check(&settings(100, 100, [40, 0, 60, 0]))
                .expect_err("refused")
                .contains("marginTop")
        );
    }

    /// A cut-out of 20 by 40 on a canvas of 100 by 100, its left half only as high as its right is not: an L.
    fn lamp() -> Frame {
        let inside = |i: u32| {
            let (x, y) = (i % 100, i / 100);
            (40..60).contains(&x) && (30..70).contains(&y) && (x < 45 || y >= 60)
        };
        let samples = (0..10_000).flat_map(|i| [9, 9, 9, if inside(i) { 255 } else { 0 }]).collect();
        let bitmap = Bitmap::from_u8(100, 100, Channels::Rgba, samples).expect("100 by 100");
        Frame::new(bitmap, Frame::unread().origin)
    }

    fn square(width: i64, settings: Settings) -> Settings {
        Settings { width: Whole::new(width), height: Whole::new(width), ..settings }
    }

    #[test]
    fn the_fill_is_kept_within_its_range() {
        let settings = Settings { upscale: true, max_fill: Some(Number::new(50.0)), ..Settings::default() };
        let (_, bounds) = placed(&lamp(), &square(200, settings));
        assert_eq!((bounds.width, bounds.height), (50, 100));
        // The margins give way.
        let settings = Settings { upscale: true, min_fill: Some(Number::new(95.0)), ..Settings::default() };
        let (_, bounds) = placed(&lamp(), &square(200, settings));
        assert_eq!((bounds.width, bounds.height), (95, 190));
        // What may not be enlarged is told of.
        let settings = Settings { min_fill: Some(Number::new(85.0)), ..Settings::default() };
        let (frame, bounds) = placed(&lamp(), &square(200, settings));
        assert_eq!(bounds.height, 40);
        assert!(frame.remarks[0].notes.iter().any(|note| note.contains("fills 20 %")), "{:?}", frame.remarks);
    }

    #[test]
    fn enlarging_has_its_limit() {
        let settings =
            Settings { upscale: true, max_upscale: Some(Number::new(150.0)), ..Settings::default() };
        let (_, bounds) = placed(&lamp(), &square(200, settings.clone()));
        assert_eq!((bounds.width, bounds.height), (30, 60));
        assert!(SetOnCanvas::check(&Settings { upscale: false, ..settings }).is_err());
    }

    #[test]
    fn products_stand_on_one_line() {
        let settings = Settings { baseline: Some(Length::Px(20)), ..Settings::default() };
        let (_, bounds) = placed(&lamp(), &square(200, settings));
        assert_eq!(bounds.y + bounds.height, 180);
    }

    #[test]
    fn the_optical_centre_lies_where_the_mask_is_heaviest() {
        let plain = placed(&lamp(), &square(200, Settings::default())).1;
        let optical =
            placed(&lamp(), &square(200, Settings { optical_centering: true, ..Settings::default() })).1;
        // Most of the L lies to the left and below.
        assert!(optical.x > plain.x && optical.y < plain.y, "{plain:?} {optical:?}");
    }

    #[test]
    fn a_side_that_the_photo_cuts_stands_at_the_edge() {
        let samples = (0..10_000u32)
            .flat_map(|i| [9, 9, 9, if i % 100 < 30 && (20..80).contains(&(i / 100)) { 255 } else { 0 }])
            .collect();
        let bitmap = Bitmap::from_u8(100, 100, Channels::Rgba, samples).expect("100 by 100");
        let frame = Frame::new(bitmap, Frame::unread().origin);
        let snap = Settings { snap_cropped_sides: SnapCroppedSides::Auto, ..Settings::default() };
        assert_eq!(placed(&frame, &square(200, snap.clone())).1.x, 0);
        assert!(placed(&frame, &square(200, Settings::default())).1.x > 0);
        assert!(placed(&lamp(), &square(200, snap)).1.x > 0, "nothing is cut off");
    }
}
