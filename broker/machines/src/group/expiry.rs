//! The end of offsets and groups: retention, deleted topics, DeleteGroups.

use protocol::ErrorCode;
use protocol::id::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::GroupShard;
use super::durable::StoredGroup;
use super::membership::Group;
use super::offsets::tombstone;
use super::record::{Change, CommittedOffset};
use super::reply::{DeletedGroup, GroupState, Outcome, Reply};
use super::request::{Caller, Moment};
use super::settings::EXPIRED_PER_CALL_MAX;
use super::turn::{Then, Turn};

impl GroupShard {
    /// Decides on the end of offsets that are past retention, and of groups that are empty and have none left; to be
    /// called every `offsets.retention.check.interval.ms`. At most [`EXPIRED_PER_CALL_MAX`] records a call: `true`
    /// says that there is more, for another call when these are committed. Groups of which something is being written
    /// have their turn the next time.
    pub fn expire_offsets(&mut self, at: Moment, out: &mut Outcome) -> bool {
        if self.check_serving().is_err() || self.shared.is_full() {
            return false;
        }
        let in_flight = self.shared.in_flight.iter().flat_map(|batch| &batch.changes);
        let busy: BTreeSet<Arc<str>> = in_flight.map(|change| Arc::clone(change.group_id())).collect();
        let mut changes = Vec::new();
        let mut ended = Vec::new();
        let mut has_more = false;
        for group in self.groups.values().filter(|group| !busy.contains(&group.id)) {
            if changes.len() >= EXPIRED_PER_CALL_MAX {
                has_more = true;
                break;
            }
            let before = changes.len();
            let stored = self.shared.durable.group(&group.id);
            let left = group.expired(stored, at.wall, self.retention_ms(), &mut changes);
            let expired = changes.len() - before;
            self.shared.tally.offset_expirations += u64::try_from(expired).unwrap_or(0);
            if left == 0 && group.is(GroupState::Empty) && group.pending.is_empty() {
                if stored.is_some_and(|stored| stored.metadata.is_some()) {
                    changes.push(Change::Group { group_id: Arc::clone(&group.id), metadata: None });
                }
                ended.push(Arc::clone(&group.id));
            }
        }
        let ended: Vec<Group> = ended.iter().filter_map(|group_id| self.forget(group_id)).collect();
        let mut turn = Turn { at, shared: &mut self.shared, out };
        turn.append_tombstones(changes, Then::Nothing, ended);
        has_more
    }

    /// Decides on the end of all offsets of topics that are deleted.
    pub fn topics_deleted(&mut self, at: Moment, topics: &[&str], out: &mut Outcome) {
        if self.check_serving().is_err() {
            return;
        }
        let mut changes = Vec::new();
        for (group_id, stored) in self.shared.durable.groups() {
            for (topic, partitions) in topics.iter().filter_map(|topic| stored.offsets.get_key_value(*topic))
            {
                changes.extend(partitions.keys().map(|index| tombstone(group_id, topic, *index)));
            }
        }
        for change in self.shared.in_flight.iter().flat_map(|batch| &batch.changes) {
            if let Change::Offset { group_id, topic, partition, offset: Some(_) } = change
                && topics.contains(&&**topic)
                && self.shared.durable.offset(group_id, topic, *partition).is_none()
            {
                changes.push(tombstone(group_id, topic, *partition));
            }
        }
        let mut turn = Turn { at, shared: &mut self.shared, out };
        turn.append_tombstones(changes, Then::Nothing, Vec::new());
    }

    /// DeleteGroups, of the ids that belong to this shard: answered when all tombstones are committed.
    pub fn delete_groups(&mut self, at: Moment, caller: Caller, group_ids: Vec<String>, out: &mut Outcome) {
        let mut changes = Vec::new();
        let mut deleted = Vec::with_capacity(group_ids.len());
        let mut gone = Vec::new();
        for group_id in group_ids {
            let result = self.check_serving().and_then(|()| self.check_delete_group(&group_id));
            if let Ok(group_id) = &result {
                let offsets = self.offsets_written(group_id).into_iter();
                changes.extend(offsets.map(|(topic, index)| tombstone(group_id, &topic, index)));
                changes.push(Change::Group { group_id: Arc::clone(group_id), metadata: None });
                gone.extend(self.forget(group_id));
            }
            deleted.push(DeletedGroup { group_id, error_code: result.err().unwrap_or(ErrorCode::None) });
        }
        let mut turn = Turn { at, shared: &mut self.shared, out };
        let reply = Reply::DeleteGroups(deleted);
        if changes.is_empty() {
            turn.reply(caller, reply);
        } else {
            turn.append_tombstones(changes, Then::Answer(caller, reply), gone);
        }
    }

    fn check_delete_group(&self, group_id: &str) -> Result<Arc<str>, ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        if self.shared.is_full() {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if !group.is(GroupState::Empty) {
            return Err(ErrorCode::NonEmptyGroup);
        }
        Ok(Arc::clone(&group.id))
    }

    fn retention_ms(&self) -> i64 {
        i64::try_from(self.shared.settings.offsets_retention.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Group {
    /// Adds tombstones of what is past retention; gives how many offsets stay (Kafka:
    /// `ClassicGroup.offsetExpirationCondition`).
    fn expired(
        &self,
        stored: Option<&StoredGroup>,
        now: Timestamp,
        retention_ms: i64,
        changes: &mut Vec<Change>,
    ) -> usize {
        let Some(stored) = stored else { return 0 };
        // From when on the retention counts: since the last member went, or since the commit where there never was a
        // member or the members do not read the topic.
        let since: Box<dyn Fn(&CommittedOffset) -> Timestamp> = match (&self.protocol_type, self.state) {
            (None, _) => Box::new(|offset| offset.commit_timestamp),
            (Some(_), GroupState::Empty) => {
                let since = self.state_since;
                Box::new(move |offset| since.unwrap_or(offset.commit_timestamp))
            }
            (Some(_), GroupState::Stable) if self.uses_consumer_protocol() && self.subscribed.is_some() => {
                Box::new(|offset| offset.commit_timestamp)
            }
            _ => return stored.offsets_count(),
        };
        let is_over = |offset: &CommittedOffset| match offset.expire_timestamp {
            Some(end) => now >= end,
            None => now.0.saturating_sub(since(offset).0) >= retention_ms,
        };
        let mut left = stored.offsets_count();
        for (topic, partitions) in stored.offsets.iter().filter(|(topic, _)| !self.is_subscribed(topic)) {
            for (index, _) in partitions.iter().filter(|(_, offset)| is_over(offset)) {
                changes.push(tombstone(&self.id, topic, *index));
                left -= 1;
            }
        }
        left
    }
}
