//! Deadlines of all groups of a shard, in their order: nothing ever looks at every group or member.
//!
//! A session's deadline moves with every heartbeat. Its place in the queue stays where it was; when its time comes
//! it is queued again for the time that holds then, so that a heartbeat costs no more than finding the member.

use protocol::id::Monotonic;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::membership::Group;

/// Whose time came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A member's session, or the time that a member with an id but without a join has.
    Session {
        /// The group.
        group_id: Arc<str>,
        /// The member.
        member_id: Arc<str>,
    },
    /// The time that members have to join.
    Join(Arc<str>),
    /// The time that members have to sync.
    Sync(Arc<str>),
}

/// A place in the queue.
pub(super) type Armed = (Monotonic, u64);

/// A deadline that often moves away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Alarm {
    /// When it really is.
    pub(super) due: Monotonic,
    armed: Option<Armed>,
}

/// All deadlines.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeMap<Armed, Target>,
    next: u64,
}

impl Timers {
    /// The earliest.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.queue.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes out the first whose time has come, of those that were queued before `end`.
    pub(super) fn pop(&mut self, now: Monotonic, end: u64) -> Option<(Armed, Target)> {
        let entry = self.queue.first_entry()?;
        let (due, number) = *entry.key();
        (due <= now && number < end).then(|| entry.remove_entry())
    }

    /// The number of the next place in the queue: what gets its place from now on has it or a later one.
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    /// Queues a deadline.
    pub(super) fn arm(&mut self, due: Monotonic, target: Target) -> Armed {
        let armed = (due, self.next);
        self.next += 1;
        self.queue.insert(armed, target);
        armed
    }

    /// Takes a deadline out.
    pub(super) fn cancel(&mut self, armed: Option<Armed>) {
        if let Some(armed) = armed {
            self.queue.remove(&armed);
        }
    }

    /// Moves an alarm; `target` is asked only when it has to be queued.
    pub(super) fn set(&mut self, alarm: &mut Alarm, due: Monotonic, target: impl FnOnce() -> Target) {
        alarm.due = due;
        if alarm.armed.is_some_and(|(when, _)| when <= due) {
            return;
        }
        self.cancel(alarm.armed);
        alarm.armed = Some(self.arm(due, target()));
    }

    /// An alarm's place came up. Says whether its time has come too; else it is queued again.
    pub(super) fn rang(&mut self, now: Monotonic, alarm: &mut Alarm, armed: Armed, target: Target) -> bool {
        if alarm.armed != Some(armed) {
            return false;
        }
        alarm.armed = None;
        if alarm.due > now {
            alarm.armed = Some(self.arm(alarm.due, target));
            return false;
        }
        true
    }

    /// Takes an alarm out.
    pub(super) fn silence(&mut self, alarm: Alarm) {
        self.cancel(alarm.armed);
    }

    /// Takes all of a group's deadlines out.
    pub(super) fn silence_all(&mut self, group: &mut Group) {
        self.cancel(group.join_timer.take());
        self.cancel(group.sync_timer.take());
        for alarm in group.members.values().map(|member| member.alarm).chain(group.pending.values().copied())
        {
            self.silence(alarm);
        }
    }

    /// How many are queued.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}
