//! Metrics and quotas.

use super::keys;
use super::reasons::{NO_JAVA_METRICS, NO_JVM};

keys! {
    "metrics.num.samples": Int = "2", AtLeast(1), Low, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "Samples kept for each of Kafka's own metrics.";
    "metrics.sample.window.ms": Long = "30000", AtLeast(1), Low, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "The window of each such sample.";
    "metric.reporters": List = "org.apache.kafka.common.metrics.JmxReporter",
        Any, Low, ClusterWide, Meaningless(NO_JAVA_METRICS),
        "Java classes that report metrics.";
    "metrics.recording.level": String = "INFO",
        OneOf(&["INFO", "DEBUG", "TRACE"]), Low, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "How much Kafka's own metrics record.";
    "kafka.metrics.reporters": List = "", Any, Low, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "Java classes that report the older metrics.";
    "kafka.metrics.polling.interval.secs": Int = "10",
        AtLeast(1), Low, ReadOnly, Meaningless(NO_JAVA_METRICS),
        "How often those reporters poll.";
    "telemetry.max.bytes": Int = "1048576", AtLeast(1), Low, ReadOnly, Acts,
        "The most bytes of telemetry that a client may push at once (KIP-714).";
    "quota.window.num": Int = "11", AtLeast(1), Low, ReadOnly, Later,
        "Windows over which a client's rate is measured.";
    "quota.window.size.seconds": Int = "1", AtLeast(1), Low, ReadOnly, Later,
        "The length of each such window.";
    "replication.quota.window.num": Int = "11", AtLeast(1), Low, ReadOnly, Later,
        "Windows over which replication's rate is measured.";
    "replication.quota.window.size.seconds": Int = "1", AtLeast(1), Low, ReadOnly, Later,
        "The length of each such window.";
    "alter.log.dirs.replication.quota.window.num": Int = "11", AtLeast(1), Low, ReadOnly, Later,
        "Windows over which moves between directories are measured.";
    "alter.log.dirs.replication.quota.window.size.seconds": Int = "1", AtLeast(1), Low, ReadOnly, Later,
        "The length of each such window.";
    "controller.quota.window.num": Int = "11", AtLeast(1), Low, ReadOnly, Later,
        "Windows over which changes of topics are measured.";
    "controller.quota.window.size.seconds": Int = "1", AtLeast(1), Low, ReadOnly, Later,
        "The length of each such window.";
    "client.quota.callback.class": Class = null, Any, Low, ReadOnly, Fixed(NO_JVM),
        "A Java class that decides quotas.";
}
