//! Produce load: pipelined batches, flat out or at a rate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::api::{leaders, produce_request, produced};
use super::batch::{Batch, BatchShape, build, checksums};
use super::meter::{Measurement, Meter, Span, sample};
use super::wire::Connection;

/// What to produce, and how hard.
#[derive(Clone, Debug)]
pub struct ProduceLoad {
    /// `HOST:PORT` of any broker.
    pub broker: String,
    /// The topic, which exists.
    pub topic: String,
    /// Its partitions.
    pub partitions: i32,
    /// Connections, each with a thread; partitions are dealt out among them.
    pub connections: usize,
    /// Requests in flight on a connection.
    pub in_flight: usize,
    /// Content of a batch; each connection has one of its own.
    pub shape: BatchShape,
    /// Kafka's acks: 1 or -1.
    pub acks: i16,
    /// Batches a second over all connections; none means flat out.
    pub rate: Option<f64>,
    /// The process to charge.
    pub pid: Option<u32>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Produced {
    /// One for each window.
    pub windows: Vec<Measurement>,
    /// Records acknowledged in all, warm-up and end included.
    pub records: u64,
    /// Checksums of the batches that were sent.
    pub checksums: BTreeSet<u32>,
}

/// Loads the broker for the span and waits for every answer.
pub fn produce(load: &ProduceLoad, span: &Span) -> Result<Produced> {
    produce_until(load, span, &AtomicBool::new(false))
}

/// The same, ended early, with a short window, once somebody sets `stop`.
pub fn produce_until(load: &ProduceLoad, span: &Span, stop: &AtomicBool) -> Result<Produced> {
    ensure!(load.connections > 0 && load.in_flight > 0, "a load needs a connection and a request in flight");
    let leaders = leaders(&load.broker, &load.topic, load.partitions)?;
    let batches = (0..load.connections)
        .map(|index| build(&load.shape, 0x9e37_79b9 * (index as u64 + 1)))
        .collect::<Result<Vec<Batch>>>()?;
    let meters: Vec<Meter> = (0..load.connections).map(|_| Meter::default()).collect();
    let gate = Barrier::new(load.connections + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..load.connections)
            .map(|index| {
                let (batch, meter, gate) = (&batches[index], &meters[index], &gate);
                let mine = share(index, load.connections, &leaders);
                scope.spawn(move || {
                    let sender = Sender::open(load, index, &mine, batch);
                    gate.wait();
                    let sent = sender.and_then(|mut sender| sender.run(meter, stop));
                    if sent.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    sent
                })
            })
            .collect();
        gate.wait();
        let windows = sample(&meters, span, load.pid, stop);
        let mut records = 0;
        for thread in threads {
            records += thread.join().expect("a sender does not panic")?;
        }
        Ok(Produced { windows, records, checksums: checksums(&batches) })
    })
}

/// The partitions that a connection writes, all of one leader, and that leader's address. With more
/// connections than partitions several write the same one.
fn share(index: usize, connections: usize, leaders: &[String]) -> (String, Vec<i32>) {
    let count = leaders.len();
    let candidates: Vec<usize> = if connections >= count {
        vec![index % count]
    } else {
        (0..count).filter(|partition| partition % connections == index).collect()
    };
    let address = leaders[candidates[0]].clone();
    let mine = candidates
        .into_iter()
        .filter(|partition| leaders[*partition] == address)
        .map(|partition| i32::try_from(partition).expect("partitions fit 31 bits"))
        .collect();
    (address, mine)
}

/// One connection with the requests that it sends again and again.
struct Sender<'a> {
    connection: Connection,
    requests: Vec<Vec<u8>>,
    batch: &'a Batch,
    in_flight: usize,
    /// Time between two sends of this connection; none when flat out.
    gap: Option<Duration>,
    /// How much later than the first connection this one begins, so that sends spread evenly.
    offset: Duration,
}

impl<'a> Sender<'a> {
    fn open(
        load: &ProduceLoad,
        index: usize,
        mine: &(String, Vec<i32>),
        batch: &'a Batch,
    ) -> Result<Sender<'a>> {
        let (address, partitions) = mine;
        let requests = partitions
            .iter()
            .map(|partition| produce_request(&load.topic, *partition, load.acks, &batch.bytes))
            .collect();
        let step = load.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let (connections, place) = (u32::try_from(load.connections)?, u32::try_from(index)?);
        Ok(Sender {
            connection: Connection::open(address)?,
            requests,
            batch,
            in_flight: load.in_flight,
            gap: step.map(|step| step * connections),
            offset: step.map_or(Duration::ZERO, |step| step * place),
        })
    }

    /// Sends until stopped, then waits for what is in flight; gives the records acknowledged.
    fn run(&mut self, meter: &Meter, stop: &AtomicBool) -> Result<u64> {
        let mut in_flight: VecDeque<(i32, Instant)> = VecDeque::new();
        let (mut id, mut turn, mut acknowledged) = (0_i32, 0_usize, 0_u64);
        let mut due = Instant::now() + self.offset;
        loop {
            let stopped = stop.load(Ordering::Relaxed);
            if stopped && in_flight.is_empty() {
                return Ok(acknowledged);
            }
            let now = Instant::now();
            if !stopped && in_flight.len() < self.in_flight && (self.gap.is_none() || now >= due) {
                self.connection.send(&mut self.requests[turn], id)?;
                // Latency counts from when the request was due, so that a stall is not hidden.
                in_flight.push_back((id, if self.gap.is_none() { now } else { due }));
                due += self.gap.unwrap_or_default();
                id = id.wrapping_add(1);
                turn = (turn + 1) % self.requests.len();
                continue;
            }
            let Some((expected, since)) = in_flight.pop_front() else {
                std::thread::sleep(due.saturating_duration_since(now).min(Duration::from_millis(100)));
                continue;
            };
            produced(self.connection.receive(expected)?)?;
            meter.latency(since.elapsed());
            meter.count(self.batch.uncompressed_bytes, u64::from(self.batch.records));
            acknowledged += u64::from(self.batch.records);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaders(count: usize) -> Vec<String> {
        (0..count).map(|partition| format!("broker{}:9092", partition % 2)).collect()
    }

    #[test]
    fn every_partition_is_written_and_only_at_its_leader() {
        for (connections, partitions) in [(1, 1), (2, 4), (16, 2), (2, 2), (4, 8)] {
            let leaders = leaders(partitions);
            let mut seen = BTreeSet::new();
            for index in 0..connections {
                let (address, mine) = share(index, connections, &leaders);
                assert!(!mine.is_empty());
                for partition in mine {
                    assert_eq!(leaders[usize::try_from(partition).unwrap()], address);
                    seen.insert(partition);
                }
            }
            assert_eq!(seen.len(), partitions, "{connections} connections, {partitions} partitions");
        }
    }
}
