//! DeleteTopics (20).

use protocol_derive::{Fields, Message};

use crate::ErrorCode;
use crate::id::TopicId;

/// Asks for topics to be deleted (KIP-4, by id: KIP-516).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(key = DeleteTopics, response = DeleteTopicsResponse, versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsRequest {
    /// The topics to delete, by name or id.
    #[field(versions = "6+")]
    pub topics: Vec<DeleteTopicState>,
    /// The topics to delete, in the versions that know only names.
    #[field(versions = "1-5")]
    pub topic_names: Vec<String>,
    /// Milliseconds that the broker may wait before it answers that it is not done.
    pub timeout_ms: i32,
}

/// One topic to delete.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeleteTopicState {
    /// The topic's name; null when it is named by its id.
    #[field(nullable = "0+")]
    pub name: Option<String>,
    /// The topic's id; zero when it is named by its name.
    pub topic_id: TopicId,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsResponse {
    /// Milliseconds for which the client should send nothing, because of a quota; 0 is none.
    pub throttle_time_ms: i32,
    /// One outcome for each topic.
    pub responses: Vec<DeletableTopicResult>,
}

/// One topic's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct DeletableTopicResult {
    /// The topic's name; null when an unknown id was asked for.
    #[field(nullable = "6+")]
    pub name: Option<String>,
    /// The topic's identity.
    #[field(versions = "6+")]
    pub topic_id: TopicId,
    /// The outcome for this topic.
    pub error_code: ErrorCode,
    /// The outcome in words; null when there was no error.
    #[field(versions = "5+", nullable = "0+")]
    pub error_message: Option<String>,
}
