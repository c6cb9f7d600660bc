//! Running a broker: runtimes, sockets, and an ordered stop.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
use crate::descriptors::Descriptors;
use crate::disk::WatchedDisk;
use crate::http::{self, Health, State};
use crate::loops;
use crate::metrics::Source;
use crate::net::{Listener, Open};
use crate::scrape::NodeSource;
use crate::shell::Shell;

/// How often a task shows that the workers take up what is ready.
const BEAT: Duration = Duration::from_millis(500);

/// How long the start may wait for the metadata log's disk.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// Runs a broker until SIGTERM or SIGINT, then closes its logs.
///
/// # Errors
/// What kept it from starting, or from ending cleanly.
pub fn run(mut config: Config, dev: Option<DevOptions>) -> anyhow::Result<()> {
    let descriptors = Descriptors::take(&mut config);
    let health = Arc::new(Health::default());
    let runtime = start_runtime(&config, &health)?;
    // Bound first: a port that is taken is found out before a log is opened.
    let sockets = runtime.block_on(bind(&mut config))?;
    let disk = WatchedDisk::new(RealDisk);
    let source = Arc::new(NodeSource::new(disk.stalls()));
    // Before the logs are opened, which may take long: whoever asks is told that the process lives and starts.
    let endpoint = match &config.http_listen {
        Some((host, port)) => {
            let source = Arc::clone(&source) as Arc<dyn Source>;
            let started = http::start(host, *port, Arc::clone(&health), source);
            Some(started.with_context(|| format!("serve HTTP on {host}:{port}"))?)
        }
        None => None,
    };
    let clock = Clock::new();
    let mut effects = Effects::default();
    let node = Node::open(clock.now(), config.clone(), Arc::new(disk), seed()?, &mut effects)
        .with_context(|| format!("start broker {}", config.node_id))?;
    let shell = Shell::start_watched(node, clock, runtime.handle().clone(), effects, &health)
        .context("start threads")?;
    source.started(&shell);
    runtime.block_on(catch_up(&shell))?;
    let open = Arc::new(Mutex::new(Open::new(descriptors.connections)));
    let listeners: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, socket)| Listener::new(Arc::clone(&shell), number, socket, Arc::clone(&open)))
        .map(|listener| runtime.spawn(listener.run()))
        .collect();
    health.set_state(State::Serving);
    runtime.spawn(beat(Arc::clone(&health)));
    let http = endpoint.as_ref().map_or_else(|| "off".to_owned(), |http| http.address.to_string());
    tracing::info!(broker = %config.node_id, listeners = %addresses(&config), %http, "broker started");
    let dev = dev
        .map(|options| {
            crate::dev::start(&shell, &config, endpoint.as_ref().map(|http| http.address), options)
        })
        .transpose()?;
    runtime.block_on(stop_signal())?;
    tracing::info!("stopping");
    health.set_state(State::Stopping("the broker is stopping".to_owned()));
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

fn start_runtime(config: &Config, health: &Arc<Health>) -> anyhow::Result<Runtime> {
    let next = AtomicUsize::new(0);
    let health = Arc::clone(health);
    // Threads for blocking calls never park, so that only workers become loops.
    let park = move || {
        loops::enter(&health, || format!("worker-{}", next.fetch_add(1, Ordering::Relaxed)));
        loops::idle();
    };
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.worker_threads.unwrap_or_else(cores))
        .thread_name("worker")
        .on_thread_park(park)
        .on_thread_unpark(loops::beat)
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

/// Shows that the workers take up what is ready, which idle ones alone do not.
async fn beat(health: Arc<Health>) {
    let workers = health.enter("workers");
    let mut interval = tokio::time::interval(BEAT);
    loop {
        interval.tick().await;
        workers.beat();
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

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::{socket_recv_buffer_size, socket_send_buffer_size};

    use super::*;

    /// The buffers of a connection that was accepted under these settings: to send, to receive.
    async fn buffers(settings: &[(&str, &str)]) -> (usize, usize) {
        let listeners = [("listeners", "PLAINTEXT://127.0.0.1:0")];
        let pairs =
            listeners.iter().chain(settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut config = Config::dev(&pairs.collect::<Vec<_>>()).unwrap();
        let sockets = bind(&mut config).await.unwrap();
        let _peer = tokio::net::TcpStream::connect(sockets[0].local_addr().unwrap()).await.unwrap();
        let (stream, _) = sockets[0].accept().await.unwrap();
        (socket_send_buffer_size(&stream).unwrap(), socket_recv_buffer_size(&stream).unwrap())
    }

    #[tokio::test]
    async fn buffers_are_as_configured_and_else_the_kernels() {
        let own = buffers(&[]).await;
        let set = [("socket.send.buffer.bytes", "20000"), ("socket.receive.buffer.bytes", "30000")];
        // The kernel keeps as much again for its own records (socket(7)).
        assert_eq!(buffers(&set).await, (40_000, 60_000));
        assert_ne!(own, (40_000, 60_000));
        let left = [("socket.send.buffer.bytes", "-1"), ("socket.receive.buffer.bytes", "-1")];
        assert_eq!(buffers(&left).await, own);
    }
}
