//! `corpus unpack TARGET FOLDER`: what a fuzzer starts from, a file an input: seeds, and what is kept.
//! `corpus pack TARGET FOLDER`: keeps the inputs of the folder, and no others.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use fuzz::{corpus, seeds};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["unpack", target, folder] => unpack(target, Path::new(folder)),
        ["pack", target, folder] => pack(target, Path::new(folder)),
        _ => Err(io::Error::other("say: corpus unpack|pack TARGET FOLDER")),
    };
    match done {
        Ok(count) => {
            println!("{count} inputs");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn unpack(target: &str, folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    let kept = match corpus::read(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        kept => kept?,
    };
    let seeds =
        seeds::all().into_iter().filter(|(of, _, _)| *of == target).map(|(_, name, bytes)| (name, bytes));
    let kept = kept.into_iter().zip(0..).map(|(bytes, number)| (format!("kept-{number}"), bytes));
    let mut count = 0;
    for (name, bytes) in seeds.chain(kept) {
        fs::write(folder.join(name), bytes)?;
        count += 1;
    }
    Ok(count)
}

fn pack(target: &str, folder: &Path) -> io::Result<usize> {
    let mut paths: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    // A fuzzer names inputs by their digests: the same inputs make the same file.
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(fs::read).collect::<io::Result<_>>()?;
    corpus::write(target, &inputs)?;
    Ok(inputs.len())
}
