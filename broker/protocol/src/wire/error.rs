//! Why bytes are not a message.

/// Why bytes could not be read. Carries no text from the peer, so that it can be logged as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("{needed} bytes are needed, {left} are left")]
    Truncated {
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// The value ends before the bytes do.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
    /// A length below -1, or a length of -1 where null is not allowed, or a null where the version has none.
    #[error("a length of {0} is not allowed here")]
    Length(i64),
    /// An array announces more elements than the bytes can hold or than [`crate::wire::ELEMENTS_MAX`].
    #[error("an array announces {count} elements, {most} are possible")]
    Elements {
        /// What is announced.
        count: usize,
        /// What could be.
        most: usize,
    },
    /// A section announces more than [`crate::wire::TAGGED_FIELDS_MAX`] tagged fields.
    #[error("a section announces {0} tagged fields")]
    TaggedFields(u32),
    /// A varint does not end within 5 bytes (10 for 64 bits), or does not fit.
    #[error("a varint is too long")]
    Varint,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    Utf8,
    /// The message would take more memory than its size allows.
    #[error("the message takes more than its heap budget")]
    HeapBudget,
    /// The message does not have this version.
    #[error("version {0} is not known")]
    Version(i16),
    /// The API key, record type or frame version is not known.
    #[error("type {0} is not known")]
    Type(i64),
}
