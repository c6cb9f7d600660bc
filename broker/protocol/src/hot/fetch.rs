//! Writes a Fetch response around record sets that stay in their files.
//!
//! The response is one small buffer with gaps: [`ResponseWriter::partition`] says where the record bytes belong, the
//! frame's size counts them, and the caller sends buffer, file range, buffer, and so on.

use crate::ErrorCode;
use crate::api_key::ApiKey;
use crate::header::ResponseHeader;
use crate::id::{CorrelationId, TopicId};
use crate::message::FetchResponse;
use crate::message::fetch::{EpochEndOffset, PartitionData, SnapshotId};
use crate::message::leader::{LeaderIdAndEpoch, NodeEndpoint};
use crate::wire::{At, Message, Nullable, Wire, Writer};

/// What a Fetch response says once, before its topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The request's version.
    pub api_version: i16,
    /// Matches the response with its request.
    pub correlation_id: CorrelationId,
    /// Milliseconds for which the client should send nothing.
    pub throttle_time_ms: i32,
    /// The outcome of the whole request.
    pub error_code: ErrorCode,
    /// The fetch session; 0 is none.
    pub session_id: i32,
    /// How many topics follow.
    pub topics: usize,
}

/// A Fetch response that is being written: [`ResponseWriter::topic`] as often as the head announced, each followed
/// by [`ResponseWriter::partition`] as often as it announced, then [`ResponseWriter::finish`].
#[derive(Debug)]
pub struct ResponseWriter {
    writer: Writer,
    at: At,
    frame_start: usize,
    /// Record bytes that are not in the buffer.
    records_outside: usize,
    topics_left: usize,
    partitions_left: usize,
    in_topic: bool,
}

impl ResponseWriter {
    /// Begins the response, size and header included, behind what `writer` holds.
    ///
    /// # Panics
    /// When Fetch has no such version.
    #[must_use]
    pub fn new(mut writer: Writer, head: &Head) -> Self {
        let at = At::of::<FetchResponse>(head.api_version);
        assert!(FetchResponse::VERSIONS.contains(&at.version), "Fetch is answered in a version that it has");
        let frame_start = writer.begin_frame();
        let header = ResponseHeader { correlation_id: head.correlation_id };
        header.encode(&mut writer, ApiKey::Fetch, at.version);
        head.throttle_time_ms.encode(&mut writer, at);
        if at.version >= 7 {
            head.error_code.encode(&mut writer, at);
            head.session_id.encode(&mut writer, at);
        }
        writer.array_length(head.topics, at);
        let topics_left = head.topics;
        Self { writer, at, frame_start, records_outside: 0, topics_left, partitions_left: 0, in_topic: false }
    }

    /// Begins a topic of `partitions` partitions. The version decides whether the name or the id is written.
    ///
    /// # Panics
    /// When the topic or partition counts that were announced do not hold.
    pub fn topic(&mut self, name: &str, id: TopicId, partitions: usize) {
        self.end_topic();
        assert!(self.topics_left > 0, "a Fetch response has the topics that it announced");
        self.topics_left -= 1;
        self.in_topic = true;
        self.partitions_left = partitions;
        if self.at.version >= 13 {
            id.encode(&mut self.writer, self.at);
        } else {
            self.writer.str(Some(name), self.at.flexible);
        }
        self.writer.array_length(partitions, self.at);
    }

    /// Writes a partition whose records are `records_length` bytes outside of the buffer: returns the length of the
    /// buffer at which they belong. `data.records` is not looked at.
    ///
    /// # Panics
    /// When the partition was not announced.
    pub fn partition(&mut self, data: &PartitionData, records_length: usize) -> usize {
        self.begin_partition(data);
        self.writer.records_length(Some(records_length), self.at);
        self.records_outside += records_length;
        let gap = self.writer.len();
        self.end_partition(data);
        gap
    }

    /// Writes a partition with the records that `data` holds: none, or few enough to be copied.
    ///
    /// # Panics
    /// When the partition was not announced.
    pub fn partition_inline(&mut self, data: &PartitionData) {
        self.begin_partition(data);
        self.writer.length_prefixed(data.records.as_deref(), self.at.flexible);
        self.end_partition(data);
    }

    fn begin_partition(&mut self, data: &PartitionData) {
        assert!(self.partitions_left > 0, "a topic of a Fetch response has the partitions that it announced");
        self.partitions_left -= 1;
        let (writer, at) = (&mut self.writer, self.at);
        data.partition_index.encode(writer, at);
        data.error_code.encode(writer, at);
        data.high_watermark.encode(writer, at);
        data.last_stable_offset.encode(writer, at);
        if at.version >= 5 {
            data.log_start_offset.encode(writer, at);
        }
        Nullable::encode_nullable(data.aborted_transactions.as_ref(), writer, at);
        if at.version >= 11 {
            data.preferred_read_replica.encode(writer, at);
        }
    }

    fn end_partition(&mut self, data: &PartitionData) {
        let (writer, at) = (&mut self.writer, self.at);
        if at.flexible {
            let section = writer.begin_tagged_fields();
            writer.tagged_field(section, 0, &data.diverging_epoch, &EpochEndOffset::default(), at);
            writer.tagged_field(section, 1, &data.current_leader, &LeaderIdAndEpoch::default(), at);
            writer.tagged_field(section, 2, &data.snapshot_id, &SnapshotId::default(), at);
        }
    }

    fn end_topic(&mut self) {
        assert_eq!(
            self.partitions_left, 0,
            "a topic of a Fetch response has the partitions that it announced"
        );
        if self.in_topic {
            self.writer.no_tagged_fields(self.at);
        }
    }

    /// Ends the response and returns the buffer: its frame's size counts the records that lie outside.
    ///
    /// # Panics
    /// When the topic or partition counts that were announced do not hold.
    #[must_use]
    pub fn finish(mut self, node_endpoints: &[NodeEndpoint]) -> Writer {
        self.end_topic();
        assert_eq!(self.topics_left, 0, "a Fetch response has the topics that it announced");
        if self.at.flexible {
            let section = self.writer.begin_tagged_fields();
            if self.at.version >= 16 && !node_endpoints.is_empty() {
                self.writer.tagged_field(section, 0, &node_endpoints.to_vec(), &Vec::new(), self.at);
            }
        }
        self.writer.end_frame_with(self.frame_start, self.records_outside);
        self.writer
    }
}
