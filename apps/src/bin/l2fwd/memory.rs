//! The packet pool: how large it is, and what is told of its pressure.
//!
//! All ports share one pool, so that a packet can leave on any of them. Only receive rings allocate from it, all with the same right: a
//! reserve for them (a watermark `high` below 100) would be kept from nobody.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use gannet::{Pool, PoolOptions};
use gannet_mempool::PressureEvent;

use crate::cli::Arguments;

/// Shortest time between two times that pressure is told of. A pool at its limit can come and go many times a millisecond.
const BETWEEN: Duration = Duration::from_millis(500);

fn options(arguments: &Arguments) -> PoolOptions {
    PoolOptions { name: "packets".into(), data_room: arguments.buffer_size, ..PoolOptions::default() }
}

/// Buffers with which the pool stays calm, whatever happens: all rings, bursts and caches can be full, and no more are in use than the
/// watermark of pressure allows.
pub(crate) fn demand(arguments: &Arguments, ports: u32, cores: u32) -> u32 {
    let PoolOptions { cache, watermarks, .. } = options(arguments);
    let lanes = ports * arguments.queues as u32;
    let held = lanes * (2 * arguments.ring + arguments.burst as u32) + cores * cache;
    let demand = (u64::from(held) * 100).div_ceil(watermarks.pressure.into());
    // Refused as too large by the pool if that is not enough.
    u32::try_from(demand).unwrap_or(u32::MAX)
}

pub(crate) fn make_pool(arguments: &Arguments, demand: u32) -> anyhow::Result<Pool> {
    let buffers = arguments.buffers.unwrap_or(demand);
    Pool::new(&PoolOptions { buffers, ..options(arguments) }).context("packet memory")
}

/// The option that cures what the driver complains of.
pub(crate) fn with_option(why: gannet::Error, demand: u32) -> anyhow::Error {
    match why {
        gannet::Error::PoolTooSmall { .. } => {
            anyhow!("{why} (--buffers {demand} is enough for everything), or the rings smaller (--ring)")
        }
        _ => why.into(),
    }
}

/// Tells when the pool runs short, and when it does not any more.
pub(crate) struct PressureWatch<'a> {
    pool: &'a Pool,
    /// The gravest event and the last one since something was told.
    untold: Option<(PressureEvent, PressureEvent)>,
    told: Option<Instant>,
}

impl PressureWatch<'_> {
    pub(crate) fn new(pool: &Pool) -> PressureWatch<'_> {
        PressureWatch { pool, untold: None, told: None }
    }

    /// Tells of what has happened, as long as it is not too often.
    pub(crate) fn look(&mut self, mut tell: impl FnMut(&str)) {
        while let Some(event) = self.pool.next_event() {
            let gravest = self.untold.map(|(gravest, _)| gravest).filter(|gravest| gravest.level >= event.level);
            self.untold = Some((gravest.unwrap_or(event), event));
        }
        if self.told.is_some_and(|told| told.elapsed() < BETWEEN) {
            return;
        }
        let Some((gravest, last)) = self.untold.take() else { return };
        self.told = Some(Instant::now());
        tell(&self.in_words(gravest));
        if last.level != gravest.level {
            tell(&self.in_words(last));
        }
    }

    fn in_words(&self, event: PressureEvent) -> String {
        let PressureEvent { level, in_use } = event;
        format!("pool {}: {level}, {in_use} of {} buffers in use", self.pool.name(), self.pool.census().total)
    }
}
