//! Who asks, by the bearer token of a request, and which organization they mean.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::access::Caller;
use service::OrgChoice;
use utoipa::IntoParams;

use super::error::Problem;
use crate::Front;
use crate::form::Pairs;

/// Who asks.
pub(crate) struct Asker(pub(crate) Caller);

impl FromRequestParts<Front> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        let caller = crate::bearer::caller(&parts.headers, &front.service).await?;
        Ok(Self(caller))
    }
}

/// The last changing part of a path, as text: what it names is for the handler to find, or not.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What cannot be decoded is a name nothing has.
        let named = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(named.map_or_else(|_| String::new(), |Path(name)| name)))
    }
}

/// The two names in a path.
pub(crate) struct NamedPart(pub(crate) String, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for NamedPart {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (whole, part) = named.map_or_else(|_| Default::default(), |Path(names)| names);
        Ok(Self(whole, part))
    }
}

/// The organization a query names.
pub(crate) fn org_of(query: &Pairs) -> OrgChoice {
    let choice = OrgChoice::parse(query.get("organization"));
    if let OrgChoice::Named(org) = &choice {
        crate::observe::note_org(org);
    }
    choice
}

/// For the document: which organization is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct OrgParam {
    /// The organization's id. Without it the token's organization is meant, or for an object named by its id, any
    /// organization of yours.
    organization: Option<String>,
}
