//! The open log files and loaded indexes of a log directory, both under a cap.
//!
//! A clock (second chance) instead of a strict LRU: a use only sets a flag, so that the hot path takes no shared
//! lock. Closing is safe at any time, because whoever reads or writes holds the file itself.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::disk::{Disk, File, OpenMode};
use crate::names::LOG;
use crate::segment::Segment;

/// Bounds of what a log directory holds open and in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Log files open at once, over all partitions.
    pub open_files_max: usize,
    /// Bytes of loaded indexes of sealed segments; 2 MiB cover a segment of 1 GiB.
    pub index_cache_bytes: usize,
    /// Bytes written to the directory after which what was written before may have left the page cache.
    pub warm_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_files_max: 4096, index_cache_bytes: 32 << 20, warm_bytes: 256 << 20 }
    }
}

/// The open files and loaded indexes of a log directory.
#[derive(Debug)]
pub struct OpenFiles {
    disk: Arc<dyn Disk>,
    limits: Limits,
    files: Mutex<Clock>,
    indexes: Mutex<Indexes>,
    /// Bytes appended to all logs of the directory since it was opened.
    written: AtomicU64,
    /// Bytes that were found not to be what was written.
    damaged: AtomicU64,
}

#[derive(Debug, Default)]
struct Clock {
    open: Vec<Weak<Segment>>,
    hand: usize,
}

#[derive(Debug, Default)]
struct Indexes {
    loaded: std::collections::VecDeque<(Weak<Segment>, usize)>,
    bytes: usize,
}

impl OpenFiles {
    /// Nothing open yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            disk,
            limits,
            files: Mutex::new(Clock::default()),
            indexes: Mutex::new(Indexes::default()),
            written: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
        })
    }

    /// The disk that the files are on.
    #[must_use]
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The disk, to keep.
    #[must_use]
    pub fn disk_arc(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    /// The segment's log file, opened if it is not.
    pub(crate) fn open(&self, segment: &Arc<Segment>, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = {
            let mut slot = segment.slot.file.lock().unwrap_or_else(PoisonError::into_inner);
            segment.slot.used.store(true, Ordering::Relaxed);
            if let Some(file) = &*slot {
                return Ok(Arc::clone(file));
            }
            let file = segment.open_file(LOG, mode)?;
            *slot = Some(Arc::clone(&file));
            file
        };
        self.opened(segment);
        Ok(file)
    }

    /// Notes an open file and closes others while there are too many.
    fn opened(&self, segment: &Arc<Segment>) {
        let mut clock = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        clock.open.push(Arc::downgrade(segment));
        // Two rounds clear every flag, so a third visit would find a victim; more would spin on files that
        // are in use at this moment.
        let mut steps = clock.open.len() * 2;
        while clock.open.len() > self.limits.open_files_max && steps > 0 {
            steps -= 1;
            if clock.hand >= clock.open.len() {
                clock.hand = 0;
            }
            let hand = clock.hand;
            let Some(candidate) = clock.open.get(hand).and_then(Weak::upgrade) else {
                clock.open.swap_remove(hand);
                continue;
            };
            if Arc::ptr_eq(&candidate, segment) || candidate.slot.used.swap(false, Ordering::Relaxed) {
                clock.hand += 1;
                continue;
            }
            if let Ok(mut file) = candidate.slot.file.try_lock() {
                *file = None;
                clock.open.swap_remove(hand);
            } else {
                clock.hand += 1;
            }
        }
    }

    /// Notes a loaded index and unloads the oldest while they take too much memory.
    pub(crate) fn index_loaded(&self, segment: &Arc<Segment>, bytes: usize) {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        indexes.loaded.push_back((Arc::downgrade(segment), bytes));
        indexes.bytes += bytes;
        while indexes.bytes > self.limits.index_cache_bytes && indexes.loaded.len() > 1 {
            let Some((oldest, bytes)) = indexes.loaded.pop_front() else { break };
            indexes.bytes -= bytes;
            if let Some(oldest) = oldest.upgrade() {
                oldest.unload_index();
            }
        }
    }

    /// Log files that are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).open.len()
    }

    /// Bytes appended to all logs of the directory since it was opened.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Bytes of the directory's logs that were found, since it was opened, not to be what was written. They are not
    /// served.
    #[must_use]
    pub fn damaged_bytes(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(crate) fn damaged(&self, bytes: u64) {
        self.damaged.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts appended bytes; the era in which they were written. Eras are a quarter of the warm window long.
    pub(crate) fn wrote(&self, bytes: u64) -> u64 {
        let total = self.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        total / (self.limits.warm_bytes / 4).max(1)
    }

    /// The era that is now.
    pub(crate) fn era(&self) -> u64 {
        self.written.load(Ordering::Relaxed) / (self.limits.warm_bytes / 4).max(1)
    }
}
