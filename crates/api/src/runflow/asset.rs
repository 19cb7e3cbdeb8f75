//! Assets: files that an organization keeps.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use domain::asset::{Asset, AssetSource};
use domain::id::{FolderId, UserId};
use domain::image::FileName;
use serde_json::{Value, json};
use service::{AssetChange, AssetField, Refusal};

use super::account::user_id;
use super::asker::{Asker, Named};
use super::form::Form;
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::model::FieldError;
use super::problem::Problem;
use super::repeat::Once;
use super::view::{time, with_ending};
use crate::Front;
use crate::listing::list_fields;
use crate::multipart::{FormFault, Multipart, boundary};

/// What a form may have beside its file, in bytes.
const FORM_SLACK: u64 = 64 * 1024;
/// Longest text field of a form, in bytes.
const FIELD_BYTES_MAX: usize = 1024;
/// Most characters in an asset's name.
pub(crate) const NAME_MAX: usize = 500;

list_fields! {
    AssetFields: AssetField {
        "id" => AssetField::Id, Id;
        "name" => AssetField::Name, Text;
        "folder_id" => AssetField::Folder, Id;
        "mime_type" => AssetField::MediaType, Text;
        "size_bytes" => AssetField::Bytes, Number;
        "source_type" => AssetField::Source, Text;
        "created_at" => AssetField::CreatedAt, Time;
        "updated_at" => AssetField::UpdatedAt, Time;
    }
}

const NAMES: &[&str] = &[
    "id",
    "org_id",
    "folder_id",
    "name",
    "r2_key",
    "url",
    "thumbnail_url",
    "mime_type",
    "size_bytes",
    "asset_type",
    "source_type",
    "source_id",
    "created_by",
    "created_at",
    "updated_at",
    "deleted_at",
    "deleted_by",
    "created_by_user",
];
const USER: &str = "created_by_user";
const RELATIONS: &[&str] = &[USER];

impl Front {
    /// An asset as it is shown, with freshly signed addresses.
    pub(crate) fn asset_value(&self, asset: &Asset) -> Value {
        let file = &asset.file;
        let name = with_ending(&asset.name, &file.media_type);
        let is_picture = file.size.is_some();
        json!({
            "id": asset.id,
            "org_id": asset.org,
            "folder_id": asset.folder,
            "name": asset.name.as_str(),
            "r2_key": format!("{}/assets/{}/{}", asset.org, asset.id, asset.name),
            "url": self.asset_url(asset.org, file.hash, &name),
            "thumbnail_url": is_picture.then(|| self.thumbnail_url(asset.org, file.hash)),
            "mime_type": file.media_type,
            "size_bytes": file.bytes,
            "asset_type": if is_picture { "image" } else { "archive" },
            "source_type": asset.source.as_str(),
            "source_id": null,
            "created_by": user_id(&asset.created_by),
            "created_at": time(asset.created_at),
            "updated_at": time(asset.updated_at),
            "deleted_at": asset.deleted.as_ref().map(|(at, _)| time(*at)),
            "deleted_by": asset.deleted.as_ref().map(|(_, by)| user_id(by)),
            "created_by_user": null,
        })
    }

    /// Who put something here, as far as they are still a member.
    async fn members(&self, asker: &Asker) -> Result<Vec<(UserId, Value)>, Problem> {
        let org = self.service.org(&asker.caller, asker.org).await?;
        Ok(org
            .members
            .into_iter()
            .map(|member| {
                let user = member.user;
                let shown = json!({
                    "id": user_id(&user.id),
                    "email": user.email,
                    "first_name": user.given_name,
                    "last_name": user.family_name,
                    "avatar_url": user.picture,
                });
                (user.id, shown)
            })
            .collect())
    }

    /// Assets as they are shown, with who put them there where that is wanted.
    async fn show_assets(
        &self,
        asker: &Asker,
        assets: &[Asset],
        shown: &Shown,
    ) -> Result<Vec<Value>, Problem> {
        let members = if shown.embeds(USER) { self.members(asker).await? } else { Vec::new() };
        let with_user = |asset: &Asset| {
            let user = members.iter().find(|(id, _)| *id == asset.created_by);
            let mut value = self.asset_value(asset);
            value[USER] = user.map_or(Value::Null, |(_, user)| user.clone());
            value
        };
        Ok(assets.iter().map(with_user).collect())
    }
}

/// `GET /v1/assets`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&AssetFields, NEWEST, NAMES, RELATIONS)?;
    let leaf = front.service.list_assets(&asker.caller, &asker.choice, &asked.listing).await?;
    Ok(asked.page(&leaf, front.show_assets(&asker, &leaf.entries, &asked.shown).await?))
}

/// `POST /v1/assets`: a file in a form, in place of the three steps.
pub(crate) async fn add(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let service = &front.service;
    service.need_scope(&asker.caller, "assets:create")?;
    let boundary = headers.get(CONTENT_TYPE).and_then(|value| boundary(value.as_bytes()));
    let boundary = boundary.ok_or_else(|| {
        missing(
            "the body is no multipart form; send the file as `multipart/form-data` in a part named `file`",
        )
    })?;
    let limit = service.settings().asset_bytes_max;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > limit + FORM_SLACK) {
        return Err(Refusal::TooLarge { limit }.into());
    }
    let mut intake = service.asset_intake(&asker.caller, &asker.choice).await?;
    let mut form = Multipart::new(body, &boundary, limit + FORM_SLACK);
    let (mut name, mut folder) = (None, None);
    while let Some(head) = form.next_part().await? {
        match head.name.as_deref() {
            Some("file") => {
                if name.is_some() {
                    return Err(Problem::unprocessable(
                        "the form has two parts named `file`; send one at a time",
                    ));
                }
                while let Some(chunk) = form.next_chunk().await? {
                    intake.write(&chunk).await?;
                }
                name = Some(FileName::clean(head.file_name.as_deref().unwrap_or_default()));
            }
            Some("folder_id") => {
                let text = form.text(FIELD_BYTES_MAX).await?;
                folder = read_folder(text.trim())?;
            }
            _ => {}
        }
    }
    let name = name.ok_or_else(|| missing("the form has no part named `file`; send the file in one"))?;
    let asset =
        service.add_asset(&asker.caller, intake, name, folder, AssetSource::Upload, once.seed).await?;
    Ok((StatusCode::CREATED, Json(front.asset_value(&asset))))
}

fn missing(message: &str) -> Problem {
    Problem::invalid(vec![FieldError::new(["body", "file"], "missing", message)])
}

/// The folder that a form names; an empty text and `null` name the root.
fn read_folder(text: &str) -> Result<Option<FolderId>, Problem> {
    if text.is_empty() || text == "null" {
        return Ok(None);
    }
    let wrong = |_| {
        Problem::invalid(vec![FieldError::new(
            ["body", "folder_id"],
            "uuid_parsing",
            "Input should be a valid UUID",
        )])
    };
    text.parse().map(Some).map_err(wrong)
}

impl From<FormFault> for Problem {
    fn from(fault: FormFault) -> Self {
        match fault {
            FormFault::Body(fault) => fault.into(),
            FormFault::Malformed(_) => Self::bad_request(fault.to_string()),
        }
    }
}

/// `GET /v1/assets/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, RELATIONS)?;
    let asset = front.service.asset(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    let values = front.show_assets(&asker, std::slice::from_ref(&asset), &shown).await?;
    Ok(Json(values.into_iter().next().map(|value| shown.of(value)).unwrap_or_default()))
}

/// `PATCH /v1/assets/{id}`: renames or moves it.
pub(crate) async fn change(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    mut form: Form,
) -> Result<Json<Value>, Problem> {
    let id = named.id(0, "id")?;
    let name = form.text("name", 1..=NAME_MAX).map(|name| FileName::clean(&name));
    let folder = form.id::<FolderId>("folder_id");
    form.check()?;
    // Null is the root; what is not named stays where it is.
    let folder = form.has("folder_id").then_some(folder);
    let change = AssetChange { name, folder };
    let asset = front.service.change_asset(&asker.caller, &asker.choice, id, &change).await?;
    Ok(Json(front.asset_value(&asset)))
}

/// `DELETE /v1/assets/{id}`.
pub(crate) async fn delete(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    front.service.delete_asset(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
