//! OffsetCommit, OffsetFetch and OffsetDelete (Kafka's `OffsetMetadataManager`).

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex, Timestamp, Uuid};
use std::collections::BTreeSet;
use std::sync::Arc;

use super::GroupShard;
use super::membership::Group;
use super::record::{Change, CommittedOffset};
use super::reply::{
    FetchedOffset, FetchedTopic, GroupState, OffsetCommitReply, OffsetDeleteReply, Outcome, Reply, TopicCodes,
};
use super::request::{Caller, CommitPartition, FetchTopic, Moment, OffsetCommitRequest, OffsetDeleteRequest};
use super::turn::{Then, Turn};

impl GroupShard {
    /// OffsetCommit: answered when its records are committed, at once when there are none.
    pub fn commit_offsets(
        &mut self,
        at: Moment,
        caller: Caller,
        request: OffsetCommitRequest,
        out: &mut Outcome,
    ) {
        let is_new = !self.groups.contains_key(&*request.group_id);
        let checked = self.check_serving().and_then(|()| self.check_commit(at, &request));
        let mut topics = Vec::with_capacity(request.topics.len());
        let mut changes = Vec::new();
        let group_id: Arc<str> = Arc::from(&*request.group_id);
        let mut room = self.offsets_room(&group_id);
        for topic in &request.topics {
            let name: Arc<str> = Arc::from(&*topic.name);
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let checked =
                    checked.and_then(|()| self.check_partition(&group_id, &name, partition, &mut room));
                partitions.push((partition.index, checked.err().unwrap_or(ErrorCode::None)));
                if checked.is_ok() {
                    let offset =
                        CommittedOffset::new(partition, topic.topic_id, at.wall, request.retention_time_ms);
                    changes.push(Change::Offset {
                        group_id: Arc::clone(&group_id),
                        topic: Arc::clone(&name),
                        partition: partition.index,
                        offset: Some(Arc::new(offset)),
                    });
                }
            }
            topics.push(TopicCodes { name: topic.name.clone(), topic_id: topic.topic_id, partitions });
        }
        let reply = Reply::OffsetCommit(OffsetCommitReply { topics });
        let mut turn = Turn { at, shared: &mut self.shared, out };
        if changes.is_empty() {
            turn.reply(caller, reply);
            if is_new {
                self.drop_if_void(&group_id);
            }
            return;
        }
        turn.shared.tally.offset_commits += u64::try_from(changes.len()).unwrap_or(0);
        turn.append(changes, Then::Answer(caller, reply));
    }

    /// Whether a group takes this commit; makes the group of a consumer that is no member.
    fn check_commit(&mut self, at: Moment, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        if self.shared.is_full() {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if !self.groups.contains_key(&*request.group_id) {
            if request.generation_id >= 0 {
                let is_new = request.reports_missing_group;
                return Err(if is_new { ErrorCode::GroupIdNotFound } else { ErrorCode::IllegalGeneration });
            }
            if self.groups.len() >= self.shared.settings.groups_max {
                return Err(ErrorCode::CoordinatorNotAvailable);
            }
            self.create(Arc::from(&*request.group_id), at);
        }
        let Some(group) = self.groups.get_mut(&*request.group_id) else { return Ok(()) };
        group.check_commit(request)?;
        if matches!(group.state, GroupState::Stable | GroupState::PreparingRebalance) {
            // A commit keeps the session alive as a heartbeat does.
            let mut nothing = Outcome::default();
            let mut turn = Turn { at, shared: &mut self.shared, out: &mut nothing };
            turn.extend_session(group, &request.member_id);
        }
        Ok(())
    }

    /// For how many more partitions a group may have offsets.
    fn offsets_room(&self, group_id: &str) -> usize {
        let count = self.shared.durable.group(group_id).map_or(0, |group| group.offsets_count());
        self.shared.settings.offsets_per_group_max.saturating_sub(count)
    }

    fn check_partition(
        &self,
        group_id: &str,
        topic: &str,
        partition: &CommitPartition,
        room: &mut usize,
    ) -> Result<(), ErrorCode> {
        let metadata = partition.metadata.as_deref().unwrap_or_default();
        let max = self.shared.settings.offset_metadata_max_bytes;
        // Kafka counts Java's characters, of which there are never more than bytes.
        if metadata.len() > max && metadata.encode_utf16().count() > max {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        if self.shared.durable.offset(group_id, topic, partition.index).is_none() {
            *room = room.checked_sub(1).ok_or(ErrorCode::InvalidCommitOffsetSize)?;
        }
        Ok(())
    }

    /// OffsetFetch of named partitions. Only what is committed is given; a group that does not exist has no offsets.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS`, `NOT_COORDINATOR`.
    pub fn fetch_offsets(
        &self,
        group_id: &str,
        topics: &[FetchTopic<'_>],
    ) -> Result<Vec<FetchedTopic>, ErrorCode> {
        self.check_serving()?;
        let fetched = |topic: &FetchTopic<'_>, index: PartitionIndex| {
            let offset = self.shared.durable.offset(group_id, topic.name, index);
            let is_other = |id: Uuid| !id.is_zero() && !topic.topic_id.is_zero() && id != topic.topic_id;
            fetched(index, offset.filter(|offset| !is_other(offset.topic_id)))
        };
        let topic = |topic: &FetchTopic<'_>| FetchedTopic {
            name: topic.name.to_owned(),
            partitions: topic.partitions.iter().map(|index| fetched(topic, *index)).collect(),
        };
        Ok(topics.iter().map(topic).collect())
    }

    /// OffsetFetch of everything that a group has committed, topics by name.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS`, `NOT_COORDINATOR`.
    pub fn fetch_all_offsets(&self, group_id: &str) -> Result<Vec<FetchedTopic>, ErrorCode> {
        self.check_serving()?;
        let Some(group) = self.shared.durable.group(group_id) else { return Ok(Vec::new()) };
        let topics = group.offsets.iter().map(|(topic, partitions)| FetchedTopic {
            name: topic.as_ref().to_owned(),
            partitions: partitions.iter().map(|(index, offset)| fetched(*index, Some(offset))).collect(),
        });
        Ok(topics.collect())
    }

    /// OffsetDelete (KIP-496): answered when the tombstones are committed, at once when there are none.
    pub fn delete_offsets(
        &mut self,
        at: Moment,
        caller: Caller,
        request: OffsetDeleteRequest,
        out: &mut Outcome,
    ) {
        let checked = self.check_serving().and_then(|()| self.check_delete(&request.group_id));
        let group = match checked {
            Ok(group) => group,
            Err(error_code) => {
                let reply = OffsetDeleteReply { error_code, topics: Vec::new() };
                return out.replies.push((caller, Reply::OffsetDelete(reply)));
            }
        };
        let existing = self.offsets_written(&group.id);
        let mut changes = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for (name, partitions) in request.topics {
            let is_used = group.is_subscribed(&name);
            let code = if is_used { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None };
            let topic: Arc<str> = Arc::from(&*name);
            let found = |index: &&PartitionIndex| existing.contains(&(Arc::clone(&topic), **index));
            let tombstone = |index: &PartitionIndex| tombstone(&group.id, &topic, *index);
            if !is_used {
                changes.extend(partitions.iter().filter(found).map(tombstone));
            }
            let partitions = partitions.iter().map(|index| (*index, code)).collect();
            topics.push(TopicCodes { name, topic_id: Uuid::ZERO, partitions });
        }
        let reply = Reply::OffsetDelete(OffsetDeleteReply { error_code: ErrorCode::None, topics });
        let mut turn = Turn { at, shared: &mut self.shared, out };
        if changes.is_empty() {
            turn.reply(caller, reply);
        } else {
            turn.append(changes, Then::Answer(caller, reply));
        }
    }

    fn check_delete(&self, group_id: &str) -> Result<&Group, ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        if self.shared.is_full() {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if !group.is(GroupState::Empty) && !group.uses_consumer_protocol() {
            return Err(ErrorCode::NonEmptyGroup);
        }
        Ok(group)
    }

    /// Partitions of which a group has an offset, or will have one when what is being written is committed.
    pub(super) fn offsets_written(&self, group_id: &str) -> BTreeSet<(Arc<str>, PartitionIndex)> {
        let mut written = BTreeSet::new();
        for (topic, partitions) in self.shared.durable.group(group_id).into_iter().flat_map(|g| &g.offsets) {
            written.extend(partitions.keys().map(|index| (Arc::clone(topic), *index)));
        }
        for change in self.shared.changes_in_flight(group_id) {
            if let Change::Offset { topic, partition, offset, .. } = change {
                let key = (Arc::clone(topic), *partition);
                if offset.is_some() {
                    written.insert(key)
                } else {
                    written.remove(&key)
                };
            }
        }
        written
    }

    /// Shows each committed offset: group, topic, partition, offset, time of the commit.
    pub fn for_each_offset(&self, visit: &mut dyn FnMut(&str, &str, PartitionIndex, Offset, Timestamp)) {
        self.shared.durable.for_each_offset(visit);
    }
}

impl Group {
    /// Whether the group takes a commit (Kafka: `ClassicGroup.validateOffsetCommit`).
    fn check_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        if request.generation_id < 0 && self.is(GroupState::Empty) {
            // A consumer that is no member, or an administrator.
            return Ok(());
        }
        if request.generation_id < 0 && request.member_id.is_empty() && request.group_instance_id.is_none() {
            // The same, but there are members.
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if self.is(GroupState::CompletingRebalance) {
            // It has joined this generation and may not commit before it knows what it has.
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }
}

/// The record that deletes an offset.
pub(super) fn tombstone(group_id: &Arc<str>, topic: &Arc<str>, partition: PartitionIndex) -> Change {
    Change::Offset { group_id: Arc::clone(group_id), topic: Arc::clone(topic), partition, offset: None }
}

fn fetched(index: PartitionIndex, offset: Option<&CommittedOffset>) -> FetchedOffset {
    FetchedOffset {
        index,
        offset: offset.map_or(Offset::UNKNOWN, |offset| offset.offset),
        leader_epoch: offset.map_or(LeaderEpoch::UNKNOWN, |offset| offset.leader_epoch),
        metadata: offset.map_or_else(String::new, |offset| offset.metadata.as_ref().to_owned()),
    }
}
