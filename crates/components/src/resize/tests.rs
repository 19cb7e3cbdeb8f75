use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pixels::{Bitmap, Channels, Mask};
use proptest::prelude::*;

use super::*;
use crate::{Ink, Shadow, ShadowKind, StepCache};

fn sides(fit: Fit, width: Option<Side>, height: Option<Side>) -> Settings {
    Settings { fit, width, height, ..Settings::default() }
}

fn px(px: u32) -> Option<Side> {
    Some(Length::Px(px))
}

fn photo(width: u32, height: u32) -> Frame {
    let samples = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
    let origin = Frame::unread().origin;
    Frame::new(Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size"), origin)
}

fn resized(mut frame: Frame, settings: &Settings) -> Frame {
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    Resize::check(settings).expect("good settings");
    Resize::run(&mut frame, settings, &Context::new(&cache, &cancel)).expect("a picture");
    frame
}

fn size_of(frame: &Frame) -> (u32, u32) {
    (frame.width, frame.height)
}

#[test]
fn every_fit_gives_the_size_it_says() {
    let half = Some(Length::Percent(50.0));
    let by = |fit, side| Settings { fit, side, width: None, height: None, ..Settings::default() };
    for (settings, size) in [
        (sides(Fit::Inside, px(40), px(40)), (40, 30)),
        (sides(Fit::Inside, None, px(15)), (20, 15)),
        (sides(Fit::Inside, half, None), (40, 30)),
        (sides(Fit::Cover, px(20), px(30)), (20, 30)),
        (sides(Fit::Exact, px(20), px(50)), (20, 50)),
        (sides(Fit::Exact, px(20), None), (20, 60)),
        (by(Fit::LongestSide, px(40)), (40, 30)),
        (by(Fit::ShortestSide, px(40)), (53, 40)),
        (by(Fit::ShortestSide, half), (40, 30)),
    ] {
        let frame = resized(photo(80, 60), &settings);
        assert_eq!(size_of(&frame), size, "{settings:?}");
        let bitmap = &frame.subject.bitmap;
        assert_eq!((bitmap.width(), bitmap.height()), size);
        let asked = !format!("{settings:?}").contains("Percent");
        assert_eq!(frame.fixed_size, asked);
    }
}

#[test]
fn nothing_is_enlarged_unless_asked() {
    for (fit, kept, enlarged) in [
        (Fit::Inside, (80, 60), (213, 160)),
        (Fit::Cover, (80, 53), (240, 160)),
        (Fit::Exact, (80, 53), (240, 160)),
    ] {
        let settings = sides(fit, px(240), px(160));
        let frame = resized(photo(80, 60), &settings);
        assert_eq!(size_of(&frame), kept, "{fit:?}");
        assert!(frame.remarks[0].notes[0].contains("`upscale` would"));
        let frame = resized(photo(80, 60), &Settings { upscale: true, ..settings });
        assert_eq!(size_of(&frame), enlarged, "{fit:?}");
        assert!(frame.remarks[0].notes[0].contains("enlarged to"));
    }
}

#[test]
fn cover_cuts_where_it_is_told() {
    let mut samples = vec![0; 90 * 30 * 4];
    for i in (0..30).flat_map(|y| (70..80).map(move |x| y * 90 + x)) {
        samples[i * 4..][..4].copy_from_slice(&[200, 10, 10, 255]);
    }
    let bitmap = Bitmap::from_u8(90, 30, Channels::Rgba, samples).expect("a size");
    let frame = Frame::new(bitmap, Frame::unread().origin);
    for (position, x) in [(Position::Subject, 10), (Position::Right, 10), (Position::Left, 30)] {
        let settings = Settings { position, ..sides(Fit::Cover, px(30), px(30)) };
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let mut frame = frame.clone();
        Resize::run(&mut frame, &settings, &Context::new(&cache, &cancel)).expect("a picture");
        assert_eq!(size_of(&frame), (30, 30));
        match (position, frame.subject_bounds()) {
            (Position::Left, Err(_)) => {}
            (_, Ok(bounds)) => assert_eq!((bounds.x, bounds.width), (x, 10), "{position:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn shadows_are_scaled_with_the_subject() {
    let mut frame = photo(80, 60);
    let mask = Mask::new(40, 20, vec![255; 800]).expect("40 by 20");
    frame.shadows.push(Shadow {
        kind: ShadowKind::Drop,
        mask: Arc::new(mask),
        x: 20,
        y: 40,
        ink: Ink::Plain([0; 3]),
        opacity: 0.5,
    });
    let frame = resized(frame, &sides(Fit::Inside, px(40), None));
    let shadow = &frame.shadows[0];
    assert_eq!((shadow.x, shadow.y, shadow.mask.width(), shadow.mask.height()), (10, 20, 20, 10));
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let refused = |settings: Settings| Resize::check(&settings).expect_err("refused");
    assert_eq!(
        refused(sides(Fit::Inside, None, None)),
        "`width` and `height` are both null; give one of them"
    );
    assert!(refused(sides(Fit::Cover, px(5), None)).contains("needs both"));
    assert!(refused(sides(Fit::Inside, px(0), None)).contains("`width` is 0"));
    assert!(refused(sides(Fit::LongestSide, px(5), None)).contains("`side` is null"));
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let settings = Settings { upscale: true, ..sides(Fit::Exact, px(16_384), px(16_384)) };
    let fault =
        Resize::run(&mut photo(8, 8), &settings, &Context::new(&cache, &cancel)).expect_err("too large");
    assert_eq!(fault.code, "result_too_large");
}

proptest! {
    #[test]
    fn any_size_works_and_what_fits_already_stays(
        width in 1u32..70, height in 1u32..70, to_width in 1u32..90, to_height in 1u32..90,
        fit in 0usize..5, upscale: bool,
    ) {
        let fit = [Fit::Inside, Fit::Cover, Fit::Exact, Fit::LongestSide, Fit::ShortestSide][fit];
        let settings = Settings { side: px(to_width), upscale, ..sides(fit, px(to_width), px(to_height)) };
        let once = resized(photo(width, height), &settings);
        prop_assert!(upscale || (once.width <= width && once.height <= height));
        if upscale && matches!(fit, Fit::Cover | Fit::Exact) {
            prop_assert_eq!(size_of(&once), (to_width, to_height));
        }
        if matches!(fit, Fit::Inside | Fit::LongestSide) {
            let twice = resized(once.clone(), &settings);
            prop_assert_eq!(size_of(&twice), size_of(&once));
            prop_assert_eq!(twice.subject.bitmap, once.subject.bitmap);
        }
    }
}
