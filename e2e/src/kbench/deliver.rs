//! Produce to deliver: batches at a rate, and beside it a consumer that waits for each.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::api::{fetch_request, fetched, high_watermark, leaders, produce_request, produced};
use super::batch::{Batch, BatchShape, build};
use super::meter::{Measurement, Meter, Span, sample};
use super::verify::{check, whole_batches};
use super::wire::Connection;

/// What to send through partition 0 of a topic.
#[derive(Clone, Debug)]
pub struct DeliverLoad {
    /// `HOST:PORT` of any broker.
    pub broker: String,
    /// The topic.
    pub topic: String,
    /// Content of a batch.
    pub shape: BatchShape,
    /// Batches a second.
    pub rate: f64,
    /// The process to charge.
    pub pid: Option<u32>,
}

/// Latency is from when a batch was due to be sent until the consumer holds it. Every batch that is delivered
/// is compared with the one that was sent.
pub fn deliver(load: &DeliverLoad, span: &Span) -> Result<Vec<Measurement>> {
    let leader = leaders(&load.broker, &load.topic, 1)?.remove(0);
    let first = high_watermark(&mut Connection::open(&leader)?, &load.topic, 0)?;
    let batch = build(&load.shape, 7)?;
    let meters = [Meter::default()];
    let (stop, done, due) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let sent = send(load, &leader, &batch, &due, &stop);
            stop.store(true, Ordering::Relaxed);
            done.store(true, Ordering::Release);
            sent
        });
        let reader = scope.spawn(|| {
            let read = receive(load, &leader, &batch, first, &due, &meters[0], &done);
            stop.store(true, Ordering::Relaxed);
            read
        });
        let windows = sample(&meters, span, load.pid, &stop);
        let sent = writer.join().expect("the writer does not panic")?;
        let read = reader.join().expect("the reader does not panic")?;
        ensure!(sent == read, "{sent} batches were produced, {read} were delivered");
        Ok(windows)
    })
}

fn send(
    load: &DeliverLoad,
    leader: &str,
    batch: &Batch,
    due: &Mutex<Vec<Instant>>,
    stop: &AtomicBool,
) -> Result<u64> {
    let mut connection = Connection::open(leader)?;
    let mut frame = produce_request(&load.topic, 0, 1, &batch.bytes);
    let gap = Duration::from_secs_f64(1.0 / load.rate);
    let (mut next, mut sent) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        due.lock().expect("nobody panics with it").push(next);
        produced(connection.call(&mut frame)?)?;
        sent += 1;
        next += gap;
    }
    Ok(sent)
}

fn receive(
    load: &DeliverLoad,
    leader: &str,
    sent: &Batch,
    first: i64,
    due: &Mutex<Vec<Instant>>,
    meter: &Meter,
    done: &AtomicBool,
) -> Result<u64> {
    let mut connection = Connection::open(leader)?;
    let (mut offset, mut delivered) = (first, 0_u64);
    let checksums = BTreeSet::from([sent.crc()]);
    loop {
        // Read before the fetch: all that was produced before `done` is then in its answer.
        let last = done.load(Ordering::Acquire);
        let mut frame = fetch_request(&load.topic, 0, offset, 1 << 20, i32::from(!last));
        let (_, record_set) = fetched(connection.call(&mut frame)?)?;
        let now = Instant::now();
        let mut empty = true;
        for batch in whole_batches(record_set) {
            let since = due.lock().expect("nobody panics with it")[usize::try_from(delivered)?];
            meter.latency(now.saturating_duration_since(since));
            check(&batch, offset, &checksums)?;
            meter.count(batch.bytes.len() as u64, u64::from(batch.records));
            offset = batch.next_offset;
            delivered += 1;
            empty = false;
        }
        if last && empty {
            return Ok(delivered);
        }
    }
}
