//! What tests have measured: printed together at the end, where it is found.

use std::sync::{Mutex, PoisonError};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps a line for the end.
pub(crate) fn add(line: String) {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
}

/// Prints all lines.
pub(crate) fn print() {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|line| println!("{line}"));
}
