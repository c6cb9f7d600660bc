//! The administrator: creates, grows, configures and deletes topics, and checks that it stays so.

mod answer;
mod ask;

use protocol::id::Timestamp;

use super::{Client, Context, Requests};
use crate::oracle::{Kind, Place};

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
    Create(String),
    AutoCreate(String),
    Delete(String),
    Grow(String, i32),
    /// More partitions are only tried, or fewer asked for: neither changes anything.
    GrowInVain {
        allowed: bool,
    },
    Alter(String, String, String),
    Describe(String),
    List,
    Latest(Place, i64),
}

/// The administrator.
pub(crate) struct Admin {
    requests: Requests<What>,
    next_name: u32,
    /// Something was asked and not answered: all is listed before anything else.
    uncertain: bool,
}

impl Admin {
    pub(crate) fn new() -> Self {
        Self { requests: Requests::new("admin"), next_name: 0, uncertain: false }
    }

    /// Anything at all.
    fn anything(&mut self, context: &mut Context<'_>) {
        let names: Vec<(String, Kind, Place)> =
            context.oracle.topics().map(|topic| (topic.name.clone(), topic.kind, (topic.id, 0))).collect();
        let fleeting = names.iter().filter(|(_, kind, _)| *kind == Kind::Fleeting).count();
        let (name, kind, place) = context.random.pick(&names).clone();
        match context.random.below(12) {
            0 | 1 if fleeting < 5 => {
                // Old names come back, with another id.
                let name = format!("fleeting-{}", context.random.below(6));
                if context.oracle.topic(&name).is_none() {
                    let count = context.random.between_i32(1, 3);
                    self.create(&name, Kind::Fleeting, count, &[], context);
                }
            }
            2 if fleeting < 5 => self.auto_create(context),
            3 | 4 if kind == Kind::Fleeting => self.delete(&name, context),
            5 if context.random.chance(30) => self.grow_in_vain(&name, context),
            5 if name == "growing" || kind == Kind::Fleeting => self.grow(&name, context),
            6 | 7 => self.alter(&name, context),
            8 | 9 => self.describe(&name, context),
            10 => self.list(context),
            _ => self.latest(place, context),
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
        self.uncertain |= !self.requests.lost().is_empty();
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty() && !self.uncertain
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}
