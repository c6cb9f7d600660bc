//! What goes before a request's and a response's body: request headers 1 and 2, response headers 0 and 1.
//!
//! A header has no version of its own on the wire; it follows from the API and its version.

use crate::api_key::ApiKey;
use crate::id::CorrelationId;
use crate::wire::{At, DecodeError, Message, Reader, Request, Wire, Writer};

/// A request's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API, also one that is not known.
    pub api_key: i16,
    /// The API's version, also one that is not known.
    pub api_version: i16,
    /// Matches the response with this request.
    pub correlation_id: CorrelationId,
    /// The client's `client.id`, with a replacement letter for what is no UTF-8; null is none.
    pub client_id: Option<String>,
}

/// A request's header that borrows from the frame, for paths that may not allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeaderRef<'a> {
    /// The API, also one that is not known.
    pub api_key: i16,
    /// The API's version, also one that is not known.
    pub api_version: i16,
    /// Matches the response with this request.
    pub correlation_id: CorrelationId,
    /// The client's `client.id`, as it was sent: clients in other languages send it in the encoding of their system,
    /// and Kafka serves them. Null is none.
    pub client_id: Option<&'a [u8]>,
}

/// A response's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// Matches the response with its request.
    pub correlation_id: CorrelationId,
}

/// The version of a header does not matter to numbers; strings in headers are never compact.
const RIGID: At = At { version: 0, flexible: false, nullable: false };
const FLEXIBLE: At = At { flexible: true, ..RIGID };

impl<'a> RequestHeaderRef<'a> {
    /// Reads the header and leaves the reader at the body. The header of an API that is not known is read as
    /// version 1, enough to log whose it is; its body cannot be read.
    ///
    /// # Errors
    /// The bytes end early or are no header.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let api_key = i16::decode(reader, RIGID)?;
        let api_version = i16::decode(reader, RIGID)?;
        let correlation_id = CorrelationId::decode(reader, RIGID)?;
        let client_id = reader.text(false)?;
        if ApiKey::from_wire(api_key).is_some_and(|key| key.request_header_is_flexible(api_version)) {
            reader.skip_tagged_fields(FLEXIBLE)?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id })
    }

    /// Appends the header.
    pub fn encode(&self, writer: &mut Writer) {
        self.api_key.encode(writer, RIGID);
        self.api_version.encode(writer, RIGID);
        self.correlation_id.encode(writer, RIGID);
        writer.text(self.client_id, false);
        if ApiKey::from_wire(self.api_key).is_some_and(|key| key.request_header_is_flexible(self.api_version))
        {
            writer.no_tagged_fields(FLEXIBLE);
        }
    }

    /// The header, owned.
    #[must_use]
    pub fn to_owned(&self) -> RequestHeader {
        RequestHeader {
            api_key: self.api_key,
            api_version: self.api_version,
            correlation_id: self.correlation_id,
            client_id: self.client_id.map(|id| String::from_utf8_lossy(id).into_owned()),
        }
    }
}

impl RequestHeader {
    /// Reads the header and leaves the reader at the body, as [`RequestHeaderRef::decode`].
    ///
    /// # Errors
    /// The bytes end early or are no header.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = RequestHeaderRef::decode(reader)?;
        // A letter that stands for a bad byte takes three.
        reader.spend(header.client_id.map_or(0, |id| 3 * id.len()))?;
        Ok(header.to_owned())
    }

    /// The header, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> RequestHeaderRef<'_> {
        RequestHeaderRef {
            api_key: self.api_key,
            api_version: self.api_version,
            correlation_id: self.correlation_id,
            client_id: self.client_id.as_deref().map(str::as_bytes),
        }
    }

    /// Appends the header.
    pub fn encode(&self, writer: &mut Writer) {
        self.as_ref().encode(writer);
    }
}

impl ResponseHeader {
    /// Reads the header of a response to `key` in `version`.
    ///
    /// # Errors
    /// The bytes end early or are no header.
    pub fn decode(reader: &mut Reader<'_>, key: ApiKey, version: i16) -> Result<Self, DecodeError> {
        let correlation_id = CorrelationId::decode(reader, RIGID)?;
        if key.response_header_is_flexible(version) {
            reader.skip_tagged_fields(FLEXIBLE)?;
        }
        Ok(Self { correlation_id })
    }

    /// Appends the header of a response to `key` in `version`.
    pub fn encode(&self, writer: &mut Writer, key: ApiKey, version: i16) {
        self.correlation_id.encode(writer, RIGID);
        if key.response_header_is_flexible(version) {
            writer.no_tagged_fields(FLEXIBLE);
        }
    }
}

/// A whole request frame: size, header, body.
///
/// # Panics
/// When the request does not have `version`.
#[must_use]
pub fn request_frame<R: Request>(
    request: &R,
    version: i16,
    correlation_id: CorrelationId,
    client_id: Option<&str>,
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    let start = writer.begin_frame();
    let client_id = client_id.map(str::as_bytes);
    let header = RequestHeaderRef { api_key: R::KEY.wire(), api_version: version, correlation_id, client_id };
    header.encode(&mut writer);
    request.encode(&mut writer, version);
    writer.end_frame(start);
    writer.into_bytes()
}

/// A whole response frame: size, header, body.
///
/// # Panics
/// When the response does not have `version`.
#[must_use]
pub fn response_frame<R: Message>(
    response: &R,
    key: ApiKey,
    version: i16,
    correlation_id: CorrelationId,
) -> Vec<u8> {
    let mut writer = Writer::with_capacity(128);
    let start = writer.begin_frame();
    ResponseHeader { correlation_id }.encode(&mut writer, key, version);
    response.encode(&mut writer, version);
    writer.end_frame(start);
    writer.into_bytes()
}
