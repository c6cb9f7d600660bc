//! The topic in which groups are kept: made when the first group is asked for, as Kafka makes its internal topics.

use machines::controller::CreateTopic;
use machines::image::MetadataImage;

use crate::config::Config;

/// The topic that keeps groups and what they committed.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Kafka's default of `offsets.topic.replication.factor`.
const REPLICATION_FACTOR: usize = 3;

/// What the controller is asked to create.
///
/// A replication factor that was set is kept, and refused by the controller while there are too few brokers. Without
/// one there are as many replicas as brokers, at most three: a cluster of one needs no setting to serve groups.
/// Brokers that are down count, so that none is left out for being late.
pub(crate) fn offsets_topic(config: &Config, image: &MetadataImage) -> CreateTopic {
    let brokers = i16::try_from(image.brokers().count().clamp(1, REPLICATION_FACTOR)).unwrap_or(1);
    let settings = [
        ("cleanup.policy", "compact".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
    ];
    CreateTopic {
        name: OFFSETS_TOPIC.to_owned(),
        num_partitions: config.offsets_topic_num_partitions,
        replication_factor: config.offsets_topic_replication_factor.unwrap_or(brokers),
        assignments: Vec::new(),
        configs: settings.map(|(key, value)| (key.to_owned(), Some(value))).to_vec(),
    }
}
