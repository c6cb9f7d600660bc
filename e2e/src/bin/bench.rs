//! `bench`: the table of Gregor beside Apache Kafka.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::bench::cold::{self, Cold};
use e2e::bench::fresh::fresh_starts;
use e2e::bench::rounds::{self, Journal, Plan, Servers};
use e2e::bench::rows::{ROWS, SPECIAL_ROWS};
use e2e::bench::start::{self, Kept};
use e2e::bench::table::{Line, render};
use e2e::bench::target::{Kind, Programs, Target};
use e2e::bench::touch::touch_free_memory;

/// A JVM that has run other rows needs less load before it is measured on the next.
const WARM_AGAIN: Duration = Duration::from_secs(20);

/// Measures Gregor beside Apache Kafka and writes one table.
#[derive(Parser)]
struct Options {
    /// Fewer and shorter windows: for use while building, not for claims
    #[arg(long)]
    quick: bool,
    /// Rows to measure, by name, separated by commas; all without it
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Where the table goes besides standard output; every window goes to the same name with .jsonl
    #[arg(long, default_value = "target/bench.md")]
    out: PathBuf,
    /// The script that runs Apache Kafka
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/kafka"))]
    kafka: PathBuf,
    /// Gregor's release binary; without it Kafka and the floor are measured alone
    #[arg(long)]
    gregor: Option<PathBuf>,
    /// HOST:PORT of a broker that runs already, measured in Gregor's place in the rows that need no start
    #[arg(long, requires = "pid")]
    running: Option<String>,
    /// Its process
    #[arg(long)]
    pid: Option<u32>,
    /// That broker cannot create topics and has this one, with 2 partitions
    #[arg(long, requires = "running")]
    fixed_topic: Option<String>,
    /// A folder for the servers' data, on the disk to measure, not on tmpfs; 36 GB in full
    #[arg(long, default_value = "target/bench-data")]
    data: PathBuf,
}

impl Options {
    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }

    fn check_rows(&self) -> Result<()> {
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).chain(SPECIAL_ROWS.iter().copied()).collect();
        for name in &self.rows {
            ensure!(known.contains(&name.as_str()), "there is no row {name}; there are {}", known.join(", "));
        }
        Ok(())
    }

    fn programs(&self) -> Result<Programs> {
        std::fs::create_dir_all(&self.data)?;
        let absolute = |path: &Path| path.canonicalize().with_context(|| format!("find {}", path.display()));
        let own = std::env::current_exe()?;
        Ok(Programs {
            kafka: absolute(&self.kafka)?,
            gregor: self.gregor.as_deref().map(absolute).transpose()?,
            kbench: own.with_file_name("kbench"),
            data: absolute(&self.data)?,
        })
    }

    fn plan(&self) -> Plan {
        if self.quick { Plan::quick() } else { Plan::full() }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    options.check_rows()?;
    let programs = options.programs()?;
    if let Some(parent) = options.out.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut journal = Journal(File::create(options.out.with_extension("jsonl"))?);
    let began = Instant::now();
    touch_free_memory();
    let mut lines = Vec::new();
    if options.wants("fresh") {
        lines.extend(fresh_starts(&programs, if options.quick { 1 } else { 3 }, &mut journal)?);
    }
    lines.extend(side_by_side(options, &programs, &mut journal)?);
    if options.wants("start") {
        lines.extend(start::run(&programs, &if options.quick { Kept::quick() } else { Kept::full() })?);
    }
    let text = render(&lines, &preface(options, began.elapsed()));
    println!("{text}");
    std::fs::write(&options.out, text).with_context(|| format!("write {}", options.out.display()))
}

/// The rows for which all servers run at the same time.
fn side_by_side(options: &Options, programs: &Programs, journal: &mut Journal) -> Result<Vec<Line>> {
    let rows: Vec<_> = ROWS.iter().filter(|row| options.wants(row.name)).collect();
    if rows.is_empty() && !options.wants("cold") {
        return Ok(Vec::new());
    }
    let gregor = match (&options.running, options.pid, &programs.gregor) {
        (Some(address), Some(pid), _) => {
            Some(Target::running(Kind::Gregor, address, pid, options.fixed_topic.clone()))
        }
        (_, _, Some(_)) => Some(Target::start(programs, Kind::Gregor, "loaded")?),
        _ => None,
    };
    let mut servers = Servers {
        kafka: Target::start(programs, Kind::Kafka, "loaded")?,
        gregor,
        floor: Target::start(programs, Kind::Floor, "loaded")?,
    };
    let mut lines = Vec::new();
    let mut plan = options.plan();
    for row in rows {
        lines.extend(rounds::run(row, &mut servers, &plan, journal)?);
        plan.kafka_warm_up = plan.kafka_warm_up.min(WARM_AGAIN);
    }
    if options.wants("cold") && options.running.is_none() {
        let cold = if options.quick {
            Cold { bytes: 2_000_000_000, rounds: 1, window_max: Duration::from_secs(30) }
        } else {
            Cold { bytes: 10_000_000_000, rounds: 3, window_max: Duration::from_secs(60) }
        };
        lines.extend(cold::run(&mut servers, &cold, journal)?);
    }
    for target in [Some(servers.kafka), servers.gregor, Some(servers.floor)].into_iter().flatten() {
        target.remove()?;
    }
    Ok(lines)
}

/// What was measured on: without it no figure means anything.
fn preface(options: &Options, took: Duration) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown");
    let memory = read("/proc/meminfo");
    let kilobytes = memory.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let date = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    let date =
        date.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    format!(
        "{date}: {} cores of {}, {} GiB, Linux {}. Apache Kafka 4.3.1, one node, 1 GiB heap, G1, Java's default \
         flags of its scripts; both on their shipped configuration, 2 partitions, acks=1, no fsync per request, \
         the generator on the same cores. Medians of {}; every acknowledged record was consumed or counted. \
         Took {} minutes.{}",
        std::thread::available_parallelism().map_or(0, usize::from),
        model.trim_start_matches(['\t', ' ', ':']),
        kilobytes >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        if options.quick { "3 short windows: good for a look, not for a claim" } else { "7 windows" },
        took.as_secs().div_ceil(60),
        if options.gregor.is_none() && options.running.is_none() {
            " Gregor was not there to measure."
        } else {
            ""
        }
    )
}
