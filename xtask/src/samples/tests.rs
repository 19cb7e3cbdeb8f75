use pixels::{Bitmap, Samples};
use sha2::{Digest as _, Sha256};

use super::{Ground, Half, Kind, Sample, Spec, render};

fn samples(bitmap: &Bitmap) -> &[u8] {
    match bitmap.samples() {
        Samples::U8(samples) => samples,
        Samples::U16(_) => panic!("samples are 8 bit"),
    }
}

/// One of each product, each before another backdrop.
fn one_of_each(side: u32) -> impl Iterator<Item = Spec> {
    (0..16).step_by(2).map(move |number| Spec::numbered(0, number, side))
}

fn digest(sample: &Sample) -> String {
    let mut hasher = Sha256::new();
    hasher.update(samples(&sample.photo));
    hasher.update(samples(&sample.foreground));
    hasher.update(samples(&sample.backdrop));
    hasher.update(sample.shadow.values());
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_seed_gives_the_same_bytes_always_and_everywhere() {
    let all: Vec<String> =
        one_of_each(96).map(|spec| format!("{} {}", spec.name(), digest(&render(&spec).unwrap()))).collect();
    assert_eq!(all, DIGESTS, "if pictures were changed on purpose, measure docs/quality.md anew");
}

#[test]
fn foreground_over_backdrop_is_the_photo_before_noise() {
    for spec in one_of_each(160) {
        let sample = render(&Spec { noise: 0.0, ..spec.clone() }).unwrap();
        let pairs = samples(&sample.photo)
            .as_chunks::<3>()
            .0
            .iter()
            .zip(samples(&sample.foreground).as_chunks::<4>().0)
            .zip(samples(&sample.backdrop).as_chunks::<3>().0);
        let mut partial = 0;
        for ((photo, own), behind) in pairs {
            let alpha = f32::from(own[3]) / 255.0;
            partial += u32::from((1..=254).contains(&own[3]));
            assert!(own[3] != 0 || own[..3] == [0; 3]);
            for channel in 0..3 {
                let sum = f32::from(own[channel]) * alpha + f32::from(behind[channel]) * (1.0 - alpha);
                assert!((sum - f32::from(photo[channel])).abs() <= 1.0, "{}", spec.name());
            }
        }
        assert!(partial > 50, "{} has no soft edge", spec.name());
    }
}

#[test]
fn the_shadow_only_darkens_and_is_what_its_mask_says() {
    for spec in one_of_each(120) {
        let with = render(&spec).unwrap();
        let without = render(&Spec { shadow: 0.0, ..spec.clone() }).unwrap();
        assert_eq!(samples(&with.foreground), samples(&without.foreground));
        assert!(without.shadow.values().iter().all(|&strength| strength == 0));
        assert!(with.shadow.values().iter().any(|&strength| strength > 20), "{}", spec.name());
        let pairs = samples(&with.backdrop).as_chunks::<3>().0.iter();
        let pairs = pairs.zip(samples(&without.backdrop).as_chunks::<3>().0).zip(with.shadow.values());
        for ((dark, bright), &strength) in pairs {
            for channel in 0..3 {
                let expected = f32::from(bright[channel]) * (1.0 - f32::from(strength) / 255.0);
                assert!((f32::from(dark[channel]) - expected).abs() <= 1.5, "{}", spec.name());
            }
        }
    }
}

#[test]
fn products_fill_the_frame_and_glass_is_clear_inside() {
    for spec in one_of_each(160) {
        let alpha = render(&spec).unwrap().alpha();
        let bounds = alpha.bounds(128).unwrap();
        let longer = (bounds.width * 100 / spec.width).max(bounds.height * 100 / spec.height);
        assert!((45..=99).contains(&longer), "{}: {longer} %", spec.name());
        if spec.kind == Kind::Glass {
            let clear = alpha.values().iter().filter(|value| (8..200).contains(*value)).count();
            assert!(clear * 20 > alpha.values().len() / 2, "a glass hides little");
        }
    }
}

#[test]
fn the_two_halves_never_meet_and_hold_the_same_mixture() {
    let (tune, report) = (Spec::set(0, 64, Half::Tune, 100), Spec::set(0, 64, Half::Report, 100));
    assert!(
        tune.iter().all(|spec| spec.seed.is_multiple_of(2))
            && report.iter().all(|spec| !spec.seed.is_multiple_of(2))
    );
    for half in [&tune, &report] {
        for kind in Kind::ALL {
            let grounds = Ground::ALL
                .map(|ground| half.iter().filter(|spec| spec.kind == kind && spec.ground == ground).count());
            assert_eq!(grounds, [1; 8]);
        }
    }
}

const DIGESTS: [&str; 8] = [
    "00000-bottle-white ebec93877731a6fb",
    "00002-mug-colour 0cc276809268adae",
    "00004-shoe-grey 84b81a463faf1933",
    "00006-garment-wood 200b52e2a47b13e5",
    "00008-fringe-white-on-white d697129776352c22",
    "00010-glass-gradient da922692758b8795",
    "00012-chain-room d1b341f78cc76fd6",
    "00014-hair-concrete dc47fe2249dced81",
];
