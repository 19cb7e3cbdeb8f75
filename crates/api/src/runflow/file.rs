//! Files behind signed addresses: pictures, archives, and small pictures of pictures. Whoever has the address may have the file.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::id::{OrgId, RunId};
use domain::image::{ContentHash, FileName};
use service::{Handout, Link, LinkFault, LinkUse, Thing};

use super::asker::Named;
use super::problem::Problem;
use super::upload::refused;
use crate::Front;
use crate::form::Query;
use crate::handout::{Outside, send};

/// A link as a request's address has it, checked. `read` reads what it leads to.
fn followed<T>(
    front: &Front,
    named: &Named,
    query: &Query,
    read: impl FnOnce(&str) -> Option<T>,
    what: impl FnOnce(&T) -> LinkUse,
) -> Result<(OrgId, T, i64), Problem> {
    let altered = || refused(LinkFault::NotOurs);
    let org: OrgId = named.text(0).parse().map_err(|_| altered())?;
    let to = read(named.text(1)).ok_or_else(altered)?;
    let until: i64 = named.text(2).parse().map_err(|_| altered())?;
    let link = Link { org, what: what(&to), until };
    front.service.check_link(&link, query.0.get("sig").unwrap_or_default()).map_err(refused)?;
    Ok((org, to, until))
}

fn hash(text: &str) -> Option<ContentHash> {
    text.parse().ok()
}

/// Answers a file, to be kept for as long as its address is good.
async fn answer(
    front: &Front,
    handout: &Handout,
    name: &FileName,
    until: i64,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let left = until.saturating_sub(front.service.now().0.div_euclid(1000)).max(0);
    let sent = send(handout, name, &format!("private, max-age={left}"), method, headers).await?;
    Ok(sent.unwrap_or_else(|Outside { bytes }| {
        let message = format!("The file has {bytes} bytes; ask for a range within them.");
        let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", message);
        Outside { bytes }.mark(problem.into_response())
    }))
}

/// `GET` of a file.
pub(crate) async fn download(
    State(front): State<Front>,
    named: Named,
    query: Query,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (org, hash, until) = followed(&front, &named, &query, hash, |hash| LinkUse::Get(*hash))?;
    let image = front.service.linked_image(org, hash).await.map_err(gone)?;
    let handout = front.service.handout(image);
    answer(&front, &handout, &FileName::clean(named.text(3)), until, &method, &headers).await
}

/// `GET` of a small picture.
pub(crate) async fn thumbnail(
    State(front): State<Front>,
    named: Named,
    query: Query,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (org, hash, until) = followed(&front, &named, &query, hash, |hash| LinkUse::Thumbnail(*hash))?;
    let handout = front.service.thumbnail(org, hash).await.map_err(gone)?;
    answer(&front, &handout, &FileName::clean(named.text(3)), until, &method, &headers).await
}

/// `GET` of a small picture of what came after a step of a run.
pub(crate) async fn preview(
    State(front): State<Front>,
    named: Named,
    query: Query,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let step = |text: &str| {
        let (run, place) = text.split_once('.')?;
        Some((run.parse::<RunId>().ok()?, place.parse::<u32>().ok()?))
    };
    let what = |(run, place): &(RunId, u32)| LinkUse::Preview(*run, *place);
    let (org, (run, place), until) = followed(&front, &named, &query, step, what)?;
    let handout = front.service.step_preview(org, run, place).await.map_err(gone)?;
    answer(&front, &handout, &FileName::clean(named.text(3)), until, &method, &headers).await
}

fn gone(refusal: service::Refusal) -> Problem {
    match refusal {
        service::Refusal::Missing { thing: Thing::Image, .. } => {
            Problem::not_found("The file behind this link is not here any more.")
        }
        other => other.into(),
    }
}
