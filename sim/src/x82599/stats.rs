//! Statistics: cleared by reading (datasheet 8.2.3.23).

use super::registers::Register;

/// A 36-bit counter in two registers. Reading the low half takes the whole count and keeps its high bits for the high half.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Wide {
    pub(super) count: u64,
    high: u32,
}

impl Wide {
    fn low(&mut self) -> u32 {
        let count = std::mem::take(&mut self.count);
        self.high = (count >> 32) as u32 & 0xF;
        count as u32
    }

    fn high(&mut self) -> u32 {
        std::mem::take(&mut self.high)
    }
}

/// Counters of one of the 16 sets that queues are mapped to.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Set {
    pub(super) rx_frames: u64,
    pub(super) rx_bytes: Wide,
    pub(super) rx_dropped: u64,
    pub(super) tx_frames: u64,
    pub(super) tx_bytes: Wide,
}

/// All of them. Byte counts include the FCS.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    pub(super) crc_errors: u64,
    pub(super) undersize: u64,
    pub(super) fragments: u64,
    pub(super) oversize: u64,
    pub(super) jabber: u64,
    pub(super) missed: u64,
    pub(super) rx_sizes: [u64; 6],
    pub(super) rx_good: u64,
    pub(super) rx_broadcast: u64,
    pub(super) rx_multicast: u64,
    pub(super) rx_good_bytes: Wide,
    pub(super) rx_total: u64,
    pub(super) rx_total_bytes: Wide,
    pub(super) checksum_errors: u64,
    pub(super) tx_sizes: [u64; 6],
    pub(super) tx_good: u64,
    pub(super) tx_total: u64,
    pub(super) tx_broadcast: u64,
    pub(super) tx_multicast: u64,
    pub(super) tx_good_bytes: Wide,
    pub(super) sets: [Set; 16],
}

/// Size class of a frame of `bytes` with FCS: 64, -127, -255, -511, -1023, more.
#[inline(always)]
pub(super) fn size_class(bytes: usize) -> usize {
    match bytes {
        0..=64 => 0,
        65..=127 => 1,
        128..=255 => 2,
        256..=511 => 3,
        512..=1023 => 4,
        _ => 5,
    }
}

fn take(counter: &mut u64) -> u32 {
    // A full counter sticks at its maximum.
    u32::try_from(std::mem::take(counter)).unwrap_or(u32::MAX)
}

impl Statistics {
    /// Reads and clears a statistics register.
    pub(super) fn read(&mut self, register: Register) -> u32 {
        match register {
            Register::Crcerrs => take(&mut self.crc_errors),
            Register::Ruc => take(&mut self.undersize),
            Register::Rfc => take(&mut self.fragments),
            Register::Roc => take(&mut self.oversize),
            Register::Rjc => take(&mut self.jabber),
            // Without DCB there is one packet buffer.
            Register::Mpc(0) => take(&mut self.missed),
            Register::Prc(class) => take(&mut self.rx_sizes[usize::from(class)]),
            Register::Gprc => take(&mut self.rx_good),
            Register::Bprc => take(&mut self.rx_broadcast),
            Register::Mprc => take(&mut self.rx_multicast),
            Register::Gorcl => self.rx_good_bytes.low(),
            Register::Gorch => self.rx_good_bytes.high(),
            Register::Tpr => take(&mut self.rx_total),
            Register::Torl => self.rx_total_bytes.low(),
            Register::Torh => self.rx_total_bytes.high(),
            Register::Xec => take(&mut self.checksum_errors),
            Register::Ptc(class) => take(&mut self.tx_sizes[usize::from(class)]),
            Register::Gptc => take(&mut self.tx_good),
            Register::Tpt => take(&mut self.tx_total),
            Register::Bptc => take(&mut self.tx_broadcast),
            Register::Mptc => take(&mut self.tx_multicast),
            Register::Gotcl => self.tx_good_bytes.low(),
            Register::Gotch => self.tx_good_bytes.high(),
            Register::Qprc(set) => take(&mut self.sets[usize::from(set)].rx_frames),
            Register::QbrcL(set) => self.sets[usize::from(set)].rx_bytes.low(),
            Register::QbrcH(set) => self.sets[usize::from(set)].rx_bytes.high(),
            Register::Qprdc(set) => take(&mut self.sets[usize::from(set)].rx_dropped),
            Register::Qptc(set) => take(&mut self.sets[usize::from(set)].tx_frames),
            Register::QbtcL(set) => self.sets[usize::from(set)].tx_bytes.low(),
            Register::QbtcH(set) => self.sets[usize::from(set)].tx_bytes.high(),
            // Nothing in the model can cause the others: no symbol errors, faults of the line, pause frames, other buffers.
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_counter_is_taken_as_one_value() {
        let mut stats = Statistics::default();
        stats.rx_good_bytes.count = 0xA_0000_0001;
        assert_eq!(stats.read(Register::Gorcl), 1);
        stats.rx_good_bytes.count += 7;
        assert_eq!(stats.read(Register::Gorch), 0xA);
        assert_eq!(stats.read(Register::Gorch), 0);
        assert_eq!(stats.read(Register::Gorcl), 7);
    }

    #[test]
    fn a_full_counter_sticks_at_its_maximum() {
        let mut stats = Statistics { rx_good: 1 << 33, ..Statistics::default() };
        assert_eq!(stats.read(Register::Gprc), u32::MAX);
        assert_eq!(stats.read(Register::Gprc), 0);
    }
}
