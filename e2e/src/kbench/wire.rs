//! Frames of Kafka's protocol: an encoder, a bounded reader, and one blocking connection.
//!
//! Only what the old, inflexible versions need (`kbench` names them); integers are big-endian.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

/// A response longer than this is taken for garbage, so that a wrong length cannot ask for all memory.
const RESPONSE_BYTES_MAX: usize = 256 << 20;
/// Longer than any request here may wait at the broker, shorter than a hung run should last.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Appends Kafka's primitive types to a byte vector.
#[derive(Default)]
pub struct Encoder(pub Vec<u8>);

impl Encoder {
    /// One byte.
    pub fn i8(&mut self, value: i8) {
        self.0.extend(value.to_be_bytes());
    }

    /// Two bytes.
    pub fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    /// Four bytes.
    pub fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    /// Eight bytes.
    pub fn i64(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    /// An array's or a byte string's length.
    pub fn length(&mut self, value: usize) {
        self.i32(i32::try_from(value).expect("a length of ours fits 31 bits"));
    }

    /// A string with a 16-bit length.
    pub fn string(&mut self, value: &str) {
        self.i16(i16::try_from(value.len()).expect("a name of ours fits 15 bits"));
        self.0.extend(value.as_bytes());
    }

    /// A zigzag varint, as records use it.
    pub fn varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push((rest & 0x7f) as u8);
    }
}

/// A whole request: length, header of version 1, body. Its correlation id stands at bytes 8 to 12.
pub fn request(api_key: i16, api_version: i16, body: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.i32(0);
    encoder.i16(api_key);
    encoder.i16(api_version);
    encoder.i32(0);
    encoder.string("kbench");
    body(&mut encoder);
    set_length(&mut encoder.0, 0);
    encoder.0
}

/// Writes a frame's length into its first four bytes; `more` bytes follow that are not in `frame`.
pub fn set_length(frame: &mut [u8], more: usize) {
    let length = i32::try_from(frame.len() - 4 + more).expect("a frame of ours fits 31 bits");
    frame[..4].copy_from_slice(&length.to_be_bytes());
}

/// Reads Kafka's primitive types from a received frame.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    /// Bytes read so far.
    pub position: usize,
}

impl<'a> Cursor<'a> {
    /// A reader at the first byte.
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, position: 0 }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.position.checked_add(count).context("length overflows")?;
        let slice = self.bytes.get(self.position..end).ok_or_else(|| anyhow!("frame ends inside a field"))?;
        self.position = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("take gave N bytes"))
    }

    /// One byte.
    pub fn i8(&mut self) -> Result<i8> {
        self.array().map(i8::from_be_bytes)
    }

    /// Two bytes.
    pub fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// Four bytes.
    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes.
    pub fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A length of an array or byte string; null counts as empty.
    pub fn length(&mut self) -> Result<usize> {
        Ok(usize::try_from(self.i32()?).unwrap_or(0))
    }

    /// A string; null counts as empty.
    pub fn string(&mut self) -> Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }
}

/// One blocking connection, read through a buffer so that many small answers cost one system call.
pub struct Connection {
    reader: BufReader<TcpStream>,
    frame: Vec<u8>,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Connection { reader: BufReader::with_capacity(64 << 10, stream), frame: Vec::new() })
    }

    /// Sends one request with the given correlation id written into it.
    pub fn send(&mut self, request: &mut [u8], correlation_id: i32) -> Result<()> {
        request[8..12].copy_from_slice(&correlation_id.to_be_bytes());
        self.reader.get_mut().write_all(request).context("send a request")
    }

    /// The body of the next response, which must carry this correlation id.
    pub fn receive(&mut self, correlation_id: i32) -> Result<&[u8]> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).context("receive a response")?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        ensure!((4..=RESPONSE_BYTES_MAX).contains(&length), "a response announces {length} bytes");
        self.frame.resize(length, 0);
        self.reader.read_exact(&mut self.frame).context("receive a response's body")?;
        let got = i32::from_be_bytes(self.frame[..4].try_into().expect("four bytes"));
        ensure!(got == correlation_id, "response {got} came where {correlation_id} was due");
        Ok(&self.frame[4..])
    }

    /// Whether a response, or a part of one, was read already: receiving it may not need to wait.
    pub fn is_buffered(&self) -> bool {
        !self.reader.buffer().is_empty()
    }

    /// Waits until a byte can be read; fails when the broker closed the connection.
    pub fn wait_readable(&mut self) -> Result<()> {
        ensure!(!self.reader.fill_buf()?.is_empty(), "the broker closed the connection");
        Ok(())
    }

    /// Sends and receives.
    pub fn call(&mut self, request: &mut [u8]) -> Result<&[u8]> {
        self.send(request, 1)?;
        self.receive(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_its_length_and_correlation_id() {
        let frame = request(3, 4, |body| body.string("ab"));
        assert_eq!(frame[..4], 20_i32.to_be_bytes());
        assert_eq!(frame[4..8], [0, 3, 0, 4]);
        assert_eq!(frame[12..20], *b"\0\x06kbench");
        assert_eq!(frame.len(), 24);
    }

    #[test]
    fn varints_are_zigzag() {
        let mut encoder = Encoder::default();
        for value in [0, -1, 1, 63, -64, 64, 300] {
            encoder.varint(value);
        }
        assert_eq!(encoder.0, [0, 1, 2, 126, 127, 0x80, 1, 0xd8, 4]);
    }

    #[test]
    fn a_cursor_never_reads_past_the_end() {
        let mut cursor = Cursor::new(&[0, 9, b'x']);
        assert!(cursor.string().is_err());
        assert!(Cursor::new(&[1]).take(usize::MAX).is_err());
    }
}
