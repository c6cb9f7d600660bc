//! The end of a turn, when every lock is released: waiters that were collected run, replies are delivered, and
//! each connection that got one is woken once.

use std::sync::Arc;

use protocol::ErrorCode;

use crate::effects::{Effects, JobResult, Now, Ticket, TicketKind};
use crate::metadata::waiting::Outcome;
use crate::node::Node;
use crate::session::Session;

impl Node {
    /// Runs what the turn collected, until nothing is left to run.
    pub(crate) fn settle(&self, now: Now, effects: &mut Effects) {
        let mut answered: Vec<Arc<Session>> = Vec::new();
        loop {
            while std::mem::take(&mut effects.metadata_committed) {
                self.apply_metadata(now, effects);
            }
            for waiting in std::mem::take(&mut effects.metadata_lost) {
                self.lost(now, waiting, effects);
            }
            self.judge_failures(effects);
            for partition in std::mem::take(&mut effects.dirty) {
                self.note_dirty(partition);
            }
            for partition in std::mem::take(&mut effects.urgent) {
                self.note_urgent(partition, effects);
            }
            for partition in std::mem::take(&mut effects.coordinated) {
                self.follow_groups(now, &partition, effects);
            }
            for (parked, place, result) in std::mem::take(&mut effects.produces) {
                if let Some(reply) = parked.fulfil(place, result) {
                    let (session, slot) = parked.session();
                    effects.replies.push((Arc::clone(session), slot, reply));
                }
            }
            for fetch in std::mem::take(&mut effects.fetches) {
                if let Some(reply) = fetch.run(self, now, effects) {
                    effects.replies.push((Arc::clone(&fetch.session), fetch.slot, reply));
                }
            }
            if effects.replies.is_empty() && !effects.is_unsettled() {
                break;
            }
            for (session, slot, reply) in std::mem::take(&mut effects.replies) {
                let ready = session.complete([(slot, reply)]);
                if ready && !answered.iter().any(|known| Arc::ptr_eq(known, &session)) {
                    answered.push(session);
                }
            }
        }
        answered.iter().for_each(|session| session.wake());
    }

    /// A timer fired.
    pub fn timer(&self, now: Now, ticket: &Ticket, effects: &mut Effects) {
        match &ticket.0 {
            TicketKind::Fetch(fetch) => effects.fetches.extend(fetch.upgrade()),
            TicketKind::Produce(produce) => {
                let expired =
                    produce.upgrade().and_then(|parked| parked.expire().map(|reply| (parked, reply)));
                if let Some((parked, reply)) = expired {
                    let (session, slot) = parked.session();
                    effects.replies.push((Arc::clone(session), slot, reply));
                }
            }
            TicketKind::Deletion(parked) => {
                effects
                    .replies
                    .extend(parked.upgrade().and_then(|parked| parked.finish(ErrorCode::RequestTimedOut)));
            }
            TicketKind::Decision(parked) => {
                if let Some(parked) = parked.upgrade() {
                    self.answer(now, &parked, Outcome::Late, effects);
                }
            }
            TicketKind::ProducerIds => self.producer_ids_late(now, effects),
            TicketKind::Remove(removal) => self.remove(removal, effects),
            TicketKind::Flush(partition) => {
                if let Some(partition) = partition.upgrade() {
                    partition.flush_time_over(effects);
                }
            }
            TicketKind::Groups(partition) => {
                if let Some(partition) = partition.upgrade() {
                    self.groups_due(now, &partition, effects);
                }
            }
            TicketKind::Chore(chore) => self.chore(now, *chore, effects),
            TicketKind::QuorumDeadline => self.metadata().deadline(now, effects),
            TicketKind::MetadataStalled => self.metadata().write_stalled(effects),
            TicketKind::Warmed(_) | TicketKind::Metadata | TicketKind::SyncRound | TicketKind::Nobody => {}
        }
        self.settle(now, effects);
    }

    /// A job was done.
    pub fn job_done(&self, now: Now, ticket: Ticket, result: JobResult, effects: &mut Effects) {
        match (ticket.0, result) {
            (TicketKind::Warmed(fetch), JobResult::Warmed { unreadable }) => {
                fetch.warmed(unreadable);
                effects.fetches.push(fetch);
            }
            (_, JobResult::Removed(Err(error))) => effects.failures.push(error),
            (TicketKind::SyncRound, JobResult::Synced(round)) => self.synced(now, round, effects),
            (_, JobResult::MetadataPersisted(result)) => self.metadata_persisted(now, *result, effects),
            (_, JobResult::Recovered(recovery)) => self.recovered(now, *recovery, effects),
            (_, JobResult::Retained(round)) => self.retained(now, round, effects),
            (_, JobResult::SpaceMeasured(check)) => self.space_measured(&check, effects),
            (_, JobResult::GroupsLoaded(load)) => self.groups_loaded(now, *load, effects),
            (_, JobResult::LagMeasured(round)) => self.lag_measured(*round),
            (_, JobResult::LookedUp(parked)) => effects.replies.push(parked.into_reply()),
            _ => {}
        }
        self.settle(now, effects);
    }

    /// A connection ended: what it waits for is answered to nobody.
    pub fn disconnect(&self, now: Now, session: &Arc<Session>, effects: &mut Effects) {
        session.close();
        effects.fetches.extend(session.unpark());
        self.settle(now, effects);
    }
}
