//! The loads of the table and what each must reach.

use crate::bench::stats::Series;
use crate::kbench::batch::{BatchShape, Codec};
use crate::kbench::meter::Measurement;

/// What a row measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Requests a second.
    RequestsPerSecond,
    /// Millions of uncompressed bytes a second.
    MegabytesPerSecond,
    /// CPU microseconds of the server for a request.
    CpuPerRequest,
    /// CPU seconds of the server for 10^9 uncompressed bytes.
    CpuPerGigabyte,
    /// The same of the whole machine besides the generator: work that the kernel charges to nobody.
    MachineCpuPerGigabyte,
    /// Milliseconds that 99 of 100 requests stay under.
    P99,
    /// Millions of bytes of anonymous memory.
    Memory,
    /// Seconds.
    Seconds,
    /// Per cent of one core.
    CoreShare,
    /// Millions of bytes of a file.
    FileSize,
}

impl Metric {
    /// Its name and unit in the table.
    pub fn name(self) -> &'static str {
        match self {
            Metric::RequestsPerSecond => "req/s",
            Metric::MegabytesPerSecond => "MB/s",
            Metric::CpuPerRequest => "cpu-us/req",
            Metric::CpuPerGigabyte => "cpu-s/GB",
            Metric::MachineCpuPerGigabyte => "machine cpu-s/GB",
            Metric::P99 => "p99 ms",
            Metric::Memory => "anonymous MB",
            Metric::Seconds => "s",
            Metric::CoreShare => "% of a core",
            Metric::FileSize => "MB",
        }
    }

    /// How far apart two series of Kafka's may lie before nothing can be said: 5 % for CPU and memory, 10 %
    /// for throughput and whole seconds, 25 % for a p99.
    pub fn agreement(self) -> f64 {
        match self {
            Metric::CpuPerRequest
            | Metric::CpuPerGigabyte
            | Metric::MachineCpuPerGigabyte
            | Metric::CoreShare
            | Metric::FileSize
            | Metric::Memory => 0.05,
            Metric::RequestsPerSecond | Metric::MegabytesPerSecond | Metric::Seconds => 0.10,
            Metric::P99 => 0.25,
        }
    }

    /// This metric of one window.
    pub fn of(self, window: &Measurement) -> f64 {
        match self {
            Metric::RequestsPerSecond => window.requests_per_second(),
            Metric::MegabytesPerSecond => window.megabytes_per_second(),
            Metric::CpuPerRequest => window.cpu_microseconds_per_request(),
            Metric::CpuPerGigabyte => window.cpu_seconds_per_gigabyte(),
            Metric::MachineCpuPerGigabyte => window.other_cpu_seconds / (window.bytes as f64 / 1e9),
            Metric::P99 => window.latency_ms(0.99),
            Metric::Memory => window.anonymous_bytes as f64 / 1e6,
            Metric::Seconds => window.seconds,
            Metric::CoreShare => window.process_cpu_seconds / window.seconds * 100.0,
            // A window writes no file of its own.
            Metric::FileSize => f64::NAN,
        }
    }

    /// This metric of all windows.
    pub fn series(self, windows: &[Measurement]) -> Series {
        Series::new(windows.iter().map(|window| self.of(window)))
    }
}

/// What a figure of Gregor's must reach.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At least so many times Kafka's.
    AtLeast(f64),
    /// At most so many times Kafka's.
    AtMost(f64),
    /// At most this, whatever Kafka's is.
    Absolute(f64),
    /// At most so many times Gregor's own figure without the disturbance.
    OwnAtMost(f64),
    /// Shown, not judged.
    Shown,
}

/// How a row loads a server.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Produce with so many connections, flat out or at a rate over all of them.
    Produce {
        /// Content of a batch.
        shape: BatchShape,
        /// Connections, 5 requests in flight on each.
        connections: usize,
        /// Batches a second.
        rate: Option<f64>,
    },
    /// Produce at a rate and consume beside it.
    Deliver {
        /// Content of a batch.
        shape: BatchShape,
        /// Batches a second.
        rate: f64,
    },
    /// Read what is in the page cache.
    Fetch,
    /// Ask for one topic on 4 connections.
    Metadata,
}

/// A row that is measured in rounds.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What `--rows` calls it.
    pub name: &'static str,
    /// What the table calls it.
    pub title: &'static str,
    /// The load.
    pub load: Load,
    /// What is taken from its windows.
    pub figures: &'static [(Metric, Goal)],
    /// Gregor is measured with `record.validation=strict` also, which must reach this CPU per byte.
    pub strict: Option<Goal>,
}

const fn shape(records: u32, codec: Codec) -> BatchShape {
    BatchShape { records, record_bytes: 100, codec }
}

/// 160 records of 100 bytes: 17,200 bytes with what each record adds.
const SIXTEEN_KB: BatchShape = shape(160, Codec::None);

/// The rows measured in rounds, in the table's order.
pub const ROWS: &[Row] = &[
    Row {
        name: "small",
        title: "produce 1 record, 16 connections",
        load: Load::Produce { shape: shape(1, Codec::None), connections: 16, rate: None },
        figures: &[
            (Metric::RequestsPerSecond, Goal::AtLeast(3.5)),
            (Metric::CpuPerRequest, Goal::AtMost(0.2)),
            (Metric::P99, Goal::Shown),
        ],
        strict: None,
    },
    Row {
        name: "16k",
        title: "produce 16 KB batches, 2 connections",
        load: Load::Produce { shape: SIXTEEN_KB, connections: 2, rate: None },
        figures: &[
            (Metric::MegabytesPerSecond, Goal::AtLeast(2.5)),
            (Metric::CpuPerGigabyte, Goal::AtMost(0.3)),
            (Metric::MachineCpuPerGigabyte, Goal::Shown),
            (Metric::P99, Goal::Shown),
            (Metric::Memory, Goal::Absolute(100.0)),
        ],
        strict: None,
    },
    Row {
        name: "512k",
        title: "produce 512 KB batches, 2 connections",
        load: Load::Produce { shape: shape(4_870, Codec::None), connections: 2, rate: None },
        figures: &[
            (Metric::CpuPerGigabyte, Goal::AtMost(0.55)),
            (Metric::MegabytesPerSecond, Goal::Shown),
            (Metric::MachineCpuPerGigabyte, Goal::Shown),
        ],
        strict: None,
    },
    Row {
        name: "lz4",
        title: "produce 16 KB batches, lz4",
        load: Load::Produce { shape: shape(160, Codec::Lz4), connections: 2, rate: None },
        figures: &[(Metric::CpuPerGigabyte, Goal::AtMost(0.3)), (Metric::MegabytesPerSecond, Goal::Shown)],
        strict: Some(Goal::AtMost(0.8)),
    },
    Row {
        name: "zstd",
        title: "produce 16 KB batches, zstd",
        load: Load::Produce { shape: shape(160, Codec::Zstd), connections: 2, rate: None },
        figures: &[(Metric::CpuPerGigabyte, Goal::AtMost(0.3)), (Metric::MegabytesPerSecond, Goal::Shown)],
        strict: Some(Goal::AtMost(0.8)),
    },
    Row {
        name: "paced",
        title: "produce 1,000 requests/s of 10 records, 4 connections",
        load: Load::Produce { shape: shape(10, Codec::None), connections: 4, rate: Some(1_000.0) },
        figures: &[(Metric::P99, Goal::AtMost(1.0)), (Metric::CpuPerRequest, Goal::AtMost(0.5))],
        strict: None,
    },
    Row {
        name: "deliver",
        title: "produce to deliver at 200/s",
        load: Load::Deliver { shape: shape(10, Codec::None), rate: 200.0 },
        figures: &[(Metric::P99, Goal::AtMost(0.5))],
        strict: None,
    },
    Row {
        name: "fetch",
        title: "fetch 1 MiB, cached, 2 connections",
        load: Load::Fetch,
        figures: &[
            (Metric::CpuPerGigabyte, Goal::AtMost(0.6)),
            (Metric::MegabytesPerSecond, Goal::Shown),
            (Metric::MachineCpuPerGigabyte, Goal::Shown),
        ],
        strict: None,
    },
    Row {
        name: "metadata",
        title: "Metadata of one topic, 4 connections",
        load: Load::Metadata,
        figures: &[(Metric::CpuPerRequest, Goal::AtMost(0.4)), (Metric::RequestsPerSecond, Goal::Shown)],
        strict: None,
    },
];

/// The rows that need servers of their own; measured once a run, a few times each.
pub const SPECIAL_ROWS: &[&str] = &["fresh", "size", "groups", "cold", "start"];

/// Their lines that have a goal, with the figure that it is about.
pub const SPECIAL_GOALS: &[(&str, Metric)] = &[
    ("fresh", Metric::CpuPerGigabyte),
    ("fresh", Metric::Memory),
    ("size create", Metric::Seconds),
    ("size idle", Metric::Memory),
    ("size idle", Metric::CoreShare),
    ("size scrape", Metric::CpuPerRequest),
    ("size binary", Metric::FileSize),
    ("connections", Metric::P99),
    ("connections", Metric::Memory),
    ("rebalance", Metric::Seconds),
    ("heartbeats", Metric::CoreShare),
    ("cold", Metric::P99),
    ("start clean", Metric::Seconds),
    ("start killed", Metric::Seconds),
];

/// The load of 16 KB batches that the special rows use too.
pub fn sixteen_kb() -> Load {
    Load::Produce { shape: SIXTEEN_KB, connections: 2, rate: None }
}

/// The paced load that the row `cold` disturbs.
pub fn paced() -> Load {
    Load::Produce { shape: shape(10, Codec::None), connections: 4, rate: Some(1_000.0) }
}
