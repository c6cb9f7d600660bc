//! From exec to the first record served, with 1,000 partitions and 16 GB, after a clean stop and `kill -9`.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::rounds::fill;
use super::rows::{Goal, Metric};
use super::stats::Series;
use super::table::Line;
use super::target::{Kind, Programs, START_WAIT, Target};
use crate::kbench::api::{fetch_request, fetched, leaders, produce_request, produced};
use crate::kbench::batch::{BatchShape, Codec, build};
use crate::kbench::meter::Span;
use crate::kbench::produce::{ProduceLoad, produce};
use crate::kbench::verify::whole_batches;
use crate::kbench::wire::Connection;

const TOPIC: &str = "kept";
/// How often a server that starts is asked again.
const POLL: Duration = Duration::from_millis(2);

/// How much a server has to find again.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Partitions of one topic.
    pub partitions: i32,
    /// Bytes over all of them.
    pub bytes: u64,
    /// Starts of each sort.
    pub times: u32,
}

impl Kept {
    /// The issue's: 1,000 partitions and 16 GB.
    pub fn full() -> Kept {
        Kept { partitions: 1_000, bytes: 16_000_000_000, times: 3 }
    }

    /// While building: the same partitions with little in them.
    pub fn quick() -> Kept {
        Kept { partitions: 1_000, bytes: 2_000_000_000, times: 1 }
    }
}

/// Seconds of the starts of one server: until the first record, and until every partition has a leader that
/// serves.
#[derive(Default)]
struct Starts {
    clean: Vec<f64>,
    clean_all: Vec<f64>,
    killed: Vec<f64>,
    killed_all: Vec<f64>,
}

/// Measures both servers, one after the other, so that the disk need hold only one's data.
pub fn run(programs: &Programs, kept: &Kept) -> Result<Vec<Line>> {
    let kafka = starts(programs, Kind::Kafka, kept)?;
    let gregor =
        if programs.gregor.is_some() { starts(programs, Kind::Gregor, kept)? } else { Starts::default() };
    let (partitions, gigabytes) = (kept.partitions, kept.bytes / 1_000_000_000);
    let line = |what: &str, goal, of: &dyn Fn(&Starts) -> Vec<f64>| Line {
        title: format!("start with {partitions} partitions and {gigabytes} GB, {what}"),
        metric: Metric::Seconds,
        goal,
        kafka: Series::new(of(&kafka)),
        kafka_again: Series::default(),
        gregor: Series::new(of(&gregor)),
        floor: Series::default(),
        base: Series::default(),
    };
    Ok(vec![
        line("clean: first record", Goal::Absolute(0.3), &|starts| starts.clean.clone()),
        line("clean: every partition", Goal::Shown, &|starts| starts.clean_all.clone()),
        line("after kill -9: first record", Goal::Absolute(1.0), &|starts| starts.killed.clone()),
        line("after kill -9: every partition", Goal::Shown, &|starts| starts.killed_all.clone()),
    ])
}

fn starts(programs: &Programs, kind: Kind, kept: &Kept) -> Result<Starts> {
    let mut target = Target::start(programs, kind, "kept")?;
    fill(&target, TOPIC, kept.partitions, kept.bytes)?;
    let mut starts = Starts::default();
    for time in 0..kept.times {
        if time > 0 {
            touch(&target, kept.partitions)?;
        }
        target.kill()?;
        let (first, all) = start(programs, &mut target, kept)?;
        eprintln!("{:>12} {:>7}  {first:.3} s, every partition {all:.3} s", "start kill", kind.name());
        starts.killed.push(first);
        starts.killed_all.push(all);
    }
    for _ in 0..kept.times {
        target.stop()?;
        let (first, all) = start(programs, &mut target, kept)?;
        eprintln!("{:>12} {:>7}  {first:.3} s, every partition {all:.3} s", "start clean", kind.name());
        starts.clean.push(first);
        starts.clean_all.push(all);
    }
    target.remove()?;
    Ok(starts)
}

/// Writes a batch to every partition, so that each has something that no checkpoint names.
fn touch(target: &Target, partitions: i32) -> Result<()> {
    let load = ProduceLoad {
        broker: target.address.clone(),
        topic: TOPIC.to_owned(),
        partitions,
        connections: 2,
        in_flight: 5,
        shape: BatchShape { records: 160, record_bytes: 100, codec: Codec::None },
        acks: 1,
        rate: None,
        pid: None,
    };
    let span = Span {
        warm_up: Duration::ZERO,
        windows: 1,
        window: Duration::from_secs(60),
        window_bytes_max: Some(u64::try_from(partitions)? * 40_000),
    };
    produce(&load, &span)?;
    Ok(())
}

/// Starts the process on its folder; seconds until a record was written and read back, and until all
/// partitions are served.
fn start(programs: &Programs, target: &mut Target, kept: &Kept) -> Result<(f64, f64)> {
    let since = Instant::now();
    target.exec(programs)?;
    loop {
        if serve_one(&target.address, kept.partitions / 2).is_ok() {
            break;
        }
        target.assert_alive()?;
        ensure!(since.elapsed() < START_WAIT, "{} serves nothing after {START_WAIT:?}", target.kind.name());
        std::thread::sleep(POLL);
    }
    let first = since.elapsed().as_secs_f64();
    leaders(&target.address, TOPIC, kept.partitions)?;
    Ok((first, since.elapsed().as_secs_f64()))
}

/// Produces a record and consumes it.
fn serve_one(address: &str, partition: i32) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let batch = build(&BatchShape { records: 1, record_bytes: 100, codec: Codec::None }, 11)?;
    let offset = produced(connection.call(&mut produce_request(TOPIC, partition, 1, &batch.bytes))?)?;
    let mut request = fetch_request(TOPIC, partition, offset, 1 << 20, 1);
    let (_, record_set) = fetched(connection.call(&mut request)?)?;
    ensure!(whole_batches(record_set).any(|stored| stored.crc == batch.crc()), "the record is not there");
    Ok(())
}
