//! `gregor dev`: a broker on a laptop, with the topics that YAML files declare.
//!
//! Files are read on the command's thread before the broker starts, where a mistake ends it ([`configuration`]),
//! then applied and watched on a thread of its own ([`start`]) through the handlers that serve any client.
//!
//! Deliberately absent: memory over restarts. A topic whose manifest was taken out while gregor dev did not run
//! stays.

mod apply;
mod declared;
mod in_process;
pub mod manifest;
mod observe;
mod perform;
mod plan;
mod watch;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use node::Config;

use crate::cli::DevOptions;
use crate::shell::Shell;
use apply::Applier;
use in_process::{Bell, Client};
use watch::Watch;

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often it is asked whether the broker is ready.
const READY_EVERY: Duration = Duration::from_millis(5);

/// After this time without a ready broker, that is said.
const READY_WAIT: Duration = Duration::from_secs(30);

/// The thread that applies and watches files. Dropped, it ends after the request that it waits for.
pub(crate) struct Running {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.bell.stop();
        if let Some(thread) = self.thread.take() {
            // It panicked: the panic was printed.
            let _ = thread.join();
        }
    }
}

/// The configuration that a broker starts with: the Cluster's `spec.config` of the files over the defaults of
/// `gregor dev`, and flags over both.
///
/// # Errors
/// Everything that is wrong with the files, a line each.
pub(crate) fn configuration(paths: &[PathBuf], overrides: &[(String, String)]) -> Result<Config, String> {
    let loaded = declared::read(paths, &[], overrides);
    let mut report = String::new();
    for problem in &loaded.problems {
        let _ = writeln!(report, "gregor: {problem}");
    }
    if !report.is_empty() {
        return Err(report);
    }
    declared::configuration(declared::cluster(&loaded.manifests), overrides).map_err(|problems| {
        problems.iter().fold(report, |report, problem| report + &format!("gregor: {problem}\n"))
    })
}

/// Says where to connect, then applies and watches the files.
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn start(
    shell: &Arc<Shell>,
    config: &Config,
    http: Option<SocketAddr>,
    options: DevOptions,
) -> anyhow::Result<Running> {
    let address =
        config.advertised_listeners.first().map(node::config::Listener::address).unwrap_or_default();
    say(&format!("Gregor runs. Clients connect to {address}"));
    if let Some(http) = http {
        say(&format!("Metrics: http://{http}/metrics"));
    }
    let bell = Arc::new(Bell::default());
    let client = Client::new(Arc::clone(shell), Arc::clone(&bell));
    let auto_create = config.auto_create_topics_enable;
    let applier = Applier::new(options.files, options.overrides, config.clone());
    let thread = {
        let bell = Arc::clone(&bell);
        thread::Builder::new()
            .name("manifests".to_owned())
            .spawn(move || run(applier, client, &bell, &address, auto_create))
            .context("start the thread that applies files")?
    };
    Ok(Running { bell, thread: Some(thread) })
}

/// One line on stdout. A closed pipe, as of `gregor dev | head`, is no reason to stop.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn run(mut applier: Applier, mut client: Client, bell: &Bell, address: &str, auto_create: bool) {
    if !wait_until_ready(&client, bell) {
        return;
    }
    let mut watch = Watch::new(applier.paths());
    let mut round = |applier: &mut Applier| {
        if let Err(error) = applier.round(&mut client, &mut say)
            && !matches!(error, in_process::CallError::Stopped)
        {
            say(&format!("not everything was applied: {error}; the next change of a file applies the rest"));
        }
    };
    if !applier.paths().is_empty() {
        round(&mut applier);
    }
    say(&next_steps(address, applier.first_topic(), auto_create));
    if applier.paths().is_empty() {
        return;
    }
    let names: Vec<_> = applier.paths().iter().map(|path| path.display().to_string()).collect();
    say(&format!("Changes in {} are applied as they are saved. Ctrl-C stops.", names.join(", ")));
    while bell.sleep(LOOK_EVERY) {
        if watch.changed(applier.paths()) {
            round(&mut applier);
        }
    }
}

/// False when it was told to stop.
fn wait_until_ready(client: &Client, bell: &Bell) -> bool {
    let told_at = Instant::now() + READY_WAIT;
    let mut told = false;
    while !client.is_ready() {
        if !told && Instant::now() >= told_at {
            told = true;
            say(&format!("The broker is not ready after {} s; files wait for it.", READY_WAIT.as_secs()));
        }
        if !bell.sleep(READY_EVERY) {
            return false;
        }
    }
    true
}

/// What to type to see it work.
fn next_steps(address: &str, topic: Option<&str>, auto_create: bool) -> String {
    match topic.or(auto_create.then_some("first")) {
        Some(topic) => format!(
            "Try it:\n  echo hello | kcat -P -b {address} -t {topic}\n  \
             kcat -C -b {address} -t {topic} -o beginning -e"
        ),
        None => format!("Create a topic with any client of {address}, or declare one in YAML given by -f."),
    }
}
