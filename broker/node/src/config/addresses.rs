//! Where clients and scrapers reach the broker, and which addresses have limits of their own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::listener::{Listener, split_host_port};
use super::typed::Typed;

pub(super) fn http_listen(typed: &mut Typed<'_>) -> Option<(String, u16)> {
    let text = typed.text("http.listen").filter(|text| *text != "off")?;
    match split_host_port(text) {
        Ok((host, port)) => Some((host.to_owned(), port)),
        Err(why) => {
            typed.wrong("http.listen", format!("{why}; must be HOST:PORT or off"));
            None
        }
    }
}

pub(super) fn ip_overrides(typed: &mut Typed<'_>) -> BTreeMap<IpAddr, u32> {
    let mut limits = BTreeMap::new();
    for item in typed.list("max.connections.per.ip.overrides") {
        let pair = item.rsplit_once(':').and_then(|(host, limit)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            Some((host.trim().parse().ok()?, limit.trim().parse().ok()?))
        });
        match pair {
            Some((address, limit)) => {
                limits.insert(address, limit);
            }
            None => {
                let message = format!("{item:?} must be ADDRESS:LIMIT, such as 127.0.0.1:100");
                typed.wrong("max.connections.per.ip.overrides", message);
            }
        }
    }
    limits
}

fn parse_listeners(typed: &mut Typed<'_>, key: &'static str) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for item in typed.list(key) {
        match Listener::parse(&item) {
            Ok(listener) if listeners.iter().any(|other| other.name == listener.name) => {
                typed.wrong(key, format!("names {} twice", listener.name));
            }
            Ok(listener) => listeners.push(listener),
            Err(why) => typed.wrong(key, why),
        }
    }
    listeners
}

/// Those of `listeners` that are not the controller's, each checked to be PLAINTEXT.
pub(super) fn client_listeners(typed: &mut Typed<'_>) -> Vec<Listener> {
    let controllers = controller_names(typed);
    let protocols = protocol_map(typed);
    let mut listeners = parse_listeners(typed, "listeners");
    for (i, one) in listeners.iter().enumerate() {
        let clash = |other: &&Listener| other.port == one.port && one.port != 0 && same_family(one, other);
        if let Some(other) = listeners.get(..i).unwrap_or_default().iter().find(clash) {
            typed.wrong("listeners", format!("{} and {} share port {}", other.name, one.name, one.port));
        }
    }
    for listener in &listeners {
        match protocols.get(&listener.name).map(String::as_str) {
            Some("PLAINTEXT") => {}
            Some(other) => {
                let name = &listener.name;
                typed.wrong("listeners", format!("{name} asks for {other}; only PLAINTEXT is served"));
            }
            None => {
                let name = &listener.name;
                let message =
                    format!("{name} has no protocol; add {name}:PLAINTEXT to listener.security.protocol.map");
                typed.wrong("listeners", message);
            }
        }
    }
    let named = !listeners.is_empty();
    listeners.retain(|listener| !controllers.contains(&listener.name));
    if listeners.is_empty() && named {
        typed.wrong("listeners", "has none for clients; add one such as PLAINTEXT://:9092".to_owned());
    }
    listeners
}

/// Two listeners may share a port only when one is bound to an IPv4 address and the other to an IPv6 one (KIP-797).
fn same_family(one: &Listener, other: &Listener) -> bool {
    match (one.host.parse::<IpAddr>(), other.host.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one.is_ipv4() == other.is_ipv4(),
        _ => true,
    }
}

fn controller_names(typed: &Typed<'_>) -> Vec<String> {
    typed.list("controller.listener.names").iter().map(|name| name.to_ascii_uppercase()).collect()
}

fn protocol_map(typed: &mut Typed<'_>) -> BTreeMap<String, String> {
    let mut protocols = BTreeMap::new();
    for item in typed.list("listener.security.protocol.map") {
        let known = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
        match item.split_once(':').map(|(name, protocol)| (name.trim(), protocol.trim().to_ascii_uppercase()))
        {
            Some((name, protocol)) if known.contains(&protocol.as_str()) => {
                protocols.insert(name.to_ascii_uppercase(), protocol);
            }
            _ => {
                let message =
                    format!("{item:?} must be NAME:PROTOCOL, the protocol one of {}", known.join(", "));
                typed.wrong("listener.security.protocol.map", message);
            }
        }
    }
    protocols
}

/// One advertised address for each listener of clients, in their order.
pub(super) fn advertised_listeners(typed: &mut Typed<'_>) -> Vec<Listener> {
    let controllers = controller_names(typed);
    // Their problems are reported by the field `listeners`.
    let mut unreported = Vec::new();
    let listening = typed.quietly(&mut unreported, |quiet| parse_listeners(quiet, "listeners"));
    let clients: Vec<Listener> =
        listening.into_iter().filter(|listener| !controllers.contains(&listener.name)).collect();
    let wildcard = |host: &str| host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
    if !typed.is_set("advertised.listeners") {
        // An address that stands for every interface cannot be connected to; the machine's name can.
        let named = |listener: Listener| {
            if wildcard(&listener.host) { Listener { host: String::new(), ..listener } } else { listener }
        };
        return clients.into_iter().map(named).collect();
    }
    let advertised = parse_listeners(typed, "advertised.listeners");
    for listener in &advertised {
        let (name, host) = (&listener.name, &listener.host);
        if wildcard(host) {
            typed.wrong("advertised.listeners", format!("clients cannot connect to {host}; name a host"));
        }
        if !controllers.contains(name) && !clients.iter().any(|client| client.name == *name) {
            typed.wrong("advertised.listeners", format!("{name} is not one of listeners"));
        }
    }
    let of = |client: Listener| {
        advertised.iter().find(|listener| listener.name == client.name).cloned().unwrap_or(client)
    };
    clients.into_iter().map(of).collect()
}
