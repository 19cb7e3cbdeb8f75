//! Files behind signed addresses: pictures, archives, and small pictures of pictures. Whoever has the address may have the file.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::id::{OrgId, RunId};
use domain::image::{ContentHash, FileName};
use service::{Handout, Link, LinkFault, LinkUse, Refusal, Thing};

use super::asker::Named;
use super::problem::Problem;
use super::upload::refused;
use crate::Front;
use crate::form::Query;
use crate::handout::{Outside, send};

/// Whoever comes with a link.
pub(crate) struct Visit {
    front: Front,
    named: Named,
    query: Query,
    method: Method,
    headers: HeaderMap,
}

impl FromRequestParts<Front> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Response> {
        Ok(Self {
            named: Named::from_request_parts(parts, front).await.map_err(IntoResponse::into_response)?,
            query: Query::from_request_parts(parts, front).await.map_err(IntoResponse::into_response)?,
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            front: front.clone(),
        })
    }
}

/// What a checked link leads to.
struct Led<T> {
    org: OrgId,
    to: T,
    /// Until when, in seconds since 1970.
    until: i64,
}

impl Visit {
    /// Checks the link. `read` reads what it leads to.
    fn led<T>(
        &self,
        read: impl FnOnce(&str) -> Option<T>,
        what: impl FnOnce(&T) -> LinkUse,
    ) -> Result<Led<T>, Problem> {
        let altered = || refused(LinkFault::NotOurs);
        let org: OrgId = self.named.text(0).parse().map_err(|_| altered())?;
        let to = read(self.named.text(1)).ok_or_else(altered)?;
        let until: i64 = self.named.text(2).parse().map_err(|_| altered())?;
        let link = Link { org, what: what(&to), until };
        let signature = self.query.0.get("sig").unwrap_or_default();
        self.front.service.check_link(&link, signature).map_err(refused)?;
        Ok(Led { org, to, until })
    }

    /// Answers a file, to be kept for as long as its address is good.
    async fn answer(&self, found: Result<Handout, Refusal>, until: i64) -> Result<Response, Problem> {
        let handout = found.map_err(gone)?;
        let name = FileName::clean(self.named.text(3));
        let left = until.saturating_sub(self.front.service.now().0.div_euclid(1000)).max(0);
        let caching = format!("private, max-age={left}");
        let sent = send(&handout, &name, &caching, &self.method, &self.headers).await?;
        Ok(sent.unwrap_or_else(|Outside { bytes }| {
            let message = format!("The file has {bytes} bytes; ask for a range within them.");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", message);
            Outside { bytes }.mark(problem.into_response())
        }))
    }
}

fn hash(text: &str) -> Option<ContentHash> {
    text.parse().ok()
}

/// `GET` of a file.
pub(crate) async fn download(visit: Visit) -> Result<Response, Problem> {
    let Led { org, to, until } = visit.led(hash, |hash| LinkUse::Get(*hash))?;
    let service = &visit.front.service;
    let found = service.linked_image(org, to).await.map(|image| service.handout(image));
    visit.answer(found, until).await
}

/// `GET` of a small picture.
pub(crate) async fn thumbnail(visit: Visit) -> Result<Response, Problem> {
    let Led { org, to, until } = visit.led(hash, |hash| LinkUse::Thumbnail(*hash))?;
    visit.answer(visit.front.service.thumbnail(org, to).await, until).await
}

/// `GET` of a small picture of what came after a step of a run.
pub(crate) async fn preview(visit: Visit) -> Result<Response, Problem> {
    let step = |text: &str| {
        let (run, place) = text.split_once('.')?;
        Some((run.parse::<RunId>().ok()?, place.parse::<u32>().ok()?))
    };
    let what = |(run, place): &(RunId, u32)| LinkUse::Preview(*run, *place);
    let Led { org, to: (run, place), until } = visit.led(step, what)?;
    visit.answer(visit.front.service.step_preview(org, run, place).await, until).await
}

fn gone(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Missing { thing: Thing::Image, .. } => {
            Problem::not_found("The file behind this link is not here any more.")
        }
        other => other.into(),
    }
}
