//! The features that a cluster runs at a level of its own (KIP-584), and what a new cluster begins with.

use super::MIN_INSYNC_REPLICAS;
use super::alter_configs::config_record;
use crate::image::{ConfigResource, METADATA_VERSION};
use protocol::metadata_record::{FeatureLevelRecord, MetadataRecord};

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

/// All features, ordered by name. `metadata.version` 30 is Kafka's 4.3-IV0; a feature appears here when what it
/// promises to clients works.
pub const FEATURES: &[Feature] = &[
    Feature { name: ELR_VERSION, min_level: 0, max_level: 1 },
    Feature { name: "kraft.version", min_level: 0, max_level: crate::quorum::snapshot::KRAFT_VERSION },
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
