//! The LZ4 frame format, version 1, read block by block.
//!
//! Header and block checksums are verified where they are; the checksum of the whole content is stepped over,
//! as Kafka does, since the batch's CRC covers the same bytes. Blocks that refer to earlier ones are read,
//! though Kafka's own clients neither write nor read them: what is checked whole may not have them.

use lz4_flex::block::{decompress_into, decompress_into_with_dict};
use twox_hash::XxHash32;

use super::{DecompressError, Window};
use crate::records::varint::Cursor;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const VERSION_MASK: u8 = 0xc0;
const VERSION_1: u8 = 0x40;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const DICTIONARY: u8 = 0x01;
/// A block of which this bit is set in its length is stored as it is.
const STORED: u32 = 1 << 31;
/// How far back a block may refer.
const HISTORY_BYTES: usize = 64 << 10;
/// One byte of a match length makes at most 255 of output; the slack covers a block's few first bytes.
const EXPANSION_MAX: usize = 255;

pub(super) struct Lz4<'a> {
    input: Cursor<'a>,
    flags: u8,
    block_bytes_max: usize,
    ended: bool,
}

const CUT: DecompressError = DecompressError::Corrupt("the LZ4 frame is cut");

impl<'a> Lz4<'a> {
    pub(super) fn new(input: &'a [u8]) -> Result<Self, DecompressError> {
        let mut cursor = Cursor::new(input);
        if cursor.take(4) != Some(&MAGIC) {
            return Err(DecompressError::Corrupt("no LZ4 frame"));
        }
        let (flags, block_bytes_max) = read_descriptor(&mut cursor)?;
        Ok(Self { input: cursor, flags, block_bytes_max, ended: false })
    }

    pub(super) fn more(&mut self, window: &mut Window) -> Result<bool, DecompressError> {
        while !self.ended {
            let Some((block, stored)) = self.next_block()? else {
                return self.end().map(|()| false);
            };
            let made = if stored { copy(block, window)? } else { self.decompress(block, window)? };
            if made > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn decompress(&self, block: &[u8], window: &mut Window) -> Result<usize, DecompressError> {
        let room_bytes = self.block_bytes_max.min(block.len().saturating_mul(EXPANSION_MAX) + 64);
        let damaged = |_| DecompressError::Corrupt("an LZ4 block is damaged");
        let made = if self.flags & INDEPENDENT != 0 {
            let (_, room) = window.room(room_bytes, 0);
            decompress_into(block, room).map_err(damaged)?
        } else {
            let (before, room) = window.room(room_bytes, HISTORY_BYTES);
            let history = before.get(before.len().saturating_sub(HISTORY_BYTES)..).unwrap_or_default();
            decompress_into_with_dict(block, room, history).map_err(damaged)?
        };
        window.filled(made)?;
        Ok(made)
    }

    /// The next block and whether it is stored; `None` at the end mark.
    fn next_block(&mut self) -> Result<Option<(&'a [u8], bool)>, DecompressError> {
        let length = take_u32(&mut self.input).ok_or(CUT)?;
        if length == 0 {
            return Ok(None);
        }
        let stored = length & STORED != 0;
        let length = usize::try_from(length & !STORED).unwrap_or(usize::MAX);
        if length > self.block_bytes_max {
            return Err(DecompressError::Corrupt("an LZ4 block is larger than its frame allows"));
        }
        let block = self.input.take(length).ok_or(CUT)?;
        if self.flags & BLOCK_CHECKSUM != 0 {
            let checksum = take_u32(&mut self.input).ok_or(CUT)?;
            if checksum != XxHash32::oneshot(0, block) {
                return Err(DecompressError::Corrupt("an LZ4 block does not match its checksum"));
            }
        }
        Ok(Some((block, stored)))
    }

    fn end(&mut self) -> Result<(), DecompressError> {
        self.ended = true;
        if self.flags & CONTENT_CHECKSUM != 0 {
            take_u32(&mut self.input).ok_or(CUT)?;
        }
        if !self.input.is_empty() {
            return Err(DecompressError::Corrupt("bytes follow the LZ4 frame"));
        }
        Ok(())
    }
}

/// Whether a frame says that its blocks refer to earlier ones.
pub(super) fn has_linked_blocks(frame: &[u8]) -> bool {
    frame.strip_prefix(&MAGIC).and_then(<[u8]>::first).is_some_and(|flags| flags & INDEPENDENT == 0)
}

fn copy(block: &[u8], window: &mut Window) -> Result<usize, DecompressError> {
    let (_, room) = window.room(block.len(), HISTORY_BYTES);
    room.copy_from_slice(block);
    window.filled(block.len())?;
    Ok(block.len())
}

/// The flags and the largest size of a block.
fn read_descriptor(input: &mut Cursor<'_>) -> Result<(u8, usize), DecompressError> {
    let descriptor = *input;
    let flags = input.byte().ok_or(CUT)?;
    let block_size = input.byte().ok_or(CUT)?;
    if flags & VERSION_MASK != VERSION_1 || flags & DICTIONARY != 0 {
        return Err(DecompressError::Corrupt("an LZ4 frame of an unknown kind"));
    }
    let length = if flags & CONTENT_SIZE != 0 { 10 } else { 2 };
    input.take(length - 2).ok_or(CUT)?;
    let block_bytes_max = match block_size >> 4 & 0x7 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        _ => return Err(DecompressError::Corrupt("an LZ4 frame with an unknown block size")),
    };
    let hash = XxHash32::oneshot(0, descriptor.rest().get(..length).unwrap_or_default());
    if input.byte() != Some(hash.to_le_bytes()[1]) {
        return Err(DecompressError::Corrupt("an LZ4 frame header does not match its checksum"));
    }
    Ok((flags, block_bytes_max))
}

fn take_u32(input: &mut Cursor<'_>) -> Option<u32> {
    input.take(4)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}
