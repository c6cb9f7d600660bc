//! Inputs worth keeping, one file a target: each input behind its length, four bytes, big-endian.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn path(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs that are kept for a target.
///
/// # Errors
/// The file cannot be read, or ends within an input.
pub fn read(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let bytes = fs::read(path(target))?;
    let mut inputs = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let cut = || {
            io::Error::new(io::ErrorKind::UnexpectedEof, format!("{target}'s corpus ends within an input"))
        };
        let (length, behind) = rest.split_first_chunk().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
        inputs.push(behind.get(..length).ok_or_else(cut)?.to_vec());
        rest = behind.get(length..).unwrap_or_default();
    }
    Ok(inputs)
}

/// Keeps these inputs and no others.
///
/// # Errors
/// The file cannot be written.
pub fn write(target: &str, inputs: &[Vec<u8>]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for input in inputs {
        let length = u32::try_from(input.len()).map_err(io::Error::other)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(input);
    }
    let path = path(target);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, bytes)
}
