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
use super::stats::Series;
use super::table::Line;
use super::target::Target;
use crate::kbench::fetch::read_once;
use crate::kbench::meter::{Measurement, Span};
use crate::kbench::produce::{ProduceLoad, produce_until};

const TOPIC: &str = "cold";
const PARTITIONS: i32 = 2;
/// What may be left of a dropped file: its open end is written to.
const RESIDENT_SHARE_MAX: f64 = 0.01;

/// How much is read, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Cold {
    /// Bytes that the consumer reads from the disk.
    pub bytes: u64,
    /// Rounds of Kafka, then Gregor.
    pub rounds: u32,
    /// The longest window: it ends when the consumer is done.
    pub window_max: Duration,
}

/// Windows of one server: undisturbed, and with the consumer.
#[derive(Default)]
struct Windows {
    quiet: Vec<Measurement>,
    disturbed: Vec<Measurement>,
}

/// Measures both servers.
pub fn run(servers: &mut Servers, cold: &Cold, journal: &mut Journal) -> Result<Vec<Line>> {
    let targets: Vec<&Target> =
        [Some(&servers.kafka), servers.gregor.as_ref()].into_iter().flatten().collect();
    for target in &targets {
        fill(target, TOPIC, PARTITIONS, cold.bytes)?;
        create(target, "beside", PARTITIONS, &[])?;
    }
    let mut windows: [Windows; 2] = Default::default();
    for _ in 0..cold.rounds {
        for (target, windows) in targets.iter().zip(&mut windows) {
            let quiet = load(target, Duration::from_secs(5), &AtomicBool::new(false))?;
            journal.write("cold quiet", target, &quiet)?;
            drop_from_cache(&log_files(&target.data())?)?;
            let disturbed = disturbed(target, cold)?;
            journal.write("cold disturbed", target, &disturbed)?;
            eprintln!(
                "{:>12} {:>7}  p99 ms {:.3} quiet, {:.3} beside a cold consumer",
                "cold",
                target.kind.name(),
                quiet.latency_ms(0.99),
                disturbed.latency_ms(0.99)
            );
            windows.quiet.push(quiet);
            windows.disturbed.push(disturbed);
        }
    }
    for target in targets {
        delete(target, TOPIC)?;
        delete(target, "beside")?;
    }
    let [kafka, gregor] = windows;
    let line = |title: &str, goal, kafka: &[Measurement], gregor: &[Measurement], base: Series| Line {
        title: title.to_owned(),
        metric: Metric::P99,
        goal,
        kafka: Metric::P99.series(kafka),
        kafka_again: Series::default(),
        gregor: Metric::P99.series(gregor),
        floor: Series::default(),
        base,
    };
    let quiet = Metric::P99.series(&gregor.quiet);
    Ok(vec![
        line("produce 1,000/s, undisturbed", Goal::Shown, &kafka.quiet, &gregor.quiet, Series::default()),
        line(
            &format!("produce 1,000/s while a consumer reads {} GB from disk", cold.bytes / 1_000_000_000),
            Goal::OwnAtMost(2.0),
            &kafka.disturbed,
            &gregor.disturbed,
            quiet,
        ),
    ])
}

/// The paced load beside a consumer that reads everything once; the window ends with the consumer.
fn disturbed(target: &Target, cold: &Cold) -> Result<Measurement> {
    let (stop, give_up) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let read = read_once(&target.address, TOPIC, PARTITIONS, &give_up);
            stop.store(true, Ordering::Relaxed);
            read
        });
        let window = load(target, cold.window_max, &stop);
        give_up.store(true, Ordering::Relaxed);
        reader.join().expect("the consumer does not panic")?;
        window
    })
}

fn load(target: &Target, window: Duration, stop: &AtomicBool) -> Result<Measurement> {
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
