//! Registers (8.1 to 8.18). Offsets in the 128 KiB register BAR; all are 32 bits wide.

mod general;
mod interrupts;
mod receive;
mod transmit;

pub use general::*;
pub use interrupts::*;
pub use receive::*;
pub use transmit::*;

pub use crate::gigabit::*;

use crate::{RegArray, Window};

const fn array<A, V>(base: u32, stride: u32, count: u32) -> RegArray<A, V> {
    RegArray::new(base, stride, count)
}

/// A register of each queue: queues 0-3 0x100 bytes each from `low`, where older chips have them, 4-15 0x40 bytes each from `high` + 0x100
/// (8.10, 8.12).
const fn queue<A, V>(low: u32, high: u32) -> RegArray<A, V> {
    RegArray::split(
        Window { base: low, stride: 0x100, count: 4 },
        Window { base: high + 4 * 0x40, stride: 0x40, count: 12 },
    )
}

const fn rx_queue<A, V>(offset: u32) -> RegArray<A, V> {
    queue(0x2800 + offset, 0xC000 + offset)
}

const fn tx_queue<A, V>(offset: u32) -> RegArray<A, V> {
    queue(0x3800 + offset, 0xE000 + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_lie_in_two_windows() {
        assert_eq!([0, 3, 4, 15].map(|n| RDT.get(n).offset()), [0x2818, 0x2B18, 0xC118, 0xC3D8]);
        assert_eq!([0, 3, 4, 15].map(|n| TXDCTL.get(n).offset()), [0x3828, 0x3B28, 0xE128, 0xE3E8]);
        assert_eq!([0, 15, 16, 23].map(|n| RAL.get(n).offset()), [0x5400, 0x5478, 0x54E0, 0x5518]);
    }

    /// What the registers hold after a reset, as QEMU's model has it.
    #[test]
    fn values_after_reset_decode() {
        let ctrl = Ctrl::from(0x0010_0209);
        assert!(ctrl.full_duplex() && ctrl.speed() == 2 && !ctrl.reset());
        let tctl = Tctl::from(0xA404_00F8);
        assert_eq!((tctl.enable(), tctl.pad_short(), tctl.collision_threshold()), (false, true, 15));
        let tipg = Tipg::from(0x0060_1008);
        assert_eq!((tipg.back_to_back(), tipg.part_1(), tipg.part_2()), (8, 4, 6));
        assert_eq!(Rxdctl::new().with_write_back(1).with_enable(true).into_bits(), 0x0201_0000);
        assert!(Rxcsum::from(0x300).ip_check() && Rxcsum::from(0x300).l4_check());
        assert!(Eecd::from(0x1110).present() && !Eecd::from(0x1110).auto_read_done());
        assert_eq!(Eitr::new().with_interval_us(100).into_bits(), 400);
    }
}
