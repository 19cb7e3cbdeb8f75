//! People in organizations: their roles, their names, their passwords.

use domain::access::{Caller, Member, Role, User};
use domain::id::{OrgId, UserId};
use store::{MemberChange, NewUser};

use super::sessions::Visitor;
use super::{first_password, secret};
use crate::{Refusal, Service, Thing};

/// Longest name of a person or a connection, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3, less the brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most bytes of a password.
const PASSWORD_BYTES_MAX: usize = 1000;

/// A user made at the terminal. The password is shown once: only its hash is kept.
#[derive(Clone)]
pub struct MadeUser {
    /// Who.
    pub user: UserId,
    /// Where they belong to.
    pub org: OrgId,
    /// Their password; `None` when they had an account already, which keeps its own.
    pub password: Option<String>,
}

/// What is wrong with a password that somebody chooses, for a person to read; `None` when nothing is.
pub fn password_fault(password: &str, email: &str) -> Option<String> {
    let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
    if password.chars().count() < PASSWORD_CHARS_MIN {
        Some(format!("the password has fewer than {PASSWORD_CHARS_MIN} characters; choose a longer one"))
    } else if password.len() > PASSWORD_BYTES_MAX {
        Some(format!("the password is longer than {PASSWORD_BYTES_MAX} bytes; choose a shorter one"))
    } else if same(password, email) {
        Some("the password is the e-mail address; choose another one".to_owned())
    } else {
        None
    }
}

/// What is wrong with an e-mail address, for a person to read; `None` when nothing is. Whether anybody reads what is sent
/// there cannot be told from it.
pub fn email_fault(email: &str) -> Option<String> {
    let good = email.rsplit_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email.len() <= EMAIL_BYTES_MAX;
    (!good).then(|| "this is no e-mail address; write it like `name@studio.example`".to_owned())
}

/// A name as it is kept: without blanks around it, `None` when nothing is left.
pub(crate) fn tidy_name(name: &str) -> Result<Option<String>, Refusal> {
    let name = name.trim();
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Refusal::Invalid(format!(
            "the name is longer than {NAME_CHARS_MAX} characters; choose a shorter one"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(Refusal::Invalid("the name holds control characters; leave them out".to_owned()));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

impl Service {
    fn changed(&self, user: &UserId, change: MemberChange) -> Result<(), Refusal> {
        match change {
            MemberChange::Done => {
                self.0.memberships.forget(user);
                Ok(())
            }
            MemberChange::Missing => Err(Refusal::missing(Thing::User, user)),
            MemberChange::LastAdmin => Err(Refusal::LastAdmin),
        }
    }

    /// The members of an organization the caller belongs to, oldest membership first.
    pub async fn members(&self, caller: &Caller, org: OrgId) -> Result<Vec<Member>, Refusal> {
        self.need_everything(caller)?;
        Ok(self.org(caller, org).await?.members)
    }

    /// Changes a member's role. For administrators. Refuses with [`Refusal::LastAdmin`] when no administrator would be
    /// left.
    pub async fn set_role(
        &self,
        caller: &Caller,
        org: OrgId,
        user: &UserId,
        role: Role,
    ) -> Result<(), Refusal> {
        self.need_admin(caller, org)?;
        let change = self.0.store.set_role(org, user, role, Some(&caller.user)).await;
        self.changed(user, change.map_err(Refusal::store("change the role"))?)
    }

    /// Ends a membership, and the connections that act for them there. For administrators, and for everybody about
    /// themselves. Refuses with [`Refusal::LastAdmin`] when no administrator would be left.
    pub async fn remove_member(&self, caller: &Caller, org: OrgId, user: &UserId) -> Result<(), Refusal> {
        self.need_everything(caller)?;
        if !(caller.user == *user && caller.belongs_to(org)) {
            self.need_admin(caller, org)?;
        }
        let change = self.0.store.remove_member(org, user, Some(&caller.user)).await;
        self.changed(user, change.map_err(Refusal::store("remove the member"))?)
    }

    /// Sets the caller's names; an empty one is none.
    pub async fn set_profile(
        &self,
        caller: &Caller,
        given_name: &str,
        family_name: &str,
    ) -> Result<(), Refusal> {
        self.need_everything(caller)?;
        let (given, family) = (tidy_name(given_name)?, tidy_name(family_name)?);
        let set = self.0.store.set_names(&caller.user, given.as_deref(), family.as_deref()).await;
        match set.map_err(Refusal::store("save your names"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::User, &caller.user)),
        }
    }

    /// Sets the visitor's password, who proves with the old one that the browser was not left open, and ends their other
    /// sessions. Wrong old passwords are counted by user.
    pub async fn change_password(&self, visitor: &Visitor, old: &str, new: &str) -> Result<(), Refusal> {
        let doing = "change your password";
        let email = &visitor.user.email;
        if let Some(fault) = password_fault(new, email) {
            return Err(Refusal::Invalid(fault));
        }
        // Apart from the tries at signing in: those are anybody's.
        let by_user = format!("old password of {}", visitor.user.id);
        self.try_once(&by_user)?;
        let stored = self.0.store.user(&visitor.user.id).await.map_err(Refusal::store(doing))?;
        if !self.0.passwords.fits(old, stored.map(|stored| stored.password_hash)).await? {
            return Err(Refusal::WrongPassword);
        }
        self.0.tries.take_back(&by_user);
        let hash = self.0.passwords.hash(new).await?;
        let (user, keep) = (&visitor.user.id, Some(secret::hash(visitor.secret())));
        self.0.store.set_password(user, &hash, keep, Some(user)).await.map_err(Refusal::store(doing))?;
        tracing::info!(user.id = %user, "user `{user}` changed their password");
        Ok(())
    }

    /// Makes a user a member of the oldest organization, at the terminal; whoever has an account already keeps it.
    pub async fn create_user(&self, email: &str, role: Role) -> Result<MadeUser, Refusal> {
        let doing = "make a user";
        if let Some(fault) = email_fault(email) {
            return Err(Refusal::Invalid(fault));
        }
        let org = self.0.store.first_org().await.map_err(Refusal::store(doing))?.ok_or_else(|| {
            Refusal::Invalid("there is no organization yet; start the server once to make one".to_owned())
        })?;
        let (new, password) = self.known_or_new(email, doing).await?;
        if org.members.iter().any(|member| member.user.id == new.user.id) {
            return Err(Refusal::Conflict(format!(
                "`{email}` belongs to organization `{}` already",
                org.name
            )));
        }
        self.0.store.add_member(org.id, &new, role, None).await.map_err(Refusal::store(doing))?;
        Ok(MadeUser { user: new.user.id, org: org.id, password })
    }

    /// The user of that sign-in name, or a new one with their first password.
    pub(crate) async fn known_or_new(
        &self,
        email: &str,
        doing: &'static str,
    ) -> Result<(NewUser, Option<String>), Refusal> {
        let known = self.0.store.user_by_email(email).await.map_err(Refusal::store(doing))?;
        if let Some(known) = known {
            return Ok((known, None));
        }
        let password = first_password();
        let password_hash = self.0.passwords.hash(&password).await?;
        Ok((NewUser { user: self.fresh_user(email, None, None), password_hash }, Some(password)))
    }

    /// Gives a user a new password, at the terminal, and ends all their sessions; their devices and keys go on. Answers the
    /// password.
    pub async fn reset_password(&self, email: &str) -> Result<String, Refusal> {
        let doing = "reset the password";
        let known = self.0.store.user_by_email(email).await.map_err(Refusal::store(doing))?;
        let user = known.ok_or_else(|| Refusal::missing(Thing::User, email))?.user.id;
        let password = first_password();
        let hash = self.0.passwords.hash(&password).await?;
        self.0.store.set_password(&user, &hash, None, None).await.map_err(Refusal::store(doing))?;
        Ok(password)
    }

    /// The members of the oldest organization, for the terminal.
    pub async fn first_members(&self) -> Result<Vec<Member>, Refusal> {
        let org = self.0.store.first_org().await.map_err(Refusal::store("list the users"))?;
        Ok(org.map(|org| org.members).unwrap_or_default())
    }

    pub(crate) fn fresh_user(
        &self,
        email: &str,
        given_name: Option<String>,
        family_name: Option<String>,
    ) -> User {
        User {
            id: UserId(format!("packshot|{}", self.0.ids.next())),
            email: email.trim().to_owned(),
            given_name,
            family_name,
            picture: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_not_the_address() {
        assert!(password_fault("elevenchars", "a@b.example").is_some());
        assert!(password_fault("twelve chars", "a@b.example").is_none());
        assert!(password_fault("zwölf Zeiche", "a@b.example").is_none(), "characters count, not bytes");
        assert!(password_fault("Mara@Nordlicht.example", "mara@nordlicht.example ").is_some());
        assert!(password_fault(&"x".repeat(1001), "a@b.example").is_some());
    }

    #[test]
    fn an_address_has_a_name_and_a_host() {
        for good in ["a@b", "mara.lind+shop@nordlicht.example", "ü@ö.example", "\"a@b\"@c.example"] {
            assert_eq!(email_fault(good), None, "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b\n", "a@b\u{7f}", &format!("{}@b", "a".repeat(254))] {
            assert!(email_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn names_are_trimmed_and_short() {
        assert_eq!(tidy_name("  Mara ").expect("good"), Some("Mara".to_owned()));
        assert_eq!(tidy_name(" ").expect("good"), None);
        assert!(tidy_name(&"x".repeat(101)).is_err() && tidy_name("a\u{0}b").is_err());
    }
}
