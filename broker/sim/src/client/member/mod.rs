//! Members of groups: they join, share partitions, commit offsets, go, come back and die.

mod answer;
mod ask;

use crate::oracle::Place;

use super::{Client, Context, Requests};

/// What its group's coordinator has to be told next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It does not know who coordinates its group.
    Lost,
    /// It is to join.
    Out,
    /// It has joined and is to ask for its part.
    Joined,
    /// It has its part and asks where others stood in it.
    Assigned,
    /// It works on its part.
    Working,
}

enum What {
    Find,
    Join { at_least: i32 },
    Sync,
    Heartbeat,
    Commit(Vec<(Place, i64)>),
    Fetch(Vec<(Place, i64)>),
    Leave,
}

/// A member of a group.
pub(crate) struct Member {
    requests: Requests<What>,
    group: String,
    /// Its name as a static member.
    instance: Option<String>,
    stage: Stage,
    /// Empty while it has none.
    member_id: String,
    generation: i32,
    /// Everybody's ids, when it leads the generation.
    followers: Vec<String>,
    part: Vec<Place>,
    /// The generation of which it had its part last, to see static members come back to it.
    before: i32,
}

impl Member {
    pub(crate) fn new(name: &str, group: &str, is_static: bool) -> Self {
        Self {
            requests: Requests::new(name),
            group: group.to_owned(),
            instance: is_static.then(|| name.to_owned()),
            stage: Stage::Lost,
            member_id: String::new(),
            generation: -1,
            followers: Vec::new(),
            part: Vec::new(),
            before: -1,
        }
    }

    /// It is to join again, as whom it was known.
    fn rejoin(&mut self) {
        self.stage = Stage::Out;
        self.part.clear();
    }

    /// It is to join as somebody new.
    fn forget(&mut self) {
        self.member_id.clear();
        self.generation = -1;
        self.rejoin();
    }
}

impl Client for Member {
    fn act(&mut self, context: &mut Context<'_>) {
        if !self.requests.is_empty() {
            return;
        }
        if context.draining {
            if !self.member_id.is_empty() && self.stage != Stage::Lost {
                self.leave(context);
            }
            self.stage = Stage::Lost;
            return;
        }
        match self.stage {
            Stage::Lost => self.find(context),
            Stage::Out => self.join(context),
            Stage::Joined => self.sync(context),
            Stage::Assigned => self.fetch(context),
            Stage::Working => self.work(context),
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let answered = self.requests.answered(frame, context)?;
        self.answer(answered, frame, context)
    }

    fn lost(&mut self, context: &mut Context<'_>) {
        self.requests.lost();
        if self.stage != Stage::Lost && context.random.chance(20) {
            // Its process died with the connection.
            context.oracle.counters.members_crashed += 1;
            self.forget();
        }
        if self.stage != Stage::Working {
            self.rejoin();
        }
        if context.random.chance(50) {
            self.stage = Stage::Lost;
        }
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.stage == Stage::Lost
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}
