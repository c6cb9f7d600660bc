//! Connections: bytes between clients and the broker, late and in pieces, and their ends.

use super::{Event, MICRO, MILLI, Phase, World};
use crate::client::{Client, Context};
use crate::random::Random;

/// How long clients wait for a response: longer than any timeout that they give.
const PATIENCE: u64 = 15_000 * MILLI;

/// The auditor's place among the clients.
pub(super) const SCANNER: usize = 0;

/// A client's end of its connection.
pub(super) struct Link {
    pub(super) client: Box<dyn Client>,
    pub(super) name: String,
    /// Waits until the broker says that it is ready.
    pub(super) patient: bool,
    pub(super) connection: Option<u64>,
    pub(super) inbox: Vec<u8>,
    /// When the last bytes arrive in either direction: a stream keeps its order.
    pub(super) to_broker: u64,
    pub(super) to_client: u64,
    /// The least and the most time between two acts, in microseconds.
    pub(super) pace: (u64, u64),
}

impl World {
    pub(super) fn plan_flush(&mut self, connection: u64) {
        let Some(server) = &mut self.server else { return };
        if !server.has_output(connection) {
            return;
        }
        let Some(found) = server.connections.get_mut(&connection) else { return };
        if !std::mem::replace(&mut found.flushing, true) {
            // A client that is slow to read.
            let after = if self.random.chance(3) {
                self.random.below(300 * MILLI)
            } else {
                self.random.below(100 * MICRO)
            };
            self.at(after, Event::Flush(connection));
        }
    }

    pub(super) fn flush(&mut self, connection: u64) {
        let Some(server) = &mut self.server else { return };
        let (bytes, close) = match server.take_output(connection) {
            Ok(taken) => taken,
            Err(_) if self.ailing => {
                // Half a frame may be on the wire, and what follows cannot be read.
                self.trace.event(self.now, format_args!("a read failed while a response was written"));
                self.count_failures();
                return self.close(connection);
            }
            Err(why) => return self.fail(why),
        };
        self.trace.bytes(&bytes);
        let Some(at) = self.links.iter().position(|link| link.connection == Some(connection)) else { return };
        let mut arrival = self.links[at].to_client.max(self.now);
        for piece in pieces(&mut self.random, bytes) {
            arrival += self.random.below(300 * MICRO);
            self.at(arrival - self.now, Event::Deliver(connection, piece));
        }
        self.links[at].to_client = arrival;
        if let Some(reason) = close {
            let name = name(&self.links, connection);
            self.trace.event(self.now, format_args!("the broker closes {name}: {reason}"));
            self.at(arrival - self.now, Event::Close(connection));
            return;
        }
        self.node(|server, now, effects| server.roused(now, connection, effects));
        self.plan_flush(connection);
    }

    pub(super) fn deliver(&mut self, connection: u64, bytes: &[u8]) {
        let Some(at) = self.links.iter().position(|link| link.connection == Some(connection)) else { return };
        self.trace.event(self.now, format_args!("{} gets {}", self.links[at].name, bytes.len()));
        self.links[at].inbox.extend_from_slice(bytes);
        while let Some(prefix) = self.links[at].inbox.first_chunk::<4>() {
            let length = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0);
            if self.links[at].inbox.len() < 4 + length {
                return;
            }
            let frame: Vec<u8> = self.links[at].inbox.drain(..4 + length).skip(4).collect();
            let done = self.with_client(at, |client, context| client.reply(&frame, context));
            if let Err(why) = done {
                let name = self.links[at].name.clone();
                return self.fail(format!("{name}: {why}"));
            }
        }
    }

    /// Lets a client do something, and sends what it wants to send.
    pub(super) fn with_client<T>(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut dyn Client, &mut Context<'_>) -> T,
    ) -> T {
        let wall = self.true_time();
        let mut context = Context {
            random: &mut self.random,
            oracle: &mut self.oracle,
            now: self.now,
            wall,
            draining: self.phase != Phase::Running,
            frames: Vec::new(),
        };
        let result = act(self.links[at].client.as_mut(), &mut context);
        let frames = context.frames;
        if let (Some(connection), false) = (self.links[at].connection, frames.is_empty()) {
            let mut arrival = self.links[at].to_broker.max(self.now);
            for piece in pieces(&mut self.random, frames.concat()) {
                arrival += self.random.below(300 * MICRO);
                self.at(arrival - self.now, Event::Arrive(connection, piece));
            }
            self.links[at].to_broker = arrival;
        }
        result
    }

    pub(super) fn act(&mut self, at: usize) {
        let (low, high) = self.links[at].pace;
        let after = self.random.between(low, high) * MICRO;
        self.at(after, Event::Act(at));
        let admitted = match &self.server {
            None => false,
            Some(server) if self.links[at].patient => server.node.is_ready(),
            Some(_) => true,
        };
        // After a loss of power the auditor comes first, so that it finds what the loss left.
        let admitted = admitted && (at == SCANNER || !self.oracle.cut_pending);
        if !admitted {
            return;
        }
        self.check_patience(at);
        if self.links[at].connection.is_none() {
            self.next_connection += 1;
            let connection = self.next_connection;
            self.links[at].connection = Some(connection);
            self.trace.event(self.now, format_args!("{} connects", self.links[at].name));
            self.node(|server, now, _| server.connect(now, connection));
        }
        self.with_client(at, |client, context| client.act(context));
    }

    /// Every request is answered within some time when nothing is wrong.
    fn check_patience(&mut self, at: usize) {
        let Some(sent) = self.links[at].client.waits_since() else { return };
        if self.full > 0 || self.ailing || self.offline {
            return;
        }
        let since = sent.max(self.sound_since).max(self.slow_until);
        if self.now > since + PATIENCE {
            let name = self.links[at].name.clone();
            self.fail(format!("{name} waits for a response since {} ms", sent / MILLI));
        }
    }

    /// A connection ends for both sides, with all that is under way on it.
    pub(super) fn close(&mut self, connection: u64) {
        if let Some(at) = self.links.iter().position(|link| link.connection == Some(connection)) {
            self.drop_connection(at);
        }
    }

    pub(super) fn drop_connection(&mut self, at: usize) {
        let Some(connection) = self.links[at].connection.take() else { return };
        self.queue.retain(|_, event| match event {
            Event::Arrive(of, _)
            | Event::Deliver(of, _)
            | Event::Roused(of)
            | Event::Flush(of)
            | Event::Close(of) => *of != connection,
            _ => true,
        });
        self.links[at].inbox.clear();
        self.trace.event(self.now, format_args!("{} is disconnected", self.links[at].name));
        self.with_client(at, |client, context| client.lost(context));
        self.node(|server, now, effects| server.disconnect(now, connection, effects));
    }
}

pub(super) fn name(links: &[Link], connection: u64) -> &str {
    let link = links.iter().find(|link| link.connection == Some(connection));
    link.map_or("nobody", |link| link.name.as_str())
}

/// Cuts bytes as a network may: mostly not at all, else anywhere.
fn pieces(random: &mut Random, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while bytes.len() > 1 && random.chance(25) {
        let rest = bytes.split_off(1 + random.index(bytes.len() - 1));
        pieces.push(std::mem::replace(&mut bytes, rest));
    }
    if !bytes.is_empty() {
        pieces.push(bytes);
    }
    pieces
}
