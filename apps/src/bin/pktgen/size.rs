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

/// Checks that frames of so many bytes, which an option asks for, go through ports with this MTU: with a VLAN tag they have 4 bytes more.
///
/// # Errors
/// They do not.
pub(crate) fn check_mtu(option: &str, size: u16, is_tagged: bool, mtu: u16) -> anyhow::Result<()> {
    const TAG: u16 = 4;
    let (how, overhead) =
        if is_tagged { ("with", FRAME_OVERHEAD + FCS) } else { ("without", FRAME_OVERHEAD - TAG + FCS) };
    let most = MTUS.end() + overhead;
    ensure!(size <= most, "{option} {size}: frames {how} a VLAN tag have up to {most} bytes");
    ensure!(
        size <= mtu + overhead,
        "{option} {size}: ports with an MTU of {mtu} take frames of up to {} bytes {how} a VLAN tag: give --mtu {} or more",
        mtu + overhead,
        size - overhead
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
        let largest = *MTUS.end();
        for (size, mtu) in [(64, 68), (86, 68), (1518, 1500), (9018, 9000), (LONGEST - 4, largest)] {
            check_mtu("--size", size, false, mtu).unwrap();
            check_mtu("--size", size + 4, true, mtu).unwrap();
        }
        for (size, mtu, needed) in [(87, 68, 69), (1519, 1500, 1501), (9018, 1500, 9000), (15_872, 9000, 15_854)] {
            for (size, is_tagged) in [(size, false), (size + 4, true)] {
                let why = check_mtu("--sizes", size, is_tagged, mtu).unwrap_err().to_string();
                assert!(why.contains(&format!("--sizes {size}: ")), "{why}");
                assert!(why.contains(&format!("--mtu {needed} ")), "{why}");
            }
        }
        let why = check_mtu("--size", LONGEST, false, largest).unwrap_err().to_string();
        assert!(why.contains("up to 15872 bytes") && !why.contains("--mtu"), "{why}");
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
    }
}
