//! The chips of the family: PCI device ids, and what differs between them. Names of cards are the drivers' business.

/// A chip of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chip {
    /// 82576, two ports.
    I82576,
    /// I350, two or four ports.
    I350,
    /// I210, one port.
    I210,
    /// I211, an I210 without manageability and with fewer queues.
    I211,
}

/// Where IVAR holds a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IvarPlace {
    /// Index in [`super::regs::IVAR`].
    pub register: u32,
    /// Lowest bit of the vector's byte in it.
    pub shift: u32,
}

impl Chip {
    /// The chip behind a PCI device id of Intel's, if it is that of a copper board of the family (physical functions only).
    pub const fn of(device: u16) -> Option<Chip> {
        match device {
            0x10C9 | 0x10E8 | 0x150A | 0x1526 => Some(Chip::I82576),
            0x1521 | 0x1546 => Some(Chip::I350),
            0x1533..=0x1535 | 0x157B => Some(Chip::I210),
            0x1539 => Some(Chip::I211),
            _ => None,
        }
    }

    /// Queues of each direction.
    pub const fn queues(self) -> u32 {
        match self {
            Chip::I82576 => 16,
            Chip::I350 => 8,
            Chip::I210 => 4,
            Chip::I211 => 2,
        }
    }

    /// Entries of the receive address table, [`super::regs::RAL`] and [`super::regs::RAH`].
    pub const fn receive_addresses(self) -> u32 {
        match self {
            Chip::I82576 => 24,
            Chip::I350 => 32,
            Chip::I210 | Chip::I211 => 16,
        }
    }

    /// Where the vector of receive queue `queue` is. The 82576 lays its queues out in columns, the others two a register.
    /// The byte after it is the transmit queue's.
    pub const fn rx_vector(self, queue: u32) -> IvarPlace {
        match self {
            Chip::I82576 => IvarPlace { register: queue & 7, shift: 16 * (queue >> 3) },
            Chip::I350 | Chip::I210 | Chip::I211 => IvarPlace { register: queue >> 1, shift: 16 * (queue & 1) },
        }
    }

    /// KiB of the receive packet buffer that a value of [`super::regs::RXPBS`] stands for, or `None` if the chip does not define it.
    pub const fn rx_buffer_kib(self, rxpbs: u32) -> Option<u32> {
        match self {
            Chip::I82576 => Some(rxpbs & 0x7F),
            // A code, not a size.
            Chip::I350 => {
                const KIB: [u32; 11] = [36, 72, 144, 1, 2, 4, 8, 16, 35, 70, 140];
                let code = (rxpbs & 0xF) as usize;
                if code < KIB.len() { Some(KIB[code]) } else { None }
            }
            Chip::I210 | Chip::I211 => Some(rxpbs & 0x3F),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::regs::{EITR, IVAR, RAL, RDT};
    use super::*;

    const CHIPS: [Chip; 4] = [Chip::I82576, Chip::I350, Chip::I210, Chip::I211];

    #[test]
    fn ids_of_other_families_and_media_are_none() {
        assert_eq!(Chip::of(0x10C9), Some(Chip::I82576));
        // 82599, 82574L, the virtual functions of 82576 and I350, 82580, a fibre I350, an I210 with SerDes.
        for other in [0x10FB, 0x10D3, 0x10CA, 0x1520, 0x150E, 0x1522, 0x1537] {
            assert_eq!(Chip::of(other), None, "{other:#06x}");
        }
    }

    #[test]
    fn every_queue_has_registers_and_a_vector_of_its_own() {
        for chip in CHIPS {
            assert!(chip.queues() <= RDT.count() && chip.receive_addresses() <= RAL.count());
            assert!(chip.queues() < EITR.count());
            let places: Vec<_> = (0..chip.queues()).map(|queue| chip.rx_vector(queue)).collect();
            for (index, place) in places.iter().enumerate() {
                assert!(place.register < IVAR.count() && place.shift <= 16, "{chip:?} {place:?}");
                assert!(!places[index + 1..].contains(place), "{chip:?} {place:?}");
            }
        }
        assert_eq!(Chip::I82576.rx_vector(9), IvarPlace { register: 1, shift: 16 });
        assert_eq!(Chip::I350.rx_vector(3), IvarPlace { register: 1, shift: 16 });
    }

    #[test]
    fn packet_buffer_sizes_after_power_up() {
        assert_eq!(Chip::I82576.rx_buffer_kib(0x40), Some(64));
        assert_eq!(Chip::I350.rx_buffer_kib(0), Some(36));
        assert_eq!(Chip::I350.rx_buffer_kib(0xB), None);
        assert_eq!(Chip::I210.rx_buffer_kib(0xA2), Some(34));
    }
}
