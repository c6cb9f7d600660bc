//! DescribeLogDirs (35): the log directory, what lies in it and how much room it has.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ErrorCode;
use protocol::id::PartitionIndex;
use protocol::message::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use protocol::wire::Reader;
use storage::DirectoryState;

use super::{Call, Handled, decode};
use crate::node::Node;
use crate::partition::Partition;

/// What is asked for; absent is all.
type Wanted = Option<BTreeMap<String, BTreeSet<PartitionIndex>>>;

pub(super) fn handle(call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let request: DescribeLogDirsRequest = decode(reader, call.header.api_version)?;
    let wanted = request.topics.map(wanted);
    let node = call.node;
    let result = if node.directory_state() == DirectoryState::Offline {
        DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError,
            log_dir: node.directory().path().display().to_string(),
            ..DescribeLogDirsResult::default()
        }
    } else {
        describe(node, &wanted)
    };
    call.reply(&DescribeLogDirsResponse { results: vec![result], ..DescribeLogDirsResponse::default() })
}

fn wanted(topics: Vec<DescribableLogDirTopic>) -> BTreeMap<String, BTreeSet<PartitionIndex>> {
    let mut wanted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for topic in topics {
        wanted.entry(topic.topic).or_default().extend(topic.partitions);
    }
    wanted
}

fn describe(node: &Node, wanted: &Wanted) -> DescribeLogDirsResult {
    let bytes = |number: Option<u64>| number.map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX));
    let directory = node.directory();
    let image = node.image();
    let own = image.broker(node.config().node_id);
    let cordoned = own.and_then(|own| own.cordoned_directories.as_deref()).unwrap_or_default();
    DescribeLogDirsResult {
        error_code: ErrorCode::None,
        log_dir: directory.path().display().to_string(),
        topics: topics(node, wanted),
        total_bytes: bytes(node.space().total_bytes()),
        usable_bytes: bytes(node.space().free_bytes()),
        is_cordoned: cordoned.contains(&directory.meta().directory_id),
    }
}

/// By name, so that equal states give equal answers.
fn topics(node: &Node, wanted: &Wanted) -> Vec<DescribeLogDirsTopic> {
    let table = node.table();
    let mut topics = Vec::new();
    for topic in table.topics() {
        let of_topic = match wanted {
            Some(wanted) => match wanted.get(&*topic.name) {
                Some(partitions) => Some(partitions),
                None => continue,
            },
            None => None,
        };
        let hosted = topic.partitions.iter().flatten();
        let asked = hosted.filter(|p| of_topic.is_none_or(|partitions| partitions.contains(&p.index)));
        let partitions: Vec<_> = asked.filter_map(|partition| described(partition)).collect();
        if !partitions.is_empty() {
            topics.push(DescribeLogDirsTopic { name: topic.name.to_string(), partitions });
        }
    }
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    topics
}

/// A log that is being recovered is not there yet, as in Kafka.
fn described(partition: &Partition) -> Option<DescribeLogDirsPartition> {
    let state = partition.lock();
    let log = state.log().ok()?;
    // A follower's log may end before what it knows to be committed.
    let offset_lag = (state.replica.high_watermark().0 - log.log_end_offset().0).max(0);
    Some(DescribeLogDirsPartition {
        partition_index: partition.index,
        partition_size: i64::try_from(log.size_bytes()).unwrap_or(i64::MAX),
        offset_lag,
        is_future_key: false,
    })
}
