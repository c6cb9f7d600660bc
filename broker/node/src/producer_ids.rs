//! Ids for idempotent producers: this broker gives out blocks that the controller granted (KIP-730).

use std::collections::VecDeque;
use std::sync::Arc;

use machines::controller::{Controller, Decision, ProducerIdBlock};
use protocol::ErrorCode;
use protocol::id::{BrokerEpoch, Monotonic, ProducerId};

use crate::api::{Header, producer_id_reply};
use crate::effects::{Effects, Now, Ticket, TicketKind};
use crate::metadata::{Proposed, Waiting};
use crate::node::Node;
use crate::session::{Session, Slot};

/// Requests that wait for a block at the same time; further ones are told to come back.
const WAITING_MAX: usize = 10_000;

/// What is left of the block, and who waits for the next.
#[derive(Default)]
pub(crate) struct ProducerIds {
    next: i64,
    end: i64,
    /// The next block is asked for.
    asked: bool,
    waiting: VecDeque<(Monotonic, Arc<Session>, Slot, Header)>,
}

impl Node {
    /// The next id, or the requester waits for a block and is answered with it.
    pub(crate) fn next_producer_id(
        &self,
        now: Now,
        (session, slot, header): (&Arc<Session>, Slot, Header),
        effects: &mut Effects,
    ) -> Result<Option<ProducerId>, ErrorCode> {
        let mut ids = self.producer_ids().lock();
        if let Some(id) = ids.take() {
            return Ok(Some(id));
        }
        if ids.waiting.len() >= WAITING_MAX {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let deadline = now.monotonic.plus(self.request_timeout());
        if ids.waiting.is_empty() {
            effects.timers.push((deadline, Ticket(TicketKind::ProducerIds)));
        }
        ids.waiting.push_back((deadline, Arc::clone(session), slot, header));
        let ask = !std::mem::replace(&mut ids.asked, true);
        drop(ids);
        if ask {
            self.ask_for_producer_ids(now, effects);
        }
        Ok(None)
    }

    fn ask_for_producer_ids(&self, now: Now, effects: &mut Effects) {
        let broker = self.config().node_id;
        let decide = |controller: &Controller, _: &machines::quorum::Quorum| {
            let epoch = controller.image().broker(broker).map_or(BrokerEpoch(-1), |own| own.epoch);
            match controller.decide_allocate_producer_ids(broker, epoch) {
                Ok(Decision { records, response }) => Decision { records, response: Some(response) },
                Err(_) => Decision { records: Vec::new(), response: None },
            }
        };
        match self.metadata().decide(now, effects, decide, Waiting::ProducerIds) {
            Ok(Proposed::Waits) => {}
            Ok(Proposed::Done(_)) | Err(_) => self.producer_ids_granted(None, effects),
        }
    }

    /// A block is committed, or none could be had: answers those who wait.
    pub(crate) fn producer_ids_granted(&self, block: Option<ProducerIdBlock>, effects: &mut Effects) {
        let mut ids = self.producer_ids().lock();
        ids.asked = false;
        if let Some(ProducerIdBlock { first, size }) = block {
            (ids.next, ids.end) = (first.0, first.0 + size);
        }
        for (_, session, slot, header) in std::mem::take(&mut ids.waiting) {
            // Those beyond a block of ids ask again: clients retry this code.
            let id = ids.take().ok_or(ErrorCode::CoordinatorLoadInProgress);
            effects.replies.push((session, slot, producer_id_reply(header, id)));
        }
    }

    /// The block does not come: those who have waited long enough are to ask again.
    pub(crate) fn producer_ids_late(&self, now: Now, effects: &mut Effects) {
        let mut ids = self.producer_ids().lock();
        while let Some((deadline, ..)) = ids.waiting.front() {
            if *deadline > now.monotonic {
                effects.timers.push((*deadline, Ticket(TicketKind::ProducerIds)));
                return;
            }
            if let Some((_, session, slot, header)) = ids.waiting.pop_front() {
                let reply = producer_id_reply(header, Err(ErrorCode::CoordinatorLoadInProgress));
                effects.replies.push((session, slot, reply));
            }
        }
    }
}

impl ProducerIds {
    fn take(&mut self) -> Option<ProducerId> {
        let id = (self.next < self.end).then_some(ProducerId(self.next))?;
        self.next += 1;
        Some(id)
    }
}
