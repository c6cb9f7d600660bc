//! The command line: flags, each with a variable of the environment, and their help.
//!
//! Exit codes: 0 after a wanted stop, 1 when the command failed or the lease was lost, 2 when flags are wrong.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::context::{Scope, Settings};
use crate::lease::Claim;

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
    /// Let go of every Topic when the operator is removed, so that none waits for it when it is deleted;
    /// topics and their data stay
    Release(Place),
    /// Print the definitions of the resources as YAML, for kubectl apply -f -
    Crds,
}

/// Which operator it is, and for what.
#[derive(Debug, Args)]
struct Place {
    /// Namespaces to watch, separated by commas; without it all
    #[arg(long, env = "WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    namespaces: Vec<String>,

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

impl Place {
    fn scopes(&self) -> Vec<Scope> {
        Scope::of(&self.namespaces)
    }

    fn claim(&self) -> Claim {
        Claim {
            name: self.lease_name.clone(),
            namespace: self.lease_namespace.clone(),
            identity: self.identity.clone().unwrap_or_else(host_name),
        }
    }
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    place: Place,

    /// The image of brokers whose Cluster names none: the operator's own holds the broker too
    #[arg(long, env = "GREGOR_IMAGE", value_name = "IMAGE")]
    image: String,

    /// Where /metrics, /livez and /readyz are served
    #[arg(long, env = "HTTP_LISTEN", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    http: SocketAddr,
}

/// Reads the process' arguments and does what they say.
pub(crate) fn main() -> ExitCode {
    match Flags::parse().command {
        Command::Crds => print_crds(),
        Command::Run(flags) => {
            let settings = Settings {
                scopes: flags.place.scopes(),
                image: flags.image,
                http: flags.http,
                lease: flags.place.claim(),
            };
            logged(&flags.place.log, || crate::run::run(settings))
        }
        Command::Release(place) => {
            logged(&place.log, || crate::release::release(&place.scopes(), &place.claim()))
        }
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

/// Runs a command that logs, and says why it failed.
fn logged(level: &str, command: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    let Ok(filter) = EnvFilter::try_new(level) else {
        eprintln!(
            "gregor-operator: --log={level}: give error, warn, info, debug or trace, also by module, as \
             info,kube=debug"
        );
        return ExitCode::from(WRONG_INPUT);
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    match command() {
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
        assert_eq!(run.place.scopes(), ["a", "b"].map(|name| Scope::Namespace(name.to_owned())));
        assert_eq!(Scope::of(&[String::new()]), [Scope::All], "an empty variable is none");
        assert_eq!(run.http.port(), 8080);
        assert!(Flags::try_parse_from(["gregor-operator", "run", "--image", "i", "--http", "8080"]).is_err());
        assert!(matches!(
            Flags::try_parse_from(["gregor-operator", "crds"]),
            Ok(Flags { command: Command::Crds })
        ));
    }
}
