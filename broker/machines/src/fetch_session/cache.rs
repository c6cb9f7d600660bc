//! The sessions of one broker, and which gives way when there is no room.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;
use protocol::id::Monotonic;

use super::context::{FetchContext, Kind};
use super::partitions::Partitions;
use super::{Bounds, FINAL_EPOCH, FetchStart, INITIAL_EPOCH, NO_SESSION, next_epoch};

/// What makes a session worth less than another, least first: a consumer's before a follower's, the one with
/// fewer partitions, the one with the smaller id.
type Worth = (bool, usize, i32);

#[derive(Debug)]
struct Session {
    serial: u64,
    follower: bool,
    topic_ids: bool,
    created: Monotonic,
    last_used: Monotonic,
    /// The epoch that the next fetch must have.
    epoch: i32,
    /// Partitions when it was last used: what its worth counts.
    size: usize,
    /// Away while a fetch is under way.
    partitions: Option<Partitions>,
}

impl Session {
    const fn worth(&self, id: i32) -> Worth {
        (self.follower, self.size, id)
    }
}

/// All fetch sessions of a broker. Nothing in it blocks or reads a clock; its owner locks it.
#[derive(Debug)]
pub struct FetchSessions {
    bounds: Bounds,
    sessions: BTreeMap<i32, Session>,
    /// Least recently used first.
    by_use: BTreeSet<(Monotonic, i32)>,
    /// Sessions that any other may displace: those that are no longer young.
    evictable_by_all: BTreeSet<Worth>,
    /// Sessions that a follower's may displace: all consumers' too.
    evictable_by_follower: BTreeSet<Worth>,
    partitions: usize,
    next_serial: u64,
    evictions: u64,
}

impl FetchSessions {
    /// No sessions.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            sessions: BTreeMap::new(),
            by_use: BTreeSet::new(),
            evictable_by_all: BTreeSet::new(),
            evictable_by_follower: BTreeSet::new(),
            partitions: 0,
            next_serial: 0,
            evictions: 0,
        }
    }

    /// Sessions now (Kafka's `NumIncrementalFetchSessions`).
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Partitions in all sessions (Kafka's `NumIncrementalFetchPartitionsCached`).
    #[must_use]
    pub const fn partitions_count(&self) -> usize {
        self.partitions
    }

    /// Sessions displaced since the start (Kafka's `IncrementalFetchSessionEvictionsPerSec`).
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Begins a fetch: finds the session that the request belongs to and applies what the request changes.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH` (also for a session whose last fetch is
    /// still under way) or `FETCH_SESSION_TOPIC_ID_ERROR`: the whole response is then this code with
    /// [`NO_SESSION`] and no partitions, and the client begins anew.
    pub fn begin(&mut self, now: Monotonic, request: FetchStart) -> Result<FetchContext, ErrorCode> {
        if !matches!(request.session_epoch, INITIAL_EPOCH | FINAL_EPOCH) {
            return self.begin_incremental(now, request);
        }
        // A full fetch closes the session that it names, whether it wants another or not.
        self.remove(request.session_id);
        let kind = if request.session_epoch == FINAL_EPOCH {
            Kind::Sessionless
        } else {
            Kind::Full { topic_ids: request.topic_ids, follower: request.follower }
        };
        Ok(FetchContext { kind, partitions: Partitions::new(request.partitions) })
    }

    fn begin_incremental(&mut self, now: Monotonic, request: FetchStart) -> Result<FetchContext, ErrorCode> {
        let id = request.session_id;
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.topic_ids != request.topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let mut partitions = session.partitions.take().ok_or(ErrorCode::InvalidFetchSessionEpoch)?;
        partitions.ask(request.partitions);
        partitions.forget(&request.forgotten);
        let serial = session.serial;
        session.epoch = next_epoch(session.epoch);
        let grown = self.partitions - session.size + partitions.len() > self.bounds.partitions_max;
        if grown || partitions.len() > self.bounds.session_partitions_max {
            self.remove(id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        if partitions.len() == 0 {
            self.remove(id);
            return Ok(FetchContext { kind: Kind::Sessionless, partitions });
        }
        self.touch(now, id, partitions.len());
        Ok(FetchContext { kind: Kind::Incremental { id, serial }, partitions })
    }

    /// Ends a fetch whose response is complete: puts its session back, or opens one if it asked for one and
    /// there is room. The session id that the response carries.
    ///
    /// `random` makes a new session's id, so that a restarted broker does not take an old session for its
    /// own.
    pub fn finish(&mut self, now: Monotonic, context: FetchContext, random: u32) -> i32 {
        let FetchContext { kind, mut partitions } = context;
        match kind {
            Kind::Sessionless => NO_SESSION,
            Kind::Incremental { id, serial } => {
                partitions.rotate();
                // Closed or displaced meanwhile, it is not put back; the client learns that with its next
                // fetch.
                if let Some(session) = self.sessions.get_mut(&id).filter(|s| s.serial == serial) {
                    session.partitions = Some(partitions);
                }
                id
            }
            Kind::Full { topic_ids, follower } => {
                partitions.clear_served();
                self.open(now, topic_ids, follower, partitions, random)
            }
        }
    }

    /// Ends a fetch that nobody waits for any more. Its session goes too: the client, which did not get the
    /// response, does not know what it was told and begins anew.
    pub fn abandon(&mut self, context: FetchContext) {
        if let Kind::Incremental { id, serial } = context.kind
            && self.sessions.get(&id).is_some_and(|session| session.serial == serial)
        {
            self.remove(id);
        }
    }

    fn open(
        &mut self,
        now: Monotonic,
        topic_ids: bool,
        follower: bool,
        partitions: Partitions,
        random: u32,
    ) -> i32 {
        let size = partitions.len();
        if size > self.bounds.session_partitions_max || !self.make_room(now, follower, size) {
            return NO_SESSION;
        }
        let id = self.free_id(random);
        let serial = self.next_serial;
        self.next_serial += 1;
        let epoch = next_epoch(INITIAL_EPOCH);
        let partitions = Some(partitions);
        let session =
            Session { serial, follower, topic_ids, created: now, last_used: now, epoch, size: 0, partitions };
        self.sessions.insert(id, session);
        self.touch(now, id, size);
        id
    }

    fn free_id(&self, random: u32) -> i32 {
        let mut id = (random & i32::MAX.cast_unsigned()).cast_signed();
        while id == NO_SESSION || self.sessions.contains_key(&id) {
            id = id.wrapping_add(1) & i32::MAX;
        }
        id
    }

    /// Whether a session of `size` partitions may be opened, after displacing at most one for its slot.
    fn make_room(&mut self, now: Monotonic, follower: bool, size: usize) -> bool {
        if self.sessions.len() >= self.bounds.slots_max && !self.evict(now, follower, size) {
            return false;
        }
        while self.partitions + size > self.bounds.partitions_max {
            if !self.evict(now, follower, size) {
                return false;
            }
        }
        true
    }

    /// Removes the session that is worth least, if it has been idle for long or is worth less than the new
    /// one.
    fn evict(&mut self, now: Monotonic, follower: bool, size: usize) -> bool {
        let Some((last_used, oldest)) = self.by_use.first().copied() else { return false };
        let id = if now.since(last_used) > self.bounds.eviction_after {
            oldest
        } else {
            let evictable = if follower { &self.evictable_by_follower } else { &self.evictable_by_all };
            match evictable.first() {
                Some(least) if *least < (follower, size, NO_SESSION) => least.2,
                _ => return false,
            }
        };
        self.remove(id);
        self.evictions += 1;
        true
    }

    fn remove(&mut self, id: i32) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.by_use.remove(&(session.last_used, id));
        self.evictable_by_all.remove(&session.worth(id));
        self.evictable_by_follower.remove(&session.worth(id));
        self.partitions -= session.size;
    }

    /// Marks a session as used now, with its size. A session's youth is judged here only, as in Kafka: one
    /// that is never used again is found by its last use.
    fn touch(&mut self, now: Monotonic, id: i32, size: usize) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        self.by_use.remove(&(session.last_used, id));
        self.evictable_by_all.remove(&session.worth(id));
        self.evictable_by_follower.remove(&session.worth(id));
        self.partitions = self.partitions - session.size + size;
        session.last_used = now;
        session.size = size;
        self.by_use.insert((now, id));
        let grown_up = now.since(session.created) > self.bounds.eviction_after;
        if grown_up {
            self.evictable_by_all.insert(session.worth(id));
        }
        if grown_up || !session.follower {
            self.evictable_by_follower.insert(session.worth(id));
        }
    }
}
