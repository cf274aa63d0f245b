//! What can be set for engines, by name. Engines read it when forwarding starts.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use anyhow::{Context, bail, ensure};
use gannet::MTUS;
use gannet_mempool::registry::{Column, Row};
use serde::Serialize;

use super::datagram::FCS;

/// Settings of all engines.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(super) length: u64,
    pub(super) count: u64,
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) source_port: u64,
    pub(super) destination_port: u64,
    pub(super) flows: u64,
    pub(super) ipv4: Ipv4Addr,
    pub(super) ipv6: Ipv6Addr,
    pub(super) buffer: u64,
    pub(super) flush_ms: u64,
    pub(super) memory_kib: u64,
    pub(super) reads: u64,
    pub(super) writes: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            length: 64,
            count: 0,
            source: Ipv4Addr::new(198, 51, 100, 1),
            destination: Ipv4Addr::new(203, 0, 113, 1),
            // The discard service (RFC 863).
            source_port: 9,
            destination_port: 9,
            flows: 1024,
            ipv4: Ipv4Addr::new(198, 51, 100, 2),
            ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
            buffer: 0,
            flush_ms: 0,
            memory_kib: 0,
            reads: 0,
            writes: 0,
        }
    }
}

/// A setting: its name, and where its value is.
struct Setting {
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    value: Value,
}

/// Where a value is, and what it may be.
enum Value {
    Number(fn(&mut Settings) -> &mut u64, RangeInclusive<u64>),
    Ipv4(fn(&mut Settings) -> &mut Ipv4Addr),
    Ipv6(fn(&mut Settings) -> &mut Ipv6Addr),
}

/// A setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SettingRow {
    /// Its name, `engine.what`.
    pub(crate) name: &'static str,
    /// The value now.
    pub(crate) value: String,
    /// What is counted, or what kind of text it is.
    pub(crate) unit: &'static str,
    /// What it means.
    pub(crate) description: &'static str,
}

impl Row<4> for SettingRow {
    const COLUMNS: [Column; 4] =
        [Column::Left("SETTING"), Column::Right("VALUE"), Column::Left("UNIT"), Column::Left("DESCRIPTION")];

    fn cells(&self) -> [String; 4] {
        [self.name.into(), self.value.clone(), self.unit.into(), self.description.into()]
    }
}

const PORT: RangeInclusive<u64> = 0..=65_535;

/// Bytes of a frame that the MTU does not count: the Ethernet header and the FCS. Datagrams have no VLAN tag.
const HEADER_AND_FCS: u64 = 14 + FCS as u64;

/// Lengths of a frame, FCS included, that some card sends.
const LENGTHS: RangeInclusive<u64> = 64..=*MTUS.end() as u64 + HEADER_AND_FCS;

const ALL: [Setting; 14] = [
    Setting {
        name: "txonly.length",
        unit: "bytes",
        description: "length of a frame, FCS included, at most the port's MTU and 18 (txonly, flowgen)",
        value: Value::Number(|all| &mut all.length, LENGTHS),
    },
    Setting {
        name: "txonly.count",
        unit: "frames",
        description: "frames that a stream sends before it stops, 0 for no end (txonly, flowgen)",
        value: Value::Number(|all| &mut all.count, 0..=u64::MAX),
    },
    Setting {
        name: "txonly.source",
        unit: "IPv4 address",
        description: "source of datagrams (txonly, flowgen's first flow)",
        value: Value::Ipv4(|all| &mut all.source),
    },
    Setting {
        name: "txonly.destination",
        unit: "IPv4 address",
        description: "destination of datagrams (txonly, flowgen)",
        value: Value::Ipv4(|all| &mut all.destination),
    },
    Setting {
        name: "txonly.source_port",
        unit: "UDP port",
        description: "source port of datagrams (txonly, flowgen's first flow)",
        value: Value::Number(|all| &mut all.source_port, PORT),
    },
    Setting {
        name: "txonly.destination_port",
        unit: "UDP port",
        description: "destination port of datagrams (txonly, flowgen)",
        value: Value::Number(|all| &mut all.destination_port, PORT),
    },
    Setting {
        name: "flowgen.flows",
        unit: "flows",
        description: "flows that flowgen goes through: 256 source ports to a source address",
        value: Value::Number(|all| &mut all.flows, 1..=65_536),
    },
    Setting {
        name: "icmpecho.ipv4",
        unit: "IPv4 address",
        description: "address that icmpecho answers for",
        value: Value::Ipv4(|all| &mut all.ipv4),
    },
    Setting {
        name: "icmpecho.ipv6",
        unit: "IPv6 address",
        description: "address that icmpecho answers for",
        value: Value::Ipv6(|all| &mut all.ipv6),
    },
    Setting {
        name: "noisy.buffer",
        unit: "packets",
        description: "packets that noisy holds back, first in first out (fewer than the pool has)",
        value: Value::Number(|all| &mut all.buffer, 0..=1 << 20),
    },
    Setting {
        name: "noisy.flush_ms",
        unit: "milliseconds",
        description: "time between two moments at which noisy sends all that it holds back, 0 for never",
        value: Value::Number(|all| &mut all.flush_ms, 0..=3_600_000),
    },
    Setting {
        name: "noisy.memory_kib",
        unit: "KiB",
        description: "memory that noisy reads and writes in for each packet",
        value: Value::Number(|all| &mut all.memory_kib, 0..=1 << 18),
    },
    Setting {
        name: "noisy.reads",
        unit: "accesses",
        description: "random reads for each packet",
        value: Value::Number(|all| &mut all.reads, 0..=65_536),
    },
    Setting {
        name: "noisy.writes",
        unit: "accesses",
        description: "random writes for each packet",
        value: Value::Number(|all| &mut all.writes, 0..=65_536),
    },
];

impl Settings {
    /// Sets the setting of that name.
    ///
    /// # Errors
    /// There is none of that name, or the value is none for it. Nothing has changed then.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        let Some(setting) = ALL.iter().find(|setting| setting.name == name) else {
            let names = ALL.map(|setting| setting.name).join(", ");
            bail!("there is no setting {name:?}; there are: {names}");
        };
        let unit = setting.unit;
        match &setting.value {
            Value::Number(place, range) => {
                let (low, high) = (range.start(), range.end());
                let number = value.parse().ok().filter(|number| range.contains(number));
                *place(self) = number.with_context(|| {
                    format!("{name}={value}: a whole number from {low} to {high} is expected ({unit})")
                })?;
            }
            Value::Ipv4(place) => {
                let address: Option<Ipv4Addr> = value.parse().ok();
                *place(self) = address
                    .filter(|address| !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified())
                    .with_context(|| {
                        format!("{name}={value}: the IPv4 address of a host is expected, as in 198.51.100.2")
                    })?;
            }
            Value::Ipv6(place) => {
                let address: Option<Ipv6Addr> = value.parse().ok();
                *place(self) =
                    address.filter(|address| !address.is_multicast() && !address.is_unspecified()).with_context(
                        || format!("{name}={value}: the IPv6 address of a host is expected, as in 2001:db8::2"),
                    )?;
            }
        }
        Ok(())
    }

    /// Checks that a port with this MTU, and buffers with room for so many bytes, sends the frames that txonly and flowgen make.
    ///
    /// # Errors
    /// They are too long.
    pub(crate) fn check_length(&self, port: usize, mtu: u16, room: u16) -> anyhow::Result<()> {
        let (length, shortest) = (self.length, LENGTHS.start());
        let longest = (u64::from(mtu) + HEADER_AND_FCS).min(u64::from(room) + FCS as u64);
        ensure!(
            length <= longest,
            "txonly.length is {length}, port {port} sends frames of {shortest} to {longest} bytes: set another, or give \
             testpmd --mtu {} or more and no --buffer-size",
            length - HEADER_AND_FCS
        );
        Ok(())
    }

    /// All settings as they stand.
    pub(crate) fn rows(&self) -> Vec<SettingRow> {
        let mut now = self.clone();
        let row = |setting: &Setting| {
            let value = match &setting.value {
                Value::Number(place, _) => place(&mut now).to_string(),
                Value::Ipv4(place) => place(&mut now).to_string(),
                Value::Ipv6(place) => place(&mut now).to_string(),
            };
            SettingRow { name: setting.name, value, unit: setting.unit, description: setting.description }
        };
        ALL.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(settings: &Settings, name: &str) -> String {
        settings.rows().into_iter().find(|row| row.name == name).expect("it is there").value
    }

    #[test]
    fn every_setting_is_set_by_its_name_and_touches_no_other() {
        for setting in &ALL {
            let mut settings = Settings::default();
            let before = settings.rows();
            let text = match setting.value {
                Value::Number(..) => "77",
                Value::Ipv4(_) => "203.0.113.77",
                Value::Ipv6(_) => "2001:db8::77",
            };
            settings.set(setting.name, text).unwrap();
            assert_eq!(value(&settings, setting.name), text);
            let changed = before.iter().zip(&settings.rows()).filter(|(before, after)| before != after).count();
            assert_eq!(changed, 1, "{}", setting.name);
        }
    }

    #[test]
    fn what_is_no_value_is_refused_with_what_is() {
        let mut settings = Settings::default();
        let before = settings.rows();
        for (name, text, part) in [
            ("txonly.size", "64", "txonly.length"),
            ("txonly.length", "63", "from 64 to 15872"),
            ("txonly.length", "long", "from 64 to 15872"),
            ("txonly.source_port", "65536", "to 65535"),
            ("txonly.source_port", "-1", "to 65535"),
            ("icmpecho.ipv4", "2001:db8::2", "198.51.100.2"),
            ("icmpecho.ipv4", "224.0.0.1", "of a host"),
            ("icmpecho.ipv6", "ff02::1", "of a host"),
            ("icmpecho.ipv6", "", "2001:db8::2"),
        ] {
            let why = settings.set(name, text).expect_err(name).to_string();
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(settings.rows(), before);
    }

    #[test]
    fn the_defaults_are_values_that_can_be_set() {
        let mut settings = Settings::default();
        for row in Settings::default().rows() {
            settings.set(row.name, &row.value).unwrap();
        }
    }
}
