//! `gregor dev`: a cluster in one process for a laptop.

pub mod manifest;

use std::net::SocketAddr;
use std::sync::Arc;

use node::Config;

use crate::cli::DevOptions;
use crate::shell::Shell;

/// Says where to connect and what to type next.
pub(crate) fn start(
    _shell: &Arc<Shell>,
    config: &Config,
    http: Option<SocketAddr>,
    _options: DevOptions,
) -> anyhow::Result<()> {
    let address =
        config.advertised_listeners.first().map(node::config::Listener::address).unwrap_or_default();
    println!("Gregor runs. Clients connect to {address}");
    if let Some(http) = http {
        println!("Metrics: http://{http}/metrics");
    }
    Ok(())
}
