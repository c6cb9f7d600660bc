//! Kafka's log on disk: segments, indexes, recovery, producer state, retention.
