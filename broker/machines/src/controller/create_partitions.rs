//! CreatePartitions: more partitions for topics that exist.

use super::placement::place;
use super::{Controller, Decision, PARTITIONS_PER_REQUEST_MAX, PerTopic, Random, Rejection};
use protocol::ErrorCode;
use protocol::id::{BrokerId, PartitionIndex};
use protocol::message::create_partitions::CreatePartitionsTopic;
use protocol::metadata_record::MetadataRecord;
use std::collections::BTreeMap;

/// A topic that shall have more partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePartitions {
    /// The topic.
    pub name: String,
    /// How many it shall have then.
    pub count: i32,
    /// Where the replicas of each new partition go; `None` lets the controller choose.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

impl From<CreatePartitionsTopic> for CreatePartitions {
    fn from(topic: CreatePartitionsTopic) -> Self {
        let broker_ids = |assignments: Vec<_>| {
            assignments
                .into_iter()
                .map(|a: protocol::message::create_partitions::CreatePartitionsAssignment| a.broker_ids)
                .collect()
        };
        Self { name: topic.name, count: topic.count, assignments: topic.assignments.map(broker_ids) }
    }
}

impl Controller {
    /// Decides on new partitions. A name that appears more than once is answered once.
    #[must_use]
    pub fn decide_create_partitions(
        &self,
        topics: &[CreatePartitions],
        validate_only: bool,
        random: Random<'_>,
    ) -> Decision<PerTopic<()>> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for topic in topics {
            *counts.entry(&topic.name).or_default() += 1;
        }
        let mut records = Vec::new();
        let mut response = Vec::with_capacity(topics.len());
        for topic in topics {
            let Some(count) = counts.remove(topic.name.as_str()) else { continue };
            let result = if count > 1 {
                Err(Rejection::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
            } else {
                let room = PARTITIONS_PER_REQUEST_MAX.saturating_sub(records.len());
                self.create_partitions(topic, room, random)
            };
            response.push((topic.name.clone(), result.map(|mut new| records.append(&mut new))));
        }
        if validate_only {
            records.clear();
        }
        Decision { records, response }
    }

    fn create_partitions(
        &self,
        request: &CreatePartitions,
        room: usize,
        random: Random<'_>,
    ) -> Result<Vec<MetadataRecord>, Rejection> {
        let name = &request.name;
        let topic = self.image.topic(name).ok_or_else(|| {
            Rejection::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))
        })?;
        let existing = topic.partitions.len();
        let invalid = |message| Err(Rejection::new(ErrorCode::InvalidPartitions, message));
        let wanted = usize::try_from(request.count).unwrap_or(0);
        if wanted == existing {
            return invalid(format!("Topic already has {existing} partition(s)."));
        }
        if wanted < existing {
            return invalid(format!(
                "The topic {name} currently has {existing} partition(s); {} would not be an increase.",
                request.count
            ));
        }
        let additional = wanted - existing;
        if additional > room {
            return Err(Rejection::new(
                ErrorCode::PolicyViolation,
                "Excessively large number of partitions per request.",
            ));
        }
        let replicas = topic.partitions.front().map_or(0, |first| first.replicas.len());
        let assignment = match &request.assignments {
            Some(assignments) => {
                self.check_new_assignments(assignments, additional, existing, replicas)?;
                assignments.clone()
            }
            None => place(&self.image, additional, replicas, random).map_err(|why| {
                let message = format!("Unable to replicate the partition {replicas} time(s): {why}");
                Rejection::new(ErrorCode::InvalidReplicationFactor, message)
            })?,
        };
        let first = i32::try_from(existing).unwrap_or(i32::MAX);
        let new = (first..).map(PartitionIndex).zip(assignment);
        Ok(new.map(|(index, replicas)| self.new_partition(replicas).record(topic.id, index).into()).collect())
    }

    fn check_new_assignments(
        &self,
        assignments: &[Vec<BrokerId>],
        additional: usize,
        existing: usize,
        replicas: usize,
    ) -> Result<(), Rejection> {
        if assignments.len() != additional {
            return Err(Rejection::new(
                ErrorCode::InvalidReplicaAssignment,
                format!(
                    "Attempted to add {additional} additional partition(s), but only {} assignment(s) were \
                     specified.",
                    assignments.len()
                ),
            ));
        }
        let first = i32::try_from(existing).unwrap_or(i32::MAX);
        (first..)
            .map(PartitionIndex)
            .zip(assignments)
            .try_for_each(|(index, assigned)| self.check_assignment(index, assigned, Some(replicas)))
    }
}
