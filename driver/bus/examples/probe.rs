//! Opens cards through VFIO and tries all that the bus does, without a driver: `probe 0000:01:00.0 [0000:02:00.0 ...]`.
//!
//! It knows a few registers of the 82574 and the 82576, enough to make them interrupt and to make them reach for memory that is not theirs.
//! With `--hold` first it waits until the machine wants one of the cards back (unbind it), and ends.

use std::error::Error;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gannet_bus::pci::{self, BusMaster};
use gannet_bus::vfio::{Bar, VfioContainer, VfioDevice};
use gannet_bus::{Condition, Device, DmaFault, Registers};
use gannet_mempool::dma::DmaMapping;
use gannet_mempool::region::{Region, RegionOptions};
use nix::sys::eventfd::{EfdFlags, EventFd};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Register CTRL of all controllers of the family; bit 26: reset.
const CTRL: u32 = 0x0000;

/// Register STATUS of all controllers of the family.
const STATUS: u32 = 0x0008;

/// Register of both whose value nobody but the driver changes: base address of receive ring 0.
const RDBAL: u32 = 0x2800;

/// An address that nothing is mapped at.
const NOBODYS: u32 = 0xDEAD_0000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("probe: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (hold, cards) = match arguments.split_first() {
        Some((first, rest)) if first == "--hold" => (true, rest),
        _ => (false, &arguments[..]),
    };
    if cards.is_empty() {
        return Err("probe [--hold] ADDRESS ...: which cards?".into());
    }
    let open = |address: &String| Ok(VfioDevice::open(address.parse()?)?);
    let devices = cards.iter().map(open).collect::<Result<Vec<VfioDevice>>>()?;
    if hold {
        return wait_for_request(&devices);
    }
    let container = VfioContainer::shared();
    println!("IOVA ranges {:x?}, {:?} mappings left", container.iova_ranges(), container.mappings_left());
    share_region(&devices)?;
    println!("{:?} mappings left", container.mappings_left());
    for device in &devices {
        probe(device)?;
    }
    reopen(devices, cards)?;
    println!("probe: all is well");
    Ok(())
}

/// Maps one region for all devices: once, that is, at one address.
fn share_region(devices: &[VfioDevice]) -> Result<()> {
    let region = Region::new(4 << 20, RegionOptions::default())?;
    let map = |device: &VfioDevice| DmaMapping::new(device.dma(), region.clone());
    let mappings = devices.iter().map(map).collect::<std::result::Result<Vec<_>, _>>()?;
    println!("{region:?} for {} devices, {:?}", devices.len(), devices[0].dma());
    check("the devices share a mapping", mappings.iter().all(|mapping| mapping.iova() == mappings[0].iova()))?;
    drop(mappings);
    check("nobody else has the region now", Arc::strong_count(&region) == 1)
}

fn probe(device: &VfioDevice) -> Result<()> {
    let id = device.id()?;
    let bar = device.bar(0)?;
    println!("{}: {:04x}:{:04x} revision {}", device.name(), id.vendor, id.device, id.revision);
    println!("  node {:?}, BAR 0 {bar:x?}, BAR 3 {:x?}", device.numa_node(), device.bar(3)?);
    println!("  STATUS {:#010x}, {} vectors, {:?}", bar.read(STATUS), device.interrupts(), device.condition());
    check("beyond the BAR is all ones", bar.read(0xFFFF_FFF0) == u32::MAX)?;
    check("there is no BAR 5", device.bar(5).is_err())?;
    check("configuration space ends", device.config_read(4096, &mut [0]).is_err())?;
    check("memory space stays on", device.config_write(pci::COMMAND, &[0, 0]).is_err())?;
    bar.write(RDBAL, 0x1234_5000);
    check("a register keeps its value", bar.read(RDBAL) == 0x1234_5000)?;
    let reset = device.reset();
    // The 82574 has no function-level reset, and QEMU's model keeps its registers through what the kernel does in its place.
    println!("  reset {reset:?}, register then {:#x}", bar.read(RDBAL));
    bar.write(CTRL, bar.read(CTRL) | 1 << 26);
    let reset = within(Duration::from_millis(100), || (bar.read(RDBAL) == 0).then_some(()));
    check("the card resets itself", reset.is_some())?;
    interrupt(device, &bar)?;
    fault(device, &bar)?;
    check("the device is there", device.condition() == Condition::Present)
}

/// Connects vectors and makes the card use one.
fn interrupt(device: &VfioDevice, bar: &Bar) -> Result<()> {
    let signal = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let too_many = vec![signal.as_fd(); usize::from(device.interrupts()) + 1];
    check("no more signals than vectors", device.connect_interrupts(&too_many).is_err())?;
    device.connect_interrupts(&[signal.as_fd()])?;
    device.connect_interrupts(&[signal.as_fd(), signal.as_fd()])?;
    // An interrupt is a write to memory.
    pci::set_bus_master(device, BusMaster::On)?;
    let is_82574 = device.id()?.device == 0x10D3;
    let provoke = || {
        let registers = match is_82574 {
            // IVAR, OTHER to vector 0; CTRL_EXT, pending bits cleared; IMS and ICS, OTHER.
            true => [(0x00E4, 8 << 16), (0x0018, 1 << 31), (0x00D0, 1 << 24), (0x00C8, 1 << 24)],
            // GPIE, MSI-X mode; IVAR_MISC, other causes to vector 0; EIMS and EICS, vector 0.
            false => [(0x1514, 1 << 31 | 1 << 4), (0x1740, 0x8000), (0x1524, 1), (0x1520, 1)],
        };
        registers.into_iter().for_each(|(offset, value)| bar.write(offset, value));
    };
    provoke();
    let came = within(Duration::from_secs(2), || signal.read().ok());
    println!("  interrupts: {came:?}");
    check("an interrupt came", came.is_some())?;
    device.connect_interrupts(&[])?;
    // What came before does not count.
    let _ = signal.read();
    provoke();
    check("none comes when disconnected", within(Duration::from_millis(100), || signal.read().ok()).is_none())
}

/// Sends from a ring at an address that nothing is mapped at.
fn fault(device: &VfioDevice, bar: &Bar) -> Result<()> {
    /// Transmit ring 0 (the 82576 knows these offsets too): address, length, head, tail.
    const TDBAL: u32 = 0x3800;
    const TXDCTL: u32 = 0x3828;
    const TCTL: u32 = 0x0400;
    check("no fault so far", device.dma_faults().is_empty())?;
    for (offset, value) in [(0, NOBODYS), (4, 0), (8, 128), (0x10, 0)] {
        bar.write(TDBAL + offset, value);
    }
    bar.write(TXDCTL, bar.read(TXDCTL) | 1 << 25);
    bar.write(TCTL, bar.read(TCTL) | 1 << 1);
    bar.write(TDBAL + 0x18, 1);
    let faults = within(Duration::from_secs(1), || Some(device.dma_faults()).filter(|faults| !faults.is_empty()));
    bar.write(TCTL, 0);
    pci::set_bus_master(device, BusMaster::Off)?;
    match faults {
        Some(faults) => {
            println!("  {:?}", faults.iter().map(DmaFault::to_string).collect::<Vec<_>>());
            let ours = |fault: &DmaFault| fault.iova.0 & !0xFFF == u64::from(NOBODYS);
            check("the refused address is the ring's", faults.iter().all(ours))
        }
        // Without permission to read the log, or when the kernel has logged too many.
        None => {
            println!("  the kernel's log tells of no refused access");
            Ok(())
        }
    }
}

/// A BAR keeps its card open; memory stays mapped, or is mapped again, while cards come and go.
fn reopen(devices: Vec<VfioDevice>, cards: &[String]) -> Result<()> {
    let region = Region::new(2 << 20, RegionOptions::default())?;
    let mapping = DmaMapping::new(devices[0].dma(), region.clone())?;
    let bar = devices[0].bar(0)?;
    drop(devices);
    check("registers answer as long as there is a handle", bar.read(STATUS) != u32::MAX)?;
    drop(bar);
    check(
        "no card, no mapping",
        DmaMapping::new(VfioContainer::shared(), Region::new(1, RegionOptions::default())?).is_err(),
    )?;
    let device = VfioDevice::open(cards[0].parse()?)?;
    let again = DmaMapping::new(device.dma(), region)?;
    check("memory has kept its address", again.iova() == mapping.iova())?;
    let bar = device.bar(0)?;
    let twice = VfioDevice::open(cards[0].parse()?).err().ok_or("not so: a card is opened once")?;
    println!("opened twice: {twice}");
    check("registers answer after that", bar.read(STATUS) != u32::MAX)?;
    let mut command = [0];
    device.config_read(pci::COMMAND, &mut command)?;
    check("DMA is off after opening", u16::from(command[0]) & pci::COMMAND_BUS_MASTER == 0)?;
    check("memory space is on", u16::from(command[0]) & pci::COMMAND_MEMORY != 0)
}

fn wait_for_request(devices: &[VfioDevice]) -> Result<()> {
    println!("holding {} cards", devices.len());
    let wanted = || devices.iter().find(|device| device.condition() != Condition::Present);
    let device = within(Duration::from_secs(60), wanted).ok_or("nobody wants a card back")?;
    println!("{}: {:?}", device.name(), device.condition());
    Ok(())
}

/// Asks until there is an answer, but not for ever.
fn within<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + time;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn check(what: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}
