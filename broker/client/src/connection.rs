//! One connection: versions agreed at its start, then one request after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::header::{ResponseHeader, request_frame};
use protocol::id::CorrelationId;
use protocol::message::api_versions::ApiVersionsRequest;
use protocol::wire::{Message as _, Reader};
use protocol::{ApiKey, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::error::{Error, Refusal};

/// The largest answer that is taken, in bytes: configuration of thousands of topics fits many times.
pub(crate) const RESPONSE_BYTES_MAX: usize = 64 << 20;

/// The version of ApiVersions that is asked first; every broker since Apache Kafka 2.4 has it.
const API_VERSIONS: i16 = 3;

/// A connection to one broker.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    client_id: String,
    correlation: i32,
    versions: BTreeMap<i16, (i16, i16)>,
    timeout: Duration,
}

impl Connection {
    /// Connects to HOST:PORT and agrees on versions. Every wait, now and later, ends after `timeout`.
    ///
    /// # Errors
    /// Nobody listens, or it is no broker.
    pub async fn open(address: &str, client_id: &str, timeout: Duration) -> Result<Self, Error> {
        let stream = within(timeout, async { Ok(TcpStream::connect(address).await?) }).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream,
            client_id: client_id.to_owned(),
            correlation: 0,
            versions: BTreeMap::new(),
            timeout,
        };
        let request = ApiVersionsRequest {
            client_software_name: "gregor".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let response = connection.exchange(&request, API_VERSIONS).await?;
        Refusal::check(response.error_code, None)?;
        connection.versions =
            response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(connection)
    }

    /// Sends a request in the highest version that both sides have, and waits for its answer.
    ///
    /// # Errors
    /// The connection broke, the broker does not have the API, or the answer cannot be read.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<R::Response, Error> {
        let version = self.version::<R>().ok_or(Error::Unsupported(R::KEY.name()))?;
        self.exchange(request, version).await
    }

    /// The highest version of a request that both sides have.
    fn version<R: Request>(&self) -> Option<i16> {
        let (least, most) = *self.versions.get(&R::KEY.wire())?;
        let version = most.min(*R::VERSIONS.end());
        (version >= least && version >= *R::VERSIONS.start()).then_some(version)
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response, Error> {
        self.correlation = self.correlation.wrapping_add(1);
        let correlation = CorrelationId(self.correlation);
        let frame = request_frame(request, version, correlation, Some(&self.client_id));
        let timeout = self.timeout;
        let body = within(timeout, self.round_trip(&frame)).await?;
        read_response::<R>(&body, version, correlation)
    }

    async fn round_trip(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        self.stream.write_all(frame).await?;
        let length = self.stream.read_i32().await?;
        let length = usize::try_from(length).ok().filter(|length| *length <= RESPONSE_BYTES_MAX);
        let Some(length) = length else {
            return Err(Error::Protocol(format!("an answer of more than {RESPONSE_BYTES_MAX} bytes")));
        };
        // Grows with what arrives, not with what was announced.
        let mut body = Vec::new();
        (&mut self.stream).take(length as u64).read_to_end(&mut body).await?;
        if body.len() < length {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(body)
    }
}

fn read_response<R: Request>(
    body: &[u8],
    version: i16,
    correlation: CorrelationId,
) -> Result<R::Response, Error> {
    let mut reader = Reader::new(body);
    let header = ResponseHeader::decode(&mut reader, R::KEY, version)?;
    if header.correlation_id != correlation {
        return Err(Error::Protocol(format!("the answer to request {}", header.correlation_id)));
    }
    // A broker that lacks the asked version answers in version 0, whatever was asked (KIP-511).
    let refused = R::KEY == ApiKey::ApiVersions
        && body.get(4..6) == Some(&ErrorCode::UnsupportedVersion.wire().to_be_bytes());
    if refused {
        return Err(Error::Unsupported(R::KEY.name()));
    }
    let response = R::Response::decode(&mut reader, version)?;
    reader.finish()?;
    Ok(response)
}

async fn within<T>(timeout: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(Error::TimedOut(timeout.as_secs())))
}
