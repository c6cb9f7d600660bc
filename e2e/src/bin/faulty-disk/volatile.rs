//! What would be gone if the power went: bytes that were written and not synced, page by page, as the kernel keeps them.
//!
//! A page of a failed sync counts as written back, as on Linux: later syncs pass over it, and only who writes it again
//! makes it durable. Names are durable at once.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fuser::INodeNo;

const PAGE_BYTES: u64 = 4096;

/// Of each file with unsynced bytes, what is on the device in their place.
#[derive(Debug, Default)]
pub(crate) struct Volatile {
    files: Mutex<HashMap<u64, Unsynced>>,
}

#[derive(Debug)]
struct Unsynced {
    file: Arc<File>,
    /// The length that is on the device.
    len: u64,
    pages: BTreeMap<u64, Page>,
}

#[derive(Debug)]
struct Page {
    /// As on the device; shorter where the file ended.
    bytes: Vec<u8>,
    /// A sync of it failed.
    passed_over: bool,
}

impl Volatile {
    /// Bytes are about to be written, or cut off.
    pub(crate) fn touch(&self, node: INodeNo, file: &Arc<File>, start: u64, len: u64) -> io::Result<()> {
        let mut files = self.lock();
        let unsynced = match files.entry(node.0) {
            std::collections::hash_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                let len = file.metadata()?.len();
                new.insert(Unsynced { file: Arc::clone(file), len, pages: BTreeMap::new() })
            }
        };
        for number in start / PAGE_BYTES..(start + len).div_ceil(PAGE_BYTES) {
            match unsynced.pages.entry(number) {
                Entry::Occupied(page) => page.into_mut().passed_over = false,
                Entry::Vacant(page) => {
                    let bytes = read_page(file, number)?;
                    page.insert(Page { bytes, passed_over: false });
                }
            }
        }
        Ok(())
    }

    /// A file was synced, or should have been.
    pub(crate) fn synced(&self, node: INodeNo, worked: bool) -> io::Result<()> {
        let mut files = self.lock();
        let Some(unsynced) = files.get_mut(&node.0) else { return Ok(()) };
        if !worked {
            unsynced.pages.values_mut().for_each(|page| page.passed_over = true);
            return Ok(());
        }
        unsynced.pages.retain(|_, page| page.passed_over);
        unsynced.len = unsynced.file.metadata()?.len();
        if unsynced.pages.is_empty() {
            files.remove(&node.0);
        }
        Ok(())
    }

    /// Brings every file to what is on the device; how many pages were lost.
    pub(crate) fn lose(&self) -> io::Result<usize> {
        let mut lost = 0;
        for (_, unsynced) in self.lock().drain() {
            for (number, page) in unsynced.pages {
                let mut bytes = page.bytes;
                bytes.resize(usize::try_from(PAGE_BYTES).unwrap_or(0), 0);
                unsynced.file.write_all_at(&bytes, number * PAGE_BYTES)?;
                lost += 1;
            }
            unsynced.file.set_len(unsynced.len)?;
        }
        Ok(lost)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Unsynced>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_page(file: &File, number: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(PAGE_BYTES).unwrap_or(0)];
    let mut filled = 0;
    loop {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        match file.read_at(rest, number * PAGE_BYTES + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(volatile: &Volatile, file: &Arc<File>, bytes: &[u8], at: u64) {
        volatile.touch(INodeNo(2), file, at, bytes.len() as u64).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    #[test]
    fn only_what_was_synced_is_left_without_power() {
        let (volatile, file) = (Volatile::default(), Arc::new(tempfile::tempfile().unwrap()));
        let content = || {
            let len = usize::try_from(file.metadata().unwrap().len()).unwrap();
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        write(&volatile, &file, b"kept", 0);
        volatile.synced(INodeNo(2), true).unwrap();
        write(&volatile, &file, b"gone", 4);
        assert_eq!((volatile.lose().unwrap(), content()), (1, b"kept".to_vec()));

        write(&volatile, &file, b"gone", 4);
        volatile.synced(INodeNo(2), false).unwrap();
        // The kernel takes the page for clean.
        volatile.synced(INodeNo(2), true).unwrap();
        assert_eq!((volatile.lose().unwrap(), content()), (1, b"kept\0\0\0\0".to_vec()));

        write(&volatile, &file, b"gone", 4);
        volatile.synced(INodeNo(2), false).unwrap();
        write(&volatile, &file, b"gone", 4);
        volatile.synced(INodeNo(2), true).unwrap();
        assert_eq!((volatile.lose().unwrap(), content()), (0, b"keptgone".to_vec()));
    }
}
