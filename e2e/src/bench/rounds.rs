//! Rounds of one row: Kafka, Gregor, Kafka again, the floor, a window each, over and over.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::rows::{Goal, Load, Metric, Row};
use super::stats::Series;
use super::table::Line;
use super::target::{Kind, Target};
use crate::kbench::api::{NewTopic, create_topic, delete_topic, high_watermark, leaders};
use crate::kbench::deliver::{DeliverLoad, deliver};
use crate::kbench::fetch::{FetchLoad, fetch};
use crate::kbench::metadata::metadata;
use crate::kbench::meter::{Measurement, Span};
use crate::kbench::produce::{ProduceLoad, Produced, produce};
use crate::kbench::verify::verify;
use crate::kbench::wire::Connection;

/// A window of produced bytes ends here, so that it fills the page cache and not the disk's queue: Linux
/// throttles writers when 20 % of memory is dirty.
const WINDOW_BYTES_MAX: u64 = 2_500_000_000;
/// What the row `fetch` reads: large enough that no processor cache holds it.
const FETCHED_BYTES: u64 = 1_500_000_000;
/// A server that needs longer to be filled is not measured.
const FILL_MAX: Duration = Duration::from_secs(300);
const PARTITIONS: i32 = 2;

/// How often and how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Windows of Gregor; Kafka has twice as many.
    pub windows: u32,
    /// Length of a window flat out.
    pub window: Duration,
    /// Length of a window at a rate: of its few requests a p99 is to be taken.
    pub paced_window: Duration,
    /// Load before the row's first window of Kafka: its compiler needs it.
    pub kafka_warm_up: Duration,
    /// The same for the others.
    pub warm_up: Duration,
    /// Load before every window.
    pub settle: Duration,
}

impl Plan {
    /// The figures that count: 7 windows.
    pub fn full() -> Plan {
        Plan {
            windows: 7,
            window: Duration::from_secs(3),
            paced_window: Duration::from_secs(5),
            kafka_warm_up: Duration::from_secs(40),
            warm_up: Duration::from_secs(3),
            settle: Duration::from_millis(500),
        }
    }

    /// For use while building: less of everything.
    pub fn quick() -> Plan {
        Plan {
            windows: 3,
            paced_window: Duration::from_secs(3),
            kafka_warm_up: Duration::from_secs(8),
            ..Plan::full()
        }
    }
}

/// Where every window is written as a line of JSON, to look into a surprising median.
pub struct Journal(pub File);

impl Journal {
    /// Appends one window.
    pub fn write(&mut self, what: &str, target: &Target, window: &Measurement) -> Result<()> {
        writeln!(self.0, "{}", window.json(&format!("{what} {}", target.kind.name())))?;
        Ok(())
    }
}

/// The servers of a run; Gregor is absent while there is none to measure.
pub struct Servers {
    /// Apache Kafka.
    pub kafka: Target,
    /// Gregor.
    pub gregor: Option<Target>,
    /// The floor.
    pub floor: Target,
}

/// Windows of one row, by whom.
#[derive(Default)]
struct Windows {
    kafka: [Vec<Measurement>; 2],
    gregor: Vec<Measurement>,
    strict: Vec<Measurement>,
    floor: Vec<Measurement>,
}

/// Measures one row on all servers.
pub fn run(row: &Row, servers: &mut Servers, plan: &Plan, journal: &mut Journal) -> Result<Vec<Line>> {
    let mut windows = Windows::default();
    let mut bench = Bench { row, plan, journal, count: 0, compared: HashSet::new() };
    let with_floor = !matches!(row.load, Load::Deliver { .. });
    for target in [Some(&servers.kafka), servers.gregor.as_ref(), Some(&servers.floor)].into_iter().flatten()
    {
        if target.kind != Kind::Floor || with_floor {
            bench.prepare(target)?;
        }
    }
    for round in 0..plan.windows {
        windows.kafka[0].push(bench.window(&servers.kafka, "")?);
        if let Some(gregor) = &servers.gregor {
            windows.gregor.push(bench.window(gregor, "")?);
            if row.strict.is_some() {
                windows.strict.push(bench.window(gregor, "strict")?);
            }
        }
        windows.kafka[1].push(bench.window(&servers.kafka, "")?);
        if with_floor && round % 3 == 0 {
            windows.floor.push(bench.window(&servers.floor, "")?);
        }
    }
    for target in [Some(&servers.kafka), servers.gregor.as_ref(), Some(&servers.floor)].into_iter().flatten()
    {
        if target.kind != Kind::Floor || with_floor {
            bench.finish(target)?;
        }
    }
    Ok(lines(row, &windows))
}

fn lines(row: &Row, windows: &Windows) -> Vec<Line> {
    let line = |name: String, title: String, metric: Metric, goal: Goal, gregor: &[Measurement]| Line {
        name,
        title,
        metric,
        goal,
        kafka: metric.series(&windows.kafka[0]),
        kafka_again: metric.series(&windows.kafka[1]),
        gregor: metric.series(gregor),
        floor: metric.series(&windows.floor),
        base: Series::default(),
    };
    let mut lines: Vec<Line> = row
        .figures
        .iter()
        .map(|(metric, goal)| {
            line(row.name.to_owned(), row.title.to_owned(), *metric, *goal, &windows.gregor)
        })
        .collect();
    if let Some(goal) = row.strict {
        let (name, title) = (format!("{} strict", row.name), format!("{}, strict", row.title));
        lines.push(line(name, title, Metric::CpuPerGigabyte, goal, &windows.strict));
    }
    lines
}

/// What all windows of a row share.
struct Bench<'a> {
    row: &'a Row,
    plan: &'a Plan,
    journal: &'a mut Journal,
    count: u32,
    /// Servers and variants whose first load was consumed whole.
    compared: HashSet<(Kind, String)>,
}

impl Bench<'_> {
    /// Fills or creates what the row reads, and warms the server up.
    fn prepare(&mut self, target: &Target) -> Result<()> {
        let warm_up = if target.kind == Kind::Kafka { self.plan.kafka_warm_up } else { self.plan.warm_up };
        match self.row.load {
            Load::Fetch => {
                let filled = fill(target, "fetched", PARTITIONS, FETCHED_BYTES)?;
                if target.fixed_topic.is_none() {
                    compare(target, "fetched", &filled, 0, true)?;
                }
                self.measure(target, "", Duration::ZERO, warm_up)?;
            }
            Load::Metadata => {
                create(target, "asked", PARTITIONS, &[])?;
                self.measure(target, "", Duration::ZERO, warm_up)?;
            }
            Load::Produce { .. } | Load::Deliver { .. } => {
                // Topics come and go in the warm-up as in the windows, so that it fills no disk.
                let until = Instant::now() + warm_up;
                while Instant::now() < until {
                    self.measure(target, "", Duration::ZERO, Duration::from_secs(4).min(warm_up))?;
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, target: &Target) -> Result<()> {
        match self.row.load {
            Load::Fetch => delete(target, "fetched"),
            Load::Metadata => delete(target, "asked"),
            Load::Produce { .. } | Load::Deliver { .. } => Ok(()),
        }
    }

    /// One window that counts.
    fn window(&mut self, target: &Target, variant: &str) -> Result<Measurement> {
        let length = match self.row.load {
            Load::Produce { rate: Some(_), .. } | Load::Deliver { .. } => self.plan.paced_window,
            _ => self.plan.window,
        };
        let window = self.measure(target, variant, self.plan.settle, length)?;
        let what = format!("{} {variant}", self.row.name);
        eprintln!("{what:>12} {:>7}  {}", target.kind.name(), window.summary());
        self.journal.write(&what, target, &window)?;
        Ok(window)
    }

    fn measure(
        &mut self,
        target: &Target,
        variant: &str,
        warm_up: Duration,
        window: Duration,
    ) -> Result<Measurement> {
        self.count += 1;
        let name = format!("{}-{variant}{}", self.row.name, self.count);
        let topic = target.topic(&name).to_owned();
        let mut span = Span { warm_up, windows: 1, window, window_bytes_max: None };
        let (broker, pid) = (target.address.clone(), Some(target.pid));
        let windows = match self.row.load {
            Load::Produce { shape, connections, rate } => {
                span.window_bytes_max = Some(WINDOW_BYTES_MAX);
                let strict = [("record.validation".to_owned(), "strict".to_owned())];
                create(target, &topic, PARTITIONS, if variant == "strict" { &strict } else { &[] })?;
                let before = held(target, &topic)?;
                let load = ProduceLoad {
                    broker,
                    topic: topic.clone(),
                    partitions: PARTITIONS,
                    connections,
                    in_flight: 5,
                    shape,
                    acks: 1,
                    rate,
                    pid,
                };
                let produced =
                    produce(&load, &span).with_context(|| format!("load {}", target.kind.name()))?;
                // Of each server and variant the row's first load is consumed and compared; later ones are
                // counted.
                let first = self.compared.insert((target.kind, variant.to_owned()));
                compare(target, &topic, &produced, before, first && target.fixed_topic.is_none())?;
                delete(target, &topic)?;
                produced.windows
            }
            Load::Deliver { shape, rate } => {
                create(target, &topic, 1, &[])?;
                let windows =
                    deliver(&DeliverLoad { broker, topic: topic.clone(), shape, rate, pid }, &span)?;
                delete(target, &topic)?;
                windows
            }
            Load::Fetch => fetch(&fetched(target), &span)?,
            Load::Metadata => metadata(&broker, target.topic("asked"), 4, pid, &span)?,
        };
        windows.into_iter().next().context("a load ended before its window")
    }
}

fn fetched(target: &Target) -> FetchLoad {
    FetchLoad {
        broker: target.address.clone(),
        topic: target.topic("fetched").to_owned(),
        partitions: PARTITIONS,
        connections: 2,
        max_bytes: 1 << 20,
        again: true,
        pid: Some(target.pid),
    }
}

/// Records in all partitions.
fn held(target: &Target, topic: &str) -> Result<u64> {
    let mut records = 0;
    for (partition, leader) in (0..).zip(leaders(&target.address, topic, PARTITIONS)?) {
        records += high_watermark(&mut Connection::open(&leader)?, topic, partition)?;
    }
    Ok(u64::try_from(records)?)
}

/// Compares what a server acknowledged with what it holds: every record of a topic that was empty before when
/// `whole`, else their count.
pub(super) fn compare(
    target: &Target,
    topic: &str,
    produced: &Produced,
    before: u64,
    whole: bool,
) -> Result<()> {
    if whole {
        return verify(&target.address, topic, PARTITIONS, produced.records, &produced.checksums)
            .with_context(|| format!("what {} was given is not what it gives", target.kind.name()));
    }
    let records = held(target, topic)? - before;
    ensure!(
        records == produced.records,
        "{} acknowledged {} records of {topic} and holds {records}",
        target.kind.name(),
        produced.records
    );
    Ok(())
}

/// Creates a topic with one replica.
pub fn create(target: &Target, name: &str, partitions: i32, configs: &[(String, String)]) -> Result<()> {
    if target.fixed_topic.is_some() {
        return Ok(());
    }
    let topic =
        NewTopic { name: name.to_owned(), partitions, replication_factor: 1, configs: configs.to_vec() };
    create_topic(&mut Connection::open(&target.address)?, &topic)
        .with_context(|| format!("prepare {}", target.kind.name()))
}

/// Deletes a topic.
pub fn delete(target: &Target, name: &str) -> Result<()> {
    if target.fixed_topic.is_some() {
        return Ok(());
    }
    delete_topic(&mut Connection::open(&target.address)?, name)
}

/// Creates a topic and fills it evenly with so many bytes of 16 KB batches.
pub fn fill(target: &Target, name: &str, partitions: i32, bytes: u64) -> Result<Produced> {
    create(target, name, partitions, &[])?;
    let Load::Produce { shape, .. } = super::rows::sixteen_kb() else { unreachable!("it produces") };
    let load = ProduceLoad {
        broker: target.address.clone(),
        topic: target.topic(name).to_owned(),
        partitions,
        connections: 2,
        in_flight: 5,
        shape,
        acks: 1,
        rate: None,
        pid: Some(target.pid),
    };
    let span = Span { warm_up: Duration::ZERO, windows: 1, window: FILL_MAX, window_bytes_max: Some(bytes) };
    let produced = produce(&load, &span).with_context(|| format!("fill {}", target.kind.name()))?;
    let written: u64 = produced.windows.iter().map(|window| window.bytes).sum();
    ensure!(written >= bytes, "{} took {written} of {bytes} bytes in {FILL_MAX:?}", target.kind.name());
    Ok(produced)
}
