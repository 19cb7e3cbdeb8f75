//! Deliveries: an event on its way to one address, attempt by attempt.

use crate::event::Event;
use crate::id::{DeliveryId, SecretId, SubscriptionId};
use crate::request::Face;
use crate::time::{Millis, Timestamp};

/// An event on its way to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// What is told.
    pub event: Event,
    /// To which address.
    pub address: String,
    /// The face that words it.
    pub face: Face,
    /// The subscription it is for; none for an address that was named with what it tells of.
    pub subscription: Option<SubscriptionId>,
    /// Whether the event made it, rather than somebody who asked for it once more.
    pub is_automatic: bool,
    /// The body, once it was worded: the same with every attempt.
    pub body: Option<Vec<u8>>,
    /// The secret that signed the latest attempt, where secrets have ids.
    pub secret: Option<SecretId>,
    /// Attempts made so far, those before a redelivery included.
    pub attempts: u32,
    /// Where it stands.
    pub state: DeliveryState,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried.
    Pending {
        /// Not before this time. While an attempt is under way: when others may take it over.
        due_at: Timestamp,
    },
    /// The receiver has taken it.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// Given up; may be asked for again.
    Failed {
        /// When.
        at: Timestamp,
    },
}

/// The name of a delivery's state, for filters and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// [`DeliveryState::Pending`].
    Pending,
    /// [`DeliveryState::Delivered`].
    Delivered,
    /// [`DeliveryState::Failed`].
    Failed,
}

impl DeliveryStatus {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|status| status.as_str() == text)
    }
}

impl DeliveryState {
    /// Its name.
    pub const fn status(&self) -> DeliveryStatus {
        match self {
            Self::Pending { .. } => DeliveryStatus::Pending,
            Self::Delivered { .. } => DeliveryStatus::Delivered,
            Self::Failed { .. } => DeliveryStatus::Failed,
        }
    }
}

/// One try to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which one, from 1.
    pub number: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How it went.
    pub report: Report,
}

/// How one try to deliver went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How long it took.
    pub took: Millis,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Why it does not count, as a code that never changes: `timed_out`, `blocked_address`, `redirect_refused`; `None`
    /// for a success.
    pub error: Option<String>,
    /// The first [`Report::ANSWER_BYTES_MAX`] bytes of the answer, as text.
    pub answer: String,
}

impl Report {
    /// How much of an answer is kept, in bytes.
    pub const ANSWER_BYTES_MAX: usize = 4096;
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The receiver has taken it.
    Delivered,
    /// To be tried again after this pause.
    Again(Millis),
    /// Given up.
    GivenUp,
}

/// When a failed delivery is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The pause after each failed attempt; one attempt more than there are pauses is made.
    pub pauses: Vec<Millis>,
    /// The longest pause a receiver may ask for.
    pub longest: Millis,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            pauses: [1, 5, 30, 120, 600].into_iter().map(Millis::seconds).collect(),
            longest: Millis::seconds(3600),
        }
    }
}

impl Schedule {
    /// How long to wait after the `failed`-th failed attempt (from 1), or `None` when that was the last. `chance` in
    /// 0..=1 spreads the pause by ±20 %. A receiver that `asked` for a pause gets at least that, up to the longest.
    pub fn pause(&self, failed: u32, chance: f64, asked: Option<Millis>) -> Option<Millis> {
        let pause = self.pauses.get(failed.saturating_sub(1) as usize)?;
        let spread = Millis((pause.0 as f64 * (0.8 + 0.4 * chance.clamp(0.0, 1.0))) as i64);
        Some(asked.map_or(spread, |asked| spread.max(asked.min(self.longest))))
    }
}

/// Which deliveries of a list are wanted. Every member that is `Some` must match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Those of this run.
    pub run: Option<crate::id::RunId>,
    /// Those in this state.
    pub status: Option<DeliveryStatus>,
}

/// What a delivery tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A run.
    Run(crate::id::RunId),
    /// A batch, by its handle.
    Batch(uuid::Uuid),
}

/// The host and port an address names, as receivers are told apart: `hooks.example:443`. Not for deciding what may be
/// reached: two spellings of one host may differ.
pub fn receiver(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().to_lowercase();
    let has_port =
        host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    match (has_port, scheme.eq_ignore_ascii_case("https")) {
        (true, _) => host,
        (false, true) => format!("{host}:443"),
        (false, false) => format!("{host}:80"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_attempts_are_made_with_growing_pauses() {
        let schedule = Schedule::default();
        let pauses: Vec<_> =
            (1..=7).map(|failed| schedule.pause(failed, 0.5, None).map(|pause| pause.0)).collect();
        let seconds = [Some(1_000), Some(5_000), Some(30_000), Some(120_000), Some(600_000), None, None];
        assert_eq!(pauses, seconds);
        assert_eq!(schedule.pause(1, 0.0, None), Some(Millis(800)));
        assert_eq!(schedule.pause(1, 1.0, None), Some(Millis(1200)));
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_within_reason() {
        let schedule = Schedule::default();
        assert_eq!(schedule.pause(1, 0.5, Some(Millis::seconds(90))), Some(Millis::seconds(90)));
        assert_eq!(schedule.pause(1, 0.5, Some(Millis::seconds(90_000))), Some(Millis::seconds(3600)));
        assert_eq!(schedule.pause(3, 0.5, Some(Millis(1))), Some(Millis::seconds(30)));
        assert_eq!(schedule.pause(6, 0.5, Some(Millis(1))), None);
    }

    #[test]
    fn receivers_are_told_apart_by_host_and_port() {
        assert_eq!(receiver("https://Hooks.Example/a/b?c"), "hooks.example:443");
        assert_eq!(receiver("http://hooks.example:8080?x"), "hooks.example:8080");
        assert_eq!(receiver("HTTPS://me:pw@hooks.example#x"), "hooks.example:443");
        assert_eq!(receiver("http://[2606:4700::1]/"), "[2606:4700::1]:80");
    }
}
