//! Consumer groups: how long a rebalance takes, and what heartbeats cost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::rows::{Goal, Metric};
use super::stats::Series;
use super::table::Line;
use super::target::{Kind, Programs, Target};
use crate::kbench::group::{Member, rebalance};
use crate::kbench::usage::{anonymous_bytes, process_cpu_seconds};

/// Of both servers: members of a new group have this long to come together.
const INITIAL_DELAY_MS: u32 = 1_000;
/// As Java's consumers do by default.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// How many members, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    /// Members of the one group that is rebalanced.
    pub members: usize,
    /// Rebalances that are counted.
    pub rebalances: u32,
    /// Rebalances before them: Kafka's code is compiled while it runs.
    pub warm_up: u32,
    /// Groups whose members send heartbeats.
    pub heartbeating: usize,
    /// Members of each of them.
    pub heartbeating_members: usize,
    /// Windows of heartbeats, each as long as three intervals.
    pub windows: u32,
}

impl Groups {
    /// The figures that count.
    pub fn full() -> Groups {
        Groups {
            members: 100,
            rebalances: 50,
            warm_up: 200,
            heartbeating: 1_000,
            heartbeating_members: 10,
            windows: 3,
        }
    }

    /// While building.
    pub fn quick() -> Groups {
        Groups { rebalances: 20, warm_up: 50, heartbeating: 100, windows: 1, ..Groups::full() }
    }
}

#[derive(Default)]
struct Figures {
    rebalance: Vec<f64>,
    heartbeats: Vec<f64>,
    megabytes: Vec<f64>,
}

/// Measures Kafka, Gregor and Kafka again, each in a server of its own.
pub fn run(programs: &Programs, groups: &Groups) -> Result<Vec<Line>> {
    let kafka = measure(programs, Kind::Kafka, groups)?;
    let gregor = match programs.gregor {
        Some(_) => measure(programs, Kind::Gregor, groups)?,
        None => Figures::default(),
    };
    let again = measure(programs, Kind::Kafka, groups)?;
    let line = |name: &str, title: String, metric, goal, of: fn(&Figures) -> &Vec<f64>| Line {
        name: name.to_owned(),
        title,
        metric,
        goal,
        kafka: Series::new(of(&kafka).iter().copied()),
        kafka_again: Series::new(of(&again).iter().copied()),
        gregor: Series::new(of(&gregor).iter().copied()),
        floor: Series::default(),
        base: Series::default(),
    };
    let Groups { members, heartbeating, heartbeating_members, .. } = groups;
    let beating = format!("{heartbeating} groups of {heartbeating_members} members, a heartbeat each 3 s");
    Ok(vec![
        line(
            "rebalance",
            format!("rebalance of {members} classic members"),
            Metric::Seconds,
            Goal::AtMost(0.8),
            |figures| &figures.rebalance,
        ),
        line("heartbeats", beating.clone(), Metric::CoreShare, Goal::Absolute(10.0), |figures| {
            &figures.heartbeats
        }),
        line("heartbeats", beating, Metric::Memory, Goal::Shown, |figures| &figures.megabytes),
    ])
}

fn measure(programs: &Programs, kind: Kind, groups: &Groups) -> Result<Figures> {
    let delay = format!("group.initial.rebalance.delay.ms={INITIAL_DELAY_MS}");
    let target = Target::start_with(programs, kind, "groups", &[&delay])?;
    let mut figures = Figures { rebalance: rebalances(&target, groups)?, ..Figures::default() };
    heartbeats(&target, groups, &mut figures)?;
    target.remove()?;
    eprintln!(
        "{:>12} {:>7}  rebalance {:.4} s, heartbeats {:.1} % of a core, {:.1} MB",
        "groups",
        kind.name(),
        Series::new(figures.rebalance.iter().copied()).median().unwrap_or_default(),
        Series::new(figures.heartbeats.iter().copied()).median().unwrap_or_default(),
        figures.megabytes.last().copied().unwrap_or_default()
    );
    Ok(figures)
}

fn rebalances(target: &Target, groups: &Groups) -> Result<Vec<f64>> {
    let mut members = form(target, &["rebalanced".to_owned()], groups.members)?;
    let mut seconds = Vec::new();
    for round in 0..groups.warm_up + groups.rebalances {
        let generation = members[0].generation();
        let since = Instant::now();
        // A subscription that is not the last one: whoever comes first begins the rebalance.
        rebalance(&mut members, &round.to_be_bytes())?;
        if round >= groups.warm_up {
            seconds.push(since.elapsed().as_secs_f64());
        }
        let together = members.iter().all(|member| member.generation() == generation + 1);
        ensure!(together, "{}: a rebalance of all took more than one generation", target.kind.name());
    }
    Ok(seconds)
}

/// Groups with all their members in one generation.
fn form(target: &Target, names: &[String], each: usize) -> Result<Vec<Member>> {
    let mut members = Vec::with_capacity(names.len() * each);
    for name in names {
        for _ in 0..each {
            members.push(Member::register(&target.address, name)?);
        }
    }
    // Those that come while the first ones have begun make another rebalance of it: all come again until they are
    // together.
    for attempt in 0_u32..5 {
        let joined = rebalance(&mut members, &attempt.to_be_bytes());
        let leaders = members.iter().filter(|member| member.leads() == each).count();
        if joined.is_ok() && leaders == names.len() {
            return Ok(members);
        }
        joined?;
    }
    anyhow::bail!("{}: the members of {} groups do not come together", target.kind.name(), names.len())
}

fn heartbeats(target: &Target, groups: &Groups, figures: &mut Figures) -> Result<()> {
    let names: Vec<String> = (0..groups.heartbeating).map(|number| format!("beating-{number}")).collect();
    let mut members = Vec::new();
    for some in names.chunks(50) {
        members.extend(form(target, some, groups.heartbeating_members)?);
    }
    beat(&mut members, HEARTBEAT)?;
    for _ in 0..groups.windows {
        let cpu = || process_cpu_seconds(target.pid).context("the server is gone");
        let (since, before) = (Instant::now(), cpu()?);
        beat(&mut members, 3 * HEARTBEAT)?;
        figures.heartbeats.push((cpu()? - before) / since.elapsed().as_secs_f64() * 100.0);
    }
    let bytes = anonymous_bytes(target.pid).context("the server is gone")?;
    figures.megabytes.push(bytes as f64 / 1e6);
    Ok(())
}

/// Heartbeats of all members for so long, spread evenly.
fn beat(members: &mut [Member], lasting: Duration) -> Result<()> {
    let count = u32::try_from(members.len())?;
    let since = Instant::now();
    for round in 0.. {
        for (member, number) in members.iter_mut().zip(0_u32..) {
            let due = HEARTBEAT * round + HEARTBEAT * number / count;
            if due >= lasting {
                return Ok(());
            }
            std::thread::sleep(due.saturating_sub(since.elapsed()));
            member.heartbeat()?;
        }
    }
    Ok(())
}
