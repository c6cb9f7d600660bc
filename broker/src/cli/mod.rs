//! The command line: what users type, and what they are told when it cannot be done.
//!
//! Exit codes: 0 after a wanted stop, 1 when running failed, 2 when flags or configuration are wrong.

mod check;
mod config;
mod flags;
mod logging;
mod table;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use node::config::Config;

use flags::{Command, Flags};

/// What `gregor dev` does beyond running a broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DevOptions {
    /// Files and folders of YAML that are applied, and applied again when they change.
    pub files: Vec<PathBuf>,
    /// What flags set, as configuration pairs: they win over a Cluster's spec.config.
    pub overrides: Vec<(String, String)>,
}

/// Runs a broker until it is told to stop; with options, as `gregor dev`.
pub type Run = fn(Config, Option<DevOptions>) -> anyhow::Result<()>;

const FAILED: u8 = 1;
const WRONG_INPUT: u8 = 2;

/// Reads the process' arguments and does what they say.
#[must_use]
pub fn main(run: Run) -> ExitCode {
    ExitCode::from(start(std::env::args_os(), run, &mut std::io::stdout(), &mut std::io::stderr()))
}

fn start(
    arguments: impl Iterator<Item = OsString>,
    run: Run,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> u8 {
    let flags = match Flags::try_parse_from(arguments) {
        Ok(flags) => flags,
        Err(error) => {
            // Help and version are errors to clap, which go to stdout and end well.
            let wrong = error.use_stderr();
            let stream: &mut dyn Write = if wrong { errors } else { out };
            let _ = write!(stream, "{}", error.render());
            return if wrong { WRONG_INPUT } else { 0 };
        }
    };
    let (config, dev) = match &flags.command {
        Command::Config(asked) => {
            // A closed pipe, as of `gregor config | head`, is no failure.
            let _ = table::print(out, &asked.keys);
            return 0;
        }
        Command::Check(asked) => return check::run(asked, out, errors),
        Command::Broker(broker) => (config::broker(broker), None),
        Command::Dev(dev) => {
            (config::dev(dev), Some(DevOptions { files: dev.files.clone(), overrides: dev.overrides() }))
        }
    };
    let config = match config {
        Ok(config) => config,
        Err(wrong) => {
            let _ = write!(errors, "{wrong}");
            return WRONG_INPUT;
        }
    };
    if let Err(why) = logging::start(flags.log.as_deref()) {
        let _ = writeln!(errors, "gregor: {why}");
        return WRONG_INPUT;
    }
    for notice in config.notices() {
        tracing::info!("{notice}");
    }
    match run(config, dev) {
        Ok(()) => 0,
        Err(error) => {
            // The chain of causes in one line: `start broker 1: bind 0.0.0.0:9092: Address already in use`.
            let _ = writeln!(errors, "gregor: {error:#}");
            FAILED
        }
    }
}
