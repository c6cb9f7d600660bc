//! The types that messages are made of.

use bytes::Bytes;

use super::{At, DecodeError, Fields, Kind, Nullable, Reader, Wire, Writer};
use crate::ErrorCode;
use crate::id::{
    BrokerEpoch, BrokerId, CorrelationId, GenerationId, LeaderEpoch, Offset, PartitionEpoch, PartitionIndex,
    ProducerEpoch, ProducerId, Timestamp, Uuid,
};

/// Most bytes of a string (Kafka: `Short.MAX_VALUE`).
pub const STRING_MAX: usize = 0x7fff;

macro_rules! numbers {
    ($kind:expr, $($number:ty),*) => {
        $(impl Wire for $number {
            const KIND: Kind = $kind;

            #[inline]
            fn decode(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
                reader.array().map(Self::from_be_bytes)
            }

            #[inline]
            fn encode(&self, writer: &mut Writer, _: At) {
                writer.put(&self.to_be_bytes());
            }
        })*
    };
}

macro_rules! newtypes {
    ($($newtype:ident),*) => {
        $(impl Wire for $newtype {
            const KIND: Kind = Kind::Integer(size_of::<Self>());

            #[inline]
            fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
                Wire::decode(reader, at).map(Self)
            }

            #[inline]
            fn encode(&self, writer: &mut Writer, at: At) {
                self.0.encode(writer, at);
            }
        })*
    };
}

numbers!(Kind::Integer(size_of::<Self>()), i8, i16, u16, i32, u32, i64);
numbers!(Kind::Float, f64);
newtypes!(
    BrokerEpoch,
    BrokerId,
    CorrelationId,
    GenerationId,
    LeaderEpoch,
    Offset,
    PartitionEpoch,
    PartitionIndex,
    ProducerEpoch,
    ProducerId,
    Timestamp
);

impl Wire for bool {
    const KIND: Kind = Kind::Bool;

    #[inline]
    fn decode(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        reader.array().map(|[byte]| byte != 0)
    }

    #[inline]
    fn encode(&self, writer: &mut Writer, _: At) {
        writer.put(&[u8::from(*self)]);
    }
}

impl Wire for Uuid {
    const KIND: Kind = Kind::Uuid;

    #[inline]
    fn decode(reader: &mut Reader<'_>, _: At) -> Result<Self, DecodeError> {
        reader.array().map(Self)
    }

    #[inline]
    fn encode(&self, writer: &mut Writer, _: At) {
        writer.put(&self.0);
    }
}

impl Wire for ErrorCode {
    const KIND: Kind = Kind::ErrorCode;

    #[inline]
    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        i16::decode(reader, at).map(Self::from_wire)
    }

    #[inline]
    fn encode(&self, writer: &mut Writer, at: At) {
        self.wire().encode(writer, at);
    }
}

/// A null where the version has none.
const fn not_null<T>(value: Option<T>) -> Result<T, DecodeError>
where
    T: Copy,
{
    match value {
        Some(value) => Ok(value),
        None => Err(DecodeError::Length(-1)),
    }
}

impl Wire for String {
    const KIND: Kind = Kind::String;

    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        let text = not_null(reader.str(at.flexible)?)?;
        reader.spend(text.len())?;
        Ok(text.to_owned())
    }

    fn encode(&self, writer: &mut Writer, at: At) {
        writer.str(Some(self), at.flexible);
    }
}

impl Nullable for String {
    fn decode_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        let text = reader.str(at.flexible)?;
        reader.spend(text.map_or(0, str::len))?;
        Ok(text.map(str::to_owned))
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, at: At) {
        writer.str(value.map(Self::as_str), at.flexible);
    }

    fn encode_empty(writer: &mut Writer, at: At) {
        writer.str(Some(""), at.flexible);
    }
}

impl Wire for Bytes {
    const KIND: Kind = Kind::Bytes;

    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        let bytes = not_null(reader.bytes(at.flexible)?)?;
        reader.spend(bytes.len())?;
        Ok(Self::copy_from_slice(bytes))
    }

    fn encode(&self, writer: &mut Writer, at: At) {
        writer.length_prefixed(Some(self), at.flexible);
    }
}

impl Nullable for Bytes {
    fn decode_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        let bytes = reader.bytes(at.flexible)?;
        reader.spend(bytes.map_or(0, <[u8]>::len))?;
        Ok(bytes.map(Self::copy_from_slice))
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, at: At) {
        writer.length_prefixed(value.map(|bytes| &**bytes), at.flexible);
    }

    fn encode_empty(writer: &mut Writer, at: At) {
        writer.length_prefixed(Some(&[]), at.flexible);
    }
}

impl<T: Wire> Wire for Vec<T> {
    const KIND: Kind = Kind::Array(&T::KIND);

    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        reader.elements(at)?.ok_or(DecodeError::Length(-1))
    }

    fn encode(&self, writer: &mut Writer, at: At) {
        Self::encode_nullable(Some(self), writer, at);
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn decode_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        reader.elements(at)
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, at: At) {
        writer.length(value.map(Self::len), at.flexible, false);
        for element in value.into_iter().flatten() {
            element.encode(writer, at);
        }
    }

    fn encode_empty(writer: &mut Writer, at: At) {
        writer.length(Some(0), at.flexible, false);
    }
}

impl<T: Nullable> Wire for Option<T> {
    const KIND: Kind = T::KIND;

    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        if at.nullable { T::decode_nullable(reader, at) } else { T::decode(reader, at).map(Some) }
    }

    fn encode(&self, writer: &mut Writer, at: At) {
        match self {
            Some(value) if !at.nullable => value.encode(writer, at),
            None if !at.nullable => T::encode_empty(writer, at),
            value => T::encode_nullable(value.as_ref(), writer, at),
        }
    }
}

impl<T: Fields> Wire for T {
    const KIND: Kind = Kind::Struct(T::FIELDS);

    fn decode(reader: &mut Reader<'_>, at: At) -> Result<Self, DecodeError> {
        Self::decode_fields(reader, at)
    }

    fn encode(&self, writer: &mut Writer, at: At) {
        self.encode_fields(writer, at);
    }
}

impl<T: Fields> Nullable for T {
    /// A byte goes before a struct that may be null: negative is null.
    fn decode_nullable(reader: &mut Reader<'_>, at: At) -> Result<Option<Self>, DecodeError> {
        if i8::decode(reader, at)? < 0 { Ok(None) } else { Self::decode_fields(reader, at).map(Some) }
    }

    fn encode_nullable(value: Option<&Self>, writer: &mut Writer, at: At) {
        let mark: i8 = if value.is_some() { 1 } else { -1 };
        mark.encode(writer, at);
        if let Some(value) = value {
            value.encode_fields(writer, at);
        }
    }

    fn encode_empty(writer: &mut Writer, at: At) {
        Self::default().encode_fields(writer, at);
    }
}
