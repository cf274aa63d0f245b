//! Register-accurate software network cards and the cables between them.
