//! Who waits for an answer of a group, and how the answer is made.

use std::sync::Arc;

use machines::group::DeletedGroup;
use parking_lot::Mutex;
use protocol::message::{OffsetCommitResponse, OffsetDeleteResponse};

use crate::api::{Header, deleted_groups_reply, group_reply};
use crate::effects::Reply;
use crate::room::Seat;
use crate::session::{Session, Slot};

/// A request that a group has not answered.
pub(crate) struct Waiter {
    pub(crate) session: Arc<Session>,
    pub(crate) slot: Slot,
    header: Header,
    form: Form,
    /// Its place among the requests that wait.
    _seat: Seat,
}

/// What the answer has besides what the group says.
pub(crate) enum Form {
    /// Nothing.
    Plain,
    /// Partitions that the group was not asked about have their codes; the others get theirs in order.
    Commit(OffsetCommitResponse),
    /// As `Commit`.
    DeleteOffsets(OffsetDeleteResponse),
    /// Groups that others keep.
    DeleteGroups(Arc<DeletedGroups>),
}

/// The answer to a request to delete groups, as the partitions that keep them give it.
pub(crate) struct DeletedGroups(Mutex<Gathered>);

struct Gathered {
    /// Partitions that have not answered.
    outstanding: usize,
    groups: Vec<DeletedGroup>,
}

impl DeletedGroups {
    /// What is known already, and how many partitions are asked.
    pub(crate) fn new(groups: Vec<DeletedGroup>, outstanding: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Gathered { outstanding, groups })))
    }

    /// One partition answered. Gives all when it was the last.
    pub(crate) fn add(&self, groups: Vec<DeletedGroup>) -> Option<Vec<DeletedGroup>> {
        let mut gathered = self.0.lock();
        gathered.groups.extend(groups);
        gathered.outstanding = gathered.outstanding.saturating_sub(1);
        (gathered.outstanding == 0).then(|| std::mem::take(&mut gathered.groups))
    }
}

impl Waiter {
    pub(crate) fn new(
        (session, slot, header): (&Arc<Session>, Slot, Header),
        form: Form,
        seat: Seat,
    ) -> Self {
        Self { session: Arc::clone(session), slot, header, form, _seat: seat }
    }

    /// The frame that answers it; `None` while others have to answer too.
    pub(super) fn reply(self, answer: machines::group::Reply) -> Option<Reply> {
        match (self.form, answer) {
            (Form::DeleteGroups(gathered), machines::group::Reply::DeleteGroups(groups)) => {
                gathered.add(groups).map(|groups| deleted_groups_reply(self.header, groups))
            }
            (form, answer) => Some(group_reply(self.header, form, answer)),
        }
    }
}
