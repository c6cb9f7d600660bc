//! A producer's batches: how each is made, and how several go out in one request.

use bytes::Bytes;
use protocol::id::{PartitionIndex, Timestamp, TopicId};
use protocol::message::produce::{PartitionProduceData, TopicProduceData};

use crate::client::Context;
use crate::oracle::{Fact, Kind, Place, Value};

/// The first version of Produce that names topics by id.
pub(super) const IDS_FROM: i16 = 13;
/// The first version that may carry zstd.
const ZSTD_FROM: i16 = 7;
/// The first version that is served.
const OLDEST: i16 = 3;

/// A batch that is not acknowledged.
pub(super) struct Batch {
    /// Its number among this producer's batches.
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) first: Value,
    pub(super) count: u64,
    /// When it was made, from which its records' times come.
    pub(super) wall: Timestamp,
    pub(super) bytes: Vec<u8>,
    pub(super) zstd: bool,
    /// The first one of its producer in its partition.
    pub(super) begins: bool,
    /// Under way on this connection.
    pub(super) sent: bool,
    /// Sent before, so that it may be there already.
    pub(super) again: bool,
    /// The high watermark's floor when it was last sent.
    pub(super) floor: i64,
}

impl Batch {
    /// The oldest version of Produce that may carry it. Topics that come and go are named by id.
    pub(super) fn oldest_version(&self, context: &Context<'_>) -> i16 {
        let lasting = context.oracle.by_id(self.place.0).is_some_and(|topic| topic.kind != Kind::Fleeting);
        if !lasting {
            IDS_FROM
        } else if self.zstd {
            ZSTD_FROM
        } else {
            OLDEST
        }
    }

    /// Its records, when the broker answered `append_time`: -1 where they keep their own times.
    pub(super) fn facts(&self, append_time: Timestamp) -> impl Iterator<Item = Fact> {
        let (first, wall) = (self.first, self.wall);
        (first.number..first.number + self.count).map(move |number| {
            let value = Value { number, ..first };
            let time = if append_time == Timestamp::NONE { value.time(wall) } else { append_time };
            Fact { value, time: Some(time.0), epoch: None }
        })
    }
}

/// The parts of a request that carries some batches, each of another partition.
pub(super) fn topics<'a>(batches: impl Iterator<Item = &'a Batch>, by_id: bool) -> Vec<TopicProduceData> {
    let mut topics: Vec<(TopicId, TopicProduceData)> = Vec::new();
    for batch in batches {
        let data = PartitionProduceData {
            index: PartitionIndex(batch.place.1),
            records: Some(Bytes::from(batch.bytes.clone())),
        };
        if let Some((_, topic)) = topics.iter_mut().find(|(id, _)| *id == batch.place.0) {
            topic.partition_data.push(data);
            continue;
        }
        let topic = TopicProduceData {
            name: if by_id { String::new() } else { batch.name.clone() },
            topic_id: if by_id { batch.place.0 } else { TopicId::ZERO },
            partition_data: vec![data],
        };
        topics.push((batch.place.0, topic));
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}
