//! What becomes of an organization's runs, as it happens: server-sent events.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::event::FeedItem;
use domain::id::OrgId;
use futures::stream;
use serde::Serialize;
use service::{Follower, Service, Told};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::asker::{Asker, OrgParam};
use super::problem::{Fault, Problem};
use crate::form::Query;
use crate::{Front, bearer};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The data of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = RunEvent)]
pub(crate) struct EventView {
    /// Which run.
    run_id: String,
    /// The status it took.
    status: &'static str,
    /// When.
    at: String,
}

/// Sends what becomes of an organization's runs, as it happens: `run.queued`, `run.running`, `run.in_review`,
/// `run.succeeded`, `run.failed`, `run.unpaid`, `run.cancelled`; `id` is where to go on from. A `reset` says that events
/// between were forgotten: look at the runs themselves, and go on.
#[utoipa::path(
    get,
    path = "/events",
    tag = "Runs",
    operation_id = "follow_events",
    params(
        ("last-event-id" = Option<String>, Header, description = "The `id` after which to go on; from now on without it."),
        ("last_event_id" = Option<String>, Query, description = "The same, for those who cannot set headers."),
        OrgParam,
    ),
    responses((status = 200, description = "Events for as long as you listen; `data` is JSON.", body = EventView,
               content_type = "text/event-stream"))
)]
pub(crate) async fn follow(
    State(front): State<Front>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let org = front.service.one_org(&caller, &choice)?;
    let given = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?"));
    let after = match given.filter(|id| !id.is_empty()).or_else(|| query.get("last_event_id")) {
        None => None,
        Some(text) => Some(text.trim().parse().map_err(|_| {
            let detail = "the last event's id was not given by this stream; begin without one";
            Problem::invalid(vec![Fault::parameter("last_event_id", detail)])
        })?),
    };
    let follower = front.service.follow(&caller, &choice, after).await?;
    let listener = Listener {
        follower,
        service: front.service.clone(),
        org,
        headers,
        heartbeat: front.settings.heartbeat,
        checked: Instant::now(),
    };
    // No event, but where to go on from for a client that breaks off before one, and how soon to come back.
    let hello = format!("id: {}\nretry: 2000\n\n", listener.follower.place());
    let hello = stream::once(async { Ok::<_, std::io::Error>(Bytes::from(hello)) });
    let events = stream::unfold(listener, |mut listener| async move {
        let part = listener.next().await?;
        Some((Ok(part), listener))
    });
    let mut response = Body::from_stream(futures::StreamExt::chain(hello, events)).into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Somebody who listens.
struct Listener {
    follower: Follower,
    service: Service,
    org: OrgId,
    /// What proved who they are; looked at again from time to time.
    headers: HeaderMap,
    heartbeat: Duration,
    checked: Instant,
}

impl Listener {
    /// What to send next; `None` ends the stream, and the client comes back with the last id it has.
    async fn next(&mut self) -> Option<Bytes> {
        if self.checked.elapsed() >= self.heartbeat {
            // A token that is over, a key that was revoked, a member who left: they hear no more.
            let caller = bearer::caller(&self.headers, &self.service).await.ok()?;
            if !caller.belongs_to(self.org) {
                return None;
            }
            self.checked = Instant::now();
        }
        tokio::select! {
            told = self.follower.next() => match told {
                Ok(Told::Items(items)) => Some(items.iter().map(written).collect::<String>().into()),
                Ok(Told::Gap { place }) => Some(format!("id: {place}\nevent: reset\ndata: {{}}\n\n").into()),
                Err(_) => None,
            },
            () = tokio::time::sleep(self.heartbeat) => Some(Bytes::from_static(b": \n\n")),
        }
    }
}

fn written(item: &FeedItem) -> String {
    let status = item.status.as_str();
    let (run, at) = (item.run, item.at);
    // None of these needs escaping.
    format!(
        "id: {}\nevent: run.{status}\ndata: {{\"run_id\":\"{run}\",\"status\":\"{status}\",\"at\":\"{at}\"}}\n\n",
        item.place
    )
}
