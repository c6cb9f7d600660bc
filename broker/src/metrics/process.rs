//! What Linux says about this process, under the names that Prometheus' client libraries give it.

use std::fs;

use super::declared::{
    PROCESS_ANONYMOUS_BYTES, PROCESS_CPU_SECONDS, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT_BYTES,
    PROCESS_START_SECONDS, PROCESS_THREADS, PROCESS_VIRTUAL_BYTES,
};
use super::families::Families;

/// Ticks per second of the times in /proc: USER_HZ, 100 on every architecture that Linux still has.
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds the process' samples. What cannot be read is left out.
pub(super) fn scrape(families: &mut Families) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some(stat) = Stat::parse(&stat) {
        families.set(&PROCESS_CPU_SECONDS, &[], stat.cpu_seconds);
        families.set(&PROCESS_THREADS, &[], stat.threads);
        if let Some(boot) = boot_seconds(&fs::read_to_string("/proc/stat").unwrap_or_default()) {
            families.set(&PROCESS_START_SECONDS, &[], boot + stat.start_seconds);
        }
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = [
        ("VmRSS:", &PROCESS_RESIDENT_BYTES),
        ("RssAnon:", &PROCESS_ANONYMOUS_BYTES),
        ("VmSize:", &PROCESS_VIRTUAL_BYTES),
    ];
    for (field, metric) in memory {
        if let Some(kilobytes) = field_of(&status, field) {
            families.set(metric, &[], kilobytes * 1024.0);
        }
    }
    if let Some(open) = open_files() {
        families.count(&PROCESS_OPEN_FDS, &[], open);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(limit) = field_of(&limits, "Max open files") {
        families.set(&PROCESS_MAX_FDS, &[], limit);
    }
}

/// The number after a field's name at the start of a line.
fn field_of(text: &str, field: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
}

/// Since Linux 6.2 the directory's size is their number; before, it is 0 and they are counted.
fn open_files() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        // One more is open while the directory is read.
        0 => fs::read_dir("/proc/self/fd").ok().map(|entries| (entries.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

fn boot_seconds(stat: &str) -> Option<f64> {
    field_of(stat, "btime ")
}

/// Fields of /proc/self/stat.
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    start_seconds: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name in brackets may hold blanks and brackets; the fields after it are numbered from 3.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            threads: field(20)?,
            start_seconds: field(22)? / TICKS_PER_SECOND,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_a_hostile_name() {
        let line = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 150 0 0 20 0 9 0 600 1000 5 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.cpu_seconds, stat.threads, stat.start_seconds), (4.0, 9.0, 6.0));
        assert!(Stat::parse("7 (a) S 1").is_none());
    }

    #[test]
    fn this_process_is_described() {
        let mut families = Families::default();
        scrape(&mut families);
        let text = families.into_text().unwrap();
        for name in ["process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds "] {
            assert!(text.contains(&format!("\n{name}")), "{name} is missing from {text}");
        }
    }
}
