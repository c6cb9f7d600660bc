//! One replica of one partition: who leads, what is in sync, and up to where records are committed.
//!
//! Owner: the node's partition mutex, together with the log whose offsets this machine is told. It holds the rules of
//! Kafka's ISR replication with KIP-966: the high watermark covers the *maximal* ISR (committed and proposed
//! members) and stands still while fewer than `min.insync.replicas` are in sync; a stale epoch changes nothing.
//! Records, waiters and messages are the caller's: whether an `acks=all` write is done is a function of offsets.

mod isr;
#[cfg(test)]
mod tests;

pub use isr::{FetchPosition, IsrProposal, ProposalFate};

use crate::image::PartitionRegistration;
use isr::Leadership;
use protocol::ErrorCode;
use protocol::id::{BrokerId, LeaderEpoch, Monotonic, Offset, PartitionEpoch};
use std::time::Duration;

/// The configuration that the rules of a replica depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// `min.insync.replicas` of the topic. Its effect is capped by the number of replicas, as in Kafka.
    pub min_insync_replicas: usize,
    /// Whether this replica counts only what it has synced (`flush.messages=1`).
    pub counts_synced: bool,
    /// `replica.lag.time.max.ms`: a follower that was not caught up for so long leaves the ISR.
    pub replica_lag_time_max: Duration,
}

/// Where the replica's log stands when the machine starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOffsets {
    /// The next offset to be written.
    pub log_end_offset: Offset,
    /// Everything below is on stable storage.
    pub synced_end_offset: Offset,
    /// From the checkpoint; never above the log's end.
    pub high_watermark: Offset,
}

/// What [`Partition::apply`] made of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Transition {
    /// Older than what is known, or the same: nothing changed.
    Stale,
    /// This broker leads. With a new epoch, `begins` is its first offset: the caller writes it into the log's epoch
    /// cache before the first append (KAFKA-7415).
    Leader {
        /// Where the new epoch starts; `None` when only the ISR or the assignment changed.
        begins: Option<Offset>,
    },
    /// Another broker leads; with a new epoch the follower asks from its own end again.
    Follower {
        /// The leader to fetch from.
        leader: BrokerId,
        /// Whether the leader epoch is new.
        new_epoch: bool,
    },
    /// Nobody leads.
    Offline,
}

/// Whether a write with `acks=all` may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Acknowledgement {
    /// Its records are not on all in-sync replicas yet.
    Waits,
    /// Its records are committed.
    Done,
    /// Answer with this error.
    Failed(ErrorCode),
}

/// The replica machine.
#[derive(Debug, Clone)]
pub struct Partition {
    local: BrokerId,
    rules: Rules,
    replicas: Vec<BrokerId>,
    leader: BrokerId,
    leader_epoch: LeaderEpoch,
    partition_epoch: PartitionEpoch,
    log_end_offset: Offset,
    synced_end_offset: Offset,
    high_watermark: Offset,
    leadership: Option<Leadership>,
}

impl Partition {
    /// A replica on `local` that has no leader until the first [`apply`](Self::apply).
    #[must_use]
    pub fn new(local: BrokerId, rules: Rules, log: LogOffsets) -> Self {
        assert!(log.high_watermark <= log.log_end_offset, "the high watermark lies within the log");
        Self {
            local,
            rules,
            replicas: Vec::new(),
            leader: BrokerId::NONE,
            leader_epoch: LeaderEpoch::UNKNOWN,
            partition_epoch: PartitionEpoch(-1),
            log_end_offset: log.log_end_offset,
            synced_end_offset: log.synced_end_offset.min(log.log_end_offset),
            high_watermark: log.high_watermark,
            leadership: None,
        }
    }

    /// Takes over what the metadata log says. Look at [`high_watermark`](Self::high_watermark) afterwards: a smaller
    /// ISR can move it.
    pub fn apply(&mut self, now: Monotonic, registration: &PartitionRegistration) -> Transition {
        if registration.leader_epoch < self.leader_epoch
            || registration.partition_epoch <= self.partition_epoch
        {
            return Transition::Stale;
        }
        let new_epoch = registration.leader_epoch > self.leader_epoch;
        self.leader = registration.leader;
        self.leader_epoch = registration.leader_epoch;
        self.partition_epoch = registration.partition_epoch;
        self.replicas.clone_from(&registration.replicas);
        if registration.leader == self.local {
            let followers = registration.replicas.iter().copied().filter(|r| *r != self.local);
            match &mut self.leadership {
                Some(leadership) if !new_epoch => leadership.update(now, &registration.isr, followers),
                _ => {
                    self.leadership =
                        Some(Leadership::new(now, self.log_end_offset, &registration.isr, followers));
                }
            }
            let _ = self.advance(now);
            return Transition::Leader { begins: new_epoch.then_some(self.log_end_offset) };
        }
        self.leadership = None;
        if registration.leader == BrokerId::NONE {
            return Transition::Offline;
        }
        Transition::Follower { leader: registration.leader, new_epoch }
    }

    /// Changes the rules when a configuration changes. A smaller `min.insync.replicas` can move the high watermark.
    pub fn update_rules(&mut self, now: Monotonic, rules: Rules) -> Option<Offset> {
        self.rules = rules;
        self.advance(now)
    }

    /// Whether a request may speak to this replica: its current leader epoch, when it has one, must be ours
    /// (KIP-320).
    ///
    /// # Errors
    /// `FENCED_LEADER_EPOCH` when the asker's is older, `UNKNOWN_LEADER_EPOCH` when it is newer.
    pub fn check_epoch(&self, current_leader_epoch: LeaderEpoch) -> Result<(), ErrorCode> {
        if current_leader_epoch == LeaderEpoch::UNKNOWN || current_leader_epoch == self.leader_epoch {
            Ok(())
        } else if current_leader_epoch < self.leader_epoch {
            Err(ErrorCode::FencedLeaderEpoch)
        } else {
            Err(ErrorCode::UnknownLeaderEpoch)
        }
    }

    /// As [`check_epoch`](Self::check_epoch), and this broker must lead.
    ///
    /// # Errors
    /// Those of `check_epoch`, then `NOT_LEADER_OR_FOLLOWER`.
    pub fn check_leader(&self, current_leader_epoch: LeaderEpoch) -> Result<(), ErrorCode> {
        self.check_epoch(current_leader_epoch)?;
        self.leadership.as_ref().map(|_| ()).ok_or(ErrorCode::NotLeaderOrFollower)
    }

    /// Whether records may be appended, and under which epoch.
    ///
    /// # Errors
    /// `NOT_LEADER_OR_FOLLOWER`; with `acks=all` also `NOT_ENOUGH_REPLICAS`.
    pub fn check_append(&self, acks_all: bool) -> Result<LeaderEpoch, ErrorCode> {
        let leadership = self.leadership.as_ref().ok_or(ErrorCode::NotLeaderOrFollower)?;
        if acks_all && leadership.isr.len() < self.effective_min_isr() {
            return Err(ErrorCode::NotEnoughReplicas);
        }
        Ok(self.leader_epoch)
    }

    /// The log grew. Gives the new high watermark when it moved.
    pub fn appended(&mut self, now: Monotonic, log_end_offset: Offset) -> Option<Offset> {
        assert!(log_end_offset >= self.log_end_offset, "an append never shortens the log");
        self.log_end_offset = log_end_offset;
        self.advance(now)
    }

    /// Everything below `synced_end_offset` is on stable storage. Gives the new high watermark when it moved.
    pub fn synced(&mut self, now: Monotonic, synced_end_offset: Offset) -> Option<Offset> {
        self.synced_end_offset = self.synced_end_offset.max(synced_end_offset.min(self.log_end_offset));
        self.advance(now)
    }

    /// A follower's log grew by what the leader sent, who also said its high watermark (KAFKA-14704: truncate first).
    pub fn follower_appended(
        &mut self,
        log_end_offset: Offset,
        leader_high_watermark: Offset,
    ) -> Option<Offset> {
        assert!(self.leadership.is_none(), "a leader does not follow");
        assert!(log_end_offset >= self.log_end_offset, "an append never shortens the log");
        self.log_end_offset = log_end_offset;
        self.raise(leader_high_watermark.min(log_end_offset))
    }

    /// The log was cut to `end_offset`, or emptied to start there.
    pub fn truncated(&mut self, end_offset: Offset) {
        assert!(self.leadership.is_none(), "a leader never truncates");
        self.log_end_offset = end_offset;
        self.synced_end_offset = self.synced_end_offset.min(end_offset);
        self.high_watermark = self.high_watermark.min(end_offset);
    }

    /// Whether the write that ended at `required` (its last offset + 1) in `epoch` may be answered.
    pub fn acknowledgement(&self, epoch: LeaderEpoch, required: Offset) -> Acknowledgement {
        match &self.leadership {
            Some(leadership) if self.leader_epoch == epoch => {
                if self.high_watermark < required {
                    Acknowledgement::Waits
                } else if leadership.maximal_isr().count() < self.effective_min_isr() {
                    Acknowledgement::Failed(ErrorCode::NotEnoughReplicasAfterAppend)
                } else {
                    Acknowledgement::Done
                }
            }
            _ => Acknowledgement::Failed(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// Whether the high watermark is known to be no older than this leadership. Until then a new leader's may lag
    /// behind what consumers saw, and answers made from it would go backwards (KIP-207).
    ///
    /// # Errors
    /// `OFFSET_NOT_AVAILABLE`.
    pub fn check_offsets_known(&self) -> Result<(), ErrorCode> {
        match &self.leadership {
            Some(leadership) if self.high_watermark < leadership.epoch_start_offset => {
                Err(ErrorCode::OffsetNotAvailable)
            }
            _ => Ok(()),
        }
    }

    /// Whether this broker leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leadership.is_some()
    }

    /// The leader, or [`BrokerId::NONE`].
    #[must_use]
    pub fn leader(&self) -> BrokerId {
        self.leader
    }

    /// The leader epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// The partition epoch.
    #[must_use]
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// Records below are committed: consumers may read them.
    #[must_use]
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The next offset to be written.
    #[must_use]
    pub fn log_end_offset(&self) -> Offset {
        self.log_end_offset
    }

    /// The in-sync replicas by the metadata log; empty where this broker does not lead.
    #[must_use]
    pub fn isr(&self) -> &[BrokerId] {
        self.leadership.as_ref().map_or(&[], |leadership| &leadership.isr)
    }

    /// The assigned replicas.
    #[must_use]
    pub fn replicas(&self) -> &[BrokerId] {
        &self.replicas
    }

    /// Whether fewer replicas are in sync than `min.insync.replicas` asks for.
    #[must_use]
    pub fn is_under_min_isr(&self) -> bool {
        self.leadership.as_ref().is_some_and(|leadership| leadership.isr.len() < self.effective_min_isr())
    }

    /// As Kafka: a topic with fewer replicas than `min.insync.replicas` needs all of them and no more.
    fn effective_min_isr(&self) -> usize {
        self.rules.min_insync_replicas.min(self.replicas.len().max(1))
    }

    fn counted_end_offset(&self) -> Offset {
        if self.rules.counts_synced { self.synced_end_offset } else { self.log_end_offset }
    }

    fn advance(&mut self, now: Monotonic) -> Option<Offset> {
        let leadership = self.leadership.as_ref()?;
        if self.is_under_min_isr() {
            return None;
        }
        let own = self.counted_end_offset();
        let lag_max = self.rules.replica_lag_time_max;
        self.raise(leadership.least_end_offset(now, own, self.log_end_offset, lag_max))
    }

    fn raise(&mut self, high_watermark: Offset) -> Option<Offset> {
        // Never backwards: consumers have read up to the old one.
        if high_watermark <= self.high_watermark {
            return None;
        }
        self.high_watermark = high_watermark;
        Some(high_watermark)
    }
}
