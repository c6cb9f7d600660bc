//! CreateTopics: names, counts, assignments and configuration of new topics.

use super::alter_configs::config_record;
use super::placement::place;
use super::topic_name::{colliding, topic_name_problem};
use super::{
    CONFIG_VALUE_BYTES_MAX, ConfigRules, Controller, Decision, Defaults, PARTITIONS_PER_REQUEST_MAX,
    PerTopic, Random, Rejection,
};
use crate::image::{ConfigResource, DIRECTORY_UNASSIGNED, LeaderRecoveryState, PartitionRegistration};
use protocol::ErrorCode;
use protocol::id::{BrokerId, DirectoryId, LeaderEpoch, PartitionEpoch, PartitionIndex, TopicId};
use protocol::message::create_topics::CreatableTopic;
use protocol::metadata_record::{MetadataRecord, TopicRecord};
use std::collections::BTreeMap;

/// The topic that only the quorum has.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// A topic to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1 for the default, or with `assignments`.
    pub num_partitions: i32,
    /// How many replicas; -1 for the default, or with `assignments`.
    pub replication_factor: i16,
    /// Where the replicas of each partition go; empty lets the controller choose.
    pub assignments: Vec<(PartitionIndex, Vec<BrokerId>)>,
    /// What is set for it.
    pub configs: Vec<(String, Option<String>)>,
}

impl CreateTopic {
    /// A topic with the cluster's defaults.
    #[must_use]
    pub fn with_defaults(name: impl Into<String>) -> Self {
        Self { name: name.into(), num_partitions: -1, replication_factor: -1, ..Self::default() }
    }
}

impl From<CreatableTopic> for CreateTopic {
    fn from(topic: CreatableTopic) -> Self {
        Self {
            name: topic.name,
            num_partitions: topic.num_partitions,
            replication_factor: topic.replication_factor,
            assignments: topic.assignments.into_iter().map(|a| (a.partition_index, a.broker_ids)).collect(),
            configs: topic.configs.into_iter().map(|config| (config.name, config.value)).collect(),
        }
    }
}

/// A topic that was created, or would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its identity; zero when it was only validated.
    pub topic_id: TopicId,
    /// How many partitions it has.
    pub num_partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i16,
}

impl Controller {
    /// Decides on new topics. A name that appears more than once is answered once.
    #[must_use]
    pub fn decide_create_topics(
        &self,
        topics: &[CreateTopic],
        validate_only: bool,
        defaults: Defaults,
        rules: &dyn ConfigRules,
        random: Random<'_>,
    ) -> Decision<PerTopic<CreatedTopic>> {
        let mut records = Vec::new();
        let mut response: PerTopic<CreatedTopic> = Vec::with_capacity(topics.len());
        // Later topics of the request are checked against the earlier ones.
        let mut state = self.clone();
        let excessive = partitions_of(topics, defaults) > PARTITIONS_PER_REQUEST_MAX;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in topics {
            *seen.entry(&topic.name).or_default() += 1;
        }
        for topic in topics {
            let Some(count) = seen.remove(topic.name.as_str()) else { continue };
            let result = if count > 1 {
                Err(Rejection::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else if excessive {
                Err(Rejection::new(
                    ErrorCode::PolicyViolation,
                    "Excessively large number of partitions per request.",
                ))
            } else {
                state.create_topic(topic, defaults, rules, random)
            };
            response.push((
                topic.name.clone(),
                result.map(|(mut created, mut new)| {
                    for record in &new {
                        state.replay(record).expect("a decision fits the image on which it was made");
                    }
                    if validate_only {
                        created.topic_id = TopicId::ZERO;
                    } else {
                        records.append(&mut new);
                    }
                    created
                }),
            ));
        }
        Decision { records, response }
    }

    fn create_topic(
        &self,
        topic: &CreateTopic,
        defaults: Defaults,
        rules: &dyn ConfigRules,
        random: Random<'_>,
    ) -> Result<(CreatedTopic, Vec<MetadataRecord>), Rejection> {
        self.check_new_name(&topic.name)?;
        let configs = check_configs(topic, rules)?;
        let assignment = if topic.assignments.is_empty() {
            self.choose_assignment(topic, defaults, random)?
        } else {
            self.check_assignments(topic)?
        };
        let topic_id = self.new_id(random);
        let replication_factor = assignment.first().map_or(0, Vec::len);
        let created = CreatedTopic {
            topic_id,
            num_partitions: i32::try_from(assignment.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        };
        let mut records = vec![TopicRecord { name: topic.name.clone(), topic_id }.into()];
        let resource = ConfigResource::topic(topic.name.as_str());
        records.extend(
            configs.iter().map(|(key, value)| config_record(&resource, key, Some((*value).to_owned()))),
        );
        for (index, replicas) in (0..).map(PartitionIndex).zip(assignment) {
            records.push(self.new_partition(replicas).record(topic_id, index).into());
        }
        Ok((created, records))
    }

    fn check_new_name(&self, name: &str) -> Result<(), Rejection> {
        if let Some(problem) = topic_name_problem(name) {
            let message = format!("Topic name is invalid: {problem}");
            return Err(Rejection::new(ErrorCode::InvalidTopicException, message));
        }
        if name == CLUSTER_METADATA {
            let message = format!("Creation of internal topic {name} is prohibited.");
            return Err(Rejection::new(ErrorCode::InvalidRequest, message));
        }
        if self.image.topic(name).is_some() {
            return Err(Rejection::new(
                ErrorCode::TopicAlreadyExists,
                format!("Topic '{name}' already exists."),
            ));
        }
        if let Some(other) = colliding(&self.image, name) {
            let message = format!("Topic '{name}' collides with existing topic: {other}");
            return Err(Rejection::new(ErrorCode::InvalidTopicException, message));
        }
        Ok(())
    }

    fn choose_assignment(
        &self,
        topic: &CreateTopic,
        defaults: Defaults,
        random: Random<'_>,
    ) -> Result<Vec<Vec<BrokerId>>, Rejection> {
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(Rejection::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            return Err(Rejection::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        let or = |value: i32, default: i32| {
            usize::try_from(if value == -1 { default } else { value }).unwrap_or(0)
        };
        let partitions = or(topic.num_partitions, defaults.num_partitions);
        let replicas = or(topic.replication_factor.into(), defaults.replication_factor.into());
        place(&self.image, partitions, replicas, random).map_err(|why| {
            let message = format!("Unable to replicate the partition {replicas} time(s): {why}");
            Rejection::new(ErrorCode::InvalidReplicationFactor, message)
        })
    }

    fn check_assignments(&self, topic: &CreateTopic) -> Result<Vec<Vec<BrokerId>>, Rejection> {
        let request = |message: &str| Err(Rejection::new(ErrorCode::InvalidRequest, message));
        if topic.replication_factor != -1 {
            return request(
                "A manual partition assignment was specified, but replication factor was not set to -1.",
            );
        }
        if topic.num_partitions != -1 {
            return request(
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            );
        }
        let invalid = |message: String| Rejection::new(ErrorCode::InvalidReplicaAssignment, message);
        let mut assignment = BTreeMap::new();
        let mut replicas_count = None;
        for (index, replicas) in &topic.assignments {
            if assignment.contains_key(index) {
                return Err(invalid(format!(
                    "Found multiple manual partition assignments for partition {index}"
                )));
            }
            self.check_assignment(*index, replicas, replicas_count)?;
            replicas_count = Some(replicas.len());
            assignment.insert(*index, replicas.clone());
        }
        if !assignment.keys().copied().eq((0..).map(PartitionIndex).take(assignment.len())) {
            return Err(invalid("partitions should be a consecutive 0-based integer sequence".to_owned()));
        }
        Ok(assignment.into_values().collect())
    }

    /// Checks where somebody wants the replicas of one partition.
    pub(super) fn check_assignment(
        &self,
        index: PartitionIndex,
        replicas: &[BrokerId],
        replicas_count: Option<usize>,
    ) -> Result<(), Rejection> {
        let invalid = |message: String| Err(Rejection::new(ErrorCode::InvalidReplicaAssignment, message));
        if replicas.is_empty() {
            return invalid("The manual partition assignment includes an empty replica list.".to_owned());
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        for (i, id) in sorted.iter().enumerate() {
            if self.image.broker(*id).is_none() {
                return invalid(format!(
                    "The manual partition assignment includes broker {id}, but no such broker is registered."
                ));
            }
            if i > 0 && sorted.get(i - 1) == Some(id) {
                return invalid(format!(
                    "The manual partition assignment includes the broker {id} more than once."
                ));
            }
        }
        if let Some(count) = replicas_count.filter(|count| *count != replicas.len()) {
            return invalid(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not \
                 consistent with previous partitions, which have {count} replica(s).",
                replicas.len()
            ));
        }
        if !replicas.iter().any(|id| self.is_active(*id)) {
            return invalid(format!(
                "All brokers specified in the manual partition assignment for partition {index} are fenced or in \
                 controlled shutdown."
            ));
        }
        Ok(())
    }

    /// A partition as it begins: those of its replicas that are alive are in sync, and the first of them leads.
    pub(super) fn new_partition(&self, replicas: Vec<BrokerId>) -> PartitionRegistration {
        let isr: Vec<BrokerId> = replicas.iter().copied().filter(|id| self.is_active(*id)).collect();
        PartitionRegistration {
            directories: replicas.iter().map(|id| self.default_directory(*id)).collect(),
            leader: isr.first().copied().unwrap_or(BrokerId::NONE),
            replicas,
            isr,
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
        }
    }

    fn default_directory(&self, id: BrokerId) -> DirectoryId {
        match self.image.broker(id).map(|broker| broker.directories.as_slice()) {
            Some([only]) => *only,
            _ => DIRECTORY_UNASSIGNED,
        }
    }
}

fn check_configs<'a>(
    topic: &'a CreateTopic,
    rules: &dyn ConfigRules,
) -> Result<BTreeMap<&'a str, &'a str>, Rejection> {
    let invalid = |message: String| Err(Rejection::new(ErrorCode::InvalidConfig, message));
    let mut configs = BTreeMap::new();
    for (key, value) in &topic.configs {
        let Some(value) = value else {
            return invalid(format!("Null value not supported for topic configs: {key}"));
        };
        if value.len() > CONFIG_VALUE_BYTES_MAX {
            return invalid(format!("The value of {key} is larger than {CONFIG_VALUE_BYTES_MAX} bytes."));
        }
        if configs.insert(key.as_str(), value.as_str()).is_some() {
            return Err(Rejection::new(
                ErrorCode::InvalidRequest,
                format!("The key {key} is set more than once."),
            ));
        }
    }
    rules.validate(&ConfigResource::topic(topic.name.as_str()), &configs)?;
    Ok(configs)
}

fn partitions_of(topics: &[CreateTopic], defaults: Defaults) -> usize {
    let of = |topic: &CreateTopic| {
        if !topic.assignments.is_empty() {
            return topic.assignments.len();
        }
        let asked = if topic.num_partitions == -1 { defaults.num_partitions } else { topic.num_partitions };
        usize::try_from(asked).unwrap_or(0)
    };
    topics.iter().map(of).fold(0, usize::saturating_add)
}
