//! Registers and descriptors of the network controllers Gannet drives.
