//! Reads from a borrowed frame, within bounds.

use super::{At, DecodeError, Wire};

/// Most elements of one array (the bound of Kafka 4.4).
pub const ELEMENTS_MAX: usize = 1_000_000;
/// Most fields of one tagged section (the bound of Kafka 4.4).
pub const TAGGED_FIELDS_MAX: u32 = 10_000;
/// Heap bytes that a message may take for each byte of its frame. The largest honest ratio is about 3: a partition
/// of a Metadata response takes 96 bytes and 28 on the wire.
pub const HEAP_BUDGET_PER_BYTE: usize = 4;
/// Heap bytes that any message may take: short names cost more than [`HEAP_BUDGET_PER_BYTE`] (a topic of 8 letters
/// is 10 bytes on the wire and 48 here), so that 100,000 of them must fit. A worker decodes one message at a time.
pub const HEAP_BUDGET_MIN: usize = 8 << 20;
/// An array's capacity before its first element is read.
const CAPACITY_FIRST: usize = 1_000;

/// A position in a frame, with the heap budget that decoding it may use.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    end: usize,
    heap_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start, with the budget that their number gives.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let budget = bytes.len().saturating_mul(HEAP_BUDGET_PER_BYTE).max(HEAP_BUDGET_MIN);
        Self { bytes, position: 0, end: bytes.len(), heap_left: budget }
    }

    /// How many bytes have been read.
    #[must_use]
    #[inline]
    pub const fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left.
    #[must_use]
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// Says that the value ends here.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] when bytes are left.
    pub const fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(DecodeError::Trailing(left)),
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        if count > self.remaining() {
            return Err(DecodeError::Truncated { needed: count, left: self.remaining() });
        }
        let bytes = self.bytes.get(self.position..self.position + count);
        self.position += count;
        Ok(bytes.unwrap_or_default())
    }

    /// The next `N` bytes, by value.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let left = self.remaining();
        self.take(N)?.first_chunk().copied().ok_or(DecodeError::Truncated { needed: N, left })
    }

    /// An unsigned varint of up to 32 bits.
    ///
    /// # Errors
    /// [`DecodeError::Varint`], [`DecodeError::Truncated`].
    #[inline]
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint)
    }

    /// A length that is null when -1: of `size` bytes below the flexible versions, else a varint of length + 1.
    #[inline]
    fn length(&mut self, flexible: bool, narrow: bool) -> Result<Option<usize>, DecodeError> {
        let length = if flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else if narrow {
            i64::from(i16::from_be_bytes(self.array()?))
        } else {
            i64::from(i32::from_be_bytes(self.array()?))
        };
        match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(DecodeError::Length(length)),
        }
    }

    /// The bytes of a string; `None` is null.
    ///
    /// # Errors
    /// The length is negative, above 32,767 or above what is left; or the bytes are not UTF-8.
    #[inline]
    pub fn str(&mut self, flexible: bool) -> Result<Option<&'a str>, DecodeError> {
        let Some(bytes) = self.text(flexible)? else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|_| DecodeError::Utf8)
    }

    /// The bytes of a string that may be no UTF-8; `None` is null.
    ///
    /// # Errors
    /// The length is negative, above [`STRING_MAX`](super::STRING_MAX), or above what is left.
    #[inline]
    pub fn text(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, DecodeError> {
        let Some(length) = self.length(flexible, true)? else { return Ok(None) };
        if length > super::STRING_MAX {
            return Err(DecodeError::Length(i64::try_from(length).unwrap_or(i64::MAX)));
        }
        self.take(length).map(Some)
    }

    /// A byte string or a record set; `None` is null.
    ///
    /// # Errors
    /// The length is negative or above what is left.
    #[inline]
    pub fn bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.length(flexible, false)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// How many elements an array has, each of at least `least_size` bytes; `None` is null.
    ///
    /// # Errors
    /// The count is negative, above [`ELEMENTS_MAX`], or above what the bytes left can hold.
    #[inline]
    pub fn array_length(&mut self, flexible: bool, least_size: usize) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.length(flexible, false)? else { return Ok(None) };
        let most = (self.remaining() / least_size.max(1)).min(ELEMENTS_MAX);
        if count > most {
            return Err(DecodeError::Elements { count, most });
        }
        Ok(Some(count))
    }

    /// An array; `None` is null. The capacity grows as elements are read, each growth taken from the budget.
    pub(super) fn elements<T: Wire>(&mut self, at: At) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.array_length(at.flexible, T::KIND.least_size(at))? else { return Ok(None) };
        let mut elements = Vec::new();
        while elements.len() < count {
            if elements.len() == elements.capacity() {
                let more = (count - elements.len()).min(elements.len().max(CAPACITY_FIRST));
                self.spend(more.saturating_mul(size_of::<T>()))?;
                elements.reserve_exact(more);
            }
            elements.push(T::decode(self, at)?);
        }
        Ok(Some(elements))
    }

    /// Takes `bytes` from the heap budget.
    ///
    /// # Errors
    /// [`DecodeError::HeapBudget`] when less is left.
    pub fn spend(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.heap_left = self.heap_left.checked_sub(bytes).ok_or(DecodeError::HeapBudget)?;
        Ok(())
    }

    /// Reads a section of tagged fields. `known` reads the field of a tag, or says `false`: then it is skipped.
    ///
    /// # Errors
    /// Too many fields, a field that does not fill its announced size, or what `known` returns.
    pub fn tagged_fields(
        &mut self,
        at: At,
        known: &mut dyn FnMut(&mut Self, u32) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        if !at.flexible {
            return Ok(());
        }
        let count = self.unsigned_varint()?;
        if count > TAGGED_FIELDS_MAX {
            return Err(DecodeError::TaggedFields(count));
        }
        for _ in 0..count {
            let tag = self.unsigned_varint()?;
            let size = usize::try_from(self.unsigned_varint()?).unwrap_or(usize::MAX);
            if size > self.remaining() {
                return Err(DecodeError::Truncated { needed: size, left: self.remaining() });
            }
            let outer_end = std::mem::replace(&mut self.end, self.position + size);
            if known(self, tag)? {
                self.finish()?;
            }
            self.position = self.end;
            self.end = outer_end;
        }
        Ok(())
    }

    /// Skips a section of tagged fields of which none is known.
    ///
    /// # Errors
    /// As [`Reader::tagged_fields`].
    #[inline]
    pub fn skip_tagged_fields(&mut self, at: At) -> Result<(), DecodeError> {
        // Nearly every section is empty.
        if at.flexible && self.bytes.get(self.position) == Some(&0) && self.remaining() > 0 {
            self.position += 1;
            return Ok(());
        }
        self.tagged_fields(at, &mut |_, _| Ok(false))
    }
}
