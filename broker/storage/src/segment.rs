//! A segment's files, shared by the log that owns them and by the reads that are under way.
//!
//! What changes with appends (size, newest index entries) belongs to [`crate::Log`] under its lock; here is only
//! what reads need outside it: the open file, the loaded index, and a flag for damage. A read holds the file
//! open, so a segment may be closed, renamed or removed at any time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use protocol::id::Offset;

use crate::disk::{Disk, File, OpenMode, Wait, read_exact_at};
use crate::index::LoadedIndex;
use crate::names::{self, DELETED, INDEX, LOG};
use crate::open_files::OpenFiles;
use crate::proof::Proof;

/// A partition's folder, whose name changes when the partition is deleted.
#[derive(Debug)]
pub(crate) struct Folder {
    path: RwLock<PathBuf>,
    /// Counts truncations, so that a sync under way does not write what describes cut batches.
    generation: Mutex<u64>,
    deleted: AtomicBool,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Arc<Self> {
        let path = RwLock::new(path.to_owned());
        Arc::new(Self { path, generation: Mutex::new(0), deleted: AtomicBool::new(false) })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.read().unwrap_or_else(PoisonError::into_inner).join(name)
    }

    /// The folder is about to be renamed: whoever misses a file in it from now on knows why.
    pub(crate) fn begin_delete(&self) {
        self.deleted.store(true, Ordering::Release);
    }

    /// The partition is deleted and its folder now has this path.
    pub(crate) fn deleted(&self, path: &Path) {
        path.clone_into(&mut self.path.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// The number of truncations so far.
    pub(crate) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes syncs under way void.
    pub(crate) fn begin_generation(&self) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    /// Calls `write` unless the log was truncated since `generation`; truncations wait for it to end.
    pub(crate) fn in_generation<T>(
        &self,
        generation: u64,
        write: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let current = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == generation { write().map(Some) } else { Ok(None) }
    }
}

/// The files have their own names.
const LIVE: u8 = 0;
/// Each file has its own name or that of a deleted one.
const RENAMING: u8 = 1;
/// The files have the names of deleted ones, and others may have theirs.
const DELETED_NAMES: u8 = 2;

/// The files of one segment.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: Offset,
    folder: Arc<Folder>,
    files: Arc<OpenFiles>,
    pub(crate) slot: FileSlot,
    /// The index as its file holds it, loaded when it was first needed.
    index: Mutex<Option<Arc<LoadedIndex>>>,
    /// [`LIVE`], [`RENAMING`] or [`DELETED_NAMES`]: never goes back.
    names: AtomicU8,
    /// Whether the file's content was found to fit the index, which is checked once when it is first used.
    checked: AtomicBool,
    /// What an earlier run wrote is proven batch by batch before it is first served.
    proof: Mutex<Proof>,
}

/// The place of an open file, which the clock of [`OpenFiles`] may empty.
#[derive(Debug, Default)]
pub(crate) struct FileSlot {
    /// Set by every use, cleared by the clock's hand.
    pub(crate) used: AtomicBool,
    pub(crate) file: Mutex<Option<Arc<dyn File>>>,
}

impl Segment {
    pub(crate) fn new(base_offset: Offset, folder: &Arc<Folder>, files: &Arc<OpenFiles>) -> Arc<Self> {
        Arc::new(Self {
            base_offset,
            folder: Arc::clone(folder),
            files: Arc::clone(files),
            slot: FileSlot::default(),
            index: Mutex::new(None),
            names: AtomicU8::new(LIVE),
            checked: AtomicBool::new(false),
            proof: Mutex::default(),
        })
    }

    /// What is known of the bytes.
    pub(crate) fn proof(&self) -> MutexGuard<'_, Proof> {
        self.proof.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An earlier run wrote the first `bytes` of the file.
    pub(crate) fn found(&self, bytes: u32) {
        self.proof().found(bytes);
    }

    /// A range does not hold what was written, and is not read again.
    pub(crate) fn note_damage(&self, start: u32, end: u32) {
        let mut proof = self.proof();
        let before = proof.damaged_bytes();
        proof.damage(start, end);
        self.files.damaged(proof.damaged_bytes() - before);
    }

    pub(crate) const fn base_offset(&self) -> Offset {
        self.base_offset
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.files.disk()
    }

    /// Opens one of the segment's files, under whichever name it has at this moment.
    pub(crate) fn open_file(&self, suffix: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let open = |deleted, mode| self.disk().open(&self.name(suffix, deleted), mode);
        // Nothing is made anew of what is deleted.
        let existing = if mode == OpenMode::Read { mode } else { OpenMode::Modify };
        match self.names.load(Ordering::Acquire) {
            LIVE => {
                let opened = open(false, mode);
                if is_missing(&opened) && self.is_deleted() { open(true, existing) } else { opened }
            }
            RENAMING => {
                // A file goes from the one name to the other and never back.
                let opened = open(false, existing);
                if is_missing(&opened) { open(true, existing) } else { opened }
            }
            _ => open(true, existing),
        }
    }

    /// The path of one of the segment's files.
    pub(crate) fn path(&self, suffix: &str) -> PathBuf {
        self.name(suffix, self.names.load(Ordering::Acquire) == DELETED_NAMES)
    }

    fn name(&self, suffix: &str, deleted: bool) -> PathBuf {
        let mut name = names::file_name(self.base_offset, suffix);
        if deleted {
            name.push_str(DELETED);
        }
        self.folder.join(&name)
    }

    /// The log file, opened if it is not; `NotFound` when it was removed.
    pub(crate) fn open(self: &Arc<Self>) -> io::Result<Arc<dyn File>> {
        self.files.open(self, OpenMode::Modify)
    }

    /// The log file, created if it is missing.
    pub(crate) fn create(self: &Arc<Self>) -> io::Result<Arc<dyn File>> {
        self.files.open(self, OpenMode::Write)
    }

    /// The log file if it is open.
    pub(crate) fn opened(&self) -> Option<Arc<dyn File>> {
        let file = self.slot.file.lock().unwrap_or_else(PoisonError::into_inner);
        self.slot.used.store(true, Ordering::Relaxed);
        file.clone()
    }

    /// Renames all files to `.deleted`; the paths that wait for removal. May be called again after it failed.
    pub(crate) fn mark_deleted(&self) -> io::Result<Vec<PathBuf>> {
        // First, so that whoever misses a file knows where it is.
        self.names.fetch_max(RENAMING, Ordering::AcqRel);
        let mut renamed = Vec::new();
        for suffix in names::SEGMENT_FILES {
            let (from, to) = (self.name(suffix, false), self.name(suffix, true));
            match self.disk().rename(&from, &to) {
                Ok(()) => renamed.push(to),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.names.fetch_max(DELETED_NAMES, Ordering::AcqRel);
        Ok(renamed)
    }

    /// Whether the files were renamed, to be removed, or are being so.
    pub(crate) fn is_deleted(&self) -> bool {
        self.names.load(Ordering::Acquire) != LIVE
    }

    /// Whether the first-use check passed; sets it.
    pub(crate) fn note_checked(&self) {
        self.checked.store(true, Ordering::Release);
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Acquire)
    }

    /// The index as the file holds it, from memory or, when that may wait, from the file. `log_bytes` bounds
    /// its positions.
    pub(crate) fn index(self: &Arc<Self>, log_bytes: u32, wait: Wait) -> io::Result<Arc<LoadedIndex>> {
        let mut loaded = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = &*loaded {
            return Ok(Arc::clone(index));
        }
        if wait == Wait::Never {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let index = Arc::new(self.load_index(log_bytes)?);
        *loaded = Some(Arc::clone(&index));
        drop(loaded);
        self.files.index_loaded(self, index.memory_bytes());
        Ok(index)
    }

    fn load_index(&self, log_bytes: u32) -> io::Result<LoadedIndex> {
        let file = match self.open_file(INDEX, OpenMode::Read) {
            Ok(file) => file,
            // A lost index only makes look-ups slow: they begin at the segment's start.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LoadedIndex::default()),
            Err(error) => return Err(error),
        };
        // An entry stands for at least one batch, and a batch has 61 bytes.
        let len = usize::try_from(file.len()?.min(u64::from(log_bytes))).unwrap_or(usize::MAX);
        let mut bytes = vec![0; len - len % crate::index::OFFSET_ENTRY_BYTES];
        read_exact_at(&*file, &mut bytes, 0, Wait::Long)?;
        Ok(LoadedIndex::parse(&bytes, log_bytes).unwrap_or_default())
    }

    /// Forgets the loaded index, because the file changed or room is needed.
    pub(crate) fn unload_index(&self) {
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The folder that the files are in.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Writes entries to an index file where they belong.
    pub(crate) fn write_index(&self, suffix: &str, (position, bytes): &(u64, Vec<u8>)) -> io::Result<()> {
        let file = self.open_file(suffix, OpenMode::Write)?;
        file.write_at(&mut [io::IoSlice::new(bytes)], *position)
    }

    /// Syncs a file of the segment, if it is there.
    pub(crate) fn sync_file(&self, suffix: &str) -> io::Result<()> {
        match self.open_file(suffix, OpenMode::Read) {
            Ok(file) => file.sync_data(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Cuts a file of the segment to `len` bytes, if it is longer.
    pub(crate) fn cut_file(&self, suffix: &str, len: u64) -> io::Result<()> {
        match self.open_file(suffix, OpenMode::Modify) {
            Ok(file) if file.len()? > len => file.set_len(len),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Where the log file is.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.path(LOG)
    }
}

fn is_missing(opened: &io::Result<Arc<dyn File>>) -> bool {
    opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
