//! The OpenAPI document of this interface, gathered from the same calls that make its routes; and the list of problems.

use axum::Json;
use serde::Serialize;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asker::Named;
use super::problem::{PROBLEM_JSON, Problem, ProblemBody};
use super::{
    ROOT, audit, component, connection, credit, delivery, event, limits, me, member, order, organization,
    review, run, workflow,
};
use crate::Front;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Packshot: management interface",
        description = "Manages a Packshot server: workflows, runs, orders, quality decisions, credits, people, keys. Times are \
                       RFC 3339 in UTC with milliseconds. Lists come in pages: follow `next_cursor`, or the `link` header. \
                       Errors are problems (RFC 9457) with a `code` that never changes.",
        license(name = "MIT OR Apache-2.0"),
    ),
    components(schemas(ProblemBody)),
    security(("bearer" = [])),
    tags(
        (name = "Workflows", description = "What is done to an image, step by step, in immutable versions."),
        (name = "Components", description = "What steps there are, and their settings."),
        (name = "Runs", description = "One image through one workflow version; and what becomes of them as it happens."),
        (name = "Orders", description = "Runs that their owner counts together, and their results as a ZIP file."),
        (name = "Quality", description = "The check of results by people."),
        (name = "Credits", description = "The balance and the ledger."),
        (name = "People", description = "Members, invitations, connections, and what they did."),
        (name = "Webhooks", description = "Deliveries, attempt by attempt, and the secret that signs them."),
        (name = "Organizations", description = "Who you are and where you belong."),
    )
)]
struct Document;

/// The routes, each with its description.
pub(super) fn routes() -> OpenApiRouter<Front> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(me::show))
        .routes(routes!(organization::list))
        .routes(routes!(organization::show))
        .routes(routes!(component::list))
        .routes(routes!(component::show))
        .routes(routes!(workflow::list, workflow::create))
        .routes(routes!(workflow::validate))
        .routes(routes!(workflow::show, workflow::revise, workflow::archive))
        .routes(routes!(workflow::unarchive))
        .routes(routes!(workflow::versions))
        .routes(routes!(run::list))
        .routes(routes!(run::show))
        .routes(routes!(run::result))
        .routes(routes!(run::further_result))
        .routes(routes!(run::retry))
        .routes(routes!(review::run))
        .routes(routes!(event::follow))
        .routes(routes!(order::list, order::create))
        .routes(routes!(order::show))
        .routes(routes!(run::list_of_order))
        .routes(routes!(order::results))
        .routes(routes!(review::order))
        .routes(routes!(credit::show))
        .routes(routes!(credit::entries))
        .routes(routes!(credit::grant))
        .routes(routes!(limits::show, limits::set))
        .routes(routes!(member::list))
        .routes(routes!(member::change, member::remove))
        .routes(routes!(member::invitations, member::invite))
        .routes(routes!(member::revoke_invitation))
        .routes(routes!(connection::list, connection::create))
        .routes(routes!(connection::rename, connection::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(delivery::list))
        .routes(routes!(delivery::show))
        .routes(routes!(delivery::redeliver))
        .routes(routes!(delivery::secret))
        .routes(routes!(delivery::rotate))
}

/// Adds what is said about all routes at once.
pub(super) fn finish(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    crate::openapi::add_bearer(&mut document);
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete];
        operations.into_iter().flatten().for_each(add_problems);
        path.post.iter_mut().for_each(add_key);
    }
    document.servers = Some(vec![ServerBuilder::new().url(ROOT).build()]);
    document
}

/// Every operation may answer a problem.
fn add_problems(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    let response = ResponseBuilder::new().description("A problem.").content(PROBLEM_JSON, content).build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
}

/// Every POST may be repeated under a key.
fn add_key(operation: &mut Operation) {
    let about = "A POST that is sent again with the same key does nothing more and gets the same answer, for 24 hours.";
    let key = ParameterBuilder::new()
        .name("idempotency-key")
        .parameter_in(ParameterIn::Header)
        .description(Some(about))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(255))))
        .build();
    operation.parameters.get_or_insert_default().push(key);
}

/// The document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    finish(routes().split_for_parts().1)
}

/// What is known about a kind of problem.
#[derive(Serialize)]
pub(crate) struct Explanation {
    code: String,
    status: u16,
    when: String,
    way_out: String,
}

/// Says what a problem's code means: what its `type` leads to.
pub(crate) async fn explain(Named(code): Named) -> Result<Json<Explanation>, Problem> {
    // One list for people and programs: the rows of the document's tables.
    let rows = include_str!("../../../../docs/errors.md").lines().filter(|line| line.starts_with("| `"));
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        if let [name, statuses, when, way_out] = cells.as_slice()
            && name.trim_matches('`') == code
            // The last one is this interface's.
            && let Some(status) = statuses.rsplit('/').next().and_then(|status| status.trim().parse().ok())
        {
            let (when, way_out) = ((*when).to_owned(), (*way_out).to_owned());
            return Ok(Json(Explanation { code, status, when, way_out }));
        }
    }
    Err(super::unknown_path().await)
}
