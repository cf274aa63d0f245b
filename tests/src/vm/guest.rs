//! Commands in the guest: over two virtio serial ports, which `init.sh` serves.

use std::error::Error;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest wait for a command that says nothing else. Emulated programs take their time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a killed command may take to end.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// The guest does not even kill a command: its kernel no longer runs programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hung;

impl Error for Hung {}

impl fmt::Display for Hung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the guest hangs")
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit code; 128 and the signal's number if it was killed.
    pub status: i32,
    /// What it printed, on both outputs.
    pub text: String,
}

/// The guest's side of a running machine.
#[derive(Debug)]
pub struct Guest {
    channel: UnixStream,
    killer: UnixStream,
    received: Vec<u8>,
    commands: u32,
    processes: u32,
}

impl Guest {
    /// Waits until the guest serves commands.
    pub(super) fn connect(channel: UnixStream, killer: UnixStream, limit: Duration) -> Result<Guest> {
        let mut guest = Guest { channel, killer, received: Vec::new(), commands: 0, processes: 0 };
        let deadline = Instant::now() + limit;
        let line = loop {
            if let Some(end) = guest.received.iter().position(|byte| *byte == b'\n') {
                break String::from_utf8_lossy(&guest.received.drain(..=end).collect::<Vec<u8>>())
                    .trim_end()
                    .to_owned();
            }
            match guest.receive(deadline)? {
                Received::Bytes => {}
                Received::Nothing => bail!("the guest has not booted within {limit:?}"),
            }
        };
        match line.as_str() {
            "ready" => Ok(guest),
            problem => bail!("the guest cannot set itself up: {problem}"),
        }
    }

    /// Runs a shell command to its end.
    ///
    /// # Errors
    /// If it takes longer than [`PATIENCE`] (it is then killed, or else the guest has [`Hung`]), or the guest is gone. That a
    /// command failed is told by the status.
    pub fn run(&mut self, command: &str) -> Result<Output> {
        self.run_within(command, PATIENCE)
    }

    /// Runs a shell command to its end, which must come within `limit`.
    ///
    /// # Errors
    /// As of [`run`](Guest::run).
    pub fn run_within(&mut self, command: &str, limit: Duration) -> Result<Output> {
        let mut text = Vec::new();
        let status = self.stream(command, limit, &mut text)?;
        Ok(Output { status, text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// Runs a shell command that must succeed. Returns what it printed.
    ///
    /// # Errors
    /// If its status is not zero, with what it printed; else as of [`run`](Guest::run).
    pub fn expect_ok(&mut self, command: &str) -> Result<String> {
        let Output { status, text } = self.run(command)?;
        if status != 0 {
            bail!("`{command}` in the guest ended with status {status}:\n{}", text.trim_end());
        }
        Ok(text)
    }

    /// Runs a shell command and passes on what it prints as it comes. Returns its status.
    ///
    /// # Errors
    /// As of [`run`](Guest::run), and if `to` cannot be written.
    pub fn stream(&mut self, command: &str, limit: Duration, to: &mut impl Write) -> Result<i32> {
        self.commands += 1;
        let number = self.commands;
        let escaped = command.replace('\\', r"\\").replace('\n', r"\n");
        writeln!(self.channel, "{number} {escaped}").context("the guest takes no command: it has ended")?;
        match self.collect(number, Instant::now() + limit, to)? {
            Some(status) => Ok(status),
            None => {
                writeln!(self.killer, "{number}").context("the guest has ended")?;
                let ended = self.collect(number, Instant::now() + KILL_PATIENCE, to)?;
                let late = format!("`{command}` in the guest took longer than {limit:?}");
                ended.context(Hung).with_context(|| format!("{late}, and cannot be killed"))?;
                bail!("{late}, and was killed")
            }
        }
    }

    /// Starts a shell command in the background. It runs until it ends, [`Guest::kill`], or the end of the machine.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn spawn(&mut self, command: &str) -> Result<Process> {
        self.processes += 1;
        let place = format!("/run/lab/process{}", self.processes);
        // The shell around the command outlives the signals that are meant for it, and notes the status: whole or not at all.
        let script = format!(
            "trap : INT TERM HUP QUIT USR1 USR2\n\
             sh -c \"$(cat {place}.command)\"\n\
             echo $? >{place}.part; mv {place}.part {place}.status"
        );
        // bash's job control gives a process group, and SIGINT as it is by default; dash's `&` would have it ignored.
        let start = format!("bash -c 'set -m; sh {place}.script </dev/null >{place}.log 2>&1 & echo $!'");
        let script = format!(
            "cat >{place}.command <<'end of process'\n{command}\nend of process\n\
             cat >{place}.script <<'end of process'\n{script}\nend of process\n{start}"
        );
        let answer = self.expect_ok(&script)?;
        let id = answer.trim().parse().with_context(|| format!("no process id: {answer}"))?;
        Ok(Process { command: command.to_owned(), id, place })
    }

    /// What a background process has printed so far.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn log(&mut self, process: &Process) -> Result<String> {
        self.expect_ok(&format!("cat {}", process.log_file()))
    }

    /// Sends a signal (`INT`, `TERM`, ...) to a background process.
    ///
    /// # Errors
    /// If it has ended.
    pub fn signal(&mut self, process: &Process, signal: &str) -> Result<()> {
        self.expect_ok(&format!("kill -s {signal} -- -{}", process.id)).map(drop)
    }

    /// Kills a background process and all its children, at once.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn kill(&mut self, process: &Process) -> Result<()> {
        self.run(&format!("kill -s KILL -- -{}", process.id)).map(drop)
    }

    /// Waits for a background process to end.
    ///
    /// # Errors
    /// If it does not within `limit`, with what it has printed.
    pub fn wait(&mut self, process: &Process, limit: Duration) -> Result<Output> {
        let place = &process.place;
        let tenths = limit.as_millis().div_ceil(100);
        let wait =
            format!("n=0; until [ -f {place}.status ]; do [ $n -lt {tenths} ] || exit 1; n=$((n+1)); sleep 0.1; done");
        let Output { status, .. } = self.run_within(&wait, limit * 2 + PATIENCE)?;
        let text = self.log(process)?;
        if status != 0 {
            bail!("`{}` in the guest has not ended within {limit:?}; it printed:\n{text}", process.command);
        }
        let status = self.expect_ok(&format!("cat {place}.status"))?;
        Ok(Output { status: status.trim().parse().with_context(|| format!("no status: {status}"))?, text })
    }

    /// Waits until a shell command succeeds, trying it again and again. Returns what it printed then.
    ///
    /// # Errors
    /// If it still fails after `limit`, with what it printed last.
    pub fn wait_until(&mut self, command: &str, limit: Duration) -> Result<String> {
        let start = Instant::now();
        loop {
            let Output { status, text } = self.run(command)?;
            if status == 0 {
                return Ok(text);
            }
            if start.elapsed() >= limit {
                bail!("waited {limit:?} in the guest for `{command}`:\n{}", text.trim_end());
            }
        }
    }

    /// The kernel's log.
    ///
    /// # Errors
    /// If the guest is gone.
    pub fn dmesg(&mut self) -> Result<String> {
        self.expect_ok("dmesg")
    }

    /// Copies what a command of the guest wrote to a file of the host.
    ///
    /// # Errors
    /// If the guest has no such file, or the host's cannot be written.
    pub fn copy_out(&mut self, from: &str, to: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        let status = self.stream(&format!("cat {from}"), PATIENCE, &mut bytes)?;
        if status != 0 {
            bail!("the guest has no {from}: {}", String::from_utf8_lossy(&bytes).trim_end());
        }
        std::fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
    }

    /// Passes on a command's output until its end. Returns its status, or nothing when time is up.
    fn collect(&mut self, number: u32, deadline: Instant, to: &mut impl Write) -> Result<Option<i32>> {
        let mark = format!("\0lab {number} ").into_bytes();
        loop {
            let found = self.received.windows(mark.len()).position(|window| window == mark);
            // What may be the beginning of the mark waits for the rest; all else is passed on at once.
            let tail = self.received.len().saturating_sub(mark.len() - 1);
            let beginning = self.received[tail..].iter().position(|byte| *byte == mark[0]);
            let safe = found.unwrap_or(beginning.map_or(self.received.len(), |at| tail + at));
            to.write_all(&self.received[..safe]).and_then(|()| to.flush()).context("the output cannot be written")?;
            self.received.drain(..safe);
            if found.is_some()
                && let Some(end) = self.received.iter().position(|byte| *byte == b'\n')
            {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let status = String::from_utf8_lossy(&line[mark.len()..end]).parse();
                return status.map(Some).context("the guest's answer is damaged");
            }
            if let Received::Nothing = self.receive(deadline)? {
                return Ok(None);
            }
        }
    }

    /// Waits for bytes until a point in time.
    fn receive(&mut self, deadline: Instant) -> Result<Received> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Received::Nothing);
        }
        self.channel.set_read_timeout(Some(left))?;
        let mut buffer = [0; 65536];
        match self.channel.read(&mut buffer) {
            Ok(0) => bail!("the guest has ended"),
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                Ok(Received::Bytes)
            }
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(Received::Nothing),
            Err(why) => Err(why).context("the guest has ended"),
        }
    }
}

/// Whether bytes came in time.
enum Received {
    Bytes,
    Nothing,
}

/// A background process of the guest.
#[derive(Clone, Debug)]
pub struct Process {
    command: String,
    id: u32,
    place: String,
}

impl Process {
    /// The guest's file with what it prints.
    pub fn log_file(&self) -> String {
        format!("{}.log", self.place)
    }
}
