//! Commands that change something.

use anyhow::{bail, ensure};
use gannet::{Filter, MAX_BURST, MacAddress, Multicast, PortConfig, Promiscuous, VlanTags};
use gannet_apps::values;
use gannet_mempool::registry;

use super::control::with_ports;
use crate::answer::Answer;
use crate::grammar::Arguments;
use crate::port::Port;
use crate::session::Session;

/// What is told of something that running engines do not see.
fn from_next_start(session: &Session, text: String) -> Answer {
    Answer::done(if session.is_forwarding() { text + ", from the next start on" } else { text })
}

pub(super) fn engine(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    session.engine = arguments.word("ENGINE").parse()?;
    Ok(from_next_start(session, format!("engine {}", session.engine)))
}

pub(super) fn setting(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let (name, value) = (arguments.word("SETTING"), arguments.word("VALUE"));
    session.settings.set(name, value)?;
    Ok(from_next_start(session, format!("{name} is {value}")))
}

pub(super) fn burst(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let burst = arguments.number("COUNT")?;
    ensure!((1..=MAX_BURST).contains(&burst), "1 to {MAX_BURST} packets are possible");
    session.burst = burst;
    Ok(from_next_start(session, format!("bursts of {burst} packets")))
}

pub(super) fn tunable(_: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let (name, value) = (arguments.word("TUNABLE"), arguments.word("VALUE"));
    registry::set(name, value)?;
    Ok(Answer::done(format!("{name} is {value}")))
}

fn mac(arguments: &Arguments) -> anyhow::Result<MacAddress> {
    values::mac_address(arguments.word("MAC")).map_err(anyhow::Error::msg)
}

/// Changes the filters of ports: of all, or of none.
fn filter(
    session: &mut Session,
    arguments: &Arguments,
    done: &str,
    change: impl Fn(&mut Filter) -> anyhow::Result<()>,
) -> anyhow::Result<Answer> {
    let changed = |port: &Port| {
        let mut filter = port.config.filter.clone();
        change(&mut filter)?;
        anyhow::Ok(filter)
    };
    for port in arguments.ports(session.vocabulary()) {
        let port = &session.ports[port];
        port.check_filter(changed(port)?)?;
    }
    with_ports(session, arguments, done, |session, port| {
        let port = &mut session.ports[port];
        port.set_filter(changed(port)?)
    })
}

pub(super) fn promiscuous(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let word = arguments.word("on|off");
    let promiscuous = if word == "on" { Promiscuous::On } else { Promiscuous::Off };
    filter(session, arguments, &format!("promiscuous {word}"), |filter| {
        filter.promiscuous = promiscuous;
        Ok(())
    })
}

pub(super) fn multicast(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let word = arguments.word("all|none");
    let multicast = if word == "all" { Multicast::All } else { Multicast::None };
    filter(session, arguments, &format!("multicast {word}"), |filter| {
        filter.multicast = multicast.clone();
        Ok(())
    })
}

/// Adds an address to a list or takes it out.
fn change_list(list: &mut Vec<MacAddress>, address: MacAddress, arguments: &Arguments) -> anyhow::Result<()> {
    let text = arguments.word("MAC");
    match (arguments.word("add|remove"), list.iter().position(|known| *known == address)) {
        ("add", None) => list.push(address),
        ("add", Some(_)) => bail!("{text} is there already"),
        (_, Some(at)) => {
            list.remove(at);
        }
        (_, None) => bail!("{text} is not there: show port all config lists those that are"),
    }
    Ok(())
}

pub(super) fn multicast_group(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let group = mac(arguments)?;
    filter(session, arguments, &format!("{} group {}", arguments.word("add|remove"), arguments.word("MAC")), |filter| {
        let mut groups = match &filter.multicast {
            Multicast::Groups(groups) => groups.clone(),
            Multicast::None => Vec::new(),
            Multicast::All => bail!("all groups pass already: set port {} multicast none", arguments.word("PORTS")),
        };
        change_list(&mut groups, group, arguments)?;
        filter.multicast = if groups.is_empty() { Multicast::None } else { Multicast::Groups(groups) };
        Ok(())
    })
}

pub(super) fn mac_filter(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let address = mac(arguments)?;
    filter(session, arguments, &format!("{} {}", arguments.word("add|remove"), arguments.word("MAC")), |filter| {
        change_list(&mut filter.unicast, address, arguments)
    })
}

pub(super) fn peer(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let address = mac(arguments)?;
    with_ports(session, arguments, &format!("peer {}", arguments.word("MAC")), |session, port| {
        session.ports[port].peer = address;
        Ok(())
    })
}

/// Changes what ports are started with: all of them, or none.
fn configure(
    session: &mut Session,
    arguments: &Arguments,
    done: &str,
    change: impl Fn(&mut PortConfig),
) -> anyhow::Result<Answer> {
    let changed = |port: &Port| {
        let mut config = port.config.clone();
        change(&mut config);
        config
    };
    for port in arguments.ports(session.vocabulary()) {
        let port = &session.ports[port];
        port.check(&changed(port))?;
    }
    with_ports(session, arguments, done, |session, port| {
        let port = &mut session.ports[port];
        port.configure(changed(port))
    })
}

pub(super) fn queues(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    /// More than any card has, which says itself how many those are.
    const MOST: usize = 1024;
    let count = arguments.number::<usize>("COUNT")?.min(MOST);
    configure(session, arguments, &format!("{count} queues"), |config| {
        let (rx, tx) = (config.rx.first().cloned(), config.tx.first().cloned());
        config.rx = rx.into_iter().cycle().take(count).collect();
        config.tx = tx.into_iter().cycle().take(count).collect();
    })
}

pub(super) fn ring(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let descriptors = arguments.number("COUNT")?;
    configure(session, arguments, &format!("rings of {descriptors} descriptors"), |config| {
        config.rx.iter_mut().for_each(|queue| queue.descriptors = descriptors);
        config.tx.iter_mut().for_each(|queue| queue.descriptors = descriptors);
    })
}

pub(super) fn mtu(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    // More than any card has, which says itself what it has.
    let mtu = arguments.number::<u64>("BYTES")?.try_into().unwrap_or(u16::MAX);
    configure(session, arguments, &format!("MTU {mtu}"), |config| config.mtu = mtu)
}

pub(super) fn vlan_strip(session: &mut Session, arguments: &Arguments) -> anyhow::Result<Answer> {
    let word = arguments.word("on|off");
    let tags = if word == "on" { VlanTags::Strip } else { VlanTags::Keep };
    configure(session, arguments, &format!("vlan-strip {word}"), |config| config.vlan_tags = tags)
}
