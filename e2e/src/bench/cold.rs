//! Produce latency while one consumer reads what has left the page cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise, fdatasync};

use super::rounds::{Journal, Servers, create, delete, fill};
use super::rows::{Goal, Load, Metric, paced};
use super::stalls;
use super::stats::Series;
use super::table::Line;
use super::target::Target;
use crate::kbench::meter::{Measurement, Span};
use crate::kbench::produce::{ProduceLoad, Produced, produce_until};
use crate::kbench::verify::read_whole;

const TOPIC: &str = "cold";
const PARTITIONS: i32 = 2;
/// What the consumer asks for at once: Kafka's `max.partition.fetch.bytes`.
const FETCH_BYTES: i32 = 1 << 20;
/// What may be left of a dropped file: its open end is written to.
const RESIDENT_SHARE_MAX: f64 = 0.01;

/// How much is read, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Cold {
    /// Bytes that the consumer reads from the disk.
    pub bytes: u64,
    /// Rounds of Kafka, Gregor, Kafka again.
    pub rounds: u32,
    /// The longest window: it ends when the consumer is done, and a consumer that is not done by then fails the
    /// row.
    pub window_max: Duration,
}

impl Cold {
    /// The figures that count: 10 GB.
    pub fn full() -> Cold {
        Cold { bytes: 10_000_000_000, rounds: 3, window_max: Duration::from_secs(60) }
    }

    /// While building: less of it, once.
    pub fn quick() -> Cold {
        Cold { bytes: 2_000_000_000, rounds: 1, window_max: Duration::from_secs(30) }
    }
}

/// Windows of one server: undisturbed, and with the consumer.
#[derive(Default)]
struct Windows {
    quiet: Vec<Measurement>,
    disturbed: Vec<Measurement>,
    /// How late this machine wakes a thread while the same files are read without a broker, ms.
    stalls: Vec<f64>,
}

/// A server with what it was given to keep, which its consumer compares with what it reads.
struct Filled<'a> {
    target: &'a Target,
    held: Produced,
}

/// Measures both servers.
pub fn run(servers: &mut Servers, cold: &Cold, journal: &mut Journal) -> Result<Vec<Line>> {
    let kafka = prepare(&servers.kafka, cold)?;
    let gregor = servers.gregor.as_ref().map(|target| prepare(target, cold)).transpose()?;
    let mut windows: [Windows; 3] = Default::default();
    for _ in 0..cold.rounds {
        round(&kafka, cold, &mut windows[0], journal)?;
        if let Some(gregor) = &gregor {
            round(gregor, cold, &mut windows[1], journal)?;
        }
        round(&kafka, cold, &mut windows[2], journal)?;
    }
    for filled in [Some(kafka), gregor].into_iter().flatten() {
        delete(filled.target, TOPIC)?;
        delete(filled.target, "beside")?;
    }
    Ok(lines(cold, &windows))
}

fn prepare<'a>(target: &'a Target, cold: &Cold) -> Result<Filled<'a>> {
    let held = fill(target, TOPIC, PARTITIONS, cold.bytes)?;
    create(target, "beside", PARTITIONS, &[])?;
    Ok(Filled { target, held })
}

/// A window undisturbed, and one beside the consumer.
fn round(filled: &Filled<'_>, cold: &Cold, windows: &mut Windows, journal: &mut Journal) -> Result<()> {
    let target = filled.target;
    let quiet = paced_load(target, Duration::from_secs(5), &AtomicBool::new(false))?;
    journal.write("cold quiet", target, &quiet)?;
    drop_from_cache(&log_files(&target.data())?)?;
    let disturbed = disturbed(filled, cold)?;
    journal.write("cold disturbed", target, &disturbed)?;
    eprintln!(
        "{:>12} {:>7}  p99 ms {:.3} quiet, {:.3} beside a cold consumer for {:.1} s",
        "cold",
        target.kind.name(),
        quiet.latency_ms(0.99),
        disturbed.latency_ms(0.99),
        disturbed.seconds
    );
    let files = log_files(&target.data())?;
    drop_from_cache(&files)?;
    let stalls = stalls::p99_beside_reads(&files)?;
    eprintln!("{:>12} {:>7}  p99 ms {stalls:.3} of a timer beside a plain read", "cold", "floor");
    windows.stalls.push(stalls);
    windows.quiet.push(quiet);
    windows.disturbed.push(disturbed);
    Ok(())
}

fn lines(cold: &Cold, windows: &[Windows; 3]) -> Vec<Line> {
    let line =
        |name: &str, title: String, goal, of: fn(&Windows) -> &[Measurement], [base, floor]: [Series; 2]| {
            Line {
                name: name.to_owned(),
                title,
                metric: Metric::P99,
                goal,
                kafka: Metric::P99.series(of(&windows[0])),
                kafka_again: Metric::P99.series(of(&windows[2])),
                gregor: Metric::P99.series(of(&windows[1])),
                floor,
                base,
            }
        };
    let title = format!("produce 1,000/s while a consumer reads {} GB from disk", cold.bytes / 1_000_000_000);
    let floor = Series::new(windows.iter().flat_map(|windows| windows.stalls.iter().copied()));
    let own = Metric::P99.series(&windows[1].quiet);
    vec![
        line(
            "cold quiet",
            "produce 1,000/s, undisturbed".to_owned(),
            Goal::Shown,
            |windows| &windows.quiet,
            [Series::default(), Series::default()],
        ),
        line("cold", title, Goal::OwnAtMost(2.0), |windows| &windows.disturbed, [own, floor]),
    ]
}

/// The paced load beside a consumer that reads everything once; the window ends with the consumer. A consumer
/// that is not done at the window's end, or reads something else than what was sent, is a failure.
fn disturbed(filled: &Filled<'_>, cold: &Cold) -> Result<Measurement> {
    let (stop, give_up) = (AtomicBool::new(false), AtomicBool::new(false));
    let (target, held) = (filled.target, &filled.held);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let read = read_whole(&target.address, TOPIC, PARTITIONS, FETCH_BYTES, &held.checksums, &give_up);
            stop.store(true, Ordering::Relaxed);
            read
        });
        let window = paced_load(target, cold.window_max, &stop);
        give_up.store(true, Ordering::Relaxed);
        let read = reader.join().expect("the consumer does not panic");
        let read = read.with_context(|| format!("read {} from disk", target.kind.name()))?;
        let (name, sent) = (target.kind.name(), held.records);
        ensure!(read == sent, "{name} acknowledged {sent} records of {TOPIC}, {read} can be consumed");
        window
    })
}

/// The paced load on the topic `beside`, for a window or until it is told to stop.
pub fn paced_load(target: &Target, window: Duration, stop: &AtomicBool) -> Result<Measurement> {
    let Load::Produce { shape, connections, rate } = paced() else { unreachable!("it produces") };
    let load = ProduceLoad {
        broker: target.address.clone(),
        topic: "beside".to_owned(),
        partitions: PARTITIONS,
        connections,
        in_flight: 5,
        shape,
        acks: 1,
        rate,
        pid: Some(target.pid),
    };
    let span = Span { warm_up: Duration::from_millis(300), windows: 1, window, window_bytes_max: None };
    let windows = produce_until(&load, &span, stop)?.windows;
    windows.into_iter().next().context("the consumer was done before the window began")
}

/// The segments of the topic that is read.
fn log_files(data: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for partition in 0..PARTITIONS {
        let folder = data.join(format!("{TOPIC}-{partition}"));
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                files.push(path);
            }
        }
    }
    ensure!(!files.is_empty(), "{} holds no segment of {TOPIC}", data.display());
    Ok(files)
}

/// Drops files from the page cache and checks that they are gone.
fn drop_from_cache(files: &[PathBuf]) -> Result<()> {
    for path in files {
        let file = File::open(path)?;
        fdatasync(&file)?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    let columns = ["--bytes", "--noheadings", "--output", "RES,SIZE"];
    let output = Command::new("fincore").args(columns).args(files).output().context("run fincore")?;
    let (resident, size) = sum_fincore(&String::from_utf8_lossy(&output.stdout));
    ensure!(size > 0, "fincore saw no file: {}", String::from_utf8_lossy(&output.stderr));
    let share = resident as f64 / size as f64;
    ensure!(share <= RESIDENT_SHARE_MAX, "{:.1} % of {size} bytes stay in the page cache", share * 100.0);
    Ok(())
}

fn sum_fincore(output: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in output.lines() {
        let mut columns = line.split_whitespace().filter_map(|column| column.parse::<u64>().ok());
        sum.0 += columns.next().unwrap_or(0);
        sum.1 += columns.next().unwrap_or(0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_bytes_and_sizes_add_up() {
        assert_eq!(sum_fincore("  4096 100000\n0 50\n"), (4_096, 100_050));
    }
}
