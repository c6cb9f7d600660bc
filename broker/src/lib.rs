//! Gregor's broker: sockets, runtimes, clock, disk and flags around `node`.

pub mod cli;
mod clock;
mod descriptors;
pub mod dev;
mod disk;
pub mod http;
mod jobs;
mod loops;
pub mod metrics;
mod net;
pub mod run;
mod scrape;
mod shell;
mod timers;
