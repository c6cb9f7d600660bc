//! How values lie on the wire: the bounded [`Reader`], the [`Writer`], and one trait for every type that a
//! message is made of.
//!
//! A value is read and written [`At`] a version: from its message's first flexible version on (KIP-482), lengths
//! are varints and each struct ends with a section of tagged fields. Nothing here panics on bytes from outside,
//! and nothing allocates what a length announces before the bytes are seen.

mod error;
mod reader;
mod shape;
#[cfg(test)]
mod tests;
mod values;
mod writer;

use std::ops::RangeInclusive;

pub use error::DecodeError;
pub use reader::{ELEMENTS_MAX, HEAP_BUDGET_MIN, HEAP_BUDGET_PER_BYTE, Reader, TAGGED_FIELDS_MAX};
pub use shape::{FieldShape, Kind};
pub use values::STRING_MAX;
pub use writer::{TaggedSection, Writer};

use crate::api_key::ApiKey;

/// The version at which a value is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The version's number.
    pub version: i16,
    /// Whether the version is flexible (KIP-482).
    pub flexible: bool,
    /// Whether an `Option` may be null here.
    pub nullable: bool,
}

impl At {
    /// `version` of the message `M`.
    #[must_use]
    pub const fn of<M: Message>(version: i16) -> Self {
        Self { version, flexible: version >= M::FLEXIBLE_FROM, nullable: false }
    }

    /// Whether the version lies between `first` and `last`, both included.
    #[must_use]
    #[inline]
    pub const fn within(self, first: i16, last: i16) -> bool {
        self.version >= first && self.version <= last
    }

    /// The same version, with null allowed when it lies between `first` and `last`.
    #[must_use]
    #[inline]
    pub const fn nullable(self, first: i16, last: i16) -> Self {
        Self { nullable: self.within(first, last), ..self }
    }
}

/// A value that has a form on the wire.
pub trait Wire: Sized {
    /// How the value lies on the wire; for an `Option`, when it is not null.
    const KIND: Kind;

    /// Reads one value.
    ///
    /// # Errors
    /// The bytes end early, hold what the type cannot be, or ask for more memory than the reader's budget.
    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError>;

    /// Appends the value.
    fn encode(&self, writer: &mut Writer, at: At);
}

/// A value that some versions let be null.
pub trait Nullable: Wire {
    /// Reads one value or null.
    ///
    /// # Errors
    /// As [`Wire::decode`].
    fn decode_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError>;

    /// Appends the value or null.
    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, at: At);

    /// Appends what stands for null in a version that has none: the empty value.
    fn encode_empty(writer: &mut Writer, at: At);
}

/// A struct's fields, one after the other; implemented by `#[derive(Fields)]` and `#[derive(Message)]`.
pub trait Fields: Default {
    /// The fields, in the order of the declaration.
    const FIELDS: &'static [FieldShape];

    /// Reads all fields that the version has; the others get their defaults.
    ///
    /// # Errors
    /// As [`Wire::decode`].
    fn decode_fields(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError>;

    /// Appends all fields that the version has.
    fn encode_fields(&self, writer: &mut Writer, at: At);
}

/// A request, a response or a record: one type in memory for all of its versions.
///
/// A field that a version lacks decodes to its default and is left out in encoding. A null where the version has
/// no null is written as the empty value.
pub trait Message: Fields {
    /// The versions that can be read and written.
    const VERSIONS: RangeInclusive<i16>;
    /// The first flexible version; `i16::MAX` when none is.
    const FLEXIBLE_FROM: i16;

    /// Reads the message; whether bytes are left is for the caller to ask ([`Reader::finish`]).
    ///
    /// # Errors
    /// The version is not one of [`Message::VERSIONS`], or as [`Wire::decode`].
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(DecodeError::Version(version));
        }
        Self::decode_fields(reader, At::of::<Self>(version))
    }

    /// Appends the message.
    ///
    /// # Panics
    /// When `version` is not one of [`Message::VERSIONS`]: versions are checked when a request is read.
    fn encode(&self, writer: &mut Writer, version: i16) {
        assert!(Self::VERSIONS.contains(&version), "a message is written in a version that it does not have");
        self.encode_fields(writer, At::of::<Self>(version));
    }
}

/// A request, which knows its API and what answers it.
pub trait Request: Message {
    /// The API.
    const KEY: ApiKey;
    /// What answers it, in the same version.
    type Response: Message;
}
