//! The configuration as the broker uses it: one field for each key that acts.
//!
//! A field has its key's name, with dots as underscores, and its unit. `None` stands where Kafka writes null or
//! -1 for "no limit".

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use protocol::id::{BrokerId, Uuid};

use super::addresses::{advertised_listeners, client_listeners, http_listen, ip_overrides};
use super::identity::{check_quorum, cluster_id, cordoned_log_dirs, log_dirs, node_id};
use super::listener::Listener;
use super::problem::Problem;
use super::typed::Typed;
use super::values::Values;

macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $read:expr;)*) => {
        /// One broker's configuration. Each field carries the documentation of its key in [`super::table`].
        #[derive(Debug, Clone)]
        pub struct Config {
            $($(#[$doc])* pub $field: $type,)*
            values: Values,
        }

        impl Config {
            fn build(values: Values, problems: &mut Vec<Problem>) -> Self {
                let mut typed = Typed::new(&values, problems);
                let typed = &mut typed;
                $(let $field = { let read: fn(&mut Typed<'_>) -> $type = $read; read(typed) };)*
                Self { $($field,)* values }
            }
        }
    };
}

config! {
    /// `node.id`, or `broker.id`.
    node_id: BrokerId = node_id;
    /// `cluster.id`; `None` lets a new cluster choose one.
    cluster_id: Option<Uuid> = cluster_id;
    /// `broker.rack`.
    broker_rack: Option<String> = |t| t.text("broker.rack").map(str::to_owned);
    /// `listeners` without those of the controller: where clients connect. Never empty.
    listeners: Vec<Listener> = client_listeners;
    /// `advertised.listeners`, one for each of `listeners`, in their order. An empty host is filled by
    /// [`Config::advertise`], a port 0 by [`Config::bound`].
    advertised_listeners: Vec<Listener> = advertised_listeners;
    /// `http.listen` as host and port; `None` is off.
    http_listen: Option<(String, u16)> = http_listen;
    /// `log.dirs`, or `log.dir`. Never empty, each once.
    log_dirs: Vec<PathBuf> = log_dirs;
    /// `cordoned.log.dirs`, with `*` as all of `log.dirs`.
    cordoned_log_dirs: Vec<PathBuf> = cordoned_log_dirs;
    /// `worker.threads`; `None` is one for each core.
    worker_threads: Option<usize> = |t| t.limit("worker.threads").filter(|threads| *threads > 0);
    /// `background.threads`.
    background_threads: usize = |t| t.number("background.threads");
    /// `num.recovery.threads.per.data.dir`.
    num_recovery_threads_per_data_dir: usize = |t| t.number("num.recovery.threads.per.data.dir");

    /// `num.partitions`.
    num_partitions: i32 = |t| t.number("num.partitions");
    /// `default.replication.factor`.
    default_replication_factor: i16 = |t| t.number("default.replication.factor");
    /// `min.insync.replicas`.
    min_insync_replicas: i32 = |t| t.number("min.insync.replicas");
    /// `auto.create.topics.enable`.
    auto_create_topics_enable: bool = |t| t.flag("auto.create.topics.enable");
    /// `delete.topic.enable`.
    delete_topic_enable: bool = |t| t.flag("delete.topic.enable");

    /// `socket.request.max.bytes`.
    socket_request_max_bytes: u32 = |t| t.number("socket.request.max.bytes");
    /// `socket.send.buffer.bytes`; `None` leaves the kernel's sizing.
    socket_send_buffer_bytes: Option<u32> = |t| t.limit("socket.send.buffer.bytes");
    /// `socket.receive.buffer.bytes`; `None` leaves the kernel's sizing.
    socket_receive_buffer_bytes: Option<u32> = |t| t.limit("socket.receive.buffer.bytes");
    /// `socket.listen.backlog.size`.
    socket_listen_backlog_size: u32 = |t| t.number("socket.listen.backlog.size");
    /// `max.connections`.
    max_connections: u32 = |t| t.number("max.connections");
    /// `max.connections.per.ip`.
    max_connections_per_ip: u32 = |t| t.number("max.connections.per.ip");
    /// `max.connections.per.ip.overrides`.
    max_connections_per_ip_overrides: BTreeMap<IpAddr, u32> = ip_overrides;
    /// `connections.max.idle.ms`; `None` keeps idle connections.
    connections_max_idle_ms: Option<u64> = |t| t.limit("connections.max.idle.ms");
    /// `queued.max.request.bytes`; `None` sets no limit.
    queued_max_request_bytes: Option<u64> = |t| t.limit("queued.max.request.bytes");
    /// `request.timeout.ms`.
    request_timeout_ms: u64 = |t| t.number("request.timeout.ms");
    /// `inflight.requests.per.connection.max`.
    inflight_requests_per_connection_max: usize = |t| t.number("inflight.requests.per.connection.max");
    /// `reply.bytes.per.connection.max`.
    reply_bytes_per_connection_max: usize = |t| t.number("reply.bytes.per.connection.max");
    /// `parked.requests.max`.
    parked_requests_max: usize = |t| t.number("parked.requests.max");
    /// `warm.jobs.max`.
    warm_jobs_max: usize = |t| t.number("warm.jobs.max");
    /// `open.files.max`.
    open_files_max: usize = |t| t.number("open.files.max");
    /// `fetch.max.bytes`.
    fetch_max_bytes: u32 = |t| t.number("fetch.max.bytes");
    /// `max.incremental.fetch.session.cache.slots`.
    max_incremental_fetch_session_cache_slots: usize =
        |t| t.number("max.incremental.fetch.session.cache.slots");
    /// `max.request.partition.size.limit`.
    max_request_partition_size_limit: usize = |t| t.number("max.request.partition.size.limit");
    /// `telemetry.max.bytes`.
    telemetry_max_bytes: i32 = |t| t.number("telemetry.max.bytes");

    /// `group.min.session.timeout.ms`.
    group_min_session_timeout_ms: i32 = |t| t.number("group.min.session.timeout.ms");
    /// `group.max.session.timeout.ms`.
    group_max_session_timeout_ms: i32 = |t| t.number("group.max.session.timeout.ms");
    /// `group.initial.rebalance.delay.ms`.
    group_initial_rebalance_delay_ms: i32 = |t| t.number("group.initial.rebalance.delay.ms");
    /// `group.max.size`.
    group_max_size: i32 = |t| t.number("group.max.size");
    /// `offsets.commit.timeout.ms`.
    offsets_commit_timeout_ms: u64 = |t| t.number("offsets.commit.timeout.ms");
    /// `offsets.load.buffer.size`.
    offsets_load_buffer_size: u32 = |t| t.number("offsets.load.buffer.size");
    /// `offsets.topic.replication.factor`; `None` where it is not set, and so many as there are brokers.
    offsets_topic_replication_factor: Option<i16> =
        |t| t.is_set("offsets.topic.replication.factor").then(|| t.number("offsets.topic.replication.factor"));
    /// `offsets.topic.num.partitions`.
    offsets_topic_num_partitions: i32 = |t| t.number("offsets.topic.num.partitions");
    /// `offsets.topic.segment.bytes`.
    offsets_topic_segment_bytes: i32 = |t| t.number("offsets.topic.segment.bytes");
    /// `offsets.topic.compression.codec`.
    offsets_topic_compression_codec: i16 = |t| t.number("offsets.topic.compression.codec");
    /// `offset.metadata.max.bytes`.
    offset_metadata_max_bytes: i32 = |t| t.number("offset.metadata.max.bytes");
    /// `offsets.retention.minutes`.
    offsets_retention_minutes: i32 = |t| t.number("offsets.retention.minutes");
    /// `offsets.retention.check.interval.ms`.
    offsets_retention_check_interval_ms: u64 = |t| t.number("offsets.retention.check.interval.ms");
    /// `metrics.group.partitions.max`.
    metrics_group_partitions_max: usize = |t| t.number("metrics.group.partitions.max");

    /// `decompressed.batch.bytes.max`.
    decompressed_batch_bytes_max: usize = |t| t.number("decompressed.batch.bytes.max");
    /// `log.retention.ms`, or `log.retention.minutes`, or `log.retention.hours`; `None` keeps all.
    log_retention_ms: Option<u64> = log_retention_ms;
    /// `log.retention.check.interval.ms`.
    log_retention_check_interval_ms: u64 = |t| t.number("log.retention.check.interval.ms");
    /// `background.sync.interval.ms`.
    background_sync_interval_ms: u64 = |t| t.number("background.sync.interval.ms");
    /// `background.sync.bytes`.
    background_sync_bytes: u64 = |t| t.number("background.sync.bytes");
    /// `log.dir.free.bytes.min`.
    log_dir_free_bytes_min: u64 = |t| t.number("log.dir.free.bytes.min");
    /// `log.dir.reserved.bytes`.
    log_dir_reserved_bytes: u64 = |t| t.number("log.dir.reserved.bytes");

    /// `producer.id.expiration.ms`.
    producer_id_expiration_ms: u64 = |t| t.number("producer.id.expiration.ms");
    /// `producer.id.expiration.check.interval.ms`.
    producer_id_expiration_check_interval_ms: u64 = |t| t.number("producer.id.expiration.check.interval.ms");

    /// `metadata.log.max.record.bytes.between.snapshots`.
    metadata_log_max_record_bytes_between_snapshots: u64 =
        |t| t.number("metadata.log.max.record.bytes.between.snapshots");
}

impl Config {
    /// Reads a file's text and `--set` pairs, which win over it.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the file.
    pub fn load(
        properties_text: &str,
        file_name: &str,
        overrides: &[(String, String)],
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let values = Values::read(properties_text, file_name, overrides, &mut problems);
        Self::checked(values, problems)
    }

    /// What `gregor dev` starts from: node 1, localhost:9092, HTTP on 127.0.0.1:9090, data in ./gregor-data.
    #[must_use]
    pub fn default_for_dev() -> Self {
        Self::dev(&[]).expect("the defaults of `gregor dev` are valid, which a test shows")
    }

    /// The configuration of `gregor dev` with these pairs over its defaults.
    ///
    /// # Errors
    /// Everything that is wrong with the pairs.
    pub fn dev(overrides: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        Self::load(DEV_PROPERTIES, "gregor dev", overrides)
    }

    /// The same static configuration under other dynamic layers (KIP-226): those for this broker win over those
    /// for all, which win over the file.
    ///
    /// # Errors
    /// Everything that is wrong with the dynamic pairs.
    pub fn with_dynamic(
        &self,
        cluster_wide: &BTreeMap<String, String>,
        per_broker: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut values = self.values.clone();
        values.set_dynamic(cluster_wide, per_broker, &mut problems);
        let mut next = Self::checked(values, problems)?;
        // The shell found these out; no dynamic change moves an open socket.
        next.listeners.clone_from(&self.listeners);
        next.advertised_listeners.clone_from(&self.advertised_listeners);
        Ok(next)
    }

    /// Checks what would be set for one broker or for all, together with the file and what is set for the other of the
    /// two.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check_dynamic(
        &self,
        pairs: &BTreeMap<String, String>,
        one_broker: bool,
    ) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let mut values = self.values.clone();
        values.set_layer(pairs, one_broker, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Self::checked(values, problems).map(|_| ())
    }

    fn checked(values: Values, mut problems: Vec<Problem>) -> Result<Self, Vec<Problem>> {
        check_quorum(&mut Typed::new(&values, &mut problems));
        let config = Self::build(values, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// The values by key and layer.
    #[must_use]
    pub const fn values(&self) -> &Values {
        &self.values
    }

    /// One line for each key that was set and has no effect, for the log at start.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.values.notices()
    }

    /// Fills the advertised addresses that name no host with this machine's name.
    pub fn advertise(&mut self, host: &str) {
        for listener in &mut self.advertised_listeners {
            if listener.host.is_empty() {
                host.clone_into(&mut listener.host);
            }
        }
    }

    /// Says which port a listener got that asked for a free one.
    pub fn bound(&mut self, listener_name: &str, port: u16) {
        let both = self.listeners.iter_mut().chain(&mut self.advertised_listeners);
        for listener in both.filter(|listener| listener.name == listener_name && listener.port == 0) {
            listener.port = port;
        }
    }
}

const DEV_PROPERTIES: &str = "\
node.id=1
listeners=PLAINTEXT://localhost:9092
http.listen=127.0.0.1:9090
log.dirs=gregor-data
";

fn log_retention_ms(typed: &mut Typed<'_>) -> Option<u64> {
    let retention = typed.limit("log.retention.ms");
    if retention == Some(0) {
        typed.wrong("log.retention.ms", "must be -1, which keeps all, or at least 1".to_owned());
    }
    retention
}
