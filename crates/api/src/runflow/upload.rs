//! Uploads in three steps: announced, sent to a signed address, confirmed.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use domain::id::{AssetId, FolderId, OrgId};
use domain::image::FileName;
use futures::StreamExt as _;
use serde_json::{Value, json};
use service::{Link, LinkFault, LinkUse, Refusal, UploadDraft};

use super::asker::{Asker, Named};
use super::asset::NAME_MAX;
use super::form::{Form, MaybeForm};
use super::problem::Problem;
use super::reference::is_accepted;
use super::repeat::Once;
use crate::Front;
use crate::body::fault;
use crate::form::Query;

/// Most characters in a media type.
const MEDIA_TYPE_MAX: usize = 255;

/// `POST /v1/asset-uploads`.
pub(crate) async fn announce(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    mut form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let most = front.service.settings().asset_bytes_max;
    let name = form.required_text("filename", 1..=NAME_MAX);
    let media_type = form.required_text("mime_type", 1..=MEDIA_TYPE_MAX);
    let bytes = form.integer("size_bytes", 1..=i64::try_from(most).unwrap_or(i64::MAX));
    if form.get("size_bytes").is_none() {
        form.wrong("size_bytes", "missing", "Field required");
    }
    if !media_type.is_empty() && !is_accepted(&media_type) {
        let known = "Input should be one of the types that `GET /v1/assets/types` lists, or `application/octet-stream`";
        form.wrong("mime_type", "enum", known);
    }
    form.check()?;
    let draft = UploadDraft {
        name: FileName::clean(&name),
        media_type,
        bytes: bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(1),
    };
    let (upload, link) =
        front.service.announce_upload(&asker.caller, &asker.choice, draft, once.seed).await?;
    let answer = json!({ "asset_id": upload.asset, "upload_url": front.upload_url(&link, upload.asset.0) });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn forbidden(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
}

/// What is wrong with a link, as an answer.
pub(super) fn refused(fault: LinkFault) -> Problem {
    forbidden(match fault {
        LinkFault::NotOurs => "This link was not given out here, or was altered; ask for a new one.",
        LinkFault::Expired => "This link has expired; ask for a new one.",
    })
}

/// `PUT` of the bytes to the address that was given out for them. May be repeated: the last ones count.
pub(crate) async fn receive(
    State(front): State<Front>,
    named: Named,
    Query(query): Query,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let altered = || refused(LinkFault::NotOurs);
    let org: OrgId = named.text(0).parse().map_err(|_| altered())?;
    let asset: AssetId = named.text(1).parse().map_err(|_| altered())?;
    let until: i64 = named.text(2).parse().map_err(|_| altered())?;
    let service = &front.service;
    let (upload, mut intake) = match service.receive_upload(org, asset).await {
        Ok(found) => found,
        Err(Refusal::Missing { .. }) => return Err(altered()),
        Err(other) => return Err(other.into()),
    };
    let link = Link { org, what: LinkUse::Put(asset, upload.media_type.clone()), until };
    service.check_link(&link, query.get("sig").unwrap_or_default()).map_err(refused)?;
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    if !sent.eq_ignore_ascii_case(&upload.media_type) {
        return Err(forbidden(format!(
            "The bytes must come with `Content-Type: {}`, as the upload was announced.",
            upload.media_type
        )));
    }
    let too_large = || Problem::from(Refusal::TooLarge { limit: upload.bytes });
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > upload.bytes) {
        return Err(too_large());
    }
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Problem::from(fault(&error)))?;
        intake.write(&chunk).await?;
    }
    service.received(&upload, intake).await?;
    Ok(StatusCode::OK)
}

/// `POST /v1/asset-uploads/{asset_upload_id}/confirmations`.
pub(crate) async fn confirm(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    MaybeForm(mut form): MaybeForm,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let id = named.id(0, "asset_upload_id")?;
    let folder = form.id::<FolderId>("folder_id");
    form.check()?;
    let asset = front.service.confirm_upload(&asker.caller, &asker.choice, id, folder).await?;
    Ok((StatusCode::CREATED, Json(front.asset_value(&asset))))
}
