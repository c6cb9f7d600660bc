//! The network: listeners, sockets, connections, requests.

use super::keys;
use super::reasons::{EARLY, LZ4_FASTEST, NO_POOLS, NO_QUEUE, PLAINTEXT_ONLY};

keys! {
    "listeners": List = "PLAINTEXT://:9092", NonEmpty, High, ReadOnly, Acts,
        "Where clients connect: a comma-separated list of NAME://HOST:PORT; an empty host binds every \
         interface, port 0 takes a free port.";
    "advertised.listeners": List = null, NonEmpty, High, ReadOnly, Acts,
        "The addresses that clients are told to use, in the form of `listeners`; needed when clients \
         reach the broker by another name than its own.";
    "listener.security.protocol.map": String =
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        Any, Low, ReadOnly, Acts,
        "Maps each listener name to its security protocol, as NAME:PROTOCOL; a listener that is opened \
         must map to PLAINTEXT.";
    "inter.broker.listener.name": String = null, Any, Medium, ReadOnly, Later,
        "The listener whose advertised address other brokers use.";
    "security.inter.broker.protocol": String = "PLAINTEXT",
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium, ReadOnly, Fixed(PLAINTEXT_ONLY),
        "The security protocol between brokers when no listener is named for them.";
    "early.start.listeners": List = null, Any, High, ReadOnly, Meaningless(EARLY),
        "Listeners that open before the broker has joined the cluster.";
    "socket.send.buffer.bytes": Int = "-1", AtLeast(-1), High, ReadOnly, Acts,
        "The send buffer that each client socket asks of the kernel; -1 leaves the kernel's own sizing, \
         which follows the load (Kafka asks for 102400).";
    "socket.receive.buffer.bytes": Int = "-1", AtLeast(-1), High, ReadOnly, Acts,
        "The receive buffer that each client socket asks of the kernel; -1 leaves the kernel's own \
         sizing, which follows the load (Kafka asks for 102400).";
    "socket.request.max.bytes": Int = "104857600", AtLeast(1), High, ReadOnly, Acts,
        "The largest request that is read; a longer one closes its connection before it takes any memory.";
    "socket.listen.backlog.size": Int = "50", AtLeast(1), Medium, ReadOnly, Acts,
        "How many connections the kernel holds ready before they are accepted.";
    "max.connections": Int = "2147483647", AtLeast(0), Medium, ClusterWide, Acts,
        "The most connections that are open at once on this broker; further ones are closed at once, as are \
         those for which open.files.max leaves no descriptors.";
    "max.connections.per.ip": Int = "2147483647", AtLeast(0), Medium, ClusterWide, Acts,
        "The most connections that are open at once from one address.";
    "max.connections.per.ip.overrides": String = "", Any, Medium, ClusterWide, Acts,
        "Other limits for single addresses, as ADDRESS:LIMIT, separated by commas.";
    "max.connection.creation.rate": Int = "2147483647", AtLeast(0), Medium, ClusterWide, Later,
        "The most connections accepted per second.";
    "connections.max.idle.ms": Long = "600000", Any, Medium, ReadOnly, Acts,
        "A connection on which no byte moved for this long is closed, also while it waits for records; a \
         negative value keeps idle ones.";
    "connection.failed.authentication.delay.ms": Int = "100", AtLeast(0), Low, ReadOnly, Later,
        "How long the answer to a failed authentication is held back, so that passwords are not tried \
         quickly.";
    "queued.max.requests": Int = "500", AtLeast(1), High, ReadOnly, Meaningless(NO_QUEUE),
        "The most requests that wait for a request handler.";
    "queued.max.request.bytes": Long = "268435456", AtLeast(-1), Medium, ReadOnly, Acts,
        "Memory for requests that are being received or wait for earlier ones, over all connections; above \
         it only requests that have begun are read on, large ones one at a time. -1 sets no limit.";
    "num.network.threads": Int = "3", AtLeast(1), High, ClusterWide, Meaningless(NO_POOLS),
        "Threads that read requests from sockets.";
    "num.io.threads": Int = "8", AtLeast(1), High, ClusterWide, Meaningless(NO_POOLS),
        "Threads that run requests.";
    "background.threads": Int = "10", Between(1, 1024), High, ReadOnly, Acts,
        "Threads for work that may wait for a disk: cold reads, look-ups by time, deletion.";
    "request.timeout.ms": Int = "30000", AtLeast(1), High, ReadOnly, Acts,
        "How long a request that names no time itself waits for the metadata log.";
    "socket.connection.setup.timeout.ms": Long = "10000", Any, Medium, ReadOnly, Later,
        "How long a connection from this broker to another may take to be set up.";
    "socket.connection.setup.timeout.max.ms": Long = "30000", Any, Medium, ReadOnly, Later,
        "The upper end to which the set-up timeout grows while attempts fail.";
    "max.request.partition.size.limit": Int = "2000", AtLeast(1), Medium, ReadOnly, Acts,
        "The most partitions that one DescribeTopicPartitions answer holds; further ones follow in its \
         next page.";
    "fetch.max.bytes": Int = "57671680", AtLeast(1_024), Medium, ReadOnly, Acts,
        "The most record bytes that one Fetch answer holds; the first batch is always whole, even when it \
         is larger.";
    "max.incremental.fetch.session.cache.slots": Int = "1000", AtLeast(0), Medium, ReadOnly, Acts,
        "The most incremental fetch sessions (KIP-227) that are kept; 0 keeps none.";
    "message.max.bytes": Int = "1048588", AtLeast(0), High, ClusterWide, Acts,
        "The largest record batch that is taken, after compression; a topic overrides it with \
         max.message.bytes.";
    "compression.type": String = "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), High, ClusterWide, Acts,
        "The codec in which a topic is stored; `producer` keeps what the producer chose.";
    "compression.gzip.level": Int = "-1", MinusOneOr(1, 9), Medium, ClusterWide, Acts,
        "The level of gzip where the broker itself compresses.";
    "compression.lz4.level": Int = "9", Between(1, 17), Medium, ClusterWide, Meaningless(LZ4_FASTEST),
        "The level of lz4 where the broker itself compresses.";
    "compression.zstd.level": Int = "3", Between(-131_072, 22), Medium, ClusterWide, Acts,
        "The level of zstd where the broker itself compresses.";
}
