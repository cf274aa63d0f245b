//! The types that describe a register.

use std::fmt;
use std::marker::PhantomData;

/// Software may only read it.
#[derive(Debug, Clone, Copy)]
pub struct ReadOnly;
/// Software may read and write it.
#[derive(Debug, Clone, Copy)]
pub struct ReadWrite;
/// Software may read and write it, and a read changes something in the card: causes that it clears, a semaphore that it takes.
#[derive(Debug, Clone, Copy)]
pub struct ReadSideEffect;
/// Software may only write it; what a read returns means nothing.
#[derive(Debug, Clone, Copy)]
pub struct WriteOnly;
/// A read returns the value and clears it: statistics.
#[derive(Debug, Clone, Copy)]
pub struct ClearOnRead;

/// Access kinds that can be read.
pub trait Readable {}
/// Access kinds that can be written.
pub trait Writable {}
impl Readable for ReadOnly {}
impl Readable for ReadWrite {}
impl Readable for ReadSideEffect {}
impl Readable for ClearOnRead {}
impl Writable for ReadWrite {}
impl Writable for ReadSideEffect {}
impl Writable for WriteOnly {}

/// One 32-bit register: where it is, what may be done to it (`A`), what its value means (`V`).
pub struct Reg<A, V = u32> {
    offset: u32,
    kind: PhantomData<(A, V)>,
}

impl<A, V> Reg<A, V> {
    /// The register at byte `offset` of the BAR.
    pub const fn at(offset: u32) -> Self {
        assert!(offset.is_multiple_of(4));
        Reg { offset, kind: PhantomData }
    }

    /// Byte offset in the BAR.
    pub const fn offset(self) -> u32 {
        self.offset
    }
}

impl<A, V> Clone for Reg<A, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A, V> Copy for Reg<A, V> {}
impl<A, V> fmt::Debug for Reg<A, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reg({:#07x})", self.offset)
    }
}

/// A run of equal registers at equal distances.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Offset of its first register.
    pub base: u32,
    /// Bytes from one to the next.
    pub stride: u32,
    /// How many there are.
    pub count: u32,
}

/// An array of registers. It lies in one window, or continues in a second one elsewhere in the BAR.
pub struct RegArray<A, V = u32> {
    first: Window,
    second: Window,
    kind: PhantomData<(A, V)>,
}

impl<A, V> RegArray<A, V> {
    /// `count` registers from `base` on, `stride` bytes apart.
    pub const fn new(base: u32, stride: u32, count: u32) -> Self {
        Self::split(Window { base, stride, count }, Window { base: 0, stride: 4, count: 0 })
    }

    /// An array in two windows: indices go on in the second where the first ends.
    pub const fn split(first: Window, second: Window) -> Self {
        RegArray { first, second, kind: PhantomData }
    }

    /// Number of registers.
    pub const fn count(self) -> u32 {
        self.first.count + self.second.count
    }

    pub(crate) const fn windows(self) -> [Window; 2] {
        [self.first, self.second]
    }

    /// Register `index`.
    ///
    /// # Panics
    /// If there is no such register. Indices come from the driver's own, already checked configuration.
    pub const fn get(self, index: u32) -> Reg<A, V> {
        assert!(index < self.count());
        if index < self.first.count {
            Reg::at(self.first.base + index * self.first.stride)
        } else {
            Reg::at(self.second.base + (index - self.first.count) * self.second.stride)
        }
    }

    /// Index of the register at `offset`, if it is one of this array. For device models, which go the other way.
    pub const fn index_of(self, offset: u32) -> Option<u32> {
        match position(self.first, offset) {
            Some(index) => Some(index),
            None => match position(self.second, offset) {
                Some(index) => Some(self.first.count + index),
                None => None,
            },
        }
    }
}

const fn position(window: Window, offset: u32) -> Option<u32> {
    if offset < window.base {
        return None;
    }
    let distance = offset - window.base;
    let index = distance / window.stride;
    if index < window.count && distance.is_multiple_of(window.stride) { Some(index) } else { None }
}

impl<A, V> Clone for RegArray<A, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A, V> Copy for RegArray<A, V> {}
impl<A, V> fmt::Debug for RegArray<A, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegArray({:#07x} x {})", self.first.base, self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_in_two_windows_counts_through() {
        const ARRAY: RegArray<ReadWrite> = RegArray::split(
            Window { base: 0x1018, stride: 0x40, count: 64 },
            Window { base: 0xD018, stride: 0x40, count: 64 },
        );
        for index in 0..ARRAY.count() {
            assert_eq!(ARRAY.index_of(ARRAY.get(index).offset()), Some(index));
        }
        assert_eq!(ARRAY.get(63).offset(), 0x1FD8);
        assert_eq!(ARRAY.get(64).offset(), 0xD018);
        for outside in [0, 0x1014, 0x101C, 0x2018, 0xD014, 0xE018, u32::MAX] {
            assert_eq!(ARRAY.index_of(outside), None, "{outside:#x}");
        }
    }
}
