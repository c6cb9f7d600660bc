//! Zstandard frames.
//!
//! A small batch is decompressed in one call into the window, which needs no history buffer and is the
//! fastest way. What does not fit goes through the streaming interface, whose history the cap on the window
//! log bounds.

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::{DecompressError, Window};

/// The largest output of the one-call way, and what a thread's window keeps.
const ONE_CALL_BYTES_MAX: usize = 1 << 20;
/// Compressed sizes above this skip the one-call way: at Kafka's usual ratios their output would not fit.
const ONE_CALL_INPUT_BYTES_MAX: usize = ONE_CALL_BYTES_MAX / 4;
const STEP_BYTES: usize = 128 << 10;
/// 2^27 bytes is what zstd's highest level uses and what its decoders accept by default. The memory is
/// touched only as far as output has come, which the caller's cap bounds.
const WINDOW_LOG_MAX: u32 = 27;
/// A context that has grown past this is dropped after its batch.
pub(super) const CONTEXT_BYTES_KEPT: usize = 4 << 20;

pub(super) struct Zstd<'a> {
    input: InBuffer<'a>,
    context: &'a mut DCtx<'static>,
    way: Way,
    /// The last call ended a frame.
    frame_ended: bool,
}

#[derive(PartialEq)]
enum Way {
    OneCall,
    Streaming,
    Ended,
}

const DAMAGED: DecompressError = DecompressError::Corrupt("not a zstd frame");

impl<'a> Zstd<'a> {
    pub(super) fn new(
        input: &'a [u8],
        context: &'a mut Option<DCtx<'static>>,
    ) -> Result<Self, DecompressError> {
        let way = if input.len() <= ONE_CALL_INPUT_BYTES_MAX { Way::OneCall } else { Way::Streaming };
        let context = context.get_or_insert_with(DCtx::create);
        context.reset(ResetDirective::SessionOnly).map_err(|_| DAMAGED)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(|_| DAMAGED)?;
        Ok(Self { input: InBuffer::around(input), context, way, frame_ended: false })
    }

    pub(super) fn more(&mut self, window: &mut Window) -> Result<bool, DecompressError> {
        if self.way == Way::OneCall {
            let (_, room) = window.room(ONE_CALL_BYTES_MAX, 0);
            if let Ok(made) = self.context.decompress(room, self.input.src) {
                self.way = Way::Ended;
                window.filled(made)?;
                return Ok(made > 0);
            }
            // Too much output, or damage: the streaming way tells which.
            self.way = Way::Streaming;
            self.context.reset(ResetDirective::SessionOnly).map_err(|_| DAMAGED)?;
        }
        if self.way == Way::Ended {
            return Ok(false);
        }
        self.stream(window)
    }

    fn stream(&mut self, window: &mut Window) -> Result<bool, DecompressError> {
        loop {
            if self.input.pos() == self.input.src.len() && self.frame_ended {
                self.way = Way::Ended;
                return Ok(false);
            }
            let (_, room) = window.room(STEP_BYTES, 0);
            let mut output = OutBuffer::around(room);
            let before = self.input.pos();
            let hint = self.context.decompress_stream(&mut output, &mut self.input).map_err(|_| DAMAGED)?;
            let made = output.pos();
            self.frame_ended = hint == 0;
            window.filled(made)?;
            if made > 0 {
                return Ok(true);
            }
            if self.input.pos() == before && !self.frame_ended {
                return Err(DecompressError::Corrupt("the zstd frame is cut"));
            }
        }
    }
}
