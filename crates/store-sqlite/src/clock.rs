//! The machine's clock, made to run forwards only.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::time::{Clock, Timestamp};

/// The machine's clock. It follows a wall clock that is set forward at once. When the wall clock is set back, it neither
/// jumps back nor stands still, which would stop every pause and lease: it runs on, a twentieth slower than time, until
/// the wall clock has caught up.
pub struct SystemClock {
    last: Mutex<Reading>,
}

#[derive(Clone, Copy)]
struct Reading {
    told: Duration,
    at: Instant,
}

impl Reading {
    /// What to tell, given the wall clock's time since 1970 and a clock that is never set.
    fn next(self, wall: Duration, at: Instant) -> Self {
        let passed = at.saturating_duration_since(self.at);
        Self { told: wall.max(self.told + passed - passed / 20), at: at.max(self.at) }
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock that everything else is given")]
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl SystemClock {
    /// The machine's clock.
    pub fn new() -> Self {
        Self { last: Mutex::new(Reading { told: wall(), at: Instant::now() }) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.next(wall(), Instant::now());
        Timestamp(last.told.as_millis() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_step_forward_is_followed_at_once() {
        let at = Instant::now();
        let reading = Reading { told: HOUR, at };
        assert_eq!(reading.next(3 * HOUR, at + Duration::from_secs(1)).told, 3 * HOUR);
    }

    #[test]
    fn after_a_step_back_time_goes_on_until_the_wall_clock_has_caught_up() {
        let begin = Instant::now();
        let mut reading = Reading { told: 2 * HOUR, at: begin };
        let mut caught_up = None;
        for second in 1..=100_000 {
            let passed = Duration::from_secs(second);
            let next = reading.next(HOUR + passed, begin + passed);
            assert!(next.told > reading.told, "stood still at second {second}");
            reading = next;
            if caught_up.is_none() && reading.told == HOUR + passed {
                caught_up = Some(passed);
            }
        }
        assert_eq!(caught_up, Some(20 * HOUR));
    }

    #[test]
    fn it_tells_the_time_of_day() {
        let clock = SystemClock::new();
        let before = wall().as_millis() as i64;
        let now = clock.now().0;
        assert!((before - 1..before + 60_000).contains(&now));
        assert!(clock.now().0 >= now);
    }
}
