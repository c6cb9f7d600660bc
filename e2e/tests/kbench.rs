//! The generator against the floor: what is measured with must itself be right.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::kbench::api::{NewTopic, create_topic, delete_topic};
use e2e::kbench::batch::{BatchShape, Codec};
use e2e::kbench::fetch::{FetchLoad, fetch};
use e2e::kbench::floor::Floor;
use e2e::kbench::metadata::metadata;
use e2e::kbench::meter::Span;
use e2e::kbench::produce::{ProduceLoad, Produced, produce};
use e2e::kbench::verify::verify;
use e2e::kbench::wire::Connection;

const TOPIC: &str = "loaded";
const PARTITIONS: i32 = 2;

/// Enough to see something move; what moves does not depend on how long it takes.
fn span() -> Span {
    Span {
        warm_up: Duration::ZERO,
        windows: 2,
        window: Duration::from_secs(20),
        window_bytes_max: Some(300_000),
    }
}

/// A floor in a thread, and the folder that lives as long as the test.
fn floor() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a folder for the floor");
    let floor = Floor::bind("127.0.0.1:0", directory.path()).expect("a free port");
    let address = floor.address().to_string();
    std::thread::spawn(move || floor.serve());
    (directory, address)
}

fn load(address: &str, codec: Codec) -> Produced {
    let topic = NewTopic {
        name: TOPIC.to_owned(),
        partitions: PARTITIONS,
        replication_factor: 1,
        configs: Vec::new(),
    };
    let mut connection = Connection::open(address).expect("the floor listens");
    create_topic(&mut connection, &topic).expect("the topic is new");
    let load = ProduceLoad {
        broker: address.to_owned(),
        topic: TOPIC.to_owned(),
        partitions: PARTITIONS,
        connections: 2,
        in_flight: 5,
        shape: BatchShape { records: 20, record_bytes: 100, codec },
        acks: 1,
        rate: None,
        pid: Some(std::process::id()),
    };
    produce(&load, &span()).expect("the floor takes all")
}

#[test]
fn what_was_produced_is_consumed_again_with_every_codec() {
    let (_directory, address) = floor();
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let produced = load(&address, codec);
        assert_eq!(produced.windows.len(), 2);
        let counted: u64 = produced.windows.iter().map(|window| window.records).sum();
        assert!(counted > 0 && counted <= produced.records);
        verify(&address, TOPIC, PARTITIONS, produced.records, &produced.checksums).unwrap();

        let more = verify(&address, TOPIC, PARTITIONS, produced.records + 1, &produced.checksums);
        assert!(more.is_err(), "a lost record goes unnoticed");
        let strange = verify(&address, TOPIC, PARTITIONS, produced.records, &BTreeSet::from([1]));
        assert!(strange.is_err(), "a strange batch goes unnoticed");
        delete_topic(&mut Connection::open(&address).unwrap(), TOPIC).unwrap();
    }
}

#[test]
fn fetch_and_metadata_count_what_they_move() {
    let (_directory, address) = floor();
    load(&address, Codec::None);
    let load = FetchLoad {
        broker: address.clone(),
        topic: TOPIC.to_owned(),
        partitions: PARTITIONS,
        connections: 2,
        max_bytes: 100_000,
        again: true,
        pid: None,
    };
    for window in fetch(&load, &span()).unwrap() {
        assert!(window.bytes >= 300_000);
        assert!(window.records > 0);
    }
    for window in metadata(&address, TOPIC, 2, None, &span()).unwrap() {
        assert!(window.requests > 0);
        assert!(window.latency_ms(0.99) > 0.0);
    }
}
