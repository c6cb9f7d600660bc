//! DeleteRecords (21): moves log start offsets (KIP-107). Answered when the new starts are on the device, so that no
//! record that was said to be gone comes back.

use std::sync::Arc;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::id::{LeaderEpoch, Offset};
use protocol::message::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use protocol::wire::Reader;

use super::{Call, Handled, Header, check_partitions, decode, encode_reply, is_internal};
use crate::effects::{Reply, Ticket, TicketKind};
use crate::metadata::waiting::WAIT_MAX;
use crate::node::millis;
use crate::partition::Partition;
use crate::session::{Session, Slot};
use crate::table::Table;

/// Stands for the high watermark in a request.
const TO_HIGH_WATERMARK: Offset = Offset(-1);

/// A request whose new starts are to be stored.
#[derive(Debug)]
pub(crate) struct ParkedDeletion {
    session: Arc<Session>,
    slot: Slot,
    header: Header,
    /// The partitions whose start is to be stored.
    pub(crate) partitions: Vec<Arc<Partition>>,
    response: Mutex<Option<DeleteRecordsResponse>>,
}

impl ParkedDeletion {
    /// The reply, unless it was given: each partition that moved is answered with `error_code`.
    pub(crate) fn finish(&self, error_code: ErrorCode) -> Option<(Arc<Session>, Slot, Reply)> {
        let mut response = self.response.lock().take()?;
        if error_code.is_error() {
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for partition in partitions.filter(|partition| !partition.error_code.is_error()) {
                partition.error_code = error_code;
                partition.low_watermark = Offset::UNKNOWN;
            }
        }
        Some((Arc::clone(&self.session), self.slot, encode_reply(self.header, &response)))
    }
}

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DeleteRecordsRequest = decode(reader, call.header.api_version)?;
    check_partitions(request.topics.iter().map(|topic| topic.partitions.len()))?;
    let table = call.node.table();
    let mut starts = Vec::new();
    let topics = request.topics.into_iter().map(|topic| DeleteRecordsTopicResult {
        partitions: topic.partitions.iter().map(|p| delete(&table, &topic.name, p, &mut starts)).collect(),
        name: topic.name,
    });
    let response = DeleteRecordsResponse { topics: topics.collect(), ..DeleteRecordsResponse::default() };
    if starts.is_empty() {
        return call.reply(&response);
    }
    let parked = Arc::new(ParkedDeletion {
        session: Arc::clone(call.session),
        slot: call.slot,
        header: call.header,
        partitions: starts,
        response: Mutex::new(Some(response)),
    });
    let deadline = call.now.monotonic.plus(millis(request.timeout_ms).min(WAIT_MAX));
    call.effects.timers.push((deadline, Ticket(TicketKind::Deletion(Arc::downgrade(&parked)))));
    call.node.store_starts(parked, call.effects);
    Ok(Handled::Parked)
}

fn delete(
    table: &Table,
    topic: &str,
    wanted: &DeleteRecordsPartition,
    starts: &mut Vec<Arc<Partition>>,
) -> DeleteRecordsPartitionResult {
    let partition_index = wanted.partition_index;
    let result = |low_watermark, error_code| DeleteRecordsPartitionResult {
        partition_index,
        low_watermark,
        error_code,
    };
    if is_internal(topic) {
        return result(Offset::UNKNOWN, ErrorCode::InvalidTopicException);
    }
    let Some(partition) = table.by_name(topic).and_then(|topic| topic.partition(partition_index)) else {
        return result(Offset::UNKNOWN, ErrorCode::UnknownTopicOrPartition);
    };
    match move_start(partition, wanted.offset) {
        Ok(start) => {
            // Also where it was there already: another request may have moved it that waits still.
            starts.push(Arc::clone(partition));
            result(start, ErrorCode::None)
        }
        Err(error_code) => result(Offset::UNKNOWN, error_code),
    }
}

/// The start afterwards: one that is there or further already stays.
fn move_start(partition: &Arc<Partition>, to: Offset) -> Result<Offset, ErrorCode> {
    let mut guard = partition.lock();
    let state = &mut *guard;
    let Some(log) = state.log.as_mut() else {
        drop(guard);
        partition.ask_for_recovery();
        return Err(ErrorCode::NotLeaderOrFollower);
    };
    state.replica.check_leader(LeaderEpoch::UNKNOWN)?;
    if log.config().cleanup_compact && !log.config().cleanup_delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let high_watermark = state.replica.high_watermark();
    let to = if to == TO_HIGH_WATERMARK { high_watermark } else { to };
    if to.0 < 0 || to > high_watermark {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    log.set_log_start_offset(to);
    Ok(log.log_start_offset())
}
