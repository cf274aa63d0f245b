//! Memory that someone else owns, for packets to refer to.
//!
//! ```text
//!   External ──┐                 ┌─ mappings: one a mapper, at most 8; unmapped with the last handle
//!   External ──┼─(counted)─► Lent┤
//!   a packet ──┘                 └─ region ─► the owner, handed to the release function when the device has lost the memory too
//! ```
//!
//! A queue asks for the address of the bytes without a lock: `places` repeats what is in `mappings`, which a lock guards.
#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memmap2::{Mmap, MmapOptions};

use super::{DmaMapper, DmaMapping, Iova};
use crate::error::{Error, Result};
use crate::region::{self, Region};

/// Mappers that can reach the same memory at the same time.
const MAPPERS: usize = 8;

/// Memory that someone else owns and that a device may read: a counted handle.
///
/// The memory is lent: the owner comes back through the release function when the last handle and the last packet are gone. It runs where
/// that is, often in the queue that has sent the last packet: it should be short. A panic in it is caught and logged. To have neither
/// the release nor the unmapping (a system call) in the data path, keep a handle.
///
/// ```
/// use gannet_mempool::dma::External;
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let memory = External::new(vec![7u8; 1000], move |owner| sender.send(owner).unwrap());
/// let another = memory.clone();
/// assert_eq!(memory.bytes(), [7; 1000]);
/// drop(memory);
/// assert!(receiver.try_recv().is_err());
/// drop(another);
/// assert_eq!(receiver.recv().unwrap().len(), 1000);
/// ```
#[derive(Clone)]
pub struct External(Arc<Lent>);

/// What the handles share.
pub(crate) struct Lent {
    places: [Place; MAPPERS],
    /// Dropped before the region: the device loses the memory first.
    mappings: Mutex<[Option<DmaMapping>; MAPPERS]>,
    /// Counts handles in the side records of packets.
    packets: AtomicUsize,
    bytes: NonNull<[u8]>,
    region: Arc<Region>,
}

/// A mapping, for the data path.
#[derive(Default)]
struct Place {
    /// Address of the mapper, 0: none. It keeps its meaning, as the mapping keeps the mapper.
    mapper: AtomicUsize,
    /// Address of the first byte of the owner.
    iova: AtomicU64,
}

// SAFETY: `bytes` is read only, from an owner that is `Sync` and that the region keeps (`Region::lend`). Everything else is `Send` by itself.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl External {
    /// Lends the memory of `owner`. `release` is called once, with the owner, when nobody has it any more.
    pub fn new<T>(owner: T, release: impl FnOnce(T) + Send + 'static) -> External
    where
        T: AsRef<[u8]> + Send + Sync + 'static,
    {
        Self::lend(owner, None, release)
    }

    /// The content of a file, to be sent from memory (`sendfile`).
    ///
    /// Any file could be changed by anyone while a packet has its bytes. So it is copied, once, unless it is a memory file that is sealed
    /// against that (memfd_create(2), F_SEAL_WRITE and F_SEAL_SHRINK): that is used where it is. [`Self::file_in_place`] never copies.
    ///
    /// # Errors
    /// The file cannot be read or mapped, or is longer than the memory that is left.
    pub fn file(file: &File) -> Result<External> {
        let sealed = region::sealed_copy(file)?;
        // SAFETY: the file is sealed: nobody can write to it or cut it off, now or later.
        unsafe { Self::file_in_place(&sealed) }
    }

    /// The content of a file, in the page cache: it is never copied. A card reads it from there.
    ///
    /// # Safety
    /// As long as the memory is lent nobody, in no process, writes to the file or cuts it off.
    ///
    /// # Errors
    /// The file cannot be mapped.
    pub unsafe fn file_in_place(file: &File) -> Result<External> {
        let failed = |why| Error::system("mapping a file to be sent", why);
        let file = file.try_clone().map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Ok(Self::new([0; 0], drop));
        }
        // SAFETY: the caller promises that the content stays as it is.
        let map: Mmap = unsafe { MmapOptions::new().map(&file) }.map_err(failed)?;
        Ok(Self::lend(map, Some(file), drop))
    }

    fn lend<T>(owner: T, file: Option<File>, release: impl FnOnce(T) + Send + 'static) -> External
    where
        T: AsRef<[u8]> + Send + Sync + 'static,
    {
        let (region, bytes) = Region::lend(owner, file, release);
        External(Arc::new(Lent {
            places: Default::default(),
            mappings: Mutex::default(),
            packets: AtomicUsize::new(0),
            bytes,
            region,
        }))
    }

    /// The owner's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Maps the memory for reading through `mapper`, unless it is mapped there already. Packets of it then go to the device without a copy.
    ///
    /// The device can read the pages that the bytes lie in, to their ends: what else is there is the price of sending without a copy.
    ///
    /// # Errors
    /// As [`DmaMapper::map`]; no bytes; more mappers than 8.
    #[track_caller]
    pub fn map(&self, mapper: &Arc<dyn DmaMapper>) -> Result<()> {
        let mut mappings = self.0.lock();
        if self.0.place(mapper).is_some() {
            return Ok(());
        }
        if self.is_empty() {
            return Err(Error::Invalid("no bytes to map for a device: send an empty piece without them".into()));
        }
        let free = mappings.iter_mut().zip(&self.0.places).find(|(mapping, _)| mapping.is_none());
        let Some((mapping, place)) = free else {
            let reason = format!("it is mapped for {MAPPERS} others already: unmap it from one");
            return Err(Error::DmaMap { device: "one more mapper".into(), bytes: self.len(), reason });
        };
        let mapped = mapping.insert(DmaMapping::new(mapper.clone(), self.0.region.clone())?);
        let offset = self.0.bytes.cast::<u8>().addr().get() - self.0.region.base().addr().get();
        place.iova.store(mapped.iova().0 + offset as u64, Ordering::Relaxed);
        // Publishes the address.
        place.mapper.store(key(mapper), Ordering::SeqCst);
        Ok(())
    }

    /// Takes the memory from the device again. Without this it happens when the last handle goes. Not mapped is fine too.
    ///
    /// # Errors
    /// Packets refer to the memory: a card may be reading it.
    pub fn unmap(&self, mapper: &Arc<dyn DmaMapper>) -> Result<()> {
        let mut mappings = self.0.lock();
        let key = key(mapper);
        let found = mappings.iter_mut().zip(&self.0.places).find(|(_, place)| place.is_of(key));
        let Some((mapping, place)) = found else { return Ok(()) };
        let packets = || self.0.packets.load(Ordering::SeqCst);
        let refused = |packets| {
            Err(Error::Invalid(format!(
                "{packets} packets refer to memory that is to be unmapped: wait until they are sent, or drop them"
            )))
        };
        if packets() > 0 {
            return refused(packets());
        }
        // First out of sight, then the count: who makes a packet counts it and looks then, so one of the two sees the other.
        place.mapper.store(0, Ordering::SeqCst);
        if packets() > 0 {
            place.mapper.store(key, Ordering::SeqCst);
            return refused(packets());
        }
        *mapping = None;
        Ok(())
    }

    /// Address of the first byte for the devices of this mapper, if it is mapped there.
    pub fn iova(&self, mapper: &Arc<dyn DmaMapper>) -> Option<Iova> {
        self.0.iova(mapper)
    }

    /// Turns the handle into one that a packet's side record can hold. [`Self::from_raw`] turns it back.
    pub(crate) fn into_raw(self) -> NonNull<()> {
        self.0.packets.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the pointer of an `Arc` is not null.
        unsafe { NonNull::new_unchecked(Arc::into_raw(self.0).cast_mut().cast()) }
    }

    /// The handle that a packet had.
    ///
    /// # Safety
    /// `raw` came from [`Self::into_raw`], and has not been turned back before.
    pub(crate) unsafe fn from_raw(raw: NonNull<()>) -> External {
        // SAFETY: the caller's promise: the count that `into_raw` has left is ours.
        let external = External(unsafe { Arc::from_raw(raw.as_ptr().cast()) });
        external.0.packets.fetch_sub(1, Ordering::SeqCst);
        external
    }

    /// One more handle of the memory that a packet refers to.
    ///
    /// # Safety
    /// As for [`Lent::borrow`].
    pub(crate) unsafe fn of_raw(raw: NonNull<()>) -> External {
        // SAFETY: the caller's promise; the count that is the packet's is left alone.
        let of_packet = ManuallyDrop::new(External(unsafe { Arc::from_raw(raw.as_ptr().cast()) }));
        External::clone(&of_packet)
    }
}

impl Lent {
    /// What a packet refers to.
    ///
    /// # Safety
    /// `raw` came from [`External::into_raw`], and is not turned back as long as the answer is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow<'a>(raw: NonNull<()>) -> &'a Lent {
        // SAFETY: the caller's promise: the count of `raw` keeps it alive.
        unsafe { raw.cast::<Lent>().as_ref() }
    }

    /// The owner's bytes.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `Region::lend`: the bytes are there and do not change as long as `region` is.
        unsafe { self.bytes.as_ref() }
    }

    /// Address of the first byte for the devices of this mapper; `None`: it is not mapped there. Without a lock, for the data path.
    ///
    /// The answer holds as long as the packet that the caller has, from before the call: only [`External::unmap`] makes it void, which a
    /// packet forbids.
    #[inline(always)]
    pub(crate) fn iova(&self, mapper: &Arc<dyn DmaMapper>) -> Option<Iova> {
        Some(Iova(self.place(mapper)?.iova.load(Ordering::Relaxed)))
    }

    #[inline(always)]
    fn place(&self, mapper: &Arc<dyn DmaMapper>) -> Option<&Place> {
        let key = key(mapper);
        self.places.iter().find(|place| place.is_of(key))
    }

    fn lock(&self) -> MutexGuard<'_, [Option<DmaMapping>; MAPPERS]> {
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    #[inline(always)]
    fn is_of(&self, key: usize) -> bool {
        self.mapper.load(Ordering::SeqCst) == key
    }
}

/// What tells mappers apart: never 0, and of one mapper as long as it lives.
#[inline(always)]
fn key(mapper: &Arc<dyn DmaMapper>) -> usize {
    Arc::as_ptr(mapper).cast::<()>().addr()
}

impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mappings = self.0.lock();
        f.debug_struct("External")
            .field("len", &self.len())
            .field("packets", &self.0.packets.load(Ordering::Relaxed))
            .field("mapped", &mappings.iter().flatten().map(DmaMapping::iova).collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests;
