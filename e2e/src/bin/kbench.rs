//! `kbench`: one load against one broker from the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use e2e::kbench::api::{NewTopic, create_topic, delete_topic};
use e2e::kbench::batch::{BatchShape, Codec};
use e2e::kbench::deliver::{DeliverLoad, deliver};
use e2e::kbench::fetch::{FetchLoad, fetch};
use e2e::kbench::floor::Floor;
use e2e::kbench::metadata::metadata;
use e2e::kbench::meter::{Measurement, Span};
use e2e::kbench::produce::{ProduceLoad, Produced, produce};
use e2e::kbench::verify::verify;
use e2e::kbench::wire::Connection;

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// Create --topic with --partitions and --rf
    Create,
    /// Delete --topic
    Delete,
    /// Pipelined batches; with --fresh the topic is created before and deleted after
    Produce,
    /// Read every partition from its beginning, over and over
    Fetch,
    /// Produce at --rate batches/s and consume beside it: latency until delivery
    Deliver,
    /// Metadata requests for one topic, back to back
    Metadata,
    /// Be the least that a broker can do, on --broker's address, with files in --data: a floor to measure against
    Limit,
}

/// A raw Kafka-protocol load generator.
#[derive(Parser)]
struct Options {
    mode: Mode,
    /// HOST:PORT of any broker
    #[arg(long, default_value = "127.0.0.1:9092")]
    broker: String,
    #[arg(long, default_value = "bench")]
    topic: String,
    #[arg(long, default_value_t = 2)]
    partitions: i32,
    /// Replication factor of a created topic
    #[arg(long, default_value_t = 1)]
    rf: i16,
    /// Connections, each with a thread
    #[arg(long, default_value_t = 2)]
    conns: usize,
    /// Produce requests in flight on a connection
    #[arg(long, default_value_t = 5)]
    inflight: usize,
    /// Bytes of a record
    #[arg(long, default_value_t = 100)]
    record: usize,
    /// Records of a batch
    #[arg(long, default_value_t = 160)]
    records: u32,
    /// Compress batches; their records then shrink about 4:1 under lz4, and bytes count as uncompressed
    #[arg(long, value_enum, default_value_t = Codec::None)]
    codec: Codec,
    #[arg(long, default_value_t = 1, allow_negative_numbers = true)]
    acks: i16,
    /// Seconds of load before the first window
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    #[arg(long, default_value_t = 1)]
    windows: u32,
    /// Seconds of a window
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// A window also ends after so many MB
    #[arg(long)]
    mb: Option<u64>,
    /// Batches a second over all connections; without it flat out
    #[arg(long)]
    rate: Option<f64>,
    /// The broker's process: adds what it spent
    #[arg(long)]
    pid: Option<u32>,
    /// Bytes of a fetch
    #[arg(long, default_value_t = 1 << 20)]
    max_bytes: i32,
    /// KEY=VALUE of a created topic, repeatable
    #[arg(long, value_parser = key_value)]
    config: Vec<(String, String)>,
    /// Consume what was produced and compare; wants a topic that was empty before
    #[arg(long)]
    verify: bool,
    /// Create the topic before producing and delete it after
    #[arg(long)]
    fresh: bool,
    /// Folder of the floor's files
    #[arg(long, default_value = "floor-data")]
    data: PathBuf,
    /// One JSON object a window on standard output
    #[arg(long)]
    json: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is wanted")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Options {
    fn span(&self) -> Span {
        Span {
            warm_up: Duration::from_secs_f64(self.warm_up),
            windows: self.windows,
            window: Duration::from_secs_f64(self.seconds),
            window_bytes_max: self.mb.map(|mb| mb * 1_000_000),
        }
    }

    fn shape(&self) -> BatchShape {
        BatchShape { records: self.records, record_bytes: self.record, codec: self.codec }
    }

    fn create(&self) -> Result<()> {
        let topic = NewTopic {
            name: self.topic.clone(),
            partitions: self.partitions,
            replication_factor: self.rf,
            configs: self.config.clone(),
        };
        create_topic(&mut Connection::open(&self.broker)?, &topic)
    }

    fn delete(&self) -> Result<()> {
        delete_topic(&mut Connection::open(&self.broker)?, &self.topic)
    }

    fn produce(&self) -> Result<Vec<Measurement>> {
        if self.fresh {
            self.create()?;
        }
        let load = ProduceLoad {
            broker: self.broker.clone(),
            topic: self.topic.clone(),
            partitions: self.partitions,
            connections: self.conns,
            in_flight: self.inflight,
            shape: self.shape(),
            acks: self.acks,
            rate: self.rate,
            pid: self.pid,
        };
        let Produced { windows, records, checksums } = produce(&load, &self.span())?;
        if self.verify {
            verify(&self.broker, &self.topic, self.partitions, records, &checksums)?;
            eprintln!("verified {records} records");
        }
        if self.fresh {
            self.delete()?;
        }
        Ok(windows)
    }

    fn fetch(&self) -> Result<Vec<Measurement>> {
        let load = FetchLoad {
            broker: self.broker.clone(),
            topic: self.topic.clone(),
            partitions: self.partitions,
            connections: self.conns,
            max_bytes: self.max_bytes,
            again: true,
            pid: self.pid,
        };
        fetch(&load, &self.span())
    }

    fn deliver(&self) -> Result<Vec<Measurement>> {
        let load = DeliverLoad {
            broker: self.broker.clone(),
            topic: self.topic.clone(),
            shape: self.shape(),
            rate: self.rate.unwrap_or(200.0),
            pid: self.pid,
        };
        deliver(&load, &self.span())
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kbench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let (what, windows) = match options.mode {
        Mode::Create => return options.create(),
        Mode::Delete => return options.delete(),
        Mode::Limit => return Floor::bind(&options.broker, &options.data)?.serve(),
        Mode::Produce => ("produce", options.produce()?),
        Mode::Fetch => ("fetch", options.fetch()?),
        Mode::Deliver => ("deliver", options.deliver()?),
        Mode::Metadata => (
            "metadata",
            metadata(&options.broker, &options.topic, options.conns, options.pid, &options.span())?,
        ),
    };
    for window in windows {
        if options.json {
            println!("{}", window.json(what));
        } else {
            println!("{what} {}", window.summary());
        }
    }
    Ok(())
}
