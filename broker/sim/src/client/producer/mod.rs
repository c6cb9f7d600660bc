//! Producers, plain and idempotent: the latter keep several requests in flight and send again what was not answered.

mod answers;
mod batch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::ErrorCode;
use protocol::id::{ProducerEpoch, ProducerId};
use protocol::message::{InitProducerIdRequest, ProduceRequest};
use protocol::records::Compression;
use protocol::wire::Message as _;

use super::{Answered, Client, Context, Requests, body};
use crate::oracle::{Kind, Place, Value, batch};
use batch::{Batch, IDS_FROM, topics};

/// Requests in flight: as many as the broker remembers batches of a producer.
const IN_FLIGHT_MAX: usize = 5;
/// Partitions that one request may carry batches for.
const WIDTH_MAX: u64 = 4;
const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

enum What {
    Identity,
    /// Batches by their numbers.
    Batches(Vec<u64>),
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
    /// Partitions of which batches were given up: their sequences have a gap, and nothing more can be sent to them.
    abandoned: BTreeSet<Place>,
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
            abandoned: BTreeSet::new(),
            power_losses: 0,
        }
    }

    /// What is under way is given up: nobody knows whether it was written.
    fn reincarnate(&mut self, context: &mut Context<'_>) {
        self.batches.clear();
        self.sequences.clear();
        self.abandoned.clear();
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

    fn make(&mut self, taken: &BTreeSet<Place>, context: &mut Context<'_>) -> Option<Batch> {
        let fitting: Vec<_> =
            context.oracle.topics().filter(|topic| self.kinds.contains(&topic.kind)).collect();
        let topic = *fitting.get(context.random.index(fitting.len()))?;
        let partition = context.random.between_i32(0, topic.partitions - 1);
        let (name, place) = (topic.name.clone(), (topic.id, partition));
        if taken.contains(&place) || self.idempotent && self.abandoned.contains(&place) {
            return None;
        }
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
        let begins = *sequence == 0;
        *sequence += i32::try_from(count).unwrap_or(0);
        self.next_batch += 1;
        Some(Batch {
            number: self.next_batch,
            name,
            place,
            first,
            count,
            wall: context.wall,
            bytes,
            zstd: codec == Compression::Zstd,
            begins,
            sent: false,
            again: false,
            floor: 0,
        })
    }

    /// Makes one request's batches.
    fn make_request(&mut self, context: &mut Context<'_>) {
        let mut taken = BTreeSet::new();
        let width = if context.random.chance(50) { 1 } else { context.random.between(2, WIDTH_MAX) };
        let mut numbers = Vec::new();
        for _ in 0..width {
            let Some(batch) = self.make(&taken, context) else { continue };
            taken.insert(batch.place);
            numbers.push(batch.number);
            self.batches.push_back(batch);
        }
        if !numbers.is_empty() {
            self.send(numbers, context);
        }
    }

    /// Sends batches, each of another partition, in one request.
    fn send(&mut self, numbers: Vec<u64>, context: &mut Context<'_>) {
        let mut oldest = 0;
        for batch in self.batches.iter_mut().filter(|batch| numbers.contains(&batch.number)) {
            oldest = oldest.max(batch.oldest_version(context));
            batch.again |= batch.sent;
            batch.sent = true;
            batch.floor = context.oracle.floor(batch.place);
        }
        let version = context.random.version(oldest..=*ProduceRequest::VERSIONS.end());
        let chosen = self.batches.iter().filter(|batch| numbers.contains(&batch.number));
        let topic_data = topics(chosen, version >= IDS_FROM);
        let timeout_ms = context.random.between_i32(50, 5_000);
        let request = ProduceRequest { acks: self.acks, timeout_ms, topic_data, ..Default::default() };
        context.oracle.counters.wide_produces += u64::from(numbers.len() > 1);
        if self.acks == 0 {
            self.batches.retain(|batch| !numbers.contains(&batch.number));
            self.requests.send_unanswered(&request, version, context);
        } else {
            self.requests.send(&request, version, What::Batches(numbers), context);
        }
    }

    /// Sends again what was sent and not acknowledged, in the order of the sequences.
    fn send_again(&mut self, unsent: &[(u64, Place)], context: &mut Context<'_>) {
        let mut rest = unsent;
        while !rest.is_empty() {
            let mut taken = BTreeSet::new();
            let different = rest.iter().take_while(|(_, place)| taken.insert(*place)).count();
            let width = context.random.between(1, WIDTH_MAX);
            let width = different.min(usize::try_from(width).unwrap_or(1)).max(1);
            let (now, later) = rest.split_at(width);
            self.send(now.iter().map(|(number, _)| *number).collect(), context);
            rest = later;
        }
    }
}

impl Client for Producer {
    fn act(&mut self, context: &mut Context<'_>) {
        if self.idempotent && self.identity.is_none() {
            if self.requests.is_empty() && !context.draining {
                self.ask_identity(context);
            }
            return;
        }
        let unsent = self.batches.iter().filter(|batch| !batch.sent);
        let unsent: Vec<(u64, Place)> = unsent.map(|batch| (batch.number, batch.place)).collect();
        if !unsent.is_empty() {
            // Once everything under way is answered.
            if self.requests.is_empty() {
                self.send_again(&unsent, context);
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
            if self.requests.len() >= IN_FLIGHT_MAX {
                break;
            }
            self.make_request(context);
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let Answered { version, sent, what } = self.requests.answered(frame, context)?;
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
            What::Batches(numbers) => {
                let response = body::<ProduceRequest>(frame, version)?;
                self.produced(&numbers, &response, sent, context)
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

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}
