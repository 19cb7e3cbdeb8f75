//! Who asks, for which organization, and what a path names.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::access::Caller;
use domain::id::OrgId;
use service::OrgChoice;
use uuid::Uuid;

use super::RequestId;
use super::model::FieldError;
use super::problem::Problem;
use crate::Front;

const ORGANIZATION: &str = "x-organization-id";

/// Who asks, and for which organization.
pub(crate) struct Asker {
    /// Who.
    pub(crate) caller: Caller,
    /// The organization: the one named, or the key's own.
    pub(crate) org: OrgId,
    /// The same for the service.
    pub(crate) choice: OrgChoice,
    /// The request's id.
    pub(crate) request_id: String,
}

impl FromRequestParts<Front> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        let caller = crate::bearer::caller(&parts.headers, &front.service).await?;
        let not_a_member = || {
            Problem::new(
                StatusCode::FORBIDDEN,
                "ORGANIZATION_MEMBERSHIP_REQUIRED",
                "Your key does not belong to the organisation that `X-Organization-Id` names; leave the header out for the \
                 key's own.",
            )
        };
        let org = match parts.headers.get(ORGANIZATION) {
            None => caller.default_org().ok_or_else(not_a_member)?,
            Some(named) => {
                let named: Option<OrgId> = named.to_str().ok().and_then(|text| text.trim().parse().ok());
                named.filter(|org| caller.belongs_to(*org)).ok_or_else(not_a_member)?
            }
        };
        crate::observe::note_org(org);
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(Self { caller, org, choice: OrgChoice::Named(org), request_id })
    }
}

/// The changing parts of a path, in order.
pub(crate) struct Named(Vec<String>);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What cannot be decoded is a name nothing has.
        let named = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        Ok(Self(
            named.map(|Path(named)| named.into_iter().map(|(_, value)| value).collect()).unwrap_or_default(),
        ))
    }
}

/// What stands for every parent there is.
const ANY: &str = "any";

impl Named {
    /// The part at that place, as it is.
    pub(crate) fn text(&self, place: usize) -> &str {
        self.0.get(place).map_or("", String::as_str)
    }

    /// The id at that place. What is none is refused as invalid.
    pub(crate) fn id<Id: From<Uuid>>(&self, place: usize, name: &str) -> Result<Id, Problem> {
        match Uuid::from_str(self.text(place)) {
            // Other spellings of an id would make two names of one thing.
            Ok(id) if self.text(place).len() == 36 => Ok(Id::from(id)),
            _ => Err(Problem::invalid(vec![FieldError::new(
                ["path", name],
                "uuid_parsing",
                "Input should be a valid UUID, 8-4-4-4-12 hexadecimal digits",
            )])),
        }
    }

    /// The id at that place, or none where the path says `any`.
    pub(crate) fn id_or_any<Id: From<Uuid>>(&self, place: usize, name: &str) -> Result<Option<Id>, Problem> {
        if self.text(place) == ANY { Ok(None) } else { self.id(place, name).map(Some) }
    }
}
