//! What can be seen of a node from outside: by scrapes, and by those who ask whether it is ready.

use std::path::Path;

use machines::quorum::Role;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex};
use storage::DirectoryState;

use crate::node::Node;

/// One hosted partition at one moment.
#[derive(Debug, Clone, Copy)]
pub struct PartitionView<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// Which of its partitions.
    pub partition: PartitionIndex,
    /// The first offset held.
    pub log_start_offset: Offset,
    /// The offset up to which consumers read, exclusive.
    pub high_watermark: Offset,
    /// The offset of the next record.
    pub log_end_offset: Offset,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// Bytes of records that were appended since its last sync began.
    pub unsynced_bytes: u64,
    /// Its leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Whether this broker leads it.
    pub is_leader: bool,
    /// Whether this broker leads it, and fewer replicas are in sync than there are.
    pub is_under_replicated: bool,
    /// Whether this broker leads it, and fewer replicas are in sync than `min.insync.replicas`.
    pub is_under_min_isr: bool,
}

/// A node at one moment, its partitions apart.
#[derive(Debug, Clone)]
pub struct NodeView<'a> {
    /// Whether it is unfenced and has caught up since its start.
    pub is_ready: bool,
    /// Incremental fetch sessions that are kept.
    pub fetch_sessions: usize,
    /// Incremental fetch sessions that made room for others since the start.
    pub fetch_sessions_evicted: u64,
    /// Requests that wait for records or replicas.
    pub parked_requests: usize,
    /// Topics of the cluster.
    pub topics: usize,
    /// Partitions hosted here, those without an open log included.
    pub partitions: usize,
    /// Of these, partitions that are being recovered.
    pub recovering_partitions: usize,
    /// How its replica of the metadata quorum stands.
    pub quorum: QuorumView,
    /// Its log directory.
    pub directory: DirectoryView<'a>,
}

/// A replica of the metadata quorum.
#[derive(Debug, Clone, Copy)]
pub struct QuorumView {
    /// Whether it leads.
    pub is_leader: bool,
    /// Its term.
    pub term: u64,
    /// One past the last record known to be committed.
    pub committed_offset: Offset,
    /// One past the last record that is in this broker's image.
    pub applied_offset: Offset,
}

/// A log directory.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryView<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Whether it is offline after a failure.
    pub is_offline: bool,
    /// Whether appends are refused for want of space.
    pub is_full: bool,
    /// Free bytes of its file system when it was last measured, where that can be asked.
    pub free_bytes: Option<u64>,
    /// Segment and index files that are open.
    pub open_files: usize,
    /// Bytes found since the start not to be what was written.
    pub damaged_bytes: u64,
}

impl Node {
    /// How the node stands.
    #[must_use]
    pub fn view(&self) -> NodeView<'_> {
        let status = self.metadata().status();
        let (Role::Leader { term } | Role::Follower { term, .. }) = status.role;
        let image = self.image();
        let sessions = self.fetch_sessions().lock();
        let (fetch_sessions, fetch_sessions_evicted) = (sessions.len(), sessions.evictions());
        drop(sessions);
        let directory = self.directory();
        let state = directory.state();
        NodeView {
            is_ready: self.is_ready(),
            fetch_sessions,
            fetch_sessions_evicted,
            parked_requests: self.parked().taken(),
            topics: image.topics().len(),
            partitions: self.table().partitions().count(),
            recovering_partitions: self.recovering(),
            quorum: QuorumView {
                is_leader: matches!(status.role, Role::Leader { .. }),
                term,
                committed_offset: status.high_watermark,
                applied_offset: image.provenance.end_offset,
            },
            directory: DirectoryView {
                path: directory.path(),
                is_offline: state == DirectoryState::Offline,
                is_full: state == DirectoryState::Full,
                free_bytes: self.space().free_bytes(),
                open_files: directory.files().open_count(),
                damaged_bytes: directory.files().damaged_bytes(),
            },
        }
    }

    /// Shows every hosted partition whose log is open, each under its lock for a moment.
    pub fn visit_partitions(&self, mut visit: impl FnMut(PartitionView<'_>)) {
        for partition in self.table().partitions() {
            let state = partition.lock();
            let Ok(log) = state.log() else { continue };
            let replica = &state.replica;
            let is_leader = replica.is_leader();
            visit(PartitionView {
                topic: &partition.topic,
                partition: partition.index,
                log_start_offset: log.log_start_offset(),
                high_watermark: replica.high_watermark(),
                log_end_offset: log.log_end_offset(),
                size_bytes: log.size_bytes(),
                unsynced_bytes: log.dirty_bytes(),
                leader_epoch: replica.leader_epoch(),
                is_leader,
                is_under_replicated: is_leader && replica.isr().len() < replica.replicas().len(),
                is_under_min_isr: is_leader && replica.is_under_min_isr(),
            });
        }
    }
}
