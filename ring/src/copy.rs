//! Copying a run of elements, fast for the short runs a burst is made of.
#![allow(unsafe_code)]

use std::mem::{MaybeUninit, size_of};
use std::ptr;

/// Up to this many bytes are copied in line. Calling `memcpy` for a burst of 32 costs about as
/// much as the copy itself; beyond this size its wider registers win.
const IN_LINE_BYTES: usize = 512;

/// Copies `count` elements.
///
/// # Safety
///
/// As for [`ptr::copy_nonoverlapping`].
#[inline(always)]
pub(crate) unsafe fn copy_elements<T>(src: *const T, dst: *mut T, count: usize) {
    let bytes = count * size_of::<T>();
    if count == 1 {
        // A size the compiler knows, so a plain load and store.
        // SAFETY: the caller's contract is this function's.
        unsafe { ptr::copy_nonoverlapping(src, dst, 1) }
    } else if bytes > IN_LINE_BYTES {
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(src, dst, count) }
    } else {
        // SAFETY: `bytes` is the size of the `count` elements the caller vouches for.
        unsafe { copy_bytes(src.cast(), dst.cast(), bytes) }
    }
}

/// Copies `bytes` bytes in pieces of 64 and then the powers of two below that make up the rest.
/// The pieces never overlap, so that a run which is read back at once can still be forwarded from
/// the store buffer. Where the element size makes a piece impossible the compiler drops its test.
///
/// # Safety
///
/// As for [`ptr::copy_nonoverlapping`].
#[inline(always)]
unsafe fn copy_bytes(src: *const u8, dst: *mut u8, bytes: usize) {
    let mut done = 0;
    // SAFETY: each piece lies within `bytes`: `done` is what was copied, and the tests on the
    // bits of `bytes` say what is left.
    unsafe {
        while bytes - done >= 64 {
            copy_piece::<32>(src.add(done), dst.add(done));
            copy_piece::<32>(src.add(done + 32), dst.add(done + 32));
            done += 64;
        }
        if bytes & 32 != 0 {
            copy_piece::<32>(src.add(done), dst.add(done));
            done += 32;
        }
        if bytes & 16 != 0 {
            copy_piece::<16>(src.add(done), dst.add(done));
            done += 16;
        }
        if bytes & 8 != 0 {
            copy_piece::<8>(src.add(done), dst.add(done));
            done += 8;
        }
        if bytes & 4 != 0 {
            copy_piece::<4>(src.add(done), dst.add(done));
            done += 4;
        }
        if bytes & 2 != 0 {
            copy_piece::<2>(src.add(done), dst.add(done));
            done += 2;
        }
        if bytes & 1 != 0 {
            copy_piece::<1>(src.add(done), dst.add(done));
        }
    }
}

/// Copies `N` bytes, whatever they are: padding stays uninitialised and pointers stay pointers.
///
/// # Safety
///
/// `src` is valid for reads and `dst` for writes of `N` bytes.
#[inline(always)]
unsafe fn copy_piece<const N: usize>(src: *const u8, dst: *mut u8) {
    // SAFETY: the caller's contract; `[u8; N]` needs no alignment.
    unsafe { *dst.cast::<MaybeUninit<[u8; N]>>() = *src.cast::<MaybeUninit<[u8; N]>>() }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn copies<T: Copy + PartialEq + std::fmt::Debug>(max: usize, value: impl Fn(usize) -> T) {
        let src: Vec<T> = (0..max).map(&value).collect();
        for count in 0..=max {
            let mut dst = vec![value(max + 1); max];
            // SAFETY: both vectors hold `max` elements.
            unsafe { copy_elements(src.as_ptr(), dst.as_mut_ptr(), count) };
            assert_eq!(dst[..count], src[..count]);
            assert!(dst[count..].iter().all(|rest| *rest == value(max + 1)), "wrote past the end");
        }
    }

    #[test]
    fn every_count_of_many_sizes() {
        let max = if cfg!(miri) { 20 } else { 600 };
        copies(max, |n| n as u8);
        copies(max, |n| n as u16);
        copies(max, |n| n as u32);
        copies(max, |n| n as u64);
        copies(max, |n| [n as u8; 3]);
        copies(max, |n| [n as u64; 3]);
        copies(max, |n| (n as u8, n as u32));
    }
}
