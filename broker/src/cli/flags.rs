//! Flags and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use node::config::split_host_port;

/// Gregor, an event-streaming broker that speaks Kafka's protocol.
#[derive(Debug, Parser)]
#[command(name = "gregor", version, max_term_width = 100, after_help = START)]
pub(super) struct Flags {
    #[command(subcommand)]
    pub(super) command: Command,

    /// How much is logged: error, warn, info, debug or trace, also by module, as info,node=debug.
    /// Without it the variable RUST_LOG decides, else info
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log: Option<String>,
}

const START: &str = "To try it: gregor dev\n\
    Then, with any Kafka client: connect to localhost:9092";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a broker on this machine, ready for clients at once
    #[command(after_help = "Example: gregor dev -f manifests/examples")]
    Dev(Dev),
    /// Run one broker by a server.properties file
    #[command(after_help = "Example: gregor broker --config server.properties --set log.dirs=/data")]
    Broker(Broker),
    /// Print what can be configured, with types, defaults and what Gregor does with it
    Config(Print),
    /// Produce to a running cluster and consume, to see that it serves
    #[command(after_help = "Example: gregor check --bootstrap localhost:9092")]
    Check(Check),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// A broker to ask; may be repeated, the first that answers is taken
    #[arg(long, value_name = "HOST:PORT", required = true, value_parser = address)]
    pub(super) bootstrap: Vec<String>,

    /// Longest wait for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(super) timeout: u64,
}

#[derive(Debug, Args)]
pub(super) struct Broker {
    /// The broker's configuration, in Kafka's server.properties format
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,

    /// Set a configuration key, over the file; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(super) struct Dev {
    /// Where the data is kept
    #[arg(long, value_name = "DIR", default_value = "gregor-data", value_parser = directory)]
    pub(super) data: String,

    /// Where clients connect
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:9092", value_parser = address)]
    pub(super) listen: String,

    /// Where /metrics, /livez and /readyz are served; off serves none
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9090", value_parser = address_or_off)]
    pub(super) http: String,

    /// How many brokers to run; one is all that this version does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = one_broker)]
    pub(super) brokers: u32,

    /// Apply Cluster and Topic YAML, a file or a folder of them, and again whenever they change; may be repeated
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    pub(super) files: Vec<PathBuf>,

    /// Set a configuration key; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub(super) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(super) struct Print {
    /// Only keys that contain one of these words, such as retention
    #[arg(value_name = "WORD")]
    pub(super) keys: Vec<String>,
}

impl Dev {
    /// The flags as configuration pairs; `--set` comes last and wins.
    pub(super) fn overrides(&self) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("log.dirs".to_owned(), self.data.clone()),
            ("listeners".to_owned(), format!("PLAINTEXT://{}", self.listen)),
            ("http.listen".to_owned(), self.http.clone()),
        ];
        pairs.extend(self.set.iter().cloned());
        pairs
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("give KEY=VALUE, such as num.partitions=3".to_owned()),
    }
}

fn address(text: &str) -> Result<String, String> {
    match split_host_port(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(why) => Err(format!("{why}; give HOST:PORT, such as localhost:9092")),
    }
}

fn address_or_off(text: &str) -> Result<String, String> {
    if text == "off" { Ok(text.to_owned()) } else { address(text) }
}

fn directory(text: &str) -> Result<String, String> {
    match text {
        "" => Err("give a directory".to_owned()),
        _ if text.contains(',') => Err("give one directory, without a comma in its name".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn one_broker(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(1) => Ok(1),
        Ok(0) => Err("a cluster has at least one broker".to_owned()),
        Ok(_) => {
            Err("clusters of several brokers come with replication, in a later version; leave it at 1"
                .to_owned())
        }
        Err(_) => Err("give a number of brokers".to_owned()),
    }
}
