//! The codecs of compressed batches: streaming decompression under a cap, and compression.
//!
//! A [`Scratch`] holds what is worth reusing from batch to batch; one lives in each thread. Decompression
//! goes block by block into a [`Window`], which a walker empties as it fills, so that memory follows the
//! largest record and not the batch. No announced size is allocated: each is first held against what its
//! codec can make of the bytes that are there.

mod compress;
mod gzip;
mod lz4;
mod snappy;
mod window;
mod zstd;

pub use compress::{CompressError, compress};
pub(super) use window::Window;

use std::cell::RefCell;

/// How a batch's records are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy blocks in the framing of snappy-java; one bare block is read too, as some clients send it.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// Zstandard (KIP-110); Produce 7 and Fetch 10 on.
    Zstd,
}

impl Compression {
    /// Every codec, in the order of the numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of a number in a batch's attributes.
    #[must_use]
    pub const fn from_wire(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The number in a batch's attributes.
    #[must_use]
    pub const fn wire(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Kafka's name, as in `compression.type`; `none` for no compression.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// Why compressed records cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The bytes are not what the codec writes.
    #[error("the compressed records are damaged: {0}")]
    Corrupt(&'static str),
    /// More comes out than the caller allows: a decompression bomb, or a limit set too low.
    #[error("the records take more than {0} bytes when decompressed")]
    TooLarge(usize),
}

/// Decompression contexts that are kept from batch to batch, because making one costs more than a small
/// batch.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) window: Window,
    codecs: Codecs,
}

#[derive(Default)]
struct Codecs {
    gzip: Option<flate2::Decompress>,
    zstd: Option<::zstd::zstd_safe::DCtx<'static>>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's scratch. Inside a loan a second one gets a fresh scratch.
pub(super) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|shared| match shared.try_borrow_mut() {
        Ok(mut scratch) => {
            let result = work(&mut scratch);
            scratch.trim();
            result
        }
        Err(_) => work(&mut Scratch::default()),
    })
}

impl Scratch {
    /// Starts reading `input`; its output will appear in the window.
    pub(super) fn start<'a>(
        &'a mut self,
        compression: Compression,
        input: &'a [u8],
        output_bytes_max: usize,
    ) -> Result<Stream<'a>, DecompressError> {
        self.window.clear(output_bytes_max);
        let source = Source::new(compression, input, &mut self.codecs)?;
        Ok(Stream { window: &mut self.window, source })
    }

    fn trim(&mut self) {
        self.window.trim();
        if self.codecs.zstd.as_ref().is_some_and(|context| context.sizeof() > zstd::CONTEXT_BYTES_KEPT) {
            self.codecs.zstd = None;
        }
    }
}

/// One batch's records on their way out of their codec.
pub(super) struct Stream<'a> {
    pub(super) window: &'a mut Window,
    source: Source<'a>,
}

impl Stream<'_> {
    /// Decompresses the next piece into the window; false at the end, which also means that it ended
    /// properly.
    pub(super) fn more(&mut self) -> Result<bool, DecompressError> {
        match &mut self.source {
            Source::Plain(input) => self.window.append(std::mem::take(input)),
            Source::Gzip(source) => source.more(self.window),
            Source::Snappy(source) => source.more(self.window),
            Source::Lz4(source) => source.more(self.window),
            Source::Zstd(source) => source.more(self.window),
        }
    }
}

enum Source<'a> {
    Plain(&'a [u8]),
    Gzip(gzip::Gzip<'a>),
    Snappy(snappy::Snappy<'a>),
    Lz4(lz4::Lz4<'a>),
    Zstd(zstd::Zstd<'a>),
}

impl<'a> Source<'a> {
    fn new(
        compression: Compression,
        input: &'a [u8],
        codecs: &'a mut Codecs,
    ) -> Result<Self, DecompressError> {
        Ok(match compression {
            Compression::None => Self::Plain(input),
            Compression::Gzip => Self::Gzip(gzip::Gzip::new(input, &mut codecs.gzip)?),
            Compression::Snappy => Self::Snappy(snappy::Snappy::new(input)),
            Compression::Lz4 => Self::Lz4(lz4::Lz4::new(input)?),
            Compression::Zstd => Self::Zstd(zstd::Zstd::new(input, &mut codecs.zstd)?),
        })
    }
}

/// Refuses what can be read here and not by Kafka's own consumers: LZ4 frames with blocks that refer to earlier ones.
pub(super) fn check_consumable(compression: Compression, input: &[u8]) -> Result<(), DecompressError> {
    if compression == Compression::Lz4 && lz4::has_linked_blocks(input) {
        return Err(DecompressError::Corrupt(
            "an LZ4 block refers to an earlier one, which Kafka's clients cannot read",
        ));
    }
    Ok(())
}

/// Decompresses the whole of `input` behind what `output` holds.
///
/// # Errors
/// [`DecompressError`]: damaged input, or more than `output_bytes_max` bytes of output. `output` then holds
/// the part that was read.
pub fn decompress(
    compression: Compression,
    input: &[u8],
    output_bytes_max: usize,
    output: &mut Vec<u8>,
) -> Result<(), DecompressError> {
    with_scratch(|scratch| {
        let mut stream = scratch.start(compression, input, output_bytes_max)?;
        while stream.more()? {
            output.extend_from_slice(stream.window.unread());
            let length = stream.window.unread().len();
            stream.window.consume(length);
        }
        Ok(())
    })
}
