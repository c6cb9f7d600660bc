//! From exec to the first record served, with 1,000 partitions and 16 GB, after a clean stop and `kill -9`.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::rounds::fill;
use super::rows::{Goal, Metric};
use super::stats::Series;
use super::table::Line;
use super::target::{Kind, Programs, START_WAIT, Target};
use crate::kbench::api::{fetch_request, fetched, leaders, produce_request, produced};
use crate::kbench::batch::{Batch, BatchShape, Codec, build};
use crate::kbench::verify::{read_whole, whole_batches};
use crate::kbench::wire::Connection;

const TOPIC: &str = "kept";
/// Bytes asked for at once when everything is consumed at the end.
const READ_BYTES: i32 = 8 << 20;
/// How often a server that starts is asked again.
const POLL: Duration = Duration::from_millis(2);

/// How much a server has to find again.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Partitions of one topic.
    pub partitions: i32,
    /// Bytes over all of them.
    pub bytes: u64,
    /// Starts of Gregor of each sort.
    pub times: u32,
}

impl Kept {
    /// The figures that count: 1,000 partitions and 16 GB.
    pub fn full() -> Kept {
        Kept { partitions: 1_000, bytes: 16_000_000_000, times: 3 }
    }

    /// While building: the same partitions with little in them.
    pub fn quick() -> Kept {
        Kept { partitions: 1_000, bytes: 2_000_000_000, times: 1 }
    }
}

impl Kept {
    /// Kafka starts once more, an even number of times: every other start is compared with the rest.
    fn times(&self, kind: Kind) -> u32 {
        if kind == Kind::Kafka { (self.times + 1).next_multiple_of(2) } else { self.times }
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
    let line = |name: &str, what: &str, goal, of: &dyn Fn(&Starts) -> Vec<f64>| Line {
        name: name.to_owned(),
        title: format!("start with {partitions} partitions and {gigabytes} GB, {what}"),
        metric: Metric::Seconds,
        goal,
        kafka: Series::new(of(&kafka).into_iter().step_by(2)),
        kafka_again: Series::new(of(&kafka).into_iter().skip(1).step_by(2)),
        gregor: Series::new(of(&gregor)),
        floor: Series::default(),
        base: Series::default(),
    };
    Ok(vec![
        line("start clean", "clean: first record", Goal::Absolute(0.3), &|starts| starts.clean.clone()),
        line("start clean all", "clean: every partition", Goal::Shown, &|starts| starts.clean_all.clone()),
        line("start killed", "after kill -9: first record", Goal::Absolute(1.0), &|starts| {
            starts.killed.clone()
        }),
        line("start killed all", "after kill -9: every partition", Goal::Shown, &|starts| {
            starts.killed_all.clone()
        }),
    ])
}

fn starts(programs: &Programs, kind: Kind, kept: &Kept) -> Result<Starts> {
    let mut target = Target::start(programs, kind, "kept")?;
    let filled = fill(&target, TOPIC, kept.partitions, kept.bytes)?;
    let mut given = Given { acknowledged: filled.records, doubtful: 0, checksums: filled.checksums };
    let mut starts = Starts::default();
    let times = kept.times(kind);
    for time in 0..times {
        if time > 0 {
            touch(&target, kept.partitions, &mut given)?;
        }
        target.kill()?;
        let (first, all) = start(programs, &mut target, kept, &mut given)?;
        eprintln!("{:>12} {:>7}  {first:.3} s, every partition {all:.3} s", "start kill", kind.name());
        starts.killed.push(first);
        starts.killed_all.push(all);
    }
    for _ in 0..times {
        target.stop()?;
        let (first, all) = start(programs, &mut target, kept, &mut given)?;
        eprintln!("{:>12} {:>7}  {first:.3} s, every partition {all:.3} s", "start clean", kind.name());
        starts.clean.push(first);
        starts.clean_all.push(all);
    }
    given.compare(&target, kept)?;
    target.remove()?;
    Ok(starts)
}

/// What a server was given over all its starts.
struct Given {
    /// Records that it acknowledged: these it must hold.
    acknowledged: u64,
    /// Records of requests that a starting server did not answer or refused: these it may hold.
    doubtful: u64,
    checksums: BTreeSet<u32>,
}

impl Given {
    /// Consumes everything after all kills and stops.
    fn compare(&self, target: &Target, kept: &Kept) -> Result<()> {
        let never = AtomicBool::new(false);
        let found = read_whole(&target.address, TOPIC, kept.partitions, READ_BYTES, &self.checksums, &never)
            .with_context(|| format!("what {} was given is not what it gives", target.kind.name()))?;
        let most = self.acknowledged + self.doubtful;
        ensure!(
            (self.acknowledged..=most).contains(&found),
            "{} acknowledged {} records of {TOPIC}, {found} can be consumed",
            target.kind.name(),
            self.acknowledged
        );
        Ok(())
    }
}

/// Writes a batch to every partition, so that each has something that no checkpoint names. Kafka's controller
/// takes the leadership from a broker that was just started, for a moment: it is asked again.
fn touch(target: &Target, partitions: i32, given: &mut Given) -> Result<()> {
    let batch = build(&BatchShape { records: 160, record_bytes: 100, codec: Codec::None }, 5)?;
    let since = Instant::now();
    let mut connection = Connection::open(&target.address)?;
    for partition in 0..partitions {
        while let Err(error) = put(&mut connection, partition, &batch, given) {
            ensure!(since.elapsed() < START_WAIT, "{}, {TOPIC}-{partition}: {error:#}", target.kind.name());
            std::thread::sleep(POLL);
            connection = Connection::open(&target.address)?;
        }
    }
    Ok(())
}

/// Produces a batch, remembers it as given, and says where it lies.
fn put(connection: &mut Connection, partition: i32, batch: &Batch, given: &mut Given) -> Result<i64> {
    given.checksums.insert(batch.crc());
    given.doubtful += u64::from(batch.records);
    let offset = produced(connection.call(&mut produce_request(TOPIC, partition, 1, &batch.bytes))?)?;
    given.doubtful -= u64::from(batch.records);
    given.acknowledged += u64::from(batch.records);
    Ok(offset)
}

/// Starts the process on its folder; seconds until a record was written and read back, and until all
/// partitions are served.
fn start(programs: &Programs, target: &mut Target, kept: &Kept, given: &mut Given) -> Result<(f64, f64)> {
    let since = Instant::now();
    target.exec(programs)?;
    while serve_one(&target.address, kept.partitions / 2, given).is_err() {
        target.assert_alive()?;
        ensure!(since.elapsed() < START_WAIT, "{} serves nothing after {START_WAIT:?}", target.kind.name());
        std::thread::sleep(POLL);
    }
    let first = since.elapsed().as_secs_f64();
    leaders(&target.address, TOPIC, kept.partitions)?;
    Ok((first, since.elapsed().as_secs_f64()))
}

/// Produces a record and consumes it.
fn serve_one(address: &str, partition: i32, given: &mut Given) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let batch = build(&BatchShape { records: 1, record_bytes: 100, codec: Codec::None }, 11)?;
    let offset = put(&mut connection, partition, &batch, given)?;
    let mut request = fetch_request(TOPIC, partition, offset, 1 << 20, 1);
    let (_, record_set) = fetched(connection.call(&mut request)?)?;
    ensure!(whole_batches(record_set).any(|stored| stored.crc == batch.crc()), "the record is not there");
    Ok(())
}
