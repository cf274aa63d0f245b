//! How much an operation asks of a ring: the difference between bulk and burst.

/// How many elements an operation wants to move.
#[derive(Clone, Copy)]
pub(crate) enum Want {
    /// All of these or none: a bulk operation.
    Exactly(usize),
    /// As many of these as there are: a burst operation.
    UpTo(usize),
}

impl Want {
    /// How many elements the operation moves when `available` could be.
    #[inline]
    pub(crate) fn of(self, available: u64) -> u64 {
        match self {
            Want::Exactly(count) if count as u64 <= available => count as u64,
            Want::Exactly(_) => 0,
            Want::UpTo(count) => available.min(count as u64),
        }
    }
}
