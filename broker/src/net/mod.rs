//! Sockets: accepting connections, reading frames into buffers that grow with what arrived, writing replies.

mod buffer;
mod connection;
mod listener;
mod output;

pub(crate) use listener::{Listener, Open};
