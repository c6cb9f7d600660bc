//! The floor: the least that a broker can do, to compare brokers with.
//!
//! Receive, one checksum pass, append to a file, acknowledge; a fetch is one header and sendfile; a thread a
//! connection. It stores batches of one size for each partition, so that an offset is a position.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};

use super::batch::{BATCH_OVERHEAD, CRC_START};
use super::wire::{Cursor, Encoder, set_length};

/// A request longer than this ends its connection.
const REQUEST_BYTES_MAX: usize = 128 << 20;

/// One partition: a file of batches that all have one size.
struct Partition {
    file: Arc<File>,
    bytes: u64,
    next_offset: i64,
    batch_bytes: u64,
    batch_records: i64,
}

/// All that the floor knows: its socket, its folder, its topics.
pub struct Floor {
    listener: TcpListener,
    address: SocketAddr,
    directory: PathBuf,
    topics: Mutex<HashMap<String, Arc<Vec<Mutex<Partition>>>>>,
}

/// A range of a file that follows an answer's bytes.
type Tail = Option<(Arc<File>, u64, u64)>;

impl Floor {
    /// Listens on `HOST:PORT` and keeps its files in `directory`.
    pub fn bind(listen: &str, directory: &Path) -> Result<Floor> {
        let listener = TcpListener::bind(listen).with_context(|| format!("listen on {listen}"))?;
        std::fs::create_dir_all(directory)?;
        let address = listener.local_addr()?;
        Ok(Floor { listener, address, directory: directory.to_owned(), topics: Mutex::default() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub fn serve(self) -> Result<()> {
        let floor = Arc::new(self);
        for stream in floor.listener.incoming() {
            let (stream, floor) = (stream?, Arc::clone(&floor));
            std::thread::spawn(move || floor.connection(stream));
        }
        Ok(())
    }

    /// Answers one connection's requests until it closes or sends what is not understood.
    fn connection(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let (mut length, mut request) = ([0; 4], Vec::new());
        loop {
            stream.read_exact(&mut length)?;
            let length = usize::try_from(i32::from_be_bytes(length))?;
            ensure!(length <= REQUEST_BYTES_MAX, "a request announces {length} bytes");
            request.resize(length, 0);
            stream.read_exact(&mut request)?;
            let (answer, tail) = self.answer(&mut request)?;
            stream.write_all(&answer)?;
            if let Some((file, mut position, end)) = tail {
                while position < end {
                    let left = usize::try_from(end - position)?;
                    ensure!(
                        rustix::fs::sendfile(&stream, &file, Some(&mut position), left)? > 0,
                        "a file shrank"
                    );
                }
            }
        }
    }

    fn answer(&self, request: &mut [u8]) -> Result<(Vec<u8>, Tail)> {
        let mut cursor = Cursor::new(request);
        let (api_key, _, correlation_id) = (cursor.i16()?, cursor.i16()?, cursor.i32()?);
        cursor.string()?;
        let body = cursor.position;
        let mut answer = Encoder::default();
        answer.i32(0);
        answer.i32(correlation_id);
        let mut tail = None;
        match api_key {
            0 => self.produce(request, body, &mut answer)?,
            1 => tail = Some(self.fetch(&request[body..], &mut answer)?),
            3 => self.metadata(&request[body..], &mut answer)?,
            19 => self.create_topic(&request[body..], &mut answer)?,
            20 => self.delete_topic(&request[body..], &mut answer)?,
            _ => bail!("the floor does not know API {api_key}"),
        }
        let more = tail.as_ref().map_or(0, |(_, position, end)| end - position);
        set_length(&mut answer.0, usize::try_from(more)?);
        Ok((answer.0, tail))
    }

    fn topic(&self, name: &str) -> Option<Arc<Vec<Mutex<Partition>>>> {
        self.topics.lock().expect("no thread panics").get(name).cloned()
    }

    fn produce(&self, request: &mut [u8], body: usize, answer: &mut Encoder) -> Result<()> {
        let mut cursor = Cursor::new(&request[body..]);
        cursor.take(8)?;
        cursor.i32()?;
        let name = cursor.string()?;
        cursor.i32()?;
        let index = cursor.i32()?;
        let length = cursor.length()?;
        let start = body + cursor.position;
        let batch = request.get_mut(start..start + length).context("a batch is cut")?;
        ensure!(length >= BATCH_OVERHEAD, "a batch is too short");
        let announced = u32::from_be_bytes(batch[17..21].try_into()?);
        ensure!(crc32c::crc32c(&batch[CRC_START..]) == announced, "a batch's checksum is wrong");
        let topic = self.topic(&name).context("no such topic")?;
        let partition = topic.get(usize::try_from(index)?).context("no such partition")?;
        let mut partition = partition.lock().expect("no thread panics");
        partition.batch_bytes = length as u64;
        partition.batch_records = i64::from(i32::from_be_bytes(batch[57..61].try_into()?));
        let base_offset = partition.next_offset;
        batch[..8].copy_from_slice(&base_offset.to_be_bytes());
        (&*partition.file).write_all(batch)?;
        partition.next_offset += partition.batch_records;
        partition.bytes += length as u64;
        drop(partition);
        answer.i32(1);
        answer.string(&name);
        answer.i32(1);
        answer.i32(index);
        answer.i16(0);
        answer.i64(base_offset);
        answer.i64(-1);
        answer.i64(0);
        answer.i32(0);
        Ok(())
    }

    fn fetch(&self, body: &[u8], answer: &mut Encoder) -> Result<(Arc<File>, u64, u64)> {
        let mut cursor = Cursor::new(body);
        cursor.take(4 + 4 + 4 + 4 + 1 + 4 + 4 + 4)?;
        let name = cursor.string()?;
        cursor.i32()?;
        let index = cursor.i32()?;
        cursor.i32()?;
        let offset = cursor.i64()?;
        cursor.i64()?;
        let max_bytes = u64::try_from(cursor.i32()?)?;
        let topic = self.topic(&name).context("no such topic")?;
        let partition = topic.get(usize::try_from(index)?).context("no such partition")?;
        let partition = partition.lock().expect("no thread panics");
        let position = u64::try_from(offset / partition.batch_records.max(1))? * partition.batch_bytes;
        let length = max_bytes.min(partition.bytes.saturating_sub(position));
        answer.i32(0);
        answer.i16(0);
        answer.i32(0);
        answer.i32(1);
        answer.string(&name);
        answer.i32(1);
        answer.i32(index);
        answer.i16(0);
        answer.i64(partition.next_offset);
        answer.i64(partition.next_offset);
        answer.i64(0);
        answer.i32(-1);
        answer.i32(-1);
        answer.length(usize::try_from(length)?);
        Ok((Arc::clone(&partition.file), position, position + length))
    }

    fn metadata(&self, body: &[u8], answer: &mut Encoder) -> Result<()> {
        let mut cursor = Cursor::new(body);
        cursor.i32()?;
        let name = cursor.string()?;
        let topic = self.topic(&name);
        answer.i32(0);
        answer.i32(1);
        answer.i32(1);
        answer.string(&self.address.ip().to_string());
        answer.i32(i32::from(self.address.port()));
        answer.i16(-1);
        answer.i16(-1);
        answer.i32(1);
        answer.i32(1);
        answer.i16(if topic.is_some() { 0 } else { 3 });
        answer.string(&name);
        answer.i8(0);
        let partitions = topic.map_or(0, |topic| topic.len());
        answer.length(partitions);
        for partition in 0..partitions {
            answer.i16(0);
            answer.length(partition);
            answer.i32(1);
            for _ in 0..2 {
                answer.i32(1);
                answer.i32(1);
            }
        }
        Ok(())
    }

    fn create_topic(&self, body: &[u8], answer: &mut Encoder) -> Result<()> {
        let mut cursor = Cursor::new(body);
        cursor.i32()?;
        let name = cursor.string()?;
        ensure!(
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "an illegal name"
        );
        let partitions =
            (0..cursor.i32()?).map(|index| self.open(&name, index)).collect::<Result<Vec<_>>>()?;
        self.topics.lock().expect("no thread panics").insert(name.clone(), Arc::new(partitions));
        answer.i32(0);
        answer.i32(1);
        answer.string(&name);
        answer.i16(0);
        answer.i16(-1);
        Ok(())
    }

    fn open(&self, name: &str, index: i32) -> Result<Mutex<Partition>> {
        let path = self.path(name, index);
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("create {}", path.display()))?;
        let empty =
            Partition { file: Arc::new(file), bytes: 0, next_offset: 0, batch_bytes: 0, batch_records: 0 };
        Ok(Mutex::new(empty))
    }

    fn path(&self, name: &str, index: i32) -> PathBuf {
        self.directory.join(format!("{name}-{index}.log"))
    }

    fn delete_topic(&self, body: &[u8], answer: &mut Encoder) -> Result<()> {
        let mut cursor = Cursor::new(body);
        cursor.i32()?;
        let name = cursor.string()?;
        let removed = self.topics.lock().expect("no thread panics").remove(&name);
        for index in 0..removed.as_ref().map_or(0, |topic| topic.len()) {
            std::fs::remove_file(self.path(&name, i32::try_from(index)?))?;
        }
        answer.i32(0);
        answer.i32(1);
        answer.string(&name);
        answer.i16(if removed.is_some() { 0 } else { 3 });
        Ok(())
    }
}
