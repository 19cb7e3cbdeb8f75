//! Folders of assets.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::asset::Folder;
use domain::id::FolderId;
use serde_json::{Value, json};
use service::{FolderChange, FolderField};

use super::account::user_id;
use super::asker::{Asker, Named};
use super::form::Form;
use super::listing::{ListQuery, NEWEST, PageBody};
use super::problem::Problem;
use super::repeat::Once;
use super::view::time;
use crate::Front;
use crate::listing::list_fields;

/// How long a folder's name may be, in characters.
const NAME: std::ops::RangeInclusive<usize> = 1..=255;

list_fields! {
    FolderFields: FolderField {
        "id" => FolderField::Id, Id;
        "name" => FolderField::Name, Text;
        "parent_id" => FolderField::Parent, Id;
        "created_at" => FolderField::CreatedAt, Time;
        "updated_at" => FolderField::UpdatedAt, Time;
    }
}

const NAMES: &[&str] =
    &["id", "org_id", "parent_id", "name", "created_by", "created_at", "updated_at", "deleted_at"];

fn folder_value(folder: &Folder) -> Value {
    json!({
        "id": folder.id,
        "org_id": folder.org,
        "parent_id": folder.parent,
        "name": folder.name,
        "created_by": user_id(&folder.created_by),
        "created_at": time(folder.created_at),
        "updated_at": time(folder.updated_at),
        "deleted_at": null,
    })
}

/// `GET /v1/asset-folders`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&FolderFields, NEWEST, NAMES, &[])?;
    let leaf = front.service.list_folders(&asker.caller, &asker.choice, &asked.listing).await?;
    Ok(asked.page(&leaf, leaf.entries.iter().map(folder_value)))
}

/// `POST /v1/asset-folders`.
pub(crate) async fn add(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    mut form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let name = form.required_text("name", NAME);
    let parent = form.id::<FolderId>("parent_id");
    form.check()?;
    let folder = front.service.add_folder(&asker.caller, &asker.choice, &name, parent, once.seed).await?;
    Ok((StatusCode::CREATED, Json(folder_value(&folder))))
}

/// `GET /v1/asset-folders/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, &[])?;
    let folder = front.service.folder(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(Json(shown.of(folder_value(&folder))))
}

/// `PATCH /v1/asset-folders/{id}`: renames or moves it.
pub(crate) async fn change(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    mut form: Form,
) -> Result<Json<Value>, Problem> {
    let id = named.id(0, "id")?;
    let name = form.text("name", NAME);
    let parent = form.id::<FolderId>("parent_id");
    form.check()?;
    // Null is the root; what is not named stays where it is.
    let parent = form.has("parent_id").then_some(parent);
    let change = FolderChange { name, parent };
    let folder = front.service.change_folder(&asker.caller, &asker.choice, id, change).await?;
    Ok(Json(folder_value(&folder)))
}

/// `DELETE /v1/asset-folders/{id}`: what lies in it stays.
pub(crate) async fn delete(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    front.service.delete_folder(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
