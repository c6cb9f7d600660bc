//! The five requests that the generator sends, and what it reads of their answers.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::wire::{Connection, Cursor, request};

/// How long a created topic may take to have a leader for every partition.
const LEADERS_WAIT: Duration = Duration::from_secs(30);
/// How long to wait before asking again, as a client does.
const RETRY: Duration = Duration::from_millis(20);
/// Kafka's code while a broker that was just started has no controller to ask.
const NOT_CONTROLLER: i16 = 41;
/// Kafka's `UNKNOWN_TOPIC_OR_PARTITION`.
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// A topic to create: `configs` are Kafka's topic configuration keys.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
    /// Replicas of each partition.
    pub replication_factor: i16,
    /// Keys and values that differ from the broker's defaults.
    pub configs: Vec<(String, String)>,
}

/// Creates a topic, waiting for a controller; fails with Kafka's code and message.
pub fn create_topic(connection: &mut Connection, topic: &NewTopic) -> Result<()> {
    let mut frame = request(19, 4, |body| {
        body.length(1);
        body.string(&topic.name);
        body.i32(topic.partitions);
        body.i16(topic.replication_factor);
        body.length(0);
        body.length(topic.configs.len());
        for (key, value) in &topic.configs {
            body.string(key);
            body.string(value);
        }
        body.i32(60_000);
        body.i8(0);
    });
    let started = Instant::now();
    loop {
        let mut cursor = Cursor::new(connection.call(&mut frame)?);
        cursor.i32()?;
        ensure!(cursor.length()? == 1, "CreateTopics answered for another number of topics");
        cursor.string()?;
        match cursor.i16()? {
            0 => return Ok(()),
            NOT_CONTROLLER if started.elapsed() < LEADERS_WAIT => std::thread::sleep(RETRY),
            code => bail!("create topic {}: error {code} {}", topic.name, cursor.string()?),
        }
    }
}

/// Deletes a topic; one that does not exist is no failure.
pub fn delete_topic(connection: &mut Connection, name: &str) -> Result<()> {
    let mut frame = request(20, 3, |body| {
        body.length(1);
        body.string(name);
        body.i32(60_000);
    });
    let mut cursor = Cursor::new(connection.call(&mut frame)?);
    cursor.i32()?;
    ensure!(cursor.length()? == 1, "DeleteTopics answered for another number of topics");
    cursor.string()?;
    match cursor.i16()? {
        0 | UNKNOWN_TOPIC_OR_PARTITION => Ok(()),
        code => bail!("delete topic {name}: error {code}"),
    }
}

/// A Metadata request for one topic, which is not created by asking.
pub fn metadata_request(topic: &str) -> Vec<u8> {
    request(3, 4, |body| {
        body.length(1);
        body.string(topic);
        body.i8(0);
    })
}

/// Address of each partition's leader, in order of partitions, as soon as all have one that serves: Kafka's
/// metadata names a leader a moment before that broker has made itself one.
pub fn leaders(broker: &str, topic: &str, partitions: i32) -> Result<Vec<String>> {
    let wanted = usize::try_from(partitions)?;
    let started = Instant::now();
    let mut connection = Connection::open(broker)?;
    loop {
        let found = parse_leaders(connection.call(&mut metadata_request(topic))?)?;
        if found.len() >= wanted && serve(topic, &found) {
            return Ok(found.into_values().take(wanted).collect());
        }
        ensure!(
            started.elapsed() < LEADERS_WAIT,
            "{} of {partitions} partitions of {topic} have a leader after {LEADERS_WAIT:?}",
            found.len()
        );
        std::thread::sleep(RETRY);
    }
}

fn serve(topic: &str, leaders: &BTreeMap<i32, String>) -> bool {
    let mut connections = HashMap::new();
    leaders.iter().all(|(partition, address)| {
        let connection = match connections.entry(address) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match Connection::open(address) {
                Ok(connection) => new.insert(connection),
                Err(_) => return false,
            },
        };
        high_watermark(connection, topic, *partition).is_ok()
    })
}

fn parse_leaders(response: &[u8]) -> Result<BTreeMap<i32, String>> {
    let mut cursor = Cursor::new(response);
    cursor.i32()?;
    let mut brokers = HashMap::new();
    for _ in 0..cursor.length()? {
        let id = cursor.i32()?;
        let host = cursor.string()?;
        let port = cursor.i32()?;
        cursor.string()?;
        brokers.insert(id, format!("{host}:{port}"));
    }
    cursor.string()?;
    cursor.i32()?;
    let mut leaders = BTreeMap::new();
    for _ in 0..cursor.length()? {
        cursor.i16()?;
        cursor.string()?;
        cursor.i8()?;
        for _ in 0..cursor.length()? {
            let error = cursor.i16()?;
            let (partition, leader) = (cursor.i32()?, cursor.i32()?);
            for _ in 0..2 {
                let ids = cursor.length()?;
                cursor.take(ids.saturating_mul(4))?;
            }
            if let Some(address) = brokers.get(&leader).filter(|_| error == 0) {
                leaders.insert(partition, address.clone());
            }
        }
    }
    Ok(leaders)
}

/// A Produce request of one batch for one partition.
pub fn produce_request(topic: &str, partition: i32, acks: i16, batch: &[u8]) -> Vec<u8> {
    request(0, 7, |body| {
        body.i16(-1);
        body.i16(acks);
        body.i32(30_000);
        body.length(1);
        body.string(topic);
        body.length(1);
        body.i32(partition);
        body.length(batch.len());
        body.0.extend(batch);
    })
}

/// The base offset that the one partition of a Produce response was given; Kafka's code is a failure.
pub fn produced(response: &[u8]) -> Result<i64> {
    let mut cursor = Cursor::new(response);
    cursor.i32()?;
    cursor.string()?;
    cursor.i32()?;
    cursor.i32()?;
    match cursor.i16()? {
        0 => cursor.i64(),
        code => bail!("Produce answered error {code}"),
    }
}

/// A Fetch request of one partition without a session.
pub fn fetch_request(topic: &str, partition: i32, offset: i64, max_bytes: i32, min_bytes: i32) -> Vec<u8> {
    request(1, 11, |body| {
        body.i32(-1);
        body.i32(500);
        body.i32(min_bytes);
        body.i32(max_bytes.max(1));
        body.i8(0);
        body.i32(0);
        body.i32(-1);
        body.length(1);
        body.string(topic);
        body.length(1);
        body.i32(partition);
        body.i32(-1);
        body.i64(offset);
        body.i64(-1);
        body.i32(max_bytes);
        body.length(0);
        body.string("");
    })
}

/// High watermark and record bytes of a Fetch response for one partition; Kafka's code is a failure.
pub fn fetched(response: &[u8]) -> Result<(i64, &[u8])> {
    let mut cursor = Cursor::new(response);
    cursor.i32()?;
    let error = cursor.i16()?;
    ensure!(error == 0, "Fetch answered error {error}");
    cursor.i32()?;
    ensure!(cursor.length()? == 1, "Fetch answered for another number of topics");
    cursor.string()?;
    cursor.i32()?;
    cursor.i32()?;
    let error = cursor.i16()?;
    ensure!(error == 0, "Fetch answered error {error} for the partition");
    let high_watermark = cursor.i64()?;
    cursor.i64()?;
    cursor.i64()?;
    let aborted = cursor.length()?;
    cursor.take(aborted.saturating_mul(16))?;
    cursor.i32()?;
    let length = cursor.length()?;
    Ok((high_watermark, cursor.take(length)?))
}

/// The end of a partition, by a Fetch that waits for nothing.
pub fn high_watermark(connection: &mut Connection, topic: &str, partition: i32) -> Result<i64> {
    let mut frame = fetch_request(topic, partition, 0, 1, 0);
    Ok(fetched(connection.call(&mut frame)?)?.0)
}
