//! Ranges: bringing them into memory, and what is read ahead.

use std::sync::Mutex;

use super::*;

const MIB: u64 = 1024 * 1024;

/// A file of which only what lies before a position is in memory, and which remembers what was asked of it.
#[derive(Debug, Default)]
struct Lukewarm {
    warm_bytes: u64,
    len: u64,
    asked_ahead: Mutex<Vec<(u64, u64)>>,
    waited_for: Mutex<Vec<u64>>,
    largest_read: Mutex<usize>,
}

impl File for Lukewarm {
    fn write_at(&self, _: &mut [IoSlice<'_>], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read_at(&self, into: &mut [u8], position: u64, wait: Wait) -> io::Result<usize> {
        let mut largest = self.largest_read.lock().unwrap();
        *largest = into.len().max(*largest);
        if wait == Wait::Long {
            self.waited_for.lock().unwrap().push(position);
        } else if position >= self.warm_bytes {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(usize::from(position < self.len))
    }

    fn read_ahead(&self, position: u64, len: u64) -> io::Result<()> {
        self.asked_ahead.lock().unwrap().push((position, len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn range(warm_bytes: u64, position: u64, len: u32) -> (Arc<Lukewarm>, FileRange) {
    let file = Arc::new(Lukewarm { warm_bytes, len: 100 * MIB, ..Lukewarm::default() });
    (Arc::clone(&file), FileRange { file, position, len })
}

#[test]
fn warming_asks_for_all_of_it_and_copies_none() {
    let (file, range) = range(0, 10, 1 << 20);
    range.warm().unwrap();
    assert_eq!(*file.asked_ahead.lock().unwrap(), [(10, 1 << 20)]);
    assert_eq!(*file.largest_read.lock().unwrap(), 1, "one byte a stride");
    let waited_for = file.waited_for.lock().unwrap();
    assert_eq!(waited_for.first(), Some(&(MIB + 9)), "the last byte");
    assert!(waited_for.windows(2).all(|pair| pair[0] - pair[1] <= WARM_STRIDE_BYTES), "{waited_for:?}");
    assert!(waited_for.last().is_some_and(|first| *first < 10 + WARM_STRIDE_BYTES), "{waited_for:?}");
    let (_, beyond) = self::range(0, 100 * MIB - 5, 10);
    assert_eq!(beyond.warm().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn half_a_window_ahead_is_looked_at() {
    let ahead = |warm_bytes, len, end| {
        let (_, range) = range(warm_bytes, 0, len);
        range.ahead(end).unwrap().map(|ahead| (ahead.position, u64::from(ahead.len)))
    };
    let mib = 1 << 20;
    assert_eq!(ahead(3 * MIB + 1, mib, 100 * MIB), None, "the middle of the window is in memory");
    assert_eq!(ahead(3 * MIB, mib, 100 * MIB), Some((MIB, 4 * MIB)));
    assert_eq!(ahead(5 * MIB, 5 * mib, 100 * MIB), Some((5 * MIB, 10 * MIB)), "twice what was read");
    assert_eq!(ahead(50 * MIB, 50 * mib, 100 * MIB), Some((50 * MIB, 16 * MIB)));
    assert_eq!(ahead(MIB, mib, MIB + 10), Some((MIB, 10)), "up to the end");
    assert_eq!(ahead(MIB + 10, mib, MIB + 10), None);
    assert_eq!(ahead(MIB, mib, MIB), None, "nothing follows");
}

#[test]
fn a_file_of_the_machine_is_brought_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = RealDisk.open(&folder.path().join("f"), OpenMode::Write).unwrap();
    file.write_at(&mut [IoSlice::new(&vec![1; 3 << 20])], 0).unwrap();
    file.sync_data().unwrap();
    rustix::fs::fadvise(file.descriptor().unwrap(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let range = FileRange { file, position: 4096, len: (3 << 20) - 4096 };
    range.warm().unwrap();
    assert!(range.is_warm().unwrap());
    assert_eq!(range.ahead(3 << 20).unwrap().map(|ahead| ahead.len), None);
}
