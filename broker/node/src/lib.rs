//! Everything that a broker does, without sockets, threads or clock.

pub mod config;
pub mod metrics;
