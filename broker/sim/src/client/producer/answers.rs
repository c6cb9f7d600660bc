//! What a producer makes of the answers to its batches.

use protocol::ErrorCode;
use protocol::message::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};

use super::batch::Batch;
use super::{Context, Producer};
use crate::oracle::{Kind, Place};

impl Producer {
    pub(super) fn produced(
        &mut self,
        numbers: &[u64],
        response: &ProduceResponse,
        sent: u64,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let places: Vec<(u64, Place, String)> = self
            .batches
            .iter()
            .filter(|batch| numbers.contains(&batch.number))
            .map(|batch| (batch.number, batch.place, batch.name.clone()))
            .collect();
        let answers: usize = response.responses.iter().map(|topic| topic.partition_responses.len()).sum();
        if answers != numbers.len() {
            return Err(format!("a Produce for {} partitions was answered for {answers}", numbers.len()));
        }
        for (number, place, name) in places {
            let topic = |topic: &&TopicProduceResponse| {
                topic.topic_id == place.0 || topic.topic_id.is_zero() && topic.name == name
            };
            let partitions = response.responses.iter().find(topic).map(|topic| &topic.partition_responses);
            let answer = partitions.and_then(|all| all.iter().find(|answer| answer.index.0 == place.1));
            let answer =
                answer.ok_or_else(|| format!("a Produce was answered without {name}-{}", place.1))?;
            self.answered(number, answer, sent, context)?;
        }
        Ok(())
    }

    fn answered(
        &mut self,
        number: u64,
        answer: &PartitionProduceResponse,
        sent: u64,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let Some(at) = self.batches.iter().position(|batch| batch.number == number) else { return Ok(()) };
        let code = answer.error_code;
        if !code.is_error() {
            let Some(batch) = self.batches.remove(at) else { return Ok(()) };
            return acknowledged(&batch, answer, sent, context);
        }
        let batch = &self.batches[at];
        let gone = context.oracle.by_id(batch.place.0).is_none_or(|topic| topic.deletion_asked);
        context.oracle.counters.refused_appends += u64::from(code == ErrorCode::KafkaStorageError);
        match code {
            _ if gone => {
                // Later batches for the topic are in vain.
                let place = batch.place;
                self.batches.retain(|batch| batch.place != place);
                self.abandoned.insert(place);
            }
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
            // A broker that knows nothing of a producer takes any sequence, as Kafka does: when the first batch was
            // refused for a moment and one behind it was not, the first cannot be appended any more.
            ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId if self.idempotent => {
                let place = batch.place;
                if self.batches.iter().take(at).any(|earlier| earlier.place == place && !earlier.sent) {
                    self.batches[at].sent = false;
                } else if self.power_losses == context.oracle.power_losses && !batch.begins {
                    let others = self.batches.iter().filter(|other| other.place == place);
                    let others: Vec<_> = others.map(|other| (other.first.number, other.sent)).collect();
                    return Err(format!(
                        "batch {:?} of {}-{} was refused with {}; under way there: {others:?}, identity {:?}",
                        batch.first,
                        batch.name,
                        place.1,
                        code.name(),
                        self.identity,
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
}

fn acknowledged(
    batch: &Batch,
    answer: &PartitionProduceResponse,
    sent: u64,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let Some(topic) = context.oracle.by_id(batch.place.0) else { return Ok(()) };
    let named = |why: String| format!("{}-{}: {why}", batch.name, batch.place.1);
    let append_time = answer.log_append_time_ms;
    if (topic.kind == Kind::Stamped) != (append_time.0 >= 0) {
        return Err(named(format!("acknowledged with the broker's time {append_time}")));
    }
    context.oracle.acknowledged(sent).map_err(named)?;
    let base = answer.base_offset.0;
    if batch.again && base < batch.floor {
        context.oracle.counters.duplicates += 1;
    }
    context.oracle.counters.acknowledged += batch.count;
    context.oracle.log(batch.place).acked(base, batch.facts(append_time)).map_err(named)
}
