//! Running a broker: runtimes, sockets, and an ordered stop.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use node::{Config, Effects, Node};
use parking_lot::Mutex;
use storage::disk::RealDisk;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::DevOptions;
use crate::clock::Clock;
use crate::http::{self, Health, State};
use crate::net::{Listener, Open};
use crate::scrape::NodeSource;
use crate::shell::Shell;

/// How often the event loops show that they come around.
const BEAT: Duration = Duration::from_millis(500);

/// How long the start may wait for the metadata log's disk.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// Runs a broker until SIGTERM or SIGINT, then closes its logs.
///
/// # Errors
/// What kept it from starting, or from ending cleanly.
pub fn run(mut config: Config, dev: Option<DevOptions>) -> anyhow::Result<()> {
    let runtime = start_runtime(&config)?;
    // Bound first: a port that is taken is found out before a log is opened.
    let sockets = runtime.block_on(bind(&mut config))?;
    let health = Arc::new(Health::new(&["workers"]));
    let clock = Clock::new();
    let mut effects = Effects::default();
    let node = Node::open(clock.now(), config.clone(), Arc::new(RealDisk), seed()?, &mut effects)
        .with_context(|| format!("start broker {}", config.node_id))?;
    let shell = Shell::start(node, clock, runtime.handle().clone(), effects).context("start threads")?;
    runtime.block_on(catch_up(&shell))?;
    let open = Arc::new(Mutex::new(Open::default()));
    let listeners: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, socket)| Listener::new(Arc::clone(&shell), number, socket, Arc::clone(&open)))
        .map(|listener| runtime.spawn(listener.run()))
        .collect();
    let endpoint = match &config.http_listen {
        Some((host, port)) => Some(
            http::start(host, *port, Arc::clone(&health), Arc::new(NodeSource::new(&shell)))
                .with_context(|| format!("serve HTTP on {host}:{port}"))?,
        ),
        None => None,
    };
    runtime.spawn(beat(Arc::clone(&health), Arc::clone(&shell)));
    let http = endpoint.as_ref().map_or_else(|| "off".to_owned(), |http| http.address.to_string());
    tracing::info!(broker = %config.node_id, listeners = %addresses(&config), %http, "broker started");
    let dev = dev
        .map(|options| {
            crate::dev::start(&shell, &config, endpoint.as_ref().map(|http| http.address), options)
        })
        .transpose()?;
    runtime.block_on(stop_signal())?;
    tracing::info!("stopping");
    health.set_state(State::Unready("the broker is stopping".to_owned()));
    listeners.iter().for_each(tokio::task::JoinHandle::abort);
    drop(dev);
    runtime.block_on(shell.end_connections());
    shell.stop();
    shell.node.close().context("close the logs; the next start recovers them")?;
    drop(endpoint);
    runtime.shutdown_timeout(Duration::from_secs(1));
    tracing::info!("stopped");
    Ok(())
}

fn start_runtime(config: &Config) -> anyhow::Result<Runtime> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.worker_threads.unwrap_or_else(cores))
        .thread_name("worker")
        .enable_all()
        .build()
        .context("start the worker threads")
}

/// Listens on every configured address; a port of 0 is replaced by the one that was given.
async fn bind(config: &mut Config) -> anyhow::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for listener in config.listeners.clone() {
        let host = if listener.host.is_empty() { "0.0.0.0" } else { &listener.host };
        let address = tokio::net::lookup_host((host, listener.port))
            .await
            .with_context(|| format!("look up {}", listener.address()))?
            .min_by_key(std::net::SocketAddr::is_ipv6)
            .with_context(|| format!("{} has no address", listener.address()))?;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        // What is accepted inherits both.
        if let Some(bytes) = config.socket_send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = config.socket_receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let listening = socket
            .bind(address)
            .and_then(|()| socket.listen(config.socket_listen_backlog_size))
            .with_context(|| format!("listen on {}", listener.address()))?;
        config.bound(&listener.name, listening.local_addr()?.port());
        sockets.push(listening);
    }
    Ok(sockets)
}

/// Where the node's randomness starts: the only entropy that it takes from the system.
fn seed() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(u64::from_le_bytes(bytes))
}

/// Shows that the workers come around, and passes on whether clients should come.
async fn beat(health: Arc<Health>, shell: Arc<Shell>) {
    let mut interval = tokio::time::interval(BEAT);
    let mut was_ready = false;
    loop {
        interval.tick().await;
        health.beat(0);
        let ready = shell.node.is_ready();
        if ready != was_ready {
            was_ready = ready;
            health.set_state(if ready {
                State::Ready
            } else {
                State::Unready("the broker is fenced".to_owned())
            });
        }
    }
}

/// Waits until the metadata is replayed. Who connects before waits in the sockets' backlog, and never hears of a cluster
/// without its topics.
async fn catch_up(shell: &Shell) -> anyhow::Result<()> {
    let caught_up = async {
        while !shell.node.is_caught_up() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(CATCH_UP_MAX, caught_up)
        .await
        .context("replay the metadata: the metadata log was not written within 60 s; see the lines above")
}

fn addresses(config: &Config) -> String {
    let text = |listener: &node::config::Listener| format!("{}://{}", listener.name, listener.address());
    config.listeners.iter().map(text).collect::<Vec<_>>().join(",")
}

async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
