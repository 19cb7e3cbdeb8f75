//! The catalogue of models: what each takes, what it gives, what it costs, and the workflow steps that stand for it.
//!
//! A model of the catalogue is a chain of components. Models that would need a generative network are not in it; a published
//! workflow of an organization is a model too ([`workflow_model`]).

mod chains;
mod check;
mod example;
mod field;
mod input;
mod media;
mod parts;
mod plan;
mod price;
mod view;
mod workflow;

use std::sync::LazyLock;

use domain::time::Timestamp;
use domain::workflow::Step;
use uuid::Uuid;

pub use check::{Checked, unfold, validate};
pub use example::Example;
pub use field::{FieldError, Loc};
pub use input::{Input, Kind, Output, Validator};
pub use media::{Data, Found, Media, MediaRules, get, media, media_in, put};
pub use plan::{Further, Plan, Source, Unfilled, plan};
pub use price::Price;
pub use view::{creator_json, example_json, for_anybody, model_json};
pub use workflow::{slug, slugs, workflow_model};

/// Who made models: the part of a model's id before the first slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creator {
    /// Its id.
    pub id: Uuid,
    /// The owner in model ids.
    pub slug: String,
    /// Its name for people.
    pub display_name: String,
    /// What its models are.
    pub description: String,
}

/// Something that makes pictures of a picture, callable by its id `owner/slug`.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its id as an object.
    pub id: Uuid,
    /// Its creator's id.
    pub creator: Uuid,
    /// The first part of its id for callers.
    pub owner: String,
    /// The rest of it, slashes included.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// What it is listed under.
    pub category: &'static str,
    /// The keys of `input`, in the order they are shown.
    pub inputs: Vec<Input>,
    /// The keys of `output`.
    pub outputs: Vec<Output>,
    /// What one run costs; `None` where no price is listed.
    pub price: Option<Price>,
    /// How that is meant.
    pub pricing_note: Option<String>,
    /// All about it, in Markdown.
    pub content: String,
    /// What is worth knowing at a glance.
    pub notable_features: Vec<String>,
    /// Inputs with what comes of them.
    pub examples: Vec<Example>,
    /// When it was saved; `None` for models that come with the program.
    pub saved_at: Option<Timestamp>,
    /// What stands for it.
    pub(crate) work: Work,
}

/// What stands for a model.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Components, chosen by the input.
    Chain(Chain),
    /// The steps of a workflow as it was published.
    Workflow(Vec<Step>),
}

/// Makes the steps for an input, or says what in it makes no sense together.
///
/// It is asked for inputs with faults too, so that all of them are found at once: what did not pass is absent.
pub(crate) type Chain = fn(&Checked) -> Result<Plan, Vec<FieldError>>;

impl Model {
    /// Its id for callers: `owner/slug`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner, self.slug)
    }

    /// Its input of that name.
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// Whether it stands for a workflow of an organization.
    pub fn is_workflow(&self) -> bool {
        matches!(self.work, Work::Workflow(_))
    }

    /// The id of its input at that place.
    pub fn input_id(&self, index: usize) -> Uuid {
        part_id(self.id, 1, index)
    }

    /// The id of its output at that place.
    pub fn output_id(&self, index: usize) -> Uuid {
        part_id(self.id, 2, index)
    }

    /// The id of its example at that place.
    pub fn example_id(&self, index: usize) -> Uuid {
        part_id(self.id, 3, index)
    }
}

/// An id for a part of something: the same for the same part, and a UUIDv7 where the whole has one.
fn part_id(whole: Uuid, kind: u8, index: usize) -> Uuid {
    let mut bytes = whole.into_bytes();
    bytes[13] ^= kind;
    bytes[14] ^= (index >> 8) as u8;
    bytes[15] ^= index as u8;
    Uuid::from_bytes(bytes)
}

/// The models that come with the program, in the order they are listed.
pub fn all() -> &'static [Model] {
    static ALL: LazyLock<Vec<Model>> = LazyLock::new(chains::models);
    &ALL
}

/// The model of that owner and slug among those that come with the program.
pub fn find(owner: &str, slug: &str) -> Option<&'static Model> {
    all().iter().find(|model| model.owner == owner && model.slug == slug)
}

/// The model of the catalogue with that id for callers.
pub fn find_path(path: &str) -> Option<&'static Model> {
    let (owner, slug) = path.split_once('/')?;
    find(owner, slug)
}

/// The model with that object id among those that come with the program.
pub fn find_id(id: Uuid) -> Option<&'static Model> {
    all().iter().find(|model| model.id == id)
}

/// The creators of the models that come with the program.
pub fn creators() -> &'static [Creator] {
    static CREATORS: LazyLock<Vec<Creator>> = LazyLock::new(chains::creators);
    &CREATORS
}

#[cfg(test)]
mod tests;
