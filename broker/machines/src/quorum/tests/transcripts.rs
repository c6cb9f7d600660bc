//! Transcripts of a quorum: commands, and every effect and message in the order in which they come.

use super::super::*;
use super::network::batch;
use super::{fresh, key};
use crate::transcript::{self, Command};
use std::fmt::Write as _;

type Asked = (u64, Option<HardState>, Vec<Entry>);

#[derive(Default)]
struct Run {
    voters: Vec<i32>,
    replicas: BTreeMap<i32, Quorum>,
    disks: BTreeMap<i32, PersistedState>,
    /// What the disks have not done.
    asked: BTreeMap<i32, Vec<Asked>>,
    wire: Vec<Message>,
    now: Monotonic,
    out: String,
}

fn short(entry: &Entry) -> String {
    let what = match &entry.payload {
        Payload::Empty => "empty",
        Payload::LeaderChange(_) => "leader",
        Payload::Records(_) => "records",
        Payload::Membership(_) => "membership",
    };
    format!("{}/{}@{}:{what}", entry.index, entry.term, entry.base_offset)
}

fn list(entries: &[Entry]) -> String {
    entries.iter().map(short).collect::<Vec<_>>().join(" ")
}

fn message(message: &Message) -> String {
    let body = match &message.body {
        Body::Append { previous_index, previous_term, commit, entries } => {
            format!("Append after {previous_index}/{previous_term} commit={commit} [{}]", list(entries))
        }
        body => format!("{body:?}"),
    };
    format!("{}->{} term={} {body}", message.from.broker(), message.to.broker(), message.term)
}

impl Run {
    fn open(&mut self, id: i32) {
        let config = Config { replica: key(id), seed: 1 };
        let quorum = Quorum::open(config, self.disks[&id].clone(), self.now).unwrap();
        self.replicas.insert(id, quorum);
        self.asked.insert(id, Vec::new());
    }

    fn event(&mut self, id: i32, event: Event) {
        let mut effects = Vec::new();
        let Some(quorum) = self.replicas.get_mut(&id) else { return };
        quorum.step(self.now, event, &mut effects);
        for effect in effects {
            let line = match effect {
                Effect::Send(sent) => {
                    let line = format!("send {}", message(&sent));
                    self.wire.push(sent);
                    line
                }
                Effect::Persist { ticket, hard_state, truncate_from, entries, .. } => {
                    let state = hard_state.map_or(String::new(), |state| {
                        let vote = state.vote.map_or("nobody".to_owned(), |vote| vote.broker().to_string());
                        format!(" term={} vote={vote}", state.term)
                    });
                    let cut = truncate_from
                        .map_or(String::new(), |(index, offset)| format!(" cut={index}@{offset}"));
                    let line = format!("persist{state}{cut} [{}]", list(&entries));
                    self.asked.get_mut(&id).unwrap().push((ticket, hard_state, entries));
                    line
                }
                Effect::Committed(entries) => format!("committed [{}]", list(&entries)),
                Effect::Became(Role::Leader { term }) => format!("leads in {term}"),
                Effect::Became(Role::Follower { term, leader }) => {
                    let leader = leader.map_or("nobody".to_owned(), |leader| leader.broker().to_string());
                    format!("follows {leader} in {term}")
                }
                other => format!("{other:?}"),
            };
            writeln!(self.out, "{id}: {line}").unwrap();
        }
    }

    fn sync(&mut self, id: i32) {
        for (ticket, hard_state, entries) in std::mem::take(self.asked.get_mut(&id).unwrap()) {
            let disk = self.disks.get_mut(&id).unwrap();
            if let Some(first) = entries.first() {
                disk.entries.retain(|entry| entry.index < first.index);
            }
            disk.entries.extend(entries);
            disk.hard_state = hard_state.unwrap_or(disk.hard_state);
            self.event(id, Event::Persisted(ticket));
        }
    }

    /// Delivers what is on the wire, to one replica or to all.
    fn deliver(&mut self, only: Option<i32>) {
        let (due, rest): (Vec<Message>, Vec<Message>) = std::mem::take(&mut self.wire)
            .into_iter()
            .partition(|m| only.is_none_or(|id| m.to.broker().0 == id));
        self.wire = rest;
        for message in due {
            self.event(message.to.broker().0, Event::Message(message));
        }
    }

    fn step(&mut self, command: &Command<'_>) -> String {
        let id = command.number("id").map(|id| i32::try_from(id).unwrap());
        let ids = || -> Vec<i32> { id.map_or_else(|| self.voters.clone(), |id| vec![id]) };
        match command.verb {
            "new" => {
                let voters = command.numbers("voters").unwrap();
                *self = Self {
                    voters: voters.into_iter().map(|id| i32::try_from(id).unwrap()).collect(),
                    ..Self::default()
                };
                for id in self.voters.clone() {
                    self.disks.insert(id, fresh(&self.voters));
                    self.open(id);
                }
            }
            "timer" => {
                self.now =
                    self.now.plus(Duration::from_millis(command.number("ms").unwrap_or(50).unsigned_abs()));
                ids().into_iter().for_each(|id| self.event(id, Event::Timer));
            }
            "campaign" => self.event(id.unwrap(), Event::Campaign),
            "sync" => ids().into_iter().for_each(|id| self.sync(id)),
            "deliver" => self.deliver(id),
            "lose" => self.wire.clear(),
            "propose" => {
                let value = u32::try_from(command.number("value").unwrap_or(0)).unwrap();
                self.event(id.unwrap(), Event::Propose { batch: batch(value, 2), cookie: value.into() });
            }
            "transfer" => {
                let to = key(i32::try_from(command.number("to").unwrap()).unwrap()).raft_id();
                self.event(id.unwrap(), Event::Transfer(to));
            }
            "read" => self.event(id.unwrap(), Event::Read { cookie: 1 }),
            "restart" => {
                let id = id.unwrap();
                self.wire.retain(|message| message.to.broker().0 != id);
                self.open(id);
            }
            verb => panic!("no command {verb}"),
        }
        std::mem::take(&mut self.out)
    }
}

fn check(name: &str) {
    let mut run = Run::default();
    transcript::check(&format!("quorum/{name}.txt"), |command| run.step(command));
}

#[test]
fn a_sole_voter() {
    check("sole_voter");
}

#[test]
fn an_election_and_a_proposal() {
    check("election");
}

#[test]
fn an_uncommitted_entry_is_replaced() {
    check("replaced_entry");
}

#[test]
fn a_transfer() {
    check("transfer");
}
