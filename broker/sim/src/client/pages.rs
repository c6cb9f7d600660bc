//! A list of all topics and partitions, read page by page, and compared when the last page is there.

use std::collections::BTreeMap;

use protocol::ErrorCode;
use protocol::id::TopicId;
use protocol::message::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};

use super::Context;

/// A list that is being read.
pub(super) struct Pages {
    /// When the first page was asked for: what came or went since may be in the list or not.
    since: u64,
    /// Partitions that a page may have.
    limit: i32,
    cursor: Option<Cursor>,
    /// Each topic's id and the partitions seen of it.
    found: BTreeMap<String, (TopicId, Vec<i32>)>,
}

impl Pages {
    pub(super) fn new(context: &mut Context<'_>) -> Self {
        let limit = context.random.between_i32(1, 7);
        Self { since: context.now, limit, cursor: None, found: BTreeMap::new() }
    }

    pub(super) fn request(&self) -> DescribeTopicPartitionsRequest {
        DescribeTopicPartitionsRequest {
            topics: Vec::new(),
            response_partition_limit: self.limit,
            cursor: self.cursor.clone(),
        }
    }

    /// Takes a page. Whether it was the last one.
    pub(super) fn take(
        &mut self,
        response: DescribeTopicPartitionsResponse,
        context: &mut Context<'_>,
    ) -> Result<bool, String> {
        let count: usize = response.topics.iter().map(|topic| topic.partitions.len()).sum();
        if count > usize::try_from(self.limit).unwrap_or(0) {
            return Err(format!("a page of at most {} partitions has {count}", self.limit));
        }
        for topic in response.topics {
            if topic.error_code.is_error() {
                return Err(format!("{:?} is listed with {}", topic.name, topic.error_code.name()));
            }
            let name = topic.name.unwrap_or_default();
            if self.found.last_key_value().is_some_and(|(last, _)| *last > name) {
                return Err(format!("{name} comes late in the list"));
            }
            let known = self.found.entry(name).or_insert((topic.topic_id, Vec::new()));
            if known.0 != topic.topic_id {
                // Deleted and created anew between two pages.
                *known = (topic.topic_id, Vec::new());
            }
            for partition in topic.partitions {
                if !matches!(partition.error_code, ErrorCode::None | ErrorCode::LeaderNotAvailable) {
                    return Err(format!("a partition is listed with {}", partition.error_code.name()));
                }
                known.1.push(partition.partition_index.0);
            }
        }
        if let Some(cursor) = &response.next_cursor {
            context.oracle.counters.cursors += u64::from(cursor.partition_index.0 > 0);
            if self.cursor.as_ref() == Some(cursor) {
                return Err(format!("the list stays at {cursor:?}"));
            }
        }
        self.cursor = response.next_cursor;
        Ok(self.cursor.is_none())
    }

    /// The list is whole: every topic that was there all the time has to be in it, with all its partitions.
    pub(super) fn finish(self, context: &mut Context<'_>) -> Result<(), String> {
        context.oracle.counters.lists_checked += 1;
        for topic in context.oracle.topics() {
            if topic.created_at >= self.since {
                continue;
            }
            let Some((id, partitions)) = self.found.get(&topic.name) else {
                return Err(format!("{} is not in the list", topic.name));
            };
            if *id != topic.id {
                return Err(format!("{} is listed with another id", topic.name));
            }
            let whole: Vec<i32> = (0..i32::try_from(partitions.len()).unwrap_or(0)).collect();
            let grew = topic.grown_at >= self.since || topic.partitions_maybe != topic.partitions;
            let count_fits = whole.len() == usize::try_from(topic.partitions).unwrap_or(0);
            if *partitions != whole || !(grew || count_fits) {
                return Err(format!("{} has partitions {partitions:?} in the list", topic.name));
            }
        }
        Ok(())
    }
}
