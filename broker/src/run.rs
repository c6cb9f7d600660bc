//! Running a broker: runtimes, sockets, and an ordered stop.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
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
    if runtime.block_on(until_halted(&shell, catch_up(&shell)))?.is_none() {
        return Err(halt(&shell, &health, runtime));
    }
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
    if runtime.block_on(until_halted(&shell, stop_signal()))?.is_none() {
        return Err(halt(&shell, &health, runtime));
    }
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

/// What comes of `other`, unless the node loses its disk before.
async fn until_halted<T, E>(
    shell: &Shell,
    other: impl Future<Output = Result<T, E>>,
) -> Result<Option<T>, E> {
    tokio::select! {
        done = other => done.map(Some),
        () = shell.halted() => Ok(None),
    }
}

/// Ends a broker whose only log directory is gone, as Kafka's does: there is nothing left that it could serve, and
/// whoever runs it sees that. Nothing is closed, because nothing can be written; threads may hang in the disk.
fn halt(shell: &Shell, health: &Health, runtime: Runtime) -> anyhow::Error {
    health.set_state(State::Stopping("the log directory is offline".to_owned()));
    runtime.shutdown_background();
    let directory = shell.node.view().directory.path.display().to_string();
    anyhow::anyhow!(
        "the broker ends, because it has lost its only log directory, {directory}; see the lines above"
    )
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
        let listening =
            bind_one(config, &listener).await.with_context(|| format!("listen on {}", listener.address()))?;
        config.bound(&listener.name, listening.local_addr()?.port());
        sockets.push(listening);
    }
    Ok(sockets)
}

/// An empty host is every interface, of IPv6 too where the kernel has it.
async fn bind_one(config: &Config, listener: &node::config::Listener) -> anyhow::Result<TcpListener> {
    if listener.host.is_empty() {
        let any = |ip: IpAddr| SocketAddr::new(ip, listener.port);
        let bound = match bind_to(config, any(Ipv6Addr::UNSPECIFIED.into()), true) {
            // Without IPv6.
            Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                bind_to(config, any(Ipv4Addr::UNSPECIFIED.into()), false)
            }
            other => other,
        };
        return Ok(bound?);
    }
    let address = tokio::net::lookup_host((listener.host.as_str(), listener.port))
        .await
        .context("look up the host")?
        .min_by_key(SocketAddr::is_ipv6)
        .context("the host has no address")?;
    Ok(bind_to(config, address, false)?)
}

/// Connections over IPv4 come to a socket for IPv6 too when it is for `both`.
fn bind_to(config: &Config, address: SocketAddr, both: bool) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if both {
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    socket.set_reuseaddr(true)?;
    // What is accepted inherits both.
    if let Some(bytes) = config.socket_send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = config.socket_receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(address)?;
    socket.listen(config.socket_listen_backlog_size)
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
    async fn a_listener_without_a_host_takes_both_families() {
        let settings = [("listeners", "PLAINTEXT://:0"), ("advertised.listeners", "PLAINTEXT://localhost:0")];
        let pairs = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut config = Config::dev(&pairs).unwrap();
        let sockets = bind(&mut config).await.unwrap();
        let port = config.listeners[0].port;
        assert_eq!(sockets[0].local_addr().unwrap().port(), port);
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok());
        // Where the machine has no IPv6 there is nothing to be reached by it.
        if tokio::net::TcpListener::bind(("::1", 0)).await.is_ok() {
            assert!(tokio::net::TcpStream::connect(("::1", port)).await.is_ok());
        }
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
