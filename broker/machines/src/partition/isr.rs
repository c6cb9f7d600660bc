//! What a leader knows of its followers, and how it asks the controller to change the ISR.

use super::Partition;
use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, BrokerId, LeaderEpoch, Monotonic, Offset, PartitionEpoch};
use std::collections::BTreeMap;
use std::time::Duration;

/// What one Fetch of a follower says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchPosition {
    /// The offset it asks for: it holds everything below.
    pub fetch_offset: Offset,
    /// The follower's incarnation; -1 from one that does not say (KIP-903).
    pub broker_epoch: BrokerEpoch,
    /// Whether the image has that incarnation registered, unfenced and not shutting down (KIP-841).
    pub eligible: bool,
}

/// A change of the ISR for the controller (AlterPartition).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsrProposal {
    /// The epoch in which this broker leads.
    pub leader_epoch: LeaderEpoch,
    /// The registration that the change starts from.
    pub partition_epoch: PartitionEpoch,
    /// The new in-sync replicas with their incarnations; the leader's own is -1 and is filled in by the sender.
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
}

/// What remains of a proposal after the controller's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ProposalFate {
    /// Refused and forgotten: the committed ISR stands.
    Dropped,
    /// It may have been applied, or this leadership is over: the maximal ISR stays until a registration tells.
    AwaitsRegistration,
    /// Send the same proposal again.
    Retry,
}

#[derive(Debug, Clone)]
struct Follower {
    log_end_offset: Offset,
    broker_epoch: BrokerEpoch,
    eligible: bool,
    /// The last moment at which it held all that the leader had then.
    caught_up_at: Monotonic,
    /// When it last asked, and the leader's end at that time: a fetch that reaches that end was caught up then.
    last_fetch: Option<(Monotonic, Offset)>,
}

impl Follower {
    fn new(now: Monotonic, in_sync: bool) -> Self {
        Self {
            log_end_offset: Offset::UNKNOWN,
            broker_epoch: BrokerEpoch(-1),
            eligible: in_sync,
            // A member of the ISR gets a whole lag time after an election; others prove themselves first.
            caught_up_at: if in_sync { now } else { Monotonic(0) },
            last_fetch: None,
        }
    }

    fn is_caught_up(&self, now: Monotonic, leader_end_offset: Offset, lag_max: Duration) -> bool {
        // A follower that holds everything is in sync however long ago it asked (KAFKA-7152).
        self.log_end_offset == leader_end_offset
            || (self.caught_up_at > Monotonic(0) && now.since(self.caught_up_at) <= lag_max)
    }
}

/// A leader's state of one epoch.
#[derive(Debug, Clone)]
pub(super) struct Leadership {
    pub(super) epoch_start_offset: Offset,
    pub(super) isr: Vec<BrokerId>,
    proposed: Option<Vec<BrokerId>>,
    followers: BTreeMap<BrokerId, Follower>,
}

impl Leadership {
    pub(super) fn new(
        now: Monotonic,
        epoch_start_offset: Offset,
        isr: &[BrokerId],
        followers: impl Iterator<Item = BrokerId>,
    ) -> Self {
        let followers = followers.map(|id| (id, Follower::new(now, isr.contains(&id)))).collect();
        Self { epoch_start_offset, isr: isr.to_vec(), proposed: None, followers }
    }

    /// A later registration of the same epoch: what was proposed is decided.
    pub(super) fn update(
        &mut self,
        now: Monotonic,
        isr: &[BrokerId],
        followers: impl Iterator<Item = BrokerId>,
    ) {
        let left = std::mem::replace(&mut self.isr, isr.to_vec());
        self.proposed = None;
        let mut before = std::mem::take(&mut self.followers);
        for (id, follower) in &mut before {
            // Fenced, most likely: nothing waits for it until it fetches again.
            follower.eligible &= isr.contains(id) || !left.contains(id);
        }
        self.followers = followers
            .map(|id| (id, before.remove(&id).unwrap_or_else(|| Follower::new(now, isr.contains(&id)))))
            .collect();
    }

    /// Everyone who is in the ISR or would be if the open proposal has been applied.
    pub(super) fn maximal_isr(&self) -> impl Iterator<Item = BrokerId> + '_ {
        let proposed = self.proposed.iter().flatten().filter(|id| !self.isr.contains(id));
        self.isr.iter().chain(proposed).copied()
    }

    /// The least end among the leader, the maximal ISR, and followers that are about to join: without these a
    /// steady producer could keep a follower out for ever, since it joins only at the high watermark.
    pub(super) fn least_end_offset(
        &self,
        now: Monotonic,
        own: Offset,
        leader_end_offset: Offset,
        lag_max: Duration,
    ) -> Offset {
        let mut least = own;
        for (id, follower) in &self.followers {
            let joins = follower.eligible && follower.is_caught_up(now, leader_end_offset, lag_max);
            if joins || self.maximal_isr().any(|member| member == *id) {
                least = least.min(follower.log_end_offset);
            }
        }
        least
    }
}

impl Partition {
    /// A follower fetched. Gives the new high watermark when it moved.
    ///
    /// # Errors
    /// `NOT_LEADER_OR_FOLLOWER`; `UNKNOWN_LEADER_EPOCH` when the metadata known here does not assign the follower;
    /// `NOT_LEADER_OR_FOLLOWER` also for an older incarnation of it (KAFKA-15221).
    pub fn follower_fetched(
        &mut self,
        now: Monotonic,
        id: BrokerId,
        position: FetchPosition,
    ) -> Result<Option<Offset>, ErrorCode> {
        let log_end_offset = self.log_end_offset;
        let leadership = self.leadership.as_mut().ok_or(ErrorCode::NotLeaderOrFollower)?;
        let follower = leadership.followers.get_mut(&id).ok_or(ErrorCode::UnknownLeaderEpoch)?;
        if position.broker_epoch != BrokerEpoch(-1) && position.broker_epoch < follower.broker_epoch {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if position.broker_epoch != follower.broker_epoch {
            follower.last_fetch = None;
        }
        if position.fetch_offset >= log_end_offset {
            follower.caught_up_at = now;
        } else if let Some((at, end_then)) = follower.last_fetch
            && position.fetch_offset >= end_then
        {
            follower.caught_up_at = follower.caught_up_at.max(at);
        }
        follower.log_end_offset = position.fetch_offset.min(log_end_offset);
        follower.broker_epoch = position.broker_epoch;
        follower.eligible = position.eligible;
        follower.last_fetch = Some((now, log_end_offset));
        Ok(self.advance(now))
    }

    /// The change of the ISR that is due, if any: one at a time, and it widens the maximal ISR at once. Ask after
    /// fetches and at least every half `replica.lag.time.max.ms`.
    pub fn propose_isr(&mut self, now: Monotonic) -> Option<IsrProposal> {
        let (log_end_offset, high_watermark) = (self.log_end_offset, self.high_watermark);
        let lag_max = self.rules.replica_lag_time_max;
        let local = self.local;
        let leadership = self.leadership.as_mut()?;
        if leadership.proposed.is_some() {
            return None;
        }
        let due = |id: BrokerId| -> bool {
            let Some(follower) = leadership.followers.get(&id) else { return id == local };
            if leadership.isr.contains(&id) {
                follower.is_caught_up(now, log_end_offset, lag_max)
            } else {
                // Below the epoch's start it may lack records that an earlier leader committed.
                follower.eligible
                    && follower.log_end_offset >= high_watermark
                    && follower.log_end_offset >= leadership.epoch_start_offset
            }
        };
        let isr: Vec<BrokerId> = self.replicas.iter().copied().filter(|id| due(*id)).collect();
        let same = isr.len() == leadership.isr.len() && isr.iter().all(|id| leadership.isr.contains(id));
        if same {
            return None;
        }
        let epoch_of =
            |id: &BrokerId| leadership.followers.get(id).map_or(BrokerEpoch(-1), |f| f.broker_epoch);
        let proposal = IsrProposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            isr: isr.iter().map(|id| (*id, epoch_of(id))).collect(),
        };
        leadership.proposed = Some(isr);
        Some(proposal)
    }

    /// The controller took the proposal: the ISR and partition epoch of its answer (KAFKA-13091: the high watermark
    /// is looked at again). An answer older than the known registration is ignored.
    pub fn proposal_accepted(
        &mut self,
        now: Monotonic,
        leader_epoch: LeaderEpoch,
        isr: &[BrokerId],
        partition_epoch: PartitionEpoch,
    ) -> Option<Offset> {
        if leader_epoch != self.leader_epoch || partition_epoch < self.partition_epoch {
            return None;
        }
        let leadership = self.leadership.as_mut()?;
        self.partition_epoch = partition_epoch;
        leadership.isr = isr.to_vec();
        leadership.proposed = None;
        self.advance(now)
    }

    /// The controller refused the proposal, or it was lost.
    pub fn proposal_failed(&mut self, error: ErrorCode) -> ProposalFate {
        let Some(leadership) = &mut self.leadership else { return ProposalFate::AwaitsRegistration };
        match error {
            ErrorCode::OperationNotAttempted | ErrorCode::IneligibleReplica => {
                leadership.proposed = None;
                ProposalFate::Dropped
            }
            ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::InvalidUpdateVersion
            | ErrorCode::InvalidRequest
            | ErrorCode::NewLeaderElected => ProposalFate::AwaitsRegistration,
            _ => ProposalFate::Retry,
        }
    }
}
