//! Appends to a growing buffer.

use super::{At, STRING_MAX, Wire};

/// Appends values to a `Vec<u8>`.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

/// A section of tagged fields that is being written: where its count lies.
#[derive(Debug, Clone, Copy)]
pub struct TaggedSection(usize);

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty buffer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What was written.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes the buffer holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the buffer holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends `bytes` as they are.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends an unsigned varint.
    #[inline]
    pub fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        // Below 0x80.
        self.bytes.push((value & 0x7f) as u8);
    }

    /// Appends the length of a string (`narrow`), an array or bytes; `None` is null.
    pub(crate) fn length(&mut self, length: Option<usize>, flexible: bool, narrow: bool) {
        let length = length.map(|length| i32::try_from(length).ok());
        assert!(length != Some(None), "a value in a frame is shorter than 2 GiB");
        let length = length.flatten();
        if flexible {
            self.unsigned_varint(length.map_or(0, |length| length.unsigned_abs() + 1));
        } else if narrow {
            // Strings are cut at STRING_MAX, which is i16::MAX.
            self.put(&length.map_or(-1, |length| i16::try_from(length).unwrap_or(i16::MAX)).to_be_bytes());
        } else {
            self.put(&length.unwrap_or(-1).to_be_bytes());
        }
    }

    /// Appends a string; `None` is null. A string longer than [`STRING_MAX`] is cut at a character's end: only
    /// error messages can grow so long, and a frame that nobody can read would be worse.
    pub fn str(&mut self, text: Option<&str>, flexible: bool) {
        let text = text.map(|text| &text[..text.floor_char_boundary(STRING_MAX)]);
        self.length(text.map(str::len), flexible, true);
        self.put(text.unwrap_or_default().as_bytes());
    }

    /// Appends a string that may be no UTF-8; `None` is null. Cut as [`Writer::str`], at any byte.
    pub fn text(&mut self, text: Option<&[u8]>, flexible: bool) {
        let text = text.map(|text| text.get(..STRING_MAX).unwrap_or(text));
        self.length(text.map(<[u8]>::len), flexible, true);
        self.put(text.unwrap_or_default());
    }

    /// Appends a byte string or record set with its length; `None` is null.
    pub fn length_prefixed(&mut self, bytes: Option<&[u8]>, flexible: bool) {
        self.length(bytes.map(<[u8]>::len), flexible, false);
        self.put(bytes.unwrap_or_default());
    }

    /// Appends the count of an array; its elements follow.
    #[inline]
    pub fn array_length(&mut self, count: usize, at: At) {
        self.length(Some(count), at.flexible, false);
    }

    /// Appends the length of a record set; `None` is null. Its bytes follow, here or elsewhere.
    #[inline]
    pub fn records_length(&mut self, length: Option<usize>, at: At) {
        self.length(length, at.flexible, false);
    }

    /// Reserves the four bytes of a frame's size; [`Writer::end_frame`] fills them.
    #[must_use]
    pub fn begin_frame(&mut self) -> usize {
        self.put(&[0; 4]);
        self.bytes.len()
    }

    /// Writes the size of the frame that [`Writer::begin_frame`] began.
    ///
    /// # Panics
    /// When the frame has 2 GiB or more.
    pub fn end_frame(&mut self, start: usize) {
        self.end_frame_with(start, 0);
    }

    /// Writes the size of the frame that [`Writer::begin_frame`] began, of which `outside` bytes are not in this
    /// buffer.
    ///
    /// # Panics
    /// When the frame has 2 GiB or more.
    pub fn end_frame_with(&mut self, start: usize, outside: usize) {
        let size = self.bytes.len().checked_sub(start).map(|inside| inside.saturating_add(outside));
        let size = size.and_then(|size| i32::try_from(size).ok());
        assert!(size.is_some(), "a frame is shorter than 2 GiB");
        if let (Some(size), Some(place)) =
            (size, start.checked_sub(4).and_then(|at| self.bytes.get_mut(at..start)))
        {
            place.copy_from_slice(&size.to_be_bytes());
        }
    }

    /// Writes an empty section of tagged fields, where the version has one.
    #[inline]
    pub fn no_tagged_fields(&mut self, at: At) {
        if at.flexible {
            self.bytes.push(0);
        }
    }

    /// Begins a section of tagged fields.
    #[must_use]
    pub fn begin_tagged_fields(&mut self) -> TaggedSection {
        self.bytes.push(0);
        TaggedSection(self.bytes.len() - 1)
    }

    /// Appends one tagged field unless it has its default. Tags come in ascending order, fewer than 128.
    pub fn tagged_field<T: Wire + PartialEq>(
        &mut self,
        section: TaggedSection,
        tag: u32,
        value: &T,
        default: &T,
        at: At,
    ) {
        if value == default {
            return;
        }
        self.unsigned_varint(tag);
        let start = self.bytes.len();
        value.encode(self, at);
        self.close_tagged_field(section, start);
    }

    /// Counts a field that was written from `start` on, and puts its size in front of it.
    fn close_tagged_field(&mut self, section: TaggedSection, start: usize) {
        let end = self.bytes.len();
        self.length_in_front(end - start);
        let prefix = self.bytes.len() - end;
        if let Some(field) = self.bytes.get_mut(start..) {
            field.rotate_right(prefix);
        }
        if let Some(count) = self.bytes.get_mut(section.0) {
            *count += 1;
        }
    }

    fn length_in_front(&mut self, size: usize) {
        let size = u32::try_from(size).ok();
        assert!(size.is_some(), "a tagged field is shorter than 4 GiB");
        self.unsigned_varint(size.unwrap_or_default());
    }
}

impl From<Vec<u8>> for Writer {
    /// Appends to what `bytes` holds.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}
