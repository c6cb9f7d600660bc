//! The broker as one synchronous core, shared by all cores (D1).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use machines::fetch_session::{Bounds, FetchSessions};
use machines::image::{BrokerRegistration, MetadataImage};
use parking_lot::Mutex;
use protocol::id::{BrokerEpoch, BrokerId, Uuid};
use storage::disk::Disk;
use storage::{Directory, DirectoryState, Identity, Limits, read_meta_properties};

use crate::config::Config;
use crate::coordinator::LagTable;
use crate::effects::{Effects, Now};
use crate::log_sync::SyncQueue;
use crate::metadata::Metadata;
use crate::metrics::Metrics;
use crate::producer_ids::ProducerIds;
use crate::random::Random;
use crate::recovery::RecoveryQueue;
use crate::retention::RetentionWatch;
use crate::room::Room;
use crate::session::{Session, Wake};
use crate::space::{SpaceCheck, SpaceWatch};
use crate::table::Table;

/// A broker: partitions, metadata and everything that is served.
pub struct Node {
    config: ArcSwap<Config>,
    directory: Arc<Directory>,
    metadata: Metadata,
    image: ArcSwap<MetadataImage>,
    table: ArcSwap<Table>,
    fetch_sessions: Mutex<FetchSessions>,
    producer_ids: Mutex<ProducerIds>,
    sync_queue: SyncQueue,
    space: SpaceWatch,
    retention: RetentionWatch,
    /// A want of descriptors was told of: once since the start, or each append would write a line.
    exhaustion_noted: AtomicBool,
    /// Requests that wait for records or replicas (`parked.requests.max`).
    parked: Room,
    /// Cold reads that wait for a thread, or read (`warm.jobs.max`).
    warming: Room,
    metrics: Metrics,
    random: Mutex<Random>,
    sessions: AtomicUsize,
    recovery_queue: Arc<RecoveryQueue>,
    lag: LagTable,
    /// Unfenced, and caught up once since the start.
    ready: AtomicBool,
}

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No log directory is configured.
    #[error("log.dirs names no directory; set it to where the data is to be kept")]
    NoDirectory,
    /// More than one log directory is configured.
    #[error("log.dirs names {0} directories; one is served in this version")]
    Directories(usize),
    /// The configured cluster is another than the one whose data is there.
    #[error("{}: holds data of cluster {found}, and cluster.id is {configured}", path.display())]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// Whose data is there.
        found: String,
        /// What is configured.
        configured: String,
    },
    /// The disk, or what lies on it.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The metadata log holds what no quorum writes.
    #[error("metadata log: {0}")]
    Quorum(String),
    /// A file of the metadata log is damaged.
    #[error("metadata log: {0}")]
    Metadata(&'static str),
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.config().node_id).finish_non_exhaustive()
    }
}

impl Drop for Node {
    /// Partitions hold who waits for them, and those hold the partitions. Whoever opens one node after the other, as the
    /// simulator does, gets back what each held.
    fn drop(&mut self) {
        self.recovery_queue.clear();
        for partition in self.table().partitions() {
            drop(partition.close(&mut Effects::default()));
        }
    }
}

impl Node {
    /// Opens a broker over its log directory. `seed` is where all of its randomness comes from.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        now: Now,
        config: Config,
        disk: Arc<dyn Disk>,
        seed: u64,
        effects: &mut Effects,
    ) -> Result<Self, OpenError> {
        let path = match config.log_dirs.as_slice() {
            [] => return Err(OpenError::NoDirectory),
            [one] => one.clone(),
            many => return Err(OpenError::Directories(many.len())),
        };
        let mut random = Random::new(seed);
        let found = read_meta_properties(&*disk, &path)?.map(|meta| meta.cluster_id);
        let configured = config.cluster_id.map(|id| id.to_string());
        if let (Some(found), Some(configured)) = (&found, &configured)
            && found != configured
        {
            let (found, configured) = (found.clone(), configured.clone());
            return Err(OpenError::OtherCluster { path, found, configured });
        }
        let cluster_id = found.or(configured).unwrap_or_else(|| random.uuid().to_string());
        let identity = Identity { cluster_id, node_id: config.node_id };
        let limits = Limits { open_files_max: config.open_files_max, ..Limits::default() };
        let directory = Arc::new(Directory::open(disk, &path, &identity, random.uuid(), limits)?);
        let broker = (config.node_id, directory.meta().directory_id);
        let metadata = Metadata::open(now, directory.files(), &path, broker, random.uuid(), random.next())?;
        let slots_max = config.max_incremental_fetch_session_cache_slots;
        let bounds = Bounds { slots_max, ..Bounds::default() };
        let node = Self {
            config: ArcSwap::from_pointee(config),
            directory,
            metadata,
            image: ArcSwap::default(),
            table: ArcSwap::default(),
            fetch_sessions: Mutex::new(FetchSessions::new(bounds)),
            producer_ids: Mutex::default(),
            sync_queue: SyncQueue::default(),
            space: SpaceWatch::default(),
            retention: RetentionWatch::default(),
            exhaustion_noted: AtomicBool::new(false),
            parked: Room::default(),
            warming: Room::default(),
            metrics: Metrics::new(METRIC_SHARDS),
            random: Mutex::new(random),
            sessions: AtomicUsize::new(0),
            recovery_queue: Arc::default(),
            lag: LagTable::default(),
            ready: AtomicBool::new(false),
        };
        // Before anything could be appended.
        node.space_measured(&SpaceCheck::new(&node.directory, &node.config()).run(), effects);
        effects.notices.extend(node.directory.notices().iter().cloned());
        node.metadata.note_torn_end(effects);
        node.metadata.deadline(now, effects);
        node.start_chores(now, effects);
        node.settle(now, effects);
        Ok(node)
    }

    /// Takes a new connection by the listener at this place of the configured ones; `wake` is called when another turn
    /// answers one of its requests.
    pub fn connect(&self, now: Now, listener: usize, wake: Arc<dyn Wake>) -> Arc<Session> {
        self.connect_from(now, listener, None, wake)
    }

    /// As [`connect`](Self::connect), from an address that those are told who ask for a group's members.
    pub fn connect_from(
        &self,
        _now: Now,
        listener: usize,
        address: Option<IpAddr>,
        wake: Arc<dyn Wake>,
    ) -> Arc<Session> {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        Arc::new(Session::new(number, listener, wake).with_address(address))
    }

    /// The configuration, dynamic changes included.
    #[must_use]
    pub fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The cluster's id, as clients see it.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.directory.meta().cluster_id
    }

    /// The metadata that this broker has replayed.
    #[must_use]
    pub fn image(&self) -> Guard<Arc<MetadataImage>> {
        self.image.load()
    }

    /// Whether the broker is unfenced, has caught up once since its start, and has its disk.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && self.directory_state() != DirectoryState::Offline
    }

    /// Whether this broker's registration of this start is in its image: it knows all topics that there were, and the
    /// controller answers.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        let image = self.image();
        image.broker(self.config().node_id).is_some_and(|own| self.metadata.is_own(own))
    }

    /// Logs that are not recovered yet.
    #[must_use]
    pub fn recovering(&self) -> usize {
        self.recovery_queue.len()
    }

    pub(crate) fn recovery_queue(&self) -> &Arc<RecoveryQueue> {
        &self.recovery_queue
    }

    pub(crate) fn ready_flag(&self) -> &AtomicBool {
        &self.ready
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn table(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// Shows readers a new table and the image that it follows: the table first, so that a leader named by the image
    /// serves.
    pub(crate) fn show(&self, table: Table, image: Arc<MetadataImage>) {
        self.table.store(Arc::new(table));
        self.image.store(image);
    }

    /// Takes over the dynamic configuration of brokers. A value that is not valid here stays without effect, which is
    /// told: it was checked when it was set, by a broker that may be newer.
    pub(crate) fn reconfigure(&self, image: &MetadataImage, effects: &mut Effects) {
        use machines::image::ConfigResource;
        let of = |resource: &ConfigResource| -> BTreeMap<String, String> {
            image.configs(resource).map(|(key, value)| (key.to_string(), value.to_string())).collect()
        };
        let config = self.config();
        let mut cluster_wide = of(&ConfigResource::all_brokers());
        let mut own = of(&ConfigResource::broker(config.node_id));
        loop {
            let problems = match config.with_dynamic(&cluster_wide, &own) {
                Ok(next) => return self.config.store(Arc::new(next)),
                Err(problems) => problems,
            };
            let mut is_less = false;
            for problem in problems {
                is_less |= cluster_wide.remove(&problem.key).is_some() | own.remove(&problem.key).is_some();
                effects.notices.push(format!("{problem}; it has no effect here"));
            }
            if !is_less {
                return;
            }
        }
    }

    pub(crate) fn fetch_sessions(&self) -> &Mutex<FetchSessions> {
        &self.fetch_sessions
    }

    pub(crate) fn producer_ids(&self) -> &Mutex<ProducerIds> {
        &self.producer_ids
    }

    pub(crate) fn warming(&self) -> &Room {
        &self.warming
    }

    pub(crate) fn space(&self) -> &SpaceWatch {
        &self.space
    }

    pub(crate) fn retention(&self) -> &RetentionWatch {
        &self.retention
    }

    pub(crate) fn parked(&self) -> &Room {
        &self.parked
    }

    /// Whether nobody was told of a want of descriptors since the start; the next call says no.
    pub(crate) fn is_exhaustion_new(&self) -> bool {
        !self.exhaustion_noted.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn sync_queue(&self) -> &SyncQueue {
        &self.sync_queue
    }

    pub(crate) fn lag(&self) -> &LagTable {
        &self.lag
    }

    pub(crate) fn random_uuid(&self) -> Uuid {
        self.random.lock().uuid()
    }

    pub(crate) fn random_number(&self) -> u64 {
        self.random.lock().next()
    }

    /// The epoch that this broker had when it last stopped cleanly; -1 when it did not (KIP-966).
    pub(crate) fn previous_broker_epoch(&self) -> BrokerEpoch {
        self.directory.clean_shutdown().unwrap_or(BrokerEpoch(-1))
    }

    /// The active controller, as clients are told.
    pub(crate) fn controller_id(&self) -> BrokerId {
        self.metadata.controller_id()
    }

    /// Where a client reaches a broker: by the listener of the same name that it came by. Nowhere when the broker has
    /// no such listener, as in Kafka: another one's address may be out of the client's reach.
    pub(crate) fn client_endpoint(
        &self,
        session: &Session,
        broker: &BrokerRegistration,
    ) -> Option<(String, i32)> {
        let config = self.config();
        let listener = config.advertised_listeners.get(session.listener())?;
        let endpoint = broker.listener(&listener.name)?;
        Some((endpoint.host.clone(), i32::from(endpoint.port)))
    }
}

/// Counters are spread over this many lines of cache, by connection.
const METRIC_SHARDS: usize = 16;

/// A client's number of milliseconds: nothing below zero.
pub(crate) fn millis(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
