//! Where and when something was measured: figures mean nothing without it.

use std::fs;
use std::time::SystemTime;

use gannet_apps::cores;
use gannet_apps::port_name::PortName;
use serde::Serialize;

/// Program, time and machine.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Site {
    pub(super) program: String,
    /// UTC.
    pub(super) date: String,
    /// The port that sends, the port that receives.
    pub(super) ports: Vec<String>,
    pub(super) processor: String,
    /// That the program may use.
    pub(super) cores: usize,
    pub(super) kernel: String,
}

impl Site {
    /// This program, now, on this machine.
    pub(super) fn here(ports: &[PortName]) -> Site {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Site {
            program: concat!("pktgen ", env!("CARGO_PKG_VERSION")).to_owned(),
            date: date(since_1970.as_secs()),
            ports: ports.iter().map(ToString::to_string).collect(),
            processor: processor().unwrap_or_else(|| "unknown processor".to_owned()),
            cores: cores::available().map_or(0, |cores| cores.len()),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

/// The name that the processor gives itself.
fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Seconds since 1970 as a date and time of UTC.
fn date(seconds: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02} {:02}:{:02} UTC", month + 1, days + 1, time / 3600, time / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn this_machine_is_named() {
        let site = Site::here(&["sim:ixgbe,peer=echo".parse().unwrap()]);
        assert_eq!(site.ports, ["sim:ixgbe,peer=echo"]);
        assert!(site.program.starts_with("pktgen ") && site.cores > 0 && !site.kernel.is_empty(), "{site:?}");
    }
}
