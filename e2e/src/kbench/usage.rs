//! What a process and the whole machine spent, read from `/proc`.

use std::fs;

/// Clock ticks a second in `/proc`: Linux's `USER_HZ`, 100 on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that the process used so far, in user and kernel, over all its threads; none once it is gone.
pub fn process_cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; numbers begin after the last parenthesis with field 3.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// Bytes of anonymous memory that the process holds: heap and stacks, without its files in the page cache.
pub fn anonymous_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// CPU seconds of the whole machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineCpu {
    /// Spent on anything but idling and waiting for disks.
    pub busy_seconds: f64,
    /// Taken by the hypervisor for other guests.
    pub steal_seconds: f64,
}

/// The machine's counters; zero where `/proc/stat` cannot be read.
pub fn machine_cpu() -> MachineCpu {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    parse_machine_cpu(&stat)
}

fn parse_machine_cpu(stat: &str) -> MachineCpu {
    let ticks: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or_default() / TICKS_PER_SECOND;
    // user, nice, system, idle, iowait, irq, softirq, steal
    MachineCpu { busy_seconds: at(0) + at(1) + at(2) + at(5) + at(6), steal_seconds: at(7) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let me = std::process::id();
        assert!(process_cpu_seconds(me).is_some());
        assert!(anonymous_bytes(me).unwrap() > 0);
        assert!(process_cpu_seconds(u32::MAX).is_none());
    }

    #[test]
    fn idling_and_waiting_for_disks_are_not_busy() {
        let cpu = parse_machine_cpu("cpu  100 10 50 9000 700 3 7 40 0 0\ncpu0 1 2 3\n");
        assert!((cpu.busy_seconds - 1.7).abs() < 1e-9, "{cpu:?}");
        assert!((cpu.steal_seconds - 0.4).abs() < 1e-9, "{cpu:?}");
    }
}
