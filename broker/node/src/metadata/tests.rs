//! What clients see of decisions, and of a metadata log that cannot be written or read.

use protocol::ErrorCode;
use protocol::message::CreateTopicsRequest;
use protocol::message::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use storage::disk::VirtualDisk;

use crate::testing::{Bench, Link};

const BROKER: i8 = 4;

/// Keys of this broker's with values of about so many bytes in all.
fn heavy(listener: &str, bytes: usize) -> IncrementalAlterConfigsRequest {
    const VALUE: usize = 32_000;
    let config = |number| AlterableConfig {
        name: format!("listener.name.{listener}{number}.ssl.keystore.location"),
        config_operation: 0,
        value: Some("x".repeat(VALUE)),
    };
    IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: BROKER,
            resource_name: "1".to_owned(),
            configs: (0..bytes / VALUE).map(config).collect(),
        }],
        ..IncrementalAlterConfigsRequest::default()
    }
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
