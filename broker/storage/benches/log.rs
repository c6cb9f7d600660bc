//! What an append and a cached read cost, on the file system where the target folder lies.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::id::{
    BrokerEpoch, BrokerId, LeaderEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp,
    TopicPartition, Uuid,
};
use protocol::records::{BatchBuilder, BatchHeader, CheckedBatch};
use storage::disk::{RealDisk, Wait};
use storage::{Depth, Directory, Identity, Limits, Log, LogConfig, OpenFiles, Start};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A batch of 100-byte records.
fn batch(records: usize, builder: BatchBuilder) -> Vec<u8> {
    let mut builder = builder;
    for _ in 0..records {
        builder.push(NOW, None, Some(&[7; 100]), &[]);
    }
    builder.build().unwrap()
}

fn create(folder: &Path) -> Log {
    let files = OpenFiles::new(Arc::new(RealDisk), Limits::default());
    Log::create(&files, folder, Uuid([1; 16]), LogConfig::default(), NOW).unwrap()
}

fn append(log: &mut Log, bytes: &mut [u8], outcomes: &mut Vec<storage::AppendOutcome>) {
    let header = BatchHeader::parse(bytes).unwrap();
    outcomes.clear();
    log.append_as_leader(NOW, LeaderEpoch(1), &mut [CheckedBatch { header, bytes }], outcomes).unwrap();
}

/// Keeps a long benchmark from filling the disk.
fn trim(log: &mut Log) {
    if log.size_bytes() > 512 << 20 {
        let removed = log.truncate_fully(log.log_end_offset(), NOW).unwrap();
        storage::remove_files(&RealDisk, &removed).unwrap();
    }
}

fn appends(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = c.benchmark_group("append");
    for (name, records) in [("1 record", 1), ("1 KB", 10), ("16 KB", 150), ("512 KB", 4800)] {
        let mut log = create(&folder.path().join(format!("t-{records}")));
        let mut bytes = batch(records, BatchBuilder::new());
        let mut outcomes = Vec::new();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| append(&mut log, &mut bytes, &mut outcomes));
            trim(&mut log);
        });
    }
    let mut log = create(&folder.path().join("idempotent-0"));
    let mut sequence = 0i32;
    let mut outcomes = Vec::new();
    let mut bytes = batch(1, BatchBuilder::new().producer(ProducerId(5), ProducerEpoch(0), 0));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("1 record, idempotent", |b| {
        b.iter(|| {
            let mut header = BatchHeader::parse(&bytes).unwrap();
            header.base_sequence = sequence;
            sequence = sequence.wrapping_add(1) & i32::MAX;
            outcomes.clear();
            let bytes = bytes.as_mut_slice();
            log.append_as_leader(NOW, LeaderEpoch(1), &mut [CheckedBatch { header, bytes }], &mut outcomes)
                .unwrap();
        });
    });
    group.finish();
}

fn reads(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = c.benchmark_group("plan and run");
    for (name, records) in [("1 KB batches", 10), ("16 KB batches", 150)] {
        let mut log = create(&folder.path().join(format!("r-{records}")));
        let mut bytes = batch(records, BatchBuilder::new());
        let mut outcomes = Vec::new();
        while log.size_bytes() < 1200 << 20 {
            append(&mut log, &mut bytes, &mut outcomes);
        }
        let end = log.log_end_offset();
        let per_mebibyte = (1 << 20) / bytes.len() * records;
        let back = |mebibytes: usize| Offset(end.0 - i64::try_from(per_mebibyte * mebibytes).unwrap());
        let mut bench = |what: &str, from: Offset, bytes_max: u32| {
            log.plan_read(from, end, bytes_max).unwrap().warm().unwrap();
            group.bench_function(format!("{name}, {what}"), |b| {
                b.iter(|| {
                    let plan = log.plan_read(black_box(from), end, bytes_max).unwrap();
                    black_box(plan.run(Wait::Never).unwrap().range.unwrap())
                });
            });
        };
        bench("newest batch", Offset(end.0 - i64::try_from(records).unwrap()), 1 << 20);
        bench("1 MiB at the tail", back(1), 1 << 20);
        bench("1 MiB 20 MiB back", back(20), 1 << 20);
        bench("1 MiB in a sealed segment", back(1000), 1 << 20);
        bench("one batch in a sealed segment", back(1000), 1);
    }
    group.finish();
}

/// From the clean marker to logs that can be appended to and read.
fn clean_start(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let identity = Identity { cluster_id: "c".into(), node_id: BrokerId(1) };
    let open = || {
        let disk = Arc::new(RealDisk);
        Directory::open(disk, folder.path(), &identity, Uuid([2; 16]), Limits::default()).unwrap()
    };
    let partitions: Vec<TopicPartition> = (0..1000)
        .map(|partition| TopicPartition { topic: "t".into(), partition: PartitionIndex(partition) })
        .collect();
    let directory = open();
    let mut states = BTreeMap::new();
    for partition in &partitions {
        let mut log = directory.create_log(partition, Uuid([1; 16]), LogConfig::default(), NOW).unwrap();
        append(&mut log, &mut batch(100, BatchBuilder::new()), &mut Vec::new());
        states.insert(partition.clone(), log.close_clean().unwrap());
    }
    directory.close_clean(BrokerEpoch(1), states).unwrap();
    drop(directory);
    let mut group = c.benchmark_group("clean start");
    group.bench_function("1,000 partitions", |b| {
        b.iter(|| {
            let directory = open();
            let logs: BTreeMap<_, _> = directory
                .partitions()
                .into_iter()
                .map(|partition| {
                    let log = directory.open_log(&partition, LogConfig::default(), NOW).unwrap().0;
                    (partition, log)
                })
                .collect();
            let states = logs.iter().map(|(p, log)| (p.clone(), log.clean_state().unwrap())).collect();
            directory.close_clean(BrokerEpoch(1), states).unwrap();
        });
    });
    drop(open());
    group.bench_function("1,000 partitions after a kill", |b| {
        b.iter(|| {
            let directory = open();
            let open_one = |partition| directory.open_log(&partition, LogConfig::default(), NOW).unwrap();
            directory.partitions().into_iter().map(open_one).collect::<Vec<_>>()
        });
    });
    group.finish();
}

/// After a kill: everything behind the recovery point is read and checked, the rest is believed.
fn recovery(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = c.benchmark_group("recovery");
    for (name, records) in [("1 KB batches", 10), ("16 KB batches", 150)] {
        let path = folder.path().join(format!("v-{records}"));
        let mut log = create(&path);
        let mut bytes = batch(records, BatchBuilder::new());
        let mut outcomes = Vec::new();
        while log.size_bytes() < 256 << 20 {
            append(&mut log, &mut bytes, &mut outcomes);
        }
        let end = log.log_end_offset();
        let plan = log.unsynced(Depth::Checkpoint).unwrap();
        plan.run().unwrap();
        let size = log.size_bytes();
        drop(log);
        let files = OpenFiles::new(Arc::new(RealDisk), Limits::default());
        let mut bench = |what: &str, recovery_point: Offset, bytes: u64| {
            group.throughput(Throughput::Bytes(bytes));
            group.bench_function(format!("{name}, {what}"), |b| {
                b.iter(|| {
                    let start = Start::Unclean { recovery_point, log_start_offset: Offset(0) };
                    Log::open(&files, &path, LogConfig::default(), start, NOW).unwrap().0.log_end_offset()
                });
            });
        };
        bench("all synced", end, 1);
        bench("nothing synced", Offset(0), size);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(2));
    targets = clean_start, appends, reads, recovery
}
criterion_main!(benches);
