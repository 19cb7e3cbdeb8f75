//! Links that let somebody join an organization, once.

use std::net::IpAddr;

use domain::access::{Caller, Role};
use domain::account::{Invitation, InvitationState};
use domain::id::{InvitationId, OrgId};
use domain::time::Timestamp;
use store::{Joined, Joining, NewUser, StoreError};

use super::members::{email_fault, password_fault, tidy_name};
use super::sessions::Visitor;
use super::{neighbourhood, secret};
use crate::{Refusal, Service, Thing};

/// An invitation just made. Its link is shown once: only a hash of it is kept.
#[derive(Clone)]
pub struct MadeInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// The path of the link to send. Its host is the one by which people reach the sign-in, which the request tells.
    pub path: String,
}

/// An invitation as whoever holds the link sees it.
#[derive(Clone, Debug)]
pub struct InvitationView {
    /// The organization to join.
    pub org: OrgId,
    /// Its name.
    pub org_name: String,
    /// As what.
    pub role: Role,
    /// The only sign-in name that may accept it, if it is meant for one.
    pub email: Option<String>,
    /// Sign-in name of who invites, if they are still there.
    pub invited_by: Option<String>,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// What somebody who has no account says about themselves.
#[derive(Clone)]
pub struct NewAccount {
    /// Sign-in name.
    pub email: String,
    /// Given name; may be empty.
    pub given_name: String,
    /// Family name; may be empty.
    pub family_name: String,
    /// The password they choose.
    pub password: String,
}

impl Service {
    /// Invites somebody. For administrators. With an e-mail address only that sign-in name may accept. Nothing is sent:
    /// the link is for the administrator to pass on.
    pub async fn invite(
        &self,
        caller: &Caller,
        org: OrgId,
        role: Role,
        email: Option<&str>,
    ) -> Result<MadeInvitation, Refusal> {
        self.need_admin(caller, org)?;
        let email = email.map(str::trim).filter(|email| !email.is_empty());
        if let Some(fault) = email.and_then(email_fault) {
            return Err(Refusal::Invalid(fault));
        }
        let (now, secret) = (self.now(), secret::fresh());
        let invitation = Invitation {
            id: InvitationId(self.0.ids.next()),
            secret: secret::hash(&secret),
            org,
            role,
            email: email.map(str::to_owned),
            invited_by: caller.user.clone(),
            created_at: now,
            expires_at: now + self.0.settings.invitation_lifetime,
            state: InvitationState::Open,
        };
        self.0.store.invite(&invitation).await.map_err(Refusal::store("invite somebody"))?;
        Ok(MadeInvitation { invitation, path: format!("/invitation/{secret}") })
    }

    /// The open invitations of an organization, oldest first. For administrators.
    pub async fn invitations(&self, caller: &Caller, org: OrgId) -> Result<Vec<Invitation>, Refusal> {
        self.need_admin(caller, org)?;
        self.0.store.invitations(org).await.map_err(Refusal::store("list the invitations"))
    }

    /// The open invitations that are meant for the caller's sign-in name, oldest first.
    pub async fn invitations_to(&self, caller: &Caller) -> Result<Vec<Invitation>, Refusal> {
        let email = self.profile(caller).await?.email;
        self.0.store.invitations_to(&email).await.map_err(Refusal::store("list your invitations"))
    }

    /// Takes an open invitation back. For administrators.
    pub async fn revoke_invitation(
        &self,
        caller: &Caller,
        org: OrgId,
        id: InvitationId,
    ) -> Result<(), Refusal> {
        self.need_admin(caller, org)?;
        let revoked = self.0.store.revoke_invitation(org, id, Some(&caller.user)).await;
        match revoked.map_err(Refusal::store("take the invitation back"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Invitation, id)),
        }
    }

    /// The open invitation of a link that ends in that secret. Wrong secrets are counted by address.
    pub async fn invitation(&self, secret: &str, from: IpAddr) -> Result<InvitationView, Refusal> {
        let doing = "look up the invitation";
        let who = format!("invitation from {}", neighbourhood(from));
        self.try_once(&who)?;
        let found = self.0.store.invitation(secret::hash(secret)).await.map_err(Refusal::store(doing))?;
        let invitation = found.ok_or_else(gone)?;
        self.0.tries.take_back(&who);
        let org = self.0.store.org(invitation.org).await.map_err(Refusal::store(doing))?.ok_or_else(gone)?;
        let host = org.members.iter().find(|member| member.user.id == invitation.invited_by);
        Ok(InvitationView {
            org: org.id,
            org_name: org.name.clone(),
            role: invitation.role,
            email: invitation.email,
            invited_by: host.map(|host| host.user.email.clone()),
            expires_at: invitation.expires_at,
        })
    }

    /// Lets the caller join by an invitation. Answers which organization it is.
    pub async fn accept_invitation(
        &self,
        caller: &Caller,
        secret: &str,
        from: IpAddr,
    ) -> Result<OrgId, Refusal> {
        self.invitation(secret, from).await?;
        self.join(secret, Joining::Known(caller.user.clone())).await
    }

    /// Makes an account that joins by an invitation, and signs it in.
    pub async fn accept_invitation_as_new(
        &self,
        secret: &str,
        account: &NewAccount,
        from: IpAddr,
    ) -> Result<Visitor, Refusal> {
        self.invitation(secret, from).await?;
        let email = account.email.trim();
        if let Some(fault) = email_fault(email).or_else(|| password_fault(&account.password, email)) {
            return Err(Refusal::Invalid(fault));
        }
        let (given, family) = (tidy_name(&account.given_name)?, tidy_name(&account.family_name)?);
        let password_hash = self.0.passwords.hash(&account.password).await?;
        let user = self.fresh_user(email, given, family);
        let id = user.id.clone();
        let org = self.join(secret, Joining::New(NewUser { user, password_hash })).await?;
        let caller = self.caller(id, Some(org)).await?;
        self.open_session(caller).await
    }

    async fn join(&self, secret: &str, who: Joining) -> Result<OrgId, Refusal> {
        let joined = match self.0.store.accept_invitation(secret::hash(secret), &who).await {
            Err(StoreError::Conflict(_)) => {
                return Err(Refusal::Conflict(
                    "an account with this e-mail address exists already; sign in, then open the link again"
                        .to_owned(),
                ));
            }
            joined => joined.map_err(Refusal::store("accept the invitation"))?,
        };
        match joined {
            Joined::Yes { org } => {
                if let Joining::Known(user) = &who {
                    self.0.memberships.forget(user);
                }
                Ok(org)
            }
            Joined::Gone => Err(gone()),
            Joined::NotForThem => Err(Refusal::NotAllowed(
                "this invitation is meant for another e-mail address; ask for one to yours".to_owned(),
            )),
            Joined::Already => Err(Refusal::Conflict("you belong to this organization already".to_owned())),
        }
    }
}

/// The secret itself is not repeated: it may be a whole one with a letter too many.
fn gone() -> Refusal {
    Refusal::missing(Thing::Invitation, "of this link")
}
