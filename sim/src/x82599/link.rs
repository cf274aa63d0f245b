//! The link: laser, carrier, and the time it takes.

use gannet_spec::x82599::regs::Links;

/// Speed code of 10 Gb/s in LINKS.
const SPEED_10G: u8 = 3;

/// State of the link.
#[derive(Debug)]
pub(super) struct Link {
    delay: u64,
    /// Whether the cable carries light, as far as the last step saw.
    pub(super) carrier: bool,
    /// Since when nothing stood in its way.
    since: Option<u64>,
    up: bool,
}

impl Link {
    pub(super) fn new(delay: u64, carrier: bool) -> Link {
        Link { delay, carrier, since: None, up: false }
    }

    /// Begins anew: AUTOC.restart, or a reset. Whether the link was up.
    pub(super) fn restart(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.up)
    }

    /// Lets time pass, with the card's side `ready` (laser on, no reset). Whether the link changed.
    #[inline]
    pub(super) fn tick(&mut self, now: u64, ready: bool) -> bool {
        let was = self.up;
        if ready && self.carrier {
            let since = *self.since.get_or_insert(now);
            self.up = now >= since.saturating_add(self.delay);
        } else {
            self.restart();
        }
        self.up != was
    }

    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// LINKS.
    pub(super) fn status(&self) -> Links {
        if self.up { Links::new().with_speed(SPEED_10G).with_up(true) } else { Links::new() }
    }
}
