//! Huge-page regions, DMA mapping, packet pools and packets.
