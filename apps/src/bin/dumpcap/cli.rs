//! The command line.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Parser;
use gannet_apps::capture::{MAX_SNAPLEN, Ways};
use gannet_apps::values::seconds;

use crate::filter::{self, Filter};

/// Captures the packets of a running Gannet program into a pcapng file.
///
/// The program is not restarted, and does not wait: its cores copy each packet, and what cannot be written as fast is lost to the capture,
/// counted, and not to the program. Captures until Ctrl-C, or until the program ends.
///
/// Exit status: 0 if everything was captured, 1 if packets were lost or could not be written or the program was killed, 2 if it could not run.
#[derive(Debug, Parser)]
#[command(version, after_help = filter::HELP, after_long_help = format!("{}\n\n{EXAMPLES}", filter::HELP))]
pub(crate) struct Arguments {
    /// The program: its name, its process number, or the path of its control socket [default: the only one that runs].
    #[arg(value_name = "PROGRAM|PID|SOCKET")]
    pub(crate) target: Option<String>,

    /// Capture this port, by number or by name; can be given several times [default: all].
    #[arg(short, long, value_name = "PORT")]
    pub(crate) interface: Vec<String>,

    /// Capture what ports receive, what they send, or both.
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Ways::Both)]
    pub(crate) direction: Ways,

    /// Write to this file, or with "-" to the standard output.
    #[arg(short, long, value_name = "FILE|-", required_unless_present = "list")]
    pub(crate) write: Option<PathBuf>,

    /// Keep only packets that this is true of (see below).
    #[arg(short, long, value_name = "FILTER", value_parser = Filter::parse)]
    pub(crate) filter: Option<Filter>,

    /// Keep only so many bytes of each packet.
    #[arg(short, long, value_name = "BYTES", default_value_t = MAX_SNAPLEN, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SNAPLEN)))]
    pub(crate) snaplen: u32,

    /// End after so many packets.
    #[arg(short, long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) duration: Option<Duration>,

    /// Begin a new file when one is this large: FILE_00001, FILE_00002 and so on.
    #[arg(long, value_name = "KIB", value_parser = clap::value_parser!(u64).range(1..=u64::MAX >> 10))]
    pub(crate) file_size: Option<u64>,

    /// Keep the last so many files, and remove older ones.
    #[arg(long, value_name = "NUMBER", requires = "file_size", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) files: Option<u64>,

    /// List the programs that can be captured and their ports, and end.
    #[arg(long)]
    pub(crate) list: bool,

    /// Print the report, or the list, as JSON, and no progress. (The report goes to the standard output, or to the standard error if the
    /// capture is there.)
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  dumpcap --list
      the programs that are running, and their ports
  dumpcap -w all.pcapng
      everything that the only program running receives and sends
  dumpcap l2fwd -i 0 --direction rx -w in.pcapng -c 1000
      the next thousand packets that port 0 of l2fwd receives
  dumpcap -w - -f 'tcp port 80 or arp' | tshark -r -
      some of it, to look at while it comes
  dumpcap -w ring.pcapng --file-size 10240 --files 5
      the last 50 MiB, until Ctrl-C";

impl Arguments {
    /// Checks what clap does not know.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.writes_to_stdout() {
            ensure!(self.file_size.is_none(), "--file-size: the standard output is one file: give --write a name");
            if stdout().is_terminal() {
                bail!("--write -: a capture is nothing for a terminal: pipe it into a program, or give a file's name");
            }
        }
        Ok(())
    }

    /// Where to write.
    pub(crate) fn write(&self) -> &Path {
        // Clap has seen to it that there is one.
        self.write.as_deref().unwrap_or(Path::new("-"))
    }

    pub(crate) fn writes_to_stdout(&self) -> bool {
        self.write() == "-"
    }
}
