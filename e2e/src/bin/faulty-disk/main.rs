//! A disk that breaks on command: a file system that passes everything on to a folder, and fails what it is told to.
//!
//! `faulty-disk FOLDER MOUNTPOINT` says `ready` and then takes a command a line on standard input, each answered by a
//! line on standard output:
//!
//! ```text
//! fail OPERATIONS ERRNO [TEXT]   from now on these calls on paths that contain TEXT fail; OPERATIONS are some of
//!                                read,write,sync,change; ERRNO is EIO, EROFS or ENOSPC
//! heal                           nothing fails any more
//! hits                           how many calls failed since the last `fail`
//! lose-power                     forgets all bytes that were not synced; answers how many pages that were
//! ```
//!
//! At the end of standard input it unmounts and ends.

mod files;
mod nodes;
mod rules;
mod volatile;

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use fuser::{Config, MountOption};

use files::FaultyDisk;
use rules::Rules;
use volatile::Volatile;

/// A disk that breaks on command.
#[derive(Debug, Parser)]
struct Options {
    /// Where the files lie.
    folder: PathBuf,
    /// Where they are shown.
    mountpoint: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = options.folder.canonicalize().with_context(|| format!("{}", options.folder.display()))?;
    let (rules, volatile) = (Arc::new(Rules::default()), Arc::new(Volatile::default()));
    let disk = FaultyDisk::new(folder, Arc::clone(&rules), Arc::clone(&volatile));
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("faulty-disk".to_owned())];
    let session = fuser::spawn_mount(disk, &options.mountpoint, &config)
        .with_context(|| format!("mount on {}", options.mountpoint.display()))?;
    answer("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("read a command")?;
        let words: Vec<&str> = line.split_whitespace().collect();
        answer(&match words.as_slice() {
            ["fail", operations, errno] => rules.fail(operations, errno, ""),
            ["fail", operations, errno, text] => rules.fail(operations, errno, text),
            ["heal"] => rules.heal(),
            ["hits"] => rules.hits().to_string(),
            ["lose-power"] => volatile.lose().context("lose what was not synced")?.to_string(),
            _ => format!("error: no such command: {line}"),
        })?;
    }
    // A broker that still has files open keeps it mounted; the mount goes with this process all the same.
    session.umount_and_join().context("unmount")
}

fn answer(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("answer")
}
