//! The OpenAPI documents, gathered from the same calls that make the routes.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::autoretouch::{self, batch, execution, image, organization, upload, workflow};
use crate::{Front, native, oauth};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Packshot: AutoRetouch interface",
        description = "Retouches product photos. Every path answers the same without prefix, with `/v1` and with `/v2`, \
                       and with or without a slash at the end.",
        license(name = "MIT OR Apache-2.0"),
    ),
    security(("bearer" = [])),
    tags(
        (name = "Executions", description = "One image through one workflow version."),
        (name = "Images", description = "Uploads and downloads, by content hash."),
        (name = "Workflows", description = "What is done to an image, step by step."),
        (name = "Organizations", description = "Members and credits."),
        (name = "Sign-in", description = "Tokens for devices and programs."),
        (name = "Health", description = "Whether the server is there."),
    )
)]
struct Document;

/// The routes of the dialect, each with its description.
pub(crate) fn autoretouch_routes() -> OpenApiRouter<Front> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(autoretouch::health))
        .routes(routes!(oauth::device_code))
        .routes(routes!(oauth::token))
        .routes(routes!(oauth::revoke))
        .routes(routes!(oauth::key_set))
        .routes(routes!(organization::list))
        .routes(routes!(organization::balance))
        .routes(routes!(organization::company_balance))
        .routes(routes!(organization::show))
        .routes(routes!(workflow::list))
        .routes(routes!(workflow::show))
        .routes(routes!(upload::upload, upload::is_uploaded))
        .routes(routes!(image::download))
        .routes(routes!(execution::create))
        .routes(routes!(execution::list))
        .routes(routes!(execution::retry_by_query))
        .routes(routes!(execution::show))
        .routes(routes!(execution::watch))
        .routes(routes!(execution::result))
        .routes(routes!(execution::further_result))
        .routes(routes!(execution::retry))
        .routes(routes!(execution::give_feedback))
        .routes(routes!(batch::list))
}

/// Says how callers prove who they are.
pub(crate) fn add_bearer(document: &mut utoipa::openapi::OpenApi) {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token, or an API key."))
        .build();
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert("bearer".to_owned(), SecurityScheme::Http(bearer));
}

/// Adds what is said about all routes at once.
pub(crate) fn finish(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    add_bearer(&mut document);
    for path in document.paths.paths.values_mut() {
        // Two operations may not share an id.
        if let Some(id) = path.head.as_mut().and_then(|head| head.operation_id.as_mut()) {
            id.push_str("Head");
        }
    }
    let servers = ["/v1", "/v2", "/"].map(|prefix| ServerBuilder::new().url(prefix).build());
    document.servers = Some(servers.to_vec());
    document
}

/// The OpenAPI document of the AutoRetouch dialect as JSON text, as it is committed.
pub fn autoretouch_document() -> String {
    let (_, document) = autoretouch_routes().split_for_parts();
    write(&finish(document))
}

/// The OpenAPI document of the native interface as JSON text, as it is committed.
pub fn native_document() -> String {
    write(&native::document())
}

fn write(document: &utoipa::openapi::OpenApi) -> String {
    // A document made of strings and maps of strings can always be written.
    let mut text = document.to_pretty_json().expect("an OpenAPI document is plain data");
    text.push('\n');
    text
}

pub(crate) async fn serve_document(document: Arc<utoipa::openapi::OpenApi>) -> Response {
    Json(document.as_ref()).into_response()
}
