//! Passwords, hashed by argon2id with the parameters OWASP recommends (19 MiB, two passes, one lane).

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::oneshot;

use super::secret;
use crate::Refusal;

/// Longest password looked at, in bytes; a longer one is wrong.
const PASSWORD_BYTES_MAX: usize = 1000;
/// Threads that hash at most. Each keeps the 19 MiB it works with.
const THREADS_MAX: usize = 4;
/// Checks that may wait for a thread; whoever comes then is told to come back.
const WAITING_MAX: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// Checks passwords on threads of their own. On whichever thread is free, the allocator would keep 19 MiB for each of
/// hundreds of them: gigabytes that a few wrong sign-ins can ask for.
pub(crate) struct Passwords {
    jobs: SyncSender<Job>,
}

impl Default for Passwords {
    fn default() -> Self {
        let (jobs, waiting) = sync_channel::<Job>(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        for _ in 0..cores.min(THREADS_MAX) {
            let waiting = Arc::clone(&waiting);
            let worker = move || {
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = next else { return };
                    job();
                }
            };
            if let Err(error) = std::thread::Builder::new().name("passwords".to_owned()).spawn(worker) {
                tracing::error!(%error, "cannot start a thread that checks passwords");
            }
        }
        Self { jobs }
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
    /// Does `work` on one of the threads, unless the caller has given up by the time it would begin.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            if !reply.is_closed() {
                // Nobody waits any more: fine.
                let _ = reply.send(work());
            }
        };
        self.jobs
            .try_send(Box::new(job))
            .map_err(|_| Refusal::Unavailable("too many people sign in at this moment".to_owned()))?;
        answer.await.map_err(|_| Refusal::Unavailable("passwords cannot be checked".to_owned()))
    }

    /// A password's hash in PHC string format.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Refusal> {
        let password = password.to_owned();
        self.on_a_thread(move || hash(&password)).await
    }

    /// Whether the password fits the stored hash. With no hash to compare to it takes as long and says no, so that the
    /// time tells nothing about who has an account.
    pub(crate) async fn fits(&self, password: &str, stored: Option<String>) -> Result<bool, Refusal> {
        let password = password.to_owned();
        self.on_a_thread(move || match stored {
            _ if password.len() > PASSWORD_BYTES_MAX => false,
            Some(stored) => PasswordHash::new(&stored)
                .is_ok_and(|stored| argon2().verify_password(password.as_bytes(), &stored).is_ok()),
            None => {
                hash(&password);
                false
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_gives_up_costs_nothing_and_others_wait_their_turn() {
        let passwords = Arc::new(Passwords::default());
        let many: Vec<_> = (0..40)
            .map(|_| {
                let passwords = Arc::clone(&passwords);
                tokio::spawn(async move { passwords.fits("x", None).await })
            })
            .collect();
        many.iter().skip(4).for_each(tokio::task::JoinHandle::abort);
        for done in many.into_iter().take(4) {
            assert!(!done.await.expect("not aborted").expect("checked"));
        }
        assert!(!passwords.fits("x", None).await.expect("checked"));
    }

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
