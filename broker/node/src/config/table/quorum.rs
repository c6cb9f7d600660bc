//! The metadata quorum: voters, log, snapshots, timeouts.

use super::keys;
use super::reasons::{NO_IDLE_RECORDS, NO_JAVA_METRICS, TESTING_ONLY};

keys! {
    "controller.quorum.voters": List = "", Any, High, ReadOnly, Later,
        "The voters as ID@HOST:PORT, separated by commas.";
    "controller.quorum.bootstrap.servers": List = "", Any, High, ReadOnly, Later,
        "Where a broker finds the quorum, as HOST:PORT, separated by commas.";
    "controller.listener.names": List = null, NonEmpty, High, ReadOnly, Acts,
        "Names of the listeners that belong to the quorum; clients are not told of them, and a quorum of \
         one opens none.";
    "sasl.mechanism.controller.protocol": String = "GSSAPI", Any, High, ReadOnly, Later,
        "The SASL mechanism of connections to the controller.";
    "controller.quorum.election.timeout.ms": Int = "1000", AtLeast(0), High, ReadOnly, Later,
        "How long a voter waits for a leader before it stands for election.";
    "controller.quorum.fetch.timeout.ms": Int = "2000", AtLeast(0), High, ReadOnly, Later,
        "How long a voter goes on without hearing from the leader.";
    "controller.quorum.election.backoff.max.ms": Int = "1000", AtLeast(0), High, ReadOnly, Later,
        "The longest pause after an election that nobody won.";
    "controller.quorum.append.linger.ms": Int = "25", AtLeast(0), Medium, ReadOnly, Later,
        "How long the leader gathers metadata records before it writes them.";
    "controller.quorum.request.timeout.ms": Int = "2000", AtLeast(0), Medium, ReadOnly, Later,
        "How long a request between voters waits for its answer.";
    "controller.quorum.retry.backoff.ms": Int = "20", AtLeast(0), Low, ReadOnly, Later,
        "The pause before a failed request between voters is repeated.";
    "controller.quorum.auto.join.enable": Boolean = "false", Any, Low, ReadOnly, Later,
        "Whether a new controller asks by itself to become a voter.";
    "controller.quorum.fetch.snapshot.max.bytes": Int = "1048576", AtLeast(1), Low, ReadOnly, Later,
        "The most bytes of a metadata snapshot in one answer.";
    "controller.quorum.fetch.max.bytes": Int = "1048576", AtLeast(1), Low, ReadOnly, Later,
        "The most bytes of metadata log in one answer.";
    "controller.performance.sample.period.ms": Long = "60000",
        AtLeast(100), Medium, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "The window over which controller events are timed.";
    "controller.performance.always.log.threshold.ms": Long = "2000",
        AtLeast(0), Medium, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "Controller events slower than this are logged.";
    "metadata.log.dir": String = null, NonEmpty, High, ReadOnly, Later,
        "The directory of the metadata log; by default the first log directory.";
    "metadata.log.max.record.bytes.between.snapshots": Long = "20971520", AtLeast(1), High, ReadOnly, Acts,
        "Bytes of metadata records after which a snapshot is written.";
    "metadata.log.max.snapshot.interval.ms": Long = "3600000", AtLeast(0), High, ReadOnly, Later,
        "The longest time between two metadata snapshots while there is anything new; 0 writes none by \
         time.";
    "metadata.log.segment.bytes": Int = "1073741824", AtLeast(8_388_608), High, ReadOnly, Later,
        "The size of a segment of the metadata log.";
    "metadata.log.segment.ms": Long = "604800000", Any, High, ReadOnly, Later,
        "The age at which a segment of the metadata log is closed.";
    "metadata.max.retention.bytes": Long = "104857600", Any, High, ReadOnly, Later,
        "Metadata log and snapshots together are trimmed to this size, as far as snapshots allow.";
    "metadata.max.retention.ms": Long = "604800000", Any, High, ReadOnly, Later,
        "Metadata older than this may go once a snapshot holds it.";
    "metadata.max.idle.interval.ms": Int = "500", AtLeast(0), Low, ReadOnly, Meaningless(NO_IDLE_RECORDS),
        "How often an idle controller writes an empty record.";
    "internal.metadata.log.segment.bytes": Int = null, Any, Low, ReadOnly, Meaningless(TESTING_ONLY),
        "A testing override of the metadata log's segment size.";
    "internal.metadata.max.batch.size.in.bytes": Int = "8388608",
        Any, Low, ReadOnly, Meaningless(TESTING_ONLY),
        "A testing override of the metadata log's batch size.";
    "internal.metadata.delete.delay.millis": Long = "60000", Any, Low, ReadOnly, Meaningless(TESTING_ONLY),
        "A testing override of the delay before metadata files are removed.";
}
