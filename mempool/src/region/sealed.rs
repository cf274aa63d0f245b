//! Files whose content cannot change.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt as _;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::pages::check_available;
use crate::error::{Error, Result};

/// Bytes that are copied at a time.
const PIECE: usize = 64 << 10;

/// `file` itself if it is a memory file that nobody can change, else a copy that is one. Open for reading only.
pub(crate) fn sealed_copy(file: &File) -> Result<File> {
    if is_sealed(file) {
        return read_only(file);
    }
    let failed = |why| Error::system("reading a file to be sent", why);
    check_available(usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(usize::MAX))?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let copy = memfd_create(c"gannet-file", flags).map_err(|why| Error::system("memory file", why))?;
    let copy = File::from(copy);
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        let len = file.read_at(&mut piece, offset).map_err(failed)?;
        if len == 0 {
            break;
        }
        copy.write_all_at(&piece[..len], offset).map_err(|why| Error::system("copying a file to be sent", why))?;
        offset += len as u64;
    }
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals)).map_err(|why| Error::system("sealing a memory file", why))?;
    read_only(&copy)
}

fn is_sealed(file: &File) -> bool {
    // Files of other kinds know no seals: an error.
    let seals = SealFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GET_SEALS).unwrap_or(0));
    seals.contains(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK)
}

/// Kernels before 6.7 refuse a shared mapping of a file that is sealed against writing, unless it is open for reading only.
fn read_only(file: &File) -> Result<File> {
    let path = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    File::open(path).map_err(|why| Error::system("opening a memory file for reading", why))
}
