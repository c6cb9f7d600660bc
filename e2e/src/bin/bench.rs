//! `bench`: the table of Gregor beside Apache Kafka.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::bench::cold::{self, Cold};
use e2e::bench::fresh::fresh_starts;
use e2e::bench::groups::{self, Groups};
use e2e::bench::known_short::{self, Reason};
use e2e::bench::rounds::{self, Journal, Plan, Servers};
use e2e::bench::rows::{ROWS, SPECIAL_ROWS};
use e2e::bench::size;
use e2e::bench::start::{self, Kept};
use e2e::bench::table::{Line, Outcome};
use e2e::bench::target::{Kind, Programs, Target};
use e2e::bench::touch::touch_free_memory;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A JVM that has run other rows needs less load before it is measured on the next.
const WARM_AGAIN: Duration = Duration::from_secs(15);

/// Measures Gregor beside Apache Kafka and writes one table.
#[derive(Parser)]
struct Options {
    /// Fewer and shorter windows: for use while building, not for claims
    #[arg(long)]
    quick: bool,
    /// Rows to measure, by name, separated by commas; all without it
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// No row begins after so many minutes: it counts as failed. The last rows take up to 6
    #[arg(long, default_value_t = 43)]
    minutes: u64,
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
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, writes the table, and says whether nothing failed.
fn run(options: &Options) -> Result<bool> {
    options.check_rows()?;
    if let Some(parent) = options.out.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut run = Run {
        options,
        known: known_short::known()?,
        programs: options.programs()?,
        journal: Journal(File::create(options.out.with_extension("jsonl"))?),
        began: Instant::now(),
        outcome: Outcome::default(),
    };
    allow_descriptors()?;
    touch_free_memory();
    // A server that somebody else started cannot be started anew.
    let starts = options.running.is_none();
    if starts && options.wants("fresh") {
        let lines = fresh_starts(&run.programs, if options.quick { 1 } else { 3 }, &mut run.journal);
        run.add("fresh", lines)?;
    }
    run.many(starts)?;
    run.side_by_side()?;
    if starts && options.wants("start") {
        let kept = if options.quick { Kept::quick() } else { Kept::full() };
        let lines = run.in_time().and_then(|()| start::run(&run.programs, &kept));
        run.add("start", lines)?;
    }
    println!("{}", run.table());
    let counts = run.outcome.counts(&run.known);
    println!(
        "{} passed, {} failed; {} of those that passed are short for a known reason, {} are unresolved",
        counts.passed, counts.failed, counts.explained, counts.unresolved
    );
    Ok(counts.failed == 0 && counts.passed > 0)
}

/// A run with what it found so far.
struct Run<'a> {
    options: &'a Options,
    known: Vec<Reason>,
    programs: Programs,
    journal: Journal,
    began: Instant,
    outcome: Outcome,
}

impl Run<'_> {
    /// Adds a row and writes the table, so that a run that is ended early leaves what it has.
    fn add(&mut self, row: &str, lines: Result<Vec<Line>>) -> Result<()> {
        self.outcome.add(row, lines);
        let out = &self.options.out;
        std::fs::write(out, self.table()).with_context(|| format!("write {}", out.display()))
    }

    fn in_time(&self) -> Result<()> {
        let minutes = self.options.minutes;
        ensure!(
            self.began.elapsed() < Duration::from_secs(minutes * 60),
            "{minutes} minutes were over before it"
        );
        Ok(())
    }

    fn table(&self) -> String {
        self.outcome.render(&preface(self.options, self.began.elapsed()), &self.known)
    }

    /// Partitions, connections, groups and their members by the thousand.
    fn many(&mut self, starts: bool) -> Result<()> {
        let quick = self.options.quick;
        if starts && self.options.wants("size") && self.programs.gregor.is_some() {
            let lines = size::run(&self.programs, if quick { 1 } else { 3 });
            self.add("size", lines)?;
        }
        if starts && self.options.wants("groups") {
            let lines = groups::run(&self.programs, &if quick { Groups::quick() } else { Groups::full() });
            self.add("groups", lines)?;
        }
        Ok(())
    }

    /// The rows for which all servers run at the same time. A row that fails does not keep the next from being
    /// measured.
    fn side_by_side(&mut self) -> Result<()> {
        let options = self.options;
        let rows: Vec<_> = ROWS.iter().filter(|row| options.wants(row.name)).collect();
        let wants_cold = options.wants("cold") && options.running.is_none();
        if rows.is_empty() && !wants_cold {
            return Ok(());
        }
        let mut servers = self.servers()?;
        let mut plan = options.plan();
        for row in rows {
            let in_time = self.in_time();
            let lines = in_time.and_then(|()| rounds::run(row, &mut servers, &plan, &mut self.journal));
            self.add(row.name, lines)?;
            plan.kafka_warm_up = plan.kafka_warm_up.min(WARM_AGAIN);
        }
        if wants_cold {
            let cold = if options.quick { Cold::quick() } else { Cold::full() };
            let in_time = self.in_time();
            let lines = in_time.and_then(|()| cold::run(&mut servers, &cold, &mut self.journal));
            self.add("cold", lines)?;
        }
        for target in [Some(servers.kafka), servers.gregor, Some(servers.floor)].into_iter().flatten() {
            target.remove()?;
        }
        Ok(())
    }

    fn servers(&self) -> Result<Servers> {
        let (options, programs) = (self.options, &self.programs);
        let gregor = match (&options.running, options.pid, &programs.gregor) {
            (Some(address), Some(pid), _) => {
                Some(Target::running(Kind::Gregor, address, pid, options.fixed_topic.clone()))
            }
            (_, _, Some(_)) => Some(Target::start(programs, Kind::Gregor, "loaded")?),
            _ => None,
        };
        Ok(Servers {
            kafka: Target::start(programs, Kind::Kafka, "loaded")?,
            gregor,
            floor: Target::start(programs, Kind::Floor, "loaded")?,
        })
    }
}

/// This process and the servers that it starts may hold as many descriptors as the machine allows: there are rows of
/// 10,000 connections.
fn allow_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("raise the limit of descriptors")
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
         the generator on the same cores. Medians of so many windows{}: of Kafka before and after Gregor, of \
         Gregor, of the floor. What each server was given first in a row was consumed and compared with what was \
         sent, the rest was counted. Took {} minutes.{}",
        std::thread::available_parallelism().map_or(0, usize::from),
        model.trim_start_matches(['\t', ' ', ':']),
        kilobytes >> 20,
        read("/proc/sys/kernel/osrelease").trim(),
        if options.quick { " (few and short: good for a look, not for a claim)" } else { "" },
        took.as_secs().div_ceil(60),
        if options.gregor.is_none() && options.running.is_none() {
            " Gregor was not there to measure."
        } else {
            ""
        }
    )
}
