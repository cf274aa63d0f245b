//! A cable into the host: a TAP interface of Linux is the other end, and the host's own network stack the peer.
//!
//! Non-blocking and in the caller's thread, one system call a frame (and one for each look that finds none). The interface is
//! created, or attached to if it is there, and brought up; an interface created here disappears with the peer.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use super::{Accepted, Error, MAX_FRAME, Offered, Pacing, Peer, PeerStats, add, pad};

/// Ethernet header with one VLAN tag: what a frame has beside the MTU's bytes.
const HEADER: usize = 18;
const MAX_MTU: u16 = (MAX_FRAME - HEADER) as u16;
/// The least that IPv4 works with.
const MIN_MTU: u16 = 68;

/// Which interface, and how it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapOptions {
    /// Name of the interface, at most 15 bytes. A name such as `gan%d` lets the kernel choose the number.
    pub name: String,
    /// Its MTU, 68 to 15854; `None` leaves it as it is (1500 for a new one).
    pub mtu: Option<u16>,
}

impl TapOptions {
    /// The interface `name` with the MTU that it has.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), mtu: None }
    }
}

/// A TAP interface of the host.
pub struct Tap {
    device: SyncDevice,
    name: String,
    /// Room for the longest frame, so that a look need not clear the caller's buffer to that length.
    buffer: Box<[u8]>,
    stats: Arc<PeerStats>,
}

impl Tap {
    /// Opens the interface.
    pub fn new(options: &TapOptions) -> Result<(Self, Arc<PeerStats>), Error> {
        let invalid = |option, value: String, expected| Err(Error::Option { option, value, expected });
        if options.name.is_empty() || options.name.len() > 15 {
            return invalid("tap", options.name.clone(), "needs an interface name of 1 to 15 bytes");
        }
        if let Some(mtu) = options.mtu.filter(|mtu| !(MIN_MTU..=MAX_MTU).contains(mtu)) {
            return invalid("mtu", mtu.to_string(), "needs 68 to 15854 bytes, a card carries no more");
        }
        let failed = |action| move |source| error(&options.name, action, source);
        // As it is: bringing it up needs a privilege that attaching to the user's own interface does not.
        let device = DeviceBuilder::new()
            .name(&options.name)
            .layer(Layer::L2)
            .inherit_enable_state()
            .build_sync()
            .map_err(failed("opening it"))?;
        device.set_nonblocking(true).map_err(failed("making it non-blocking"))?;
        set_mtu(&device, options)?;
        let name = device.name().map_err(failed("reading its name"))?;
        if !is_up(&name) {
            device.enabled(true).map_err(failed("bringing it up"))?;
        }
        let stats = Arc::new(PeerStats::default());
        let tap = Self { device, name, buffer: vec![0; MAX_FRAME].into(), stats: stats.clone() };
        Ok((tap, stats))
    }

    /// Name of the interface.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn set_mtu(device: &SyncDevice, options: &TapOptions) -> Result<(), Error> {
    let failed = |action| move |source| error(&options.name, action, source);
    let current = device.mtu().map_err(failed("reading its MTU"))?;
    let wanted = options.mtu.unwrap_or(current);
    if wanted > MAX_MTU {
        let expected = "the interface's MTU is more than a card carries: give an mtu of 15854 or less";
        return Err(Error::Option { option: "mtu", value: wanted.to_string(), expected });
    }
    if wanted != current {
        device.set_mtu(wanted).map_err(failed("setting its MTU"))?;
    }
    Ok(())
}

/// Whether the interface was brought up. (Not tun-rs's `is_running`: the kernel sets that flag some time after the attach.)
fn is_up(name: &str) -> bool {
    const IFF_UP: u32 = 1;
    let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags")).unwrap_or_default();
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0);
    flags & IFF_UP != 0
}

/// What the operating system's refusal means here.
fn error(name: &str, action: &'static str, source: io::Error) -> Error {
    let remedy = match source.kind() {
        ErrorKind::PermissionDenied => return Error::TapPermission { name: name.into(), action, source },
        ErrorKind::NotFound => "the host has no /dev/net/tun: sudo modprobe tun",
        ErrorKind::ResourceBusy => "another program has it open: stop that one or give another name",
        ErrorKind::InvalidInput => {
            "an interface of this name is no TAP, or was made with other options: give another name"
        }
        _ => "see `ip -d link` for its state",
    };
    Error::Tap { name: name.into(), action, source, remedy }
}

impl Peer for Tap {
    fn accept(&mut self, frame: &[u8], _now: u64) -> Accepted {
        if let Err(error) = self.device.send(frame) {
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
                return Accepted::Busy;
            }
            // Someone took the interface down, or the frame is shorter than a header.
            tracing::debug!(tap = self.name, "frame of {} bytes dropped: {error}", frame.len());
            add(&self.stats.dropped, 1);
        }
        add(&self.stats.accepted, 1);
        Accepted::Taken
    }

    fn offer(&mut self, frame: &mut Vec<u8>, _now: u64) -> Offered {
        frame.clear();
        if self.stats.stop.load(Ordering::Relaxed) {
            return Offered::Nothing;
        }
        // No frame, or the interface is down or gone: there may be one later.
        let Some(bytes) = self.device.recv(&mut self.buffer).ok().and_then(|length| self.buffer.get(..length)) else {
            return Offered::Nothing;
        };
        frame.extend_from_slice(bytes);
        pad(frame);
        add(&self.stats.offered, 1);
        Offered::Frame
    }

    fn pacing(&self) -> Pacing {
        Pacing::OnDemand
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("name", &self.name).field("stats", &self.stats).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
