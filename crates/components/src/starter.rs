//! Workflows that every new organization begins with.

use domain::workflow::Step;
use serde_json::{Value, json};

use crate::catalogue;

/// A workflow to begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct Starter {
    /// Its name for people.
    pub name: &'static str,
    /// Its steps, checked: canonical names, every setting present.
    pub steps: Vec<Step>,
}

/// The workflows to begin with; the first only converts a file, which is cheap and fast to try.
pub fn starters() -> Vec<Starter> {
    let input = || ("input", json!({}));
    let cut_out = || ("removeBackground", json!({}));
    let jpeg = |quality: u8| {
        (
            "export",
            json!({ "targetFormat": "JPEG", "targetMode": "RGB", "quality": quality, "subsampling": "4:4:4" }),
        )
    };
    let margins = |percent: &str, bottom: &str| {
        json!({
            "width": 2048, "height": 2048, "upscale": true,
            "marginTop": percent, "marginRight": percent, "marginBottom": bottom, "marginLeft": percent,
        })
    };
    let on_canvas = |settings: Value| ("setOnCanvas", settings);
    let white = || ("fillBackground", json!({ "color": "#FFFFFF" }));
    vec![
        starter(
            "Export only",
            vec![input(), ("export", json!({ "targetFormat": "PNG", "targetMode": "RGBA" }))],
        ),
        starter(
            "White packshot",
            vec![input(), cut_out(), on_canvas(margins("8%", "8%")), white(), jpeg(92)],
        ),
        starter(
            "Transparent cut-out",
            vec![input(), cut_out(), ("export", json!({ "targetFormat": "PNG", "targetMode": "RGBA" }))],
        ),
        starter(
            "Shadowed packshot",
            vec![
                input(),
                cut_out(),
                on_canvas(margins("10%", "12%")),
                ("dropShadow", json!({ "type": "contact", "opacity": 55 })),
                white(),
                jpeg(92),
            ],
        ),
        // 85 % of the frame, as most marketplaces ask: 7.5 % on each side.
        starter(
            "Marketplace square",
            vec![
                input(),
                cut_out(),
                on_canvas(json!({
                    "width": 2000, "height": 2000, "upscale": true,
                    "marginTop": "7.5%", "marginRight": "7.5%", "marginBottom": "7.5%", "marginLeft": "7.5%",
                })),
                white(),
                jpeg(92),
            ],
        ),
    ]
}

fn starter(name: &'static str, steps: Vec<(&str, Value)>) -> Starter {
    let steps: Vec<Step> = steps
        .into_iter()
        .map(|(kind, settings)| Step { kind: kind.to_owned(), label: kind.to_owned(), settings })
        .collect();
    let steps = catalogue().check(&steps).expect("the starters are checked by a test");
    Starter { name, steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starters_are_good_and_priced() {
        let catalogue = catalogue();
        let prices: Vec<_> =
            starters().iter().map(|starter| (starter.name, catalogue.price(&starter.steps))).collect();
        assert_eq!(prices[0], ("Export only", 10));
        assert_eq!(prices[1], ("White packshot", 15));
        assert_eq!(prices[2], ("Transparent cut-out", 15));
        for starter in starters() {
            assert_eq!(catalogue.check(&starter.steps).as_ref(), Ok(&starter.steps), "{}", starter.name);
        }
    }
}
