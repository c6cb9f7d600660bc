//! What a server that was just started costs: its memory at rest, and its first seconds under load.

use std::time::Duration;

use anyhow::{Context, Result};

use super::rounds::{Journal, create, delete};
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
/// A server that is fast needs less than those seconds for this many bytes, which still fit the page cache.
const FIRST_BYTES_MAX: u64 = 4_000_000_000;

/// What one fresh start showed.
struct Fresh {
    idle_megabytes: f64,
    first: Measurement,
}

/// Starts each server anew so many times, and measures its memory at rest and its first 10 s under load.
pub fn fresh_starts(programs: &Programs, times: u32, journal: &mut Journal) -> Result<Vec<Line>> {
    let kinds: &[Kind] =
        if programs.gregor.is_some() { &[Kind::Kafka, Kind::Gregor] } else { &[Kind::Kafka] };
    let (mut kafka, mut gregor) = (Vec::new(), Vec::new());
    for _ in 0..times {
        for kind in kinds {
            let fresh = fresh_start(programs, *kind, journal)?;
            if *kind == Kind::Kafka { kafka.push(fresh) } else { gregor.push(fresh) }
        }
    }
    let line = |title: &str, metric, goal, of: &dyn Fn(&Fresh) -> f64| Line {
        title: title.to_owned(),
        metric,
        goal,
        kafka: Series::new(kafka.iter().map(of)),
        kafka_again: Series::default(),
        gregor: Series::new(gregor.iter().map(of)),
        floor: Series::default(),
        base: Series::default(),
    };
    let title = "produce 16 KB batches, first 10 s after start";
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
    create(&target, "first", 2, &[])?;
    let Load::Produce { shape, connections, .. } = sixteen_kb() else { unreachable!("it produces") };
    let load = ProduceLoad {
        broker: target.address.clone(),
        topic: "first".to_owned(),
        partitions: 2,
        connections,
        in_flight: 5,
        shape,
        acks: 1,
        rate: None,
        pid: Some(target.pid),
    };
    let span =
        Span { warm_up: Duration::ZERO, windows: 1, window: FIRST, window_bytes_max: Some(FIRST_BYTES_MAX) };
    let first = produce(&load, &span)?.windows.into_iter().next().context("no first window")?;
    journal.write("first10", &target, &first)?;
    delete(&target, "first")?;
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
