//! How many calls each organization makes in a window of time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::id::OrgId;
use domain::time::{Millis, Timestamp};

use crate::Service;

/// Organizations counted at once; beyond that those whose windows are over are forgotten.
const COUNTED_MAX: usize = 10_000;

/// Calls of each organization since its window began.
#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<OrgId, (Timestamp, u32)>>);

/// What an organization may call yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Calls in each window.
    pub limit: u32,
    /// Calls left in this one.
    pub remaining: u32,
    /// When the next one begins, in seconds since 1970.
    pub resets_at: i64,
    /// How long that is from now.
    pub resets_in: Millis,
    /// Whether there were too many already.
    pub is_over: bool,
}

impl Service {
    /// Counts a call of an organization, and says what it may call yet. What is over the limit is not counted.
    pub fn spend_call(&self, org: OrgId) -> Allowance {
        let (limit, window) = (self.0.settings.rate_limit, self.0.settings.rate_window);
        let now = self.now();
        let mut rates = self.0.rates.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= COUNTED_MAX && !rates.contains_key(&org) {
            rates.retain(|_, (began, _)| now - *began < window);
        }
        let (began, calls) = rates.entry(org).or_insert((now, 0));
        if now - *began >= window || now < *began {
            (*began, *calls) = (now, 0);
        }
        let is_over = *calls >= limit;
        if !is_over {
            *calls += 1;
        }
        let ends = *began + window;
        Allowance {
            limit,
            remaining: limit - *calls,
            resets_at: (ends.0 + 999).div_euclid(1000),
            resets_in: ends - now,
            is_over,
        }
    }

    /// What an organization that has not called may call.
    pub fn whole_allowance(&self) -> Allowance {
        let Self(inner) = self;
        let (limit, window) = (inner.settings.rate_limit, inner.settings.rate_window);
        let resets_at = ((self.now() + window).0 + 999).div_euclid(1000);
        Allowance { limit, remaining: limit, resets_at, resets_in: window, is_over: false }
    }
}
