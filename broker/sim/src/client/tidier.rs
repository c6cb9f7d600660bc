//! The tidier: commits an offset without being a member, and takes it back: by itself, with its group, or not at all.
//! It lists and describes groups, and knows exactly what it must find.

use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex};
use protocol::message::delete_groups::DeleteGroupsRequest;
use protocol::message::describe_groups::DescribeGroupsRequest;
use protocol::message::list_groups::ListGroupsRequest;
use protocol::message::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::message::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::message::offset_fetch::{OffsetFetchRequest, OffsetFetchRequestTopic};
use protocol::wire::Message as _;

use super::{Answered, Client, Context, Requests, body};

const GROUP: &str = "tidy";
/// A topic that every run has.
const TOPIC: &str = "kept";
/// The last version of OffsetCommit that names topics by name.
const COMMIT_MAX: i16 = 9;
/// The last version of OffsetFetch for one group.
const FETCH_MAX: i16 = 7;
/// The first version that tells a group that is missing from one that is dead.
const NOT_FOUND_FROM: i16 = 6;

enum What {
    Commit(i64),
    Delete,
    DeleteGroup,
    Fetch,
    List,
    Describe,
}

/// What the group may have committed: -1 is nothing. Empty when that is not known.
type Possible = Vec<i64>;

/// The tidier.
pub(crate) struct Tidier {
    requests: Requests<What>,
    possible: Possible,
    next: i64,
    power_losses: u64,
}

impl Tidier {
    pub(crate) fn new() -> Self {
        Self { requests: Requests::new("tidier"), possible: vec![-1], next: 0, power_losses: 0 }
    }

    fn commit(&mut self, context: &mut Context<'_>) {
        self.next += 1;
        let version = context.random.version(2..=COMMIT_MAX);
        let topic = OffsetCommitRequestTopic {
            name: TOPIC.to_owned(),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: Offset(self.next),
                ..OffsetCommitRequestPartition::default()
            }],
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id: GROUP.to_owned(),
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        self.maybe(self.next);
        self.requests.send(&request, version, What::Commit(self.next), context);
    }

    fn delete(&mut self, context: &mut Context<'_>) {
        let partition = OffsetDeleteRequestPartition { partition_index: PartitionIndex(0) };
        let topic = OffsetDeleteRequestTopic { name: TOPIC.to_owned(), partitions: vec![partition] };
        let request = OffsetDeleteRequest { group_id: GROUP.to_owned(), topics: vec![topic] };
        self.maybe(-1);
        self.requests.send(&request, 0, What::Delete, context);
    }

    fn delete_group(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(DeleteGroupsRequest::VERSIONS);
        let request = DeleteGroupsRequest { groups_names: vec![GROUP.to_owned()] };
        self.maybe(-1);
        self.requests.send(&request, version, What::DeleteGroup, context);
    }

    fn fetch(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(1..=FETCH_MAX);
        let topic =
            OffsetFetchRequestTopic { name: TOPIC.to_owned(), partition_indexes: vec![PartitionIndex(0)] };
        let request = OffsetFetchRequest {
            group_id: GROUP.to_owned(),
            topics: Some(vec![topic]),
            ..OffsetFetchRequest::default()
        };
        self.requests.send(&request, version, What::Fetch, context);
    }

    fn list(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(ListGroupsRequest::VERSIONS);
        self.requests.send(&ListGroupsRequest::default(), version, What::List, context);
    }

    fn describe(&mut self, context: &mut Context<'_>) {
        let version = context.random.version(DescribeGroupsRequest::VERSIONS);
        let request =
            DescribeGroupsRequest { groups: vec![GROUP.to_owned()], ..DescribeGroupsRequest::default() };
        self.requests.send(&request, version, What::Describe, context);
    }

    /// What was asked for may come to be, and what was before may stay.
    fn maybe(&mut self, offset: i64) {
        if !self.possible.is_empty() {
            self.possible.push(offset);
        }
    }

    /// Whether an offset is committed for sure.
    fn is_committed(&self) -> bool {
        !self.possible.is_empty() && self.possible.iter().all(|offset| *offset >= 0)
    }

    fn found(&mut self, offset: i64) -> Result<(), String> {
        if !self.possible.is_empty() && !self.possible.contains(&offset) {
            return Err(format!("{GROUP} has committed {offset}, and only {:?} may be", self.possible));
        }
        self.possible = vec![offset];
        Ok(())
    }
}

/// Whether a change was made; or it is told that it may have been.
fn is_done(code: ErrorCode, what: &str) -> Result<bool, String> {
    match code {
        ErrorCode::None => Ok(true),
        ErrorCode::NotCoordinator
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::UnknownTopicOrPartition
        | ErrorCode::GroupIdNotFound => Ok(false),
        other => Err(format!("{what} was answered with {}", other.name())),
    }
}

impl Client for Tidier {
    fn act(&mut self, context: &mut Context<'_>) {
        if self.power_losses != context.oracle.power_losses {
            self.power_losses = context.oracle.power_losses;
            self.possible.clear();
        }
        if !self.requests.is_empty() || context.draining || context.oracle.topic(TOPIC).is_none() {
            return;
        }
        match context.random.below(10) {
            0..3 => self.commit(context),
            3 => self.delete(context),
            4 => self.delete_group(context),
            5 => self.list(context),
            6 => self.describe(context),
            _ => self.fetch(context),
        }
    }

    fn reply(&mut self, frame: &[u8], context: &mut Context<'_>) -> Result<(), String> {
        let Answered { version, sent, what } = self.requests.answered(frame, context)?;
        match what {
            What::Commit(offset) => {
                let response = body::<OffsetCommitRequest>(frame, version)?;
                let answer = response.topics.first().and_then(|topic| topic.partitions.first());
                let code = answer.ok_or("OffsetCommit was answered without its partition")?.error_code;
                if is_done(code, "OffsetCommit")? {
                    context.oracle.acknowledged(sent)?;
                    self.possible = vec![offset];
                }
            }
            What::Delete => {
                let response = body::<OffsetDeleteRequest>(frame, version)?;
                let answer = response.topics.first().and_then(|topic| topic.partitions.first());
                let code = answer.map_or(response.error_code, |partition| partition.error_code);
                if is_done(code, "OffsetDelete")? {
                    context.oracle.acknowledged(sent)?;
                    context.oracle.counters.offsets_deleted += 1;
                    self.possible = vec![-1];
                }
            }
            What::DeleteGroup => {
                let response = body::<DeleteGroupsRequest>(frame, version)?;
                let code = response.results.first().ok_or("DeleteGroups without its group")?.error_code;
                if is_done(code, "DeleteGroups")? {
                    context.oracle.acknowledged(sent)?;
                    context.oracle.counters.groups_deleted += 1;
                    self.possible = vec![-1];
                } else if code == ErrorCode::GroupIdNotFound && self.is_missing_wrong() {
                    return Err(format!("{GROUP} is not there to be deleted"));
                }
            }
            What::Fetch => {
                let response = body::<OffsetFetchRequest>(frame, version)?;
                let answer = response.topics.first().and_then(|topic| topic.partitions.first());
                let code = answer.map_or(response.error_code, |partition| partition.error_code);
                if is_done(code, "OffsetFetch")? {
                    let offset = answer.ok_or("OffsetFetch was answered without its partition")?;
                    self.found(offset.committed_offset.0)?;
                }
            }
            What::List => {
                let response = body::<ListGroupsRequest>(frame, version)?;
                is_done(response.error_code, "ListGroups")?;
                // A broker that does not lead the partition yet lists nothing of it.
                context.oracle.counters.groups_listed += response.groups.len() as u64;
            }
            What::Describe => {
                let response = body::<DescribeGroupsRequest>(frame, version)?;
                let group = response.groups.first().ok_or("DescribeGroups without its group")?;
                let is_dead = group.group_state == "Dead" || group.error_code == ErrorCode::GroupIdNotFound;
                if version < NOT_FOUND_FROM && group.error_code == ErrorCode::GroupIdNotFound {
                    return Err("an old client is told of GROUP_ID_NOT_FOUND".to_owned());
                }
                is_done(group.error_code, "DescribeGroups")?;
                if is_dead && self.is_committed() {
                    return Err(format!("{GROUP} has committed, and is dead"));
                }
                if !is_dead && !group.error_code.is_error() && group.group_state != "Empty" {
                    return Err(format!("{GROUP} has no members and is {}", group.group_state));
                }
            }
        }
        Ok(())
    }

    fn lost(&mut self, _context: &mut Context<'_>) {
        self.requests.lost();
    }

    fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    fn waits_since(&self) -> Option<u64> {
        self.requests.waits_since()
    }
}

impl Tidier {
    /// Whether the group must be there although it is said to be missing: what was before the deletion was asked for
    /// was an offset.
    fn is_missing_wrong(&self) -> bool {
        self.possible
            .split_last()
            .is_some_and(|(_, before)| !before.is_empty() && before.iter().all(|offset| *offset >= 0))
    }
}
