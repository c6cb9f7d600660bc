//! This broker's own place in the cluster: registered when it starts, unfenced when it has caught up and opened
//! what it leads, and active controller when the quorum made it the leader.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use machines::controller::{Controller, Decision, FEATURES, Heartbeat, Registration, bootstrap_records};
use machines::image::{BrokerRegistration, MetadataImage};
use machines::quorum::{Entry, Role};
use protocol::id::{BrokerEpoch, DirectoryId};
use protocol::metadata_record::{BrokerEndpoint, BrokerFeature};

use super::rules::Rules;
use super::{Metadata, Proposed, Waiting};
use crate::config::Config;
use crate::effects::{Effects, Now};
use crate::node::Node;

/// Kafka's number of the protocol without TLS or SASL.
const PLAINTEXT: i16 = 0;

impl Metadata {
    /// Whether a registration is that of this start of this broker.
    pub(crate) fn is_own(&self, registration: &BrokerRegistration) -> bool {
        registration.id == self.broker_id && registration.incarnation_id == self.incarnation_id
    }
}

impl Node {
    /// Becomes the active controller once an entry of its own term is applied: then the image has all that was
    /// committed before, and nothing else is in the log, because nobody decided in this term so far.
    pub(super) fn activate(
        &self,
        now: Now,
        image: &Arc<MetadataImage>,
        applied: &[Entry],
        effects: &mut Effects,
    ) {
        let mut state = self.metadata().state.lock();
        let Role::Leader { term } = state.role else { return };
        if state.controller.is_some() || applied.last().is_none_or(|entry| entry.term != term) {
            return;
        }
        assert!(state.appended.is_empty(), "a controller begins with an image of all that is in the log");
        state.controller = Some(Controller::new(MetadataImage::clone(image)));
        drop(state);
        self.put_strays_aside(image, effects);
        let min_insync_replicas = usize::try_from(self.config().min_insync_replicas).unwrap_or(1);
        let bootstrap = |controller: &Controller, _: &_| {
            let is_new = controller.image().features().len() == 0;
            let records = if is_new { bootstrap_records(min_insync_replicas) } else { Vec::new() };
            Decision { records, response: () }
        };
        // A refusal means that the leadership is gone again; the next leader bootstraps.
        let _ = self.metadata().decide(now, effects, bootstrap, |()| Waiting::Bootstrap);
    }

    /// Registers this broker, and unfences it when its image has the registration. Logs that are still recovered do not
    /// hold that up: each is served as soon as it is open. The broker is ready when all are.
    pub(crate) fn follow_lifecycle(&self, now: Now, image: &MetadataImage, effects: &mut Effects) {
        {
            let mut state = self.metadata().state.lock();
            // A new cluster gets its features before anything else.
            let is_new =
                state.controller.as_ref().is_none_or(|controller| controller.image().features().len() == 0);
            if state.lifecycle_pending || is_new {
                return;
            }
            state.lifecycle_pending = true;
        }
        let own = image.broker(self.config().node_id);
        let registered = own.filter(|own| self.metadata().is_own(own));
        let proposed = match registered {
            None => self.register(now, effects),
            Some(own) if self.cordoned() != own.cordoned_directories.as_deref().unwrap_or_default() => {
                self.cordon(now, own.epoch, effects)
            }
            Some(own) if own.fenced => self.unfence(now, own.epoch, image, effects),
            Some(_) => {
                if self.recovering() == 0 {
                    self.set_ready();
                }
                self.metadata().state.lock().lifecycle_pending = false;
                return;
            }
        };
        if !matches!(proposed, Ok(Proposed::Waits)) {
            self.metadata().state.lock().lifecycle_pending = false;
        }
    }

    /// A step of the lifecycle was applied; the image that has it is published already.
    pub(super) fn lifecycle_done(&self, now: Now, effects: &mut Effects) {
        self.metadata().state.lock().lifecycle_pending = false;
        let image = Arc::clone(&self.image());
        self.follow_lifecycle(now, &image, effects);
    }

    fn register(&self, now: Now, effects: &mut Effects) -> Result<Proposed, protocol::ErrorCode> {
        let registration = Registration {
            broker_id: self.config().node_id,
            incarnation_id: self.metadata().incarnation_id,
            previous_broker_epoch: self.previous_broker_epoch(),
            listeners: endpoints(&self.config()),
            features: FEATURES
                .iter()
                .map(|feature| BrokerFeature {
                    name: feature.name.to_owned(),
                    min_supported_version: feature.min_level,
                    max_supported_version: feature.max_level,
                })
                .collect(),
            rack: self.config().broker_rack.clone(),
            log_dirs: vec![self.metadata().directory_id],
        };
        let config = self.config();
        let rules = Rules(&config);
        let decide = |controller: &Controller, quorum: &machines::quorum::Quorum| match controller
            .decide_register_broker(&registration, quorum.next_offset(), false, &rules)
        {
            Ok(Decision { records, response: epoch }) => Decision { records, response: Some(epoch) },
            Err(_) => Decision { records: Vec::new(), response: None },
        };
        self.metadata().decide(now, effects, decide, |_: Option<BrokerEpoch>| Waiting::Lifecycle)
    }

    fn unfence(
        &self,
        now: Now,
        broker_epoch: BrokerEpoch,
        image: &MetadataImage,
        effects: &mut Effects,
    ) -> Result<Proposed, protocol::ErrorCode> {
        let heartbeat = Heartbeat {
            broker_id: self.config().node_id,
            broker_epoch,
            current_metadata_offset: image.provenance.end_offset,
            want_fence: false,
            want_shut_down: false,
        };
        let config = self.config();
        let rules = Rules(&config);
        let decide = |controller: &Controller, _: &_| match controller.decide_heartbeat(&heartbeat, &rules) {
            Ok(Decision { records, .. }) => Decision { records, response: () },
            Err(_) => Decision { records: Vec::new(), response: () },
        };
        self.metadata().decide(now, effects, decide, |()| Waiting::Lifecycle)
    }

    /// The directories that take no new replicas, as they are configured now.
    fn cordoned(&self) -> &[DirectoryId] {
        let config = self.config();
        let is_cordoned =
            config.log_dirs.iter().any(|directory| config.cordoned_log_dirs.contains(directory));
        let own = std::slice::from_ref(&self.metadata().directory_id);
        if is_cordoned { own } else { &[] }
    }

    fn cordon(
        &self,
        now: Now,
        broker_epoch: BrokerEpoch,
        effects: &mut Effects,
    ) -> Result<Proposed, protocol::ErrorCode> {
        let (id, directories) = (self.config().node_id, self.cordoned());
        let decide =
            |controller: &Controller, _: &_| match controller.decide_cordon(id, broker_epoch, directories) {
                Ok(decision) => decision,
                Err(_) => Decision { records: Vec::new(), response: () },
            };
        self.metadata().decide(now, effects, decide, |()| Waiting::Lifecycle)
    }

    fn set_ready(&self) {
        self.ready_flag().store(true, Ordering::Release);
    }
}

fn endpoints(config: &Config) -> Vec<BrokerEndpoint> {
    config
        .advertised_listeners
        .iter()
        .map(|listener| BrokerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: PLAINTEXT,
        })
        .collect()
}
