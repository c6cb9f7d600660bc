//! What clients see of decisions, and of a metadata log that cannot be written or read.

use std::path::Path;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::message::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::message::metadata::MetadataRequestTopic;
use protocol::message::{CreateTopicsRequest, InitProducerIdRequest, MetadataRequest};
use storage::disk::{Disk, OpenMode, VirtualDisk};

use crate::testing::{Bench, DIRECTORY, Link};

const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

fn set(resource_type: i8, name: &str, keys: &[(String, String)]) -> IncrementalAlterConfigsRequest {
    let config = |(key, value): &(String, String)| AlterableConfig {
        name: key.clone(),
        config_operation: 0,
        value: Some(value.clone()),
    };
    IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: name.to_owned(),
            configs: keys.iter().map(config).collect(),
        }],
        ..IncrementalAlterConfigsRequest::default()
    }
}

/// Keys of this broker's with values of about so many bytes in all.
fn heavy(listener: &str, bytes: usize) -> IncrementalAlterConfigsRequest {
    const VALUE: usize = 32_000;
    let key = |number| format!("listener.name.{listener}{number}.ssl.keystore.location");
    let keys: Vec<_> = (0..bytes / VALUE).map(|number| (key(number), "x".repeat(VALUE))).collect();
    set(BROKER, "1", &keys)
}

fn created(link: &mut Link) -> Option<ErrorCode> {
    link.response::<CreateTopicsRequest>().map(|response| response.topics[0].error_code)
}

fn altered(link: &mut Link) -> Option<ErrorCode> {
    link.response::<IncrementalAlterConfigsRequest>().map(|response| response.responses[0].error_code)
}

#[test]
fn a_decision_too_large_for_the_log_is_refused_and_the_next_is_made() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let response = bench.call(&heavy("large", 9 << 20), 1);
    assert_eq!(response.responses[0].error_code, ErrorCode::PolicyViolation);
    assert_eq!(bench.create("next").topics[0].error_code, ErrorCode::None);
}

#[test]
fn decisions_beyond_what_may_wait_are_refused_and_leave_no_trace() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    let mut links: Vec<Link> = (0..6).map(|_| bench.connect()).collect();
    // The disk is slow: nothing is committed while these come in.
    bench.send_create(&mut links[0], "a");
    bench.send(&mut links[1], &heavy("p", 7 << 20), 1);
    bench.send(&mut links[2], &heavy("q", 7 << 20), 1);
    bench.send_create(&mut links[3], "x");
    bench.send(&mut links[4], &heavy("r", 7 << 20), 1);
    assert_eq!(altered(&mut links[4]), Some(ErrorCode::ThrottlingQuotaExceeded));
    // One of them is committed, and what waits still counts.
    bench.run_job();
    assert_eq!(created(&mut links[0]), Some(ErrorCode::None));
    bench.send_create(&mut links[5], "x");
    bench.run_jobs();
    assert_eq!(created(&mut links[5]), Some(ErrorCode::TopicAlreadyExists));
    assert_eq!(created(&mut links[3]), Some(ErrorCode::None));
    assert_eq!(altered(&mut links[1]), Some(ErrorCode::None));
    assert_eq!(altered(&mut links[2]), Some(ErrorCode::None));
    drop(bench);
    disk.kill();
    let mut bench = Bench::ready(&disk);
    assert_eq!(bench.create("x").topics[0].error_code, ErrorCode::TopicAlreadyExists);
    let keys: Vec<String> = bench
        .node
        .image()
        .configs(&machines::image::ConfigResource::broker(bench.node.config().node_id))
        .map(|(key, _)| key.to_string())
        .collect();
    let of = |listener: &str| keys.iter().filter(|key| key.contains(&format!(".{listener}0."))).count();
    assert_eq!((of("p"), of("q"), of("r")), (1, 1, 0));
}

#[test]
fn resources_without_a_table_of_keys_take_none() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let key = [("consumer.sesion.timeout.ms".to_owned(), "5".to_owned())];
    for (resource_type, name, code) in [
        (GROUP, "g", ErrorCode::InvalidConfig),
        (GROUP, "", ErrorCode::InvalidRequest),
        (CLIENT_METRICS, "m", ErrorCode::InvalidRequest),
        (CLIENT_METRICS, "", ErrorCode::InvalidRequest),
    ] {
        let response = bench.call(&set(resource_type, name, &key), 1);
        assert_eq!(response.responses[0].error_code, code, "{resource_type} {name:?}");
    }
    assert_eq!(bench.call(&set(GROUP, "g", &[]), 1).responses[0].error_code, ErrorCode::None);
}

#[test]
fn keys_of_one_resource_are_bounded() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let mut set_some = |from: usize, to: usize| {
        let key = |number| (format!("listener.name.l{number}.ssl.keystore.location"), "x".to_owned());
        let keys: Vec<_> = (from..to).map(key).collect();
        bench.call(&set(BROKER, "1", &keys), 1).responses[0].error_code
    };
    assert_eq!(set_some(0, 1_001), ErrorCode::PolicyViolation);
    assert_eq!(set_some(0, 600), ErrorCode::None);
    assert_eq!(set_some(400, 1_000), ErrorCode::None);
    assert_eq!(set_some(1_000, 1_001), ErrorCode::PolicyViolation);
}

#[test]
fn a_start_is_refused_when_the_metadata_log_is_damaged() {
    let disk = VirtualDisk::new();
    let mut bench = Bench::ready(&disk);
    assert_eq!(bench.create("a").topics[0].error_code, ErrorCode::None);
    bench.advance(Duration::from_secs(2));
    drop(bench);
    disk.kill();
    let whole = disk.fork();
    let folder = Path::new(DIRECTORY).join("__cluster_metadata-0");
    let log = folder.join("00000000000000000000.log");
    let len = disk.open(&log, OpenMode::Read).unwrap().len().unwrap();
    // The last bytes are those of the newest topic: nothing lies behind them.
    for from_end in [1, 20, len / 2, len - 1] {
        disk.flip(&log, usize::try_from(len - from_end).unwrap(), 1).unwrap();
        let error = Bench::open(&disk, &[]).err().expect("damage").to_string();
        assert!(error.contains("00000000000000000000.log: damaged at byte"), "{from_end}: {error}");
        disk.kill();
        disk.flip(&log, usize::try_from(len - from_end).unwrap(), 1).unwrap();
    }
    let mut bench = Bench::ready(&whole);
    assert_eq!(bench.create("a").topics[0].error_code, ErrorCode::TopicAlreadyExists);
}

#[test]
fn a_request_is_answered_in_time_when_the_log_is_not() {
    let mut bench = Bench::ready(&VirtualDisk::new());
    let mut links: Vec<Link> = (0..4).map(|_| bench.connect()).collect();
    // Its time is a second; that of a request that names none is 30 seconds.
    bench.send_create(&mut links[0], "a");
    bench.send(&mut links[1], &set(BROKER, "1", &[("log.retention.ms".to_owned(), "99".to_owned())]), 1);
    bench.send(&mut links[2], &InitProducerIdRequest::default(), 4);
    let wanted = MetadataRequestTopic { name: Some("auto".to_owned()), ..MetadataRequestTopic::default() };
    let metadata = MetadataRequest {
        topics: Some(vec![wanted]),
        allow_auto_topic_creation: true,
        ..MetadataRequest::default()
    };
    bench.send(&mut links[3], &metadata, 9);
    bench.pass(Duration::from_millis(999));
    assert_eq!(created(&mut links[0]), None);
    bench.pass(Duration::from_millis(1));
    assert_eq!(created(&mut links[0]), Some(ErrorCode::RequestTimedOut));
    bench.pass(Duration::from_secs(28));
    assert_eq!(altered(&mut links[1]), None);
    bench.pass(Duration::from_secs(1));
    assert_eq!(altered(&mut links[1]), Some(ErrorCode::RequestTimedOut));
    let answer = links[2].response::<InitProducerIdRequest>().map(|response| response.error_code);
    assert_eq!(answer, Some(ErrorCode::CoordinatorLoadInProgress));
    let answer = links[3].response::<MetadataRequest>().map(|response| response.topics[0].error_code);
    assert_eq!(answer, Some(ErrorCode::UnknownTopicOrPartition));
    // What was begun is done all the same, and answered to nobody a second time.
    bench.run_jobs();
    assert_eq!(created(&mut links[0]), None);
    assert_eq!(bench.create("a").topics[0].error_code, ErrorCode::TopicAlreadyExists);
    assert_eq!(bench.create("auto").topics[0].error_code, ErrorCode::TopicAlreadyExists);
    assert_eq!(bench.call(&InitProducerIdRequest::default(), 4).error_code, ErrorCode::None);
}
