//! Gregor's broker: sockets, runtimes, clock, disk and flags around `node`.

pub mod cli;
mod clock;
pub mod dev;
pub mod http;
mod jobs;
pub mod metrics;
mod net;
pub mod run;
mod scrape;
mod shell;
mod timers;
