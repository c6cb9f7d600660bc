//! FindCoordinator (10): the broker that leads the partition in which a group is kept (KIP-699: several at once).

use machines::image::MetadataImage;
use protocol::ErrorCode;
use protocol::id::BrokerId;
use protocol::message::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use protocol::wire::Reader;

use super::{Call, Handled, check_partitions, decode};
use crate::coordinator::{OFFSETS_TOPIC, offsets_topic};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// The first version that asks for several keys.
const BATCHED_FROM: i16 = 4;

/// Where a coordinator is.
struct Found {
    node_id: BrokerId,
    host: String,
    port: i32,
}

pub(super) fn handle(mut call: Call<'_>, reader: Reader<'_>) -> Result<Handled, &'static str> {
    let version = call.header.api_version;
    let request: FindCoordinatorRequest = decode(reader, version)?;
    check_partitions([request.coordinator_keys.len()].into_iter())?;
    let image = call.node.image();
    // The first group is why the topic comes into being. What does not come to be is answered when this is served
    // again.
    if request.key_type == GROUP && !call.again && image.topic(OFFSETS_TOPIC).is_none() {
        let topic = offsets_topic(&call.node.config(), &image);
        let frame = call.frame;
        if call.create_topics_then_again(&[topic], frame) {
            return Ok(Handled::Parked);
        }
    }
    let answer = |key: &str| match request.key_type {
        GROUP => find(&call, &image, key).map_err(|code| (code, None)),
        // Kafka has no code for a coordinator that there is not. A retriable one would keep producers asking for
        // ever; this one ends them with its sentence.
        TRANSACTION => Err((ErrorCode::UnsupportedVersion, Some("this version has no transactions"))),
        _ => Err((ErrorCode::InvalidRequest, Some("this kind of coordinator is not known"))),
    };
    if version >= BATCHED_FROM {
        let coordinators = request
            .coordinator_keys
            .iter()
            .map(|key| {
                let (found, error_code, error_message) = parts(answer(key));
                let Found { node_id, host, port } = found;
                Coordinator { key: key.clone(), node_id, host, port, error_code, error_message }
            })
            .collect();
        return call.reply(&FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() });
    }
    let (found, error_code, error_message) = parts(answer(&request.key));
    let Found { node_id, host, port } = found;
    call.reply(&FindCoordinatorResponse {
        error_code,
        error_message,
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    })
}

fn find(call: &Call<'_>, image: &MetadataImage, group_id: &str) -> Result<Found, ErrorCode> {
    let unavailable = ErrorCode::CoordinatorNotAvailable;
    let topic = image.topic(OFFSETS_TOPIC).ok_or(unavailable)?;
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let index = machines::group::partition_for(group_id, count.max(1));
    let leader = image.partition_by_id(topic.id, index).ok_or(unavailable)?.leader;
    let broker = image.broker(leader).filter(|broker| !broker.fenced).ok_or(unavailable)?;
    let (host, port) = call.node.client_endpoint(call.session, broker).ok_or(unavailable)?;
    Ok(Found { node_id: leader, host, port })
}

fn parts(found: Result<Found, (ErrorCode, Option<&'static str>)>) -> (Found, ErrorCode, Option<String>) {
    match found {
        Ok(found) => (found, ErrorCode::None, None),
        Err((code, message)) => {
            let nobody = Found { node_id: BrokerId::NONE, host: String::new(), port: -1 };
            (nobody, code, Some(message.unwrap_or(code.name()).to_owned()))
        }
    }
}
