//! Values of the control records of the metadata log and its snapshots.

use protocol_derive::{Fields, Message};

use crate::id::{BrokerId, DirectoryId, Timestamp};

/// A leader of the metadata quorum was elected (KIP-595).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0-1", flexible = "0+")]
pub struct LeaderChangeMessage {
    /// The version of this record's form.
    pub version: i16,
    /// Who was elected.
    pub leader_id: BrokerId,
    /// All voters.
    pub voters: Vec<Voter>,
    /// Who voted for the leader.
    pub granting_voters: Vec<Voter>,
}

/// One voter.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Voter {
    /// The voter.
    pub voter_id: BrokerId,
    /// The voter's metadata directory.
    #[field(versions = "1+")]
    pub voter_directory_id: DirectoryId,
}

/// Begins a snapshot (KIP-630).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct SnapshotHeaderRecord {
    /// The version of this record's form.
    pub version: i16,
    /// The append time of the last record that the snapshot stands for.
    pub last_contained_log_timestamp: Timestamp,
}

/// Ends a snapshot (KIP-630).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct SnapshotFooterRecord {
    /// The version of this record's form.
    pub version: i16,
}

/// The level of `kraft.version` (KIP-853).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct KRaftVersionRecord {
    /// The version of this record's form.
    pub version: i16,
    /// The level of `kraft.version`.
    pub kraft_version: i16,
}

/// The voters of the metadata quorum (KIP-853).
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[message(versions = "0", flexible = "0+")]
pub struct VotersRecord {
    /// The version of this record's form.
    pub version: i16,
    /// All voters.
    pub voters: Vec<VoterRegistration>,
}

/// One voter.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct VoterRegistration {
    /// The voter.
    pub voter_id: BrokerId,
    /// The voter's metadata directory.
    pub voter_directory_id: DirectoryId,
    /// Where the voter listens.
    pub endpoints: Vec<Endpoint>,
    /// Levels of `kraft.version` that the voter can run at.
    pub kraft_version_feature: KRaftVersionFeature,
}

/// One listener of a voter.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// The host to connect to.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// A range of levels of `kraft.version`.
#[derive(Debug, Clone, PartialEq, Eq, Fields)]
pub struct KRaftVersionFeature {
    /// The lowest `kraft.version` that the voter can run at.
    pub min_supported_version: i16,
    /// The highest `kraft.version` that the voter can run at.
    pub max_supported_version: i16,
}
