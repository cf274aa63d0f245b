//! Sizes of frames as the user names them. A size counts the FCS, as RFC 2544 and everybody else does.

use std::str::FromStr;

use anyhow::ensure;
use gannet::{FRAME_OVERHEAD, MTUS};

/// Bytes of the FCS, which cards add and take off.
pub(crate) const FCS: u16 = 4;

/// Shortest frame of Ethernet.
pub(crate) const SHORTEST: u16 = 64;

/// Longest frame of any card: that of the largest MTU, with a VLAN tag.
pub(crate) const LONGEST: u16 = *MTUS.end() + FRAME_OVERHEAD + FCS;

/// The simple Internet mix: 7 of 64 bytes, 4 of 594, 1 of 1518, spread.
const IMIX: [u16; 12] = [64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64];

/// Checks that a port with this MTU sends frames of so many bytes.
///
/// # Errors
/// It does not.
pub(crate) fn check_mtu(size: u16, mtu: u16) -> anyhow::Result<()> {
    const HEADER: u16 = 14;
    let longest = mtu + FRAME_OVERHEAD + FCS;
    ensure!(
        size <= longest,
        "--size {size}: ports with an MTU of {mtu} send frames of up to {longest} bytes: give --mtu {} or more",
        (size - HEADER - FCS).min(*MTUS.end())
    );
    Ok(())
}

/// Sizes of the frames of a stream, with FCS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// All the same.
    Fixed(u16),
    /// 7 of 64 bytes, 4 of 594, 1 of 1518, again and again.
    Imix,
    /// Each from the first to the second, again and again.
    Sweep(u16, u16),
}

impl Sizes {
    /// The shortest of them.
    pub(crate) fn shortest(self) -> u16 {
        match self {
            Sizes::Fixed(size) | Sizes::Sweep(size, _) => size,
            Sizes::Imix => 64,
        }
    }

    /// The longest of them.
    pub(crate) fn longest(self) -> u16 {
        match self {
            Sizes::Fixed(size) | Sizes::Sweep(_, size) => size,
            Sizes::Imix => 1518,
        }
    }

    /// One after the other until they repeat.
    pub(crate) fn cycle(self) -> Vec<u16> {
        match self {
            Sizes::Fixed(size) => vec![size],
            Sizes::Imix => IMIX.to_vec(),
            Sizes::Sweep(first, last) => (first..=last).collect(),
        }
    }

    /// Their mean.
    pub(crate) fn mean(self) -> f64 {
        let cycle = self.cycle();
        cycle.iter().map(|&size| f64::from(size)).sum::<f64>() / cycle.len() as f64
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Sizes, String> {
        if text == "imix" {
            return Ok(Sizes::Imix);
        }
        let size = |text: &str| match text.parse() {
            Ok(size) if (SHORTEST..=LONGEST).contains(&size) => Ok(size),
            Ok(_) => Err(format!("{text}: frames have {SHORTEST} to {LONGEST} bytes, FCS included")),
            Err(_) => Err("a size is a number of bytes, a range as in 64-1518, or imix".to_owned()),
        };
        match text.split_once('-') {
            None => size(text).map(Sizes::Fixed),
            Some((first, last)) => match (size(first)?, size(last)?) {
                (first, last) if first > last => Err(format!("{text}: the first size is above the last")),
                (first, last) => Ok(Sizes::Sweep(first, last)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!("64".parse(), Ok(Sizes::Fixed(64)));
        assert_eq!("imix".parse(), Ok(Sizes::Imix));
        assert_eq!("64-1518".parse(), Ok(Sizes::Sweep(64, 1518)));
        for text in ["", "63", "15877", "70000", "64-", "-64", "1518-64", "big", "64-63", "IMIX"] {
            assert!(text.parse::<Sizes>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_fit_the_mtu() {
        for (size, mtu) in [(64, 68), (90, 68), (1522, 1500), (9022, 9000), (LONGEST, *MTUS.end())] {
            check_mtu(size, mtu).unwrap();
        }
        for (size, mtu, needed) in [(91, 68, 73), (1523, 1500, 1505), (9018, 1500, 9000), (15_876, 9000, 15_854)] {
            let why = check_mtu(size, mtu).unwrap_err().to_string();
            assert!(why.contains(&format!("--size {size}: ")) && why.contains(&format!("--mtu {needed} ")), "{why}");
        }
    }

    #[test]
    fn a_cycle_has_what_its_name_says() {
        let imix = Sizes::Imix.cycle();
        let count = |size| imix.iter().filter(|&&other| other == size).count();
        assert_eq!((count(64), count(594), count(1518), imix.len()), (7, 4, 1, 12));
        assert_eq!(Sizes::Sweep(64, 66).cycle(), [64, 65, 66]);
        for sizes in [Sizes::Imix, Sizes::Fixed(100), Sizes::Sweep(70, 90)] {
            let cycle = sizes.cycle();
            assert_eq!(cycle.iter().min(), Some(&sizes.shortest()));
            assert_eq!(cycle.iter().max(), Some(&sizes.longest()));
        }
        assert_eq!(Sizes::Sweep(64, 66).mean(), 65.0);
    }
}
