//! Records of the metadata log in Kafka's framing: frame version, type, version, body (KIP-631).
//!
//! What Kafka's `kafka-dump-log.sh --cluster-metadata-decoder` and its metadata shell read. Facts come from
//! Kafka 4.3.1's metadata schemas. Control records, which have no frame, are in [`control`].

mod broker;
mod cluster;
pub mod control;
#[cfg(test)]
mod tests;
mod topic;

pub use broker::{
    BrokerEndpoint, BrokerFeature, BrokerRegistrationChangeRecord, RegisterBrokerRecord,
    UnregisterBrokerRecord,
};
pub use cluster::{ConfigRecord, FeatureLevelRecord, NoOpRecord, ProducerIdsRecord};
pub use topic::{PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};

use crate::wire::{DecodeError, Message, Reader, Writer};

/// The only version of the frame (Kafka: `AbstractApiMessageSerde`).
const FRAME_VERSION: u32 = 1;

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident($record:ident) = $number:literal;)*) => {
        /// A record of the metadata log.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum MetadataRecord {
            $($(#[$doc])* $name($record),)*
        }

        impl MetadataRecord {
            /// The type's number on the wire.
            #[must_use]
            pub const fn number(&self) -> u32 {
                match self {
                    $(Self::$name(_) => $number,)*
                }
            }

            /// The version in which [`MetadataRecord::encode`] writes it: the highest of Kafka 4.3.
            #[must_use]
            pub const fn version(&self) -> i16 {
                match self {
                    $(Self::$name(_) => *$record::VERSIONS.end(),)*
                }
            }

            fn decode_body(reader: &mut Reader<'_>, number: u32, version: i16) -> Result<Self, DecodeError> {
                match number {
                    $($number => $record::decode(reader, version).map(Self::$name),)*
                    _ => Err(DecodeError::Type(i64::from(number))),
                }
            }

            fn encode_body(&self, writer: &mut Writer, version: i16) {
                match self {
                    $(Self::$name(record) => record.encode(writer, version),)*
                }
            }
        }

        $(impl From<$record> for MetadataRecord {
            fn from(record: $record) -> Self {
                Self::$name(record)
            }
        })*
    };
}

records! {
    /// A broker registered.
    RegisterBroker(RegisterBrokerRecord) = 0;
    /// A broker was taken out.
    UnregisterBroker(UnregisterBrokerRecord) = 1;
    /// A new topic.
    Topic(TopicRecord) = 2;
    /// A new partition.
    Partition(PartitionRecord) = 3;
    /// A configuration key.
    Config(ConfigRecord) = 4;
    /// A change of a partition.
    PartitionChange(PartitionChangeRecord) = 5;
    /// A topic was deleted.
    RemoveTopic(RemoveTopicRecord) = 9;
    /// A feature's level.
    FeatureLevel(FeatureLevelRecord) = 12;
    /// A block of producer ids.
    ProducerIds(ProducerIdsRecord) = 15;
    /// A change of a broker.
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) = 17;
    /// Nothing.
    NoOp(NoOpRecord) = 20;
}

impl MetadataRecord {
    /// Reads the value of a record of the metadata log.
    ///
    /// # Errors
    /// The frame, the type or the version is not known, or the bytes are not such a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let frame = reader.unsigned_varint()?;
        if frame != FRAME_VERSION {
            return Err(DecodeError::Type(i64::from(frame)));
        }
        let number = reader.unsigned_varint()?;
        let version = reader.unsigned_varint()?;
        // A version that does not fit is one that no record has.
        let record = Self::decode_body(&mut reader, number, i16::try_from(version).unwrap_or(i16::MAX))?;
        reader.finish()?;
        Ok(record)
    }

    /// Appends the value of a record of the metadata log.
    pub fn encode(&self, writer: &mut Writer) {
        let version = self.version();
        writer.unsigned_varint(FRAME_VERSION);
        writer.unsigned_varint(self.number());
        writer.unsigned_varint(u32::from(version.unsigned_abs()));
        self.encode_body(writer, version);
    }

    /// The value of a record of the metadata log.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(64);
        self.encode(&mut writer);
        writer.into_bytes()
    }
}
