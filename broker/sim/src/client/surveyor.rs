//! The surveyor: asks what an operator asks who looks after a cluster, most of which changes nothing, and deletes
//! records, which must never come back.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::{BrokerId, Offset, PartitionIndex, Timestamp};
use protocol::message::alter_configs::{AlterConfigsResource, AlterableConfig};
use protocol::message::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::message::describe_producers::TopicRequest;
use protocol::message::describe_quorum::{PartitionData, TopicData};
use protocol::message::update_features::FeatureUpdateKey;
use protocol::message::{
    AlterConfigsRequest, DeleteRecordsRequest, DescribeLogDirsRequest, DescribeProducersRequest,
    DescribeQuorumRequest, ListConfigResourcesRequest, ListOffsetsRequest, UnregisterBrokerRequest,
    UpdateFeaturesRequest,
};
use protocol::wire::Message as _;

use super::records::{list_offsets, name_of};
use super::{Answered, Client, Context, Requests, body};
use crate::oracle::{Kind, Oracle, Place};

const EARLIEST: Timestamp = Timestamp(-2);
/// Kafka's number of a topic among configuration resources.
const TOPIC: i8 = 2;
/// A broker that never registers.
const NOBODY: BrokerId = BrokerId(99);
/// The first version of DescribeLogDirs that tells of the room on the disk.
const SPACE_FROM: i16 = 4;

enum What {
    /// Records below the offset are to go; -1 is all.
    Delete(Place, i64),
    /// No start may lie below this.
    Earliest(i64),
    Directories,
    Producers,
    Resources,
    Quorum,
    /// Whether the level can be had.
    Features(bool),
    Unregister,
    /// Whether the value is one that the key takes.
    Replace(bool),
}

/// The surveyor.
pub(crate) struct Surveyor {
    requests: Requests<What>,
    /// Where logs start at least, because that was acknowledged.
    starts: BTreeMap<Place, i64>,
}

/// A code with which a broker sends its clients away for a while.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotController
            | ErrorCode::RequestTimedOut
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::KafkaStorageError
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::ThrottlingQuotaExceeded
    )
}

fn expect(what: &str, code: ErrorCode, expected: ErrorCode) -> Result<(), String> {
    if code == expected || is_passing(code) {
        return Ok(());
    }
    Err(format!("{what} was answered with {} and not {}", code.name(), expected.name()))
}

/// Any partition of a topic of this kind; nothing while there is none.
fn place(kind: Kind, context: &mut Context<'_>) -> Option<Place> {
    let of_kind = |oracle: &Oracle| -> Vec<Place> {
        let topics = oracle.topics().filter(|topic| topic.kind == kind);
        topics.flat_map(|topic| (0..topic.partitions).map(|index| (topic.id, index))).collect()
    };
    let places = of_kind(context.oracle);
    (!places.is_empty()).then(|| *context.random.pick(&places))
}

impl Surveyor {
    pub(crate) fn new() -> Self {
        Self { requests: Requests::new("surveyor"), starts: BTreeMap::new() }
    }

    fn delete(&mut self, context: &mut Context<'_>) {
        let Some(place) = place(Kind::Retained, context) else { return };
        let floor = u64::try_from(context.oracle.floor(place)).unwrap_or(0);
        let any = i64::try_from(context.random.between(floor / 2, floor)).unwrap_or(0);
        let offset = if context.random.chance(10) { -1 } else { any };
        let partition =
            DeleteRecordsPartition { partition_index: PartitionIndex(place.1), offset: Offset(offset) };
        let topic = DeleteRecordsTopic { name: name_of(context.oracle, place), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 20_000 };
        let version = context.random.version(DeleteRecordsRequest::VERSIONS);
        self.requests.send(&request, version, What::Delete(place, offset), context);
    }

    fn earliest(&mut self, context: &mut Context<'_>) {
        let Some(place) = place(Kind::Retained, context) else { return };
        let floor = self.starts.get(&place).copied().unwrap_or(0);
        let request = list_offsets(context.oracle, place, EARLIEST);
        let version = context.random.version(ListOffsetsRequest::VERSIONS);
        self.requests.send(&request, version, What::Earliest(floor), context);
    }

    fn producers(&mut self, context: &mut Context<'_>) {
        let Some(place) = place(Kind::Kept, context) else { return };
        let topic = TopicRequest {
            name: name_of(context.oracle, place),
            partition_indexes: vec![PartitionIndex(place.1)],
        };
        self.requests.send(&DescribeProducersRequest { topics: vec![topic] }, 0, What::Producers, context);
    }

    fn quorum(&mut self, context: &mut Context<'_>) {
        let partitions = vec![PartitionData { partition_index: PartitionIndex(0) }];
        let topics = vec![TopicData { topic_name: "__cluster_metadata".to_owned(), partitions }];
        let version = context.random.version(DescribeQuorumRequest::VERSIONS);
        self.requests.send(&DescribeQuorumRequest { topics }, version, What::Quorum, context);
    }

    fn features(&mut self, context: &mut Context<'_>) {
        let right = context.random.chance(50);
        let update = FeatureUpdateKey {
            feature: "metadata.version".to_owned(),
            max_version_level: if right { 30 } else { 29 },
            ..FeatureUpdateKey::default()
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: 20_000,
            feature_updates: vec![update],
            ..UpdateFeaturesRequest::default()
        };
        let version = context.random.version(UpdateFeaturesRequest::VERSIONS);
        self.requests.send(&request, version, What::Features(right), context);
    }

    fn replace(&mut self, context: &mut Context<'_>) {
        let right = context.random.chance(50);
        let Some(place) = place(Kind::Kept, context) else { return };
        let value = if right { "5000" } else { "often" };
        let config = AlterableConfig { name: "retention.ms".to_owned(), value: Some(value.to_owned()) };
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: name_of(context.oracle, place),
            configs: vec![config],
        };
        // Only tried: whoever else sets this topic's keys must find them as they were.
        let request = AlterConfigsRequest { resources: vec![resource], validate_only: true };
        let version = context.random.version(AlterConfigsRequest::VERSIONS);
        self.requests.send(&request, version, What::Replace(right), context);
    }

    fn deleted(
        &mut self,
        (place, wanted): (Place, i64),
        (frame, version, sent): (&[u8], i16, u64),
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<DeleteRecordsRequest>(frame, version)?;
        let result = response.topics.first().and_then(|topic| topic.partitions.first());
        let result = result.ok_or("DeleteRecords was answered without its partition")?;
        match result.error_code {
            ErrorCode::None => {}
            // A loss of power took records that had been seen.
            ErrorCode::OffsetOutOfRange if context.oracle.power_losses > 0 => return Ok(()),
            code => return expect("DeleteRecords", code, ErrorCode::None),
        }
        context.oracle.acknowledged(sent)?;
        let start = result.low_watermark.0;
        if start < wanted {
            return Err(format!("DeleteRecords to {wanted} left a log that starts at {start}"));
        }
        let known = self.starts.entry(place).or_insert(0);
        context.oracle.counters.starts_moved += u64::from(start > *known);
        *known = start.max(*known);
        Ok(())
    }
}

fn earliest(frame: &[u8], version: i16, floor: i64) -> Result<(), String> {
    let response = body::<ListOffsetsRequest>(frame, version)?;
    let answer = response.topics.first().and_then(|topic| topic.partitions.first());
    let answer = answer.ok_or("ListOffsets was answered without its partition")?;
    if answer.error_code.is_error() || answer.offset.0 >= floor {
        return Ok(());
    }
    Err(format!("a log starts at {}, and all below {floor} was deleted", answer.offset))
}

fn directories(frame: &[u8], version: i16) -> Result<(), String> {
    let response = body::<DescribeLogDirsRequest>(frame, version)?;
    let [directory] = response.results.as_slice() else {
        return Err(format!("{} log directories were described", response.results.len()));
    };
    expect("DescribeLogDirs", directory.error_code, ErrorCode::None)?;
    let partitions = directory.topics.iter().flat_map(|topic| &topic.partitions);
    if let Some(odd) = partitions.clone().find(|p| p.partition_size < 0 || p.offset_lag != 0) {
        return Err(format!("an odd log was described: {odd:?}"));
    }
    let (total, usable) = (directory.total_bytes, directory.usable_bytes);
    if version >= SPACE_FROM && !directory.error_code.is_error() && usable > total {
        return Err(format!("{usable} of {total} bytes are free"));
    }
    Ok(())
}

fn producers(frame: &[u8], version: i16) -> Result<(), String> {
    let response = body::<DescribeProducersRequest>(frame, version)?;
    let partition = response.topics.first().and_then(|topic| topic.partitions.first());
    let partition = partition.ok_or("DescribeProducers was answered without its partition")?;
    expect("DescribeProducers", partition.error_code, ErrorCode::None)?;
    let odd = |p: &&protocol::message::describe_producers::ProducerState| {
        p.producer_id.0 < 0
            || p.producer_epoch < 0
            || p.last_sequence < 0
            || p.current_txn_start_offset != Offset::UNKNOWN
    };
    match partition.active_producers.iter().find(odd) {
        Some(odd) => Err(format!("an odd producer was described: {odd:?}")),
        None => Ok(()),
    }
}

fn quorum(frame: &[u8], version: i16) -> Result<(), String> {
    let response = body::<DescribeQuorumRequest>(frame, version)?;
    let partition = response.topics.first().and_then(|topic| topic.partitions.first());
    let partition = partition.ok_or("DescribeQuorum was answered without its partition")?;
    expect("DescribeQuorum", partition.error_code, ErrorCode::None)?;
    if partition.error_code.is_error() {
        return Ok(());
    }
    let [voter] = partition.current_voters.as_slice() else {
        return Err(format!("{} voters", partition.current_voters.len()));
    };
    if voter.replica_id != partition.leader_id || voter.log_end_offset < partition.high_watermark {
        return Err(format!("an odd quorum was described: {partition:?}"));
    }
    Ok(())
}

impl Client for Surveyor {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.requests.is_empty() || context.draining {
            return;
        }
        let random = &mut *context.random;
        match random.below(12) {
            0..3 => self.delete(context),
            3..6 => self.earliest(context),
            6 => {
                let version = random.version(DescribeLogDirsRequest::VERSIONS);
                let request = DescribeLogDirsRequest::default();
                self.requests.send(&request, version, What::Directories, context);
            }
            7 => self.producers(context),
            8 => {
                let version = random.version(ListConfigResourcesRequest::VERSIONS);
                let request = ListConfigResourcesRequest::default();
                self.requests.send(&request, version, What::Resources, context);
            }
            9 => self.quorum(context),
            10 if random.chance(50) => self.features(context),
            10 => {
                let request = UnregisterBrokerRequest { broker_id: NOBODY };
                self.requests.send(&request, 0, What::Unregister, context);
            }
            _ => self.replace(context),
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let Answered { version, sent, what } = self.requests.answered(frame, context)?;
        match what {
            What::Delete(place, wanted) => self.deleted((place, wanted), (frame, version, sent), context),
            What::Earliest(floor) => earliest(frame, version, floor),
            What::Directories => directories(frame, version),
            What::Producers => producers(frame, version),
            What::Resources => {
                let code = body::<ListConfigResourcesRequest>(frame, version)?.error_code;
                expect("ListConfigResources", code, ErrorCode::None)
            }
            What::Quorum => quorum(frame, version),
            What::Features(right) => {
                let code = body::<UpdateFeaturesRequest>(frame, version)?.error_code;
                let expected = if right { ErrorCode::None } else { ErrorCode::InvalidUpdateVersion };
                expect("UpdateFeatures", code, expected)
            }
            What::Unregister => {
                let code = body::<UnregisterBrokerRequest>(frame, version)?.error_code;
                expect("UnregisterBroker", code, ErrorCode::BrokerIdNotRegistered)
            }
            What::Replace(right) => {
                let response = body::<AlterConfigsRequest>(frame, version)?;
                let code = response.responses.first().map_or(ErrorCode::UnknownServerError, |r| r.error_code);
                let expected = if right { ErrorCode::None } else { ErrorCode::InvalidConfig };
                expect("AlterConfigs", code, expected)
            }
        }
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.requests.lost();
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}
