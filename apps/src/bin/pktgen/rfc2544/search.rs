//! The search for the throughput: the highest rate at which nothing is lost (RFC 2544, section 26.1).
//!
//! Bisection between a rate that was carried and one that was not, beginning with the highest. Rates are in per cent of the link's speed.

/// Rates below this are no throughput any more: 149 frames of 64 bytes a second on 10 Gb/s.
const FLOOR: f64 = 0.001;

/// What a trial says about its rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// The device carried it.
    Carried,
    /// Frames were lost, at this rate: the one that was really sent.
    Lost(f64),
    /// The device carried what it was sent, but the generator sent at this rate only: it was too slow, or held up (flow control).
    NotOffered(f64),
}

/// Where a search is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Search {
    /// The highest rate that was carried; 0 before there is one.
    carried: f64,
    /// The lowest that was not.
    failed: f64,
    next: Option<f64>,
    resolution: f64,
}

impl Search {
    /// A search from `highest` down, until the throughput is known to the share `resolution` of itself, as 0.01.
    pub(super) fn new(highest: f64, resolution: f64) -> Search {
        Search { carried: 0.0, failed: highest, next: Some(highest), resolution }
    }

    /// The rate to try; `None` when the throughput is known.
    pub(super) fn next(&self) -> Option<f64> {
        self.next
    }

    /// Takes in what came of a trial at [`Self::next`].
    pub(super) fn record(&mut self, verdict: Verdict) {
        let Some(rate) = self.next else { return };
        match verdict {
            Verdict::Carried => self.carried = rate,
            Verdict::Lost(offered) => self.failed = rate.min(offered).max(self.carried),
            // That was carried; a little more may be possible another time.
            Verdict::NotOffered(offered) => {
                self.carried = self.carried.max(rate.min(offered));
                self.failed = rate.min(offered * (1.0 + self.resolution)).max(self.carried);
            }
        }
        let close = self.failed - self.carried <= self.resolution * self.failed;
        self.next = (!close && self.failed > FLOOR).then_some((self.carried + self.failed) / 2.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// More trials than any search may take: from 100 % to the floor in halves, then to a thousandth.
    const MOST: usize = 30;

    /// Runs a search against a device; returns its throughput and the rates that were tried.
    fn search(highest: f64, resolution: f64, mut device: impl FnMut(f64) -> Verdict) -> (f64, Vec<f64>) {
        let (mut search, mut tried) = (Search::new(highest, resolution), Vec::new());
        while let Some(rate) = search.next() {
            tried.push(rate);
            assert!(tried.len() <= MOST, "no end: {tried:?}");
            search.record(device(rate));
        }
        (search.carried, tried)
    }

    fn carries(limit: f64) -> impl FnMut(f64) -> Verdict {
        move |rate| if rate <= limit { Verdict::Carried } else { Verdict::Lost(rate) }
    }

    #[test]
    fn a_device_at_line_rate_takes_one_trial() {
        assert_eq!(search(100.0, 0.01, carries(100.0)), (100.0, vec![100.0]));
    }

    #[test]
    fn a_device_that_carries_nothing_has_no_throughput() {
        assert_eq!(search(100.0, 0.01, carries(0.0)).0, 0.0);
        assert_eq!(search(100.0, 0.01, |_| Verdict::NotOffered(0.0)), (0.0, vec![100.0]));
    }

    #[test]
    fn what_a_slow_generator_can_offer_is_the_throughput() {
        assert_eq!(search(100.0, 0.01, |_| Verdict::NotOffered(2.0)), (2.0, vec![100.0]));
    }

    #[test]
    fn what_was_lost_was_lost_at_the_rate_that_was_sent() {
        // The generator sends 10 % at most, and the device carries 4 %.
        let device = |rate: f64| if rate <= 4.0 { Verdict::Carried } else { Verdict::Lost(rate.min(10.0)) };
        let (found, tried) = search(100.0, 0.01, device);
        assert!((3.96..=4.0).contains(&found) && tried[1] == 5.0, "{found}: {tried:?}");
    }

    proptest! {
        #[test]
        fn the_limit_is_found_from_below(limit in 0.01..100.0_f64, resolution in 0.001..0.2_f64) {
            let (found, tried) = search(100.0, resolution, carries(limit));
            prop_assert!(found <= limit && found >= limit * (1.0 - 1.01 * resolution), "{} for {}", found, limit);
            prop_assert!(tried.iter().all(|rate| (0.0..=100.0).contains(rate)), "{:?}", tried);
        }

        #[test]
        fn noise_cannot_make_it_claim_what_was_not_carried(
            verdicts in prop::collection::vec((0..3, 0.0..120.0_f64), MOST),
            highest in 1.0..100.0_f64,
        ) {
            let (mut at, mut carried) = (0, vec![0.0]);
            let (found, tried) = search(highest, 0.01, |rate| {
                let (kind, offered) = verdicts[at];
                at += 1;
                match kind {
                    0 => { carried.push(rate); Verdict::Carried }
                    1 => Verdict::Lost(offered),
                    _ => { carried.push(rate.min(offered)); Verdict::NotOffered(offered) }
                }
            });
            prop_assert!(carried.contains(&found), "{} was never carried", found);
            prop_assert!(tried.iter().all(|&rate| rate <= highest), "{:?}", tried);
        }
    }
}
