//! Which brokers have been heard of lately. Soft state of the active controller: not in the log; a new controller
//! gives every broker a whole session.

use crate::image::MetadataImage;
use protocol::id::{BrokerId, Monotonic};
use std::collections::BTreeMap;
use std::time::Duration;

/// The sessions of all brokers that are not fenced.
#[derive(Debug, Clone)]
pub struct Sessions {
    timeout: Duration,
    heard: BTreeMap<BrokerId, Monotonic>,
}

impl Sessions {
    /// Begins with a session for every broker of the image that is not fenced.
    #[must_use]
    pub fn new(now: Monotonic, timeout: Duration, image: &MetadataImage) -> Self {
        let unfenced = image.brokers().filter(|broker| !broker.fenced);
        Self { timeout, heard: unfenced.map(|broker| (broker.id, now)).collect() }
    }

    /// A heartbeat or registration of the broker was accepted.
    pub fn touch(&mut self, now: Monotonic, id: BrokerId) {
        self.heard.insert(id, now);
    }

    /// The broker is fenced, gone, or its process is known to be dead.
    pub fn forget(&mut self, id: BrokerId) {
        self.heard.remove(&id);
    }

    /// Whether the broker was heard of within the timeout.
    #[must_use]
    pub fn is_valid(&self, now: Monotonic, id: BrokerId) -> bool {
        self.heard.get(&id).is_some_and(|heard| now.since(*heard) < self.timeout)
    }

    /// When the next session ends.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.heard.values().min().map(|heard| heard.plus(self.timeout))
    }

    /// Takes out the brokers whose sessions have ended: they are to be fenced.
    pub fn expire(&mut self, now: Monotonic) -> Vec<BrokerId> {
        let timeout = self.timeout;
        let ended = |(id, heard): (&BrokerId, &Monotonic)| (now.since(*heard) >= timeout).then_some(*id);
        let expired: Vec<BrokerId> = self.heard.iter().filter_map(ended).collect();
        self.heard.retain(|id, _| !expired.contains(id));
        expired
    }
}
