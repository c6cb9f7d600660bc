//! The harness that drives Gregor with real clients, real disks and Apache Kafka beside it.
