//! Requests that wait until what they change is in the metadata log, and in this broker's image.
//!
//! Each is answered once: when it is committed, when nobody knows what becomes of it, or when its time is over, which
//! takes nothing back. A disk that is full or slow holds a decision, and never its client.

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::api::Header;
use crate::effects::{Effects, Now, Reply, Ticket, TicketKind};
use crate::node::Node;
use crate::session::{Session, Slot};

/// The longest that a request may ask to wait: its timer lives as long.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(300);

/// A request that waits for a decision.
pub(crate) struct ParkedDecision {
    session: Arc<Session>,
    slot: Slot,
    answers: Mutex<Option<Answers>>,
}

/// How it may be answered.
pub(crate) enum Answers {
    /// With one of these.
    Replies { committed: Reply, lost: Reply, late: Reply },
    /// By serving it again, whose frame this is: what it lacked is there now, or it does without.
    Again { header: Header, frame: Vec<u8> },
}

/// Why it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is committed, and the image has it.
    Committed,
    /// Nobody knows what becomes of it: who asked has to ask the next controller.
    Lost,
    /// The time that it may take is over.
    Late,
}

impl ParkedDecision {
    pub(crate) fn new(session: &Arc<Session>, slot: Slot, answers: Answers) -> Arc<Self> {
        Arc::new(Self { session: Arc::clone(session), slot, answers: Mutex::new(Some(answers)) })
    }

    /// How it is answered, if it is not.
    pub(crate) fn take(&self) -> Option<Answers> {
        self.answers.lock().take()
    }
}

/// Answers a request at `timeout` at the latest.
pub(crate) fn set_timeout(now: Now, timeout: Duration, parked: Weak<ParkedDecision>, effects: &mut Effects) {
    let deadline = now.monotonic.plus(timeout.min(WAIT_MAX));
    effects.timers.push((deadline, Ticket(TicketKind::Decision(parked))));
}

impl Node {
    /// How long a request waits that names no time.
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.config().request_timeout_ms)
    }

    /// Answers a request that waits for a decision, unless it is answered.
    pub(crate) fn answer(&self, now: Now, parked: &ParkedDecision, outcome: Outcome, effects: &mut Effects) {
        let (session, slot) = (&parked.session, parked.slot);
        let reply = match parked.take() {
            Some(Answers::Replies { committed, lost, late }) => match outcome {
                Outcome::Committed => committed,
                Outcome::Lost => lost,
                Outcome::Late => late,
            },
            Some(Answers::Again { header, frame }) => {
                return self.serve_again(now, session, slot, header, &frame, effects);
            }
            None => return,
        };
        effects.replies.push((Arc::clone(session), slot, reply));
    }
}
