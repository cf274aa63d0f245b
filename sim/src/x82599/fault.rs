//! How a card can misbehave.

/// A fault of the card. `every` counts frames: 1 is all of them, 3 every third; 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Received frames claim to be longer than their buffer.
    LengthBeyondBuffer {
        /// Which frames.
        every: u32,
    },
    /// The last descriptor of received frames lacks EOP.
    NoEndOfPacket {
        /// Which frames.
        every: u32,
    },
    /// The descriptor of a received frame is written only after that of the next frame.
    DoneOutOfOrder {
        /// Which frames.
        every: u32,
    },
    /// Descriptors of received frames hold noise, with DD set.
    GarbageStatus {
        /// Which frames.
        every: u32,
    },
    /// Transmitted packets are never reported as done.
    NeverDone {
        /// Which packets.
        every: u32,
    },
    /// Transmitted packets are reported as done one step before their data is read.
    EarlyDone {
        /// Which packets.
        every: u32,
    },
    /// The link stays down.
    LinkNeverUp,
    /// The card left the bus: reads are all ones, DMA stops.
    Gone,
    /// The machine wants the card back; it works on.
    Wanted,
    /// CTRL.RST never clears.
    StuckReset,
    /// A queue's enable bit never reads 0 again.
    StuckQueueDisable,
    /// The EEPROM's checksum is wrong.
    BadEeprom,
}

/// Every nth of something.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Every {
    period: u32,
    seen: u32,
}

impl Every {
    fn start(period: u32) -> Every {
        Every { period: period.max(1), seen: 0 }
    }

    /// Counts one; whether it is the nth.
    #[inline(always)]
    pub(super) fn hits(&mut self) -> bool {
        if self.period == 0 {
            return false;
        }
        self.seen += 1;
        if self.seen < self.period {
            return false;
        }
        self.seen = 0;
        true
    }
}

/// The faults that are on.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Any of them: all that the data path looks at while it is well.
    pub(super) any: bool,
    pub(super) length_beyond_buffer: Every,
    pub(super) no_end_of_packet: Every,
    pub(super) done_out_of_order: Every,
    pub(super) garbage_status: Every,
    pub(super) never_done: Every,
    pub(super) early_done: Every,
    pub(super) link_never_up: bool,
    pub(super) gone: bool,
    pub(super) wanted: bool,
    pub(super) stuck_reset: bool,
    pub(super) stuck_queue_disable: bool,
    pub(super) bad_eeprom: bool,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.any = true;
        match fault {
            Fault::LengthBeyondBuffer { every } => self.length_beyond_buffer = Every::start(every),
            Fault::NoEndOfPacket { every } => self.no_end_of_packet = Every::start(every),
            Fault::DoneOutOfOrder { every } => self.done_out_of_order = Every::start(every),
            Fault::GarbageStatus { every } => self.garbage_status = Every::start(every),
            Fault::NeverDone { every } => self.never_done = Every::start(every),
            Fault::EarlyDone { every } => self.early_done = Every::start(every),
            Fault::LinkNeverUp => self.link_never_up = true,
            Fault::Gone => self.gone = true,
            Fault::Wanted => self.wanted = true,
            Fault::StuckReset => self.stuck_reset = true,
            Fault::StuckQueueDisable => self.stuck_queue_disable = true,
            Fault::BadEeprom => self.bad_eeprom = true,
        }
    }
}
