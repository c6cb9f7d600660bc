//! The features that a cluster runs at a level of its own (KIP-584), and what a new cluster begins with.

use super::alter_configs::config_record;
use super::{ConfigRules, Controller, Decision, MIN_INSYNC_REPLICAS, Rejection};
use crate::image::{ConfigResource, LEADER_UNCHANGED, METADATA_VERSION, ResourceType};
use protocol::ErrorCode;
use protocol::metadata_record::{FeatureLevelRecord, MetadataRecord, PartitionChangeRecord};

/// A feature and the levels that this program can run at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Its name, Kafka's.
    pub name: &'static str,
    /// The lowest level.
    pub min_level: i16,
    /// The highest level, with which a new cluster begins.
    pub max_level: i16,
}

/// The feature of eligible leader replicas (KIP-966).
pub const ELR_VERSION: &str = "eligible.leader.replicas.version";

/// The format of the quorum itself (KIP-853).
const KRAFT_VERSION: &str = "kraft.version";

/// All features, ordered by name. `metadata.version` 30 is Kafka's 4.3-IV0; a feature appears here when what it
/// promises to clients works.
pub const FEATURES: &[Feature] = &[
    Feature { name: ELR_VERSION, min_level: 0, max_level: 1 },
    Feature { name: KRAFT_VERSION, min_level: 0, max_level: crate::quorum::snapshot::KRAFT_VERSION },
    Feature { name: METADATA_VERSION, min_level: 7, max_level: 30 },
];

/// The first records of a new cluster, `metadata.version` first. With eligible leader replicas, all controllers must
/// agree on `min.insync.replicas`, so it is recorded instead of being read from each broker's file (KIP-966).
#[must_use]
pub fn bootstrap_records(min_insync_replicas: usize) -> Vec<MetadataRecord> {
    let record = |feature: &Feature| {
        FeatureLevelRecord { name: feature.name.to_owned(), feature_level: feature.max_level }.into()
    };
    let (first, others): (Vec<&Feature>, Vec<&Feature>) =
        FEATURES.iter().partition(|feature| feature.name == METADATA_VERSION);
    let value = Some(min_insync_replicas.to_string());
    let config = config_record(&ConfigResource::all_brokers(), MIN_INSYNC_REPLICAS, value);
    first.into_iter().chain(others).map(record).chain([config]).collect()
}

/// Which way a level may go; the numbers are those of the request (KIP-778).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// Up alone.
    Rise = 1,
    /// Down where nothing is lost.
    Safe = 2,
    /// Down, whatever is lost.
    Unsafe = 3,
}

impl Upgrade {
    /// From the number in a request.
    #[must_use]
    pub const fn from_wire(value: i8) -> Option<Self> {
        match value {
            1 => Some(Self::Rise),
            2 => Some(Self::Safe),
            3 => Some(Self::Unsafe),
            _ => None,
        }
    }
}

/// One feature that is to run at another level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureUpdate {
    /// The feature.
    pub name: String,
    /// Its level afterwards; 0 is off.
    pub level: i16,
    /// Which way it may go; `None` is a number that means nothing, and is refused.
    pub upgrade: Option<Upgrade>,
}

fn refused(update: &FeatureUpdate, why: impl std::fmt::Display) -> Rejection {
    let message = format!("Invalid update version {} for feature {}. {why}", update.level, update.name);
    Rejection::new(ErrorCode::InvalidUpdateVersion, message)
}

impl Controller {
    /// Decides on features' levels, all or none.
    #[must_use]
    pub fn decide_update_features(
        &self,
        updates: &[FeatureUpdate],
        validate_only: bool,
        rules: &dyn ConfigRules,
    ) -> Decision<Result<(), Rejection>> {
        let mut records = Vec::new();
        let response = updates.iter().try_for_each(|update| {
            records.append(&mut self.update_feature(update, rules)?);
            Ok(())
        });
        if validate_only || response.is_err() {
            records.clear();
        }
        Decision { records, response }
    }

    fn update_feature(
        &self,
        update: &FeatureUpdate,
        rules: &dyn ConfigRules,
    ) -> Result<Vec<MetadataRecord>, Rejection> {
        let Some(upgrade) = update.upgrade else {
            return Err(refused(update, "The upgrade type must be 1, 2 or 3."));
        };
        if update.level < 0 {
            return Err(refused(update, "A level is at least 0."));
        }
        self.check_supported(update)?;
        let current = self.image.feature(&update.name);
        if update.level == current {
            return Ok(Vec::new());
        }
        if update.level < current && upgrade == Upgrade::Rise {
            return Err(refused(
                update,
                format!("The level is {current}, and it sinks only under a safe or an unsafe downgrade."),
            ));
        }
        if update.level > current && upgrade != Upgrade::Rise {
            return Err(refused(update, format!("The level is {current}, and a downgrade cannot rise.")));
        }
        let record = FeatureLevelRecord { name: update.name.clone(), feature_level: update.level };
        let mut records = match update.name.as_str() {
            ELR_VERSION if update.level > current => self.prepare_elr(rules),
            ELR_VERSION => self.end_elr(update)?,
            // What older levels do not know is in the records already, and the quorum's format is not turned back.
            METADATA_VERSION | KRAFT_VERSION if update.level < current => {
                return Err(refused(
                    update,
                    format!(
                        "The level is {current}, and going back would lose metadata, which no downgrade may."
                    ),
                ));
            }
            _ => Vec::new(),
        };
        records.push(record.into());
        Ok(records)
    }

    /// This program and every registered broker must be able to run at the level.
    fn check_supported(&self, update: &FeatureUpdate) -> Result<(), Rejection> {
        let (name, level) = (update.name.as_str(), update.level);
        let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else {
            return Err(refused(update, "The controller does not have this feature."));
        };
        if !(feature.min_level..=feature.max_level).contains(&level) {
            return Err(refused(
                update,
                format!("The controller supports levels {} to {}.", feature.min_level, feature.max_level),
            ));
        }
        for broker in self.image.brokers() {
            let range = broker.features.iter().find(|feature| feature.name == name);
            let (min, max) = range.map_or((0, 0), |f| (f.min_supported_version, f.max_supported_version));
            if !(min..=max).contains(&level) {
                return Err(refused(update, format!("Broker {} supports levels {min} to {max}.", broker.id)));
            }
        }
        Ok(())
    }

    /// Controllers must agree on `min.insync.replicas`: the cluster's is recorded, and no single broker has one (KIP-966).
    fn prepare_elr(&self, rules: &dyn ConfigRules) -> Vec<MetadataRecord> {
        let all = ConfigResource::all_brokers();
        let is_brokers_own = |resource: &&ConfigResource| {
            resource.resource_type == ResourceType::Broker && !resource.name.is_empty()
        };
        let resources = self.image.configured_resources().filter(is_brokers_own);
        let set = resources.filter(|resource| self.image.config(resource, MIN_INSYNC_REPLICAS).is_some());
        let mut records: Vec<MetadataRecord> =
            set.map(|resource| config_record(resource, MIN_INSYNC_REPLICAS, None)).collect();
        if self.image.config(&all, MIN_INSYNC_REPLICAS).is_none() {
            let value = rules.min_insync_replicas().to_string();
            records.push(config_record(&all, MIN_INSYNC_REPLICAS, Some(value)));
        }
        records
    }

    /// Nobody is eligible any more without being in sync; refused while a partition has nobody else.
    fn end_elr(&self, update: &FeatureUpdate) -> Result<Vec<MetadataRecord>, Rejection> {
        let mut records = Vec::new();
        for topic in self.image.topics() {
            for (index, partition) in topic.partitions() {
                if partition.isr.is_empty() {
                    return Err(refused(
                        update,
                        format!(
                            "Nobody is in sync in partition {}-{index}; it needs the feature.",
                            topic.name
                        ),
                    ));
                }
                if partition.elr.is_empty() && partition.last_known_elr.is_empty() {
                    continue;
                }
                let record = PartitionChangeRecord {
                    topic_id: topic.id,
                    partition_id: index,
                    leader: LEADER_UNCHANGED,
                    eligible_leader_replicas: Some(Vec::new()),
                    last_known_elr: Some(Vec::new()),
                    ..PartitionChangeRecord::default()
                };
                records.push(record.into());
            }
        }
        Ok(records)
    }
}
