//! The configuration as the broker uses it: one field for each key that acts.
//!
//! A field has its key's name, with dots as underscores, and its unit. `None` stands where Kafka writes null or
//! -1 for "no limit".

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use protocol::id::{BrokerId, Uuid};

use super::listener::{Listener, split_host_port};
use super::problem::Problem;
use super::typed::Typed;
use super::values::Values;

/// How compressed batches are checked (`record.validation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordValidation {
    /// Header and checksum.
    Header,
    /// Header, checksum, and every record after decompression.
    Strict,
}

/// Whose clock stamps records (`log.message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}

/// What happens to old segments (`log.cleanup.policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// They are deleted by age and size.
    pub delete: bool,
    /// They are compacted by key.
    pub compact: bool,
}

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
    /// `metadata.log.dir`; by default the first of `log_dirs`.
    metadata_log_dir: PathBuf = |t| {
        let first = || t.list("log.dirs").into_iter().next().unwrap_or_default();
        PathBuf::from(t.text("metadata.log.dir").map_or_else(first, str::to_owned))
    };
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
    /// `inflight.requests.per.connection.max`.
    inflight_requests_per_connection_max: usize = |t| t.number("inflight.requests.per.connection.max");
    /// `inflight.bytes.per.connection.max`.
    inflight_bytes_per_connection_max: usize = |t| t.number("inflight.bytes.per.connection.max");
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

    /// `message.max.bytes`.
    message_max_bytes: u32 = |t| t.number("message.max.bytes");
    /// `record.validation`.
    record_validation: RecordValidation = |t| match t.text("record.validation") {
        Some("strict") => RecordValidation::Strict,
        _ => RecordValidation::Header,
    };
    /// `decompressed.batch.bytes.max`.
    decompressed_batch_bytes_max: usize = |t| t.number("decompressed.batch.bytes.max");
    /// `log.segment.bytes`.
    log_segment_bytes: u32 = |t| t.number("log.segment.bytes");
    /// `log.roll.ms`, or `log.roll.hours`.
    log_roll_ms: u64 = |t| t.number("log.roll.ms");
    /// `log.roll.jitter.ms`, or `log.roll.jitter.hours`.
    log_roll_jitter_ms: u64 = |t| t.number("log.roll.jitter.ms");
    /// `log.retention.ms`, or `log.retention.minutes`, or `log.retention.hours`; `None` keeps all.
    log_retention_ms: Option<u64> = log_retention_ms;
    /// `log.retention.bytes`; `None` sets no limit.
    log_retention_bytes: Option<u64> = |t| t.limit("log.retention.bytes");
    /// `log.retention.check.interval.ms`.
    log_retention_check_interval_ms: u64 = |t| t.number("log.retention.check.interval.ms");
    /// `log.cleanup.policy`.
    log_cleanup_policy: CleanupPolicy = |t| {
        let has = |word: &str| t.list("log.cleanup.policy").iter().any(|policy| policy == word);
        CleanupPolicy { delete: has("delete"), compact: has("compact") }
    };
    /// `log.index.size.max.bytes`.
    log_index_size_max_bytes: u32 = |t| t.number("log.index.size.max.bytes");
    /// `log.index.interval.bytes`.
    log_index_interval_bytes: u32 = |t| t.number("log.index.interval.bytes");
    /// `log.flush.interval.messages`.
    log_flush_interval_messages: u64 = |t| t.number("log.flush.interval.messages");
    /// `log.flush.interval.ms`, or `log.flush.scheduler.interval.ms`.
    log_flush_interval_ms: u64 = |t| t.number("log.flush.interval.ms");
    /// `log.segment.delete.delay.ms`.
    log_segment_delete_delay_ms: u64 = |t| t.number("log.segment.delete.delay.ms");
    /// `log.flush.offset.checkpoint.interval.ms`.
    log_flush_offset_checkpoint_interval_ms: u64 = |t| t.number("log.flush.offset.checkpoint.interval.ms");
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    log_flush_start_offset_checkpoint_interval_ms: u64 =
        |t| t.number("log.flush.start.offset.checkpoint.interval.ms");
    /// `replica.high.watermark.checkpoint.interval.ms`.
    replica_high_watermark_checkpoint_interval_ms: u64 =
        |t| t.number("replica.high.watermark.checkpoint.interval.ms");
    /// `log.initial.task.delay.ms`.
    log_initial_task_delay_ms: u64 = |t| t.number("log.initial.task.delay.ms");
    /// `log.message.timestamp.type`.
    log_message_timestamp_type: TimestampType = |t| match t.text("log.message.timestamp.type") {
        Some("LogAppendTime") => TimestampType::LogAppendTime,
        _ => TimestampType::CreateTime,
    };
    /// `log.message.timestamp.before.max.ms`.
    log_message_timestamp_before_max_ms: u64 = |t| t.number("log.message.timestamp.before.max.ms");
    /// `log.message.timestamp.after.max.ms`.
    log_message_timestamp_after_max_ms: u64 = |t| t.number("log.message.timestamp.after.max.ms");
    /// `background.sync.interval.ms`.
    background_sync_interval_ms: u64 = |t| t.number("background.sync.interval.ms");
    /// `background.sync.bytes`.
    background_sync_bytes: u64 = |t| t.number("background.sync.bytes");
    /// `log.dir.free.bytes.min`.
    log_dir_free_bytes_min: u64 = |t| t.number("log.dir.free.bytes.min");

    /// `producer.id.expiration.ms`.
    producer_id_expiration_ms: u64 = |t| t.number("producer.id.expiration.ms");
    /// `producer.id.expiration.check.interval.ms`.
    producer_id_expiration_check_interval_ms: u64 = |t| t.number("producer.id.expiration.check.interval.ms");
    /// `transactional.id.expiration.ms`.
    transactional_id_expiration_ms: u64 = |t| t.number("transactional.id.expiration.ms");
    /// `transaction.max.timeout.ms`.
    transaction_max_timeout_ms: u64 = |t| t.number("transaction.max.timeout.ms");

    /// `metadata.log.max.record.bytes.between.snapshots`.
    metadata_log_max_record_bytes_between_snapshots: u64 =
        |t| t.number("metadata.log.max.record.bytes.between.snapshots");
    /// `metadata.log.max.snapshot.interval.ms`; 0 writes none by time.
    metadata_log_max_snapshot_interval_ms: u64 = |t| t.number("metadata.log.max.snapshot.interval.ms");
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

fn node_id(typed: &mut Typed<'_>) -> BrokerId {
    // Kafka's default of broker.id, -1, names no broker.
    let both = (typed.limit::<i32>("node.id").filter(|id| *id >= 0), typed.own_number("broker.id"));
    match both {
        (None, _) => {
            typed.missing("node.id", "is missing; give each broker its own number, such as node.id=1")
        }
        (Some(node), Some(broker)) if broker >= 0 && broker != node => {
            typed.wrong("node.id", format!("differs from broker.id={broker}; keep node.id alone"));
        }
        _ => {}
    }
    BrokerId(both.0.unwrap_or(-1))
}

/// Refuses what asks for other processes of the quorum: a broker that ran on alone would be a cluster of its own
/// beside the one that was meant.
fn check_quorum(typed: &mut Typed<'_>) {
    let roles = typed.list("process.roles");
    if roles.len() < 2 {
        let why =
            "must be broker,controller: every broker is also a voter, and there are no controllers apart";
        typed.wrong("process.roles", why.to_owned());
    }
    let node_id = typed.limit::<i32>("node.id");
    let voters = typed.list("controller.quorum.voters");
    for voter in &voters {
        let id = voter.split_once('@').filter(|(_, address)| split_host_port(address).is_ok());
        match id.and_then(|(id, _)| id.parse::<i32>().ok()) {
            None => {
                let message = format!("{voter:?} must be ID@HOST:PORT, such as 1@localhost:9093");
                typed.wrong("controller.quorum.voters", message);
            }
            id if voters.len() == 1 && id != node_id => {
                typed.wrong("controller.quorum.voters", "names another broker than this node.id".to_owned());
            }
            Some(_) => {}
        }
    }
    for key in ["controller.quorum.voters", "controller.quorum.bootstrap.servers"] {
        if typed.list(key).len() > 1 {
            typed.wrong(
                key,
                "clusters of several brokers come with replication, in a later version".to_owned(),
            );
        }
    }
}

fn cluster_id(typed: &mut Typed<'_>) -> Option<Uuid> {
    let text = typed.text("cluster.id")?;
    let id = Uuid::parse(text).filter(|id| !id.is_zero());
    if id.is_none() {
        let right = "must be 22 characters of URL-safe base64, such as MkU3OEVBNTcwNTJENDM2Qg".to_owned();
        typed.wrong("cluster.id", right);
    }
    id
}

fn http_listen(typed: &mut Typed<'_>) -> Option<(String, u16)> {
    let text = typed.text("http.listen").filter(|text| *text != "off")?;
    match split_host_port(text) {
        Ok((host, port)) => Some((host.to_owned(), port)),
        Err(why) => {
            typed.wrong("http.listen", format!("{why}; must be HOST:PORT or off"));
            None
        }
    }
}

fn log_dirs(typed: &mut Typed<'_>) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in typed.list("log.dirs").into_iter().map(PathBuf::from) {
        if directories.contains(&directory) {
            typed.wrong("log.dirs", format!("names {} twice", directory.display()));
        } else {
            directories.push(directory);
        }
    }
    directories
}

fn log_retention_ms(typed: &mut Typed<'_>) -> Option<u64> {
    let retention = typed.limit("log.retention.ms");
    if retention == Some(0) {
        typed.wrong("log.retention.ms", "must be -1, which keeps all, or at least 1".to_owned());
    }
    retention
}

fn ip_overrides(typed: &mut Typed<'_>) -> BTreeMap<IpAddr, u32> {
    let mut limits = BTreeMap::new();
    for item in typed.list("max.connections.per.ip.overrides") {
        let pair = item.rsplit_once(':').and_then(|(host, limit)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Some((host.trim().parse().ok()?, limit.trim().parse().ok()?))
        });
        match pair {
            Some((address, limit)) => {
                limits.insert(address, limit);
            }
            None => {
                let message = format!("{item:?} must be ADDRESS:LIMIT, such as 127.0.0.1:100");
                typed.wrong("max.connections.per.ip.overrides", message);
            }
        }
    }
    limits
}

fn parse_listeners(typed: &mut Typed<'_>, key: &'static str) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for item in typed.list(key) {
        match Listener::parse(&item) {
            Ok(listener) if listeners.iter().any(|other| other.name == listener.name) => {
                typed.wrong(key, format!("names {} twice", listener.name));
            }
            Ok(listener) => listeners.push(listener),
            Err(why) => typed.wrong(key, why),
        }
    }
    listeners
}

/// Those of `listeners` that are not the controller's, each checked to be PLAINTEXT.
fn client_listeners(typed: &mut Typed<'_>) -> Vec<Listener> {
    let controllers = controller_names(typed);
    let protocols = protocol_map(typed);
    let mut listeners = parse_listeners(typed, "listeners");
    for (i, one) in listeners.iter().enumerate() {
        let clash = |other: &&Listener| other.port == one.port && one.port != 0 && same_family(one, other);
        if let Some(other) = listeners.get(..i).unwrap_or_default().iter().find(clash) {
            typed.wrong("listeners", format!("{} and {} share port {}", other.name, one.name, one.port));
        }
    }
    for listener in &listeners {
        match protocols.get(&listener.name).map(String::as_str) {
            Some("PLAINTEXT") => {}
            Some(other) => {
                let name = &listener.name;
                typed.wrong("listeners", format!("{name} asks for {other}; only PLAINTEXT is served"));
            }
            None => {
                let name = &listener.name;
                let message =
                    format!("{name} has no protocol; add {name}:PLAINTEXT to listener.security.protocol.map");
                typed.wrong("listeners", message);
            }
        }
    }
    let named = !listeners.is_empty();
    listeners.retain(|listener| !controllers.contains(&listener.name));
    if listeners.is_empty() && named {
        typed.wrong("listeners", "has none for clients; add one such as PLAINTEXT://:9092".to_owned());
    }
    listeners
}

/// Two listeners may share a port only when one is bound to an IPv4 address and the other to an IPv6 one (KIP-797).
fn same_family(one: &Listener, other: &Listener) -> bool {
    match (one.host.parse::<IpAddr>(), other.host.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one.is_ipv4() == other.is_ipv4(),
        _ => true,
    }
}

fn controller_names(typed: &Typed<'_>) -> Vec<String> {
    typed.list("controller.listener.names").iter().map(|name| name.to_ascii_uppercase()).collect()
}

fn protocol_map(typed: &mut Typed<'_>) -> BTreeMap<String, String> {
    let mut protocols = BTreeMap::new();
    for item in typed.list("listener.security.protocol.map") {
        let known = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
        match item.split_once(':').map(|(name, protocol)| (name.trim(), protocol.trim().to_ascii_uppercase()))
        {
            Some((name, protocol)) if known.contains(&protocol.as_str()) => {
                protocols.insert(name.to_ascii_uppercase(), protocol);
            }
            _ => {
                let message =
                    format!("{item:?} must be NAME:PROTOCOL, the protocol one of {}", known.join(", "));
                typed.wrong("listener.security.protocol.map", message);
            }
        }
    }
    protocols
}

/// One advertised address for each listener of clients, in their order.
fn advertised_listeners(typed: &mut Typed<'_>) -> Vec<Listener> {
    let controllers = controller_names(typed);
    // Their problems are reported by the field `listeners`.
    let mut unreported = Vec::new();
    let listening = typed.quietly(&mut unreported, |quiet| parse_listeners(quiet, "listeners"));
    let clients: Vec<Listener> =
        listening.into_iter().filter(|listener| !controllers.contains(&listener.name)).collect();
    let wildcard = |host: &str| host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
    if !typed.is_set("advertised.listeners") {
        // An address that stands for every interface cannot be connected to; the machine's name can.
        let named = |listener: Listener| {
            if wildcard(&listener.host) { Listener { host: String::new(), ..listener } } else { listener }
        };
        return clients.into_iter().map(named).collect();
    }
    let advertised = parse_listeners(typed, "advertised.listeners");
    for listener in &advertised {
        let (name, host) = (&listener.name, &listener.host);
        if wildcard(host) {
            typed.wrong("advertised.listeners", format!("clients cannot connect to {host}; name a host"));
        }
        if !controllers.contains(name) && !clients.iter().any(|client| client.name == *name) {
            typed.wrong("advertised.listeners", format!("{name} is not one of listeners"));
        }
    }
    let of = |client: Listener| {
        advertised.iter().find(|listener| listener.name == client.name).cloned().unwrap_or(client)
    };
    clients.into_iter().map(of).collect()
}
