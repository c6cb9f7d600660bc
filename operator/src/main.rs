//! The command `gregor-operator`: makes Kubernetes run what Cluster and Topic resources ask for.
//!
//! `run` starts one controller for each kind; `release` lets go of what would wait for an operator that is
//! gone; `crds` prints the definitions of the kinds. Everything that the operator knows it derives from the API
//! server and from the brokers, so that it may be killed at any moment.

mod apply;
mod backoff;
mod cli;
mod cluster;
mod condition;
mod context;
mod events;
mod health;
mod http;
mod lease;
mod metrics;
mod quota;
mod release;
mod run;
mod topic;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
