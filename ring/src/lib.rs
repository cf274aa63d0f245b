//! Lock-free bounded rings between cores, with bulk and burst operations.
