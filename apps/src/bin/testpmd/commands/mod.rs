//! The commands: one table, from which lines are read, completed, explained and corrected.

mod control;
mod help;
mod set;
mod show;

use std::fmt;

use anyhow::Context;

use crate::answer::Answer;
use crate::grammar::{self, Arguments, NoCommand};
use crate::session::Session;

/// A command.
pub(crate) struct Command {
    /// Its words, as [`grammar`] describes them.
    pub(crate) pattern: &'static str,
    /// What it does, in a line.
    pub(crate) help: &'static str,
    run: fn(&mut Session, &Arguments) -> anyhow::Result<Answer>,
}

const fn command(
    pattern: &'static str,
    help: &'static str,
    run: fn(&mut Session, &Arguments) -> anyhow::Result<Answer>,
) -> Command {
    Command { pattern, help, run }
}

/// All there are, in the order in which `help` shows them.
pub(crate) static COMMANDS: &[Command] = &[
    command("start", "begin to forward, and have the peers of software cards send", control::start),
    command("stop", "have these peers stop, forward what is on its way, and stop", control::stop),
    command("start port PORTS", "start a port that is stopped", control::start_port),
    command("stop port PORTS", "stop a port; its configuration can be changed then", control::stop_port),
    command("clear stats", "count from 0 from here on", control::clear_stats),
    command("explain", "say why packets do not come through, and what mends it", control::explain),
    command("explain port PORTS", "the same for one port", control::explain),
    command("sleep SECONDS", "wait", control::sleep),
    command("wait packets COUNT", "wait until so many have been forwarded since start, 10 s at most", control::wait),
    command("wait packets COUNT SECONDS", "the same with another bound", control::wait),
    command("show port PORTS", "states, links, addresses, queues", show::ports),
    command("show port PORTS stats", "packets, bytes and losses", show::stats),
    command("show port PORTS xstats", "every counter that is not 0", show::all_stats),
    command("show port PORTS config", "filters and what else can be set", show::port_config),
    command(
        "show port PORTS regs",
        "what the registers of its card hold, but for those that a look changes",
        show::registers,
    ),
    command(
        "show port PORTS regs NAME",
        "one of them, as STATUS or RDT[3], or all that begin so, as RD",
        show::registers,
    ),
    command("show queues", "counters of all queues", show::queues),
    command("show streams", "from which port to which, with rates", show::streams),
    command("show peers", "what is at the other end of software cards' cables", show::peers),
    command("show pool", "where packet buffers are", show::pool),
    command("show drops", "packets that have been dropped, by reason", show::drops),
    command("show tunables", "settings of packet memory", show::tunables),
    command("show engines", "the ways to forward", show::engines),
    command("show settings", "settings of engines", show::settings),
    command("show config", "engine, cores, buffers", show::config),
    command("set engine ENGINE", "choose what is done with packets, from the next start on", set::engine),
    command("set SETTING VALUE", "a setting of an engine, from the next start on", set::setting),
    command("set burst COUNT", "most packets handled at once, from the next start on", set::burst),
    command(
        "set tunable TUNABLE VALUE",
        "a setting of packet memory; pools have theirs when they are made",
        set::tunable,
    ),
    command(
        "set port PORTS promiscuous on|off",
        "take frames for all addresses, or only for its own",
        set::promiscuous,
    ),
    command(
        "set port PORTS multicast all|none",
        "take all multicast frames, or none but those of the groups",
        set::multicast,
    ),
    command("set port PORTS multicast-group add|remove MAC", "a group whose frames it takes", set::multicast_group),
    command("set port PORTS mac-filter add|remove MAC", "a further address whose frames it takes", set::mac_filter),
    command("set port PORTS peer MAC", "destination of what the engine mac sends on it", set::peer),
    command("set port PORTS queues COUNT", "receive and transmit queues, while it is stopped", set::queues),
    command("set port PORTS ring COUNT", "descriptors of each ring, while it is stopped", set::ring),
    command(
        "set port PORTS mtu BYTES",
        "longest frames, without Ethernet header and tag, while it is stopped",
        set::mtu,
    ),
    command(
        "set port PORTS vlan-strip on|off",
        "have the card take VLAN tags out, while it is stopped",
        set::vlan_strip,
    ),
    command("help", "all commands", help::all),
    command("help COMMAND...", "those that begin like this", help::some),
    command("quit", "stop everything and leave", control::quit),
    command("exit", "the same", control::quit),
];

/// What a script waited for did not come: the script is right, the traffic is not.
#[derive(Debug)]
pub(crate) struct Unmet(String);

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unmet {}

/// What users of other programs may try, and why there is no such thing here.
const MISSING: &[(&str, &str)] =
    &[("flow", "the drivers have no flow filters; several queues spread flows by hash (set port 0 queues 2)")];

/// Runs a line.
///
/// # Errors
/// It is no command ([`NoCommand`]), or what it asks for cannot be done.
pub(crate) fn run(session: &mut Session, line: &str) -> anyhow::Result<Answer> {
    let vocabulary = session.vocabulary();
    let found = grammar::parse(COMMANDS, line, vocabulary).map_err(|why| {
        let missing = MISSING.iter().find(|(pattern, _)| grammar::begins_with(line, pattern, vocabulary));
        missing.map_or(why, |(_, reason)| NoCommand::because(line, reason))
    })?;
    (found.command.run)(session, &found.arguments).with_context(|| line.to_owned())
}
