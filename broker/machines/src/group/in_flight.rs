//! What happens when a batch is committed, is refused, or takes too long.

use protocol::ErrorCode;
use std::sync::Arc;

use super::GroupShard;
use super::membership::Group;
use super::reply::{BatchId, GroupState, JoinReply, Outcome, Reply, TopicCodes};
use super::request::Moment;
use super::turn::{Then, Turn};

/// What a client is told when a record could not be written (Kafka: `handleOperationException`).
fn translate(error_code: ErrorCode) -> ErrorCode {
    match error_code {
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::RequestTimedOut => ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}

impl Reply {
    /// The same answer when what it speaks of could not be written.
    pub(super) fn fail(&mut self, error_code: ErrorCode) {
        match self {
            Self::Join(reply) => reply.error_code = error_code,
            Self::Sync(reply) => reply.error_code = error_code,
            Self::Leave(reply) => {
                reply.error_code = error_code;
                reply.members.clear();
            }
            Self::OffsetCommit(reply) => TopicCodes::fail_all(&mut reply.topics, error_code),
            Self::OffsetDelete(reply) => {
                reply.error_code = error_code;
                reply.topics.clear();
            }
            Self::DeleteGroups(groups) => {
                for group in groups.iter_mut().filter(|group| group.error_code == ErrorCode::None) {
                    group.error_code = error_code;
                }
            }
        }
    }
}

impl GroupShard {
    /// This batch, and every one before it, is committed: what it says is stored, and who waited for it is answered.
    pub fn committed(&mut self, at: Moment, batch: BatchId, out: &mut Outcome) {
        while self.shared.in_flight.front().is_some_and(|first| first.id <= batch) {
            let Some(first) = self.shared.in_flight.pop_front() else { return };
            for change in &first.changes {
                self.shared.durable.apply(change);
            }
            match first.then {
                Then::Nothing | Then::Part(_) | Then::Created { .. } => {}
                Then::Assigned(assigned) => {
                    let of = (Arc::clone(&assigned.group_id), assigned.incarnation);
                    self.with(at, &of, out, |turn, group| turn.assigned(group, assigned));
                }
                Then::Replaced(replaced) => {
                    let of = (Arc::clone(&replaced.group_id), replaced.incarnation);
                    self.with(at, &of, out, |turn, group| turn.replaced(group, &replaced));
                }
                Then::Answer(caller, mut reply) => {
                    if let Some(error_code) = first.part_failed {
                        reply.fail(error_code);
                    }
                    out.replies.push((caller, reply));
                }
            }
        }
    }

    /// This batch will never be in the log: who waited for it is told, and memory goes back to what is stored.
    pub fn failed(&mut self, at: Moment, batch: BatchId, error: ErrorCode, out: &mut Outcome) {
        let position = self.shared.in_flight.iter().position(|in_flight| in_flight.id == batch);
        let Some(failed) = position.and_then(|position| self.shared.in_flight.remove(position)) else {
            return;
        };
        let error_code = translate(error);
        match failed.then {
            Then::Nothing => {}
            Then::Part(last) => {
                let mut batches = self.shared.in_flight.iter_mut();
                if let Some(last) = batches.find(|in_flight| in_flight.id == last) {
                    last.part_failed = Some(error_code);
                    let deleted = std::mem::take(&mut last.deleted);
                    self.restore(deleted);
                }
            }
            Then::Created { group_id, incarnation } => {
                self.with(at, &(group_id, incarnation), out, |turn, group| {
                    turn.not_created(group, error_code)
                });
            }
            Then::Assigned(assigned) => {
                let of = (Arc::clone(&assigned.group_id), assigned.incarnation);
                self.with(at, &of, out, |turn, group| turn.not_assigned(group, &assigned, error_code));
            }
            Then::Replaced(replaced) => {
                let of = (Arc::clone(&replaced.group_id), replaced.incarnation);
                self.with(at, &of, out, |turn, group| turn.not_replaced(group, &replaced, error_code));
            }
            Then::Answer(caller, mut reply) => {
                reply.fail(error_code);
                out.replies.push((caller, reply));
            }
        }
        self.restore(failed.deleted);
        for change in &failed.changes {
            self.drop_if_void(change.group_id());
        }
    }

    /// Who waits for this batch waits no longer: it takes too long, as Kafka's `offsets.commit.timeout.ms` says. It
    /// stays in flight and may still be committed.
    pub fn timed_out(&mut self, at: Moment, batch: BatchId, out: &mut Outcome) {
        let mut batches = self.shared.in_flight.iter_mut();
        let Some(late) = batches.find(|in_flight| in_flight.id == batch) else { return };
        let error_code = translate(ErrorCode::RequestTimedOut);
        match std::mem::replace(&mut late.then, Then::Nothing) {
            Then::Nothing => {}
            // Nobody waits for these alone.
            then @ (Then::Part(_) | Then::Created { .. }) => late.then = then,
            Then::Assigned(assigned) => {
                let of = (Arc::clone(&assigned.group_id), assigned.incarnation);
                self.with(at, &of, out, |turn, group| turn.not_assigned(group, &assigned, error_code));
            }
            Then::Replaced(replaced) => {
                // The new id stays: the record that has it may be in the log.
                let of = (Arc::clone(&replaced.group_id), replaced.incarnation);
                self.with(at, &of, out, |turn, group| {
                    let member = group.members.get(&replaced.new_id);
                    if member.is_some_and(|member| member.joining == Some(replaced.caller)) {
                        let caller = group.set_joining(&replaced.new_id, None);
                        turn.reply_join(caller, JoinReply::error(error_code, ""));
                    }
                });
            }
            Then::Answer(caller, mut reply) => {
                reply.fail(error_code);
                out.replies.push((caller, reply));
            }
        }
    }

    /// Runs something on a group, unless it is gone or another one of its id is there.
    fn with(
        &mut self,
        at: Moment,
        (group_id, incarnation): &(Arc<str>, u64),
        out: &mut Outcome,
        run: impl FnOnce(&mut Turn<'_>, &mut Group),
    ) {
        let group = self.groups.get_mut(group_id).filter(|group| group.incarnation == *incarnation);
        if let Some(group) = group {
            run(&mut Turn { at, shared: &mut self.shared, out }, group);
        }
    }

    /// Groups that could not be deleted, or not wholly, are there again, unless others were made meanwhile.
    fn restore(&mut self, deleted: Vec<Group>) {
        for group in deleted {
            if !self.groups.contains_key(&group.id) {
                self.shared.tally.add_group(&group);
                self.groups.insert(Arc::clone(&group.id), group);
            }
        }
    }

    /// Forgets a group of which nothing is stored or being written, and of which nobody is a member.
    pub(super) fn drop_if_void(&mut self, group_id: &Arc<str>) {
        let Some(group) = self.groups.get(group_id) else { return };
        let is_void = group.is(GroupState::Empty)
            && group.pending.is_empty()
            && self.shared.durable.group(group_id).is_none()
            && self.shared.changes_in_flight(group_id).next().is_none();
        if is_void {
            let _ = self.forget(group_id);
        }
    }
}

impl Turn<'_> {
    /// A group's first record could not be written: who joins is sent away, and the group is void.
    fn not_created(&mut self, group: &mut Group, error_code: ErrorCode) {
        let member_ids: Vec<Arc<str>> = group.members.keys().chain(group.pending.keys()).cloned().collect();
        for member_id in member_ids {
            self.remove_member(group, &member_id, error_code);
            self.remove_pending(group, &member_id);
        }
        match group.state {
            GroupState::Empty | GroupState::Dead => {}
            GroupState::PreparingRebalance => {
                self.shared.timers.cancel(group.join_timer.take());
                self.transition(group, GroupState::Empty);
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                let _ = self.prepare_rebalance(group, Then::Nothing);
            }
        }
    }
}
