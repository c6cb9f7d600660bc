//! What a message's declaration says, as data: it bounds what an array can announce, and lets tests make messages
//! of every type and version.

use super::At;

/// How a value lies on the wire, nullability aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// A big-endian integer of that many bytes.
    Integer(usize),
    /// Eight bytes, IEEE 754.
    Float,
    /// Sixteen bytes.
    Uuid,
    /// Two bytes, one of Kafka's error codes.
    ErrorCode,
    /// A length and UTF-8.
    String,
    /// A length and bytes.
    Bytes,
    /// A count and elements.
    Array(&'static Self),
    /// Fields, and a tagged section in flexible versions.
    Struct(&'static [FieldShape]),
}

/// One field of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldShape {
    /// Its name here, which is Kafka's in snake case.
    pub name: &'static str,
    /// How its value lies on the wire.
    pub kind: Kind,
    /// The first and the last version that have it.
    pub versions: (i16, i16),
    /// The first and the last version that let it be null.
    pub nullable: Option<(i16, i16)>,
    /// Its tag, when it travels in the tagged section.
    pub tag: Option<u32>,
}

impl Kind {
    /// The least number of bytes that a value takes; never more than any real value does.
    #[must_use]
    pub fn least_size(self, at: At) -> usize {
        match self {
            Self::Bool => 1,
            Self::Integer(size) => size,
            Self::Float => 8,
            Self::Uuid => 16,
            Self::ErrorCode => 2,
            Self::String => {
                if at.flexible {
                    1
                } else {
                    2
                }
            }
            Self::Bytes | Self::Array(_) => {
                if at.flexible {
                    1
                } else {
                    4
                }
            }
            Self::Struct(fields) => {
                let fields = fields.iter().map(|field| field.least_size(at)).sum::<usize>();
                fields + usize::from(at.flexible)
            }
        }
    }
}

impl FieldShape {
    fn least_size(&self, at: At) -> usize {
        if self.tag.is_some() || !at.within(self.versions.0, self.versions.1) {
            return 0;
        }
        match self.kind {
            // A null struct is one byte; the other kinds are null by their length.
            Kind::Struct(_) if self.nullable.is_some() => 1,
            kind => kind.least_size(at),
        }
    }
}
