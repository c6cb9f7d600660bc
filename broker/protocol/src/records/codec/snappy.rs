//! Snappy, in the two forms that clients send: framed by snappy-java ("xerial"), and as one bare block.
//!
//! The frame is a 16-byte header (magic, version, least compatible version) and then blocks, each behind its
//! length as a big-endian 32-bit number. Blocks are independent of each other.

use snap::raw::{Decoder, decompress_len};

use super::{DecompressError, Window};
use crate::records::varint::Cursor;

pub(super) const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// The magic, version 1, compatible with version 1.
pub(super) const XERIAL_HEADER: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Three bytes of a copy make at most 64 of output; one more, and a literal, cover the rounding.
const EXPANSION_MAX: usize = 22;

pub(super) struct Snappy<'a> {
    input: Cursor<'a>,
    framed: bool,
}

impl<'a> Snappy<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let mut cursor = Cursor::new(input);
        let framed = input.starts_with(XERIAL_MAGIC) && cursor.take(XERIAL_HEADER.len()).is_some();
        Self { input: cursor, framed }
    }

    pub(super) fn more(&mut self, window: &mut Window) -> Result<bool, DecompressError> {
        while !self.input.is_empty() {
            let block = self.next_block().ok_or(DecompressError::Corrupt("a snappy block is cut"))?;
            let length = decompress_len(block).map_err(|_| DecompressError::Corrupt("no snappy block"))?;
            if length > block.len().saturating_mul(EXPANSION_MAX) + 64 {
                return Err(DecompressError::Corrupt("a snappy block announces more than it can hold"));
            }
            if length > window.left() {
                return Err(window.too_large());
            }
            let (_, room) = window.room(length, 0);
            let made = Decoder::new()
                .decompress(block, room)
                .map_err(|_| DecompressError::Corrupt("a snappy block is damaged"))?;
            window.filled(made)?;
            if made > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn next_block(&mut self) -> Option<&'a [u8]> {
        if !self.framed {
            return self.input.take(self.input.rest().len());
        }
        let length = self.input.take(4)?.first_chunk::<4>()?;
        self.input.take(usize::try_from(u32::from_be_bytes(*length)).ok()?)
    }
}
