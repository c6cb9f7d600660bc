//! Connections as clients meet them: a broker on a temporary folder behind real sockets.

mod peer;
mod timers;
mod waits;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use node::metrics::Snapshot;
use node::{Config, Effects, Node};
use protocol::ApiKey;
use storage::disk::RealDisk;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use self::peer::Peer;
use super::Listener;
use crate::clock::Clock;
use crate::shell::Shell;

/// Long enough for any machine; what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that listens on a port of its own.
struct World {
    shell: Arc<Shell>,
    address: SocketAddr,
    runtime: Runtime,
    _data: tempfile::TempDir,
}

impl World {
    fn start(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let log_dir = data.path().join("log").display().to_string();
        let pairs = settings.iter().copied().chain([("log.dirs", log_dir.as_str())]);
        let pairs: Vec<_> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let config = Config::dev(&pairs).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (clock, mut effects) = (Clock::new(), Effects::default());
        let node = Node::open(clock.now(), config, Arc::new(RealDisk), 1, &mut effects).unwrap();
        let shell = Shell::start(node, clock, runtime.handle().clone(), effects).unwrap();
        let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        let open = Arc::new(parking_lot::Mutex::new(super::Open::new(u32::MAX)));
        runtime.spawn(Listener::new(Arc::clone(&shell), 0, socket, open).run());
        let world = Self { shell, address, runtime, _data: data };
        world.eventually("the broker is ready", || world.shell.node.is_ready());
        world
    }

    fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    fn metrics(&self) -> Snapshot {
        self.shell.node.metrics().snapshot()
    }

    /// Requests of this API that were taken.
    fn requests(&self, api: ApiKey) -> u64 {
        self.metrics().apis.iter().find(|(key, ..)| *key == api).map_or(0, |(_, count, _)| *count)
    }

    fn eventually(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.runtime.block_on(self.shell.end_connections());
        self.shell.stop();
    }
}
