//! The command `gregor-operator`: makes Kubernetes run what Cluster and Topic resources ask for.
//!
//! `run` starts one controller for each kind; `crds` prints the definitions of the kinds. Everything that the
//! operator knows it derives from the API server and from the brokers, so that it may be killed at any
//! moment.

#![allow(dead_code, reason = "the reconciler of Topics takes the rest into use")]

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
mod run;
mod topic;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
