//! The names of files and folders in a log directory: Kafka's, so that its tools find what they look for.

use protocol::id::{Offset, PartitionIndex, TopicPartition};

/// Record batches.
pub(crate) const LOG: &str = ".log";
/// Offsets to positions, sparse.
pub(crate) const INDEX: &str = ".index";
/// Timestamps to offsets, sparse.
pub(crate) const TIME_INDEX: &str = ".timeindex";
/// Aborted transactions.
pub(crate) const TXN_INDEX: &str = ".txnindex";
/// Producer state.
pub(crate) const SNAPSHOT: &str = ".snapshot";
/// Stands after the name of a file that waits for its removal.
pub(crate) const DELETED: &str = ".deleted";
/// Ends the name of a partition's folder that waits for its removal.
pub(crate) const DELETE_FOLDER: &str = "-delete";
/// Ends the name of a partition's folder that belongs to no topic, and is kept.
pub(crate) const STRAY_FOLDER: &str = "-stray";

pub(crate) const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";
/// Ours alone: the recovery point of one log after a truncation below the one in the directory's checkpoint.
pub(crate) const TRUNCATION_CHECKPOINT: &str = "truncation-checkpoint";

/// Ours alone: up to where the metadata log is known to be on the device.
pub(crate) const DURABLE_END_CHECKPOINT: &str = "durable-end-checkpoint";

/// Ours alone: bytes that are given up when the disk is full.
pub(crate) const RESERVE: &str = ".reserve";

pub(crate) const META_PROPERTIES: &str = "meta.properties";
pub(crate) const LOCK: &str = ".lock";
pub(crate) const CLEAN_MARKER: &str = ".kafka_cleanshutdown";
pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(crate) const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub(crate) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// The files that a segment may have.
pub(crate) const SEGMENT_FILES: [&str; 4] = [LOG, INDEX, TIME_INDEX, TXN_INDEX];

/// `00000000000000000042.log`: twenty digits sort as numbers do.
pub(crate) fn file_name(offset: Offset, suffix: &str) -> String {
    format!("{:020}{suffix}", offset.0)
}

/// The offset of a segment's or snapshot's file with this suffix.
pub(crate) fn parse_file_name(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Offset)
}

/// The partition of a folder; `None` when it is no partition's.
pub(crate) fn parse_folder(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    if topic.is_empty() || !partition.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(TopicPartition { topic: topic.to_owned(), partition: PartitionIndex(partition.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        assert_eq!(file_name(Offset(42), LOG), "00000000000000000042.log");
        assert_eq!(parse_file_name("00000000000000000042.log", LOG), Some(Offset(42)));
        assert_eq!(parse_file_name("42.log", LOG), None);
        assert_eq!(parse_file_name("00000000000000000042.log.deleted", LOG), None);
        let partition = parse_folder("my-topic-7").unwrap();
        assert_eq!((partition.topic.as_str(), partition.partition.0), ("my-topic", 7));
        assert_eq!(partition.to_string(), "my-topic-7");
        assert_eq!(parse_folder("topic-0.af12-delete"), None);
        assert_eq!(parse_folder("topic-0.af12-stray"), None);
        assert_eq!(parse_folder("lost+found"), None);
    }
}
