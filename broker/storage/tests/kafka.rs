//! What Apache Kafka wrote is read here, and what is written here is read by Apache Kafka's own tool.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and so do its helpers")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use protocol::id::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp,
    TopicPartition, Uuid,
};
use protocol::records::{
    BatchBuilder, BatchHeader, Batches, CheckedBatch, Compression, ControlRecord, ControlType, crc_matches,
};
use storage::disk::{RealDisk, Wait};
use storage::{AppendOutcome, Depth, Directory, Identity, Limits, Log, LogConfig};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kafka-4.3.1")
}

/// A copy of the directory that Kafka wrote.
fn copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&testdata(), copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn open(path: &Path) -> Directory {
    let identity = Identity { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), node_id: BrokerId(1) };
    Directory::open(Arc::new(RealDisk), path, &identity, Uuid([5; 16]), Limits::default()).unwrap()
}

fn orders(partition: i32) -> TopicPartition {
    TopicPartition { topic: "orders".into(), partition: PartitionIndex(partition) }
}

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 512, ..LogConfig::default() }
}

fn headers(log: &Log) -> Vec<BatchHeader> {
    let mut headers: Vec<BatchHeader> = Vec::new();
    let mut from = log.log_start_offset();
    while from < log.log_end_offset() {
        let plan = log.plan_read(from, log.log_end_offset(), 1000).unwrap();
        let bytes = plan.run(Wait::Long).unwrap().range.unwrap().read(Wait::Long).unwrap();
        for batch in Batches::new(&bytes) {
            let (header, bytes) = batch.unwrap();
            assert!(crc_matches(bytes));
            from = header.next_offset();
            headers.push(header);
        }
    }
    headers
}

#[test]
fn a_directory_of_kafkas_is_opened() {
    let path = copy();
    let directory = open(path.path());
    assert!(!directory.is_new());
    assert_eq!(directory.clean_shutdown(), Some(BrokerEpoch(15)));
    assert_eq!(directory.partitions(), [orders(0), orders(1)]);
    assert_eq!(directory.read_high_watermarks().unwrap()[&orders(1)], Offset(203));
    let (log, _) = directory.open_log(&orders(0), config(), Timestamp(0)).unwrap();
    assert_eq!(log.log_end_offset(), Offset(0));
    let (mut log, report) = directory.open_log(&orders(1), config(), Timestamp(0)).unwrap();
    assert_eq!(log.log_end_offset(), Offset(203));
    assert_eq!(report.lost_records, 0);
    assert!(report.checked_bytes < 1000, "only behind the last index entry: {report:?}");
    assert_eq!(log.segment_count(), 3);
    assert_eq!(log.topic_id(), Uuid::parse("osb2JkxPQt-2zalJ9FNLhQ").unwrap());
    assert_eq!(log.epoch_end_offset(LeaderEpoch(0)), (LeaderEpoch(0), Offset(203)));
    assert_eq!(log.producer_count(), 3);
    let headers = headers(&log);
    assert_eq!(headers.iter().map(|header| header.records_count).sum::<i32>(), 203);
    // An idempotent producer's last batch is known as a duplicate. (A transaction's would be fenced: its marker
    // has the next epoch, KIP-890.)
    let last = headers.iter().rfind(|header| !header.attributes.is_transactional()).unwrap();
    let mut again = batch(
        BatchBuilder::new()
            .producer(last.producer_id, last.producer_epoch, last.base_sequence)
            .transactional(),
        usize::try_from(last.records_count).unwrap(),
    );
    let base_offset = last.base_offset;
    let outcome = append(&mut log, &mut again);
    assert!(
        matches!(outcome, AppendOutcome::Duplicate { base_offset: b, .. } if b == base_offset),
        "{outcome:?}"
    );
    // By time, through the time index, also into compressed batches.
    for header in headers.iter().step_by(7) {
        let found = log.plan_time(header.base_timestamp, Offset(203)).run(Wait::Long).unwrap().unwrap();
        assert!(found.offset <= header.base_offset && found.timestamp >= header.base_timestamp);
    }
}

#[test]
fn indexes_made_anew_are_the_ones_that_kafka_wrote() {
    let path = copy();
    fs::remove_file(path.path().join(".kafka_cleanshutdown")).unwrap();
    let folder = path.path().join("orders-1");
    let suffixes = ["index", "timeindex"];
    for base in [0, 100] {
        for suffix in suffixes {
            fs::remove_file(folder.join(format!("{base:020}.{suffix}"))).unwrap();
        }
    }
    let directory = open(path.path());
    let (mut log, _) = directory.open_log(&orders(1), config(), Timestamp(0)).unwrap();
    log.close_clean().unwrap();
    for base in [0, 100, 180] {
        for suffix in suffixes {
            let name = format!("{base:020}.{suffix}");
            let kafkas = fs::read(testdata().join("orders-1").join(&name)).unwrap();
            assert_eq!(fs::read(folder.join(&name)).unwrap(), kafkas, "{name}");
        }
    }
    for name in ["00000000000000000203.snapshot", "leader-epoch-checkpoint", "partition.metadata"] {
        let kafkas = fs::read(testdata().join("orders-1").join(name)).unwrap();
        assert_eq!(fs::read(folder.join(name)).unwrap(), kafkas, "{name}");
    }
}

#[test]
fn a_log_without_checkpoints_is_recovered_whole() {
    let path = copy();
    for name in [".kafka_cleanshutdown", "recovery-point-offset-checkpoint"] {
        fs::remove_file(path.path().join(name)).unwrap();
    }
    let directory = open(path.path());
    assert_eq!(directory.clean_shutdown(), None);
    let (log, report) = directory.open_log(&orders(1), config(), Timestamp(0)).unwrap();
    assert_eq!(report.checked_bytes, 7426 + 7526 + 2153);
    assert_eq!(report.cut_bytes, 0);
    assert_eq!(log.log_end_offset(), Offset(203));
    assert_eq!(headers(&log).len(), headers(&log).len());
}

fn batch(mut builder: BatchBuilder, count: usize) -> Vec<u8> {
    for i in 0..count {
        let value = format!("value {i} of a batch");
        builder.push(Timestamp(1_700_000_000_000), Some(b"key"), Some(value.as_bytes()), &[]);
    }
    builder.build().unwrap()
}

fn append(log: &mut Log, bytes: &mut [u8]) -> AppendOutcome {
    let header = BatchHeader::parse(bytes).unwrap();
    let mut outcomes = Vec::new();
    let mut checked = [CheckedBatch { header, bytes }];
    log.append_as_leader(Timestamp(0), LeaderEpoch(4), &mut checked, &mut outcomes).unwrap();
    outcomes[0]
}

/// Writes a log with producers, transactions, compression and several segments.
fn write_log(directory: &Directory) {
    let config = LogConfig { segment_bytes: 10_000, index_interval_bytes: 512, ..LogConfig::default() };
    let mut log = directory.create_log(&orders(0), Uuid([3; 16]), config, Timestamp(0)).unwrap();
    for i in 0..200 {
        let plain = BatchBuilder::new();
        let packed = BatchBuilder::new().compression(Compression::Lz4, None);
        let builder = if i % 3 == 0 { packed } else { plain };
        let builder = match i % 4 {
            0 => builder.producer(ProducerId(7), ProducerEpoch(0), i / 4 * 5),
            1 => builder.producer(ProducerId(8), ProducerEpoch(1), i / 4 * 5).transactional(),
            _ => builder,
        };
        append(&mut log, &mut batch(builder, 5));
        if i % 20 == 1 {
            let control_type = if i % 40 == 1 { ControlType::Abort } else { ControlType::Commit };
            let record = ControlRecord { control_type, coordinator_epoch: 2 };
            let builder = BatchBuilder::new().producer(ProducerId(8), ProducerEpoch(1), -1);
            let mut builder = builder.transactional().control();
            let (key, value) = (control_type.key(), record.value());
            builder.push(Timestamp(1_700_000_000_000), Some(&key), Some(&value), &[]);
            append(&mut log, &mut builder.build().unwrap());
        }
        if i == 150 {
            let plan = log.unsynced(Depth::Checkpoint).unwrap();
            plan.run().unwrap();
            log.synced(&plan).unwrap();
        }
    }
    assert!(log.segment_count() > 2);
    let state = log.close_clean().unwrap();
    directory.close_clean(BrokerEpoch(1), BTreeMap::from([(orders(0), state)])).unwrap();
}

#[test]
fn a_clean_directory_opens_again_on_the_real_disk() {
    let path = tempfile::tempdir().unwrap();
    write_log(&open(path.path()));
    let directory = open(path.path());
    let (log, report) = directory.open_log(&orders(0), config(), Timestamp(0)).unwrap();
    assert_eq!(report.checked_bytes, 0);
    let records: i32 = headers(&log).iter().map(|header| header.records_count).sum();
    assert_eq!(records, 200 * 5 + 10);
}

/// What DumpLogSegments says of files; it must not complain.
fn dump(libs: &str, files: &[PathBuf], options: &[&str]) -> String {
    let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-cp", &format!("{libs}/*"), "org.apache.kafka.tools.DumpLogSegments"]);
    let output = command.args(options).args(["--files", &names.join(",")]).output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let bad = [
        "Found",
        "Mismatches",
        "Non-secutive",
        "does not match",
        "invalid",
        "Exception",
        "out of order",
        "not valid",
        "isvalid: false",
    ];
    let complaint = text.lines().find(|line| bad.iter().any(|bad| line.contains(bad)));
    assert!(output.status.success() && complaint.is_none(), "{options:?}: {complaint:?}\n{text}");
    text
}

#[test]
#[ignore = "needs Java, and Apache Kafka's jars in the folder that KAFKA_LIBS names: e2e/parts/disk runs it"]
fn dump_log_segments_finds_nothing_wrong() {
    let libs = std::env::var("KAFKA_LIBS").unwrap();
    let path = tempfile::tempdir().unwrap();
    write_log(&open(path.path()));
    let folder = path.path().join("orders-0");
    let files = |suffix: &str| {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|found| found == suffix)).collect();
        files.sort();
        assert!(!files.is_empty(), "no file ends in {suffix}");
        files
    };
    let text = dump(&libs, &files("log"), &["--deep-iteration", "--print-data-log"]);
    assert_eq!(text.lines().filter(|line| line.starts_with("| offset:")).count(), 1010);
    for suffix in ["index", "timeindex"] {
        dump(&libs, &files(suffix), &["--verify-index-only"]);
        dump(&libs, &files(suffix), &["--index-sanity-check"]);
    }
    let text = dump(&libs, &files("txnindex"), &[]);
    assert_eq!(text.matches("producerId: 8").count(), 5, "aborted transactions: {text}");
    // One entry for each batch that is remembered, the newest last: that is the one that Kafka's broker keeps.
    let text = dump(&libs, &files("snapshot").split_off(files("snapshot").len() - 1), &[]);
    let sequences: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("producerId: 7 "))
        .filter_map(|line| line.split("lastSequence: ").nth(1)?.split(' ').next())
        .collect();
    assert_eq!(sequences, ["229", "234", "239", "244", "249"], "{text}");
}
