//! Memory as a card finds it: what has been mapped for it, and the descriptors in there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use gannet::{Burst, Completion, Control, External, Packet, Pool, Queues};
use gannet_mempool::dma::{DmaMapper, Iova};
use gannet_mempool::region::Region;
use gannet_spec::advanced::{RxWriteBack, rx_status};

/// A mapper that knows what is mapped where.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Who maps; `None`: any address will do, as nothing does DMA.
    inner: Option<Arc<dyn DmaMapper>>,
    mapped: Mutex<Vec<(Iova, Arc<Region>)>>,
}

impl Memory {
    #[allow(dead_code)] // for the cards without anything behind them
    pub(crate) fn new() -> Arc<Memory> {
        Arc::new(Memory { inner: None, mapped: Mutex::default() })
    }

    #[allow(dead_code)] // for software cards
    pub(crate) fn before(inner: Arc<dyn DmaMapper>) -> Arc<Memory> {
        Arc::new(Memory { inner: Some(inner), mapped: Mutex::default() })
    }

    /// Where the card finds these bytes.
    pub(crate) fn iova_of(&self, bytes: &[u8]) -> u64 {
        let address = bytes.as_ptr().addr();
        let mapped = self.mapped.lock().expect("no panic while it is held");
        let place = mapped.iter().find_map(|(iova, region)| {
            let distance = address.checked_sub(region.base().addr().get())?;
            (distance + bytes.len() <= region.len()).then_some(iova.0 + distance as u64)
        });
        place.expect("these bytes are mapped")
    }

    /// The file that is mapped at an address, and the place in it.
    fn file(&self, iova: u64) -> (File, u64) {
        let mapped = self.mapped.lock().expect("no panic while it is held");
        let found = mapped.iter().find(|(first, region)| (first.0..first.0 + region.len() as u64).contains(&iova));
        let (first, region) = found.expect("something is mapped there");
        (region.file().expect("a shared region").try_clone_to_owned().expect("a descriptor").into(), iova - first.0)
    }

    /// The first descriptors of the ring at `base`.
    pub(crate) fn descriptors(&self, base: u64, count: usize) -> Vec<[u64; 2]> {
        let (file, offset) = self.file(base);
        let mut bytes = vec![0; count * 16];
        file.read_exact_at(&mut bytes, offset).expect("the ring is there");
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        bytes.chunks_exact(16).map(|both| [word(&both[..8]), word(&both[8..])]).collect()
    }

    /// Writes the high word of descriptor `index` of the ring at `base`.
    #[allow(dead_code)] // for the cards without anything behind them
    pub(crate) fn write_back(&self, base: u64, index: u64, word: u64) {
        let (file, offset) = self.file(base);
        file.write_all_at(&word.to_le_bytes(), offset + index * 16 + 8).expect("the ring is there");
    }
}

impl DmaMapper for Memory {
    fn map(&self, region: &Arc<Region>) -> gannet_mempool::Result<Iova> {
        let mut mapped = self.mapped.lock().expect("no panic while it is held");
        let iova = match &self.inner {
            Some(inner) => inner.map(region)?,
            None => Iova(mapped.iter().map(|(last, _)| last.0).max().unwrap_or(0) + (1 << 36)),
        };
        mapped.push((iova, region.clone()));
        Ok(iova)
    }

    fn unmap(&self, iova: Iova, region: &Region) {
        if let Some(inner) = &self.inner {
            inner.unmap(iova, region);
        }
        self.mapped.lock().expect("no panic while it is held").retain(|(first, _)| *first != iova);
    }
}

/// A frame of a header in a buffer of `pool`, a segment of nothing, and 300 bytes that are lent.
#[allow(dead_code)] // not all cards do both
pub(crate) fn scattered(pool: &Pool, memory: &External, header: &[u8]) -> Packet {
    let mut packet = pool.alloc().expect("a free buffer");
    packet.append(header.len()).expect("room").copy_from_slice(header);
    let nothing = pool.alloc().expect("a free buffer");
    let payload = Packet::from_external(pool, memory, 100, 300).expect("a free buffer");
    packet.append_segment(nothing).expect("not shared");
    packet.append_segment(payload).expect("not shared");
    packet
}

/// What the card is to be told of a frame: address and length of each segment that has bytes.
pub(crate) fn pieces(memory: &Memory, packet: &Packet) -> Vec<(u64, usize)> {
    let segments = packet.segments().filter(|bytes| !bytes.is_empty());
    segments.map(|bytes| (memory.iova_of(bytes), bytes.len())).collect()
}

/// A file: this one.
pub(crate) fn file() -> External {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/memory.rs");
    External::file(&File::open(PATH).expect("it is there")).expect("memory")
}

/// Sends [`scattered`] from a card without anything behind it, whose ring is at `base`: its pieces, its descriptors; and looks at what comes home
/// when the card reports the last one.
#[allow(dead_code)] // for the cards without anything behind them
pub(crate) fn send_scattered(
    memory: &Memory,
    (control, queues): (&Control, &mut Queues),
    pool: &Pool,
    base: impl Fn() -> u64,
) -> (Vec<(u64, usize)>, Vec<[u64; 2]>) {
    let lent = file();
    control.map(&lent).expect("it has a file");
    let out = pool.census().out;
    let mut packet = scattered(pool, &lent, &[0x5A; 14]);
    let expected = pieces(memory, &packet);
    let (completion, token) = Completion::new();
    packet.complete_with(token).expect("not shared");
    let mut burst = Burst::new(1);
    burst.push(packet).expect("room");
    let tx = &mut queues.tx[0];
    assert_eq!((tx.send(&mut burst), tx.stats().in_ring, tx.stats().bytes), (1, 2, 314));
    let descriptors = memory.descriptors(base(), 2);
    assert_eq!((tx.reclaim(), completion.is_done(), pool.census().out), (0, false, out + 3));
    control.unmap(&lent).expect_err("the card may be reading it");
    // Done (bit 32 of the high word).
    memory.write_back(base(), 1, 1 << 32);
    assert_eq!((tx.reclaim(), completion.is_done(), completion.copied(), pool.census().out), (2, true, 0, out));
    control.unmap(&lent).expect("nobody uses it");
    (expected, descriptors)
}

/// A port with an MTU of 9000 on a card without anything behind it, whose rings are at `rx` and `tx`: the longest frame arrives and leaves in one
/// buffer, a longer one does neither, and is counted.
#[allow(dead_code)] // for the cards without anything behind them
pub(crate) fn pass_jumbo_frames(memory: &Memory, queues: &mut Queues, pool: &Pool, (rx, tx): (u64, u64)) {
    const LONGEST: u16 = 9018;
    let arrive = |index, status, len| {
        memory.write_back(rx, index, RxWriteBack::new(0, 0, rx_status::DD | status, len, 0).high);
    };
    arrive(0, rx_status::EOP, LONGEST);
    arrive(1, rx_status::EOP, LONGEST + 1);
    arrive(2, 0, pool.data_room());
    arrive(3, rx_status::EOP, 1);
    let mut burst = Burst::new(4);
    assert_eq!((queues.rx[0].receive(&mut burst), queues.rx[0].stats().oversize), (1, 2));
    let mut packet = burst.pop_front().expect("it has just arrived");
    assert_eq!(packet.len(), usize::from(LONGEST));
    let iova = memory.iova_of(packet.data());
    burst.push(packet).expect("room");
    packet = pool.alloc().expect("a free buffer");
    packet.append(usize::from(LONGEST) + 1).expect("room").fill(0);
    burst.push(packet).expect("room");
    assert_eq!((queues.tx[0].send(&mut burst), queues.tx[0].stats().invalid), (1, 1));
    let [address, command] = memory.descriptors(tx, 1)[0];
    assert_eq!((address, command & 0xFFFF), (iova, u64::from(LONGEST)));
}
