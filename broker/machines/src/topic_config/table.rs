//! The table of topic keys. Names, types, defaults and ranges are those of Apache Kafka 4.3.1, which a test
//! holds against facts printed from Kafka itself; the sentences are ours.

use super::ConfigType::{Boolean, Double, Int, List, Long, String};
use super::Valid::{
    Any, AtLeast, Between, Fraction, MinusOneOr, OneOf, SomeOf, ThrottledReplicas as Throttled,
};
use super::{ServerSynonym, TopicKey};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

macro_rules! default {
    (null) => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! unit {
    () => {
        1
    };
    ($unit:ident) => {
        $unit
    };
}

macro_rules! internal {
    () => {
        false
    };
    (internal) => {
        true
    };
}

macro_rules! keys {
    ($($name:literal $($internal:ident)?: $config_type:ident = $default:tt, $valid:expr,
        [$($synonym:literal $(* $unit:ident)?),*], $documentation:literal;)*) => {
        &[$(TopicKey {
            name: $name,
            config_type: $config_type,
            default: default!($default),
            valid: $valid,
            synonyms: &[$(ServerSynonym { name: $synonym, unit: unit!($($unit)?) }),*],
            internal: internal!($($internal)?),
            documentation: $documentation,
        }),*]
    };
}

/// Sorted by name.
pub(super) const KEYS: &[TopicKey] = keys! {
    "cleanup.policy": List = "delete", SomeOf(&["compact", "delete"]), ["log.cleanup.policy"],
        "What becomes of old records: `delete` drops segments that pass the retention limits, `compact` \
         keeps the last record of each key. Both may be given; an empty list keeps everything.";
    "compression.gzip.level": Int = "-1", MinusOneOr(1, 9), ["compression.gzip.level"],
        "Effort when the broker compresses with gzip: 1 is fast, 9 is small, -1 is the codec's own choice.";
    "compression.lz4.level": Int = "9", Between(1, 17), ["compression.lz4.level"],
        "Effort when the broker compresses with lz4. It is kept and shown; lz4 is always written \
         at the fastest.";
    "compression.type": String = "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), ["compression.type"],
        "How batches are compressed on disk: `producer` keeps what the producer chose; a codec's name, or \
         `uncompressed`, makes the broker write every batch so.";
    "compression.zstd.level": Int = "3", Between(-131_072, 22), ["compression.zstd.level"],
        "Effort when the broker compresses with zstd: negative is fastest, 22 is smallest.";
    "delete.retention.ms": Long = "86400000", AtLeast(0), ["log.cleaner.delete.retention.ms"],
        "How long tombstones and transaction markers of a compacted topic stay readable after the cleaner \
         reached them: the time that a consumer has to read the whole topic from its start.";
    "file.delete.delay.ms": Long = "60000", AtLeast(0), ["log.segment.delete.delay.ms"],
        "How long the files of a removed segment stay on disk under another name.";
    "flush.messages": Long = "9223372036854775807", AtLeast(1), ["log.flush.interval.messages"],
        "Records after which a log is synced to disk. 1 makes every acknowledgement wait for the disk; the \
         default leaves it to replicas and the operating system.";
    "flush.ms": Long = "9223372036854775807", AtLeast(0),
        ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "The longest time that a record stays in memory before its log is synced to disk.";
    "follower.replication.throttled.replicas": List = "", Throttled, [],
        "Replicas whose fetching from their leader counts against the brokers' replication quota, as \
         partition:broker pairs, or `*` for all.";
    "index.interval.bytes": Int = "4096", AtLeast(0), ["log.index.interval.bytes"],
        "Bytes of records between two entries of a segment's offset index.";
    "internal.segment.bytes" internal: Int = null, AtLeast(1), [],
        "Overrides `segment.bytes` without its lower bound, for tests.";
    "leader.replication.throttled.replicas": List = "", Throttled, [],
        "Replicas to which sending counts against the brokers' replication quota, as partition:broker pairs, \
         or `*` for all.";
    "local.retention.bytes": Long = "-2", AtLeast(-2), ["log.local.retention.bytes"],
        "Bytes of a partition that stay on local disks once older segments are in remote storage; -2 takes \
         `retention.bytes`, -1 has no limit.";
    "local.retention.ms": Long = "-2", AtLeast(-2), ["log.local.retention.ms"],
        "Time that segments stay on local disks once they are in remote storage; -2 takes `retention.ms`, -1 \
         has no limit.";
    "max.compaction.lag.ms": Long = "9223372036854775807", AtLeast(1), ["log.cleaner.max.compaction.lag.ms"],
        "The longest time that a record may stay out of the cleaner's reach on a compacted topic.";
    "max.message.bytes": Int = "1048588", AtLeast(0), ["message.max.bytes"],
        "The largest batch that is accepted, in bytes as it is sent, after compression.";
    "message.timestamp.after.max.ms": Long = "3600000", AtLeast(0), ["log.message.timestamp.after.max.ms"],
        "How far ahead of the broker's clock a record's timestamp may be. Not used under `LogAppendTime`.";
    "message.timestamp.before.max.ms": Long = "9223372036854775807", AtLeast(0),
        ["log.message.timestamp.before.max.ms"],
        "How far behind the broker's clock a record's timestamp may be. Not used under `LogAppendTime`.";
    "message.timestamp.type": String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]),
        ["log.message.timestamp.type"],
        "Whether records keep the time that their producer gave them, or get that of their append.";
    "min.cleanable.dirty.ratio": Double = "0.5", Fraction(0.0, 1.0), ["log.cleaner.min.cleanable.ratio"],
        "The share of a log that is not compacted yet at which the cleaner takes it up: lower means less \
         wasted space and more work.";
    "min.compaction.lag.ms": Long = "0", AtLeast(0), ["log.cleaner.min.compaction.lag.ms"],
        "The shortest time that a record stays out of the cleaner's reach.";
    "min.insync.replicas": Int = "1", AtLeast(1), ["min.insync.replicas"],
        "How many replicas must be in sync for an append with acks=all to be accepted and acknowledged.";
    "preallocate": Boolean = "false", Any, ["log.preallocate"],
        "Whether a new segment's file gets its full size on disk at once.";
    "record.validation": String = "header", OneOf(&["header", "strict"]), ["record.validation"],
        "How compressed batches are checked before they are stored: `header` checks the header and the \
         checksum, `strict` also decompresses them and walks every record. Compacted topics are always \
         checked strictly. Gregor's own key.";
    "remote.log.copy.disable": Boolean = "false", Any, [],
        "Stops copying segments to remote storage and leaves those that are there readable.";
    "remote.log.delete.on.disable": Boolean = "false", Any, [],
        "Whether turning `remote.storage.enable` off deletes what is in remote storage.";
    "remote.storage.enable": Boolean = "false", Any, [],
        "Moves closed segments to remote storage. Refused when true: this version has no remote storage.";
    "retention.bytes": Long = "-1", Any, ["log.retention.bytes"],
        "Bytes of a partition above which its oldest segments are deleted; -1 has no limit.";
    "retention.ms": Long = "604800000", AtLeast(-1),
        ["log.retention.ms", "log.retention.minutes" * MINUTE, "log.retention.hours" * HOUR],
        "Time after which records are deleted with their segment; -1 keeps them for ever.";
    "segment.bytes": Int = "1073741824", AtLeast(1_048_576), ["log.segment.bytes"],
        "Size of a segment's file at which a new segment begins. Retention and compaction work on whole \
         segments.";
    "segment.index.bytes": Int = "10485760", AtLeast(4), ["log.index.size.max.bytes"],
        "The largest size of a segment's offset index; a full one begins a new segment.";
    "segment.jitter.ms": Long = "0", AtLeast(0), ["log.roll.jitter.ms", "log.roll.jitter.hours" * HOUR],
        "The most that is taken off `segment.ms` at random, so that not all segments roll at once.";
    "segment.ms": Long = "604800000", AtLeast(1), ["log.roll.ms", "log.roll.hours" * HOUR],
        "Age at which a segment is closed even if it is not full, so that retention and compaction reach it.";
    "unclean.leader.election.enable": Boolean = "false", Any, ["unclean.leader.election.enable"],
        "Whether a replica that is not in sync may lead when no other is left, which loses records.";
};
