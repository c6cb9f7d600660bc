//! A round trip of records: the least that a client wants of a cluster.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex, Timestamp};
use protocol::message::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::message::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::records::{BatchBuilder, Records};

use crate::admin::{Admin, NewTopic};
use crate::connection::Connection;
use crate::error::{Error, Refusal};

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How many records came back, each as it was sent.
    pub records: usize,
    /// From the first request until all were back.
    pub elapsed: Duration,
}

/// How many records go round.
const RECORDS: usize = 100;
/// The most that is fetched at once, and that a compressed batch may become; what is sent is far below.
const FETCH_BYTES: i32 = 1 << 20;
/// A topic that was just made may not be served for some moments.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a topic with one partition, produces records to it, consumes them, compares, and deletes the topic, at the
/// first broker that answers.
///
/// # Errors
/// A step that failed, or records that came back otherwise than they were sent.
pub async fn round_trip(addresses: &[String], topic: &str, timeout: Duration) -> Result<Seen, Error> {
    let mut admin = Admin::new(addresses.to_vec(), CLIENT_ID, timeout);
    let new = NewTopic {
        name: topic.to_owned(),
        partitions: Some(1),
        replication_factor: None,
        config: std::collections::BTreeMap::new(),
    };
    let id = admin.create_topic(&new).await?;
    let seen = records(addresses, topic, id, timeout).await;
    // Deleted also when the records did not come back; that failure is then the one to tell.
    let deleted = admin.delete_topic(id).await;
    let seen = seen?;
    deleted?;
    Ok(seen)
}

const CLIENT_ID: &str = "gregor-check";

async fn records(
    addresses: &[String],
    topic: &str,
    id: protocol::id::TopicId,
    timeout: Duration,
) -> Result<Seen, Error> {
    let address = addresses.first().ok_or_else(|| Error::Unreachable("no address".to_owned()))?;
    let mut connection = Connection::open(address, CLIENT_ID, timeout).await?;
    let sent: Vec<Vec<u8>> = (0..RECORDS).map(|number| format!("record {number}").into_bytes()).collect();
    let started = Instant::now();
    produce(&mut connection, topic, id, &sent).await?;
    let mut received = Vec::new();
    while received.len() < sent.len() {
        let before = received.len();
        consume(&mut connection, topic, id, &mut received).await?;
        if received.len() == before && started.elapsed() > PATIENCE {
            return Err(Error::Protocol(format!("only {before} of {RECORDS} records came back")));
        }
    }
    if received != sent {
        return Err(Error::Protocol("records came back otherwise than they were sent".to_owned()));
    }
    Ok(Seen { records: sent.len(), elapsed: started.elapsed() })
}

async fn produce(
    connection: &mut Connection,
    topic: &str,
    id: protocol::id::TopicId,
    values: &[Vec<u8>],
) -> Result<(), Error> {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = Timestamp(i64::try_from(millis).unwrap_or(i64::MAX));
    let mut batch = BatchBuilder::new();
    for value in values {
        batch.push(now, None, Some(value), &[]);
    }
    let batch = batch.build().map_err(|error| Error::Protocol(error.to_string()))?;
    let partition = PartitionProduceData { index: PartitionIndex(0), records: Some(Bytes::from(batch)) };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            topic_id: id,
            partition_data: vec![partition],
        }],
        ..ProduceRequest::default()
    };
    let begun = Instant::now();
    loop {
        let response = connection.call(&request).await?;
        let result = response.responses.first().and_then(|topic| topic.partition_responses.first());
        let result = result.ok_or_else(|| Error::Protocol("an answer without the partition".to_owned()))?;
        if is_early(result.error_code) && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        return Ok(Refusal::check(result.error_code, result.error_message.as_deref())?);
    }
}

/// Whether a broker may answer so because it has not yet heard of a new topic.
const fn is_early(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
    )
}

async fn consume(
    connection: &mut Connection,
    topic: &str,
    id: protocol::id::TopicId,
    received: &mut Vec<Vec<u8>>,
) -> Result<(), Error> {
    let partition = FetchPartition {
        partition: PartitionIndex(0),
        fetch_offset: Offset(i64::try_from(received.len()).unwrap_or(i64::MAX)),
        partition_max_bytes: FETCH_BYTES,
        ..FetchPartition::default()
    };
    let request = FetchRequest {
        max_wait_ms: 1000,
        min_bytes: 1,
        max_bytes: FETCH_BYTES,
        topics: vec![FetchTopic { topic: topic.to_owned(), topic_id: id, partitions: vec![partition] }],
        ..FetchRequest::default()
    };
    let response = connection.call(&request).await?;
    Refusal::check(response.error_code, None)?;
    let result = response.responses.first().and_then(|topic| topic.partitions.first());
    let Some(result) = result else { return Ok(()) };
    Refusal::check(result.error_code, None)?;
    let bytes = result.records.clone().unwrap_or_default();
    let mut rest: &[u8] = &bytes;
    let mut buffer = Vec::new();
    while !rest.is_empty() {
        let records = Records::new(rest, &mut buffer, FETCH_BYTES.unsigned_abs() as usize)
            .map_err(|error| Error::Protocol(error.to_string()))?;
        let size = records.header().size_in_bytes();
        for record in records {
            let record = record.map_err(|error| Error::Protocol(error.to_string()))?;
            if usize::try_from(record.offset.0).is_ok_and(|offset| offset == received.len()) {
                received.push(record.value.unwrap_or_default().to_vec());
            }
        }
        rest = rest.get(size..).unwrap_or_default();
    }
    Ok(())
}
