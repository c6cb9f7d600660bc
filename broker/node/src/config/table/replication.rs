//! Replication: in-sync replicas, fetching by followers, elections, throttles.

use super::keys;
use super::reasons::{NO_FETCHERS, NO_PURGATORY, NO_TIERS};

keys! {
    "min.insync.replicas": Int = "1", AtLeast(1), High, ClusterWide, Acts,
        "How many replicas must have a record before acks=all is answered; fewer in sync refuse the \
         append.";
    "unclean.leader.election.enable": Boolean = "false", Any, High, ClusterWide, Later,
        "Whether a replica that may lack acknowledged records may lead when no other can.";
    "unclean.leader.election.interval.ms": Long = "300000", AtLeast(1), Medium, ReadOnly, Later,
        "How often partitions without a leader are looked through for an unclean election.";
    "replica.lag.time.max.ms": Long = "30000", Any, High, ReadOnly, Later,
        "A follower that has not caught up for this long leaves the in-sync replicas.";
    "replica.socket.timeout.ms": Int = "30000", Any, High, ReadOnly, Later,
        "How long a follower's request waits for its answer.";
    "replica.socket.receive.buffer.bytes": Int = "65536", Any, High, ReadOnly, Later,
        "The receive buffer of a follower's connection.";
    "replica.fetch.max.bytes": Int = "1048576", AtLeast(0), Medium, ReadOnly, Later,
        "The most bytes per partition that a follower asks for at once.";
    "replica.fetch.wait.max.ms": Int = "500", Any, High, ReadOnly, Later,
        "How long a follower's fetch waits for new records.";
    "replica.fetch.backoff.ms": Int = "1000", AtLeast(0), Medium, ReadOnly, Later,
        "How long a follower pauses on a partition after an error.";
    "replica.fetch.min.bytes": Int = "1", Any, High, ReadOnly, Later,
        "The bytes for which a follower's fetch waits.";
    "replica.fetch.response.max.bytes": Int = "10485760", AtLeast(0), Medium, ReadOnly, Later,
        "The most bytes that a follower asks for in one request.";
    "num.replica.fetchers": Int = "1", AtLeast(1), High, ClusterWide, Meaningless(NO_FETCHERS),
        "Threads that fetch from each other broker.";
    "replica.high.watermark.checkpoint.interval.ms": Long = "5000", AtLeast(1), High, ReadOnly, Later,
        "How often the high watermarks are written down.";
    "replica.selector.class": String = null, Any, Medium, ReadOnly, Later,
        "How the replica that a consumer reads from is chosen; RackAwareReplicaSelector prefers the \
         consumer's rack.";
    "follower.fetch.last.tiered.offset.enable": Boolean = "false",
        Any, Medium, ClusterWide, Meaningless(NO_TIERS),
        "Whether a new follower starts where tiered storage ends.";
    "fetch.purgatory.purge.interval.requests": Int = "1000", Any, Medium, ReadOnly, Meaningless(NO_PURGATORY),
        "How many finished fetches are kept before they are purged.";
    "producer.purgatory.purge.interval.requests": Int = "1000",
        Any, Medium, ReadOnly, Meaningless(NO_PURGATORY),
        "How many finished produces are kept before they are purged.";
    "delete.records.purgatory.purge.interval.requests": Int = "1",
        Any, Medium, ReadOnly, Meaningless(NO_PURGATORY),
        "How many finished DeleteRecords are kept before they are purged.";
    "auto.leader.rebalance.enable": Boolean = "true", Any, High, ReadOnly, Later,
        "Whether leadership goes back to preferred replicas by itself.";
    "leader.imbalance.check.interval.seconds": Long = "300", AtLeast(1), High, ReadOnly, Later,
        "How often leadership is looked through for imbalance.";
    "controller.socket.timeout.ms": Int = "30000", Any, Medium, ReadOnly, Later,
        "How long a request to the controller waits for its answer.";
    "num.replica.alter.log.dirs.threads": Int = null, Any, High, ReadOnly, Later,
        "Threads that move replicas between directories.";
    "leader.replication.throttled.rate": Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Later,
        "Bytes per second at which leaders serve throttled replicas; set only dynamically.";
    "follower.replication.throttled.rate": Long = "9223372036854775807",
        AtLeast(0), Medium, ClusterWide, Later,
        "Bytes per second at which throttled followers fetch; set only dynamically.";
    "replica.alter.log.dirs.io.max.bytes.per.second": Long = "9223372036854775807",
        AtLeast(0), Medium, ClusterWide, Later,
        "Bytes per second at which replicas move between directories; set only dynamically.";
}
