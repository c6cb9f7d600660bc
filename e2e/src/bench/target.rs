//! The servers that are measured: processes of ours that are started, stopped and killed here.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::kbench::api::metadata_request;
use crate::kbench::wire::Connection;

/// How long a server may take until it answers: Kafka needs 14 s after `kill -9` with 1,000 partitions on a
/// quiet machine.
pub const START_WAIT: Duration = Duration::from_secs(120);
/// How long a server may take to stop by itself.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// Deleted topics give their disk back after a second rather than Kafka's minute: windows are short.
const DELETE_DELAY: &str = "log.segment.delete.delay.ms=1000";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Apache Kafka, one node, as its own scripts start it.
    Kafka,
    /// Gregor in its shipped configuration.
    Gregor,
    /// The least that a broker can do (`kbench::floor`).
    Floor,
}

impl Kind {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Kafka => "Kafka",
            Kind::Gregor => "Gregor",
            Kind::Floor => "floor",
        }
    }
}

/// Where the programs are and where their data goes.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The script `e2e/kafka`.
    pub kafka: PathBuf,
    /// The release binary of `gregor`; none when there is nothing to measure yet.
    pub gregor: Option<PathBuf>,
    /// The release binary of `kbench`, which is the floor.
    pub kbench: PathBuf,
    /// A folder on the disk that is measured.
    pub data: PathBuf,
}

/// A running server: what a load needs of it.
#[derive(Debug)]
pub struct Target {
    /// Which.
    pub kind: Kind,
    /// `HOST:PORT`.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// The one topic of a server that cannot create any; its windows then share it.
    pub fixed_topic: Option<String>,
    directory: PathBuf,
    child: Option<Child>,
}

impl Target {
    /// A server that somebody else started.
    pub fn running(kind: Kind, address: &str, pid: u32, fixed_topic: Option<String>) -> Target {
        Target { kind, address: address.to_owned(), pid, fixed_topic, directory: PathBuf::new(), child: None }
    }

    /// What a topic is called there.
    pub fn topic<'a>(&'a self, name: &'a str) -> &'a str {
        self.fixed_topic.as_deref().unwrap_or(name)
    }

    /// Prepares a folder named after the kind and `label`, empty before, and starts the server in it.
    pub fn start(programs: &Programs, kind: Kind, label: &str) -> Result<Target> {
        Target::start_with(programs, kind, label, &[])
    }

    /// The same with settings, each `KEY=VALUE`, that differ from the shipped ones.
    pub fn start_with(programs: &Programs, kind: Kind, label: &str, settings: &[&str]) -> Result<Target> {
        let directory = programs.data.join(format!("{}-{label}", kind.name().to_lowercase()));
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("empty {}", directory.display()))?;
        }
        fs::create_dir_all(&directory)?;
        let port = free_port()?;
        prepare(programs, kind, &directory, port, settings)?;
        let mut target = Target {
            kind,
            address: format!("127.0.0.1:{port}"),
            pid: 0,
            fixed_topic: None,
            directory,
            child: None,
        };
        target.exec(programs)?;
        target.await_answer()?;
        Ok(target)
    }

    /// Starts the process again on the same folder; returns at once.
    pub fn exec(&mut self, programs: &Programs) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.kind.name());
        let log = File::options().create(true).append(true).open(self.directory.join("log"))?;
        let child = command(programs, self.kind, &self.directory, self.port()?)?
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", self.kind.name()))?;
        self.pid = child.id();
        self.child = Some(child);
        Ok(())
    }

    /// Waits until Metadata is answered.
    pub fn await_answer(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let answered = Connection::open(&self.address)
                .and_then(|mut connection| connection.call(&mut metadata_request("none")).map(|_| ()));
            self.assert_alive()?;
            let Err(error) = answered else { return Ok(()) };
            ensure!(started.elapsed() < START_WAIT, "{} does not answer: {error:#}", self.kind.name());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fails with the end of the log when the process ended by itself.
    pub fn assert_alive(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            bail!("{} ended with {status}:\n{}", self.kind.name(), tail.join("\n"));
        }
        Ok(())
    }

    /// Asks the process to stop and waits; its data stays.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let asked = Instant::now();
        while let Some(child) = &mut self.child {
            if child.try_wait()?.is_some() {
                self.child = None;
            } else if asked.elapsed() > STOP_WAIT {
                self.kill()?;
                bail!("{} did not stop within {STOP_WAIT:?}", self.kind.name());
            } else {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// Kills the process as `kill -9` does; its data stays.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    /// Stops the process when it is ours, and removes its data.
    pub fn remove(mut self) -> Result<()> {
        self.stop()?;
        if !self.directory.as_os_str().is_empty() {
            fs::remove_dir_all(&self.directory)?;
        }
        Ok(())
    }

    fn port(&self) -> Result<u16> {
        let (_, port) = self.address.rsplit_once(':').context("an address has a port")?;
        Ok(port.parse()?)
    }

    /// Where Gregor serves HTTP.
    pub fn http(&self) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.port()? + 1))
    }

    /// The folder that holds its logs.
    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(child) = &self.child {
            kill_process(Pid::from_child(child), signal).context("signal a server")?;
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // A failed run must leave nothing behind; whoever wants to know how it ended stopped it before.
        let _ = self.kill();
    }
}

/// A port that is free together with the one above it, below those that the kernel gives to clients. Two runs
/// on one machine then measure their own servers and not each other's.
fn free_port() -> Result<u16> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 4_000).expect("below 4,000") * 2;
    for _ in 0..4_000 {
        let port = 20_000 + (first + TAKEN.fetch_add(2, Ordering::Relaxed)) % 8_000;
        let both = (TcpListener::bind(("127.0.0.1", port)), TcpListener::bind(("127.0.0.1", port + 1)));
        if let (Ok(_), Ok(_)) = both {
            return Ok(port);
        }
    }
    bail!("no two neighbouring ports are free")
}

fn prepare(programs: &Programs, kind: Kind, directory: &Path, port: u16, settings: &[&str]) -> Result<()> {
    match kind {
        Kind::Floor => Ok(()),
        Kind::Kafka => {
            let status = Command::new(&programs.kafka)
                .arg("format")
                .arg(directory)
                .arg(port.to_string())
                .arg(DELETE_DELAY)
                .args(settings)
                .status()
                .context("format Kafka's folder")?;
            ensure!(status.success(), "Kafka's folder could not be formatted: see {}", directory.display());
            Ok(())
        }
        Kind::Gregor => {
            let properties = format!(
                "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={}\n{DELETE_DELAY}\n{}\n",
                directory.join("data").display(),
                settings.join("\n")
            );
            fs::write(directory.join("server.properties"), properties).context("write Gregor's configuration")
        }
    }
}

/// A command that dies with this process, whatever ends it, so that no run leaves a server behind.
fn command(programs: &Programs, kind: Kind, directory: &Path, port: u16) -> Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    match kind {
        Kind::Kafka => {
            command.arg(&programs.kafka).arg("run").arg(directory);
        }
        Kind::Gregor => {
            command
                .arg(programs.gregor.as_ref().context("there is no gregor to start")?)
                .arg("broker")
                .arg("--config")
                .arg(directory.join("server.properties"));
            command.args(["--set", &format!("http.listen=127.0.0.1:{}", port + 1)]);
        }
        Kind::Floor => {
            command.arg(&programs.kbench).args(["limit", "--broker", &format!("127.0.0.1:{}", port)]);
            command.arg("--data").arg(directory.join("data"));
        }
    }
    Ok(command)
}
