//! Administrators: they create, grow, configure and delete topics, and check that it stays so.
//!
//! Several are at work at once. Some names are everybody's: topics that bear them are created and deleted beside each
//! other, and what has such a name is told apart by its id. What else is done is done by one of them to each topic.

mod answer;
mod ask;

use protocol::id::{Timestamp, TopicId};

use super::{Client, Context, Requests};
use crate::oracle::{Creation, Kind, Place};

pub(super) use answer::listed;

const LATEST: Timestamp = Timestamp(-1);
/// The first version of Metadata with topic ids, by which topics are told apart here.
const IDS_FROM: i16 = 10;

/// Keys and values.
type Settings = &'static [(&'static str, &'static str)];

/// The topics that every run has.
const LASTING: [(&str, Kind, i32, Settings); 5] = [
    ("kept", Kind::Kept, 3, &[("internal.segment.bytes", "40000")]),
    ("synced", Kind::Synced, 2, &[("flush.messages", "1"), ("internal.segment.bytes", "60000")]),
    (
        "retained",
        Kind::Retained,
        2,
        &[
            ("internal.segment.bytes", "12000"),
            ("retention.bytes", "50000"),
            ("retention.ms", "86400000"),
            ("segment.ms", "900"),
            ("file.delete.delay.ms", "700"),
        ],
    ),
    (
        "stamped",
        Kind::Stamped,
        2,
        &[
            ("message.timestamp.type", "LogAppendTime"),
            ("internal.segment.bytes", "30000"),
            ("compression.type", "lz4"),
        ],
    ),
    ("growing", Kind::Kept, 1, &[("compression.type", "uncompressed")]),
];

enum What {
    Create(String, Creation),
    AutoCreate(String, Creation),
    /// What had the name then; whether it was asked for by name.
    Delete(String, TopicId, bool),
    Grow(String, i32),
    /// More partitions are only tried, or fewer asked for: neither changes anything.
    GrowInVain {
        allowed: bool,
    },
    Alter(String, String, String),
    Describe(String),
    List,
    Latest(Place, i64),
    /// More than the metadata log takes at once.
    TooLarge,
}

/// How long the controller may say that it is none, in nanoseconds.
const NO_CONTROLLER_MAX: u64 = 30_000_000_000;

/// An administrator.
pub(crate) struct Admin {
    /// From 1 on.
    number: u32,
    requests: Requests<What>,
    /// Since when every decision is refused for want of a controller, on this connection.
    refused_since: Option<u64>,
    next_name: u32,
    /// Something was asked and not answered: all is listed before anything else.
    uncertain: bool,
}

impl Admin {
    pub(crate) fn new(number: u32) -> Self {
        let requests = Requests::new(&format!("admin-{number}"));
        Self { number, requests, refused_since: None, next_name: 0, uncertain: false }
    }

    /// Whether nobody else changes a topic.
    fn is_own(&self, name: &str) -> bool {
        self.number == 1 && name == "growing"
            || name.starts_with(&format!("own-{}-", self.number))
            || name.starts_with(&format!("auto-{}-", self.number))
    }

    /// One of everybody's names or one of its own. Old names come back, with another id.
    fn any_name(&self, context: &mut Context<'_>) -> String {
        if context.random.chance(50) {
            format!("fleeting-{}", context.random.below(3))
        } else {
            format!("own-{}-{}", self.number, context.random.below(2))
        }
    }

    /// Anything at all.
    fn anything(&mut self, context: &mut Context<'_>) {
        let names: Vec<(String, Kind, Place)> =
            context.oracle.topics().map(|topic| (topic.name.clone(), topic.kind, (topic.id, 0))).collect();
        let fleeting = names.iter().filter(|(_, kind, _)| *kind == Kind::Fleeting).count();
        if context.random.below(200) == 0 {
            return self.ask_too_much(context);
        }
        let Some((name, kind, place)) = names.get(context.random.index(names.len())).cloned() else {
            return self.list(context);
        };
        let (is_fleeting, is_own) = (kind == Kind::Fleeting, self.is_own(&name));
        let is_everybodys = is_fleeting && name.starts_with("fleeting-");
        match context.random.below(12) {
            0 | 1 if fleeting < 7 => {
                let name = self.any_name(context);
                if context.oracle.topic(&name).is_none() || context.random.chance(20) {
                    let count = context.random.between_i32(1, 3);
                    self.create(&name, Kind::Fleeting, count, &[], context);
                }
            }
            2 if fleeting < 7 => self.auto_create(context),
            3 | 4 if is_fleeting && (is_own || is_everybodys) => self.delete(&name, context),
            5 if context.random.chance(30) && (is_own || !is_fleeting) => self.grow_in_vain(&name, context),
            5 if is_own => self.grow(&name, context),
            6 | 7 if is_own || !is_fleeting => self.alter(&name, context),
            8 | 9 => self.describe(&name, context),
            10 => self.list(context),
            _ if is_own || !is_fleeting => self.latest(place, context),
            _ => self.list(context),
        }
    }
}

impl Client for Admin {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.requests.is_empty() {
            return;
        }
        if self.uncertain {
            self.list(context);
            return;
        }
        if context.draining {
            return;
        }
        match LASTING.iter().find(|(name, ..)| context.oracle.topic(name).is_none()) {
            Some((name, kind, count, configs)) => self.create(name, *kind, *count, configs, context),
            None => self.anything(context),
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let answered = self.requests.answered(frame, context)?;
        self.answer(answered, frame, context)
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.refused_since = None;
        self.uncertain |= !self.requests.lost().is_empty();
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty() && !self.uncertain
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}
