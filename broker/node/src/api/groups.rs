//! What the handlers of groups share: the way to a group's coordinator, and from its answer to a frame.

use std::net::IpAddr;
use std::sync::Arc;

use machines::group::{Caller, GroupShard, Moment, Outcome, Reply as Answer};
use protocol::ErrorCode;
use protocol::header::RequestHeaderRef;
use protocol::wire::Reader;

use super::{
    Call, Handled, Header, delete_groups, encode_reply, join_group, leave_group, offset_commit,
    offset_delete, sync_group,
};
use crate::coordinator::{Form, Scene, Waiter};
use crate::effects::Reply;
use crate::partition::Partition;

/// What is allowed on a group while no authorizer is configured: a bit for each of Kafka's `AclOperation` codes
/// that apply (read, delete, describe, describe and alter configs: 3, 6, 8, 10, 11).
pub(super) const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

impl Call<'_> {
    /// Puts a request to the coordinator of a group, which answers now or later.
    ///
    /// # Errors
    /// The code to answer with when it could not be put.
    pub(super) fn ask_group(
        &mut self,
        group_id: &str,
        form: Form,
        request: impl FnOnce(&mut GroupShard, Moment, Caller, &mut Outcome),
    ) -> Result<Handled, ErrorCode> {
        let partition = self.node.partition_of_group(group_id)?;
        self.ask_partition(&partition, form, request)
    }

    /// As [`ask_group`](Self::ask_group), for the groups of one partition.
    pub(super) fn ask_partition(
        &mut self,
        partition: &Arc<Partition>,
        form: Form,
        request: impl FnOnce(&mut GroupShard, Moment, Caller, &mut Outcome),
    ) -> Result<Handled, ErrorCode> {
        let coordinator = partition.coordinator().ok_or(ErrorCode::NotCoordinator)?;
        let parked_max = self.node.config().parked_requests_max;
        let seat = self.node.parked().take(parked_max).ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let waiter = Waiter::new((self.session, self.slot, self.header), form, seat);
        let mut scene = Scene { node: self.node, now: self.now, partition, effects: &mut *self.effects };
        let answered = coordinator.ask(&mut scene, waiter, request);
        Ok(answered.map_or(Handled::Parked, Handled::Reply))
    }

    /// Puts a request to the coordinator of a group that is answered at once and writes nothing.
    ///
    /// # Errors
    /// As [`ask_group`](Self::ask_group).
    pub(super) fn tell_group<R>(
        &mut self,
        group_id: &str,
        request: impl FnOnce(&mut GroupShard, Moment) -> R,
    ) -> Result<R, ErrorCode> {
        let partition = self.node.partition_of_group(group_id)?;
        let coordinator = partition.coordinator().ok_or(ErrorCode::NotCoordinator)?;
        let mut scene =
            Scene { node: self.node, now: self.now, partition: &partition, effects: &mut *self.effects };
        Ok(coordinator.tell(&mut scene, request))
    }

    /// Looks into the groups of the partition that keeps this one.
    ///
    /// # Errors
    /// As [`ask_group`](Self::ask_group).
    pub(super) fn read_group<R>(
        &self,
        group_id: &str,
        read: impl FnOnce(&GroupShard) -> R,
    ) -> Result<R, ErrorCode> {
        let partition = self.node.partition_of_group(group_id)?;
        Ok(partition.coordinator().ok_or(ErrorCode::NotCoordinator)?.read(read))
    }

    /// The client's name for itself, empty when it has none.
    pub(super) fn client_id(&self) -> String {
        let header = RequestHeaderRef::decode(&mut Reader::new(self.frame)).ok();
        let id = header.and_then(|header| header.client_id).unwrap_or_default();
        String::from_utf8_lossy(id).into_owned()
    }

    /// Where the client is, as Kafka writes it: Java's `InetAddress` without a name.
    pub(super) fn client_host(&self) -> String {
        match self.session.address().map(|address| address.to_canonical()) {
            None => "/".to_owned(),
            Some(IpAddr::V4(address)) => format!("/{address}"),
            Some(IpAddr::V6(address)) => {
                let words: Vec<String> =
                    address.segments().iter().map(|segment| format!("{segment:x}")).collect();
                format!("/{}", words.join(":"))
            }
        }
    }
}

/// The frame for what a group answered.
pub(crate) fn group_reply(header: Header, form: Form, answer: Answer) -> Reply {
    match (answer, form) {
        (Answer::Join(join), _) => encode_reply(header, &join_group::response(join)),
        (Answer::Sync(sync), _) => encode_reply(header, &sync_group::response(sync)),
        (Answer::Leave(leave), _) => encode_reply(header, &leave_group::response(leave, header.api_version)),
        (Answer::OffsetCommit(codes), Form::Commit(response)) => {
            encode_reply(header, &offset_commit::filled(response, &codes))
        }
        (Answer::OffsetDelete(codes), Form::DeleteOffsets(response)) => {
            encode_reply(header, &offset_delete::filled(response, codes))
        }
        (Answer::DeleteGroups(groups), _) => delete_groups::reply(header, groups),
        (Answer::OffsetCommit(_) | Answer::OffsetDelete(_), _) => {
            unreachable!("a request for offsets waits with the response that its codes go into")
        }
    }
}
