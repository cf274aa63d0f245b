//! Placeholder: the engines compile.
#![allow(dead_code)]
#![forbid(unsafe_code)]

mod engine;

fn main() {}
