//! The text that Prometheus reads, and what it costs.

use std::collections::BTreeSet;

use node::metrics::Metrics;
use protocol::{ApiKey, ErrorCode};

use super::declared::{ALL, Kind};
use super::*;

#[test]
fn names_follow_prometheus_conventions() {
    let mut names = BTreeSet::new();
    for metric in ALL {
        let name = metric.name;
        assert!(names.insert(name), "{name} is declared twice");
        assert!(name.starts_with("gregor_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert!(metric.kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        assert!(!name.contains("_ms") && !name.contains("milli"), "{name} is not in a base unit");
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
    }
}

struct Broker {
    metrics: Metrics,
    topics: Vec<String>,
    partitions: i32,
}

impl Source for Broker {
    fn scrape(&self, families: &mut Families) {
        counters::scrape(&self.metrics.snapshot(), families);
        for topic in &self.topics {
            for partition in 0..self.partitions {
                families.partition(&PartitionSample {
                    topic,
                    partition,
                    log_start_offset: 0,
                    high_watermark: 1_234_567_890,
                    log_end_offset: 1_234_567_890,
                    size_bytes: 98_765_432_100,
                    leader_epoch: 3,
                    is_leader: true,
                });
            }
        }
    }
}

fn broker(topics: usize, partitions: i32) -> Broker {
    let topics = (0..topics).map(|i| format!("orders-of-the-day-{i}")).collect();
    Broker { metrics: Metrics::new(1), topics, partitions }
}

/// Checks what Prometheus' parser demands: each metric's HELP and TYPE once and before its samples, its samples
/// together, no sample twice.
fn assert_well_formed(text: &str) {
    let mut typed = BTreeSet::new();
    let mut samples = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            current = rest.split(' ').next().unwrap().to_owned();
            assert!(typed.insert(current.clone()), "{current} has two types");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            assert!(name == current || base == Some(&current), "{line} stands under {current}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(series.to_owned()), "{series} stands twice");
        }
    }
}

#[test]
fn counters_become_samples() {
    let broker = broker(1, 2);
    let shard = broker.metrics.shard(0);
    shard.requests(ApiKey::Produce, 1);
    shard.answered(ApiKey::Produce, 3_000_000, 1);
    shard.answered(ApiKey::Produce, 20_000_000, 1);
    shard.error(ApiKey::Produce, ErrorCode::NotLeaderOrFollower);
    shard.sent_bytes.add(77);
    shard.sync_ns.add(1_500_000_000);
    let text = scrape(&broker).unwrap();
    assert_well_formed(&text);
    for line in [
        "# TYPE gregor_requests_total counter",
        "gregor_requests_total{api=\"Produce\"} 1",
        "gregor_request_duration_seconds_bucket{api=\"Produce\",le=\"0.0025\"} 0",
        "gregor_request_duration_seconds_bucket{api=\"Produce\",le=\"0.005\"} 1",
        "gregor_request_duration_seconds_bucket{api=\"Produce\",le=\"0.025\"} 2",
        "gregor_request_duration_seconds_bucket{api=\"Produce\",le=\"+Inf\"} 2",
        "gregor_request_duration_seconds_sum{api=\"Produce\"} 0.023",
        "gregor_request_errors_total{api=\"Produce\",error=\"NOT_LEADER_OR_FOLLOWER\"} 1",
        "gregor_network_transmit_bytes_total 77",
        "gregor_log_sync_seconds_total 1.5",
        "gregor_partition_size_bytes{topic=\"orders-of-the-day-0\",partition=\"1\"} 98765432100",
        "gregor_partition_is_leader{topic=\"orders-of-the-day-0\",partition=\"0\"} 1",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is missing from\n{text}");
    }
}

#[test]
fn hostile_names_do_not_break_the_text() {
    let broker = Broker { topics: vec!["a\"} 1\nb\\".to_owned()], ..broker(0, 1) };
    let text = scrape(&broker).unwrap();
    assert_well_formed(&text);
    assert!(text.contains("topic=\"a\\\"} 1\\nb\\\\\""), "{text}");
}

#[test]
fn partitions_above_the_bound_are_counted_and_not_listed() {
    let broker = broker(1, i32::try_from(node::config::METRICS_PARTITIONS_MAX).unwrap() + 5);
    let text = scrape(&broker).unwrap();
    assert!(text.contains("\ngregor_partitions_without_series 5\n"));
    assert_eq!(
        text.matches("gregor_partition_size_bytes{").count(),
        node::config::METRICS_PARTITIONS_MAX,
        "each listed partition has one series of each metric"
    );
}

/// CPU time of this thread, from /proc: in ticks of 10 ms.
fn thread_cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1_000_000
}

#[test]
fn a_scrape_of_ten_thousand_partitions_is_cheap() {
    let broker = broker(100, 100);
    let before = thread_cpu_ms();
    let text = scrape(&broker).unwrap();
    let cost = thread_cpu_ms() - before;
    assert!(text.len() > 4_000_000, "{}", text.len());
    println!("{cost} ms of CPU, {} bytes", text.len());
    // 100 ms is the bound of a release build; without optimization it is wide enough to hold on any machine.
    let bound = if cfg!(debug_assertions) { 1_000 } else { 100 };
    assert!(cost <= bound, "{cost} ms");
}
