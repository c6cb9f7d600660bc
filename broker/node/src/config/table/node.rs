//! The broker itself: identity, roles, directories, registration, policies.

use super::keys;
use super::reasons::{NO_JVM, NO_PROVIDERS, NO_UNSTABLE};

keys! {
    "node.id": Int = null, AtLeast(0), High, ReadOnly, Acts,
        "This broker's number, unlike every other broker's; kept for the life of its data.";
    "broker.id": Int = "-1", AtLeast(-1), High, ReadOnly, Acts,
        "An older name of node.id; when both stand, they must agree.";
    "process.roles": List = "broker,controller", ListOf(&["broker", "controller"]), High, ReadOnly, Acts,
        "What this process does; every broker of Gregor is also a possible voter, so both roles belong \
         together.";
    "broker.rack": String = null, NonEmpty, Medium, ReadOnly, Acts,
        "The failure domain that this broker stands in, such as an availability zone; replicas are spread \
         over racks.";
    "log.dir": List = "/tmp/kafka-logs", NonEmpty, High, ReadOnly, Acts,
        "The log directories, where log.dirs does not name them.";
    "log.dirs": List = null, NonEmpty, High, ReadOnly, Acts,
        "The directories that hold the data, separated by commas; each has one broker at a time.";
    "cordoned.log.dirs": List = "", Any, Medium, PerBroker, Acts,
        "Directories that take no new replicas (KIP-1066); `*` cordons all.";
    "log.dir.failure.timeout.ms": Long = "30000", AtLeast(1), Low, ReadOnly, Later,
        "How long a broker whose directory failed tries to tell the controller before it stops.";
    "num.partitions": Int = "1", AtLeast(1), Medium, ReadOnly, Acts,
        "Partitions of a topic that is created without a count.";
    "default.replication.factor": Int = "1", AtLeast(1), Medium, ReadOnly, Acts,
        "Replicas of a topic that is created without a count.";
    "auto.create.topics.enable": Boolean = "true", Any, High, ReadOnly, Acts,
        "Whether asking for an unknown topic's metadata creates it, where the client allows that.";
    "delete.topic.enable": Boolean = "true", Any, High, ReadOnly, Acts,
        "Whether DeleteTopics deletes; else it is refused.";
    "create.topic.policy.class.name": Class = null, Any, Low, ReadOnly, Fixed(NO_JVM),
        "A Java class that may refuse new topics.";
    "alter.config.policy.class.name": Class = null, Any, Low, ReadOnly, Fixed(NO_JVM),
        "A Java class that may refuse changes of configuration.";
    "config.providers": List = "", Any, Low, ClusterWide, Fixed(NO_PROVIDERS),
        "Names of Java classes that fill in ${...} in values.";
    "initial.broker.registration.timeout.ms": Int = "60000", Any, Medium, ReadOnly, Later,
        "How long a starting broker tries to register before it gives up.";
    "broker.heartbeat.interval.ms": Int = "500", Any, Medium, ReadOnly, Later,
        "How often a broker tells the controller that it lives; Kafka's default is 2000.";
    "broker.session.timeout.ms": Int = "3000", Any, Medium, ReadOnly, Later,
        "A broker silent for this long is fenced; Kafka's default is 9000.";
    "controlled.shutdown.enable": Boolean = "true", Any, Medium, ReadOnly, Later,
        "Whether leadership moves away before the broker stops.";
    "server.max.startup.time.ms": Long = "9223372036854775807", AtLeast(0), Medium, ReadOnly, Later,
        "How long starting may take before the broker gives up.";
    "unstable.api.versions.enable": Boolean = "false", Any, High, ReadOnly, Meaningless(NO_UNSTABLE),
        "Whether API versions that are still being designed are offered.";
    "unstable.feature.versions.enable": Boolean = "false", Any, High, ReadOnly, Meaningless(NO_UNSTABLE),
        "Whether feature versions that are still being designed are offered.";
}
