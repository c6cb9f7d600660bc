//! What a server that was just started costs: its memory at rest, and its first seconds under load.

use std::time::Duration;

use anyhow::{Context, Result};

use super::rounds::{Journal, compare, create, delete};
use super::rows::{Goal, Load, Metric, sixteen_kb};
use super::stats::Series;
use super::table::Line;
use super::target::{Kind, Programs, Target};
use crate::kbench::meter::{Measurement, Span};
use crate::kbench::produce::{ProduceLoad, produce};
use crate::kbench::usage::anonymous_bytes;

/// How long after its start a server counts as idle.
const SETTLED: Duration = Duration::from_secs(3);
/// The first seconds after a start that clients see in every rolling restart.
const FIRST: Duration = Duration::from_secs(10);
/// What a fast server writes in those seconds would overflow the page cache: it goes into topics of this many
/// bytes, each deleted before the next. Linux throttles writers when 20 % of memory is dirty.
const TOPIC_BYTES_MAX: u64 = 1_500_000_000;
/// A rest of the first seconds that is shorter than this is not worth another topic.
const REST_MIN: Duration = Duration::from_millis(50);
const PARTITIONS: i32 = 2;

/// What one fresh start showed.
struct Fresh {
    idle_megabytes: f64,
    first: Measurement,
}

/// Starts each server anew so many times, Kafka before and after Gregor, and measures its memory at rest and its
/// first 10 s under load.
pub fn fresh_starts(programs: &Programs, times: u32, journal: &mut Journal) -> Result<Vec<Line>> {
    let (mut kafka, mut again, mut gregor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times {
        kafka.push(fresh_start(programs, Kind::Kafka, journal)?);
        if programs.gregor.is_some() {
            gregor.push(fresh_start(programs, Kind::Gregor, journal)?);
        }
        again.push(fresh_start(programs, Kind::Kafka, journal)?);
    }
    let line = |title: &str, metric, goal, of: &dyn Fn(&Fresh) -> f64| Line {
        name: "fresh".to_owned(),
        title: title.to_owned(),
        metric,
        goal,
        kafka: Series::new(kafka.iter().map(of)),
        kafka_again: Series::new(again.iter().map(of)),
        gregor: Series::new(gregor.iter().map(of)),
        floor: Series::default(),
        base: Series::default(),
    };
    let title = "produce 16 KB batches, first 10 s of load after a start";
    let first = [(Metric::CpuPerGigabyte, Goal::AtMost(0.1)), (Metric::MegabytesPerSecond, Goal::Shown)]
        .map(|(metric, goal)| line(title, metric, goal, &|fresh| metric.of(&fresh.first)));
    let mut lines: Vec<Line> = first.into();
    lines.push(line("at rest after a start", Metric::Memory, Goal::Absolute(15.0), &|fresh| {
        fresh.idle_megabytes
    }));
    Ok(lines)
}

fn fresh_start(programs: &Programs, kind: Kind, journal: &mut Journal) -> Result<Fresh> {
    let target = Target::start(programs, kind, "fresh")?;
    let first = first_seconds(&target)?;
    journal.write("first10", &target, &first)?;
    target.remove()?;

    let target = Target::start(programs, kind, "idle")?;
    std::thread::sleep(SETTLED);
    let idle = anonymous_bytes(target.pid).context("the server is gone")?;
    target.remove()?;
    let fresh = Fresh { idle_megabytes: idle as f64 / 1e6, first };
    eprintln!(
        "{:>12} {:>7}  {}  idle {:.1} MB",
        "first10",
        kind.name(),
        fresh.first.summary(),
        fresh.idle_megabytes
    );
    Ok(fresh)
}

/// Loads the server until it was under load for those seconds. The last topic is consumed and compared, after
/// the measuring; the others are counted.
fn first_seconds(target: &Target) -> Result<Measurement> {
    let Load::Produce { shape, connections, .. } = sixteen_kb() else { unreachable!("it produces") };
    let mut first: Option<Measurement> = None;
    let mut topics = 0;
    loop {
        let loaded = first.as_ref().map_or(0.0, |window| window.seconds);
        let rest = FIRST.saturating_sub(Duration::from_secs_f64(loaded));
        topics += 1;
        let topic = format!("first-{topics}");
        create(target, &topic, PARTITIONS, &[])?;
        let load = ProduceLoad {
            broker: target.address.clone(),
            topic: topic.clone(),
            partitions: PARTITIONS,
            connections,
            in_flight: 5,
            shape,
            acks: 1,
            rate: None,
            pid: Some(target.pid),
        };
        let bytes_max = Some(TOPIC_BYTES_MAX);
        let span = Span { warm_up: Duration::ZERO, windows: 1, window: rest, window_bytes_max: bytes_max };
        let produced = produce(&load, &span)?;
        let window = produced.windows.first().context("a load ended before its window")?;
        let done = Duration::from_secs_f64(window.seconds) + REST_MIN >= rest;
        match &mut first {
            Some(first) => *first += window,
            None => first = Some(window.clone()),
        }
        compare(target, &topic, &produced, 0, done)?;
        delete(target, &topic)?;
        if let Some(first) = first.take_if(|_| done) {
            return Ok(first);
        }
    }
}
