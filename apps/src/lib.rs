//! Gannet's programs: l2fwd.
