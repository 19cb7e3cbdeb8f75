//! The subject's outline: rings of another lightness or another colour.

use super::SUBJECT;
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::outline::Ring;
use crate::scene::Scene;
use crate::{Action, Category};

/// How sure a ring is: a product may have one of its own.
const RING_CONFIDENCE: f64 = 0.7;

/// Share of the outline along which a ring of another lightness runs.
pub(super) const HALO: Measure = Measure {
    info: MeasureInfo {
        code: "edge_halo",
        name: "No halo",
        description: "Along how much of the outline a light or dark ring runs.",
        category: Category::Edges,
        unit: Unit::Percent,
        bounds: Bounds::most(40.0, 2.0),
        range: (0.0, 100.0),
        gates: SUBJECT,
        remedy: Action::Retouch,
    },
    take: |scene| ring(scene, |outline| outline.halo),
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        if told.side != Side::Above {
            return telling(
                "halo",
                format!("There is no halo to speak of: a ring runs along {value} of the outline ({limit})."),
            );
        }
        let is_light = told.scene.outline().is_some_and(|outline| outline.halo.is_light);
        let (subcategory, kind) = if is_light { ("light_halo", "light") } else { ("dark_halo", "dark") };
        telling(
            subcategory,
            format!(
                "A {kind} ring runs along {value} of the outline ({limit}), strongest {}. Move the edge inwards, free \
                 its colours of the old backdrop, or sharpen less.",
                told.place
            ),
        )
    },
};

/// Share of the outline along which a ring runs whose colour is no mixture of subject and backdrop.
pub(super) const FRINGE: Measure = Measure {
    info: MeasureInfo {
        code: "edge_fringe",
        name: "No coloured fringe",
        description: "Along how much of the outline a ring runs whose colour neither the subject nor the backdrop has.",
        category: Category::Edges,
        unit: Unit::Percent,
        bounds: Bounds::most(40.0, 2.0),
        range: (0.0, 100.0),
        gates: SUBJECT,
        remedy: Action::Retouch,
    },
    take: |scene| ring(scene, |outline| outline.fringe),
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "fringe",
                format!(
                    "A coloured fringe runs along {value} of the outline ({limit}), strongest {}. Free the edge's \
                     colours of the old backdrop.",
                    told.place
                ),
            ),
            _ => telling(
                "fringe",
                format!(
                    "There is no coloured fringe to speak of: one runs along {value} of the outline ({limit})."
                ),
            ),
        }
    },
};

fn ring(scene: &Scene<'_>, which: impl Fn(&crate::outline::Outline) -> Ring) -> Finding {
    match (&scene.found.subject, scene.outline()) {
        (Err(reason), _) => Finding::Unmeasured(reason.clone()),
        (Ok(_), None) => Finding::Unmeasured(
            "The subject's outline is too fine, or the picture too small, to look for a ring along it; give a larger picture."
                .to_owned(),
        ),
        (Ok(subject), Some(outline)) => {
            let ring = which(outline);
            Measurement::new(100.0 * ring.share, RING_CONFIDENCE * subject.confidence).at(ring.region).into()
        }
    }
}
