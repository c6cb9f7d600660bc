//! Fetch load: every connection reads its partitions from beginning to end, over and over.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};

use super::api::{fetch_request, fetched, leaders};
use super::meter::{Measurement, Meter, Span, sample};
use super::verify::whole_batches;
use super::wire::Connection;

/// What to read.
#[derive(Clone, Debug)]
pub struct FetchLoad {
    /// `HOST:PORT` of any broker.
    pub broker: String,
    /// The topic.
    pub topic: String,
    /// Its partitions, dealt out among the connections.
    pub partitions: i32,
    /// Connections, each with a thread.
    pub connections: usize,
    /// Bytes asked for at once.
    pub max_bytes: i32,
    /// Begin again at the end; else a connection is done then.
    pub again: bool,
    /// The process to charge.
    pub pid: Option<u32>,
}

/// Reads for the span; gives one measurement for each window. Without `again` a window that outlives the
/// data is cut short where the last connection was done.
pub fn fetch(load: &FetchLoad, span: &Span) -> Result<Vec<Measurement>> {
    let leaders = leaders(&load.broker, &load.topic, load.partitions)?;
    let connections = load.connections.clamp(1, leaders.len());
    let meters: Vec<Meter> = (0..connections).map(|_| Meter::default()).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|index| {
                let mine: Vec<(i32, &str)> = (0..load.partitions)
                    .zip(leaders.iter().map(String::as_str))
                    .skip(index)
                    .step_by(connections)
                    .collect();
                let (meter, stop) = (&meters[index], &stop);
                scope.spawn(move || {
                    let read = read_all(load, &mine, meter, stop);
                    if read.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    read
                })
            })
            .collect();
        let windows = sample(&meters, span, load.pid, &stop);
        for thread in threads {
            thread.join().expect("a reader does not panic")?;
        }
        Ok(windows)
    })
}

fn read_all(load: &FetchLoad, mine: &[(i32, &str)], meter: &Meter, stop: &AtomicBool) -> Result<()> {
    let mut connections =
        mine.iter().map(|(_, leader)| Connection::open(leader)).collect::<Result<Vec<_>>>()?;
    while !stop.load(Ordering::Relaxed) {
        for ((partition, _), connection) in mine.iter().zip(&mut connections) {
            let mut offset = 0;
            while !stop.load(Ordering::Relaxed) {
                let before = offset;
                let mut frame = fetch_request(&load.topic, *partition, offset, load.max_bytes, 1);
                let step = read(connection, &mut frame, &mut offset)?;
                meter.count(step.bytes, u64::try_from(offset - before)?);
                if step.at_end {
                    break;
                }
            }
        }
        if !load.again {
            return Ok(());
        }
    }
    Ok(())
}

struct Step {
    bytes: u64,
    at_end: bool,
}

fn read(connection: &mut Connection, frame: &mut [u8], offset: &mut i64) -> Result<Step> {
    let (high_watermark, record_set) = fetched(connection.call(frame)?)?;
    let before = *offset;
    let mut bytes = 0;
    for batch in whole_batches(record_set) {
        *offset = batch.next_offset;
        bytes += batch.bytes.len() as u64;
    }
    ensure!(*offset > before || before >= high_watermark, "no whole batch at {before} of {high_watermark}");
    Ok(Step { bytes, at_end: *offset >= high_watermark })
}
