//! What users write, and what they are told.

use std::collections::{BTreeMap, BTreeSet};

use protocol::id::BrokerId;

use super::*;

/// The settings of the file that Kafka 4.3.1 ships as config/server.properties.
const STOCK: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

fn load(text: &str) -> Config {
    Config::load(text, "server.properties", &[]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The problems of a file, one a line, beside a good node.id.
fn problems(text: &str) -> String {
    let found = Config::load(text, "server.properties", &[]).expect_err("the configuration is wrong");
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn names_are_unique_and_defaults_valid() {
    let mut names = BTreeSet::new();
    for key in table::all() {
        assert!(names.insert(key.name), "{} stands twice", key.name);
        if let Some(default) = key.default {
            assert_eq!(key.check(default), Ok(()), "{}", key.name);
        }
        assert!(key.documentation.ends_with('.') && key.documentation.len() > 15, "{}", key.name);
    }
    assert_eq!(
        names.len(),
        360 + 3 + 15,
        "Kafka 4.3.1 has 360 keys and 3 dynamic ones, Gregor 15 of its own"
    );
}

#[test]
fn kafkas_stock_file_starts() {
    let config = load(STOCK);
    assert_eq!(config.node_id, BrokerId(1));
    assert_eq!(config.listeners.len(), 1, "the controller's listener is not the clients'");
    assert_eq!(config.listeners[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(config.advertised_listeners[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(config.log_retention_ms, Some(168 * 3_600_000));
    let notices = config.notices().join("\n");
    assert!(
        notices.contains("server.properties:10: num.io.threads has no effect: work is not split"),
        "{notices}"
    );
    assert!(notices.contains("transaction.state.log.replication.factor is kept and shown"), "{notices}");
    assert!(!notices.contains("offsets.topic.replication.factor"), "{notices}");
    assert!(!notices.contains("log.segment.bytes"), "{notices}");
}

#[test]
fn a_second_file_of_kafkas_starts() {
    let config = load(
        "process.roles=broker,controller\nnode.id=3\n\
         controller.quorum.voters=3@localhost:19393\n\
         listeners=PLAINTEXT://localhost:19392,CONTROLLER://localhost:19393\n\
         advertised.listeners=PLAINTEXT://localhost:19392\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs=/data/3\n\
         default.replication.factor=3\noffsets.topic.replication.factor=3\n\
         transaction.state.log.replication.factor=3\ntransaction.state.log.min.isr=2\n\
         min.insync.replicas=2\ngroup.initial.rebalance.delay.ms=0\n",
    );
    assert_eq!((config.default_replication_factor, config.min_insync_replicas), (3, 2));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let said = problems(
        "node.id=one\nnum.partition=3\nnum.partitions=0\nzookeeper.connect=z:2181\nlog.dirs=/a,/a\n",
    );
    assert_eq!(
        said,
        "server.properties:1: node.id=one: must be a whole number from 0 to 2147483647\n\
         server.properties:2: num.partition=3: unknown key; did you mean num.partitions?\n\
         server.properties:3: num.partitions=0: must be a whole number from 1 to 2147483647\n\
         server.properties:4: zookeeper.connect=z:2181: unknown key: Kafka 4.0 dropped ZooKeeper, and Gregor \
         needs none; delete the line\n\
         server.properties:5: log.dirs=/a,/a: names /a twice"
    );
}

#[test]
fn problems_name_line_and_remedy() {
    for (text, expected) in [
        ("", "configuration: node.id: is missing; give each broker its own number, such as node.id=1"),
        ("node.id=1\nprocess.roles=broker", "process.roles=broker: must be broker,controller: every broker"),
        (
            "node.id=1\ncontroller.quorum.voters=1@a:1,2@b:1",
            "clusters of several brokers come with replication",
        ),
        ("node.id=1\ncontroller.quorum.bootstrap.servers=a:1,b:1", "clusters of several brokers come with"),
        ("node.id=1\ncontroller.quorum.voters=2@a:1", "names another broker than this node.id"),
        ("node.id=1\ncontroller.quorum.voters=a:1", "\"a:1\" must be ID@HOST:PORT"),
        ("node.id=1\nnode.id=2", "server.properties:2: node.id: line 1 sets it already"),
        ("node.id=1\nbroker.id=2", "server.properties:1: node.id=1: differs from broker.id=2"),
        ("node.id=1\nfoo.qux.bar=2", "unknown key; `gregor config` lists all keys"),
        ("node.id=1\nauto.create.topics.enable=yes", "must be true or false"),
        ("node.id=1\nlog.cleanup.policy=drop", "must be a comma-separated list of some of compact, delete"),
        ("node.id=1\nlisteners=SSL://:9093", "SSL asks for SSL; only PLAINTEXT is served"),
        ("node.id=1\nlisteners=INSIDE://:9093", "add INSIDE:PLAINTEXT to listener.security.protocol.map"),
        ("node.id=1\nlisteners=:9093", "a listener reads NAME://HOST:PORT"),
        ("node.id=1\nlisteners=PLAINTEXT://h:99999", "the port must be a number from 0 to 65535"),
        ("node.id=1\nlisteners=PLAINTEXT://:+92", "the port must be a number from 0 to 65535"),
        ("node.id=1\nlisteners=PLAINTEXT://::1:92", "an IPv6 address stands in brackets"),
        (
            "node.id=1\nlisteners=PLAINTEXT://:92,X://:92\nlistener.security.protocol.map=X:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "PLAINTEXT and X share port 92",
        ),
        ("node.id=1\nadvertised.listeners=PLAINTEXT://0.0.0.0:9092", "clients cannot connect to 0.0.0.0"),
        ("node.id=1\nadvertised.listeners=OTHER://h:9092", "OTHER is not one of listeners"),
        ("node.id=1\ncontroller.listener.names=PLAINTEXT", "has none for clients"),
        ("node.id=1\nlog.retention.minutes=0", "log.retention.minutes=0: must be -1, which keeps all"),
        ("node.id=1\nlog.roll.jitter.hours=-1", "must be a whole number from 0"),
        ("node.id=1\ncluster.id=short", "must be 22 characters of URL-safe base64"),
        ("node.id=1\nhttp.listen=9090", "the port is missing; must be HOST:PORT or off"),
        ("node.id=1\nmax.connections.per.ip.overrides=home:3", "must be ADDRESS:LIMIT"),
        (
            "node.id=1\nauthorizer.class.name=org.example.A",
            "must be left at its default, empty: requests are not",
        ),
        ("node.id=1\nremote.log.storage.system.enable=true", "has no tiered storage"),
        ("node.id=1\nlog.index.size.max.bytes=99999999999", "must be a whole number from 4 to 2147483647"),
        ("node.id=1\nlog_dirs=/data", "did you mean log.dirs?"),
        ("node.id=1\nbad=\\u00g0", "server.properties:2: \\u00g0 is not an escape"),
    ] {
        let said = problems(text);
        assert!(said.contains(expected), "{text:?} said {said:?}, and not {expected:?}");
        assert_eq!(said.lines().count(), 1, "{text:?} said {said}");
    }
}

#[test]
fn one_port_serves_both_kinds_of_addresses() {
    let map = "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT";
    let config = load(&format!("node.id=1\n{map}\nlisteners=A://127.0.0.1:92,B://[::1]:92"));
    assert_eq!(config.listeners[1].address(), "[::1]:92");
    let said = problems(&format!("node.id=1\n{map}\nlisteners=A://127.0.0.1:92,B://127.0.0.2:92"));
    assert!(said.contains("A and B share port 92"), "{said}");
}

#[test]
fn secrets_are_never_shown() {
    let config = load("node.id=1\nssl.keystore.password=hunter2");
    let row = table::find("ssl.keystore.password").unwrap();
    let described = config.describe_key(row);
    assert_eq!((described.value, described.source), (None, Source::StaticBroker));
    assert!(described.synonyms.iter().all(|synonym| synonym.value.is_none()));
    assert!(!config.notices().join("\n").contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));
    let said = problems("node.id=1\nssl.keystore.password=a\nssl.keystore.password=hunter2\n");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn prefixed_keys_are_known() {
    load(
        "node.id=1\nlistener.name.inside.ssl.keystore.location=/k\n\
         listener.name.inside.scram-sha-256.sasl.jaas.config=secret\nlistener.name.plaintext.max.connections=5\n\
         rsm.config.bucket=b\n",
    );
    let said = problems("node.id=1\nlistener.name.inside.num.partitions=3");
    assert!(said.contains("unknown key"), "{said}");
}

#[test]
fn overrides_win_and_are_named() {
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let config = Config::load(STOCK, "f", &[set("num.partitions", "6"), set("node.id", "9")]).unwrap();
    assert_eq!((config.num_partitions, config.node_id), (6, BrokerId(9)));
    let problems = Config::load(STOCK, "f", &[set("num.partitions", "x")]).unwrap_err();
    assert_eq!(problems[0].origin, Origin::Override);
    assert!(problems[0].to_string().starts_with("--set: num.partitions=x: must be"), "{}", problems[0]);
}

#[test]
fn the_finer_unit_of_retention_wins() {
    let config = load("node.id=1\nlog.retention.hours=1\nlog.retention.minutes=2");
    assert_eq!(config.log_retention_ms, Some(120_000));
    let config = load("node.id=1\nlog.retention.hours=1\nlog.retention.ms=-1");
    assert_eq!(config.log_retention_ms, None);
    let config = load("node.id=1\nlog.roll.hours=2");
    let default = config.topic_default("segment.ms").unwrap();
    assert_eq!((default.value.as_deref(), default.source), (Some("7200000"), Source::StaticBroker));
    assert_eq!(config.topic_default("retention.ms").unwrap().value.as_deref(), Some("604800000"));
    assert_eq!(config.topic_default("max.message.bytes").unwrap().value.as_deref(), Some("1048588"));
    assert_eq!(config.topic_default("unknown"), None);
}

#[test]
fn dynamic_wins_over_static_over_default() {
    let config = load("node.id=1\nlog.retention.ms=5000\nmin.insync.replicas=2");
    let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let changed = config
        .with_dynamic(
            &pairs(&[("log.retention.ms", "6000"), ("message.max.bytes", "9")]),
            &pairs(&[("log.retention.ms", "7000")]),
        )
        .unwrap();
    let max_message_bytes = |config: &Config| config.topic_default("max.message.bytes").unwrap().value;
    assert_eq!(changed.log_retention_ms, Some(7000));
    assert_eq!(max_message_bytes(&changed).as_deref(), Some("9"));
    let described = changed.describe_key(table::find("log.retention.ms").unwrap());
    assert_eq!(described.source, Source::DynamicBroker);
    let layers: Vec<_> =
        described.synonyms.iter().map(|s| (s.name, s.value.as_deref().unwrap(), s.source)).collect();
    assert_eq!(
        layers,
        [
            ("log.retention.ms", "7000", Source::DynamicBroker),
            ("log.retention.ms", "6000", Source::DynamicDefaultBroker),
            ("log.retention.ms", "5000", Source::StaticBroker),
            ("log.retention.hours", "168", Source::Default),
        ]
    );
    // Layers are replaced as a whole: a key taken away falls back.
    let back = changed.with_dynamic(&BTreeMap::new(), &BTreeMap::new()).unwrap();
    assert_eq!(back.log_retention_ms, Some(5000));
    assert_eq!(max_message_bytes(&back).as_deref(), Some("1048588"));
}

#[test]
fn dynamic_changes_keep_to_their_scope() {
    assert_eq!(check_dynamic("message.max.bytes", "5", false), Ok(()));
    for (key, value, one_broker, expected) in [
        ("node.id", "5", true, "cannot change while the broker runs"),
        ("listeners", "PLAINTEXT://:1", true, "cannot change while the broker runs"),
        ("ssl.keystore.location", "/k", false, "set it for one broker"),
        ("message.max.bytes", "-5", false, "must be a whole number from 0"),
        ("mesage.max.bytes", "5", false, "did you mean message.max.bytes?"),
    ] {
        let said = check_dynamic(key, value, one_broker).unwrap_err();
        assert!(said.contains(expected), "{key}={value}: {said}");
    }
}

#[test]
fn dev_listens_on_this_machine_alone() {
    let mut config = Config::default_for_dev();
    assert_eq!(config.http_listen, Some(("127.0.0.1".to_owned(), 9090)));
    assert_eq!(config.advertised_listeners[0].to_string(), "PLAINTEXT://localhost:9092");
    config.advertise("elsewhere");
    assert_eq!(config.advertised_listeners[0].host, "localhost");
}

#[test]
fn empty_hosts_and_free_ports_are_filled_in() {
    let mut config = load("node.id=1\nlisteners=PLAINTEXT://0.0.0.0:0");
    assert_eq!(config.listeners[0].host, "0.0.0.0");
    config.advertise("machine");
    config.bound("PLAINTEXT", 4567);
    assert_eq!(config.advertised_listeners[0].to_string(), "PLAINTEXT://machine:4567");
    assert_eq!(config.listeners[0].port, 4567);
    // A dynamic change keeps what was found out.
    let changed = config.with_dynamic(&BTreeMap::new(), &BTreeMap::new()).unwrap();
    assert_eq!(changed.advertised_listeners, config.advertised_listeners);
}

mod properties_format {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, u32)> {
        let (parsed, problems) = parse_properties(text, "f");
        assert!(problems.is_empty(), "{problems:?}");
        parsed.into_iter().map(|p| (p.key, p.value, p.line)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut parsed = pairs(text);
        assert_eq!(parsed.len(), 1, "{text:?} gave {parsed:?}");
        let (key, value, _) = parsed.remove(0);
        (key, value)
    }

    #[test]
    fn separators_blanks_and_escapes_are_javas() {
        // Each line as java.util.Properties 17 reads it.
        for (text, key, value) in [
            ("a=b", "a", "b"),
            ("  a  =  b  ", "a", "b  "),
            ("a:b", "a", "b"),
            ("a b c", "a", "b c"),
            ("a = = b", "a", "= b"),
            ("a\t:\tb", "a", "b"),
            ("a", "a", ""),
            ("a\\=b=c", "a=b", "c"),
            ("a\\ b c", "a b", "c"),
            ("a=b\\\n   c", "a", "bc"),
            ("a=b\\\\\nc", "a", "b\\"),
            ("a=\\u00e9\\t\\q", "a", "\u{e9}\tq"),
            ("a=\\ud83d\\ude00", "a", "\u{1f600}"),
            ("a=b\\", "a", "b"),
            ("a=b\\\r\n#c", "a", "b#c"),
            ("\u{feff}a=b", "a", "b"),
            ("=b", "", "b"),
        ] {
            if text.starts_with("a=b\\\\") {
                assert_eq!(pairs(text)[0], ("a".to_owned(), "b\\".to_owned(), 1));
                continue;
            }
            assert_eq!(one(text), (key.to_owned(), value.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_through_comments_and_continuations() {
        let text = "# c\\\n! d\n\na=1\\\n  2\\\n\n\rb=2\r\nc=3";
        assert_eq!(
            pairs(text),
            [("a".into(), "12".into(), 4), ("b".into(), "2".into(), 8), ("c".into(), "3".into(), 9)]
        );
    }

    #[test]
    fn any_text_is_read_without_panic() {
        let mut seed = 7u64;
        for _ in 0..300 {
            let text: String = (0..60)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let letters =
                        ['\\', 'u', '=', ':', ' ', '\n', '\r', '#', '!', 'a', '0', '\u{e9}', '\u{1f600}'];
                    letters[usize::try_from(seed >> 33).unwrap() % letters.len()]
                })
                .collect();
            let _ = Config::load(&text, "f", &[]);
        }
    }

    #[test]
    fn a_huge_file_is_refused() {
        let (_, problems) = parse_properties(&"a".repeat(FILE_BYTES_MAX + 1), "f");
        assert!(problems[0].message.contains("larger than"));
    }
}

/// The text of every Rust file in a folder, `except` left out.
fn sources(folder: &std::path::Path, except: &std::path::Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path != except {
            text += &sources(&path, except);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text += &std::fs::read_to_string(&path).unwrap();
        }
    }
    text
}

#[test]
fn a_key_that_is_said_to_act_is_read_and_its_field_used() {
    let node = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let config = node.join("config");
    let used = sources(&node, &config) + &sources(&node.join("../../src"), &config);
    let settings = std::fs::read_to_string(config.join("settings.rs")).unwrap();
    let fields = settings.split("\nconfig! {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let fields = fields.lines().filter(|line| line.starts_with("    ") && !line.starts_with("    ///"));
    let fields: Vec<_> = fields.filter_map(|line| Some(line.trim().split_once(": ")?.0)).collect();
    assert!(fields.len() > 30, "{fields:?}");
    for field in &fields {
        assert!(used.contains(&format!(".{field}")), "{field} is read from the file and used by nobody");
    }
    let read = ["settings.rs", "addresses.rs", "identity.rs"]
        .map(|name| std::fs::read_to_string(config.join(name)).unwrap())
        .concat();
    let loaded = load("node.id=1");
    for key in table::all().filter(|key| key.standing == Standing::Acts) {
        let typed = read.contains(&format!("\"{}\"", key.name)) || read.contains(&format!("`{}`", key.name));
        let of_topics = describe::TOPIC_KEYS.iter().any(|(topic_key, broker_key)| {
            let default = loaded.topic_default(topic_key).unwrap();
            *broker_key == key.name || default.synonyms.iter().any(|synonym| synonym.name == key.name)
        });
        assert!(typed || of_topics, "{} is said to act, and nobody reads it", key.name);
    }
}
