//! Gregor's broker: sockets, runtimes, clock, disk and flags around `node`.

pub mod dev;
