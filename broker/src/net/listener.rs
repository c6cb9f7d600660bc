//! Accepting connections, within `max.connections`, `max.connections.per.ip` and its overrides, which may all change
//! while the broker runs, and within what descriptors there are.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};

use super::connection::{Connection, End};
use crate::shell::Shell;

/// Pause after `accept` failed, as when descriptors run out: long enough not to spin, short enough not to be felt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One listening socket.
pub(crate) struct Listener {
    shell: Arc<Shell>,
    /// Its place among the configured ones.
    number: usize,
    socket: TcpListener,
    open: Arc<Mutex<Open>>,
}

/// The open connections, over all listeners.
pub(crate) struct Open {
    all: u32,
    /// As many as there are descriptors for, whatever the configuration allows.
    all_max: u32,
    by_ip: HashMap<IpAddr, u32>,
}

impl Open {
    /// None yet, and never more than this.
    pub(crate) fn new(all_max: u32) -> Self {
        Self { all: 0, all_max, by_ip: HashMap::new() }
    }
}

/// A counted place among the open connections.
struct Admission {
    open: Arc<Mutex<Open>>,
    ip: IpAddr,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        open.all -= 1;
        if let Some(count) = open.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
    }
}

impl Listener {
    /// The listener at this place of the configured ones.
    pub(crate) fn new(shell: Arc<Shell>, number: usize, socket: TcpListener, open: Arc<Mutex<Open>>) -> Self {
        Self { shell, number, socket, open }
    }

    /// Accepts until the task is ended.
    pub(crate) async fn run(self) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        let Some(admission) = self.count(peer.ip()) else {
            self.shell.node.metrics().shard(0).refused_connections.increment();
            tracing::debug!(%peer, "close a connection: max.connections or max.connections.per.ip is reached");
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "set TCP_NODELAY");
        }
        // A peer whose machine is gone says nothing: the kernel asks for it.
        if let Err(error) = rustix::net::sockopt::set_socket_keepalive(&stream, true) {
            tracing::debug!(%peer, %error, "set SO_KEEPALIVE");
        }
        let mut connection = Connection::new(Arc::clone(&self.shell), self.number, stream);
        let shell = Arc::clone(&self.shell);
        self.shell.spawn_connection(async move {
            let _admission = admission;
            match connection.serve().await {
                Ok(End::Left) => {}
                Ok(End::Idle) => {
                    shell.node.metrics().shard(0).idle_connections.increment();
                    tracing::debug!(%peer, "close a connection: nothing moved for connections.max.idle.ms");
                }
                Ok(End::Misused(reason)) => {
                    shell.node.metrics().shard(0).misused_connections.increment();
                    tracing::info!(%peer, reason, "close a connection");
                }
                Err(error) if is_ordinary(&error) => {}
                Err(error) => tracing::info!(%peer, %error, "lose a connection"),
            }
        });
    }

    fn count(&self, ip: IpAddr) -> Option<Admission> {
        let config = self.shell.node.config();
        let ip = ip.to_canonical();
        let of_ip_max = config.max_connections_per_ip_overrides.get(&ip);
        let of_ip_max = *of_ip_max.unwrap_or(&config.max_connections_per_ip);
        let mut open = self.open.lock();
        let of_ip = open.by_ip.get(&ip).copied().unwrap_or(0);
        if open.all >= config.max_connections.min(open.all_max) || of_ip >= of_ip_max {
            return None;
        }
        open.by_ip.insert(ip, of_ip + 1);
        open.all += 1;
        Some(Admission { open: Arc::clone(&self.open), ip })
    }
}

/// How clients leave.
fn is_ordinary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
