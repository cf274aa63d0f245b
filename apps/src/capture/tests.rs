//! The program's side of captures.
