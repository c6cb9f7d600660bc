//! AlterPartition: a leader asks for another ISR (KIP-497, KIP-841, KIP-903).

use super::partition_change::PartitionChange;
use super::{ConfigRules, Controller, Decision, Rejection};
use crate::image::{LeaderRecoveryState, PartitionRegistration};
use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, BrokerId, LeaderEpoch, PartitionEpoch, PartitionIndex, TopicId};
use protocol::metadata_record::MetadataRecord;

/// One partition whose ISR shall change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterPartition {
    /// The topic.
    pub topic_id: TopicId,
    /// The partition.
    pub index: PartitionIndex,
    /// The epoch in which the asker leads.
    pub leader_epoch: LeaderEpoch,
    /// The registration that the change starts from.
    pub partition_epoch: PartitionEpoch,
    /// The new ISR, each member with the incarnation that the leader heard of; -1 when it did not say.
    pub isr: Vec<(BrokerId, BrokerEpoch)>,
    /// Whether the leader still recovers from an unclean election.
    pub leader_recovery_state: LeaderRecoveryState,
}

/// A partition as it is afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredPartition {
    /// Who leads.
    pub leader: BrokerId,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The ISR.
    pub isr: Vec<BrokerId>,
    /// Whether the leader recovers.
    pub leader_recovery_state: LeaderRecoveryState,
    /// The partition epoch.
    pub partition_epoch: PartitionEpoch,
}

impl Controller {
    /// Decides on the ISRs that a leader asks for: one result per partition, in the order of the request.
    ///
    /// # Errors
    /// The broker, or this incarnation of it, is not registered.
    pub fn decide_alter_partition(
        &self,
        broker_id: BrokerId,
        broker_epoch: BrokerEpoch,
        partitions: &[AlterPartition],
        rules: &dyn ConfigRules,
    ) -> Result<Decision<Vec<Result<AlteredPartition, ErrorCode>>>, Rejection> {
        self.check_broker_epoch(broker_id, broker_epoch)?;
        // A partition may come twice: the second change starts from the first.
        let mut state = self.clone();
        let mut records = Vec::new();
        let mut response = Vec::with_capacity(partitions.len());
        for request in partitions {
            response.push(state.alter_partition(broker_id, request, rules).map(|record| {
                if let Some(record) = record {
                    state.replay(&record).expect("a decision fits the image on which it was made");
                    records.push(record);
                }
                state.altered(request)
            }));
        }
        Ok(Decision { records, response })
    }

    fn alter_partition(
        &self,
        broker_id: BrokerId,
        request: &AlterPartition,
        rules: &dyn ConfigRules,
    ) -> Result<Option<MetadataRecord>, ErrorCode> {
        let topic = self.image.topic_by_id(request.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic.partition(request.index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        self.check_alter_partition(broker_id, request, partition)?;
        let target_isr: Vec<BrokerId> = request.isr.iter().map(|(id, _)| *id).collect();
        let change = PartitionChange {
            topic_id: request.topic_id,
            index: request.index,
            partition,
            target_isr,
            unclean: None,
            min_insync_replicas: self.min_insync_replicas(&topic.name, rules),
            elr_enabled: self.is_elr_enabled(),
            recovered: request.leader_recovery_state == LeaderRecoveryState::Recovered,
            is_alive: &|id| self.is_active(id),
        };
        Ok(change.record().map(MetadataRecord::from))
    }

    fn check_alter_partition(
        &self,
        broker_id: BrokerId,
        request: &AlterPartition,
        partition: &PartitionRegistration,
    ) -> Result<(), ErrorCode> {
        if request.leader_epoch > partition.leader_epoch
            || request.partition_epoch > partition.partition_epoch
        {
            // The asker knows more than this controller: it is not the active one any more.
            return Err(ErrorCode::NotController);
        }
        if request.leader_epoch < partition.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if broker_id != partition.leader {
            return Err(ErrorCode::InvalidRequest);
        }
        if request.partition_epoch < partition.partition_epoch {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        let mut members: Vec<BrokerId> = request.isr.iter().map(|(id, _)| *id).collect();
        members.sort_unstable();
        let is_twice = members.windows(2).any(|pair| pair[0] == pair[1]);
        if is_twice
            || !members.contains(&broker_id)
            || !members.iter().all(|id| partition.replicas.contains(id))
        {
            return Err(ErrorCode::InvalidRequest);
        }
        let recovering = request.leader_recovery_state == LeaderRecoveryState::Recovering;
        let recovered = partition.leader_recovery_state == LeaderRecoveryState::Recovered;
        if recovering && (members.len() > 1 || recovered) {
            return Err(ErrorCode::InvalidRequest);
        }
        // A member that restarted since the leader heard of it may have lost what made it a member (KIP-903).
        let is_eligible = |(id, epoch): &(BrokerId, BrokerEpoch)| {
            self.image.broker(*id).is_some_and(|broker| {
                broker.is_active() && (*epoch == BrokerEpoch(-1) || broker.epoch == *epoch)
            })
        };
        if request.isr.iter().all(is_eligible) { Ok(()) } else { Err(ErrorCode::IneligibleReplica) }
    }

    fn altered(&self, request: &AlterPartition) -> AlteredPartition {
        let partition = self
            .image
            .partition_by_id(request.topic_id, request.index)
            .expect("the partition was there when the change was decided");
        AlteredPartition {
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            isr: partition.isr.clone(),
            leader_recovery_state: partition.leader_recovery_state,
            partition_epoch: partition.partition_epoch,
        }
    }
}
