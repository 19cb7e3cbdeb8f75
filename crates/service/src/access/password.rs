//! Passwords, hashed by argon2id with the parameters OWASP recommends (19 MiB, two passes, one lane).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use super::secret;
use crate::Refusal;

/// Longest password looked at, in bytes; a longer one is wrong.
const PASSWORD_BYTES_MAX: usize = 1000;

/// Checks passwords, at most as many at once as there are processors: each takes 19 MiB and tens of milliseconds.
pub(crate) struct Passwords {
    turns: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Semaphore::new(cores) }
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the recommended parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A password's hash in PHC string format. Blocking.
pub(crate) fn hash(password: &str) -> String {
    let hash: PasswordHash = argon2()
        .hash_password_with_salt(password.as_bytes(), &secret::bytes::<16>())
        .expect("sixteen bytes of salt and a short password can be hashed");
    hash.to_string()
}

/// A password to begin with.
pub(crate) fn first_password() -> String {
    secret::fresh_password()
}

impl Passwords {
    /// A password's hash in PHC string format.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Refusal> {
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_| Refusal::Unavailable("the server is stopping".to_owned()))?;
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || hash(&password))
            .await
            .map_err(|source| Refusal::Ours { doing: "hash the password", source: Box::new(source) })
    }

    /// Whether the password fits the stored hash. With no hash to compare to it takes as long and says no, so that the
    /// time tells nothing about who has an account.
    pub(crate) async fn fits(&self, password: &str, stored: Option<String>) -> Result<bool, Refusal> {
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_| Refusal::Unavailable("the server is stopping".to_owned()))?;
        let password = password.to_owned();
        let checked = tokio::task::spawn_blocking(move || match stored {
            _ if password.len() > PASSWORD_BYTES_MAX => false,
            Some(stored) => PasswordHash::new(&stored)
                .is_ok_and(|stored| argon2().verify_password(password.as_bytes(), &stored).is_ok()),
            None => {
                hash(&password);
                false
            }
        });
        checked
            .await
            .map_err(|source| Refusal::Ours { doing: "check the password", source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let stored = hash("KDRT-PWMN");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let passwords = Passwords::default();
        assert!(passwords.fits("KDRT-PWMN", Some(stored.clone())).await.expect("checked"));
        assert!(!passwords.fits("kdrt-pwmn", Some(stored.clone())).await.expect("checked"));
        assert!(!passwords.fits("", Some(stored)).await.expect("checked"));
        assert!(!passwords.fits("KDRT-PWMN", Some("rubbish".to_owned())).await.expect("checked"));
        assert!(!passwords.fits("KDRT-PWMN", None).await.expect("checked"));
    }
}
