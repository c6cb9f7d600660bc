//! Listeners: `NAME://HOST:PORT` (KIP-103).

use std::fmt;

/// Where a broker listens, or what address it tells clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The listener's name in upper case, as Kafka keeps it.
    pub name: String,
    /// A host name or address, an IPv6 one without its brackets; empty means every interface, or, when
    /// advertised, this machine's name.
    pub host: String,
    /// The port; 0 asks for a free one.
    pub port: u16,
}

impl Listener {
    /// Reads one listener.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let right = "a listener reads NAME://HOST:PORT, such as PLAINTEXT://:9092";
        let (name, address) = text.trim().split_once("://").ok_or_else(|| format!("{text:?}: {right}"))?;
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(word) {
            return Err(format!("{name:?} is not a listener name; {right}"));
        }
        let (host, port) = split_host_port(address).map_err(|why| format!("{text:?}: {why}; {right}"))?;
        Ok(Self { name: name.to_ascii_uppercase(), host: host.to_owned(), port })
    }

    /// `HOST:PORT` with brackets around an IPv6 address.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.name, self.address())
    }
}

/// Splits `HOST:PORT`; an IPv6 address stands in brackets, which are taken off. The host may be empty.
///
/// # Errors
/// What is wrong, in a few words.
pub fn split_host_port(text: &str) -> Result<(&str, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or("a bracket is not closed")?,
        None if host.contains(':') => return Err("an IPv6 address stands in brackets".to_owned()),
        None => host,
    };
    if host.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '[' | ']' | '@')) {
        return Err(format!("{host:?} is not a host name"));
    }
    // `parse` alone would take "+9092".
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|_| digits);
    Ok((host, port.ok_or("the port must be a number from 0 to 65535")?))
}
