//! How a partition changes when brokers come and go: ISR, eligible leader replicas and the leader (KIP-966).
//!
//! A replica that leaves the ISR while that falls below `min.insync.replicas` becomes an eligible leader replica (ELR):
//! nothing is committed any more, so it holds everything that is. A broker that did not stop cleanly may have lost its
//! tail and is in neither. The leader comes from the ISR, else from the ELR; when both are empty, only the last leader
//! can be elected, and it recovers first. Kafka: `PartitionChangeBuilder`.

use crate::image::{LEADER_UNCHANGED, LeaderRecoveryState, PartitionRegistration};
use protocol::id::{BrokerId, PartitionIndex, TopicId};
use protocol::metadata_record::PartitionChangeRecord;

/// What a change starts from.
pub(super) struct PartitionChange<'a> {
    pub(super) topic_id: TopicId,
    pub(super) index: PartitionIndex,
    pub(super) partition: &'a PartitionRegistration,
    /// Who may be in the ISR afterwards.
    pub(super) target_isr: Vec<BrokerId>,
    /// A broker that registered again without having stopped cleanly.
    pub(super) unclean: Option<BrokerId>,
    pub(super) min_insync_replicas: usize,
    pub(super) elr_enabled: bool,
    /// The leader says that it has recovered from an unclean election.
    pub(super) recovered: bool,
    /// Whether a broker may lead.
    pub(super) is_alive: &'a dyn Fn(BrokerId) -> bool,
}

struct Election {
    leader: BrokerId,
    /// Elected without being in sync: it may lack records that were committed.
    recovering: bool,
}

impl PartitionChange<'_> {
    /// The record of the change; `None` when nothing changes.
    pub(super) fn record(mut self) -> Option<PartitionChangeRecord> {
        let partition = self.partition;
        let mut elr = self.target_elr();
        let election = self.elect(&elr);
        if election.leader != BrokerId::NONE && !self.target_isr.contains(&election.leader) {
            self.target_isr = vec![election.leader];
            elr.retain(|id| *id != election.leader);
        }
        let mut record = PartitionChangeRecord {
            topic_id: self.topic_id,
            partition_id: self.index,
            leader: LEADER_UNCHANGED,
            ..PartitionChangeRecord::default()
        };
        if election.leader != partition.leader {
            record.leader = election.leader;
            if election.recovering {
                record.leader_recovery_state = LeaderRecoveryState::Recovering.wire();
            }
        }
        let was_recovering = partition.leader_recovery_state == LeaderRecoveryState::Recovering;
        if self.recovered && was_recovering && record.leader_recovery_state < 0 {
            record.leader_recovery_state = LeaderRecoveryState::Recovered.wire();
        }
        // Without the feature the last member stays, so that somebody can be elected later.
        if self.target_isr != partition.isr && (self.elr_enabled || !self.target_isr.is_empty()) {
            record.isr = Some(self.target_isr);
        }
        if elr != partition.elr {
            record.eligible_leader_replicas = Some(elr);
        }
        let becomes_empty = self.elr_enabled && record.isr.as_ref().is_some_and(Vec::is_empty);
        if becomes_empty
            && partition.leader != BrokerId::NONE
            && partition.last_known_elr != [partition.leader]
        {
            record.last_known_elr = Some(vec![partition.leader]);
        } else if election.leader != BrokerId::NONE && !partition.last_known_elr.is_empty() {
            record.last_known_elr = Some(Vec::new());
        }
        let changes = record.leader != LEADER_UNCHANGED
            || record.leader_recovery_state >= 0
            || record.isr.is_some()
            || record.eligible_leader_replicas.is_some()
            || record.last_known_elr.is_some();
        changes.then_some(record)
    }

    fn target_elr(&self) -> Vec<BrokerId> {
        let partition = self.partition;
        let enough = self.min_insync_replicas.min(partition.replicas.len());
        if !self.elr_enabled || self.target_isr.len() >= enough {
            return Vec::new();
        }
        let mut elr: Vec<BrokerId> = Vec::new();
        for id in partition.elr.iter().chain(&partition.isr) {
            if !self.target_isr.contains(id) && self.unclean != Some(*id) && !elr.contains(id) {
                elr.push(*id);
            }
        }
        elr
    }

    fn elect(&self, elr: &[BrokerId]) -> Election {
        let partition = self.partition;
        let is_valid =
            |id: &BrokerId| (self.target_isr.contains(id) || elr.contains(id)) && (self.is_alive)(*id);
        let clean = |leader| Election { leader, recovering: false };
        if is_valid(&partition.leader) {
            return clean(partition.leader);
        }
        if let Some(id) = partition.replicas.iter().find(|id| is_valid(id)) {
            return clean(*id);
        }
        match partition.last_known_elr.as_slice() {
            [last]
                if self.elr_enabled
                    && elr.is_empty()
                    && self.target_isr.is_empty()
                    && (self.is_alive)(*last) =>
            {
                // A sole replica has nobody to differ from.
                Election { leader: *last, recovering: partition.replicas.len() > 1 }
            }
            _ => clean(BrokerId::NONE),
        }
    }
}
