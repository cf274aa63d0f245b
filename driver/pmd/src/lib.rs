//! Poll-mode network drivers in user space: ports, queues, bursts.
