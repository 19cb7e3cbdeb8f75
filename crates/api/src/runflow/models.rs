//! The catalogue: models, their creators, their examples.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use domain::filter::Value as FilterValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asker::Asker;
use super::listing::{ListQuery, PageBody, Shown};
use super::model::{self, Creator, FieldError, Model, Price};
use super::problem::Problem;
use super::target::{Target, segments};
use super::view::time;
use crate::Front;
use crate::listing::list_fields;

/// What models are asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelField {
    Id,
    Slug,
    Name,
    Category,
    Status,
    IsPublic,
    CreatedAt,
    UpdatedAt,
}

list_fields! {
    ModelFields: ModelField {
        "id" => ModelField::Id, Id;
        "slug" => ModelField::Slug, Text;
        "name" => ModelField::Name, Text;
        "category_code" => ModelField::Category, Text;
        "status_code" => ModelField::Status, Text;
        "is_public" => ModelField::IsPublic, Bool;
        "created_at" => ModelField::CreatedAt, Time;
        "updated_at" => ModelField::UpdatedAt, Time;
    }
}

/// What creators are asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreatorField {
    Id,
    Slug,
    Name,
}

list_fields! {
    CreatorFields: CreatorField {
        "id" => CreatorField::Id, Id;
        "slug" => CreatorField::Slug, Text;
        "display_name" => CreatorField::Name, Text;
    }
}

const NAMES: &[&str] = &[
    "id",
    "org_id",
    "model_creator_id",
    "slug",
    "name",
    "description",
    "version",
    "is_public",
    "is_open_source",
    "icon_url",
    "cover_url",
    "category_code",
    "status_code",
    "family_id",
    "family_variant_code",
    "param_count",
    "architecture",
    "license_code",
    "max_resolution",
    "lora_support",
    "fine_tuning",
    "supports_streaming",
    "paper_url",
    "github_url",
    "is_official",
    "availability_status",
    "seo",
    "notable_features",
    "content",
    "pricing_note",
    "created_by",
    "created_at",
    "updated_at",
    "deleted_at",
    "deleted_by",
    "inputs",
    "outputs",
];
const CREATOR_NAMES: &[&str] = &[
    "id",
    "slug",
    "display_name",
    "description",
    "avatar_url",
    "website_url",
    "claimed_by_org_id",
    "created_at",
    "updated_at",
    "models",
];
const EXAMPLE_NAMES: &[&str] = &[
    "id",
    "model_id",
    "title",
    "description",
    "input",
    "output",
    "status_code",
    "cost",
    "start_type",
    "timing",
    "duration_ms",
    "total_ms",
    "thumbnail_url",
    "category_code",
    "is_featured",
    "is_public",
    "sort_order",
    "ran_at",
    "created_at",
    "updated_at",
];
/// The usual order: as the catalogue has them, the organization's own last.
const USUAL: &str = "slug:asc";

fn value_of(model: &Model, field: &ModelField) -> Option<FilterValue> {
    Some(match field {
        ModelField::Id => FilterValue::Id(model.id),
        ModelField::Slug => FilterValue::Text(model.slug.clone()),
        ModelField::Name => FilterValue::Text(model.name.clone()),
        ModelField::Category => FilterValue::Text(model.category.to_owned()),
        ModelField::Status => FilterValue::Text("active".to_owned()),
        ModelField::IsPublic => FilterValue::Bool(!model.is_workflow()),
        ModelField::CreatedAt | ModelField::UpdatedAt => FilterValue::Time(model.saved_at?),
    })
}

/// A model as it is shown.
pub(crate) fn model_value(front: &Front, model: &Model) -> Value {
    let org = model.is_workflow().then_some(domain::id::OrgId(model.creator));
    let saved = model.saved_at.map(time);
    let mut value = model::model_json(model, org, saved.as_deref());
    value["pricing_note"] = json!(front.pricing_note(model));
    value
}

impl Front {
    fn pricing_note(&self, model: &Model) -> String {
        let price = match model.price {
            Some(price) => price,
            None => {
                let target = Target::of(model);
                Price(u64::from(self.price_of(&target)).saturating_mul(self.settings.credit_micros))
            }
        };
        match &model.pricing_note {
            Some(note) => note.clone(),
            None if model.is_workflow() => "as the workflow costs, per request that succeeds".to_owned(),
            None => format!("${price} per request that succeeds"),
        }
    }
}

fn creator_value(front: &Front, creator: &Creator, shown: &Shown) -> Value {
    let mut value = model::creator_json(creator, None);
    value["models"] = Value::Null;
    if shown.embeds("models") {
        let of = model::all().iter().filter(|model| model.creator == creator.id);
        value["models"] = of.map(|model| model_value(front, model)).collect();
    }
    value
}

fn example_value(model: &Model, nth: usize) -> Value {
    model::example_json(model, nth, &model.examples[nth])
}

/// `GET /v1/models`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&ModelFields, USUAL, NAMES, &[])?;
    let own = front.workflow_models(&asker).await?.into_iter().map(|(model, _)| model);
    let all: Vec<Model> = model::all().iter().cloned().chain(own).collect();
    let leaf = asked.listing.of_all(all, |model| model.id, value_of);
    Ok(asked.page(&leaf, leaf.entries.iter().map(|model| model_value(&front, model))))
}

/// `GET /v1/public/models`: for everybody, whatever the filter says.
pub(crate) async fn list_public(State(front): State<Front>, query: ListQuery) -> Result<PageBody, Problem> {
    let asked = query.ask(&ModelFields, USUAL, NAMES, &[])?;
    let leaf = asked.listing.of_all(model::all().to_vec(), |model| model.id, value_of);
    let value = |model: &Model| model::for_anybody(model_value(&front, model));
    Ok(asked.page(&leaf, leaf.entries.iter().map(value)))
}

/// `GET /v1/model-creators`.
pub(crate) async fn list_creators(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&CreatorFields, USUAL, CREATOR_NAMES, &["models"])?;
    front.service.need_scope(&asker.caller, "runs:read")?;
    let value = |creator: &Creator, field: &CreatorField| {
        Some(match field {
            CreatorField::Id => FilterValue::Id(creator.id),
            CreatorField::Slug => FilterValue::Text(creator.slug.clone()),
            CreatorField::Name => FilterValue::Text(creator.display_name.clone()),
        })
    };
    let leaf = asked.listing.of_all(model::creators().to_vec(), |creator| creator.id, value);
    Ok(asked.page(&leaf, leaf.entries.iter().map(|creator| creator_value(&front, creator, &asked.shown))))
}

/// `GET /v1/models/{owner}/{slug}`, the slug of any depth; and the examples of models, whose addresses win over it.
pub(crate) async fn show(
    State(front): State<Front>,
    OriginalUri(uri): OriginalUri,
    asker: Asker,
    query: ListQuery,
) -> Result<Response, Problem> {
    let parts = segments(uri.path());
    let is_parent = |text: &str| text == "any" || Uuid::try_parse(text).is_ok();
    match parts.as_slice() {
        [of, examples] if examples == "examples" && is_parent(of) => {
            list_examples(&front, &asker, &query, of).await.map(IntoResponse::into_response)
        }
        [of, examples, id] if examples == "examples" && is_parent(of) => {
            let id = Uuid::try_parse(id).map_err(|_| {
                let text = "Input should be a valid UUID, 8-4-4-4-12 hexadecimal digits";
                Problem::invalid(vec![FieldError::new(["path", "id"], "uuid_parsing", text)])
            })?;
            let all = front.examples(&asker, of).await?;
            let found = all.iter().find(|(model, nth)| model.example_id(*nth) == id);
            let (model, nth) =
                found.ok_or_else(|| Problem::not_found("No example with that id for this model."))?;
            Ok(Json(example_value(model, *nth)).into_response())
        }
        [owner, slug @ ..] if !slug.is_empty() => {
            let shown = query.names(NAMES)?;
            let target = front.find_model(&asker, owner, &slug.join("/")).await?;
            Ok(Json(shown.of(model_value(&front, &target.model))).into_response())
        }
        _ => Err(Problem::new(
            axum::http::StatusCode::NOT_FOUND,
            "MODEL_NOT_FOUND",
            "A model's id is `owner/slug`; `GET /v1/models` lists those there are.",
        )),
    }
}

impl Front {
    /// The examples of one model by its id, or of all.
    async fn examples(&self, asker: &Asker, of: &str) -> Result<Vec<(Model, usize)>, Problem> {
        let own = self.workflow_models(asker).await?.into_iter().map(|(model, _)| model);
        let models: Vec<Model> = match Uuid::try_parse(of) {
            Err(_) => model::all().iter().cloned().chain(own).collect(),
            Ok(id) => {
                let found =
                    model::find_id(id).cloned().or_else(|| own.into_iter().find(|model| model.id == id));
                vec![found.ok_or_else(|| Problem::missing(service::Thing::Workflow))?]
            }
        };
        Ok(models
            .into_iter()
            .flat_map(|model| (0..model.examples.len()).map(|nth| (model.clone(), nth)).collect::<Vec<_>>())
            .collect())
    }
}

/// What examples are asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExampleField {
    Id,
    Model,
    Title,
    Place,
}

list_fields! {
    ExampleFields: ExampleField {
        "id" => ExampleField::Id, Id;
        "model_id" => ExampleField::Model, Id;
        "title" => ExampleField::Title, Text;
        "sort_order" => ExampleField::Place, Number;
    }
}

async fn list_examples(
    front: &Front,
    asker: &Asker,
    query: &ListQuery,
    of: &str,
) -> Result<PageBody, Problem> {
    const IN_ORDER: &str = "model_id:asc,sort_order:asc";
    let asked = query.ask(&ExampleFields, IN_ORDER, EXAMPLE_NAMES, &[])?;
    let value = |(model, nth): &(Model, usize), field: &ExampleField| {
        Some(match field {
            ExampleField::Id => FilterValue::Id(model.example_id(*nth)),
            ExampleField::Model => FilterValue::Id(model.id),
            ExampleField::Title => FilterValue::Text(model.examples[*nth].title.to_owned()),
            ExampleField::Place => FilterValue::Number(domain::filter::Decimal::from(*nth as i64)),
        })
    };
    let all = front.examples(asker, of).await?;
    let leaf = asked.listing.of_all(all, |(model, nth)| model.example_id(*nth), value);
    Ok(asked.page(&leaf, leaf.entries.iter().map(|(model, nth)| example_value(model, *nth))))
}
