//! Producers, plain and idempotent: the latter keep several batches in flight and send again what was not answered.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::id::{PartitionIndex, ProducerEpoch, ProducerId, TopicId};
use protocol::message::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use protocol::message::{InitProducerIdRequest, ProduceRequest};
use protocol::records::Compression;
use protocol::wire::Message as _;

use super::{Client, Context, Requests, body};
use crate::oracle::{Kind, Place, Value, batch};

/// Batches in flight: as many as the broker remembers of a producer.
const IN_FLIGHT_MAX: usize = 5;
/// The first version of Produce that names topics by id.
const IDS_FROM: i16 = 13;
/// The first version that may carry zstd.
const ZSTD_FROM: i16 = 7;
const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

/// A batch that is not acknowledged.
struct Batch {
    /// Its number among this producer's batches.
    number: u64,
    name: String,
    place: Place,
    first: Value,
    count: u64,
    bytes: Vec<u8>,
    zstd: bool,
    /// Under way on this connection.
    sent: bool,
    /// Sent before, so that it may be there already.
    again: bool,
    /// The high watermark's floor when it was last sent.
    floor: i64,
}

enum What {
    Identity,
    Batch(u64),
}

/// A producer.
pub(crate) struct Producer {
    idempotent: bool,
    acks: i16,
    kinds: Vec<Kind>,
    requests: Requests<What>,
    /// Number of the present incarnation: its values lie in order.
    incarnation: u32,
    identity: Option<(ProducerId, ProducerEpoch)>,
    sequences: BTreeMap<Place, i32>,
    batches: VecDeque<Batch>,
    next_batch: u64,
    next_value: u64,
    /// Losses of power when the present incarnation began: later ones may have taken what it wrote.
    power_losses: u64,
}

impl Producer {
    pub(crate) fn new(name: &str, idempotent: bool, acks: i16, kinds: &[Kind], incarnation: u32) -> Self {
        Self {
            idempotent,
            acks,
            kinds: kinds.to_vec(),
            requests: Requests::new(name),
            incarnation,
            identity: None,
            sequences: BTreeMap::new(),
            batches: VecDeque::new(),
            next_batch: 0,
            next_value: 0,
            power_losses: 0,
        }
    }

    /// What is under way is given up: nobody knows whether it was written.
    fn reincarnate(&mut self, context: &mut Context<'_>) {
        self.batches.clear();
        self.sequences.clear();
        self.next_value = 0;
        self.power_losses = context.oracle.power_losses;
        self.incarnation = context.oracle.producer();
        // A client may raise its epoch, or begin as somebody new.
        if context.random.chance(50) {
            self.identity = None;
        }
    }

    fn ask_identity(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(InitProducerIdRequest::VERSIONS);
        let (producer_id, producer_epoch) = self.identity.unwrap_or((ProducerId::NONE, ProducerEpoch::NONE));
        let mut request = InitProducerIdRequest { producer_id, producer_epoch, ..Default::default() };
        if version < 3 {
            request.producer_id = ProducerId::NONE;
            request.producer_epoch = ProducerEpoch::NONE;
        }
        request.transaction_timeout_ms = 60_000;
        self.identity = None;
        self.requests.send(&request, version, What::Identity, context);
    }

    fn make(&mut self, context: &mut Context<'_>) -> Option<Batch> {
        let fitting: Vec<_> =
            context.oracle.topics().filter(|topic| self.kinds.contains(&topic.kind)).collect();
        let topic = *fitting.get(context.random.index(fitting.len()))?;
        let partition = context.random.between_i32(0, topic.partitions - 1);
        let (name, place) = (topic.name.clone(), (topic.id, partition));
        let count = context.random.between(1, 6);
        let codec = if context.random.chance(60) { Compression::None } else { *context.random.pick(&CODECS) };
        let first = Value { producer: self.incarnation, number: self.next_value };
        self.next_value += count;
        let sequence = self.sequences.entry(place).or_insert(0);
        let producer = match self.identity {
            Some((id, epoch)) if self.idempotent => Some((id, epoch, *sequence)),
            _ => None,
        };
        let bytes = batch(first, count, producer, codec, context.wall);
        *sequence += i32::try_from(count).unwrap_or(0);
        self.next_batch += 1;
        Some(Batch {
            number: self.next_batch,
            name,
            place,
            first,
            count,
            bytes,
            zstd: codec == Compression::Zstd,
            sent: false,
            again: false,
            floor: 0,
        })
    }

    fn send(&mut self, number: u64, context: &mut Context<'_>) {
        let Some(batch) = self.batches.iter_mut().find(|batch| batch.number == number) else { return };
        let fleeting = context.oracle.by_id(batch.place.0).is_none_or(|topic| topic.kind == Kind::Fleeting);
        let oldest = if fleeting {
            IDS_FROM
        } else if batch.zstd {
            ZSTD_FROM
        } else {
            3
        };
        let version = context.random.version(oldest..=*ProduceRequest::VERSIONS.end());
        batch.again |= batch.sent;
        batch.sent = true;
        batch.floor = context.oracle.floor(batch.place);
        let data = PartitionProduceData {
            index: PartitionIndex(batch.place.1),
            records: Some(Bytes::from(batch.bytes.clone())),
        };
        let by_id = version >= IDS_FROM;
        let topic = TopicProduceData {
            name: if by_id { String::new() } else { batch.name.clone() },
            topic_id: if by_id { batch.place.0 } else { TopicId::ZERO },
            partition_data: vec![data],
        };
        let timeout_ms = context.random.between_i32(50, 5_000);
        let request =
            ProduceRequest { acks: self.acks, timeout_ms, topic_data: vec![topic], ..Default::default() };
        if self.acks == 0 {
            self.batches.retain(|batch| batch.number != number);
            self.requests.send_unanswered(&request, version, context);
        } else {
            self.requests.send(&request, version, What::Batch(number), context);
        }
    }

    fn answered(
        &mut self,
        number: u64,
        answer: &PartitionProduceResponse,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let Some(at) = self.batches.iter().position(|batch| batch.number == number) else { return Ok(()) };
        let code = answer.error_code;
        if !code.is_error() {
            let Some(batch) = self.batches.remove(at) else { return Ok(()) };
            return acknowledged(&batch, answer.base_offset.0, context);
        }
        let batch = &self.batches[at];
        let gone = context.oracle.by_id(batch.place.0).is_none_or(|topic| topic.deletion_asked);
        match code {
            _ if gone => self.give_up(at, context),
            ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::UnknownTopicId
            | ErrorCode::KafkaStorageError
            | ErrorCode::RequestTimedOut => {
                if self.idempotent {
                    self.batches[at].sent = false;
                    self.batches[at].again = true;
                } else {
                    self.batches.remove(at);
                }
            }
            ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId if self.idempotent => {
                let place = batch.place;
                if self.batches.iter().take(at).any(|earlier| earlier.place == place && !earlier.sent) {
                    self.batches[at].sent = false;
                } else if self.power_losses == context.oracle.power_losses {
                    return Err(format!(
                        "batch {:?} of {place:?} was refused with {}",
                        batch.first,
                        code.name()
                    ));
                } else {
                    context.oracle.counters.producers_reset += 1;
                    self.reincarnate(context);
                    self.identity = None;
                }
            }
            other => return Err(format!("a Produce was answered with {}", other.name())),
        }
        Ok(())
    }

    /// The topic is being deleted: later batches for it are in vain.
    fn give_up(&mut self, at: usize, context: &mut Context<'_>) {
        let place = self.batches[at].place;
        let _ = context;
        self.batches.retain(|batch| batch.place != place);
    }
}

fn acknowledged(batch: &Batch, base: i64, context: &mut Context<'_>) -> Result<(), String> {
    if context.oracle.by_id(batch.place.0).is_none() {
        return Ok(());
    }
    if batch.again && base < batch.floor {
        context.oracle.counters.duplicates += 1;
    }
    context.oracle.counters.acknowledged += batch.count;
    let log = context.oracle.log(batch.place);
    log.acked(base, batch.first, batch.count)
        .map_err(|why| format!("{}-{}: {why}", batch.name, batch.place.1))
}

impl Client for Producer {
    fn act(&mut self, context: &mut Context<'_>) {
        if self.idempotent && self.identity.is_none() {
            if self.requests.is_empty() && !context.draining {
                self.ask_identity(context);
            }
            return;
        }
        let unsent: Vec<u64> =
            self.batches.iter().filter(|batch| !batch.sent).map(|batch| batch.number).collect();
        if !unsent.is_empty() {
            // Again in the order of the sequences, once everything under way is answered.
            if self.requests.is_empty() {
                unsent.into_iter().for_each(|number| self.send(number, context));
            }
            return;
        }
        if context.draining {
            return;
        }
        if self.idempotent && self.batches.is_empty() && context.random.chance(1) {
            self.reincarnate(context);
            self.ask_identity(context);
            return;
        }
        for _ in 0..context.random.between(1, 3) {
            if self.batches.len() >= IN_FLIGHT_MAX {
                break;
            }
            let Some(batch) = self.make(context) else { break };
            let number = batch.number;
            self.batches.push_back(batch);
            self.send(number, context);
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let (version, what) = self.requests.answered(frame)?;
        match what {
            What::Identity => {
                let response = body::<InitProducerIdRequest>(frame, version)?;
                match response.error_code {
                    ErrorCode::None => {
                        context.oracle.producer_id(response.producer_id, response.producer_epoch)?;
                        self.identity = Some((response.producer_id, response.producer_epoch));
                        Ok(())
                    }
                    ErrorCode::CoordinatorLoadInProgress
                    | ErrorCode::CoordinatorNotAvailable
                    | ErrorCode::NotCoordinator
                    | ErrorCode::RequestTimedOut => Ok(()),
                    other => Err(format!("InitProducerId was answered with {}", other.name())),
                }
            }
            What::Batch(number) => {
                let response = body::<ProduceRequest>(frame, version)?;
                let answer = response.responses.first().and_then(|topic| topic.partition_responses.first());
                self.answered(number, answer.ok_or("a Produce was answered without its partition")?, context)
            }
        }
    }

    fn lost(&mut self, context: &mut Context<'_>) {
        self.requests.lost();
        if !self.idempotent {
            self.batches.clear();
            return;
        }
        for batch in &mut self.batches {
            batch.again |= batch.sent;
            batch.sent = false;
        }
        self.batches.retain(|batch| !context.oracle.is_deleted(batch.place.0));
    }

    fn is_idle(&self) -> bool {
        self.batches.is_empty() && self.requests.is_empty()
    }
}
