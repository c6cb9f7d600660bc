//! Gregor's broker: sockets, runtimes, clock, disk and flags around `node`.

pub mod cli;
pub mod dev;
pub mod http;
pub mod metrics;
