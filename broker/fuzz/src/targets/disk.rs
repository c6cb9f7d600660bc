//! A log directory whose files are damaged while the broker is down: it starts or says why not, and serves only what
//! is whole.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use protocol::id::{Offset, PartitionIndex, ProducerEpoch, ProducerId, Timestamp};
use protocol::message::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::message::fetch::{FetchPartition, FetchTopic};
use protocol::message::produce::{PartitionProduceData, TopicProduceData};
use protocol::message::{FetchRequest, MetadataRequest, ProduceRequest};
use protocol::records::{BatchBuilder, Batches, compute_crc, crc_matches};
use storage::disk::{Disk, OpenMode, VirtualDisk, Wait};

use crate::broker::{Broker, DIRECTORY};

const TOPIC: &str = "kept";
const METADATA: &str = "__cluster_metadata-0";
/// What a damage may write at once, and where: a file of these is small.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A directory that a broker left behind when it was killed: several segments, indexes, producers, metadata.
static LEFT: LazyLock<VirtualDisk> = LazyLock::new(|| {
    let disk = VirtualDisk::new();
    let mut broker = Broker::open(&disk).expect("an empty disk starts");
    let configs =
        [("segment.bytes", "2000"), ("segment.index.bytes", "100"), ("index.interval.bytes", "100")];
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    };
    let topic = CreatableTopic {
        name: TOPIC.to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..CreatableTopic::default()
    };
    let request =
        CreateTopicsRequest { topics: vec![topic], timeout_ms: 1_000, ..CreateTopicsRequest::default() };
    broker.call(&request, 7);
    for sequence in 0..30 {
        let mut batch = BatchBuilder::new().producer(
            ProducerId(7 + i64::from(sequence % 2)),
            ProducerEpoch(0),
            sequence / 2,
        );
        batch.push(Timestamp(1_767_225_600_000 + i64::from(sequence)), Some(b"key"), Some(&[b'v'; 150]), &[]);
        broker.call(&produce(batch.build().expect("a batch")), 9);
    }
    // Time for syncs and checkpoints.
    broker.advance(Duration::from_secs(120));
    drop(broker);
    disk.kill();
    disk
});

fn produce(batch: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData { index: PartitionIndex(0), records: Some(batch.into()) };
    let topic = TopicProduceData {
        name: TOPIC.to_owned(),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 1_000, topic_data: vec![topic], ..ProduceRequest::default() }
}

/// The files of the topic's partition.
pub(super) fn run_log(bytes: &[u8]) {
    run(bytes, |path| path.parent().is_some_and(|folder| folder.ends_with(format!("{TOPIC}-0"))));
}

/// The files of the metadata log.
pub(super) fn run_metadata(bytes: &[u8]) {
    run(bytes, |path| path.parent().is_some_and(|folder| folder.ends_with(METADATA)));
}

/// The files of the directory itself.
pub(super) fn run_checkpoints(bytes: &[u8]) {
    run(bytes, |path| path.parent() == Some(Path::new(DIRECTORY)));
}

fn run(bytes: &[u8], chosen: impl Fn(&Path) -> bool) {
    let disk = LEFT.fork();
    let mut files = Vec::new();
    collect(&disk, Path::new(DIRECTORY), &mut files);
    files.retain(|path| chosen(path));
    damage(&disk, &files, bytes);
    // To refuse a start with a reason is an answer.
    let Ok(mut broker) = Broker::open(&disk) else { return };
    broker.call(&MetadataRequest::default(), 12);
    read_whole(&mut broker);
    broker.advance(Duration::from_secs(120));
}

fn collect(disk: &VirtualDisk, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in disk.list(folder).expect("a folder is listed") {
        let path = folder.join(&entry.name);
        if entry.directory { collect(disk, &path, files) } else { files.push(path) }
    }
}

/// The bytes are a list of damages: file, kind, position, length, what is written there.
fn damage(disk: &VirtualDisk, files: &[PathBuf], mut bytes: &[u8]) {
    while let Some(([file, kind, high, low, length], rest)) = bytes.split_first_chunk::<5>() {
        let Some(path) = files.get(usize::from(*file) % files.len().max(1)) else { return };
        let written = rest.get(..usize::from(*length)).unwrap_or(rest);
        bytes = rest.get(written.len()..).unwrap_or_default();
        let position = u64::from(u16::from_be_bytes([*high, *low]));
        let Ok(open) = disk.open(path, OpenMode::Modify) else { continue };
        let done = match kind % 5 {
            0 => open.write_at(&mut [IoSlice::new(written)], position),
            1 => open.set_len(position),
            2 => open.set_len(0).and_then(|()| open.write_at(&mut [IoSlice::new(written)], 0)),
            3 => disk.remove_file(path),
            // Damage that a CRC does not show: of what wrote it, and not of the disk.
            _ => open.write_at(&mut [IoSlice::new(written)], position).map(|()| mend_checksums(disk, path)),
        };
        // What the disk refuses leaves the file as it was.
        drop(done);
    }
}

fn mend_checksums(disk: &VirtualDisk, path: &Path) {
    let Ok(file) = disk.open(path, OpenMode::Modify) else { return };
    let Ok(length) = file.len() else { return };
    let mut bytes = vec![0; usize::try_from(length.min(FILE_BYTES_MAX)).unwrap_or(0)];
    let Ok(read) = file.read_at(&mut bytes, 0, Wait::Long) else { return };
    bytes.truncate(read);
    let mut start = 0;
    while let Some(rest) = bytes.get(start..)
        && let Some(length) = rest.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes)
        && let Ok(length) = usize::try_from(length)
        && let Some(crc) = rest.get(..12_usize.saturating_add(length)).and_then(compute_crc)
    {
        if let Some(field) = bytes.get_mut(start + 17..start + 21) {
            field.copy_from_slice(&crc.to_be_bytes());
        }
        start += 12 + length;
    }
    drop(file.write_at(&mut [IoSlice::new(&bytes)], 0));
}

/// Reads from offset 0 on; whatever is given must be whole batches.
fn read_whole(broker: &mut Broker) {
    let mut from = 0;
    for _ in 0..100 {
        let partition = FetchPartition {
            partition: PartitionIndex(0),
            fetch_offset: Offset(from),
            partition_max_bytes: 4_096,
            ..FetchPartition::default()
        };
        let topic =
            FetchTopic { topic: TOPIC.to_owned(), partitions: vec![partition], ..FetchTopic::default() };
        let request = FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() };
        let response = broker.call(&request, 11);
        let Some(data) = response.responses.first().and_then(|topic| topic.partitions.first()) else {
            return;
        };
        let records = data.records.clone().unwrap_or_default();
        let mut last = from;
        for batch in Batches::new(&records) {
            let Ok((header, bytes)) = batch else { break };
            assert!(crc_matches(bytes), "a batch is served whose CRC does not fit");
            last = header.next_offset().0;
        }
        if last <= from {
            return;
        }
        from = last;
    }
}
