//! Registers (10.2). Offsets in the 128 KiB register BAR; all are 32 bits wide.

mod general;
mod interrupts;
mod receive;
mod transmit;

pub use general::*;
pub use interrupts::*;
pub use receive::*;
pub use transmit::*;

pub use crate::gigabit::*;

use super::QUEUES;
use crate::RegArray;

/// A register of each queue; those of queue 1 lie 0x100 above.
const fn queue<A, V>(base: u32) -> RegArray<A, V> {
    RegArray::new(base, 0x100, QUEUES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that a card shows after its reset.
    #[test]
    fn reset_values_decode() {
        let ctrl = Ctrl::from(0x0014_0241);
        assert!(ctrl.full_duplex() && ctrl.set_link_up() && !ctrl.reset() && !ctrl.vlan_strip());
        assert_eq!(ctrl.speed(), 2);
        let status = Status::from(0x0008_0283);
        assert!(status.link_up() && status.full_duplex() && status.master_enabled());
        assert_eq!(status.speed(), 2);
        let eecd = Eecd::from(0x0300);
        assert!(eecd.present() && eecd.auto_read_done());
        let pba = Pba::from(0x0014_0014);
        assert_eq!((pba.rx_kib(), pba.tx_kib()), (20, 20));
        let tipg = Tipg::from(0x0060_2008);
        assert_eq!((tipg.back_to_back(), tipg.after_receive_1(), tipg.after_receive_2()), (8, 8, 6));
        assert!(Tarc::from(0x403).enable());
        let rxcsum = Rxcsum::from(0x300);
        assert!(rxcsum.ip() && rxcsum.l4());
    }

    /// Values that are known to work.
    #[test]
    fn working_values_encode() {
        let tctl =
            Tctl::new().with_enable(true).with_pad(true).with_collision_threshold(15).with_collision_distance(63);
        assert_eq!(u32::from(tctl.with_late_collision_retry(true)), 0x0103_F0FA);
        let txdctl = Txdctl::new().with_prefetch(31).with_host(1).with_write_back(1).with_in_descriptors(true);
        assert_eq!(u32::from(txdctl.with_reserved_one(true)), 0x0141_011F);
        let rxdctl = Rxdctl::new().with_prefetch(32).with_host(4).with_write_back(4).with_in_descriptors(true);
        assert_eq!(u32::from(rxdctl), 0x0104_0420);
        let gcr = Gcr::new().with_reserved_one(true).with_l1_without_l0s(true);
        assert_eq!(u32::from(gcr), 1 << 22 | 1 << 27);
    }
}
