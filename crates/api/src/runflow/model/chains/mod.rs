//! The models that come with the program, one file each: what each takes, and the chain of components that it is.

mod background_color;
mod background_removal;
mod bria_background_remove;
mod dyver_removal;
mod object_removal;
mod outpaint;
mod product_isolation;
mod skin_fix;
mod smart_resize;
mod tag_removal;
mod topaz_upscale;

use uuid::Uuid;

use super::{Chain, Creator, Example, Input, Model, Price, Work, parts};

/// Ids are fixed, in the form of UUIDv7. New models get new numbers; numbers are never used again.
const fn id(number: u8) -> Uuid {
    Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0000 | ((number as u128) << 32))
}

const RUNFLOW: Uuid = id(0xf0);
const BRIA: Uuid = id(0xf1);
const TOPAZ: Uuid = id(0xf2);

/// What every chain's content ends with.
const LAST: &str = "\n\nPictures of more than 4096 pixels a side are worked on at 4096. Files may be JPEG, PNG, WebP or TIFF.\n";

pub(super) fn creators() -> Vec<Creator> {
    let creator = |id, slug: &str, display_name: &str, description: &str| Creator {
        id,
        slug: slug.to_owned(),
        display_name: display_name.to_owned(),
        description: description.to_owned(),
    };
    vec![
        creator(RUNFLOW, "runflow", "Runflow", "Retouching of product photographs."),
        creator(
            BRIA,
            "bria",
            "Bria",
            "The id of a cut-out that clients call; here the cut-out of this server answers to it.",
        ),
        creator(
            TOPAZ,
            "topaz",
            "Topaz",
            "The id of an enlarger that clients call; here the enlarger of this server answers to it.",
        ),
    ]
}

pub(super) fn models() -> Vec<Model> {
    vec![
        background_removal::model(),
        product_isolation::model(),
        background_color::model(),
        smart_resize::model(),
        outpaint::model(),
        object_removal::model(),
        tag_removal::model(),
        skin_fix::model(),
        dyver_removal::model(),
        bria_background_remove::model(),
        topaz_upscale::model(),
    ]
}

/// What one file says of its model.
struct About {
    /// A number of its own, see [`id`].
    number: u8,
    creator: Uuid,
    owner: &'static str,
    slug: &'static str,
    name: &'static str,
    description: &'static str,
    category: &'static str,
    inputs: Vec<Input>,
    price: Option<Price>,
    content: &'static str,
    notable_features: &'static [&'static str],
    examples: Vec<Example>,
    chain: Chain,
}

impl About {
    fn model(self) -> Model {
        Model {
            id: id(self.number),
            creator: self.creator,
            owner: self.owner.to_owned(),
            slug: self.slug.to_owned(),
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            category: self.category,
            inputs: self.inputs,
            outputs: parts::outputs(),
            price: self.price,
            pricing_note: self
                .price
                .map(|price| format!("${price} per request; a run that fails costs nothing")),
            content: format!("{}{LAST}", self.content),
            notable_features: self.notable_features.iter().map(|&feature| feature.to_owned()).collect(),
            examples: self.examples,
            saved_at: None,
            work: Work::Chain(self.chain),
        }
    }
}
