//! Why a ring could not be made. Nothing else in this crate fails with an error.

/// The largest capacity of a ring, in elements: 2^31.
pub const MAX_CAPACITY: usize = 1 << 31;

/// Why a ring could not be made.
///
/// ```
/// use gannet_ring::{mpmc::Ring, Error};
///
/// let error = Ring::<u32>::with_capacity(1000).unwrap_err();
/// assert_eq!(error, Error::InvalidCapacity { requested: 1000, nearest: 1024 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The capacity is 0, not a power of two, or above [`MAX_CAPACITY`].
    #[error(
        "a ring cannot hold {requested} elements: \
         the capacity must be a power of two from 1 to 2^31, the nearest is {nearest}"
    )]
    InvalidCapacity {
        /// The capacity that was asked for.
        requested: usize,
        /// The nearest capacity that is valid; the larger one where two are as near.
        nearest: usize,
    },
    /// The memory for the elements could not be had.
    #[error(
        "no memory for a ring of {capacity} elements of {element_bytes} bytes: \
         ask for a smaller capacity"
    )]
    OutOfMemory {
        /// The capacity that was asked for.
        capacity: usize,
        /// The size of one element.
        element_bytes: usize,
    },
}

/// Checks that `requested` is a capacity a ring can have.
pub(crate) fn check_capacity(requested: usize) -> Result<(), Error> {
    if requested.is_power_of_two() && requested <= MAX_CAPACITY {
        return Ok(());
    }
    let nearest = if requested >= MAX_CAPACITY {
        MAX_CAPACITY
    } else {
        let above = requested.next_power_of_two();
        let below = (above / 2).max(1);
        if requested.abs_diff(below) < above - requested { below } else { above }
    };
    Err(Error::InvalidCapacity { requested, nearest })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_power_of_two_up_to_the_limit_is_valid() {
        for shift in 0..=31 {
            assert_eq!(check_capacity(1 << shift), Ok(()));
        }
    }

    #[test]
    fn other_sizes_are_rejected_with_the_nearest_valid_one() {
        for (requested, nearest) in [
            (0, 1),
            (3, 4),
            (5, 4),
            (6, 8),
            (1000, 1024),
            (1500, 1024),
            (MAX_CAPACITY - 1, MAX_CAPACITY),
            (MAX_CAPACITY + 1, MAX_CAPACITY),
            (MAX_CAPACITY << 1, MAX_CAPACITY),
            (usize::MAX, MAX_CAPACITY),
        ] {
            let expected = Err(Error::InvalidCapacity { requested, nearest });
            assert_eq!(check_capacity(requested), expected, "{requested}");
        }
    }

    #[test]
    fn the_message_names_the_remedy() {
        let message = check_capacity(1000).unwrap_err().to_string();
        assert!(message.contains("1000") && message.contains("the nearest is 1024"), "{message}");
    }
}
