//! Pictures on their way in.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::image::{FileName, Image};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::{Intake, OrgChoice, Refusal, Service, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, OrgParam, org_of};
use super::error::{ErrorBody, Problem};
use crate::Front;
use crate::body::read_all;
use crate::form::Query;
use crate::multipart::{Multipart, boundary};

/// Type of the answers that are plain text; clients decode them by the character set it names.
pub(crate) const PLAIN_TEXT: &str = "text/plain;charset=UTF-8";
/// What a form may have beside its file, in bytes.
const FORM_SLACK: u64 = 64 * 1024;
/// Longest text field, in bytes.
const FIELD_BYTES_MAX: usize = 1024;

/// For the document: a form with a file.
#[derive(ToSchema)]
#[allow(dead_code, reason = "read by the document; the form is read as a stream")]
pub(crate) struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Bytes the file has; an upload that was cut off is refused by it.
    filesize: Option<u64>,
}

/// Images to be fetched.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UploadUrls {
    /// An address for each name.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    urls: Option<Map<String, Value>>,
}

/// Images that were fetched.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadedUrls {
    /// The content hash for each name.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    urls: Map<String, Value>,
}

/// The boundary of a multipart form, if the request is one.
pub(crate) fn form_boundary(headers: &HeaderMap) -> Option<String> {
    boundary(headers.get(CONTENT_TYPE)?.as_bytes())
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase().contains("json")
}

/// Refuses a body that says itself that it is too large, before any of it is sent.
pub(crate) fn check_announced(headers: &HeaderMap, service: &Service) -> Result<(), Problem> {
    let limit = service.settings().upload_bytes_max;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(announced) if announced > limit + FORM_SLACK => Err(Refusal::TooLarge { limit }.into()),
        _ => Ok(()),
    }
}

/// Takes in the one `file` of a form. Its declared type is not looked at: the bytes say what they are.
pub(crate) async fn take_file(
    service: &Service,
    mut intake: Intake,
    body: Body,
    boundary: &str,
) -> Result<(Image, FileName), Problem> {
    let mut form = Multipart::new(body, boundary, service.settings().upload_bytes_max + FORM_SLACK);
    let mut file = None;
    let mut announced = None;
    while let Some(head) = form.next_part().await? {
        match head.name.as_deref() {
            Some("file") => {
                if file.is_some() {
                    return Err(Problem::invalid(
                        "the form has two parts named `file`; send one file at a time",
                    ));
                }
                while let Some(chunk) = form.next_chunk().await? {
                    intake.write(&chunk).await?;
                }
                file = Some(FileName::clean(head.file_name.as_deref().unwrap_or_default()));
            }
            Some("filesize") => {
                let text = form.text(FIELD_BYTES_MAX).await?;
                let text = text.trim();
                if !text.is_empty() {
                    announced = Some(text.parse().map_err(|_| {
                        Problem::invalid("the part `filesize` is no number; send the file's bytes as an integer, or leave it out")
                    })?);
                }
            }
            _ => {}
        }
    }
    let name =
        file.ok_or_else(|| Problem::invalid("the form has no part named `file`; send the image in one"))?;
    Ok((service.admit(intake, announced).await?, name))
}

/// Fetches the images a body names, all or none of them.
async fn take_urls(
    front: &Front,
    caller: &domain::access::Caller,
    choice: &OrgChoice,
    body: Body,
) -> Result<UploadedUrls, Problem> {
    let body = read_all(body, front.settings.json_bytes_max).await?;
    let body: UploadUrls = serde_json::from_slice(&body)
        .map_err(|error| Problem::invalid(format!("the body is not the JSON expected here: {error}")))?;
    let urls = body.urls.ok_or_else(|| {
        Problem::invalid("the body has no `urls`; give an object of names and addresses, or send a form")
    })?;
    let pictures = urls.into_iter().map(|(name, address)| match address {
        Value::String(address) => Ok((name, address)),
        _ => Err(Problem::invalid(format!("the address of `{name}` is no string; give its URL"))),
    });
    let pictures = pictures.collect::<Result<Vec<_>, _>>()?;
    let taken = front.service.take_in_from(caller, choice, pictures).await?;
    let urls = taken.into_iter().map(|(name, image)| (name, Value::String(image.hash.to_string())));
    Ok(UploadedUrls { urls: urls.collect() })
}

/// Uploads an image, and answers its content hash: the SHA-256 of its bytes in lower-case hexadecimal. Or has images
/// fetched from public URLs, and answers the hash of each.
#[utoipa::path(
    post,
    path = "/upload",
    tag = "Images",
    operation_id = "uploadImage",
    params(OrgParam),
    request_body(content(
        (UploadForm = "multipart/form-data"),
        (UploadUrls = "application/json"),
    )),
    responses(
        (status = 201, description = "The content hash; or one for each URL.", content(
            (String = "text/plain;charset=UTF-8"),
            (UploadedUrls = "application/json"),
        )),
        (status = 400, description = "The body is broken, incomplete or has no file.", body = ErrorBody),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
        (status = 413, description = "The file is too large.", body = ErrorBody),
        (status = 422, description = "The file is no image that can be worked on, or one of the URLs does not lead to one; then none is taken.", body = ErrorBody),
    )
)]
pub(crate) async fn upload(
    State(front): State<Front>,
    Asker(caller): Asker,
    Query(query): Query,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let service = &front.service;
    let Some(boundary) = form_boundary(&headers) else {
        if is_json(&headers) {
            let taken = take_urls(&front, &caller, &org_of(&query), body).await?;
            return Ok((StatusCode::CREATED, Json(taken)).into_response());
        }
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "form_expected",
            "the body is neither a multipart form nor JSON; send the image as `multipart/form-data` in a part named \
             `file`, or `{\"urls\": {\"<name>\": \"<url>\"}}` as `application/json`",
        ));
    };
    check_announced(&headers, service)?;
    let intake = service.intake(&caller, &org_of(&query)).await?;
    let (image, _) = take_file(service, intake, body, &boundary).await?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, PLAIN_TEXT)], image.hash.to_string()).into_response())
}

/// Says whether an image was uploaded.
#[utoipa::path(
    method(get, head),
    path = "/upload",
    tag = "Images",
    operation_id = "isUploaded",
    params(("contentHash" = String, Query, description = "Its content hash."), OrgParam),
    responses(
        (status = 200, description = "It is there."),
        (status = 401, description = "No valid token."),
        (status = 404, description = "It was never uploaded to this organization, or is gone."),
    )
)]
pub(crate) async fn is_uploaded(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<StatusCode, Problem> {
    let text = query.get("contentHash").unwrap_or_default();
    let missing = || Problem::missing(Thing::Image, text);
    let hash = text.parse().map_err(|_| missing())?;
    match service.has_image(&caller, &org_of(&query), hash).await? {
        true => Ok(StatusCode::OK),
        false => Err(missing()),
    }
}
