//! ListOffsets (2): the ends of a log, and offsets by time.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset, PartitionIndex, Timestamp};
use protocol::message::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use protocol::wire::Reader;
use storage::disk::Wait;
use storage::{TimeFound, TimePlan};

use super::{Call, Handled, Header, check_partitions, decode, encode_reply};
use crate::effects::{Job, Reply, Ticket, TicketKind};
use crate::partition::{Partition, Place, read_error_code};
use crate::session::{Session, Slot};
use crate::table::HostedTopic;

/// The end of the log: the high watermark, or the last stable offset for read_committed.
const LATEST: Timestamp = Timestamp(-1);
/// The first offset.
const EARLIEST: Timestamp = Timestamp(-2);
/// The record with the largest timestamp (KIP-734).
const MAX_TIMESTAMP: Timestamp = Timestamp(-3);
/// The first offset on local disks (KIP-405): all there is, without tiers.
const EARLIEST_LOCAL: Timestamp = Timestamp(-4);
/// The last offset in remote storage (KIP-1005): there is none.
const LATEST_TIERED: Timestamp = Timestamp(-5);
/// The first offset that waits to be copied to remote storage (KIP-1023): there is none.
const EARLIEST_PENDING_UPLOAD: Timestamp = Timestamp(-6);
/// The version from which each special timestamp may be asked for.
const SPECIAL_FROM: [(Timestamp, i16); 4] =
    [(MAX_TIMESTAMP, 7), (EARLIEST_LOCAL, 8), (LATEST_TIERED, 9), (EARLIEST_PENDING_UPLOAD, 11)];

const READ_COMMITTED: i8 = 1;

/// Look-ups by time of one request that are tried at once. More of them take longer than a request may hold up others,
/// also when all that they read is in memory.
const INLINE_LOOK_UPS_MAX: usize = 16;

/// A request of which some look-ups have to read from disk.
#[derive(Debug)]
pub struct ParkedLookUp {
    session: Arc<Session>,
    slot: Slot,
    header: Header,
    response: ListOffsetsResponse,
    plans: Vec<(Place, TimePlan)>,
}

impl ParkedLookUp {
    /// Reads, for as long as the disk takes.
    pub(crate) fn run(mut self) -> Self {
        for (place, plan) in std::mem::take(&mut self.plans) {
            let found = plan.run(Wait::Long);
            if let Some(partition) = partition_at(&mut self.response, place) {
                fill(partition, found);
            }
        }
        self
    }

    pub(crate) fn into_reply(self) -> (Arc<Session>, Slot, Reply) {
        let reply = encode_reply(self.header, &self.response);
        (self.session, self.slot, reply)
    }
}

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: ListOffsetsRequest = decode(reader, call.header.api_version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()))?;
    let table = call.node.table();
    let asked =
        Asked { version: call.header.api_version, read_committed: request.isolation_level == READ_COMMITTED };
    let mut plans = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut repeated = repeated(&request);
    for (topic, ListOffsetsTopic { name, partitions }) in request.topics.iter().enumerate() {
        let hosted = table.by_name(name);
        let mut answers = Vec::with_capacity(partitions.len());
        for wanted in partitions {
            match repeated.get_mut(&(name.as_str(), wanted.partition_index)) {
                Some(is_told) if *is_told => {}
                Some(is_told) => {
                    *is_told = true;
                    answers.push(refused(wanted, ErrorCode::InvalidRequest));
                }
                None => {
                    let (answer, plan) = asked.answer(hosted, wanted);
                    let place = Place { topic, partition: answers.len() };
                    plans.extend(plan.map(|plan| (place, plan)));
                    answers.push(answer);
                }
            }
        }
        topics.push(ListOffsetsTopicResponse { name: name.clone(), partitions: answers });
    }
    let mut response = ListOffsetsResponse { topics, ..ListOffsetsResponse::default() };
    let inline = plans.len() <= INLINE_LOOK_UPS_MAX;
    plans.retain(|(place, plan)| {
        if !inline {
            return true;
        }
        match plan.run(Wait::Never) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            found => {
                if let Some(partition) = partition_at(&mut response, *place) {
                    fill(partition, found);
                }
                false
            }
        }
    });
    if plans.is_empty() {
        return call.reply(&response);
    }
    let parked = ParkedLookUp {
        session: Arc::clone(call.session),
        slot: call.slot,
        header: call.header,
        response,
        plans,
    };
    call.effects.jobs.push((Ticket(TicketKind::Nobody), Job::LookUp(Box::new(parked))));
    Ok(Handled::Parked)
}

/// Partitions that are asked for more than once. As in Kafka each is answered once, with an error; `false` while it is
/// not.
fn repeated(request: &ListOffsetsRequest) -> BTreeMap<(&str, PartitionIndex), bool> {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeMap::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            let key = (topic.name.as_str(), partition.partition_index);
            if !seen.insert(key) {
                repeated.insert(key, false);
            }
        }
    }
    repeated
}

fn refused(wanted: &ListOffsetsPartition, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    let partition_index = wanted.partition_index;
    ListOffsetsPartitionResponse { partition_index, error_code, ..ListOffsetsPartitionResponse::default() }
}

struct Asked {
    version: i16,
    read_committed: bool,
}

impl Asked {
    /// The answer, or what has to be read for it.
    fn answer(
        &self,
        hosted: Option<&Arc<HostedTopic>>,
        wanted: &ListOffsetsPartition,
    ) -> (ListOffsetsPartitionResponse, Option<TimePlan>) {
        let mut answer = ListOffsetsPartitionResponse {
            partition_index: wanted.partition_index,
            ..ListOffsetsPartitionResponse::default()
        };
        let found = hosted
            .and_then(|topic| topic.partition(wanted.partition_index))
            .ok_or(ErrorCode::UnknownTopicOrPartition)
            .and_then(|partition| self.look_up(partition, wanted, &mut answer));
        match found {
            Ok(plan) => (answer, plan),
            Err(error_code) => (ListOffsetsPartitionResponse { error_code, ..answer }, None),
        }
    }

    fn look_up(
        &self,
        partition: &Arc<Partition>,
        wanted: &ListOffsetsPartition,
        answer: &mut ListOffsetsPartitionResponse,
    ) -> Result<Option<TimePlan>, ErrorCode> {
        let too_old =
            |(special, from): &(Timestamp, i16)| wanted.timestamp == *special && self.version < *from;
        if SPECIAL_FROM.iter().any(too_old) || wanted.timestamp < EARLIEST_PENDING_UPLOAD {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let state = partition.lock();
        let Ok(log) = state.log() else {
            drop(state);
            partition.ask_for_recovery();
            return Err(ErrorCode::NotLeaderOrFollower);
        };
        state.replica.check_leader(wanted.current_leader_epoch)?;
        let end = state.read_end(self.read_committed);
        match wanted.timestamp {
            LATEST => {
                state.replica.check_offsets_known()?;
                answer.offset = end;
                answer.leader_epoch = state.replica.leader_epoch();
            }
            EARLIEST | EARLIEST_LOCAL => {
                answer.offset = log.log_start_offset();
                answer.leader_epoch = log.epoch_at(answer.offset).unwrap_or(LeaderEpoch::UNKNOWN);
            }
            LATEST_TIERED | EARLIEST_PENDING_UPLOAD => {}
            MAX_TIMESTAMP => return Ok(Some(log.plan_max_timestamp(end))),
            timestamp => {
                state.replica.check_offsets_known()?;
                return Ok(Some(log.plan_time(timestamp, end)));
            }
        }
        Ok(None)
    }
}

fn fill(answer: &mut ListOffsetsPartitionResponse, found: io::Result<Option<TimeFound>>) {
    match found {
        Ok(Some(found)) => {
            answer.timestamp = found.timestamp;
            answer.offset = found.offset;
            answer.leader_epoch = found.leader_epoch;
        }
        Ok(None) => answer.offset = Offset::UNKNOWN,
        Err(error) => answer.error_code = read_error_code(&error),
    }
}

fn partition_at(
    response: &mut ListOffsetsResponse,
    place: Place,
) -> Option<&mut ListOffsetsPartitionResponse> {
    response.topics.get_mut(place.topic)?.partitions.get_mut(place.partition)
}
