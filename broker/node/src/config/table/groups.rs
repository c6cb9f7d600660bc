//! Groups: consumer, share and streams groups, and their offsets.

use super::keys;
use super::reasons::{NO_JVM, NO_POOLS, NO_PURGATORY};

keys! {
    "group.coordinator.rebalance.protocols": List = "classic,consumer,streams",
        ListOf(&["consumer", "classic", "share", "streams"]), Medium, ReadOnly, Later,
        "The group protocols that are offered.";
    "group.coordinator.threads": Int = "4", AtLeast(1), High, ReadOnly, Meaningless(NO_POOLS),
        "Threads of the group coordinator.";
    "group.coordinator.background.threads": Int = "2", AtLeast(1), High, ReadOnly, Meaningless(NO_POOLS),
        "Threads of the group coordinator's slow work.";
    "group.coordinator.append.linger.ms": Int = "-1", AtLeast(-1), Medium, ReadOnly, Later,
        "How long the coordinator gathers writes; -1 adapts by itself.";
    "group.coordinator.cached.buffer.max.bytes": Int = "1048588",
        AtLeast(524_288), Medium, ClusterWide, Later,
        "The largest write buffer that the coordinator keeps for reuse.";
    "group.min.session.timeout.ms": Int = "6000", Any, Medium, ReadOnly, Acts,
        "The shortest session timeout that a classic member may ask for.";
    "group.max.session.timeout.ms": Int = "1800000", Any, Medium, ReadOnly, Acts,
        "The longest session timeout that a classic member may ask for.";
    "group.initial.rebalance.delay.ms": Int = "3000", Any, Medium, ReadOnly, Acts,
        "How long an empty classic group waits for more members before its first rebalance.";
    "group.max.size": Int = "2147483647", AtLeast(1), Medium, ReadOnly, Acts,
        "The most members of a classic group.";
    "offsets.commit.timeout.ms": Int = "5000", AtLeast(1), High, ReadOnly, Acts,
        "How long a commit of offsets waits for the replicas.";
    "offsets.load.buffer.size": Int = "5242880", AtLeast(1), High, ReadOnly, Acts,
        "Bytes read at a time when a coordinator loads its groups.";
    "offsets.topic.replication.factor": Short = "3", AtLeast(1), High, ReadOnly, Acts,
        "Replicas of the topic that holds the groups' offsets. Unset, it is 3, or as many as there are brokers when \
         the first group comes; a number that was set is never lowered.";
    "offsets.topic.num.partitions": Int = "50", AtLeast(1), High, ReadOnly, Acts,
        "Partitions of the topic that holds the groups' offsets; not to be changed once it exists.";
    "offsets.topic.segment.bytes": Int = "104857600", AtLeast(1), High, ReadOnly, Acts,
        "The segment size of the topic that holds the groups' offsets.";
    "offsets.topic.compression.codec": Int = "0", Between(0, 4), High, ReadOnly, Acts,
        "The codec in which groups' records are written: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.";
    "offset.metadata.max.bytes": Int = "4096", Any, High, ReadOnly, Acts,
        "The most bytes of text that a commit may carry.";
    "offsets.retention.minutes": Int = "10080", AtLeast(1), High, ReadOnly, Acts,
        "How long an empty group's offsets are kept.";
    "offsets.retention.check.interval.ms": Long = "600000", AtLeast(1), High, ReadOnly, Acts,
        "How often offsets are looked through for expired ones.";
    "group.consumer.session.timeout.ms": Int = "45000", AtLeast(1), Medium, ReadOnly, Later,
        "A consumer-group member silent for this long is removed.";
    "group.consumer.min.session.timeout.ms": Int = "45000", AtLeast(1), Medium, ReadOnly, Later,
        "The least session timeout that a consumer group may be given.";
    "group.consumer.max.session.timeout.ms": Int = "60000", AtLeast(1), Medium, ReadOnly, Later,
        "The greatest session timeout that a consumer group may be given.";
    "group.consumer.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium, ReadOnly, Later,
        "How often consumer-group members report.";
    "group.consumer.min.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium, ReadOnly, Later,
        "The least heartbeat interval that a consumer group may be given.";
    "group.consumer.max.heartbeat.interval.ms": Int = "15000", AtLeast(1), Medium, ReadOnly, Later,
        "The greatest heartbeat interval that a consumer group may be given.";
    "group.consumer.max.size": Int = "2147483647", AtLeast(1), Medium, ReadOnly, Later,
        "The most members of a consumer group.";
    "group.consumer.assignors": List = "uniform,range", NonEmpty, Medium, ReadOnly, Later,
        "The assignors on the broker's side; the first is the default.";
    "group.consumer.migration.policy": String = "bidirectional",
        OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]), Medium, ReadOnly, Later,
        "Which moves between classic and consumer protocol a group may make while it has members.";
    "group.consumer.assignment.interval.ms": Int = "1000", AtLeast(0), Medium, ClusterWide, Later,
        "The least time between two assignments of a consumer group.";
    "group.consumer.min.assignment.interval.ms": Int = "0", AtLeast(0), Medium, ReadOnly, Later,
        "The least assignment interval that a consumer group may be given.";
    "group.consumer.max.assignment.interval.ms": Int = "15000", AtLeast(0), Medium, ReadOnly, Later,
        "The greatest assignment interval that a consumer group may be given.";
    "group.consumer.regex.refresh.interval.ms": Int = "600000", AtLeast(10_000), Medium, ReadOnly, Later,
        "How often patterns of topic names are matched again.";
    "group.share.session.timeout.ms": Int = "45000", AtLeast(1), Medium, ReadOnly, Later,
        "A share-group member silent for this long is removed.";
    "group.share.min.session.timeout.ms": Int = "45000", AtLeast(1), Medium, ReadOnly, Later,
        "The least session timeout that a share group may be given.";
    "group.share.max.session.timeout.ms": Int = "60000", AtLeast(1), Medium, ReadOnly, Later,
        "The greatest session timeout that a share group may be given.";
    "group.share.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium, ReadOnly, Later,
        "How often share-group members report.";
    "group.share.min.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium, ReadOnly, Later,
        "The least heartbeat interval that a share group may be given.";
    "group.share.max.heartbeat.interval.ms": Int = "15000", AtLeast(1), Medium, ReadOnly, Later,
        "The greatest heartbeat interval that a share group may be given.";
    "group.share.max.size": Int = "200", Between(1, 1_000), Medium, ReadOnly, Later,
        "The most members of a share group.";
    "group.share.assignors": List = "simple", NonEmpty, Medium, ReadOnly, Later,
        "The assignors of share groups.";
    "group.share.assignment.interval.ms": Int = "1000", AtLeast(0), Medium, ClusterWide, Later,
        "The least time between two assignments of a share group.";
    "group.share.min.assignment.interval.ms": Int = "0", AtLeast(0), Medium, ReadOnly, Later,
        "The least assignment interval that a share group may be given.";
    "group.share.max.assignment.interval.ms": Int = "15000", AtLeast(0), Medium, ReadOnly, Later,
        "The greatest assignment interval that a share group may be given.";
    "group.share.initialize.retry.interval.ms": Int = "30000", AtLeast(1), Low, ReadOnly, Later,
        "The pause before a share partition's state is initialized again.";
    "group.share.delivery.count.limit": Int = "5", Between(2, 10), Medium, ReadOnly, Later,
        "How often a record is delivered to a share group before it is given up.";
    "group.share.max.delivery.count.limit": Int = "10", Between(5, 25), Medium, ReadOnly, Later,
        "The greatest delivery limit that a share group may be given.";
    "group.share.min.delivery.count.limit": Int = "2", Between(2, 5), Medium, ReadOnly, Later,
        "The least delivery limit that a share group may be given.";
    "group.share.record.lock.duration.ms": Int = "30000", Between(1_000, 3_600_000), Medium, ReadOnly, Later,
        "How long a record stays reserved for the member that acquired it.";
    "group.share.min.record.lock.duration.ms": Int = "15000", Between(1_000, 30_000), Medium, ReadOnly, Later,
        "The least lock duration that a share group may be given.";
    "group.share.max.record.lock.duration.ms": Int = "60000",
        Between(30_000, 3_600_000), Medium, ReadOnly, Later,
        "The greatest lock duration that a share group may be given.";
    "group.share.partition.max.record.locks": Int = "2000", Between(100, 10_000), Medium, ReadOnly, Later,
        "The most records of a share partition that are reserved at once.";
    "group.share.max.partition.max.record.locks": Int = "4000",
        Between(2_000, 10_000), Medium, ReadOnly, Later,
        "The greatest lock limit that a share group may be given.";
    "group.share.min.partition.max.record.locks": Int = "100", Between(100, 2_000), Medium, ReadOnly, Later,
        "The least lock limit that a share group may be given.";
    "share.fetch.purgatory.purge.interval.requests": Int = "1000",
        Any, Medium, ReadOnly, Meaningless(NO_PURGATORY),
        "How many finished share fetches are kept before they are purged.";
    "group.share.max.share.sessions": Int = "2000", AtLeast(1), Medium, ReadOnly, Later,
        "The most share sessions on a broker.";
    "group.share.persister.class.name": String =
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
        Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that persists share groups' state.";
    "share.coordinator.state.topic.num.partitions": Int = "50", AtLeast(1), High, ReadOnly, Later,
        "Partitions of the topic that holds share groups' state.";
    "share.coordinator.state.topic.replication.factor": Short = "3", AtLeast(1), High, ReadOnly, Later,
        "Replicas of the topic that holds share groups' state.";
    "share.coordinator.state.topic.min.isr": Short = "2", AtLeast(1), High, ReadOnly, Later,
        "min.insync.replicas of the topic that holds share groups' state.";
    "share.coordinator.state.topic.segment.bytes": Int = "104857600", AtLeast(1), High, ReadOnly, Later,
        "The segment size of the topic that holds share groups' state.";
    "share.coordinator.state.topic.compression.codec": Int = "0", Any, High, ReadOnly, Later,
        "The codec, by number, of the topic that holds share groups' state.";
    "share.coordinator.state.topic.prune.interval.ms": Int = "300000", AtLeast(1), Low, ReadOnly, Later,
        "How often state that nothing needs any more is pruned.";
    "share.coordinator.threads": Int = "1", AtLeast(1), Medium, ReadOnly, Meaningless(NO_POOLS),
        "Threads of the share coordinator.";
    "share.coordinator.snapshot.update.records.per.snapshot": Int = "500",
        Between(0, 500), Medium, ReadOnly, Later,
        "Update records between two snapshots of a share partition's state.";
    "share.coordinator.load.buffer.size": Int = "5242880", AtLeast(1), High, ReadOnly, Later,
        "Bytes read at a time when a share coordinator loads its state.";
    "share.coordinator.append.linger.ms": Int = "-1", AtLeast(-1), Medium, ReadOnly, Later,
        "How long the share coordinator gathers writes; -1 adapts by itself.";
    "share.coordinator.write.timeout.ms": Int = "5000", AtLeast(1), High, ReadOnly, Later,
        "How long a write of share state waits for the replicas.";
    "share.coordinator.cold.partition.snapshot.interval.ms": Int = "300000", AtLeast(1), Low, ReadOnly, Later,
        "How often the state of an idle share partition is written as a snapshot.";
    "share.coordinator.cached.buffer.max.bytes": Int = "1048588",
        AtLeast(524_288), Medium, ClusterWide, Later,
        "The largest write buffer that the share coordinator keeps for reuse.";
    "group.streams.session.timeout.ms": Int = "45000", AtLeast(1), Medium, ReadOnly, Later,
        "A streams-group member silent for this long is removed.";
    "group.streams.min.session.timeout.ms": Int = "45000", AtLeast(1), Medium, ReadOnly, Later,
        "The least session timeout that a streams group may be given.";
    "group.streams.max.session.timeout.ms": Int = "60000", AtLeast(1), Medium, ReadOnly, Later,
        "The greatest session timeout that a streams group may be given.";
    "group.streams.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium, ReadOnly, Later,
        "How often streams-group members report.";
    "group.streams.min.heartbeat.interval.ms": Int = "5000", AtLeast(1), Medium, ReadOnly, Later,
        "The least heartbeat interval that a streams group may be given.";
    "group.streams.max.heartbeat.interval.ms": Int = "15000", AtLeast(1), Medium, ReadOnly, Later,
        "The greatest heartbeat interval that a streams group may be given.";
    "group.streams.max.size": Int = "2147483647", AtLeast(1), Medium, ReadOnly, Later,
        "The most members of a streams group.";
    "group.streams.num.standby.replicas": Int = "0", AtLeast(0), Medium, ReadOnly, Later,
        "Standby copies of each task of a streams group.";
    "group.streams.max.standby.replicas": Int = "2", AtLeast(0), Medium, ReadOnly, Later,
        "The most standby copies that a streams group may be given.";
    "group.streams.initial.rebalance.delay.ms": Int = "3000", AtLeast(0), Medium, ReadOnly, Later,
        "How long a new streams group waits for more members.";
    "group.streams.assignment.interval.ms": Int = "1000", AtLeast(0), Medium, ClusterWide, Later,
        "The least time between two assignments of a streams group.";
    "group.streams.min.assignment.interval.ms": Int = "0", AtLeast(0), Medium, ReadOnly, Later,
        "The least assignment interval that a streams group may be given.";
    "group.streams.max.assignment.interval.ms": Int = "15000", AtLeast(0), Medium, ReadOnly, Later,
        "The greatest assignment interval that a streams group may be given.";
}
