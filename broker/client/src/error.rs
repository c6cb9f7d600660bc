//! Why there is no answer, or what was refused.

use std::fmt;
use std::io;

use protocol::ErrorCode;
use protocol::wire::DecodeError;

/// Why a call has no answer. After one of them a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No address was given, or none of them answers.
    #[error("no broker answers at {0}")]
    Unreachable(String),
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing came within the time allowed.
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// What came is no answer to what was asked.
    #[error("an answer that cannot be read: {0}")]
    Answer(#[from] DecodeError),
    /// What came is larger than this client takes, or belongs to another request.
    #[error("{0}")]
    Protocol(String),
    /// The broker has no version of the API that this client has.
    #[error("the broker does not serve {0} in a version that this client knows")]
    Unsupported(&'static str),
    /// The broker refused the request as a whole.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What a broker refused, in its words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// The broker's sentence, when it gave one.
    pub message: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code),
            None => self.code.fmt(f),
        }
    }
}

impl Refusal {
    /// `Ok` when the code is no error.
    ///
    /// # Errors
    /// The code, if it is one.
    pub fn check(code: ErrorCode, message: Option<&str>) -> Result<(), Self> {
        if code.is_error() { Err(Self { code, message: message.map(str::to_owned) }) } else { Ok(()) }
    }
}
