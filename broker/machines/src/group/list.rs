//! ListGroups, DescribeGroups, and figures.

use bytes::Bytes;
use protocol::ErrorCode;

use super::GroupShard;
use super::member::Member;
use super::reply::{DescribedGroup, DescribedMember, GroupCounts, GroupState, ListedGroup};

/// The type of every group here, as ListGroups has it (KIP-848).
const CLASSIC: &str = "classic";

impl GroupShard {
    /// ListGroups. States (KIP-518) and types (KIP-848) are Kafka's names in any case; none means all.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS`, `NOT_COORDINATOR`.
    pub fn list(&self, states: &[String], types: &[String]) -> Result<Vec<ListedGroup>, ErrorCode> {
        self.check_serving()?;
        let has = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        if !has(types, CLASSIC) {
            return Ok(Vec::new());
        }
        let groups = self.groups.values().filter(|group| has(states, group.state.name()));
        let listed = groups.map(|group| ListedGroup {
            group_id: group.id.as_ref().to_owned(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            state: group.state,
        });
        Ok(listed.collect())
    }

    /// DescribeGroups, one group. One that does not exist is Dead, with `GROUP_ID_NOT_FOUND` for those who know that
    /// (KIP-1043).
    #[must_use]
    pub fn describe(&self, group_id: &str) -> DescribedGroup {
        let absent = |error_code, error_message| DescribedGroup {
            error_code,
            error_message,
            group_id: group_id.to_owned(),
            state: GroupState::Dead,
            protocol_type: String::new(),
            protocol_data: String::new(),
            members: Vec::new(),
        };
        if let Err(error_code) = self.check_serving() {
            return absent(error_code, None);
        }
        let Some(group) = self.groups.get(group_id) else {
            return absent(ErrorCode::GroupIdNotFound, Some(format!("Group {group_id} not found.")));
        };
        // Before that, members may not have agreed on anything.
        let protocol = group.protocol_name.as_deref().filter(|_| group.is(GroupState::Stable));
        let described = |member: &Member| DescribedMember {
            member_id: member.id.as_ref().to_owned(),
            group_instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.as_ref().to_owned(),
            client_host: member.client_host.as_ref().to_owned(),
            metadata: protocol.map_or_else(Bytes::new, |protocol| member.metadata(protocol)),
            assignment: member.assignment.clone(),
        };
        DescribedGroup {
            error_code: ErrorCode::None,
            error_message: None,
            group_id: group_id.to_owned(),
            state: group.state,
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.unwrap_or_default().to_owned(),
            members: group.members.values().map(described).collect(),
        }
    }

    /// Figures, without looking at any group.
    #[must_use]
    pub fn counts(&self) -> GroupCounts {
        let tally = &self.shared.tally;
        let [empty, preparing_rebalance, completing_rebalance, stable] = tally.states;
        GroupCounts {
            groups: self.groups.len(),
            empty,
            preparing_rebalance,
            completing_rebalance,
            stable,
            members: tally.members,
            offsets: self.shared.durable.offsets_count(),
            ignored_records: tally.ignored_records,
            rebalances: tally.rebalances,
            offset_commits: tally.offset_commits,
            offset_expirations: tally.offset_expirations,
        }
    }
}
