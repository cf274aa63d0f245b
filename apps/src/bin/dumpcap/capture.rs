//! Captures until there is enough.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gannet_apps::capture::frame::Frame;
use gannet_apps::capture::{CaptureRequest, CapturedPort};
use gannet_apps::program::{self, Live, Show, in_words};
use gannet_apps::{cores, monitor};

use crate::cli::Arguments;
use crate::ordered::{Ordered, Packet};
use crate::output::{self, Output};
use crate::report::{Ended, PortCounts, Report};
use crate::session::{Event, Session};

/// Bytes that a filter looks at, whatever `--snaplen` says.
const FILTERED: u32 = 256;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Turns without a frame after which no more is waited for when the capture is to end: five seconds.
const FINISH_TURNS: u32 = 100;

/// A capture that is being written.
struct Capture<'a> {
    arguments: &'a Arguments,
    output: Output,
    counts: Vec<PortCounts>,
    ordered: Ordered,
    /// Packets written.
    written: u64,
    problems: Vec<String>,
}

/// Captures what the arguments ask for.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let path = monitor::find(arguments.target.as_deref())?;
    let interrupted = program::interrupted()?;
    let snaplen = if arguments.filter.is_some() { arguments.snaplen.max(FILTERED) } else { arguments.snaplen };
    // On the program's cores it must not take the program's time.
    cores::give_way();
    let request = CaptureRequest { ports: arguments.interface.clone(), ways: arguments.direction, snaplen };
    let mut session = Session::begin(&path, request)?;
    let started = Instant::now();
    session.begun.skipped.iter().for_each(|why| tracing::warn!("not captured: {why}"));
    let output = Output::create(arguments, session.begun.ports.clone())?;
    let count =
        |port: &CapturedPort| PortCounts { number: port.number, name: port.name.clone(), ..PortCounts::default() };
    let counts = session.begun.ports.iter().map(count).collect();
    let mut capture =
        Capture { arguments, output, counts, ordered: Ordered::default(), written: 0, problems: Vec::new() };
    let ended = capture
        .follow(&mut session, started, &interrupted)
        .and_then(|ended| capture.finish().map(|()| ended))
        .unwrap_or_else(|why| {
            if output::is_closed_pipe(&why) {
                return Ended::Reader;
            }
            capture.problems.push(in_words(&why));
            Ended::Failed
        });
    let files = capture.output.files().map(Into::into).collect();
    Ok(Report { ports: capture.counts, files, time: started.elapsed(), ended, problems: capture.problems })
}

impl Capture<'_> {
    /// Takes what comes until there is enough.
    fn follow(&mut self, session: &mut Session, started: Instant, interrupted: &AtomicBool) -> anyhow::Result<Ended> {
        let json = self.arguments.json;
        let mut live = Live::new(if json { Show::Nothing } else { Show::Progress });
        let mut shown = started;
        let mut ending = None;
        let mut quiet_turns = 0;
        let ended = loop {
            match session.next()? {
                Event::Frame(Frame::End, _) => break ending.unwrap_or(Ended::Program),
                Event::Closed => {
                    self.problems
                        .push("the program was gone before it had sent all packets: the last are missing".into());
                    break ending.unwrap_or(Ended::Program);
                }
                Event::Nothing => quiet_turns += 1,
                Event::Frame(frame, bytes) => {
                    quiet_turns = 0;
                    self.take(frame, bytes)?;
                    // Once a round is often enough for all else.
                    if !matches!(frame, Frame::Round { .. }) {
                        continue;
                    }
                }
            }
            if self.has_enough() {
                break Ended::Count;
            }
            if ending.is_none() {
                ending = self.why_end(started, interrupted);
                if ending.is_some() {
                    quiet_turns = 0;
                    session.finish()?;
                }
            }
            if let Some(why) = ending
                && quiet_turns >= FINISH_TURNS
            {
                self.problems.push("the program does not send the last packets: is it stopped?".into());
                break why;
            }
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                live.line(&self.progress(started));
            }
        };
        live.end();
        Ok(ended)
    }

    fn has_enough(&self) -> bool {
        self.arguments.count.is_some_and(|count| self.written >= count)
    }

    fn why_end(&self, started: Instant, interrupted: &AtomicBool) -> Option<Ended> {
        if interrupted.load(Ordering::Relaxed) {
            return Some(Ended::Interrupted);
        }
        self.arguments.duration.is_some_and(|duration| started.elapsed() >= duration).then_some(Ended::Duration)
    }

    fn take(&mut self, frame: Frame, bytes: &[u8]) -> anyhow::Result<()> {
        match frame {
            Frame::Packet { place, length, time, .. } => {
                let filter = &self.arguments.filter;
                let kept = filter.as_ref().is_none_or(|filter| filter.matches(bytes, length));
                if let Some(port) = self.counts.iter_mut().find(|port| port.number == place.port) {
                    port.seen += 1;
                    port.filtered += u64::from(!kept);
                }
                if kept {
                    self.ordered.push(&Packet { place, time, length, bytes });
                }
                Ok(())
            }
            Frame::Lost { place, total } => {
                if let Some(port) = self.counts.iter_mut().find(|port| port.number == place.port) {
                    port.lost_at.insert(place, total);
                }
                Ok(())
            }
            Frame::Round { time } => {
                let mut ordered = std::mem::take(&mut self.ordered);
                ordered.round(time, |packet| self.write(&packet))?;
                self.ordered = ordered;
                self.output.flush()
            }
            Frame::End => Ok(()),
        }
    }

    /// Writes a packet, unless there are enough.
    fn write(&mut self, packet: &Packet<'_>) -> anyhow::Result<()> {
        if self.has_enough() {
            return Ok(());
        }
        self.output.write(packet, &self.counts)?;
        self.written += 1;
        if let Some(port) = self.counts.iter_mut().find(|port| port.number == packet.place.port) {
            port.packets += 1;
            port.bytes += u64::from(packet.length);
        }
        Ok(())
    }

    /// Writes what is left.
    fn finish(&mut self) -> anyhow::Result<()> {
        let mut ordered = std::mem::take(&mut self.ordered);
        ordered.finish(|packet| self.write(&packet))?;
        self.output.finish(&self.counts)
    }

    fn progress(&self, started: Instant) -> String {
        let lost: u64 = self.counts.iter().map(PortCounts::lost).sum();
        let bytes: u64 = self.counts.iter().map(|port| port.bytes).sum();
        let seconds = started.elapsed().as_secs_f64();
        format!("{seconds:6.1} s   {} packets   {bytes} bytes   {lost} lost", self.written)
    }
}
