//! Metadata load: requests for one topic, one after the other on each connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;

use super::api::metadata_request;
use super::meter::{Measurement, Meter, Span, sample};
use super::wire::Connection;

/// Asks for `topic` on so many connections for the span.
pub fn metadata(
    broker: &str,
    topic: &str,
    connections: usize,
    pid: Option<u32>,
    span: &Span,
) -> Result<Vec<Measurement>> {
    let meters: Vec<Meter> = (0..connections).map(|_| Meter::default()).collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let threads: Vec<_> = meters
            .iter()
            .map(|meter| {
                let stop = &stop;
                scope.spawn(move || {
                    let asked = ask(broker, topic, meter, stop);
                    if asked.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    asked
                })
            })
            .collect();
        let windows = sample(&meters, span, pid, &stop);
        for thread in threads {
            thread.join().expect("an asker does not panic")?;
        }
        Ok(windows)
    })
}

fn ask(broker: &str, topic: &str, meter: &Meter, stop: &AtomicBool) -> Result<()> {
    let mut connection = Connection::open(broker)?;
    let mut frame = metadata_request(topic);
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let bytes = connection.call(&mut frame)?.len();
        meter.latency(sent.elapsed());
        meter.count(bytes as u64, 0);
    }
    Ok(())
}
