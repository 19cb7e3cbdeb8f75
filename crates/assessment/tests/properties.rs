//! What holds for every picture, however odd.

use assessment::{Action, EncodedFile, Limits, Outcome, Report, Task, assess, catalogue};
use pixels::{Bitmap, Channels};
use proptest::prelude::*;

fn file() -> EncodedFile {
    EncodedFile::of(b"")
}

fn tasks() -> [Task; 3] {
    [Task::ProductPhotography, Task::CutOut, Task::of("headshot")]
}

fn check(report: &Report, size: (u32, u32)) {
    if let Some(score) = report.score {
        assert!((0.0..=1.0).contains(&score), "{score}");
    }
    let summary = report.summary;
    assert_eq!(summary.total, report.readings.len());
    assert_eq!(summary.passed + summary.failed + summary.not_measurable, summary.total);
    assert_eq!(summary.failed, report.issues.len());
    assert_eq!(report.passed, report.action.map(|action| action == Action::Accept));
    assert_eq!(report.passed.is_some(), report.score.is_some());
    assert!(report.passed != Some(false) || !report.issues.is_empty());
    assert_eq!(report.gate_failures.len(), report.issues.iter().filter(|issue| issue.is_gate).count());
    for reading in &report.readings {
        let info = catalogue().find(|info| info.code == reading.code).expect("a measure of the catalogue");
        assert!((0.0..=1.0).contains(&reading.confidence), "{}: {}", reading.code, reading.confidence);
        assert!(reading.sentence.ends_with('.') && !reading.sentence.contains("NaN"), "{}", reading.sentence);
        assert_eq!(reading.value.is_none(), reading.outcome == Outcome::NotMeasurable, "{}", reading.code);
        if let Some(value) = reading.value {
            assert!(value.is_finite() && value >= 0.0, "{}: {value}", reading.code);
            let passes =
                reading.min.is_none_or(|min| value >= min) && reading.max.is_none_or(|max| value <= max);
            assert_eq!(passes, reading.outcome == Outcome::Passed, "{}: {value}", reading.code);
        }
        if let Some(region) = reading.region {
            assert!(region.width > 0 && region.height > 0, "{}: {region:?}", info.code);
            assert!(
                region.x + region.width <= size.0 && region.y + region.height <= size.1,
                "{}: {region:?}",
                info.code
            );
        }
    }
}

#[test]
fn odd_pictures_are_measured_or_said_not_to_be() {
    for (width, height) in [(1, 1), (1, 900), (900, 1), (2, 3), (33, 31), (40, 4000), (5000, 33), (64, 64)] {
        for (channels, level) in [
            (Channels::Rgb, 0u8),
            (Channels::Rgb, 128),
            (Channels::Rgb, 255),
            (Channels::Rgba, 0),
            (Channels::Rgba, 255),
        ] {
            let samples = vec![level; (width * height) as usize * channels.count()];
            let picture = Bitmap::from_u8(width, height, channels, samples).expect("the right number");
            for task in tasks() {
                for reference in [None, Some(&picture)] {
                    let report = assess(&picture, &file(), reference, &task, &Limits::default());
                    check(&report, (width, height));
                    let is_other = task == Task::of("headshot");
                    assert!(report.passed != Some(true) || is_other, "nothing passes as {}", task.name());
                }
            }
        }
    }
}

#[test]
fn sixteen_bits_are_measured_as_eight() {
    let samples: Vec<u8> = (0..96 * 80 * 3).map(|i| (i * 31 % 251) as u8).collect();
    let eight = Bitmap::from_u8(96, 80, Channels::Rgb, samples).expect("the right number");
    let sixteen = eight.clone().into_u16();
    for task in tasks() {
        let limits = Limits::default();
        assert_eq!(
            assess(&eight, &file(), None, &task, &limits),
            assess(&sixteen, &file(), None, &task, &limits)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_picture_is_measured_alike_each_time(
        width in 1u32..90,
        height in 1u32..90,
        alpha in any::<bool>(),
        seed in any::<u32>(),
        flat in 0u32..4,
    ) {
        let channels = if alpha { Channels::Rgba } else { Channels::Rgb };
        let count = width as usize * height as usize * channels.count();
        let mut state = seed | 1;
        // From noise to wide flats, so that borders are now and then plain.
        let samples = (0..count).map(|i| {
            if flat > 0 && !((i / channels.count()) as u32).is_multiple_of(7 * flat) {
                return 240;
            }
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        }).collect();
        let picture = Bitmap::from_u8(width, height, channels, samples).expect("the right number");
        for task in tasks() {
            let report = assess(&picture, &file(), Some(&picture), &task, &Limits::default());
            check(&report, (width, height));
            prop_assert_eq!(&report, &assess(&picture, &file(), Some(&picture), &task, &Limits::default()));
        }
    }
}
