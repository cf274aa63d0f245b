//! A driver's worst mistake: descriptors that point outside of what is mapped. The IOMMU must stop the card, and the program must learn of it.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use gannet::{Burst, Control, DmaAccess, Pool, PoolOptions, Port, PortConfig};
use gannet_apps::port_name::{PortKind, PortName};
use gannet_bus::pci::PciId;
use gannet_bus::vfio::{Bar, VfioDevice};
use gannet_bus::{Condition, Device, DmaFault};
use gannet_mempool::dma::{DmaMapper, Iova};
use gannet_mempool::region::Region;

use crate::bench::{End, PATIENCE, send};
use crate::frames::numbered;

/// How far addresses are off: far from all that is mapped.
const ASTRAY: u64 = 1 << 36;

/// What all free memory holds.
const PATTERN: u8 = 0xA5;

/// A card whose driver is told wrong addresses for one pool.
struct Misled {
    inner: VfioDevice,
    region: Arc<Region>,
}

#[derive(Debug)]
struct Misleading {
    inner: Arc<dyn DmaMapper>,
    region: Arc<Region>,
}

impl DmaMapper for Misleading {
    fn map(&self, region: &Arc<Region>) -> gannet_mempool::Result<Iova> {
        let iova = self.inner.map(region)?;
        Ok(if Arc::ptr_eq(region, &self.region) { Iova(iova.0 ^ ASTRAY) } else { iova })
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        let iova = if std::ptr::eq(region, &*self.region) { Iova(iova.0 ^ ASTRAY) } else { iova };
        self.inner.unmap(iova, region);
    }
}

impl Device for Misled {
    type Bar = Bar;

    fn name(&self) -> &str {
        self.inner.name()
    }
    fn id(&self) -> gannet_bus::Result<PciId> {
        self.inner.id()
    }
    fn numa_node(&self) -> Option<u32> {
        self.inner.numa_node()
    }
    fn bar(&self, index: u8) -> gannet_bus::Result<Bar> {
        self.inner.bar(index)
    }
    fn config_read(&self, offset: u16, bytes: &mut [u8]) -> gannet_bus::Result<()> {
        self.inner.config_read(offset, bytes)
    }
    fn config_write(&self, offset: u16, bytes: &[u8]) -> gannet_bus::Result<()> {
        self.inner.config_write(offset, bytes)
    }
    fn dma(&self) -> Arc<dyn DmaMapper> {
        Arc::new(Misleading { inner: self.inner.dma(), region: self.region.clone() })
    }
    fn interrupts(&self) -> u16 {
        self.inner.interrupts()
    }
    fn connect_interrupts(&self, signals: &[BorrowedFd<'_>]) -> gannet_bus::Result<()> {
        self.inner.connect_interrupts(signals)
    }
    fn reset(&self) -> gannet_bus::Result<()> {
        self.inner.reset()
    }
    fn condition(&self) -> Condition {
        self.inner.condition()
    }
    fn dma_faults(&self) -> Vec<DmaFault> {
        self.inner.dma_faults()
    }
    fn delay(&self, time: Duration) {
        self.inner.delay(time);
    }
}

fn open(name: &PortName) -> anyhow::Result<VfioDevice> {
    match name.kind {
        PortKind::Pci(address) => Ok(VfioDevice::open(address)?),
        PortKind::Software(_) => bail!("{name} is no card"),
    }
}

/// A pool whose every byte is [`PATTERN`].
fn patterned() -> anyhow::Result<Pool> {
    let pool = Pool::new(&PoolOptions { buffers: 512, ..PoolOptions::default() })?;
    each_free_buffer(&pool, |data| {
        data.fill(PATTERN);
        Ok(())
    })?;
    Ok(pool)
}

/// Calls `visit` with the data room of each free buffer.
fn each_free_buffer(pool: &Pool, mut visit: impl FnMut(&mut [u8]) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut held = Vec::new();
    while let Some(mut packet) = pool.alloc() {
        let room = packet.tailroom();
        if let Ok(data) = packet.append(room) {
            visit(data)?;
        }
        held.push(packet);
    }
    ensure!(held.len() as u32 == pool.census().total, "not all buffers are free");
    Ok(())
}

/// Provokes refused accesses until the program is told of one. Not one by one: the kernel logs some of them only, ten in five seconds.
fn provoke(
    control: &Control,
    access: DmaAccess,
    mut provoke: impl FnMut(u32) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        provoke(number)?;
        std::thread::sleep(Duration::from_millis(100));
        if control.dma_faults().iter().any(|fault| fault.access == access) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "no refused {access:?} is reported");
    }
    Ok(())
}

/// Both ends, of which one is misled.
fn start(misled: &PortName, honest: &PortName, pool: &Pool, other: &Pool) -> anyhow::Result<(End, End)> {
    let card = Misled { inner: open(misled)?, region: pool.region().clone() };
    let misled = End::start(Port::probe(card)?, PortConfig::new(pool, 64))?;
    let honest = End::start(Port::probe(open(honest)?)?, PortConfig::new(other, 64))?;
    misled.wait_for_link()?;
    honest.wait_for_link()?;
    Ok((misled, honest))
}

pub(crate) fn a_stray_receive_descriptor_harms_no_memory(names: &[PortName; 2]) -> anyhow::Result<()> {
    let (pool, other) = (patterned()?, patterned()?);
    let (mut misled, mut honest) = start(&names[1], &names[0], &pool, &other)?;
    let mac = misled.control.info().mac;
    let End { control, queues } = &mut misled;
    let mut burst = Burst::new(64);
    provoke(control, DmaAccess::Write, |number| {
        send(&other, &mut honest.queues.tx[0], &numbered(mac, number, 500))?;
        // What the card claims to have written, it has not.
        queues.rx[0].receive(&mut burst);
        ensure_untouched(burst.iter().map(|packet| packet.data()))?;
        burst.clear();
        Ok(())
    })?;
    drop(burst);
    misled.control.stop(misled.queues)?;
    each_free_buffer(&pool, |data| ensure_untouched([&*data]))?;
    honest.control.stop(honest.queues)?;
    recovers(names)
}

fn ensure_untouched<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> anyhow::Result<()> {
    for piece in pieces {
        ensure!(piece.iter().all(|&byte| byte == PATTERN), "memory has been written to: {:02x?}", &piece[..32]);
    }
    Ok(())
}

pub(crate) fn a_stray_transmit_descriptor_reads_no_memory(names: &[PortName; 2]) -> anyhow::Result<()> {
    let (pool, other) = (patterned()?, patterned()?);
    let (mut misled, mut honest) = start(&names[0], &names[1], &pool, &other)?;
    let mac = honest.control.info().mac;
    let End { control, queues } = &mut misled;
    let mut burst = Burst::new(64);
    provoke(control, DmaAccess::Read, |number| {
        let frame = numbered(mac, number, 500);
        send(&pool, &mut queues.tx[0], &frame)?;
        honest.queues.rx[0].receive(&mut burst);
        let leaked = burst.iter().any(|packet| packet.data()[18..] == frame[18..packet.len()]);
        ensure!(!leaked, "frame {number} has been read from memory that was not mapped");
        burst.clear();
        Ok(())
    })?;
    drop(burst);
    // It may not be able to stop its queue any more: then it is cut off, and says so.
    let _ = misled.control.stop(misled.queues);
    honest.control.stop(honest.queues)?;
    recovers(names)
}

/// The same cards work when they are opened anew.
fn recovers(names: &[PortName; 2]) -> anyhow::Result<()> {
    let mut bench = crate::bench::Bench::start(names, |pool| PortConfig::new(pool, 64))?;
    let mac = bench.b.control.info().mac;
    let frames = (0..100).map(|number| numbered(mac, number, 100));
    let (tx, rx) = (&mut bench.a.queues.tx[0], &mut bench.b.queues.rx);
    crate::bench::exchange(&bench.pool, tx, rx, frames, |_, _, _| Ok(()))?;
    bench.stop()
}
