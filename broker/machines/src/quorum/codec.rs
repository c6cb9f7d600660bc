//! Between our values and the consensus library's. Its protobuf never parses what a peer sent: entries carry our own
//! encoding, and only the leader's library reads what the same library wrote.

use super::entry::{
    ChangeKind, Entry, MEMBERS_MAX, Membership, MembershipChange, Payload, RaftId, ReplicaKey, SnapshotMeta,
};
use super::message::{Body, Message};
use bytes::{Buf, Bytes};
use protocol::id::{BrokerId, Uuid};
use protocol::metadata_record::control::LeaderChangeMessage;
use protocol::wire::{Message as _, Reader, Writer};
use raft::eraftpb::{
    Entry as RaftEntry, EntryType, Message as RaftMessage, MessageType, Snapshot, SnapshotMetadata,
};

/// Version 1 would have the voters' directories (KIP-853), which the records of the voters have too; version 0 is what
/// DumpLogSegments of Kafka 4.3 reads.
pub(super) const LEADER_CHANGE_VERSION: i16 = 0;

pub(super) fn leader_change_bytes(message: &LeaderChangeMessage) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    message.encode(&mut writer, LEADER_CHANGE_VERSION);
    writer.into_bytes()
}

fn put_replicas(into: &mut Vec<u8>, replicas: &[ReplicaKey]) {
    // Memberships are checked against MEMBERS_MAX where they come in.
    into.extend_from_slice(&u16::try_from(replicas.len()).unwrap_or(u16::MAX).to_be_bytes());
    for replica in replicas {
        into.extend_from_slice(&replica.id.0.to_be_bytes());
        into.extend_from_slice(&replica.directory_id.0);
    }
}

fn take_replica(from: &mut &[u8]) -> Option<ReplicaKey> {
    let (id, mut rest) = (from.try_get_i32().ok()?, *from);
    let mut directory = [0; 16];
    rest.try_copy_to_slice(&mut directory).ok()?;
    *from = rest;
    Some(ReplicaKey { id: BrokerId(id), directory_id: Uuid(directory) })
}

fn take_replicas(from: &mut &[u8]) -> Option<Vec<ReplicaKey>> {
    let count = usize::from(from.try_get_u16().ok()?);
    if count > MEMBERS_MAX {
        return None;
    }
    (0..count).map(|_| take_replica(from)).collect()
}

/// Version 1: version, kind, replica, voters, learners.
pub(super) fn membership_change_bytes(change: &MembershipChange) -> Vec<u8> {
    let kind = match change.kind {
        ChangeKind::AddVoter => 0,
        ChangeKind::AddLearner => 1,
        ChangeKind::Remove => 2,
    };
    let mut bytes = vec![1, kind];
    bytes.extend_from_slice(&change.replica.id.0.to_be_bytes());
    bytes.extend_from_slice(&change.replica.directory_id.0);
    put_replicas(&mut bytes, &change.after.voters);
    put_replicas(&mut bytes, &change.after.learners);
    bytes
}

pub(super) fn membership_change(mut bytes: &[u8]) -> Option<MembershipChange> {
    if bytes.try_get_u8().ok()? != 1 {
        return None;
    }
    let kind = match bytes.try_get_u8().ok()? {
        0 => ChangeKind::AddVoter,
        1 => ChangeKind::AddLearner,
        2 => ChangeKind::Remove,
        _ => return None,
    };
    let replica = take_replica(&mut bytes)?;
    let after = Membership { voters: take_replicas(&mut bytes)?, learners: take_replicas(&mut bytes)? };
    (bytes.is_empty() && after.is_valid()).then_some(MembershipChange { kind, replica, after })
}

/// The membership as bytes, for the header of a snapshot.
pub(super) fn membership_bytes(membership: &Membership) -> Vec<u8> {
    let mut bytes = vec![1];
    put_replicas(&mut bytes, &membership.voters);
    put_replicas(&mut bytes, &membership.learners);
    bytes
}

pub(super) fn membership(mut bytes: &[u8]) -> Option<Membership> {
    if bytes.try_get_u8().ok()? != 1 {
        return None;
    }
    let membership = Membership { voters: take_replicas(&mut bytes)?, learners: take_replicas(&mut bytes)? };
    (bytes.is_empty() && membership.is_valid()).then_some(membership)
}

pub(super) fn payload_from_raft(entry: &RaftEntry) -> Payload {
    let payload = match entry.entry_type {
        EntryType::EntryNormal if !entry.data.is_empty() => Some(Payload::Records(entry.data.clone())),
        EntryType::EntryNormal if entry.context.is_empty() => Some(Payload::Empty),
        EntryType::EntryNormal => {
            LeaderChangeMessage::decode(&mut Reader::new(&entry.context), LEADER_CHANGE_VERSION)
                .ok()
                .map(Payload::LeaderChange)
        }
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
            membership_change(&entry.context).map(Payload::Membership)
        }
    };
    payload.expect("the bytes of an entry were made here")
}

pub(super) fn to_raft(entry: &Entry) -> RaftEntry {
    let (entry_type, data, context) = match &entry.payload {
        Payload::Empty => (EntryType::EntryNormal, Bytes::new(), Bytes::new()),
        Payload::Records(batch) => (EntryType::EntryNormal, batch.clone(), Bytes::new()),
        Payload::LeaderChange(message) => {
            (EntryType::EntryNormal, Bytes::new(), Bytes::from(leader_change_bytes(message)))
        }
        Payload::Membership(change) => {
            (EntryType::EntryConfChange, Bytes::new(), Bytes::from(membership_change_bytes(change)))
        }
    };
    RaftEntry { entry_type, term: entry.term, index: entry.index, data, context, ..RaftEntry::default() }
}

pub(super) fn snapshot_to_raft(snapshot: &SnapshotMeta) -> Snapshot {
    let mut metadata =
        SnapshotMetadata { index: snapshot.index, term: snapshot.term, ..SnapshotMetadata::default() };
    metadata.set_conf_state(super::store::conf_state(&snapshot.membership));
    let mut raft = Snapshot::default();
    raft.set_metadata(metadata);
    raft
}

fn read_bytes(read: Option<u64>) -> Bytes {
    read.map_or_else(Bytes::new, |read| Bytes::copy_from_slice(&read.to_be_bytes()))
}

fn read_number(context: &[u8]) -> Option<u64> {
    context.try_into().ok().map(u64::from_be_bytes)
}

pub(super) fn message_to_raft(message: &Message) -> RaftMessage {
    let mut raft =
        RaftMessage { from: message.from.0, to: message.to.0, term: message.term, ..RaftMessage::default() };
    match &message.body {
        Body::Append { previous_index, previous_term, commit, entries } => {
            raft.msg_type = MessageType::MsgAppend;
            (raft.index, raft.log_term, raft.commit) = (*previous_index, *previous_term, *commit);
            raft.entries = entries.iter().map(to_raft).collect::<Vec<_>>().into();
        }
        Body::Appended { index, commit } => {
            raft.msg_type = MessageType::MsgAppendResponse;
            (raft.index, raft.commit) = (*index, *commit);
        }
        Body::AppendRejected { index, hint_index, hint_term, commit } => {
            raft.msg_type = MessageType::MsgAppendResponse;
            (raft.index, raft.reject_hint, raft.log_term, raft.commit) =
                (*index, *hint_index, *hint_term, *commit);
            raft.reject = true;
        }
        Body::Vote { pre_vote, transfer, last_index, last_term, commit, commit_term } => {
            raft.msg_type =
                if *pre_vote { MessageType::MsgRequestPreVote } else { MessageType::MsgRequestVote };
            (raft.index, raft.log_term) = (*last_index, *last_term);
            (raft.commit, raft.commit_term) = (*commit, *commit_term);
            if *transfer {
                raft.context = Bytes::from_static(raft::CAMPAIGN_TRANSFER);
            }
        }
        Body::VoteAnswer { pre_vote, granted, commit, commit_term } => {
            raft.msg_type = if *pre_vote {
                MessageType::MsgRequestPreVoteResponse
            } else {
                MessageType::MsgRequestVoteResponse
            };
            (raft.reject, raft.commit, raft.commit_term) = (!granted, *commit, *commit_term);
        }
        Body::Heartbeat { commit, read } => {
            raft.msg_type = MessageType::MsgHeartbeat;
            (raft.commit, raft.context) = (*commit, read_bytes(*read));
        }
        Body::HeartbeatAnswer { commit, read } => {
            raft.msg_type = MessageType::MsgHeartbeatResponse;
            (raft.commit, raft.context) = (*commit, read_bytes(*read));
        }
        Body::Snapshot { snapshot } => {
            raft.msg_type = MessageType::MsgSnapshot;
            raft.set_snapshot(snapshot_to_raft(snapshot));
        }
        Body::TimeoutNow => raft.msg_type = MessageType::MsgTimeoutNow,
    }
    raft
}

/// `None` for messages that never leave a replica: proposals and reads are not forwarded.
pub(super) fn message_from_raft(raft: &RaftMessage, store: &super::store::Store) -> Option<Message> {
    let (commit, read) = (raft.commit, read_number(&raft.context));
    let body = match raft.msg_type {
        MessageType::MsgAppend => Body::Append {
            previous_index: raft.index,
            previous_term: raft.log_term,
            commit,
            entries: raft.entries.iter().map(|entry| store.describe(entry)).collect(),
        },
        MessageType::MsgAppendResponse if raft.reject => Body::AppendRejected {
            index: raft.index,
            hint_index: raft.reject_hint,
            hint_term: raft.log_term,
            commit,
        },
        MessageType::MsgAppendResponse => Body::Appended { index: raft.index, commit },
        MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => Body::Vote {
            pre_vote: raft.msg_type == MessageType::MsgRequestPreVote,
            transfer: raft.context == raft::CAMPAIGN_TRANSFER,
            last_index: raft.index,
            last_term: raft.log_term,
            commit,
            commit_term: raft.commit_term,
        },
        MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse => Body::VoteAnswer {
            pre_vote: raft.msg_type == MessageType::MsgRequestPreVoteResponse,
            granted: !raft.reject,
            commit,
            commit_term: raft.commit_term,
        },
        MessageType::MsgHeartbeat => Body::Heartbeat { commit, read },
        MessageType::MsgHeartbeatResponse => Body::HeartbeatAnswer { commit, read },
        MessageType::MsgSnapshot => Body::Snapshot { snapshot: store.snapshot_meta().clone() },
        MessageType::MsgTimeoutNow => Body::TimeoutNow,
        _ => return None,
    };
    Some(Message { from: RaftId(raft.from), to: RaftId(raft.to), term: raft.term, body })
}
