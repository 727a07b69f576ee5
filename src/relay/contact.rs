//! The silence of a sender, and the absence of its receiver.

use std::time::Duration;

/// The number of announced times after which a batch is overdue, with the limits of the
/// time.
const OVERDUE: u32 = 3;
const OVERDUE_MIN: Duration = Duration::from_secs(3);
const OVERDUE_MAX: Duration = Duration::from_secs(30);
/// The time after which a silent sender is lost.
const LOST: Duration = Duration::from_secs(30);
/// The time between two checks after which the receiver was away.
const ABSENCE: Duration = Duration::from_millis(1_500);

/// Whether a sender of batches is heard: see [`Relay::check`](super::Relay::check).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Contact {
    /// No batch is overdue. A relay that has not received a batch yet expects none.
    Heard,
    /// A batch is overdue.
    Silent,
    /// The sender has been silent for 30 s, and its jobs are lost.
    Lost,
}

/// The contact to a sender.
#[derive(Debug)]
pub(super) struct Silence {
    contact: Contact,
    /// The time of the last batch or, in silence, of its begin.
    since: Duration,
    /// The maximum time between two batches.
    limit: Duration,
}

impl Silence {
    /// Creates the contact to a sender that was heard now, and that announced the time
    /// until its next batch.
    pub(super) fn new(now: Duration, next: Duration) -> Self {
        let limit = next.saturating_mul(OVERDUE).clamp(OVERDUE_MIN, OVERDUE_MAX);
        Self { contact: Contact::Heard, since: now, limit }
    }

    pub(super) const fn contact(&self) -> Contact {
        self.contact
    }

    pub(super) const fn since(&self) -> Duration {
        self.since
    }

    /// Ends the contact.
    pub(super) fn lose(&mut self, now: Duration) {
        (self.contact, self.since) = (Contact::Lost, now);
    }

    /// Returns the new contact, if it has changed.
    pub(super) fn check(&mut self, now: Duration) -> Option<Contact> {
        let passed = now.saturating_sub(self.since);
        self.contact = match self.contact {
            Contact::Heard if passed > self.limit => Contact::Silent,
            Contact::Silent if passed > LOST => Contact::Lost,
            _ => return None,
        };
        self.since = now;
        Some(self.contact)
    }

    /// Does not count the time until now as silence.
    pub(super) fn pardon(&mut self, now: Duration) {
        if self.contact != Contact::Lost {
            self.since = now;
        }
    }
}

/// The checks of a receiver, with the time of the last one.
#[derive(Debug)]
pub(super) struct Checks(pub(super) Duration);

impl Checks {
    /// Begins a check. Returns `true` if the receiver was away before.
    pub(super) fn begin(&mut self, now: Duration) -> bool {
        now.saturating_sub(std::mem::replace(&mut self.0, now)) > ABSENCE
    }
}
