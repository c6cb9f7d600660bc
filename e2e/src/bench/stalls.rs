//! How long this machine keeps a thread waiting while somebody reads from its disk: the floor of every latency
//! beside a cold consumer, with no broker taking part.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How often the thread asks to be woken: as often as the paced load sends.
const PERIOD: Duration = Duration::from_millis(1);
const READ_BYTES: usize = 1 << 20;

/// The 99th percentile, in milliseconds, of how late a thread wakes that sleeps until the next millisecond, while
/// one other thread reads these files from their beginnings to their ends.
pub fn p99_beside_reads(files: &[PathBuf]) -> Result<f64> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| lateness(&done));
        let read = files.iter().try_for_each(read_whole);
        done.store(true, Ordering::Relaxed);
        let mut late = sleeper.join().expect("the sleeper does not panic");
        read?;
        ensure!(!late.is_empty(), "the files were read within {PERIOD:?}");
        Ok(percentile_99(&mut late))
    })
}

fn lateness(done: &AtomicBool) -> Vec<f64> {
    let mut late = Vec::new();
    let mut due = Instant::now() + PERIOD;
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        late.push((Instant::now().saturating_duration_since(due)).as_secs_f64() * 1e3);
        // As the paced load: what was due in the meantime is late as well.
        due += PERIOD;
    }
    late
}

fn read_whole(path: &PathBuf) -> Result<()> {
    let mut file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut buffer = vec![0; READ_BYTES];
    while file.read(&mut buffer).with_context(|| format!("read {}", path.display()))? > 0 {}
    Ok(())
}

fn percentile_99(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * 99 / 100]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_later_than_the_99th_percentile() {
        let mut values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile_99(&mut values), 99.0);
    }
}
