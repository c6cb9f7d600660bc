//! Steps of the quorum, and what they ask for.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use machines::controller::{Controller, Decision};
use machines::quorum::{BATCH_BYTES_MAX, Effect, Event, ProposalFate, Quorum, RaftId, Role, Status, batch};
use protocol::ErrorCode;
use protocol::id::{BrokerId, Timestamp};

use super::persist::PersistMetadata;
use super::{DECISIONS_MAX, Metadata, State, Waiting};
use crate::effects::{Effects, Job, Now, Ticket, TicketKind};

/// How a decision left.
pub(crate) enum Proposed {
    /// It waits for its commit.
    Waits,
    /// It changed nothing, and nothing before it waits: go on at once.
    Done(Waiting),
}

impl Metadata {
    /// Decides on the controller's image and proposes the records. `waiting` is made of the decision's response.
    ///
    /// # Errors
    /// `NOT_CONTROLLER` where this broker is not the active controller, `THROTTLING_QUOTA_EXCEEDED` when too much
    /// waits already, `POLICY_VIOLATION` when the records do not fit one batch. Then nothing was decided.
    pub(crate) fn decide<R>(
        &self,
        now: Now,
        effects: &mut Effects,
        decide: impl FnOnce(&Controller, &Quorum) -> Decision<R>,
        waiting: impl FnOnce(R) -> Waiting,
    ) -> Result<Proposed, ErrorCode> {
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.appended.len() >= DECISIONS_MAX {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        }
        let controller = state.controller.as_ref().ok_or(ErrorCode::NotController)?;
        let Decision { records, response } = decide(controller, &state.quorum);
        if records.is_empty() {
            return Ok(state.after_the_others(waiting(response)));
        }
        let Ok(batch) = batch::encode_records(&records, now.wall) else {
            return Err(ErrorCode::InvalidRequest);
        };
        if batch.len() > BATCH_BYTES_MAX {
            return Err(ErrorCode::PolicyViolation);
        }
        // The controller takes over what is in the log, and nothing else: what is dropped was never decided.
        let proposed = self.propose(state, now, batch, effects);
        let ProposalFate::Appended { index, .. } = proposed else {
            return Err(ErrorCode::ThrottlingQuotaExceeded);
        };
        if let Some(controller) = &mut state.controller {
            for record in &records {
                controller.replay(record).expect("a decision fits the image on which it was made");
            }
        }
        state.appended.entry(index).or_default().push(waiting(response));
        Ok(Proposed::Waits)
    }

    fn propose(&self, state: &mut State, now: Now, batch: Bytes, effects: &mut Effects) -> ProposalFate {
        // One proposal is under way at a time, and its fate is known at the end of the step: no name is needed.
        self.step(state, now, Event::Propose { batch, cookie: 0 }, effects);
        state.fate.take().unwrap_or(ProposalFate::Dropped)
    }

    /// The quorum's timer fired.
    pub(crate) fn deadline(&self, now: Now, effects: &mut Effects) {
        let mut state = self.state.lock();
        state.timer = None;
        self.step(&mut state, now, Event::Timer, effects);
    }

    /// Something is on stable storage.
    pub(crate) fn event(&self, now: Now, event: Event, effects: &mut Effects) {
        self.is_end_unnoted.store(true, Ordering::Release);
        self.step(&mut self.state.lock(), now, event, effects);
    }

    fn step(&self, state: &mut State, now: Now, event: Event, effects: &mut Effects) {
        let mut asked = Vec::new();
        state.quorum.step(now.monotonic, event, &mut asked);
        for effect in asked {
            self.carry_out(state, now.wall, effect, effects);
        }
        let deadline = state.quorum.next_deadline();
        if let Some(deadline) = deadline
            && state.timer.is_none_or(|set| deadline < set)
        {
            state.timer = Some(deadline);
            effects.timers.push((deadline, Ticket(TicketKind::QuorumDeadline)));
        }
    }

    fn carry_out(&self, state: &mut State, wall: Timestamp, effect: Effect, effects: &mut Effects) {
        match effect {
            Effect::Persist { ticket, hard_state, snapshot: _, truncate_from, entries } => {
                let truncate_to = truncate_from.map(|(_, offset)| offset);
                let batches: Vec<u8> =
                    entries.iter().flat_map(|entry| batch::to_batch(entry).to_vec()).collect();
                let work =
                    PersistMetadata::entries(&self.journal, wall, ticket, hard_state, truncate_to, batches);
                effects.jobs.push((Ticket(TicketKind::Metadata), Job::PersistMetadata(Box::new(work))));
            }
            Effect::Committed(entries) => {
                state.committed.extend(entries);
                effects.metadata_committed = true;
            }
            Effect::ProposalFate { fate, .. } => state.fate = Some(fate),
            Effect::Became(role) => {
                let leader = match role {
                    Role::Leader { .. } => self.broker_id,
                    Role::Follower { leader, .. } => leader.map_or(BrokerId::NONE, RaftId::broker),
                };
                self.controller_id.store(leader.0, Ordering::Relaxed);
                state.became(role, effects);
            }
            Effect::NeedSnapshot => state.snapshot_wanted = true,
            // One voter has no peers: nobody to send to, and no reads are asked of it.
            Effect::Send(_)
            | Effect::ReadReady { .. }
            | Effect::ReadFailed { .. }
            | Effect::Refused { .. } => {}
        }
    }
}

impl State {
    /// A decision without records is answered after those that it may have seen.
    fn after_the_others(&mut self, waiting: Waiting) -> Proposed {
        match self.appended.values_mut().next_back() {
            Some(others) => {
                others.push(waiting);
                Proposed::Waits
            }
            None => Proposed::Done(waiting),
        }
    }

    /// A new term, or another leader in it: of what was decided in the one before nobody knows what becomes of it,
    /// and the image with it in is void.
    fn became(&mut self, role: Role, effects: &mut Effects) {
        self.role = role;
        self.controller = None;
        self.lifecycle_pending = false;
        effects.metadata_lost.extend(std::mem::take(&mut self.appended).into_values().flatten());
    }
}

impl Metadata {
    /// How this broker's replica of the quorum stands.
    pub(crate) fn status(&self) -> Status {
        self.state.lock().quorum.status()
    }

    /// The active controller, or nobody while there is none.
    pub(crate) fn controller_id(&self) -> BrokerId {
        BrokerId(self.controller_id.load(Ordering::Relaxed))
    }
}
