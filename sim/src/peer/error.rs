//! What can go wrong when a cable is plugged, with the remedy.

use std::io;
use std::path::PathBuf;

/// Why a peer could not be built, or why it stopped working.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that the peer cannot work with.
    #[error("{option}={value}: {expected}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// The value it was given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },

    /// The capture file to play could not be opened or read.
    #[error("cannot read capture {}: {source}; check the path and that this user may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The file to play is not a capture.
    #[error("{} is not a pcap or pcapng capture: {why}", path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// What it is instead, with the remedy if there is one.
        why: String,
    },

    /// The capture is cut short or damaged.
    #[error(
        "capture {} is cut short or damaged after {frames} frames: {why}; these frames were good, capture the rest again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Frames read before the damage.
        frames: u64,
        /// What is wrong with the next record.
        why: String,
    },

    /// The frames of the capture are not Ethernet frames.
    #[error(
        "capture {} holds frames of link type {link_type}, a card takes ETHERNET only: capture on an Ethernet interface \
         instead (not on \"any\", a tunnel or a wireless monitor)",
        path.display()
    )]
    LinkType {
        /// The file.
        path: PathBuf,
        /// Name of the link type in the tcpdump.org registry, or its number.
        link_type: String,
    },

    /// The capture file to record could not be created.
    #[error("cannot create capture {}: {source}; check that its folder exists and that this user may write there", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The same file is to be played and recorded.
    #[error("{} is to be played and recorded at once: recording would erase it, give another file", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },

    /// Recording stopped.
    #[error("recording to {} stopped, {lost} frames are not in it: {why}; make room on its disk", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Frames given to the file that may not be in it.
        lost: u64,
        /// What went wrong.
        why: String,
    },

    /// The user may not open the TAP interface.
    #[error(
        "TAP interface {name}: {action}: {source}; needs CAP_NET_ADMIN (run as root, or `sudo setcap cap_net_admin+ep PROGRAM`, \
         or `sudo ip tuntap add dev {name} mode tap user $USER && sudo ip link set dev {name} up`)"
    )]
    TapPermission {
        /// Name of the interface.
        name: String,
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },

    /// The TAP interface could not be opened or set up.
    #[error("TAP interface {name}: {action}: {source}; {remedy}")]
    Tap {
        /// Name of the interface.
        name: String,
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        remedy: &'static str,
    },

    /// Both ends of a cable between programs are plugged.
    #[error("wire {}: two ports are plugged in already: stop the program of one, or give another path", path.display())]
    WireTaken {
        /// Where its ends meet.
        path: PathBuf,
    },

    /// The place where the ends of a cable between programs meet cannot be used.
    #[error("wire {}: {action}: {source}; {remedy}", path.display())]
    Wire {
        /// Where its ends meet.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        remedy: &'static str,
    },
}

/// An error and its causes in one line: the capture library keeps the cause out of its messages.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
