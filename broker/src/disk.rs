//! The real disk, watched: a thread that waits for it is known to (/livez), and the time that writes stall is a
//! metric (D2).

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::time::{ClockId, clock_getres, clock_gettime};
use storage::disk::{Disk, Entry, File, OpenMode, Space, Wait};

use crate::loops::marked;

/// Nanoseconds for which writes stood still.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stalls(Arc<AtomicU64>);

impl Stalls {
    pub(crate) fn read_ns(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Makes a write and counts its time, less a tick of the kernel's: what takes no longer is no stall. The coarse
    /// clock moves once a tick, a few milliseconds, and costs a fifth of the exact one.
    fn watch<T>(&self, tick_ns: u64, write: impl FnOnce() -> T) -> T {
        let before = coarse_ns();
        let result = write();
        let took = coarse_ns().saturating_sub(before);
        if took > tick_ns {
            self.0.fetch_add(took - tick_ns, Relaxed);
        }
        result
    }
}

fn coarse_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::MonotonicCoarse))
}

fn nanoseconds(time: rustix::time::Timespec) -> u64 {
    let of = |part: i64| u64::try_from(part).unwrap_or(0);
    of(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(of(time.tv_nsec))
}

/// A disk whose calls are marked.
#[derive(Debug)]
pub(crate) struct WatchedDisk<D> {
    disk: D,
    stalls: Stalls,
    tick_ns: u64,
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn File>,
    stalls: Stalls,
    tick_ns: u64,
}

impl<D: Disk> WatchedDisk<D> {
    pub(crate) fn new(disk: D) -> Self {
        Self { disk, stalls: Stalls::default(), tick_ns: nanoseconds(clock_getres(ClockId::MonotonicCoarse)) }
    }

    /// The time that writes stall, which counts on.
    pub(crate) fn stalls(&self) -> Stalls {
        self.stalls.clone()
    }
}

impl<D: Disk> Disk for WatchedDisk<D> {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = marked(|| self.disk.open(path, mode))?;
        Ok(Arc::new(WatchedFile { file, stalls: self.stalls.clone(), tick_ns: self.tick_ns }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        marked(|| self.disk.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        marked(|| self.disk.remove_file(path))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        marked(|| self.disk.remove_directory(path))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        marked(|| self.disk.create_directory(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        marked(|| self.disk.list(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        marked(|| self.disk.sync_directory(path))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        marked(|| self.disk.space(path))
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        marked(|| self.disk.lock(path))
    }
}

impl File for WatchedFile {
    fn write_at(&self, parts: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        marked(|| self.stalls.watch(self.tick_ns, || self.file.write_at(parts, position)))
    }

    fn read_at(&self, into: &mut [u8], position: u64, wait: Wait) -> io::Result<usize> {
        match wait {
            Wait::Never => self.file.read_at(into, position, wait),
            Wait::Long => marked(|| self.file.read_at(into, position, wait)),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        marked(|| self.file.sync_data())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        marked(|| self.file.set_len(len))
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.file.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use node::config::HEARTBEAT_AGE_MS_MAX;
    use storage::disk::VirtualDisk;

    use super::*;
    use crate::http::Health;
    use crate::loops;

    #[test]
    fn a_loop_in_a_write_lives_and_the_time_that_it_stands_is_counted() {
        let health = Arc::new(Health::default());
        let inner = VirtualDisk::new();
        let (reached, standing) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let gates = parking_lot::Mutex::new((reached.clone(), released));
        let disk = Arc::new(WatchedDisk::new(inner.clone()));
        let file = disk.open(Path::new("/f"), OpenMode::Write).unwrap();
        inner.inject(move |_| {
            let (reached, released) = &*gates.lock();
            reached.send(()).unwrap();
            released.recv().unwrap();
            None
        });
        let (end, ended) = mpsc::channel::<()>();
        let watched = Arc::clone(&health);
        let worker = std::thread::spawn(move || {
            loops::enter(&watched, || "worker-0".to_owned());
            loops::beat();
            file.write_at(&mut [IoSlice::new(b"x")], 0).unwrap();
            reached.send(()).unwrap();
            ended.recv().unwrap();
        });
        standing.recv().unwrap();
        assert_eq!(disk.stalls().read_ns(), 0);
        let later = |times: u64| health.now_ms() + times * (HEARTBEAT_AGE_MS_MAX + 1_000);
        assert_eq!((health.live_at(later(0)), health.live_at(later(1))), (Ok(()), Ok(())));
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(60) {
            std::thread::yield_now();
        }
        release.send(()).unwrap();
        standing.recv().unwrap();
        // The write is over, and the loop still does not come around.
        assert_eq!(health.live_at(later(1)), Ok(()));
        assert!(health.live_at(later(2)).unwrap_err().starts_with("event loop worker-0 has stood still for"));
        let stalled = Duration::from_nanos(disk.stalls().read_ns());
        assert!((20..10_000).contains(&stalled.as_millis()), "{stalled:?} for a write of more than 60 ms");
        end.send(()).unwrap();
        worker.join().unwrap();
    }
}
