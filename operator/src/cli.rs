//! The command line: flags, each with a variable of the environment, and their help.
//!
//! Exit codes: 0 after a wanted stop, 1 when running failed or the lease was lost, 2 when flags are wrong.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::context::Settings;

const FAILED: u8 = 1;
const WRONG_INPUT: u8 = 2;

/// Gregor's operator: makes Kubernetes run what Cluster and Topic resources ask for.
#[derive(Debug, Parser)]
#[command(name = "gregor-operator", version, max_term_width = 100)]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch Cluster and Topic resources and act on them
    Run(Run),
    /// Print the definitions of the resources as YAML, for kubectl apply -f -
    Crds,
}

#[derive(Debug, Args)]
struct Run {
    /// Namespaces to watch, separated by commas; without it all
    #[arg(long, env = "WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    namespaces: Vec<String>,

    /// The image of brokers whose Cluster names none: the operator's own holds the broker too
    #[arg(long, env = "GREGOR_IMAGE", value_name = "IMAGE")]
    image: String,

    /// Where /metrics, /livez and /readyz are served
    #[arg(long, env = "HTTP_LISTEN", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    http: SocketAddr,

    /// Name of the Lease that the acting operator holds
    #[arg(long, env = "LEASE_NAME", value_name = "NAME", default_value = "gregor-operator")]
    lease_name: String,

    /// Namespace of the Lease: the operator's own
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", default_value = "default")]
    lease_namespace: String,

    /// Name of this process, shown in the Lease and in Events, of which no two may be alike; by default the
    /// host's, which in a pod is the pod's
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    identity: Option<String>,

    /// How much is logged: error, warn, info, debug or trace, also by module, as info,kube=debug
    #[arg(long, env = "RUST_LOG", value_name = "LEVEL", default_value = "info")]
    log: String,
}

/// Reads the process' arguments and does what they say.
pub(crate) fn main() -> ExitCode {
    match Flags::parse().command {
        Command::Crds => print_crds(),
        Command::Run(flags) => run(flags),
    }
}

fn print_crds() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for crd in operator_api::crds() {
        let Ok(text) = serde_yaml::to_string(&crd) else {
            return ExitCode::from(FAILED);
        };
        // A closed pipe, as of `gregor-operator crds | head`, is no failure.
        let _ = write!(out, "---\n{text}");
    }
    ExitCode::SUCCESS
}

fn run(flags: Run) -> ExitCode {
    let Ok(filter) = EnvFilter::try_new(&flags.log) else {
        eprintln!(
            "gregor-operator: --log={}: give error, warn, info, debug or trace, also by module, as \
             info,kube=debug",
            flags.log
        );
        return ExitCode::from(WRONG_INPUT);
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let settings = Settings {
        namespaces: flags.namespaces.into_iter().filter(|name| !name.is_empty()).collect(),
        image: flags.image,
        http: flags.http,
        lease_name: flags.lease_name,
        lease_namespace: flags.lease_namespace,
        identity: flags.identity.unwrap_or_else(host_name),
    };
    match crate::run::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "gregor-operator".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_defaults_and_lists() {
        let flags =
            Flags::try_parse_from(["gregor-operator", "run", "--image", "gregor:1", "--namespaces", "a,b"]);
        let Ok(Flags { command: Command::Run(run) }) = flags else {
            panic!("run takes these flags: {flags:?}");
        };
        assert_eq!(run.namespaces, ["a", "b"]);
        assert_eq!(run.http.port(), 8080);
        assert!(Flags::try_parse_from(["gregor-operator", "run", "--image", "i", "--http", "8080"]).is_err());
        assert!(matches!(
            Flags::try_parse_from(["gregor-operator", "crds"]),
            Ok(Flags { command: Command::Crds })
        ));
    }
}
