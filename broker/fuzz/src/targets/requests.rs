//! A request of each API and version that the broker serves, with a body made of the input.

use std::collections::BTreeSet;
use std::sync::Mutex;

use protocol::api_key::ApiKey;
use protocol::header::RequestHeader;
use protocol::id::CorrelationId;
use protocol::message::{ApiVersionsRequest, MetadataRequest};
use protocol::wire::Writer;
use storage::disk::VirtualDisk;

use crate::broker::Broker;

/// APIs with versions whose handlers were reached: their requests were read whole and answered.
pub type Reached = BTreeSet<(i16, i16)>;

static REACHED: Mutex<Reached> = Mutex::new(Reached::new());

/// What was reached in this process so far.
///
/// # Panics
/// When a target has panicked.
#[must_use]
pub fn reached() -> Reached {
    REACHED.lock().expect("no target panics").clone()
}

/// What the broker says it serves: (API, version).
#[must_use]
pub fn served() -> Reached {
    let mut broker = Broker::open(&VirtualDisk::new()).expect("an empty disk starts");
    let served = broker.call(&ApiVersionsRequest::default(), 0).api_keys;
    let pairs = served.iter().flat_map(|api| {
        // Produce 0 to 2 are advertised and not served (KAFKA-18659).
        let first = if api.api_key == ApiKey::Produce.wire() { 3 } else { api.min_version };
        (first..=api.max_version).map(|version| (api.api_key, version))
    });
    pairs.collect()
}

/// The input that asks for this API and version with this body.
#[must_use]
pub fn input(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![key.to_be_bytes()[1], version.to_be_bytes()[1]];
    bytes.extend(body);
    bytes
}

pub(super) fn run(bytes: &[u8]) {
    let [key, version, body @ ..] = bytes else { return };
    let (key, version) = (i16::from(*key), i16::from(*version));
    let header = RequestHeader {
        api_key: key,
        api_version: version,
        correlation_id: CorrelationId(1),
        client_id: Some("fuzz".to_owned()),
    };
    let mut writer = Writer::default();
    header.encode(&mut writer);
    let mut frame = writer.into_bytes();
    frame.extend_from_slice(body);
    let length = u32::try_from(frame.len()).expect("an input is short");
    let mut broker = Broker::open(&VirtualDisk::new()).expect("an empty disk starts");
    let mut link = broker.connect();
    broker.receive(&mut link, &length.to_be_bytes());
    let open = broker.receive(&mut link, &frame);
    // A request that cannot be read whole closes its connection.
    if open {
        REACHED.lock().expect("no target panics").insert((key, version));
    }
    broker.disconnect(&link);
    broker.call(&MetadataRequest::default(), 12);
}
