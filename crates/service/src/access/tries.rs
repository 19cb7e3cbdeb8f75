//! How often somebody guessed wrong of late.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::time::{Millis, Timestamp};

use super::secret;
use crate::Refusal;

/// Guessers remembered at most. Beyond that the longest quiet ones are forgotten.
const REMEMBERED_MAX: usize = 50_000;

/// Wrong tries of each guesser within the window.
#[derive(Default)]
pub(crate) struct Tries(Mutex<HashMap<[u8; 32], Vec<Timestamp>>>);

impl Tries {
    /// Counts a try as wrong before it is known to be, so that many at once cannot all slip through; refuses it when
    /// there were too many. A try that turns out right is [taken back](Self::take_back).
    pub(crate) fn begin(&self, who: &str, now: Timestamp, most: u32, window: Millis) -> Result<(), Refusal> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= REMEMBERED_MAX {
            tries.retain(|_, times| times.last().is_some_and(|last| now - *last < window));
            if tries.len() >= REMEMBERED_MAX {
                tries.clear();
            }
        }
        let times = tries.entry(secret::hash(who).0).or_default();
        times.retain(|at| now - *at < window);
        if times.len() >= most as usize {
            let oldest = times.first().copied().unwrap_or(now);
            return Err(Refusal::TooManyTries { retry_after: Millis(window.0 - (now - oldest).0) });
        }
        times.push(now);
        Ok(())
    }

    /// Takes back the latest try: it was right.
    pub(crate) fn take_back(&self, who: &str) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = tries.get_mut(&secret::hash(who).0) {
            times.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_wrong_try_waits_until_the_first_is_ten_minutes_old() {
        let tries = Tries::default();
        let window = Millis::seconds(600);
        for at in 0..5 {
            tries.begin("somebody", Timestamp(at * 1000), 5, window).expect("among the first five");
        }
        let refused = tries.begin("somebody", Timestamp(5000), 5, window).expect_err("the sixth");
        assert!(matches!(refused, Refusal::TooManyTries { retry_after: Millis(595_000) }), "{refused}");
        tries.begin("somebody else", Timestamp(5000), 5, window).expect("another guesser");
        tries.begin("somebody", Timestamp(600_000), 5, window).expect("the first try is forgotten");
    }

    #[test]
    fn right_tries_do_not_count() {
        let tries = Tries::default();
        for _ in 0..50 {
            tries.begin("somebody", Timestamp(0), 5, Millis::seconds(600)).expect("never too many");
            tries.take_back("somebody");
        }
    }
}
