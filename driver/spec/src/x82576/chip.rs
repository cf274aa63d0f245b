//! The chips of the family: PCI ids, and what differs between them.

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

/// A PCI device of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// PCI device id; the vendor is [`crate::INTEL`].
    pub id: u16,
    /// Its chip.
    pub chip: Chip,
    /// In words.
    pub name: &'static str,
}

/// All physical functions of the family.
pub const DEVICES: &[Device] = &[
    device(0x10C9, Chip::I82576, "Intel 82576 gigabit"),
    device(0x10E6, Chip::I82576, "Intel 82576 gigabit, fibre"),
    device(0x10E7, Chip::I82576, "Intel 82576 gigabit, SerDes"),
    device(0x10E8, Chip::I82576, "Intel 82576 gigabit, four ports"),
    device(0x150A, Chip::I82576, "Intel 82576NS gigabit"),
    device(0x150D, Chip::I82576, "Intel 82576 gigabit, four ports, SerDes"),
    device(0x1518, Chip::I82576, "Intel 82576NS gigabit, SerDes"),
    device(0x1526, Chip::I82576, "Intel 82576 gigabit ET2, four ports"),
    device(0x1521, Chip::I350, "Intel I350 gigabit"),
    device(0x1522, Chip::I350, "Intel I350 gigabit, fibre"),
    device(0x1523, Chip::I350, "Intel I350 gigabit, SerDes"),
    device(0x1524, Chip::I350, "Intel I350 gigabit, SGMII"),
    device(0x1546, Chip::I350, "Intel I350 gigabit, DA4"),
    device(0x1533, Chip::I210, "Intel I210 gigabit"),
    device(0x1534, Chip::I210, "Intel I210 gigabit, OEM"),
    device(0x1535, Chip::I210, "Intel I210 gigabit, IT"),
    device(0x1536, Chip::I210, "Intel I210 gigabit, fibre"),
    device(0x1537, Chip::I210, "Intel I210 gigabit, SerDes"),
    device(0x1538, Chip::I210, "Intel I210 gigabit, SGMII"),
    device(0x157B, Chip::I210, "Intel I210 gigabit, without flash"),
    device(0x157C, Chip::I210, "Intel I210 gigabit, SerDes, without flash"),
    device(0x15F6, Chip::I210, "Intel I210 gigabit, SGMII, without flash"),
    device(0x1539, Chip::I211, "Intel I211 gigabit"),
];

const fn device(id: u16, chip: Chip, name: &'static str) -> Device {
    Device { id, chip, name }
}

impl Device {
    /// The device with PCI device id `id`, if it is of the family.
    pub fn find(id: u16) -> Option<&'static Device> {
        DEVICES.iter().find(|device| device.id == id)
    }
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
    fn every_id_is_listed_once() {
        for (index, device) in DEVICES.iter().enumerate() {
            assert!(DEVICES[index + 1..].iter().all(|other| other.id != device.id), "{:#06x}", device.id);
        }
        assert_eq!(Device::find(0x10C9).map(|device| device.chip), Some(Chip::I82576));
        assert_eq!(Device::find(0x10FB), None);
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
