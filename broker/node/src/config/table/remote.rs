//! Tiered storage.

use super::keys;
use super::reasons::NO_TIERS;

keys! {
    "remote.log.storage.system.enable": Boolean = "false", Any, Medium, ReadOnly, Fixed(NO_TIERS),
        "Whether closed segments move to remote storage.";
    "remote.log.storage.manager.impl.prefix": String = "rsm.config.",
        NonEmpty, Medium, ReadOnly, Meaningless(NO_TIERS),
        "The prefix of settings for the storage plugin.";
    "remote.log.metadata.manager.impl.prefix": String = "rlmm.config.",
        NonEmpty, Medium, ReadOnly, Meaningless(NO_TIERS),
        "The prefix of settings for the metadata plugin.";
    "remote.log.storage.manager.class.name": String = null, NonEmpty, Medium, ReadOnly, Meaningless(NO_TIERS),
        "The Java class of the storage plugin.";
    "remote.log.storage.manager.class.path": String = null, Any, Medium, ReadOnly, Meaningless(NO_TIERS),
        "Where the storage plugin's classes lie.";
    "remote.log.metadata.manager.class.name": String =
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
        NonEmpty, Medium, ReadOnly, Meaningless(NO_TIERS),
        "The Java class of the metadata plugin.";
    "remote.log.metadata.manager.class.path": String = null, Any, Medium, ReadOnly, Meaningless(NO_TIERS),
        "Where the metadata plugin's classes lie.";
    "remote.log.metadata.manager.listener.name": String = null,
        NonEmpty, Medium, ReadOnly, Meaningless(NO_TIERS),
        "The listener that the metadata plugin connects to.";
    "remote.log.metadata.custom.metadata.max.bytes": Int = "128",
        AtLeast(0), Low, ReadOnly, Meaningless(NO_TIERS),
        "The most bytes of metadata that the storage plugin may add to a segment.";
    "remote.log.index.file.cache.total.size.bytes": Long = "1073741824",
        AtLeast(1), Low, ClusterWide, Meaningless(NO_TIERS),
        "Local space for indexes of remote segments.";
    "remote.log.index.file.cache.ttl.ms": Long = "900000", AtLeast(-1), Low, ReadOnly, Meaningless(NO_TIERS),
        "How long an unused index of a remote segment stays.";
    "remote.log.manager.thread.pool.size": Int = "2", AtLeast(1), Medium, ReadOnly, Meaningless(NO_TIERS),
        "Threads that look up remote offsets for followers (an older name).";
    "remote.log.manager.copier.thread.pool.size": Int = "10",
        AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "Threads that copy segments out.";
    "remote.log.manager.expiration.thread.pool.size": Int = "10",
        AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "Threads that delete remote segments.";
    "remote.log.manager.follower.thread.pool.size": Int = "2",
        AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "Threads that look up remote offsets for followers.";
    "remote.log.manager.task.interval.ms": Long = "30000", AtLeast(1), Low, ReadOnly, Meaningless(NO_TIERS),
        "The pause between two rounds of copying and deleting.";
    "remote.log.manager.task.retry.backoff.ms": Long = "500",
        AtLeast(1), Low, ReadOnly, Meaningless(NO_TIERS),
        "The first pause after a failed round.";
    "remote.log.manager.task.retry.backoff.max.ms": Long = "30000",
        AtLeast(1), Low, ReadOnly, Meaningless(NO_TIERS),
        "The longest pause after failed rounds.";
    "remote.log.manager.task.retry.jitter": Double = "0.2",
        Fraction(0.0, 0.5), Low, ReadOnly, Meaningless(NO_TIERS),
        "The random share of that pause.";
    "remote.log.reader.threads": Int = "10", AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "Threads that read remote segments.";
    "remote.log.reader.max.pending.tasks": Int = "100", AtLeast(1), Medium, ReadOnly, Meaningless(NO_TIERS),
        "The most reads of remote segments that wait.";
    "remote.log.manager.copy.max.bytes.per.second": Long = "9223372036854775807",
        AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "Bytes per second that are copied out.";
    "remote.log.manager.copy.quota.window.num": Int = "11",
        AtLeast(1), Medium, ReadOnly, Meaningless(NO_TIERS),
        "Windows over which copying is measured.";
    "remote.log.manager.copy.quota.window.size.seconds": Int = "1",
        AtLeast(1), Medium, ReadOnly, Meaningless(NO_TIERS),
        "The length of each such window.";
    "remote.log.manager.fetch.max.bytes.per.second": Long = "9223372036854775807",
        AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "Bytes per second that are read back.";
    "remote.log.manager.fetch.quota.window.num": Int = "11",
        AtLeast(1), Medium, ReadOnly, Meaningless(NO_TIERS),
        "Windows over which reading back is measured.";
    "remote.log.manager.fetch.quota.window.size.seconds": Int = "1",
        AtLeast(1), Medium, ReadOnly, Meaningless(NO_TIERS),
        "The length of each such window.";
    "remote.fetch.max.wait.ms": Int = "500", AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "How long a fetch waits for remote records.";
    "remote.list.offsets.request.timeout.ms": Long = "30000",
        AtLeast(1), Medium, ClusterWide, Meaningless(NO_TIERS),
        "How long a look-up of remote offsets may take.";
}
