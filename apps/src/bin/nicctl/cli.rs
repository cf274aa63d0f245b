//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use gannet_bus::sysfs::PciAddress;

use crate::driver_switch;

/// Network cards for Gannet: which there are, whether the host is ready, to vfio-pci and back, registers and counters.
///
/// Exit status: 0 if it is done, 1 if the host is not ready (doctor), 2 if it could not be done.
#[derive(Debug, Parser)]
#[command(version, after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Look at the copy of a machine's /sys, /proc, /dev and /run in this folder.
    #[arg(long, global = true, value_name = "FOLDER", default_value = "/", hide_default_value = true)]
    pub(crate) root: PathBuf,
}

const EXAMPLES: &str = "\
From a card of the kernel to a card of Gannet, and back:
  nicctl list
  nicctl doctor 0000:01:00.0
  sudo nicctl bind 0000:01:00.0
  sudo nicctl restore 0000:01:00.0";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the network cards: their drivers, IOMMU groups, links, and who uses them.
    List,
    /// Check all that a run needs, and say what mends what is missing.
    Doctor {
        /// Cards to check [default: those bound to vfio-pci; if there are none, all that Gannet has a driver for].
        #[arg(value_name = "ADDRESS")]
        addresses: Vec<PciAddress>,
    },
    /// Take cards from the kernel's drivers and give them to vfio-pci.
    Bind {
        /// Cards, as in 0000:01:00.0 or 01:00.0.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<PciAddress>,
        /// Take even a card that the machine's network needs.
        #[arg(long)]
        force: bool,
    },
    /// Take devices from their drivers and leave them without one (for those that share an IOMMU group with a card).
    Unbind {
        /// Devices, as in 0000:01:00.0 or 01:00.0.
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<PciAddress>,
        /// Take even a card that the machine's network needs, or a device that is no network card: it may be the machine's disk.
        #[arg(long)]
        force: bool,
    },
    /// Give cards back to the drivers that `bind` and `unbind` took them from.
    Restore {
        /// Cards, as in 0000:01:00.0 or 01:00.0 [default: all that were taken].
        #[arg(value_name = "ADDRESS")]
        addresses: Vec<PciAddress>,
    },
    /// Show a card's registers, whoever uses it. Registers that a look would change are left out.
    Regs {
        /// A card, as in 0000:01:00.0, or sim:ixgbe for a software 82599.
        card: Card,
        #[arg(
            value_name = "NAME",
            help = "Registers, as in STATUS, RDT or RDT[3], or beginnings of their names, as in RD [default: all]"
        )]
        names: Vec<String>,
    },
    /// Show what the kernel's driver of a card has counted.
    Stats {
        /// A card, as in 0000:01:00.0 or 01:00.0.
        address: PciAddress,
    },
    /// Write to a file of the kernel, and exit with the number of the error: nicctl starts itself so, where the kernel may keep a writer.
    #[command(name = driver_switch::KERNEL_WRITE, hide = true)]
    KernelWrite { file: PathBuf, text: String },
}

/// Whether a card is taken that the machine may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caution {
    /// It is not.
    Refuse,
    /// The user knows better.
    Force,
}

impl From<&bool> for Caution {
    fn from(force: &bool) -> Caution {
        if *force { Caution::Force } else { Caution::Refuse }
    }
}

/// A card whose registers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    /// One of the machine.
    Pci(PciAddress),
    /// A software 82599, as after power-up.
    SimIxgbe,
}

impl FromStr for Card {
    type Err = gannet_bus::Error;

    fn from_str(text: &str) -> Result<Card, gannet_bus::Error> {
        if text == "sim:ixgbe" { Ok(Card::SimIxgbe) } else { text.parse().map(Card::Pci) }
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Card::Pci(address) => address.fmt(f),
            Card::SimIxgbe => f.pad("sim:ixgbe"),
        }
    }
}
