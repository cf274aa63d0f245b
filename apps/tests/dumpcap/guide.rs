//! What docs/guide/dumpcap.md shows is what the programs print.
