//! Bounds that no configuration key sets.

/// Partitions that one CreateTopics or CreatePartitions request may make in all (as Kafka's
/// ReplicationControlManager, KIP-599's follow-up).
pub const PARTITIONS_PER_REQUEST_MAX: i32 = 10_000;

/// Partitions that one Fetch, ListOffsets or OffsetForLeaderEpoch may name. Each takes about 500 bytes while the request
/// is served, and 16 in its frame: a frame of 100 MB could name six million.
pub const REQUEST_PARTITIONS_MAX: usize = 200_000;

/// Producers that one DescribeProducers answer may have, over all its partitions: about 40 bytes each.
pub const DESCRIBED_PRODUCERS_MAX: usize = 1_000_000;

/// Connections of the HTTP endpoint that are open at once; a Prometheus server keeps one or two.
pub const HTTP_CONNECTIONS_MAX: usize = 64;

/// Seconds after which a connection of the HTTP endpoint is closed when nothing moves on it. Prometheus scrapes
/// every 15 to 60 s over one connection.
pub const HTTP_IDLE_SECONDS_MAX: u64 = 120;

/// Partitions that have series of their own in one scrape; above it only totals are served, so that a scrape
/// stays under a few tens of megabytes.
pub const METRICS_PARTITIONS_MAX: usize = 50_000;

/// Milliseconds for which an event loop may stand still outside a marked write before the process counts as dead.
pub const HEARTBEAT_AGE_MS_MAX: u64 = 10_000;
