//! Every metric, declared once: name, kind, labels, help. Names follow Prometheus' conventions: the unit in the
//! name, `_total` at the end of a counter, base units (seconds, bytes).

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows while the process lives.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// The name that is scraped.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The names of its labels; each has few values, except a partition's.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal $labels:tt $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &$labels, help: $help };
        )*

        /// All of them.
        pub static ALL: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    BUILD_INFO: Gauge "gregor_build_info" ["version"] "Always 1; the label says which version runs.";
    BROKER_ID: Gauge "gregor_broker_id" [] "This broker's number, node.id.";
    UNFENCED: Gauge "gregor_broker_unfenced" [] "1 while the broker may lead partitions, else 0.";

    REQUESTS: Counter "gregor_requests_total" ["api"] "Requests that arrived, by API.";
    REQUEST_SECONDS: Histogram "gregor_request_duration_seconds" ["api"]
        "Time from when a request was taken up until its answer was written, waiting for records or replicas \
         included, by API.";
    REQUEST_ERRORS: Counter "gregor_request_errors_total" ["api", "error"]
        "Error codes that Produce and Fetch answered, one for each partition that had one.";
    RECEIVED_BYTES: Counter "gregor_network_receive_bytes_total" [] "Bytes of requests of clients that were taken up.";
    SENT_BYTES: Counter "gregor_network_transmit_bytes_total" [] "Bytes of answers that clients' sockets took.";

    CONNECTIONS: Gauge "gregor_connections" [] "Connections of clients that are open.";
    CONNECTIONS_OPENED: Counter "gregor_connections_opened_total" [] "Connections that were accepted.";
    CONNECTIONS_REFUSED: Counter "gregor_connections_refused_total" []
        "Connections that were closed at once because a limit was reached.";
    CONNECTIONS_MISUSED: Counter "gregor_connections_misused_total" []
        "Connections that were closed because of what the client sent.";
    CONNECTIONS_IDLE: Counter "gregor_connections_idle_total" []
        "Connections that were closed because nothing moved on them for connections.max.idle.ms.";
    FETCH_SESSIONS: Gauge "gregor_fetch_sessions" [] "Incremental fetch sessions that are kept.";
    FETCH_SESSIONS_EVICTED: Counter "gregor_fetch_sessions_evicted_total" []
        "Incremental fetch sessions that made room for others.";
    PARKED_REQUESTS: Gauge "gregor_parked_requests" [] "Requests that wait for records or replicas.";
    REQUEST_MEMORY_BYTES: Gauge "gregor_request_memory_bytes" []
        "Memory for requests that are being received or wait for earlier ones.";

    APPENDED_BATCHES: Counter "gregor_appended_batches_total" [] "Record batches that producers appended.";
    APPENDED_RECORDS: Counter "gregor_appended_records_total" [] "Records that producers appended.";
    APPENDED_BYTES: Counter "gregor_appended_bytes_total" []
        "Bytes of record batches that producers appended, as stored.";
    REJECTED_BATCHES: Counter "gregor_rejected_batches_total" [] "Record batches that failed their check.";
    PRODUCE_ROUND_REQUESTS: Counter "gregor_produce_round_requests_total" []
        "Produce requests that went into rounds; several of one connection share a round.";
    PRODUCE_ROUND_APPENDS: Counter "gregor_produce_round_appends_total" [] "Appends that such rounds came to.";
    FETCHED_BYTES: Counter "gregor_fetched_bytes_total" [] "Bytes of record batches that were sent to consumers.";
    PARKED_FETCHES: Counter "gregor_parked_fetches_total" [] "Fetches that had to wait for records.";
    COLD_READS: Counter "gregor_cold_reads_total" [] "Reads of records that were not in the page cache.";

    SYNCS: Counter "gregor_log_syncs_total" [] "Syncs of partitions' logs to disk; a round syncs many.";
    SYNC_SECONDS: Counter "gregor_log_sync_seconds_total" [] "Time spent in rounds of such syncs.";
    WRITE_STALL_SECONDS: Counter "gregor_log_write_stall_seconds_total" []
        "Time for which writes to files stood still, beyond the first few milliseconds of each.";
    DELETED_SEGMENTS: Counter "gregor_log_deleted_segments_total" [] "Segments that retention deleted.";
    UNSYNCED_BYTES: Gauge "gregor_log_unsynced_bytes" ["directory"]
        "Bytes of records that were appended since the last sync of their partition began, by log directory.";
    DAMAGED_BYTES: Gauge "gregor_log_damaged_bytes" ["directory"]
        "Bytes of logs found since the start not to be what was written, which are not served, by log directory.";
    DIRECTORY_OFFLINE: Gauge "gregor_log_directory_offline" ["directory"]
        "1 while a log directory is offline after a failure, else 0.";
    DIRECTORY_FREE_BYTES: Gauge "gregor_log_directory_free_bytes" ["directory"]
        "Free space of a log directory's file system.";
    DIRECTORY_USED_BYTES: Gauge "gregor_log_directory_used_bytes" ["directory"]
        "Bytes of the partitions' segments in a log directory.";
    DIRECTORY_FULL: Gauge "gregor_log_directory_full" ["directory"]
        "1 while appends to a log directory are refused for want of space, else 0.";
    OPEN_FILES: Gauge "gregor_log_open_files" [] "Segment and index files that are open.";
    RECOVERING_PARTITIONS: Gauge "gregor_log_recovering_partitions" [] "Partitions that are being recovered.";

    TOPICS: Gauge "gregor_topics" [] "Topics of the cluster.";
    PARTITIONS: Gauge "gregor_partitions" [] "Partitions that this broker holds a replica of.";
    LEADERS: Gauge "gregor_partition_leaders" [] "Partitions that this broker leads.";
    UNDER_REPLICATED: Gauge "gregor_partitions_under_replicated" []
        "Partitions led by this broker whose in-sync replicas are fewer than their replicas.";
    UNDER_MIN_ISR: Gauge "gregor_partitions_under_min_isr" []
        "Partitions led by this broker whose in-sync replicas are fewer than min.insync.replicas.";
    UNLISTED_PARTITIONS: Gauge "gregor_partitions_without_series" []
        "Partitions that have no series of their own, because there are too many.";
    LOG_START_OFFSET: Gauge "gregor_partition_log_start_offset" ["topic", "partition"]
        "The first offset that the partition holds.";
    HIGH_WATERMARK: Gauge "gregor_partition_high_watermark" ["topic", "partition"]
        "The offset up to which consumers read, exclusive.";
    LOG_END_OFFSET: Gauge "gregor_partition_log_end_offset" ["topic", "partition"]
        "The offset that the next record gets.";
    LOG_SIZE_BYTES: Gauge "gregor_partition_size_bytes" ["topic", "partition"]
        "Bytes of the partition's segments.";
    LEADER_EPOCH: Gauge "gregor_partition_leader_epoch" ["topic", "partition"] "The partition's leader epoch.";
    IS_LEADER: Gauge "gregor_partition_is_leader" ["topic", "partition"]
        "1 where this broker leads the partition, else 0.";

    GROUPS: Gauge "gregor_groups" ["state"] "Groups that this broker coordinates, by state.";
    GROUP_MEMBERS: Gauge "gregor_group_members" [] "Members of groups that this broker coordinates.";
    GROUP_OFFSETS: Gauge "gregor_group_offsets" []
        "Partitions for which groups that this broker coordinates have committed offsets.";
    GROUP_REBALANCES: Counter "gregor_group_rebalances_total" [] "Rebalances of groups that were completed.";
    GROUP_OFFSET_COMMITS: Counter "gregor_group_offset_commits_total" []
        "Offsets that groups committed, one for each partition.";
    GROUP_OFFSET_EXPIRATIONS: Counter "gregor_group_offset_expirations_total" []
        "Committed offsets that were past their retention and were forgotten.";
    GROUP_IGNORED_RECORDS: Gauge "gregor_group_ignored_records" []
        "Records of groups that could not be read when they were loaded.";
    GROUP_LAG_RECORDS: Gauge "gregor_group_lag_records" ["group", "topic", "partition"]
        "Records of a partition that a group has not read, by what it has committed.";
    GROUP_LAG_SECONDS: Gauge "gregor_group_lag_seconds" ["group", "topic", "partition"]
        "Time since the timestamp of the first record of a partition that a group has not read; 0 when it has read \
         all. Missing while it is not known.";
    UNLISTED_GROUP_PARTITIONS: Gauge "gregor_group_partitions_without_series" []
        "Partitions of groups whose lag is not shown: above metrics.group.partitions.max, or not held by this broker.";

    QUORUM_LEADER: Gauge "gregor_quorum_is_leader" [] "1 while this broker is the active controller, else 0.";
    QUORUM_TERM: Gauge "gregor_quorum_term" [] "The metadata quorum's term.";
    QUORUM_COMMITTED_OFFSET: Gauge "gregor_quorum_committed_offset" []
        "The offset up to which metadata is committed, exclusive.";
    QUORUM_APPLIED_OFFSET: Gauge "gregor_quorum_applied_offset" []
        "The offset up to which this broker applied metadata, exclusive.";

    LOOP_AGE_SECONDS: Gauge "gregor_event_loop_heartbeat_age_seconds" ["loop"]
        "Time for which an event loop has stood still, waiting for a disk or for something to do aside.";
    SCRAPE_SECONDS: Gauge "gregor_scrape_duration_seconds" [] "How long the previous scrape took.";

    PROCESS_CPU_SECONDS: Counter "process_cpu_seconds_total" [] "User and system time of the process.";
    PROCESS_RESIDENT_BYTES: Gauge "process_resident_memory_bytes" []
        "Memory of the process that is in use, mapped files included.";
    PROCESS_ANONYMOUS_BYTES: Gauge "gregor_process_anonymous_memory_bytes" []
        "Memory of the process that no file backs.";
    PROCESS_VIRTUAL_BYTES: Gauge "process_virtual_memory_bytes" [] "Address space of the process.";
    PROCESS_THREADS: Gauge "process_threads" [] "Threads of the process.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [] "Open file descriptors.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" [] "The limit of open file descriptors.";
    PROCESS_START_SECONDS: Gauge "process_start_time_seconds" [] "Start of the process since 1970 in seconds.";
}
