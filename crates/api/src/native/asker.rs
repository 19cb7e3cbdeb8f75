//! Who asks, which organization they mean, and what a path names.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::access::Caller;
use service::{OrgChoice, Thing};
use utoipa::IntoParams;

use super::problem::Problem;
use crate::Front;
use crate::form::Pairs;

/// Who asks, and for which organization.
pub(crate) struct Asker {
    /// Who.
    pub(crate) caller: Caller,
    /// The organization that the query names, if it names one.
    pub(crate) choice: OrgChoice,
}

impl FromRequestParts<Front> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        let caller = crate::bearer::caller(&parts.headers, &front.service).await?;
        let query = Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self { caller, choice: choice_of(&query) })
    }
}

/// The organization a query names.
pub(crate) fn choice_of(query: &Pairs) -> OrgChoice {
    let choice = OrgChoice::parse(query.get("organization_id"));
    if let OrgChoice::Named(org) = &choice {
        crate::observe::note_org(org);
    }
    choice
}

/// The changing part of a path, as text: what it names is for the handler to find, or not.
pub(crate) struct Named(pub(crate) String);

impl Named {
    /// The id it is. What is no id names nothing.
    pub(crate) fn id<Id: FromStr>(&self, thing: Thing) -> Result<Id, Problem> {
        self.0.parse().map_err(|_| Problem::missing(thing, &self.0))
    }
}

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

/// For the document: which organization is meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct OrgParam {
    /// The organization's id. Without it the token's organization is meant, or for a thing named by its id, any
    /// organization of yours.
    organization_id: Option<String>,
}
