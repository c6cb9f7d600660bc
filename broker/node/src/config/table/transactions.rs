//! Producers and transactions.

use super::keys;

keys! {
    "producer.id.expiration.ms": Int = "86400000", AtLeast(1), Low, ClusterWide, Acts,
        "An idempotent producer that wrote nothing to a partition for this long is forgotten there.";
    "producer.id.expiration.check.interval.ms": Int = "600000", AtLeast(1), Low, ReadOnly, Acts,
        "How often producers are looked through for forgotten ones.";
    "transactional.id.expiration.ms": Int = "604800000", AtLeast(1), High, ReadOnly, Later,
        "A transactional id unused for this long is forgotten.";
    "transaction.max.timeout.ms": Int = "900000", AtLeast(1), High, ReadOnly, Later,
        "The longest transaction timeout that a producer may ask for.";
    "transaction.state.log.min.isr": Int = "2", AtLeast(1), High, ReadOnly, Later,
        "min.insync.replicas of the topic that holds the transactions' state.";
    "transaction.state.log.load.buffer.size": Int = "5242880", AtLeast(1), High, ReadOnly, Later,
        "Bytes read at a time when a coordinator loads its transactions.";
    "transaction.state.log.replication.factor": Short = "3", AtLeast(1), High, ReadOnly, Later,
        "Replicas of the topic that holds the transactions' state.";
    "transaction.state.log.num.partitions": Int = "50", AtLeast(1), High, ReadOnly, Later,
        "Partitions of the topic that holds the transactions' state; not to be changed once it exists.";
    "transaction.state.log.segment.bytes": Int = "104857600", AtLeast(1), High, ReadOnly, Later,
        "The segment size of the topic that holds the transactions' state.";
    "transaction.partition.verification.enable": Boolean = "true", Any, Low, ClusterWide, Later,
        "Whether a transactional append is checked against its coordinator.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int = "10000",
        AtLeast(1), Low, ReadOnly, Later,
        "How often transactions are looked through for timed-out ones.";
    "transaction.remove.expired.transaction.cleanup.interval.ms": Int = "3600000",
        AtLeast(1), Low, ReadOnly, Later,
        "How often transactional ids are looked through for expired ones.";
    "transaction.two.phase.commit.enable": Boolean = "false", Any, Low, ReadOnly, Later,
        "Whether transactions may be prepared for an outside coordinator (KIP-939).";
    "add.partitions.to.txn.retry.backoff.max.ms": Int = "100", AtLeast(0), High, ReadOnly, Later,
        "How long the broker waits in all for a transaction's previous end before it answers.";
    "add.partitions.to.txn.retry.backoff.ms": Int = "20", AtLeast(1), High, ReadOnly, Later,
        "The pause between two tries to begin a transaction whose previous one is ending.";
}
