//! How often somebody tried of late: guesses at secrets, and requests that cost something.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use domain::time::{Millis, Timestamp};

use super::secret;
use crate::Refusal;

/// Guessers remembered at most. Beyond that the longest quiet ones are forgotten.
const REMEMBERED_MAX: usize = 50_000;
/// How many are forgotten at once then: looking for them costs as much for one as for many.
const FORGOTTEN: usize = REMEMBERED_MAX / 16;

type Key = [u8; 32];

/// Tries of each guesser within the window.
#[derive(Default)]
pub(crate) struct Tries(Mutex<HashMap<Key, Vec<Timestamp>>>);

/// Who guesses from there. A network of IPv6 has 2^64 addresses, and its owner may use every one: they count together.
pub(crate) fn neighbourhood(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

impl Tries {
    /// Counts a try as wrong before it is known to be, so that many at once cannot all slip through; refuses it when
    /// there were too many. A try that turns out right is [taken back](Self::take_back).
    pub(crate) fn begin(&self, who: &str, now: Timestamp, most: u32, window: Millis) -> Result<(), Refusal> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = secret::hash(who).0;
        if tries.len() >= REMEMBERED_MAX && !tries.contains_key(&key) {
            forget_the_longest_quiet(&mut tries);
        }
        let times = tries.entry(key).or_default();
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
        let key = secret::hash(who).0;
        if let Some(times) = tries.get_mut(&key) {
            times.pop();
            if times.is_empty() {
                tries.remove(&key);
            }
        }
    }
}

fn forget_the_longest_quiet(tries: &mut HashMap<Key, Vec<Timestamp>>) {
    let mut quiet: Vec<(Option<Timestamp>, Key)> =
        tries.iter().map(|(key, times)| (times.last().copied(), *key)).collect();
    let many = FORGOTTEN.min(quiet.len());
    quiet.select_nth_unstable(many.saturating_sub(1));
    for (_, key) in &quiet[..many] {
        tries.remove(key);
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

    #[test]
    fn a_crowd_makes_nobody_but_the_longest_quiet_forgotten() {
        let (tries, window) = (Tries::default(), Millis::seconds(600));
        tries.begin("early", Timestamp(0), 1, window).expect("the first try");
        for at in 1..=REMEMBERED_MAX {
            tries.begin(&at.to_string(), Timestamp(at as i64), 1, window).expect("a first try each");
        }
        let now = Timestamp(REMEMBERED_MAX as i64);
        assert!(tries.0.lock().expect("sound").len() <= REMEMBERED_MAX);
        tries.begin("early", now, 1, window).expect("forgotten");
        tries.begin(&REMEMBERED_MAX.to_string(), now, 1, window).expect_err("remembered");
        tries.begin("40000", now, 1, window).expect_err("remembered");
    }

    #[test]
    fn a_network_counts_as_one() {
        let of = |text: &str| neighbourhood(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:198.51.100.7"), "198.51.100.7");
        assert_ne!(of("198.51.100.7"), of("198.51.100.8"));
    }
}
