//! Published workflows of an organization as models.

use domain::workflow::Workflow;
use serde_json::json;
use uuid::Uuid;

use super::example::Example;
use super::input::{Input, Kind};
use super::parts::{image_url, outputs};
use super::{Model, Work};

/// Longest slug, in bytes.
const SLUG_MAX: usize = 80;
/// The slug of a name without a letter or digit.
const NAMELESS: &str = "workflow";

/// A workflow as a model of its organization, whose slug and id as a creator are given. `slug` is its own ([`slugs`]).
pub fn workflow_model(org_slug: &str, creator: Uuid, slug: &str, workflow: &Workflow) -> Model {
    let steps = &workflow.version.steps;
    let kinds: Vec<&str> = steps.iter().map(|step| step.kind.as_str()).collect();
    let labels: Vec<String> =
        steps.iter().map(|step| format!("- `{}` (`{}`)", step.label, step.kind)).collect();
    Model {
        id: workflow.id.0,
        creator,
        owner: org_slug.to_owned(),
        slug: slug.to_owned(),
        name: workflow.name.clone(),
        description: format!("A workflow of this organization: {}.", kinds.join(", ")),
        category: "workflow",
        inputs: vec![
            image_url(),
            Input::new(
                "settings",
                Kind::Json,
                "Settings",
                "Settings of steps for this run alone: an object with an object for each step, keyed by the step's label.",
            ),
        ],
        outputs: outputs(),
        price: None,
        pricing_note: None,
        content: format!(
            "Runs the workflow **{}** as it was saved last. Its steps, by whose labels `settings` changes them:\n\n{}\n",
            workflow.name,
            labels.join("\n")
        ),
        notable_features: Vec::new(),
        examples: vec![Example {
            title: "One picture",
            description: "The result of the workflow's last step.",
            input: json!({ "image_url": "https://shop.example/mug.jpg" }),
        }],
        saved_at: Some(workflow.version.saved_at),
        work: Work::Workflow(steps.clone()),
    }
}

/// The slug of a name: lower-case letters and digits of ASCII, with hyphens between words.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if let Some(plain) = plain(c) {
            slug.push_str(plain);
        } else if c != '\'' && c != '’' && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= SLUG_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { NAMELESS.to_owned() } else { slug.to_owned() }
}

/// Letters of western Europe as they are written without marks.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
        'ö' | 'Ö' | 'ø' | 'Ø' | 'œ' | 'Œ' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'À' | 'Á' | 'Â' | 'Ã' => "a",
        'å' | 'Å' => "aa",
        'ç' | 'Ç' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'È' | 'É' | 'Ê' | 'Ë' => "e",
        'ì' | 'í' | 'î' | 'ï' | 'Ì' | 'Í' | 'Î' | 'Ï' => "i",
        'ñ' | 'Ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'Ò' | 'Ó' | 'Ô' | 'Õ' => "o",
        'ù' | 'ú' | 'û' | 'Ù' | 'Ú' | 'Û' => "u",
        _ => return None,
    })
}

/// A slug for each name, none twice: of names that give the same, the first has it as it is and the others have `-2`, `-3`
/// and so on. Give the names oldest first, so that a new one never takes the slug of another.
pub fn slugs<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let first = slug(name);
        let mut chosen = first.clone();
        let mut number = 2;
        while taken.contains(&chosen) {
            chosen = format!("{first}-{number}");
            number += 1;
        }
        taken.push(chosen);
    }
    taken
}
