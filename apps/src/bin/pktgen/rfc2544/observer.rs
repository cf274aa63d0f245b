//! Who is told how a campaign goes: whoever reads lines, or looks at the screen.

use std::time::Duration;

use gannet_apps::program::Live;

use crate::screen::Screen;
use crate::trial::Progress;

/// Is told how a campaign goes.
pub(super) trait Observer {
    /// A trial begins: size, number, rate.
    fn begins(&mut self, trial: &str);

    /// It goes on.
    fn goes_on(&mut self, progress: &Progress);

    /// It has ended so.
    fn ended(&mut self, result: &str);

    /// That is known now.
    fn found(&mut self, finding: &str);
}

/// How often a trial is told of. Short ones only tell their end.
const TELL: Duration = Duration::from_secs(1);

/// Tells it in lines.
pub(super) struct Lines<'a> {
    live: &'a mut Live,
    trial: String,
    told: Duration,
}

impl Lines<'_> {
    pub(super) fn new(live: &mut Live) -> Lines<'_> {
        Lines { live, trial: String::new(), told: Duration::ZERO }
    }
}

impl Observer for Lines<'_> {
    fn begins(&mut self, trial: &str) {
        (self.trial, self.told) = (trial.to_owned(), Duration::ZERO);
    }

    fn goes_on(&mut self, progress: &Progress) {
        if progress.elapsed - self.told < TELL {
            return;
        }
        self.told = progress.elapsed;
        self.live.line(&format!(
            "{}: {:.1} s, {:.0} frames/s sent, {:.0} received, {} missing",
            self.trial,
            progress.elapsed.as_secs_f64(),
            progress.sent_pps,
            progress.received_pps,
            progress.missing
        ));
    }

    fn ended(&mut self, result: &str) {
        self.live.event(result);
    }

    fn found(&mut self, finding: &str) {
        self.live.event(finding);
    }
}

impl Observer for Screen {
    fn begins(&mut self, trial: &str) {
        self.change(|view| view.campaign().trial = trial.to_owned());
    }

    fn goes_on(&mut self, progress: &Progress) {
        self.show(progress);
    }

    fn ended(&mut self, result: &str) {
        self.change(|view| view.campaign().last = Some(result.to_owned()));
    }

    fn found(&mut self, finding: &str) {
        self.change(|view| view.campaign().found.push(finding.to_owned()));
    }
}
