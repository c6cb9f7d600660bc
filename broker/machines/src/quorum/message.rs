//! What replicas say to each other. The bytes on the wire are declared in `protocol`; here are the values.

use super::entry::{Entry, Payload, RaftId, SnapshotMeta};
use std::fmt;

/// One message between two replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who sends; the caller has checked that the connection belongs to it.
    pub from: RaftId,
    /// Whom it is for.
    pub to: RaftId,
    /// The sender's term; that of the campaign in votes.
    pub term: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Entries after `previous_index`, from the leader.
    Append {
        /// The entry before the first of `entries`.
        previous_index: u64,
        /// Its term.
        previous_term: u64,
        /// Up to where the leader knows entries to be committed.
        commit: u64,
        /// The entries, without holes.
        entries: Vec<Entry>,
    },
    /// The sender's log equals the leader's up to `index`, synced.
    Appended {
        /// The last entry that is known to be equal.
        index: u64,
        /// Up to where the sender knows entries to be committed.
        commit: u64,
    },
    /// The sender's log has no such previous entry.
    AppendRejected {
        /// The `previous_index` that was refused.
        index: u64,
        /// Where the logs may be equal.
        hint_index: u64,
        /// The sender's term there.
        hint_term: u64,
        /// Up to where the sender knows entries to be committed.
        commit: u64,
    },
    /// Asks for a vote.
    Vote {
        /// Asks only whether it would be given (thesis 9.6).
        pre_vote: bool,
        /// The leader asked for this election: a live lease does not stand in its way.
        transfer: bool,
        /// The candidate's last entry.
        last_index: u64,
        /// Its term.
        last_term: u64,
        /// Up to where the candidate knows entries to be committed.
        commit: u64,
        /// The term of that entry.
        commit_term: u64,
    },
    /// Answers a [`Body::Vote`].
    VoteAnswer {
        /// Answers a pre-vote.
        pre_vote: bool,
        /// Yes or no.
        granted: bool,
        /// With a no: up to where the sender knows entries to be committed.
        commit: u64,
        /// With a no: the term of that entry.
        commit_term: u64,
    },
    /// The leader is alive.
    Heartbeat {
        /// Up to where entries are committed that the follower has.
        commit: u64,
        /// A read that waits for this answer.
        read: Option<u64>,
    },
    /// Answers a heartbeat.
    HeartbeatAnswer {
        /// Up to where the sender knows entries to be committed.
        commit: u64,
        /// The read of the heartbeat.
        read: Option<u64>,
    },
    /// The leader no longer has the entries that the follower needs. The receiver's caller brings the snapshot's
    /// bytes over, stores them, and only then steps this message.
    Snapshot {
        /// The snapshot to start from.
        snapshot: SnapshotMeta,
    },
    /// The leader hands over: the receiver campaigns at once.
    TimeoutNow,
}

/// Why a message was not given to the consensus. It comes from a peer that lost its log, from a bug, or from
/// somebody who should not be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not from a peer, not for this replica, or in a term that cannot be.
    Address,
    /// Entries with holes, with terms that go back, or with bytes that are no record batch.
    Entries,
    /// Offsets that differ from those that this log gives.
    Offsets,
    /// Names entries beyond the log's end, as committed or as acknowledged.
    BeyondLog,
    /// Contradicts what is committed here.
    Committed,
    /// A snapshot of nothing or of no quorum.
    Snapshot,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "wrong sender, receiver or term",
            Self::Entries => "entries that are no log",
            Self::Offsets => "entries at other offsets",
            Self::BeyondLog => "an index beyond the log",
            Self::Committed => "contradicts committed entries",
            Self::Snapshot => "no usable snapshot",
        })
    }
}

/// The highest term: it must be a leader epoch.
const TERM_MAX: u64 = i32::MAX as u64 - 1;

/// What a check compares a message with.
pub(super) struct LogEnds {
    pub(super) local: RaftId,
    pub(super) term: u64,
    pub(super) last_index: u64,
    pub(super) committed: u64,
    pub(super) committed_term: u64,
}

impl Message {
    /// Everything on which the consensus library would stop the process is refused here.
    pub(super) fn check(&self, log: &LogEnds) -> Result<(), Refusal> {
        let known = self.from != log.local && self.to == log.local && self.from != RaftId(0);
        if !known || self.term == 0 || self.term > TERM_MAX {
            return Err(Refusal::Address);
        }
        if self.term < log.term {
            // Late, from a leader whose log may have been another: the library answers with the term or ignores it.
            return Ok(());
        }
        match &self.body {
            Body::Append { previous_index, previous_term, entries, .. } => {
                check_entries(*previous_index, *previous_term, self.term, entries)?;
                let before = *previous_index < log.committed;
                if !before && *previous_term < log.committed_term {
                    return Err(Refusal::Committed);
                }
                Ok(())
            }
            Body::Appended { index, commit } => within(*index.max(commit), log),
            Body::AppendRejected { index, hint_index, hint_term, .. } => {
                within(*index.max(hint_index), log)?;
                if *hint_term > self.term { Err(Refusal::Entries) } else { Ok(()) }
            }
            Body::Heartbeat { commit, .. } => within(*commit, log),
            Body::Snapshot { snapshot } => {
                let usable = snapshot.index > 0 && snapshot.term > 0 && snapshot.term <= self.term;
                let positive = snapshot.end_offset.0 > 0 && snapshot.index < u64::MAX / 2;
                if usable && positive && snapshot.membership.is_valid() {
                    Ok(())
                } else {
                    Err(Refusal::Snapshot)
                }
            }
            Body::Vote { .. } | Body::VoteAnswer { .. } | Body::HeartbeatAnswer { .. } | Body::TimeoutNow => {
                Ok(())
            }
        }
    }
}

fn within(index: u64, log: &LogEnds) -> Result<(), Refusal> {
    if index <= log.last_index { Ok(()) } else { Err(Refusal::BeyondLog) }
}

fn check_entries(previous: u64, previous_term: u64, term: u64, entries: &[Entry]) -> Result<(), Refusal> {
    // The library takes term 0 for the term of what lies beyond its log.
    if previous > u64::MAX / 2 || previous_term > term || (previous == 0) != (previous_term == 0) {
        return Err(Refusal::Entries);
    }
    let (mut index, mut last_term) = (previous, previous_term);
    for entry in entries {
        index += 1;
        if entry.index != index || entry.term < last_term || entry.term == 0 || entry.term > term {
            return Err(Refusal::Entries);
        }
        last_term = entry.term;
        match &entry.payload {
            Payload::Records(batch) if !super::batch::is_records(batch) => {
                return Err(Refusal::Entries);
            }
            Payload::Membership(change) if !change.after.is_valid() => return Err(Refusal::Entries),
            _ => {}
        }
    }
    if entries.windows(2).any(|pair| pair[0].end_offset() != pair[1].base_offset) {
        return Err(Refusal::Offsets);
    }
    Ok(())
}
