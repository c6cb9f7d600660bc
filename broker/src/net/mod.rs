//! Sockets: accepting connections, reading frames into buffers that grow with what arrived, writing replies.

mod buffer;
mod connection;
mod idle;
mod listener;
mod memory;
mod output;
#[cfg(test)]
mod tests;

pub(crate) use listener::{Listener, Open};
pub(crate) use memory::RequestMemory;
