//! The log: segments, indexes, retention, flushing, recovery, timestamps, compaction.

use super::keys;
use super::reasons::{CHECKPOINTED_ANYWAY, NO_DELAY, NO_TIERS};

keys! {
    "log.segment.bytes": Int = "1073741824", AtLeast(1_048_576), High, ClusterWide, Acts,
        "A segment is closed before it would grow past this; a topic overrides it with segment.bytes.";
    "log.roll.ms": Long = null, AtLeast(1), High, ClusterWide, Acts,
        "A segment is closed when its first record is this old; comes before log.roll.hours.";
    "log.roll.hours": Int = "168", AtLeast(1), High, ReadOnly, Acts,
        "A segment is closed when its first record is this many hours old.";
    "log.roll.jitter.ms": Long = null, AtLeast(0), High, ClusterWide, Acts,
        "Up to this much is taken off the age at which a segment is closed, so that segments do not all \
         close together; comes before log.roll.jitter.hours.";
    "log.roll.jitter.hours": Int = "0", AtLeast(0), High, ReadOnly, Acts,
        "Up to this many hours are taken off the age at which a segment is closed.";
    "log.retention.ms": Long = null, AtLeast(-1), High, ClusterWide, Acts,
        "A closed segment whose newest record is older than this is deleted; -1 keeps all. Comes before \
         the minutes and hours.";
    "log.retention.minutes": Int = null, AtLeast(-1), High, ReadOnly, Acts,
        "Retention in minutes; comes before log.retention.hours.";
    "log.retention.hours": Int = "168", AtLeast(-1), High, ReadOnly, Acts,
        "Retention in hours.";
    "log.retention.bytes": Long = "-1", AtLeast(-1), High, ClusterWide, Acts,
        "The oldest segments are deleted while a partition holds more than this without them; -1 sets no \
         limit.";
    "log.retention.check.interval.ms": Long = "300000", AtLeast(1), Medium, ReadOnly, Acts,
        "How often logs are looked through for segments that may be deleted.";
    "log.cleanup.policy": List = "delete", ListOfOrEmpty(&["compact", "delete"]), Medium, ClusterWide, Acts,
        "What happens to old segments: `delete` by age and size, `compact` by key, or both.";
    "log.index.size.max.bytes": Int = "10485760", AtLeast(4), Medium, ClusterWide, Acts,
        "The most bytes of an offset index; a segment with a full index is closed.";
    "log.index.interval.bytes": Int = "4096", AtLeast(0), Medium, ClusterWide, Acts,
        "About how many bytes of records lie between two entries of an index.";
    "log.flush.interval.messages": Long = "9223372036854775807", AtLeast(1), High, ClusterWide, Acts,
        "Records of a partition after which they are synced to disk; with 1, every append is synced before \
         it is acknowledged.";
    "log.flush.interval.ms": Long = null, AtLeast(0), High, ClusterWide, Acts,
        "The longest time that records stay unsynced; unset, log.flush.scheduler.interval.ms is used.";
    "log.flush.scheduler.interval.ms": Long = "9223372036854775807", AtLeast(1), High, ReadOnly, Acts,
        "The time between two rounds of syncing, where log.flush.interval.ms does not say.";
    "log.segment.delete.delay.ms": Long = "60000", AtLeast(0), High, ClusterWide, Acts,
        "How long a deleted segment's files stay on disk under another name, for readers that still have \
         them.";
    "log.flush.offset.checkpoint.interval.ms": Int = "60000",
        AtLeast(1), High, ReadOnly, Meaningless(CHECKPOINTED_ANYWAY),
        "How often the offsets up to which logs are synced are written down; recovery starts there.";
    "log.flush.start.offset.checkpoint.interval.ms": Int = "60000",
        AtLeast(1), High, ReadOnly, Meaningless(CHECKPOINTED_ANYWAY),
        "How often the logs' start offsets are written down.";
    "log.preallocate": Boolean = "false", Any, Medium, ClusterWide, Later,
        "Whether a segment's whole size is allocated when it is made.";
    "num.recovery.threads.per.data.dir": Int = "2", Between(1, 1024), High, ReadOnly, Acts,
        "Threads for each directory that recover logs at start.";
    "log.message.timestamp.type": String = "CreateTime",
        OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, Acts,
        "Whose clock stamps records: `CreateTime` the producer's, `LogAppendTime` the broker's.";
    "log.message.timestamp.before.max.ms": Long = "9223372036854775807",
        AtLeast(0), Medium, ClusterWide, Acts,
        "A record whose timestamp lies further than this before the broker's clock is refused.";
    "log.message.timestamp.after.max.ms": Long = "3600000", AtLeast(0), Medium, ClusterWide, Acts,
        "A record whose timestamp lies further than this after the broker's clock is refused.";
    "log.initial.task.delay.ms": Long = "30000", AtLeast(0), Low, ReadOnly, Meaningless(NO_DELAY),
        "How long after the start the first rounds of retention, flushing and checkpoints wait.";
    "log.cleaner.enable": Boolean = "true", Any, Medium, ReadOnly, Later,
        "Whether compacted topics are compacted.";
    "log.cleaner.threads": Int = "1", AtLeast(0), Medium, ClusterWide, Later,
        "Threads that compact.";
    "log.cleaner.io.max.bytes.per.second": Double = "1.7976931348623157E308", Any, Medium, ClusterWide, Later,
        "The most bytes per second that compaction reads and writes.";
    "log.cleaner.dedupe.buffer.size": Long = "134217728", Any, Medium, ClusterWide, Later,
        "Memory for the key tables of all compacting threads together.";
    "log.cleaner.io.buffer.size": Int = "524288", AtLeast(0), Medium, ClusterWide, Later,
        "Memory for the read and write buffers of all compacting threads together.";
    "log.cleaner.io.buffer.load.factor": Double = "0.9", Any, Medium, ClusterWide, Later,
        "How full a key table may become.";
    "log.cleaner.backoff.ms": Long = "15000", AtLeast(0), Medium, ClusterWide, Later,
        "How long compaction sleeps when nothing wants it.";
    "log.cleaner.min.cleanable.ratio": Double = "0.5", Fraction(0.0, 1.0), Medium, ClusterWide, Later,
        "The share of a log that must be new since its last compaction before it is compacted again.";
    "log.cleaner.delete.retention.ms": Long = "86400000", AtLeast(0), Medium, ClusterWide, Later,
        "How long the marker of a deleted key stays in a compacted log.";
    "log.cleaner.min.compaction.lag.ms": Long = "0", AtLeast(0), Medium, ClusterWide, Later,
        "Records younger than this are not compacted.";
    "log.cleaner.max.compaction.lag.ms": Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Later,
        "A log with records older than this is compacted, whatever its ratio.";
    "log.local.retention.ms": Long = "-2", AtLeast(-2), Medium, ClusterWide, Meaningless(NO_TIERS),
        "How long tiered segments also stay on local disk.";
    "log.local.retention.bytes": Long = "-2", AtLeast(-2), Medium, ClusterWide, Meaningless(NO_TIERS),
        "How many bytes of tiered segments also stay on local disk.";
}
