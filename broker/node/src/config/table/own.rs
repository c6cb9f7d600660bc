//! Gregor's own keys, which Kafka does not have.

use super::keys;

keys! {
    "cluster.id": String = null, NonEmpty, High, ReadOnly, Acts,
        "The cluster that this broker belongs to, as 22 characters of URL-safe base64; a directory of \
         another cluster is refused. Unset, a new cluster gets a random one.";
    "http.listen": String = "0.0.0.0:9090", NonEmpty, Medium, ReadOnly, Acts,
        "Where /metrics, /livez and /readyz are served, as HOST:PORT; `off` serves none of them.";
    "worker.threads": Int = "0", Between(0, 1024), Medium, ReadOnly, Acts,
        "Threads that serve clients; 0 takes one for each core that the process may use.";
    "record.validation": String = "header", OneOf(&["header", "strict"]), Medium, ReadOnly, Acts,
        "How compressed batches are checked before they are stored: `header` checks the header and the \
         checksum, `strict` also decompresses them and walks every record.";
    "decompressed.batch.bytes.max": Int = "134217728", Between(1_048_576, 1_073_741_824), Medium, ReadOnly, Acts,
        "The most bytes that one batch may have after decompression; a larger one is refused. Of batches with \
         more than 16 MiB one at a time is decompressed.";
    "inflight.requests.per.connection.max": Int = "100", Between(1, 100_000), Medium, ReadOnly, Acts,
        "Requests of one connection that are received and not yet answered; reading it stops above them.";
    "reply.bytes.per.connection.max": Int = "67108864", AtLeast(65_536), Medium, ReadOnly, Acts,
        "Bytes of one connection's replies in memory that the client has not taken; its requests wait \
         above them.";
    "parked.requests.max": Int = "100000", Between(100, 10_000_000), Medium, ReadOnly, Acts,
        "Requests that wait for records or replicas, over all connections; a further Fetch is answered at \
         once with what there is, a further Produce as if its timeout had passed.";
    "open.files.max": Int = "8192", Between(64, 10_000_000), Medium, ReadOnly, Acts,
        "Segment and index files that are kept open; the least recently used are closed above it.";
    "background.sync.interval.ms": Long = "1000", Between(10, 3_600_000), Medium, ReadOnly, Acts,
        "The longest time that records stay only in the page cache; no acknowledgement waits for it \
         unless the topic sets flush.messages.";
    "background.sync.bytes": Long = "67108864", AtLeast(1_048_576), Medium, ReadOnly, Acts,
        "Bytes appended to a directory after which a sync of its records starts before the interval has \
         passed.";
    "log.dir.free.bytes.min": Long = "134217728", AtLeast(0), Medium, ReadOnly, Acts,
        "Free space of a directory's file system below which appends are refused with a retriable \
         error, while reads and deletion go on.";
    "log.dir.reserved.bytes": Long = "1048576", Between(0, 1_073_741_824), Medium, ReadOnly, Acts,
        "Bytes kept back in a file of each log directory, and given up when nothing else is free, so that \
         topics can still be deleted and a broker can still start; appends never get them.";
    "warm.jobs.max": Int = "256", Between(1, 100_000), Medium, ReadOnly, Acts,
        "Reads from disk that wait for a thread at once; a further cold Fetch waits its time, and is then \
         answered with what is in memory.";
    "metrics.group.partitions.max": Int = "10000", Between(0, 1_000_000), Medium, ReadOnly, Acts,
        "Partitions of groups whose lag is shown as series of their own, those of a broker's groups taken \
         together; 0 shows none. How many are left out is a metric too.";
}
