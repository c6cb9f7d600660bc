//! One member of a group.

use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::record::MemberMetadata;
use super::request::{Caller, JoinRequest};
use super::timers::Alarm;

/// Names of protocols with the member's metadata for each, the most preferred first; no name twice.
pub(super) type Protocols = Vec<(String, Bytes)>;

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) group_instance_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    pub(super) protocols: Protocols,
    pub(super) assignment: Bytes,
    /// Who waits for the end of the join phase.
    pub(super) joining: Option<Caller>,
    /// Who waits for the assignment.
    pub(super) syncing: Option<Caller>,
    /// Whether it has never been told its id or a generation: then waiting does not keep its session alive.
    pub(super) is_new: bool,
    pub(super) alarm: Alarm,
}

impl Member {
    /// A member that joins for the first time.
    pub(super) fn new(id: Arc<str>, request: &JoinRequest) -> Self {
        Self {
            id,
            group_instance_id: request.group_instance_id.as_deref().map(Arc::from),
            client_id: Arc::from(&*request.client_id),
            client_host: Arc::from(&*request.client_host),
            rebalance_timeout_ms: rebalance_timeout_ms(request),
            session_timeout_ms: request.session_timeout_ms,
            protocols: distinct(&request.protocols),
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
            alarm: Alarm::default(),
        }
    }

    /// A member as it was stored, which knows the one protocol that was chosen.
    pub(super) fn stored(member: &MemberMetadata, protocol: &str) -> Self {
        // Version 0 has no rebalance timeout.
        let rebalance_timeout_ms = match member.rebalance_timeout_ms {
            -1 => member.session_timeout_ms,
            timeout => timeout,
        };
        Self {
            id: Arc::clone(&member.member_id),
            group_instance_id: member.group_instance_id.clone(),
            client_id: Arc::clone(&member.client_id),
            client_host: Arc::clone(&member.client_host),
            rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            protocols: vec![(protocol.to_owned(), member.subscription.clone())],
            assignment: member.assignment.clone(),
            joining: None,
            syncing: None,
            is_new: false,
            alarm: Alarm::default(),
        }
    }

    /// As it is stored, with an assignment that may not be its own yet.
    pub(super) fn to_stored(&self, protocol: &str, assignment: Bytes) -> MemberMetadata {
        MemberMetadata {
            member_id: Arc::clone(&self.id),
            group_instance_id: self.group_instance_id.clone(),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// Its metadata for a protocol; empty when it does not know it.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map_or_else(Bytes::new, |(_, metadata)| metadata.clone())
    }

    /// The protocol that it likes best of those that all members know.
    pub(super) fn vote(&self, candidates: &BTreeSet<&str>) -> Option<&str> {
        self.protocols.iter().map(|(name, _)| &**name).find(|name| candidates.contains(name))
    }

    /// Whether it is alive without a heartbeat: it waits for the group and cannot send one.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    /// `session.timeout.ms`.
    pub(super) fn session_timeout(&self) -> Duration {
        millis(self.session_timeout_ms)
    }

    /// Bytes of its protocols.
    pub(super) fn metadata_bytes(&self) -> usize {
        metadata_bytes(&self.protocols)
    }
}

/// Milliseconds from the wire or a record; less than none is none.
pub(super) fn millis(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The rebalance timeout of a request; version 0 has none.
pub(super) fn rebalance_timeout_ms(request: &JoinRequest) -> i32 {
    match request.rebalance_timeout_ms {
        -1 => request.session_timeout_ms,
        timeout => timeout,
    }
}

/// The protocols without repeated names: a name counts once in every vote.
pub(super) fn distinct(protocols: &[(String, Bytes)]) -> Protocols {
    let mut seen = BTreeSet::new();
    protocols.iter().filter(|(name, _)| seen.insert(&**name)).cloned().collect()
}

/// Bytes of names and metadata.
pub(super) fn metadata_bytes(protocols: &[(String, Bytes)]) -> usize {
    protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum()
}
