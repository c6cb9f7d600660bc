//! Many partitions, many idle connections, and the binary's own size: what Gregor costs before anybody uses it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::cold::paced_load;
use super::rounds::create;
use super::rows::{Goal, Metric};
use super::stats::Series;
use super::table::Line;
use super::target::{Kind, Programs, Target};
use crate::kbench::api::leaders;
use crate::kbench::usage::{anonymous_bytes, process_cpu_seconds};

const TOPICS: i32 = 10;
const PARTITIONS_EACH: i32 = 1_000;
const CONNECTIONS: usize = 10_000;
/// After this a server is at rest.
const SETTLED: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(10);
const PACED: Duration = Duration::from_secs(5);
const SCRAPES: u32 = 10;

/// Measures Gregor alone: all goals are absolute or its own.
pub fn run(programs: &Programs, times: u32) -> Result<Vec<Line>> {
    let mut lines = Lines::default();
    for _ in 0..times {
        partitions(programs, &mut lines)?;
        connections(programs, &mut lines)?;
    }
    let bytes = stripped_bytes(programs)?;
    lines.add(
        "size binary",
        "the release binary, stripped",
        Metric::FileSize,
        Goal::Absolute(20.0),
        bytes / 1e6,
    );
    Ok(lines.0)
}

/// Lines whose series grow from one time to the next.
#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, name: &str, title: &str, metric: Metric, goal: Goal, value: f64) {
        eprintln!("{:>12}  {title}: {value:.3} {}", name, metric.name());
        let same = |line: &&mut Line| line.name == name && line.title == title && line.metric == metric;
        if let Some(line) = self.0.iter_mut().find(same) {
            line.gregor = line.gregor.joined(&Series::new([value]));
            return;
        }
        self.0.push(Line {
            name: name.to_owned(),
            title: title.to_owned(),
            metric,
            goal,
            kafka: Series::default(),
            kafka_again: Series::default(),
            gregor: Series::new([value]),
            floor: Series::default(),
            base: Series::default(),
        });
    }

    /// The figure that the last added line is compared with.
    fn compared_with(&mut self, value: f64) {
        if let Some(line) = self.0.iter_mut().rfind(|line| matches!(line.goal, Goal::OwnAtMost(_))) {
            line.base = line.base.joined(&Series::new([value]));
        }
    }
}

fn partitions(programs: &Programs, lines: &mut Lines) -> Result<()> {
    let mut target = Target::start(programs, Kind::Gregor, "size")?;
    let since = Instant::now();
    for topic in 0..TOPICS {
        create(&target, &format!("size-{topic}"), PARTITIONS_EACH, &[])?;
    }
    let created = since.elapsed().as_secs_f64();
    lines.add("size create", "10,000 partitions created", Metric::Seconds, Goal::Absolute(5.0), created);
    for topic in 0..TOPICS {
        leaders(&target.address, &format!("size-{topic}"), PARTITIONS_EACH)?;
    }
    at_rest(&target, "size idle", "10,000 partitions, at rest", lines)?;
    let scrape = scrape_microseconds(&target)?;
    let title = "a scrape of /metrics, 10,000 partitions";
    lines.add("size scrape", title, Metric::CpuPerRequest, Goal::Absolute(100_000.0), scrape);

    target.kill()?;
    let since = Instant::now();
    target.exec(programs)?;
    target.await_answer()?;
    for topic in 0..TOPICS {
        leaders(&target.address, &format!("size-{topic}"), PARTITIONS_EACH)?;
    }
    let restarted = since.elapsed().as_secs_f64();
    let title = "10,000 partitions without a record, kill -9 to the last one served";
    lines.add("size restart", title, Metric::Seconds, Goal::Shown, restarted);
    target.remove()
}

/// Memory and CPU of a server that nobody asks anything.
fn at_rest(target: &Target, name: &str, title: &str, lines: &mut Lines) -> Result<()> {
    std::thread::sleep(SETTLED);
    let cpu = || process_cpu_seconds(target.pid).context("the server is gone");
    let before = cpu()?;
    std::thread::sleep(IDLE);
    let share = (cpu()? - before) / IDLE.as_secs_f64() * 100.0;
    let bytes = anonymous_bytes(target.pid).context("the server is gone")?;
    lines.add(name, title, Metric::Memory, Goal::Absolute(100.0), bytes as f64 / 1e6);
    lines.add(name, title, Metric::CoreShare, Goal::Absolute(2.0), share);
    Ok(())
}

fn scrape_microseconds(target: &Target) -> Result<f64> {
    let cpu = || process_cpu_seconds(target.pid).context("the server is gone");
    let before = cpu()?;
    for _ in 0..SCRAPES {
        let mut stream = TcpStream::connect(target.http()?)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let series = page.lines().filter(|line| line.starts_with("gregor_partition_log_end_offset{")).count();
        ensure!(series >= 10_000, "a scrape shows {series} of 10,000 partitions");
    }
    Ok((cpu()? - before) * 1e6 / f64::from(SCRAPES))
}

/// Idle connections, and what the paced load of others notices of them.
fn connections(programs: &Programs, lines: &mut Lines) -> Result<()> {
    let target = Target::start(programs, Kind::Gregor, "connected")?;
    create(&target, "beside", 2, &[])?;
    let never = AtomicBool::new(false);
    let alone = paced_load(&target, PACED, &never)?.latency_ms(0.99);
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        idle.push(TcpStream::connect(&target.address).context("open one of 10,000 connections")?);
    }
    let crowded = paced_load(&target, PACED, &never)?.latency_ms(0.99);
    let title = "produce 1,000/s beside 10,000 idle connections";
    lines.add("connections", title, Metric::P99, Goal::OwnAtMost(1.5), crowded);
    lines.compared_with(alone);
    let bytes = anonymous_bytes(target.pid).context("the server is gone")?;
    let title = "10,000 idle connections";
    lines.add("connections", title, Metric::Memory, Goal::Absolute(100.0), bytes as f64 / 1e6);
    drop(idle);
    target.remove()
}

/// The size of Gregor's binary without symbols, as the image has it.
fn stripped_bytes(programs: &Programs) -> Result<f64> {
    let gregor = programs.gregor.as_ref().context("there is no gregor to look at")?;
    let stripped = programs.data.join("gregor-stripped");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(gregor).status().context("run strip")?;
    ensure!(status.success(), "strip fails on {}", gregor.display());
    let bytes = fs::metadata(&stripped)?.len();
    fs::remove_file(&stripped)?;
    Ok(bytes as f64)
}
