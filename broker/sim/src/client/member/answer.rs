//! What a member makes of its coordinator's answers.

use protocol::ErrorCode;
use protocol::message::find_coordinator::FindCoordinatorRequest;
use protocol::message::heartbeat::HeartbeatRequest;
use protocol::message::join_group::JoinGroupRequest;
use protocol::message::leave_group::LeaveGroupRequest;
use protocol::message::offset_commit::OffsetCommitRequest;
use protocol::message::offset_fetch::OffsetFetchRequest;
use protocol::message::sync_group::SyncGroupRequest;

use super::ask::place_of;
use super::{Member, Stage, What};
use crate::client::records::name_of;
use crate::client::{Answered, Context, body};
use crate::oracle::Place;

impl Member {
    pub(super) fn answer(
        &mut self,
        Answered { version, sent, what }: Answered<What>,
        frame: &[u8],
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        match what {
            What::Find => {
                let response = body::<FindCoordinatorRequest>(frame, version)?;
                let code =
                    response.coordinators.first().map_or(response.error_code, |found| found.error_code);
                match code {
                    ErrorCode::None if self.stage == Stage::Lost => self.rejoin(),
                    ErrorCode::None | ErrorCode::CoordinatorNotAvailable => {}
                    other => return Err(format!("FindCoordinator was answered with {}", other.name())),
                }
                Ok(())
            }
            What::Join { at_least } => self.joined(frame, version, at_least, context),
            What::Sync => self.synced(frame, version, sent, context),
            What::Heartbeat => {
                let response = body::<HeartbeatRequest>(frame, version)?;
                self.standing(response.error_code, "Heartbeat").map(|_| ())
            }
            What::Commit(committed) => self.committed(&committed, frame, version, sent, context),
            What::Fetch(wanted) => self.fetched(&wanted, frame, version, context),
            What::Leave => {
                let response = body::<LeaveGroupRequest>(frame, version)?;
                let of_member = response.members.first().map(|member| member.error_code);
                let code = if response.error_code.is_error() {
                    response.error_code
                } else {
                    of_member.unwrap_or_default()
                };
                self.standing(code, "LeaveGroup")?;
                context.oracle.counters.members_left += u64::from(code == ErrorCode::None);
                let is_lost = self.stage == Stage::Lost;
                self.forget();
                if is_lost {
                    self.stage = Stage::Lost;
                }
                Ok(())
            }
        }
    }

    /// What a code means to who is a member. Whether it was done.
    fn standing(&mut self, code: ErrorCode, what: &str) -> Result<bool, String> {
        match code {
            ErrorCode::None => return Ok(true),
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => self.rejoin(),
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId | ErrorCode::GroupIdNotFound => {
                self.forget();
            }
            ErrorCode::CoordinatorLoadInProgress => {}
            ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => {
                self.rejoin();
                self.stage = Stage::Lost;
            }
            other => return Err(format!("{what} was answered with {}", other.name())),
        }
        Ok(false)
    }

    fn joined(
        &mut self,
        frame: &[u8],
        version: i16,
        at_least: i32,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<JoinGroupRequest>(frame, version)?;
        if response.error_code == ErrorCode::MemberIdRequired {
            self.member_id = response.member_id;
            return Ok(());
        }
        if !self.standing(response.error_code, "JoinGroup")? {
            return Ok(());
        }
        let generation = response.generation_id.0;
        context.oracle.groups.joined(&self.group, generation, at_least)?;
        context.oracle.counters.group_joins += 1;
        self.member_id = response.member_id;
        self.generation = generation;
        let leads = response.leader == self.member_id && !response.skip_assignment;
        if !leads && !response.skip_assignment && !response.members.is_empty() {
            return Err(format!("{} got the members of a generation that it does not lead", self.member_id));
        }
        self.followers.clear();
        if leads {
            self.followers = response.members.into_iter().map(|member| member.member_id).collect();
            if !self.followers.contains(&self.member_id) {
                return Err("a leader is not among the members".to_owned());
            }
        }
        self.stage = Stage::Joined;
        if context.random.chance(90) && !context.draining {
            self.sync(context);
        }
        Ok(())
    }

    fn synced(
        &mut self,
        frame: &[u8],
        version: i16,
        sent: u64,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<SyncGroupRequest>(frame, version)?;
        if !self.standing(response.error_code, "SyncGroup")? {
            return Ok(());
        }
        // A restarted broker may answer from the log, long after the leader asked.
        let part = std::str::from_utf8(&response.assignment).unwrap_or_default();
        let mut words = part.split(' ');
        let Some(Ok(number)) = words.next().map(str::parse::<u64>) else {
            return Err(format!("{} has no part in generation {}", self.member_id, self.generation));
        };
        if !self.followers.is_empty() {
            context.oracle.acknowledged(sent)?;
        }
        context.oracle.groups.synced(&self.group, self.generation, &response.assignment, number)?;
        context.oracle.counters.group_syncs += 1;
        context.oracle.counters.static_returns +=
            u64::from(self.instance.is_some() && self.before == self.generation);
        self.before = self.generation;
        self.part = words.filter_map(|name| place_of(name, context)).collect();
        self.stage = Stage::Assigned;
        Ok(())
    }

    fn committed(
        &mut self,
        committed: &[(Place, i64)],
        frame: &[u8],
        version: i16,
        sent: u64,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<OffsetCommitRequest>(frame, version)?;
        if response.topics.len() != committed.len() {
            return Err("OffsetCommit was answered without its topics".to_owned());
        }
        for ((place, offset), topic) in committed.iter().zip(&response.topics) {
            let code = topic.partitions.first().map_or(ErrorCode::UnknownServerError, |p| p.error_code);
            match code {
                ErrorCode::None => {
                    context.oracle.acknowledged(sent)?;
                    context.oracle.groups.committed(&self.group, *place, *offset);
                    context.oracle.counters.offset_commits += 1;
                }
                // A broker that was just started does not know its topics yet.
                ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => {}
                other => {
                    context.oracle.counters.refused_commits += 1;
                    self.standing(other, "OffsetCommit")?;
                }
            }
        }
        Ok(())
    }

    fn fetched(
        &mut self,
        wanted: &[(Place, i64)],
        frame: &[u8],
        version: i16,
        context: &mut Context<'_>,
    ) -> Result<(), String> {
        let response = body::<OffsetFetchRequest>(frame, version)?;
        let group = response.groups.first();
        let code = group.map_or(response.error_code, |group| group.error_code);
        if !self.standing(code, "OffsetFetch")? {
            return Ok(());
        }
        let single = response.topics.iter().flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|p| (p.partition_index, p.committed_offset, p.error_code, &p.metadata))
        });
        let batched = group.into_iter().flat_map(|group| &group.topics).flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|p| (p.partition_index, p.committed_offset, p.error_code, &p.metadata))
        });
        let found: Vec<_> = single.chain(batched).collect();
        if found.len() != wanted.len() {
            return Err(format!("OffsetFetch of {} partitions gave {}", wanted.len(), found.len()));
        }
        for ((place, floor), (index, offset, code, metadata)) in wanted.iter().zip(found) {
            match code {
                ErrorCode::None => {}
                // A broker that was just started does not know the id yet; the first version has no code for all.
                ErrorCode::UnknownTopicId => continue,
                other => {
                    self.standing(other, "OffsetFetch")?;
                    return Ok(());
                }
            }
            let name = name_of(context.oracle, *place);
            if index.0 != place.1 {
                return Err(format!("OffsetFetch of {name}-{} gave partition {index}", place.1));
            }
            let told = metadata.as_deref().unwrap_or_default();
            if offset.0 >= 0 && told != offset.to_string() {
                return Err(format!("{name}-{}: {offset} was committed with {told:?}", place.1));
            }
            context.oracle.groups.found(&self.group, *place, offset.0, *floor)?;
            context.oracle.counters.offset_fetches += 1;
        }
        if self.stage == Stage::Assigned {
            self.stage = Stage::Working;
        }
        Ok(())
    }
}
