//! The APIs that are served: one table, one file for each handler. Bytes and versions stop here.

mod alter_configs;
mod api_versions;
mod create_partitions;
mod create_topics;
mod decide;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod fetch;
mod find_coordinator;
mod groups;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;
mod table;
mod telemetry;
#[cfg(test)]
mod tests;
mod unregister_broker;
mod update_features;

use std::sync::Arc;

use protocol::api_key::ApiKey;
use protocol::header::ResponseHeader;
use protocol::id::CorrelationId;
use protocol::wire::{Message, Reader, Writer};

use crate::config::REQUEST_PARTITIONS_MAX;
use crate::effects::{Effects, Now, Reply};
use crate::node::Node;
use crate::session::{Session, Slot};

pub(crate) use delete_groups::reply as deleted_groups_reply;
pub(crate) use delete_records::ParkedDeletion;
pub(crate) use fetch::fetch_reply;
pub(crate) use groups::group_reply;
pub(crate) use init_producer_id::producer_id_reply;
pub use list_offsets::ParkedLookUp;
pub(crate) use metadata::is_internal;
pub(crate) use table::{advertised, route};

/// What a response has to know of its request's header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) api_key: ApiKey,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: CorrelationId,
}

/// A request being served.
pub(crate) struct Call<'a> {
    pub(crate) node: &'a Node,
    pub(crate) now: Now,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) slot: Slot,
    pub(crate) header: Header,
    pub(crate) effects: &'a mut Effects,
    /// The request runs for the second time, after what it asked for was committed.
    pub(crate) again: bool,
    /// The request's frame without its length, for a handler that has it served again.
    pub(crate) frame: &'a [u8],
}

/// How a handler leaves its request.
pub(crate) enum Handled {
    /// Answered.
    Reply(Reply),
    /// Somebody holds its slot and will answer.
    Parked,
}

/// Answers, or says why the connection has to be closed.
pub(crate) type Handler = fn(Call<'_>, Reader<'_>) -> Result<Handled, &'static str>;

/// Reads a whole request; what does not fit its declaration ends the connection, as in Kafka. Bytes behind its end
/// are not looked at, as in Kafka: librdkafka 2.16 sends three of them when it asks Metadata 13 for all topics.
pub(crate) fn decode<M: Message>(mut reader: Reader<'_>, version: i16) -> Result<M, &'static str> {
    M::decode(&mut reader, version).map_err(|_| "a request that does not fit its declaration")
}

/// Refuses a request that names more partitions than one may, before each of them takes memory of its own.
pub(crate) fn check_partitions(of_topics: impl Iterator<Item = usize>) -> Result<(), &'static str> {
    if of_topics.sum::<usize>() > REQUEST_PARTITIONS_MAX {
        return Err("a request that names too many partitions");
    }
    Ok(())
}

/// A response frame, length prefix and header included.
pub(crate) fn encode_reply<M: Message>(header: Header, response: &M) -> Reply {
    let mut writer = Writer::with_capacity(SMALL_REPLY_BYTES);
    let frame = writer.begin_frame();
    ResponseHeader { correlation_id: header.correlation_id }.encode(
        &mut writer,
        header.api_key,
        header.api_version,
    );
    response.encode(&mut writer, header.api_version);
    writer.end_frame(frame);
    Reply::Bytes(writer.into_bytes())
}

/// What most replies fit into without growing.
const SMALL_REPLY_BYTES: usize = 128;

impl Call<'_> {
    /// Answers with a declared response.
    pub(crate) fn reply<M: Message>(&self, response: &M) -> Result<Handled, &'static str> {
        Ok(Handled::Reply(encode_reply(self.header, response)))
    }
}
