//! What /metrics says of what clients did.

use std::io::Write;

use protocol::ErrorCode;
use protocol::id::{Offset, PartitionIndex};
use protocol::message::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::message::{FindCoordinatorRequest, MetadataRequest, OffsetCommitRequest};

use crate::broker::Broker;

#[test]
fn requests_their_bytes_and_durations_are_counted() {
    let broker = Broker::start(&[]);
    let mut client = broker.connect();
    client.create_topic("t", 1, &[]);
    let (received, sent) = ("gregor_network_receive_bytes_total", "gregor_network_transmit_bytes_total");
    let before = (broker.metric(received).unwrap(), broker.metric(sent).unwrap());
    let frames: Vec<u8> = (0..3).flat_map(|_| client.produce_frame("t", 100)).collect();
    client.stream.write_all(&frames).unwrap();
    let answers: usize = (0..3).map(|_| client.receive_frame().unwrap().len() + 4).sum();
    broker.expect_metric("gregor_request_duration_seconds_count{api=\"Produce\"}", 3.0);
    broker.expect_metric("gregor_requests_total{api=\"Produce\"}", 3.0);
    broker.expect_metric(received, before.0 + frames.len() as f64);
    broker.expect_metric(sent, before.1 + answers as f64);
    broker.expect_metric("gregor_appended_records_total", 3.0);
    broker.expect_metric("gregor_partition_log_end_offset{topic=\"t\",partition=\"0\"}", 3.0);

    client.send_fetch("t", 3, 300);
    broker.expect_metric("gregor_parked_requests", 1.0);
    assert_eq!(client.receive_fetched(), 0);
    broker.expect_metric("gregor_request_duration_seconds_count{api=\"Fetch\"}", 1.0);
    let waited = broker.metric("gregor_request_duration_seconds_sum{api=\"Fetch\"}").unwrap();
    assert!((0.3..10.0).contains(&waited), "{waited} s for a Fetch that waited 300 ms");
    broker.expect_metric("gregor_parked_requests", 0.0);

    // The bytes of records go by sendfile and are counted all the same.
    let before = broker.metric(sent).unwrap();
    client.send_fetch("t", 0, 0);
    let answer = client.receive_frame().unwrap().len() + 4;
    broker.expect_metric(sent, before + answer as f64);
}

#[test]
fn connections_are_those_of_clients() {
    let topic = "apiVersion: gregor.dev/v1alpha1\nkind: Topic\nmetadata:\n  name: orders\n\
                 spec:\n  clusterRef:\n    name: demo\n  partitions: 2\n";
    let broker = Broker::start_dev(topic);
    // The manifest is applied by a session inside the process.
    broker.expect_metric("gregor_partitions", 2.0);
    broker.expect_metric("gregor_connections", 0.0);
    broker.expect_metric("gregor_connections_opened_total", 0.0);
    let mut client = broker.connect();
    let response = client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 9);
    assert_eq!(response.topics[0].error_code, ErrorCode::None);
    broker.expect_metric("gregor_connections", 1.0);
    drop(client);
    broker.expect_metric("gregor_connections", 0.0);
    broker.expect_metric("gregor_connections_opened_total", 1.0);
}

#[test]
fn logs_are_synced_and_their_directory_described() {
    let broker = Broker::start(&[("background.sync.interval.ms", "20")]);
    let mut client = broker.connect();
    client.create_topic("t", 3, &[]);
    assert_eq!(client.produce("t", 50_000), ErrorCode::None);
    broker.expect_metric("gregor_log_syncs_total", 1.0);
    let took = broker.metric("gregor_log_sync_seconds_total").unwrap();
    assert!(took > 0.0 && took < 10.0, "{took} s");
    for (series, value) in [
        ("gregor_topics", 1.0),
        ("gregor_partitions", 3.0),
        ("gregor_partition_leaders", 3.0),
        ("gregor_partitions_under_replicated", 0.0),
        ("gregor_partitions_under_min_isr", 0.0),
        ("gregor_quorum_is_leader", 1.0),
        ("gregor_broker_unfenced", 1.0),
        ("gregor_broker_id", 1.0),
        ("gregor_log_recovering_partitions", 0.0),
        // Its own and that of the metadata.
        ("gregor_log_open_files", 2.0),
    ] {
        assert_eq!(broker.metric(series), Some(value), "{series}");
    }
    let of_directory = |name: &str| broker.metric(&format!("{name}{{directory=\"{}\"}}", broker.logs()));
    assert_eq!(of_directory("gregor_log_directory_offline"), Some(0.0));
    assert_eq!(of_directory("gregor_log_directory_full"), Some(0.0));
    assert_eq!(of_directory("gregor_log_unsynced_bytes"), Some(0.0));
    assert!(of_directory("gregor_log_directory_used_bytes").unwrap() > 50_000.0);
    assert!(of_directory("gregor_log_directory_free_bytes").unwrap() > 1e6);
    let committed = broker.metric("gregor_quorum_committed_offset").unwrap();
    assert!(
        committed > 3.0 && broker.metric("gregor_quorum_applied_offset") == Some(committed),
        "{committed}"
    );
}

#[test]
fn groups_are_counted_and_their_lag_is_shown() {
    let broker = Broker::start(&[("metrics.group.partitions.max", "1")]);
    let mut client = broker.connect();
    client.create_topic("t", 2, &[]);
    let find = FindCoordinatorRequest { key: "g".to_owned(), ..FindCoordinatorRequest::default() };
    assert_eq!(client.call(&find, 3).error_code, ErrorCode::None);
    for _ in 0..3 {
        assert_eq!(client.produce("t", 100), ErrorCode::None);
    }
    let mut commit = |partition: i32, offset: i64| {
        let partition = OffsetCommitRequestPartition {
            partition_index: PartitionIndex(partition),
            committed_offset: Offset(offset),
            ..OffsetCommitRequestPartition::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: "t".to_owned(),
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        };
        let request = OffsetCommitRequest {
            group_id: "g".to_owned(),
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        assert_eq!(client.call(&request, 9).topics[0].partitions[0].error_code, ErrorCode::None);
    };
    commit(0, 1);
    let series = |name: &str| format!("{name}{{group=\"g\",topic=\"t\",partition=\"0\"}}");
    broker.expect_metric(&series("gregor_group_lag_records"), 2.0);
    let seconds = broker.metric(&series("gregor_group_lag_seconds")).unwrap();
    assert!((0.0..60.0).contains(&seconds), "{seconds}");
    broker.expect_metric("gregor_groups{state=\"Empty\"}", 1.0);
    broker.expect_metric("gregor_group_offset_commits_total", 1.0);
    broker.expect_metric("gregor_group_partitions_without_series", 0.0);
    commit(0, 3);
    broker.expect_metric(&series("gregor_group_lag_records"), 0.0);
    broker.expect_metric(&series("gregor_group_lag_seconds"), 0.0);
    commit(1, 0);
    broker.expect_metric("gregor_group_partitions_without_series", 1.0);
    broker.expect_metric("gregor_group_offsets", 2.0);
}

#[test]
fn segments_that_retention_deletes_are_counted() {
    let broker =
        Broker::start(&[("log.retention.check.interval.ms", "20"), ("log.segment.bytes", "1048576")]);
    let mut client = broker.connect();
    client.create_topic("t", 1, &[("retention.bytes", "1100000")]);
    for _ in 0..4 {
        assert_eq!(client.produce("t", 900_000), ErrorCode::None);
    }
    broker.expect_metric("gregor_log_deleted_segments_total", 2.0);
}
#[test]
fn every_metric_without_labels_of_its_own_is_served_from_the_start() {
    let broker = Broker::start(&[]);
    let text = broker.get("/metrics");
    for metric in broker::metrics::declared::ALL {
        let labelled = metric.labels.iter().any(|label| ["api", "topic", "error"].contains(label));
        assert!(
            labelled || text.contains(&format!("\n# TYPE {} ", metric.name)),
            "{} is not served",
            metric.name
        );
    }
}
