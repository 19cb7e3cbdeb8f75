//! Where the subject is in the frame.

use super::{SUBJECT, SUBJECT_GATE};
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, figure, telling};
use crate::scene::Scene;
use crate::subject::Subject;
use crate::{Action, Category};

/// Share of the picture's area that is subject.
pub(super) const PRESENCE: Measure = Measure {
    info: MeasureInfo {
        code: "subject_presence",
        name: "A subject",
        description: "How much of the picture's area is the subject.",
        category: Category::Composition,
        unit: Unit::Percent,
        bounds: Bounds::least(0.5, 3.0),
        range: (0.0, 100.0),
        gates: SUBJECT_GATE,
        remedy: Action::Reshoot,
    },
    take: |scene| match (scene.found.presence, &scene.found.subject) {
        (Some(presence), _) => {
            Measurement::new(100.0 * presence, scene.inside_confidence()).at(scene.subject_region()).into()
        }
        (None, Err(reason)) => Finding::Unmeasured(reason.clone()),
        (None, Ok(_)) => Finding::Unmeasured("No subject was looked for.".to_owned()),
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "missing",
                format!(
                    "No subject to speak of was found: {value} of the picture differs from its backdrop ({limit}). \
                     Check that the right picture was given."
                ),
            ),
            Side::Above => telling(
                "too_large",
                format!("The subject covers {value} of the picture ({limit}). Give it more room."),
            ),
            Side::Within => {
                telling("missing", format!("The subject covers {value} of the picture ({limit})."))
            }
        }
    },
};

/// The longest stretch of one side of the frame that the subject touches, over the length of that side.
pub(super) const CUT_OFF: Measure = Measure {
    info: MeasureInfo {
        code: "subject_cut_off",
        name: "Whole subject",
        description: "How much of a side of the frame the subject touches, on the side where it is most.",
        category: Category::Composition,
        unit: Unit::Percent,
        bounds: Bounds::most(0.5, 3.0),
        range: (0.0, 100.0),
        gates: SUBJECT_GATE,
        remedy: Action::Reshoot,
    },
    take: |scene| {
        with_subject(scene, |subject| {
            let sides = touching(scene, subject);
            let most = sides.iter().max_by(|a, b| a.share.total_cmp(&b.share));
            let mut found = Measurement::new(most.map_or(0.0, |side| 100.0 * side.share), subject.confidence);
            if let Some(side) = most.filter(|side| side.share > 0.0) {
                found = found.at(Some(scene.work.region(side.rect, scene.size())));
            }
            for side in sides.iter().filter(|side| side.share > 0.0) {
                found = found.with(format!(
                    "It touches {} % of the {} side.",
                    figure(100.0 * side.share),
                    side.name
                ));
            }
            found
        })
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "cut_off",
                format!(
                    "The subject is cut off {}: it touches {value} of that side of the frame ({limit}). Use a picture \
                     that shows all of it.",
                    told.place
                ),
            ),
            _ => telling(
                "cut_off",
                format!("The whole subject is in the frame: it touches {value} of any side ({limit})."),
            ),
        }
    },
};

/// The larger of the subject's width over the frame's and its height over the frame's.
pub(super) const FILL: Measure = Measure {
    info: MeasureInfo {
        code: "subject_fill",
        name: "Size in the frame",
        description: "How much of the frame's width or height the subject's rectangle takes, whichever is more.",
        category: Category::Composition,
        unit: Unit::Percent,
        bounds: Bounds::between(75.0, 98.0, 2.0),
        range: (0.0, 100.0),
        gates: SUBJECT,
        remedy: Action::Retouch,
    },
    take: |scene| {
        with_subject(scene, |subject| {
            let (across, down) = shares(scene, subject);
            Measurement::new(100.0 * across.max(down), subject.confidence).at(scene.subject_region()).with(
                format!(
                    "The subject takes {} % of the width and {} % of the height.",
                    figure(100.0 * across),
                    figure(100.0 * down)
                ),
            )
        })
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Below => telling(
                "too_small",
                format!(
                    "The subject fills {value} of the frame ({limit}). Place it on the canvas with smaller margins."
                ),
            ),
            Side::Above => telling(
                "too_large",
                format!(
                    "The subject fills {value} of the frame ({limit}). Place it on the canvas with wider margins."
                ),
            ),
            Side::Within => {
                telling("too_small", format!("The subject fills {value} of the frame ({limit})."))
            }
        }
    },
};

/// How far the middle of the subject's rectangle is from the frame's, over the frame's side, on the worse axis.
pub(super) const CENTRING: Measure = Measure {
    info: MeasureInfo {
        code: "subject_centring",
        name: "Place in the frame",
        description: "How far the middle of the subject's rectangle is from the middle of the frame, on the worse axis.",
        category: Category::Composition,
        unit: Unit::Percent,
        bounds: Bounds::most(5.0, 1.0),
        range: (0.0, 50.0),
        gates: SUBJECT,
        remedy: Action::Retouch,
    },
    take: |scene| {
        with_subject(scene, |subject| {
            let (x, y) = offsets(scene, subject);
            Measurement::new(100.0 * x.abs().max(y.abs()), subject.confidence)
                .at(scene.subject_region())
                .with(format!(
                    "Its middle is {} % of the width {} and {} % of the height {} the middle.",
                    figure(100.0 * x.abs()),
                    if x < 0.0 { "left of" } else { "right of" },
                    figure(100.0 * y.abs()),
                    if y < 0.0 { "above" } else { "below" },
                ))
        })
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        if told.side != Side::Above {
            return telling("off_centre", format!("The subject is in the middle within {value} ({limit})."));
        }
        let towards =
            told.scene.found.subject.as_ref().map_or("aside", |subject| match offsets(told.scene, subject) {
                (x, y) if x.abs() >= y.abs() && x < 0.0 => "to the left",
                (x, y) if x.abs() >= y.abs() => "to the right",
                (_, y) if y < 0.0 => "upwards",
                _ => "downwards",
            });
        telling(
            "off_centre",
            format!(
                "The subject is {value} off the middle {towards} ({limit}). Place it in the middle of the canvas."
            ),
        )
    },
};

fn with_subject(scene: &Scene<'_>, measure: impl Fn(&Subject) -> Measurement) -> Finding {
    match &scene.found.subject {
        Ok(subject) => measure(subject).into(),
        Err(reason) => Finding::Unmeasured(reason.clone()),
    }
}

fn shares(scene: &Scene<'_>, subject: &Subject) -> (f64, f64) {
    (
        f64::from(subject.bounds.width) / scene.work.width as f64,
        f64::from(subject.bounds.height) / scene.work.height as f64,
    )
}

/// How far the middle is right of and below the frame's, in shares of its sides.
fn offsets(scene: &Scene<'_>, subject: &Subject) -> (f64, f64) {
    let off = |start: u32, length: u32, side: usize| {
        (f64::from(start) + f64::from(length) / 2.0) / side as f64 - 0.5
    };
    (
        off(subject.bounds.x, subject.bounds.width, scene.work.width),
        off(subject.bounds.y, subject.bounds.height, scene.work.height),
    )
}

/// A side of the frame with how much of it the subject touches.
struct Touch {
    name: &'static str,
    share: f64,
    /// From the first to the last pixel that it touches, in the bounded picture.
    rect: pixels::Rect,
}

fn touching(scene: &Scene<'_>, subject: &Subject) -> [Touch; 4] {
    let (width, height) = (scene.work.width, scene.work.height);
    let side = |name, length: usize, at: &dyn Fn(usize) -> (usize, usize)| {
        let touched: Vec<usize> = (0..length)
            .filter(|&i| {
                let (x, y) = at(i);
                subject.distance[y * width + x] < 0.0
            })
            .collect();
        let (first, last) = (touched.first().copied().unwrap_or(0), touched.last().copied().unwrap_or(0));
        let ((left, top), (right, bottom)) = (at(first), at(last));
        Touch {
            name,
            share: touched.len() as f64 / length as f64,
            rect: pixels::Rect {
                x: left as u32,
                y: top as u32,
                width: (right - left + 1) as u32,
                height: (bottom - top + 1) as u32,
            },
        }
    };
    [
        side("left", height, &|i| (0, i)),
        side("right", height, &|i| (width - 1, i)),
        side("upper", width, &|i| (i, 0)),
        side("lower", width, &|i| (i, height - 1)),
    ]
}
