//! What is drawn of a measurement: rates over time, frames by their fate, latency; of a campaign of many, where it is and what it has found.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Sparkline};

use crate::trial::{Latency, Progress};

/// The smallest terminal that everything fits on: columns, rows.
const SMALLEST: (u16, u16) = (60, 16);

/// The same with a campaign.
const SMALLEST_WITH_CAMPAIGN: (u16, u16) = (80, SMALLEST.1 + CAMPAIGN_ROWS);

/// Rows of a campaign that has found one thing: that, the last trial, a border.
const CAMPAIGN_ROWS: u16 = 4;

/// Rates that are kept: the widest terminals have no more columns.
const KEPT: usize = 512;

/// A measurement so far.
pub(crate) struct View {
    title: String,
    /// `None` for a single measurement.
    campaign: Option<Campaign>,
    last: Option<Progress>,
    /// Frames a second, the latest last.
    sent: VecDeque<u64>,
    received: VecDeque<u64>,
}

/// Where a campaign of many measurements is.
#[derive(Debug, Default)]
pub(crate) struct Campaign {
    /// What is measured now.
    pub(crate) trial: String,
    /// What came of the last trial.
    pub(crate) last: Option<String>,
    /// What is known, the latest last.
    pub(crate) found: Vec<String>,
}

impl View {
    pub(super) fn new(title: String) -> View {
        View { title, campaign: None, last: None, sent: VecDeque::new(), received: VecDeque::new() }
    }

    /// Where the campaign is that this is part of.
    pub(crate) fn campaign(&mut self) -> &mut Campaign {
        self.campaign.get_or_insert_default()
    }

    /// Takes in how it goes.
    pub(super) fn push(&mut self, progress: Progress) {
        for (rates, rate) in [(&mut self.sent, progress.sent_pps), (&mut self.received, progress.received_pps)] {
            if rates.len() == KEPT {
                rates.pop_front();
            }
            rates.push_back(rate as u64);
        }
        self.last = Some(progress);
    }

    /// Draws all of it.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let (columns, rows) = self.smallest();
        if area.width < columns || area.height < rows {
            let text = format!("{columns} x {rows} needed\n{} x {} is here", area.width, area.height);
            frame.render_widget(Paragraph::new(text), area);
            return;
        }
        let constraints = [
            Constraint::Length(1),
            Constraint::Length(self.campaign.as_ref().map_or(0, |campaign| campaign.rows(area.height - rows))),
            Constraint::Fill(1),
            Constraint::Fill(1),
            Constraint::Length(3),
            Constraint::Length(3),
            Constraint::Length(1),
        ];
        let [head, campaign, sent, received, fate, latency, foot] = Layout::vertical(constraints).areas(area);
        let elapsed = self.last.map_or(0.0, |progress| progress.elapsed.as_secs_f64());
        frame.render_widget(Line::from(format!("{}   {elapsed:.1} s", self.title)).bold(), head);
        if let Some(now) = &self.campaign {
            now.draw(frame, campaign);
        }
        // One scale for both, or they could not be compared.
        let highest = self.sent.iter().chain(&self.received).copied().max().unwrap_or(0);
        let rate = |rate: fn(&Progress) -> f64| self.last.as_ref().map_or(0.0, rate);
        let bits = rate(|progress| progress.sent_bits);
        let title = format!(" sent: {} frames/s, {}bit/s on the wire ", si(rate(|now| now.sent_pps)), si(bits));
        draw_rates(frame, sent, title, &self.sent, (highest, Color::Blue));
        let title = format!(" received: {} frames/s ", si(rate(|now| now.received_pps)));
        draw_rates(frame, received, title, &self.received, (highest, Color::Green));
        frame.render_widget(Paragraph::new(self.fate()).block(Block::bordered().title(" frames ")), fate);
        let text = self.last.and_then(|progress| progress.latency).map_or("none yet".into(), in_words);
        frame.render_widget(Paragraph::new(text).block(Block::bordered().title(" latency ")), latency);
        frame.render_widget(Line::from("q ends").dim(), foot);
    }

    /// The smallest terminal that it fits on.
    fn smallest(&self) -> (u16, u16) {
        if self.campaign.is_some() { SMALLEST_WITH_CAMPAIGN } else { SMALLEST }
    }

    /// Frames so far.
    fn fate(&self) -> Line<'static> {
        let Some(Progress { sent, received, missing, .. }) = self.last else { return Line::from("none yet") };
        let share = if sent == 0 { 0.0 } else { missing as f64 / sent as f64 * 100.0 };
        let text = format!("{sent} sent   {received} received   {missing} missing ({share:.3} %)");
        Line::from(text).style(if missing > 0 { Style::new().fg(Color::Red) } else { Style::new() })
    }
}

impl Campaign {
    /// Rows that it takes of a terminal that has so many to spare.
    fn rows(&self, spare: u16) -> u16 {
        let wanted = self.found.len().saturating_sub(1).try_into().unwrap_or(u16::MAX);
        CAMPAIGN_ROWS + spare.min(wanted)
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect) {
        let block = Block::bordered().title(format!(" {} ", self.trial));
        // The last trial's line, and the latest findings that have room.
        let room = usize::from(block.inner(area).height) - 1;
        let found = self.found.iter().skip(self.found.len().saturating_sub(room));
        let lines: Vec<Line<'_>> = found.chain(&self.last).map(|line| Line::from(line.as_str())).collect();
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

fn draw_rates(frame: &mut Frame<'_>, area: Rect, title: String, rates: &VecDeque<u64>, (highest, color): (u64, Color)) {
    let block = Block::bordered().title(title);
    // The latest that have room.
    let skipped = rates.len().saturating_sub(block.inner(area).width.into());
    let bars = Sparkline::default().data(rates.iter().skip(skipped).copied()).max(highest).style(color);
    frame.render_widget(bars.block(block), area);
}

fn in_words(Latency { mean, p50, p99, max }: Latency) -> String {
    let [mean, p50, p99, max] = [mean, p50 as f64, p99 as f64, max as f64].map(|ns| format!("{:.1}", ns / 1e3));
    format!("mean {mean} us   median {p50} us   99 % {p99} us   max {max} us")
}

/// A number with four digits and the prefix of its unit.
fn si(number: f64) -> String {
    let (factor, prefix) = match number {
        1e9.. => (1e9, "G"),
        1e6.. => (1e6, "M"),
        1e3.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{:.3} {prefix}", number / factor)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn progress(sent_pps: f64, missing: u64) -> Progress {
        Progress {
            elapsed: Duration::from_millis(1400),
            sent: 1000,
            received: 1000 - missing,
            missing,
            sent_pps,
            received_pps: sent_pps / 2.0,
            sent_bits: sent_pps * 672.0,
            latency: Some(Latency { mean: 12_345.6, p50: 11_000, p99: 50_000, max: 1_000_000 }),
        }
    }

    /// What a terminal of this size shows, line by line.
    fn drawn(view: &View, columns: u16, rows: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a terminal in memory");
        let buffer = terminal.draw(|frame| view.draw(frame)).expect("it is drawn").buffer;
        let line = |row| (0..columns).map(|column| buffer[(column, row)].symbol()).collect();
        (0..rows).map(line).collect()
    }

    #[track_caller]
    fn assert_shows(screen: &[String], part: &str) {
        assert!(screen.iter().any(|line| line.contains(part)), "no {part:?}: {screen:#?}");
    }

    #[test]
    fn everything_is_on_the_smallest_terminal() {
        let mut view = View::new("a to b".into());
        view.push(progress(1.5e6, 3));
        let screen = drawn(&view, SMALLEST.0, SMALLEST.1);
        for part in [
            "a to b   1.4 s",
            "sent: 1.500 M frames/s, 1.008 Gbit/s on the wire",
            "received: 750.000 k frames/s",
            "1000 sent   997 received   3 missing (0.300 %)",
            "mean 12.3 us   median 11.0 us   99 % 50.0 us",
            "q ends",
        ] {
            assert_shows(&screen, part);
        }
    }

    /// A campaign that has found so many things.
    fn campaign(found: u32) -> View {
        let mut view = View::new("a to b".into());
        view.push(progress(1.5e6, 3));
        let campaign = view.campaign();
        campaign.trial = "1518 bytes, trial 3 at 12.500 %".into();
        campaign.last = Some("1518 bytes, trial 2 at 25.000 %: sent 203186 at 25.000 %, lost 7".into());
        campaign.found.extend((0..found).map(|number| format!("finding {number}.")));
        view
    }

    #[test]
    fn a_campaign_shows_its_trial_the_last_one_and_what_it_has_found() {
        let (columns, rows) = SMALLEST_WITH_CAMPAIGN;
        let screen = drawn(&campaign(1), columns, rows);
        for part in [
            "1518 bytes, trial 3 at 12.500 %",
            "1518 bytes, trial 2 at 25.000 %: sent 203186 at 25.000 %, lost 7",
            "finding 0.",
            "1000 sent   997 received   3 missing (0.300 %)",
            "mean 12.3 us   median 11.0 us   99 % 50.0 us",
            "q ends",
        ] {
            assert_shows(&screen, part);
        }
        assert_shows(&drawn(&campaign(1), columns - 1, rows), "80 x 20 needed");
    }

    #[test]
    fn a_larger_terminal_shows_more_of_what_was_found_the_latest_before_others() {
        let (columns, rows) = SMALLEST_WITH_CAMPAIGN;
        for (more, shown) in [(0, 99..100), (4, 95..100), (30, 69..100), (200, 0..100)] {
            let screen = drawn(&campaign(100), columns, rows + more);
            let is_shown = |number: u32| screen.iter().any(|line| line.contains(&format!("│finding {number}.")));
            assert!((0..100).all(|number| is_shown(number) == shown.contains(&number)), "{more}: {screen:#?}");
        }
        // What is not needed is left to the rates.
        let rows_of = |found: u32| drawn(&campaign(found), 80, 60).iter().position(|line| line.contains("sent:"));
        assert_eq!((rows_of(0), rows_of(1), rows_of(3)), (Some(5), Some(5), Some(7)));
    }

    #[test]
    fn rates_are_bars_on_one_scale_the_latest_at_the_right() {
        let mut view = View::new(String::new());
        (0..200).for_each(|_| view.push(progress(1000.0, 0)));
        view.push(progress(0.0, 0));
        let screen = drawn(&view, 80, 24);
        let full: Vec<&String> = screen.iter().filter(|line| line.contains("██████████")).collect();
        // Received is half of sent: its upper half is empty.
        let rows = |title: &str| screen.iter().position(|line| line.contains(title)).expect("a title");
        let height = rows("received:") - rows("sent:") - 2;
        assert!(full.len() > height && full.len() < 2 * height, "{screen:#?}");
        assert!(full.iter().all(|line| line.ends_with("█ │")), "the last bar is 0: {screen:#?}");
    }

    #[test]
    fn a_terminal_that_is_too_small_says_how_large_it_must_be() {
        let view = View::new("a to b".into());
        for (columns, rows) in [(59, 16), (60, 15), (20, 2)] {
            let screen = drawn(&view, columns, rows);
            assert_shows(&screen, "60 x 16 needed");
            assert_shows(&screen, &format!("{columns} x {rows} is here"));
        }
        // Nothing fits here; it must not panic.
        drawn(&view, 1, 1);
    }

    #[test]
    fn before_the_first_progress_there_are_no_figures() {
        assert_shows(&drawn(&View::new("a to b".into()), 80, 24), "none yet");
    }

    #[test]
    fn no_more_rates_are_kept_than_can_be_shown() {
        let mut view = View::new(String::new());
        (0..2 * KEPT).for_each(|_| view.push(progress(1.0, 0)));
        assert_eq!((view.sent.len(), view.received.len()), (KEPT, KEPT));
    }

    #[test]
    fn numbers_have_the_prefix_of_their_size() {
        for (number, text) in
            [(0.0, "0.000 "), (999.0, "999.000 "), (1500.0, "1.500 k"), (14.88e6, "14.880 M"), (1e10, "10.000 G")]
        {
            assert_eq!(si(number), text);
        }
    }
}
