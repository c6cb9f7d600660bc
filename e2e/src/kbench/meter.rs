//! Counting in windows: threads count into meters, one sampler reads them at each window's edges.

use std::ops::AddAssign;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::usage::{anonymous_bytes, machine_cpu, process_cpu_seconds};

/// How often a window that is also bounded in bytes is looked at.
const POLL: Duration = Duration::from_millis(5);

/// When to count: after a warm-up, in windows of one length.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Load before the first window, not counted.
    pub warm_up: Duration,
    /// Windows, back to back.
    pub windows: u32,
    /// Length of each.
    pub window: Duration,
    /// A window also ends after so many bytes; none means by time alone.
    pub window_bytes_max: Option<u64>,
}

/// What one thread did since the sampler last looked.
pub struct Meter {
    bytes: AtomicU64,
    requests: AtomicU64,
    records: AtomicU64,
    latency_us: Mutex<Histogram<u64>>,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter {
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            records: AtomicU64::new(0),
            latency_us: Mutex::new(histogram()),
        }
    }
}

impl Meter {
    /// Counts one answered request with the uncompressed bytes and the records that it moved.
    pub fn count(&self, bytes: u64, records: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds one latency.
    pub fn latency(&self, latency: Duration) {
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_us.lock().expect("no counter panics").saturating_record(microseconds);
    }
}

fn histogram() -> Histogram<u64> {
    // One microsecond to a minute, three digits: 100 KB a thread.
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("these bounds are legal")
}

/// One window's figures, or several added together.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Its length.
    pub seconds: f64,
    /// Batches' bytes as they are uncompressed.
    pub bytes: u64,
    /// Requests answered.
    pub requests: u64,
    /// Records moved.
    pub records: u64,
    /// Latencies in microseconds; empty where the load has none.
    pub latency_us: Histogram<u64>,
    /// CPU seconds of the measured process; zero without one.
    pub process_cpu_seconds: f64,
    /// CPU seconds of the machine outside this generator: what the kernel spends elsewhere shows here.
    pub other_cpu_seconds: f64,
    /// CPU seconds that the hypervisor took.
    pub steal_seconds: f64,
    /// Anonymous memory of the measured process at the end of the window; zero without one.
    pub anonymous_bytes: u64,
}

impl Measurement {
    /// Millions of bytes a second.
    pub fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds
    }

    /// Requests a second.
    pub fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// CPU seconds of the process for 10^9 bytes.
    pub fn cpu_seconds_per_gigabyte(&self) -> f64 {
        self.process_cpu_seconds / (self.bytes as f64 / 1e9)
    }

    /// CPU microseconds of the process for a request.
    pub fn cpu_microseconds_per_request(&self) -> f64 {
        self.process_cpu_seconds * 1e6 / self.requests as f64
    }

    /// A quantile of the latency, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1e3
    }

    /// One line for a person.
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{:.1} MB/s  {:.0} req/s  {:.0} records/s",
            self.megabytes_per_second(),
            self.requests_per_second(),
            self.records as f64 / self.seconds
        );
        if !self.latency_us.is_empty() {
            let ms = |quantile| self.latency_ms(quantile);
            line += &format!(
                "  ms p50 {:.3} p99 {:.3} p99.9 {:.3} max {:.3}",
                ms(0.5),
                ms(0.99),
                ms(0.999),
                ms(1.0)
            );
        }
        if self.process_cpu_seconds > 0.0 {
            line += &format!(
                "  {:.2} cpu-s/GB  {:.1} cpu-us/req  cores {:.2} (machine besides us {:.2})  anon {:.1} MB",
                self.cpu_seconds_per_gigabyte(),
                self.cpu_microseconds_per_request(),
                self.process_cpu_seconds / self.seconds,
                self.other_cpu_seconds / self.seconds,
                self.anonymous_bytes as f64 / 1e6
            );
        }
        line
    }

    /// One line of JSON for a program.
    pub fn json(&self, what: &str) -> serde_json::Value {
        serde_json::json!({
            "what": what,
            "seconds": self.seconds,
            "bytes": self.bytes,
            "requests": self.requests,
            "records": self.records,
            "p50_ms": self.latency_ms(0.5),
            "p99_ms": self.latency_ms(0.99),
            "p999_ms": self.latency_ms(0.999),
            "max_ms": self.latency_ms(1.0),
            "process_cpu_seconds": self.process_cpu_seconds,
            "other_cpu_seconds": self.other_cpu_seconds,
            "steal_seconds": self.steal_seconds,
            "anonymous_bytes": self.anonymous_bytes,
        })
    }
}

impl AddAssign<&Measurement> for Measurement {
    fn add_assign(&mut self, other: &Measurement) {
        self.seconds += other.seconds;
        self.bytes += other.bytes;
        self.requests += other.requests;
        self.records += other.records;
        self.latency_us.add(&other.latency_us).expect("all histograms have the same bounds");
        self.process_cpu_seconds += other.process_cpu_seconds;
        self.other_cpu_seconds += other.other_cpu_seconds;
        self.steal_seconds += other.steal_seconds;
        self.anonymous_bytes = self.anonymous_bytes.max(other.anonymous_bytes);
    }
}

struct Usage {
    at: Instant,
    process: f64,
    other: f64,
    steal: f64,
}

fn usage(pid: Option<u32>) -> Usage {
    let machine = machine_cpu();
    let own = process_cpu_seconds(std::process::id()).unwrap_or_default();
    Usage {
        at: Instant::now(),
        process: pid.and_then(process_cpu_seconds).unwrap_or_default(),
        other: machine.busy_seconds - own,
        steal: machine.steal_seconds,
    }
}

/// Sleeps through the warm-up and the windows while others load the broker, and gives one measurement for
/// each window. Ends early, with fewer windows and the last one short, once `stop` is set.
pub fn sample(meters: &[Meter], span: &Span, pid: Option<u32>, stop: &AtomicBool) -> Vec<Measurement> {
    wait(meters, span.warm_up, None, stop);
    drain(meters);
    let mut measurements = Vec::new();
    for _ in 0..span.windows {
        let before = usage(pid);
        wait(meters, span.window, span.window_bytes_max, stop);
        let after = usage(pid);
        let mut window = drain(meters);
        window.seconds = (after.at - before.at).as_secs_f64();
        window.process_cpu_seconds = after.process - before.process;
        window.other_cpu_seconds = (after.other - before.other).max(0.0);
        window.steal_seconds = after.steal - before.steal;
        window.anonymous_bytes = pid.and_then(anonymous_bytes).unwrap_or_default();
        let ended = stop.load(Ordering::Relaxed);
        if !ended || window.requests > 0 {
            measurements.push(window);
        }
        if ended {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    measurements
}

fn wait(meters: &[Meter], time: Duration, bytes_max: Option<u64>, stop: &AtomicBool) {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let bytes: u64 = meters.iter().map(|meter| meter.bytes.load(Ordering::Relaxed)).sum();
        if left.is_zero() || stop.load(Ordering::Relaxed) || bytes_max.is_some_and(|max| bytes >= max) {
            return;
        }
        std::thread::sleep(left.min(POLL));
    }
}

fn drain(meters: &[Meter]) -> Measurement {
    let mut sum = Measurement {
        seconds: 0.0,
        bytes: 0,
        requests: 0,
        records: 0,
        latency_us: histogram(),
        process_cpu_seconds: 0.0,
        other_cpu_seconds: 0.0,
        steal_seconds: 0.0,
        anonymous_bytes: 0,
    };
    for meter in meters {
        sum.bytes += meter.bytes.swap(0, Ordering::Relaxed);
        sum.requests += meter.requests.swap(0, Ordering::Relaxed);
        sum.records += meter.records.swap(0, Ordering::Relaxed);
        let mut latency = meter.latency_us.lock().expect("no counter panics");
        sum.latency_us.add(&*latency).expect("all histograms have the same bounds");
        latency.reset();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(windows: u32, bytes_max: u64) -> Span {
        Span {
            warm_up: Duration::ZERO,
            windows,
            window: Duration::from_secs(30),
            window_bytes_max: Some(bytes_max),
        }
    }

    #[test]
    fn a_window_ends_at_its_bytes_and_begins_empty() {
        let meters = [Meter::default(), Meter::default()];
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    meters[1].count(100, 2);
                    meters[1].latency(Duration::from_micros(250));
                    std::thread::sleep(Duration::from_micros(50));
                }
            });
            let windows = sample(&meters, &span(2, 1_000), None, &stop);
            assert_eq!(windows.len(), 2);
            for window in windows {
                assert!(window.bytes >= 1_000);
                assert!(window.seconds < 30.0);
                assert_eq!(window.bytes, window.requests * 100);
                assert_eq!(window.records, window.requests * 2);
                assert!((window.latency_ms(0.99) - 0.25).abs() < 0.001);
            }
        });
    }

    #[test]
    fn stopping_ends_the_sampling() {
        let meters = [Meter::default()];
        let stop = AtomicBool::new(true);
        assert!(sample(&meters, &span(2, u64::MAX), None, &stop).is_empty());
    }
}
