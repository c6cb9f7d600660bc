//! What a topic's configuration says to its logs. Fields bear Kafka's keys with underscores.

use protocol::records::TimestampType;

/// The configuration of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A segment is closed before it grows beyond this (`segment.bytes`).
    pub segment_bytes: u32,
    /// A segment is closed when its records span this much time (`segment.ms`).
    pub segment_ms: u64,
    /// A segment may be closed up to so much earlier, so that those of many logs do not end together
    /// (`segment.jitter.ms`).
    pub segment_jitter_ms: u64,
    /// Room for a segment's offset index, 8 bytes an entry (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    /// Bytes of records between two index entries (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// Segments whose newest record is older are deleted (`retention.ms`); `None` keeps them for ever.
    pub retention_ms: Option<u64>,
    /// Oldest segments are deleted while the log stays at least this large (`retention.bytes`); `None` for ever.
    pub retention_bytes: Option<u64>,
    /// Whether retention deletes (`cleanup.policy` contains `delete`).
    pub cleanup_delete: bool,
    /// Whether the log is compacted (`cleanup.policy` contains `compact`).
    pub cleanup_compact: bool,
    /// How long a file stays renamed before it is removed (`file.delete.delay.ms`).
    pub file_delete_delay_ms: u64,
    /// Records after which a sync is due (`flush.messages`, see [`crate::Log::is_flush_due`]); `None` leaves it to the
    /// background.
    pub flush_messages: Option<u64>,
    /// Time after which a sync is due (`flush.ms`), for the log's owner to watch; `None` leaves it to the background.
    pub flush_ms: Option<u64>,
    /// What timestamps mean (`message.timestamp.type`).
    pub message_timestamp_type: TimestampType,
    /// The largest batch (`max.message.bytes`).
    pub max_message_bytes: u32,
    /// Idle producers are forgotten after this (`producer.id.expiration.ms`).
    pub producer_id_expiration_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            cleanup_delete: true,
            cleanup_compact: false,
            file_delete_delay_ms: 60_000,
            flush_messages: None,
            flush_ms: None,
            message_timestamp_type: TimestampType::CreateTime,
            max_message_bytes: 1_048_588,
            producer_id_expiration_ms: 86_400_000,
        }
    }
}
