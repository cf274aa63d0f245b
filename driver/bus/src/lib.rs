//! How a network device is reached: registers, configuration space, DMA, interrupts.
