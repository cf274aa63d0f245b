//! What is done with packets between a receive queue and a transmit queue.
//!
//! An engine is chosen by name for all ports. Each [`Stream`] gets one of its own, which lives as long as forwarding runs. A core calls
//! [`Engine::turn`] for each of its streams, round after round: one dynamic call a burst, none a packet.

mod checksum;
mod csum;
mod datagram;
pub(crate) mod drops;
mod five_tuple_swap;
mod flowgen;
mod headers;
mod icmpecho;
mod io;
mod mac;
mod macswap;
mod noisy;
mod rxonly;
pub(crate) mod settings;
mod stream;
mod txonly;

use std::fmt;
use std::str::FromStr;

use anyhow::bail;

pub(crate) use settings::Settings;
pub(crate) use stream::{Counters, Stream};

/// Moves packets of one stream.
pub(crate) trait Engine: Send {
    /// One round: receives what has come, handles it, sends what can be sent. Returns how many packets were received or sent. Never waits.
    fn turn(&mut self, stream: &mut Stream) -> usize;

    /// After the last round: drops what it holds back, and counts it.
    fn finish(&mut self, _: &mut Stream) {}
}

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineName {
    /// Forwards without a look.
    Io,
    /// Forwards with new addresses.
    Mac,
    /// Forwards with the addresses swapped.
    Macswap,
    /// Receives only.
    Rxonly,
    /// Sends datagrams.
    Txonly,
    /// Sends datagrams of many flows.
    Flowgen,
    /// Forwards with checksums mended.
    Csum,
    /// Answers pings.
    Icmpecho,
    /// Forwards with MAC and IP addresses and ports swapped.
    FiveTupleSwap,
    /// Forwards after a while, with memory accesses.
    Noisy,
}

/// Where frames that arrive at a port go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// At the port's partner.
    Across,
    /// At the port itself: [`Stream::from`] and [`Stream::to`] are the same.
    Back,
}

impl EngineName {
    /// All there are, in the order of a list for people.
    pub(crate) const ALL: [EngineName; 10] = [
        EngineName::Io,
        EngineName::Mac,
        EngineName::Macswap,
        EngineName::Rxonly,
        EngineName::Txonly,
        EngineName::Flowgen,
        EngineName::Csum,
        EngineName::Icmpecho,
        EngineName::FiveTupleSwap,
        EngineName::Noisy,
    ];

    /// Its name at the prompt and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            EngineName::Io => "io",
            EngineName::Mac => "mac",
            EngineName::Macswap => "macswap",
            EngineName::Rxonly => "rxonly",
            EngineName::Txonly => "txonly",
            EngineName::Flowgen => "flowgen",
            EngineName::Csum => "csum",
            EngineName::Icmpecho => "icmpecho",
            EngineName::FiveTupleSwap => "5tswap",
            EngineName::Noisy => "noisy",
        }
    }

    /// What it does, in a line, and which settings it has.
    pub(crate) fn description(self) -> &'static str {
        match self {
            EngineName::Io => "forwards frames as they are",
            EngineName::Mac => "forwards frames to the peer of the port: new source and destination address",
            EngineName::Macswap => "forwards frames with source and destination address swapped",
            EngineName::Rxonly => "receives and counts frames, sends nothing",
            EngineName::Txonly => "sends UDP datagrams, receives nothing (txonly.*)",
            EngineName::Flowgen => {
                "sends UDP datagrams of many flows, receives and counts what comes (txonly.*, flowgen.flows)"
            }
            EngineName::Csum => "forwards frames with IPv4, TCP, UDP and ICMP checksums computed anew",
            EngineName::Icmpecho => {
                "answers ARP, neighbour solicitations and pings on the port that they came from (icmpecho.*)"
            }
            EngineName::FiveTupleSwap => {
                "forwards frames with MAC addresses, IP addresses and TCP or UDP ports swapped"
            }
            EngineName::Noisy => {
                "forwards frames after holding them back and random memory accesses for each (noisy.*)"
            }
        }
    }

    /// Whether it makes packets of its own, without end.
    pub(crate) fn generates(self) -> bool {
        matches!(self, EngineName::Txonly | EngineName::Flowgen)
    }

    /// Which way the streams must go for it.
    pub(crate) fn route(self) -> Route {
        match self {
            EngineName::Icmpecho => Route::Back,
            _ => Route::Across,
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for EngineName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<EngineName> {
        let Some(engine) = EngineName::ALL.into_iter().find(|engine| engine.name() == text) else {
            let names = EngineName::ALL.map(EngineName::name).join(", ");
            bail!("there is no engine {text:?}; there are: {names}");
        };
        Ok(engine)
    }
}

/// The engine of that name for one stream, with the settings as they are now.
pub(crate) fn make(name: EngineName, settings: &Settings, stream: &Stream) -> Box<dyn Engine> {
    match name {
        EngineName::Io => Box::new(io::Io),
        EngineName::Mac => Box::new(mac::Mac),
        EngineName::Macswap => Box::new(macswap::Macswap),
        EngineName::Rxonly => Box::new(rxonly::Rxonly::new(stream)),
        EngineName::Txonly => Box::new(txonly::Txonly::new(settings, stream)),
        EngineName::Flowgen => Box::new(flowgen::Flowgen::new(settings, stream)),
        EngineName::Csum => Box::new(csum::Csum),
        EngineName::Icmpecho => Box::new(icmpecho::Icmpecho::new(settings, stream)),
        EngineName::FiveTupleSwap => Box::new(five_tuple_swap::FiveTupleSwap),
        EngineName::Noisy => Box::new(noisy::Noisy::new(settings, stream)),
    }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
