//! Pictures on their way out.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::image::FileName;
use percent_encoding::percent_decode_str;
use service::{Handout, Service, Thing};

use super::asker::{Asker, OrgParam, org_of};
use super::error::{ErrorBody, Problem};
use crate::form::Query;
use crate::handout::{Outside, send};
use crate::paths::Received;

/// Downloads an image, uploaded or made, by its content hash. The file name may be anything.
#[utoipa::path(
    method(get, head),
    path = "/image/{contentHash}/{fileName}",
    tag = "Images",
    operation_id = "downloadImage",
    params(
        ("contentHash" = String, Path, description = "Its content hash."),
        ("fileName" = String, Path, description = "Any file name."),
        OrgParam,
    ),
    responses(
        (status = 200, description = "The image.", body = Vec<u8>, content_type = "image/*"),
        (status = 206, description = "The bytes asked for.", body = Vec<u8>, content_type = "image/*"),
        (status = 304, description = "You have it already."),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
        (status = 404, description = "No organization of yours has such an image.", body = ErrorBody),
        (status = 416, description = "The image has no such bytes.", body = ErrorBody),
    )
)]
pub(crate) async fn download(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
    Extension(received): Extension<Received>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let path = received.path.as_str();
    let hash = path.split("/image/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let hash = hash.parse().map_err(|_| Problem::missing(Thing::Image, hash))?;
    let handout = service.image(&caller, &org_of(&query), hash).await?;
    let name = file_name(received.file_name.as_deref().unwrap_or_default());
    respond(&handout, &name, &method, &headers).await
}

/// The file name at the end of a path, which may be encoded once, twice or not at all.
fn file_name(sent: &str) -> FileName {
    let mut name = sent.to_owned();
    for _ in 0..2 {
        name = percent_decode_str(&name).decode_utf8_lossy().into_owned();
    }
    FileName::clean(&name)
}

/// Answers a picture's bytes, or those asked for, or that the client has them already.
pub(crate) async fn respond(
    handout: &Handout,
    name: &FileName,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let sent = send(handout, name, "private, max-age=31536000, immutable", method, headers).await?;
    Ok(sent.unwrap_or_else(|Outside { bytes }| {
        let message = format!("the image has {bytes} bytes; ask for a range within them");
        let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", message);
        Outside { bytes }.mark(problem.into_response())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_as_often_as_they_were_encoded() {
        for sent in ["shirt%2001.png", "shirt%252001.png"] {
            assert_eq!(file_name(sent).as_str(), "shirt 01.png");
        }
        assert_eq!(file_name("a/b%2Fc.png").as_str(), "c.png");
        assert_eq!(file_name("%FF.png").as_str(), "\u{fffd}.png");
    }
}
