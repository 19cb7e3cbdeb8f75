//! Which organization a request means.

use domain::access::{Caller, Role};
use domain::id::OrgId;

use crate::{Refusal, Service, Thing};

/// The organization a request names, if it names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrgChoice {
    /// None is named.
    Unnamed,
    /// This one.
    Named(OrgId),
    /// Something that is no organization's id.
    Unreadable(String),
}

impl OrgChoice {
    /// Reads a name as it came; an empty one names nothing.
    pub fn parse(text: Option<&str>) -> Self {
        match text.map(str::trim) {
            None | Some("") => Self::Unnamed,
            Some(text) => match text.parse() {
                Ok(org) => Self::Named(org),
                Err(_) => Self::Unreadable(text.to_owned()),
            },
        }
    }
}

impl Service {
    /// The one organization a request is about: the one it names, else the token's, else the caller's oldest. Refuses
    /// with [`Refusal::NotAllowed`] when the caller does not belong to it.
    pub fn one_org(&self, caller: &Caller, choice: &OrgChoice) -> Result<OrgId, Refusal> {
        let not_a_member = |name: &dyn std::fmt::Display| {
            Refusal::NotAllowed(format!("you do not belong to organization `{name}`"))
        };
        match choice {
            OrgChoice::Unnamed => caller.default_org().ok_or_else(|| {
                Refusal::NotAllowed(
                    "you belong to no organization; ask an administrator to add you".to_owned(),
                )
            }),
            OrgChoice::Named(org) if caller.belongs_to(*org) => Ok(*org),
            OrgChoice::Named(org) => Err(not_a_member(org)),
            OrgChoice::Unreadable(name) => Err(not_a_member(name)),
        }
    }

    /// [`Service::one_org`], where the caller must be an administrator.
    pub fn one_org_as_admin(&self, caller: &Caller, choice: &OrgChoice) -> Result<OrgId, Refusal> {
        let org = self.one_org(caller, choice)?;
        self.need_admin(caller, org).map(|()| org)
    }

    /// Refuses whoever is no administrator there; to strangers the organization is missing.
    pub(crate) fn need_admin(&self, caller: &Caller, org: OrgId) -> Result<(), Refusal> {
        self.need_role_of_admin(caller, org)?;
        self.need_everything(caller)
    }

    /// The same for what a key can be limited to.
    pub(crate) fn need_role_of_admin(&self, caller: &Caller, org: OrgId) -> Result<(), Refusal> {
        match caller.role_in(org) {
            Some(Role::Admin) => Ok(()),
            Some(Role::Operator) => Err(Refusal::NotAllowed(
                "only an administrator of the organization may do this; ask one".to_owned(),
            )),
            None => Err(Refusal::missing(Thing::Org, org)),
        }
    }

    /// The organizations to look for a thing in that is named by its id: the one the request names if the caller
    /// belongs to it, all the caller's if it names none, and otherwise nowhere.
    pub(crate) fn orgs_to_search(&self, caller: &Caller, choice: &OrgChoice) -> Vec<OrgId> {
        match choice {
            OrgChoice::Unnamed => caller.orgs(),
            OrgChoice::Named(org) if caller.belongs_to(*org) => vec![*org],
            OrgChoice::Named(_) | OrgChoice::Unreadable(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_names_nothing() {
        assert_eq!(OrgChoice::parse(None), OrgChoice::Unnamed);
        assert_eq!(OrgChoice::parse(Some(" ")), OrgChoice::Unnamed);
        assert_eq!(OrgChoice::parse(Some("None")), OrgChoice::Unreadable("None".to_owned()));
        let named = OrgChoice::parse(Some("07959e40-7056-4be8-98be-382d35145527"));
        assert!(matches!(named, OrgChoice::Named(_)));
    }
}
