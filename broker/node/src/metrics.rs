//! What a broker counts about itself: plain atomics, written on the hot path with relaxed order and read by a
//! scrape. No names, labels or text are here; the process around this crate gives them.
//!
//! Counters lie in shards, each on cache lines of its own, so that cores which count at once do not pass a line
//! to and fro: a writer picks a shard by anything that differs between cores, such as its session's number.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use protocol::{ApiKey, ErrorCode};

/// Upper ends of the histogram's buckets in microseconds; one more bucket holds what is slower.
pub const BUCKETS_US: [u64; 20] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000,
];

/// Pairs of API and error code that are told apart in one shard; further ones are not counted. Kafka's
/// handlers give about 5 codes each.
const ERROR_PAIRS_MAX: usize = 512;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Durations in fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BUCKETS_US.len() + 1],
    sum_ns: Counter,
}

impl Histogram {
    /// Counts a duration in nanoseconds that `count` things took.
    pub fn record_ns(&self, duration_ns: u64, count: u64) {
        let bucket = BUCKETS_US.partition_point(|end_us| end_us * 1_000 < duration_ns);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add(count);
        }
        self.sum_ns.add(duration_ns.saturating_mul(count));
    }
}

/// A histogram read at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// How many fell into each bucket, not cumulated; the last one is above all of [`BUCKETS_US`].
    pub buckets: [u64; BUCKETS_US.len() + 1],
    /// The sum of all durations in nanoseconds.
    pub sum_ns: u64,
}

impl HistogramSnapshot {
    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.read();
        }
        self.sum_ns += histogram.sum_ns.read();
    }
}

#[derive(Debug, Default)]
struct Api {
    requests: Counter,
    latency: Histogram,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// The counters of one shard.
        #[derive(Debug)]
        #[repr(align(128))]
        pub struct Shard {
            $($(#[$doc])* pub $name: Counter,)*
            apis: Box<[Api]>,
            errors: Box<[ErrorPair]>,
        }

        /// The counters of all shards, read at one moment.
        #[derive(Debug, Clone, Default)]
        pub struct Snapshot {
            $($(#[$doc])* pub $name: u64,)*
            /// Each API that was asked, its requests, and how long its answers took from the frame's arrival.
            pub apis: Vec<(ApiKey, u64, HistogramSnapshot)>,
            /// Error codes that were answered, by API.
            pub errors: Vec<(ApiKey, ErrorCode, u64)>,
        }

        impl Shard {
            fn new() -> Self {
                Self {
                    $($name: Counter::default(),)*
                    apis: ApiKey::ALL.iter().map(|_| Api::default()).collect(),
                    errors: (0..ERROR_PAIRS_MAX).map(|_| ErrorPair::default()).collect(),
                }
            }
        }

        impl Snapshot {
            fn add_counters(&mut self, shard: &Shard) {
                $(self.$name += shard.$name.read();)*
            }
        }
    };
}

counters! {
    /// Bytes of request frames, their lengths included.
    received_bytes;
    /// Bytes of response frames, their lengths included.
    sent_bytes;
    /// Record batches that were appended for producers.
    appended_batches;
    /// Records that were appended for producers.
    appended_records;
    /// Bytes of record batches that were appended for producers, as stored.
    appended_bytes;
    /// Produce requests that went into rounds of appends.
    produced_requests;
    /// Appends that such rounds came to: fewer than requests where several went in together.
    produced_appends;
    /// Bytes of record batches that were sent to consumers.
    fetched_bytes;
    /// Record batches that were refused by their check.
    rejected_batches;
    /// Fetches that had to wait for records.
    parked_fetches;
    /// Reads that were not in the page cache and went to a job.
    cold_reads;
    /// Connections of clients that were accepted.
    opened_connections;
    /// Connections of clients that ended.
    closed_connections;
    /// Connections that were closed because nothing moved on them for too long.
    idle_connections;
    /// Connections that were closed at once, above a limit.
    refused_connections;
    /// Connections that were closed for what the client sent.
    misused_connections;
    /// Syncs of data files to disk.
    syncs;
    /// Nanoseconds that those syncs took.
    sync_ns;
    /// Segments that retention deleted.
    deleted_segments;
}

/// One pair of API and code: claimed by the first thread that meets it, then only counted.
#[derive(Debug, Default)]
struct ErrorPair {
    /// 0 is free; else 1 + (position of the API, position of the code).
    claim: AtomicU64,
    count: Counter,
}

impl Shard {
    /// Requests of this API arrived.
    pub fn requests(&self, api: ApiKey, count: u64) {
        if let Some(counts) = position(api).and_then(|at| self.apis.get(at)) {
            counts.requests.add(count);
        }
    }

    /// Requests were answered, each this long after it arrived.
    pub fn answered(&self, api: ApiKey, duration_ns: u64, count: u64) {
        if let Some(counts) = position(api).and_then(|at| self.apis.get(at)) {
            counts.latency.record_ns(duration_ns, count);
        }
    }

    /// A round of appends came of these many Produce requests.
    pub fn produced(&self, requests: usize, appends: usize) {
        self.produced_requests.add(requests as u64);
        self.produced_appends.add(appends as u64);
    }

    /// An answer carried this error code; `None` is not counted.
    pub fn error(&self, api: ApiKey, code: ErrorCode) {
        let (Some(api), Some(code)) = (position(api), ErrorCode::ALL.iter().position(|other| *other == code))
        else {
            return;
        };
        if !ErrorCode::ALL.get(code).is_some_and(|code| code.is_error()) {
            return;
        }
        let pair = (api * ErrorCode::ALL.len() + code) as u64 + 1;
        for entry in &self.errors {
            let claimed = match entry.claim.load(Relaxed) {
                0 => entry.claim.compare_exchange(0, pair, Relaxed, Relaxed).map_or_else(|now| now, |_| pair),
                claimed => claimed,
            };
            if claimed == pair {
                entry.count.increment();
                return;
            }
        }
    }
}

/// Where an API stands in `ApiKey::ALL`, which is in the order of the numbers.
fn position(api: ApiKey) -> Option<usize> {
    ApiKey::ALL.binary_search(&api).ok()
}

/// The broker's counters.
#[derive(Debug)]
pub struct Metrics {
    shards: Box<[Shard]>,
}

impl Metrics {
    /// Counters in this many shards, at least one: as many as there are threads that serve clients.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self { shards: (0..shards.clamp(1, 1_024)).map(|_| Shard::new()).collect() }
    }

    /// The shard for this writer; equal hints give the same one.
    #[must_use]
    pub fn shard(&self, hint: usize) -> &Shard {
        // The remainder is below the length, which is at least one.
        &self.shards[hint % self.shards.len()]
    }

    /// All counters, summed over the shards. Counters that move meanwhile may be caught at different moments.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let mut apis = vec![(0, HistogramSnapshot::default()); ApiKey::ALL.len()];
        let mut errors = std::collections::BTreeMap::new();
        for shard in &self.shards {
            snapshot.add_counters(shard);
            for ((requests, latency), counts) in apis.iter_mut().zip(&shard.apis) {
                *requests += counts.requests.read();
                latency.add(&counts.latency);
            }
            for entry in &shard.errors {
                let claim = entry.claim.load(Relaxed);
                if claim == 0 {
                    break;
                }
                *errors.entry(claim - 1).or_insert(0) += entry.count.read();
            }
        }
        let asked = |(api, (requests, latency)): (&ApiKey, (u64, HistogramSnapshot))| {
            (requests > 0).then_some((*api, requests, latency))
        };
        snapshot.apis = ApiKey::ALL.iter().zip(apis).filter_map(asked).collect();
        let codes = ErrorCode::ALL.len() as u64;
        let named = |(pair, count): (u64, u64)| {
            let api = ApiKey::ALL.get(usize::try_from(pair / codes).ok()?)?;
            let code = ErrorCode::ALL.get(usize::try_from(pair % codes).ok()?)?;
            Some((*api, *code, count))
        };
        snapshot.errors = errors.into_iter().filter_map(named).collect();
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed() {
        let metrics = Metrics::new(3);
        for hint in 0..7 {
            let shard = metrics.shard(hint);
            shard.requests(ApiKey::Fetch, 1);
            shard.answered(ApiKey::Fetch, 20_000, 1);
            shard.received_bytes.add(100);
            shard.error(ApiKey::Fetch, ErrorCode::OffsetOutOfRange);
            shard.error(ApiKey::Fetch, ErrorCode::None);
        }
        metrics.shard(1).error(ApiKey::Produce, ErrorCode::NotLeaderOrFollower);
        let snapshot = metrics.snapshot();
        assert_eq!(snapshot.received_bytes, 700);
        assert_eq!(snapshot.apis.len(), 1, "only what was asked is listed");
        let (api, requests, latency) = &snapshot.apis[0];
        assert_eq!((*api, *requests, latency.count(), latency.sum_ns), (ApiKey::Fetch, 7, 7, 140_000));
        assert_eq!(latency.buckets[1], 7, "20 us lie between 10 and 25");
        assert_eq!(
            snapshot.errors,
            [
                (ApiKey::Produce, ErrorCode::NotLeaderOrFollower, 1),
                (ApiKey::Fetch, ErrorCode::OffsetOutOfRange, 7)
            ]
        );
    }

    #[test]
    fn bucket_ends_are_included() {
        let histogram = Histogram::default();
        for duration_ns in [0, 10_000, 10_001, 30_000_000_000, 30_000_000_001, u64::MAX] {
            histogram.record_ns(duration_ns, 1);
        }
        let mut snapshot = HistogramSnapshot::default();
        snapshot.add(&histogram);
        assert_eq!((snapshot.buckets[0], snapshot.buckets[1]), (2, 1));
        assert_eq!((snapshot.buckets[19], snapshot.buckets[20]), (1, 2));
    }

    #[test]
    fn more_error_pairs_than_fit_are_left_out_and_nothing_grows() {
        let shard = Shard::new();
        for api in ApiKey::ALL {
            for code in ErrorCode::ALL {
                shard.error(*api, *code);
            }
        }
        let taken = shard.errors.iter().filter(|entry| entry.count.read() == 1).count();
        assert_eq!(taken, ERROR_PAIRS_MAX);
    }
}
