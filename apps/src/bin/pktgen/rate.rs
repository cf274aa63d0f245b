//! Rates as the user names them: packets a second, bits on the wire, a share of the link's speed.

use std::str::FromStr;

/// Bytes that a frame without FCS takes on the wire besides its own: preamble and start 8, FCS 4, gap 12. RFC 2544 counts them all.
pub(crate) const WIRE_OVERHEAD: usize = 24;

/// How fast to send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rate {
    /// Frames a second.
    Packets(f64),
    /// Bits a second on the wire.
    Bits(f64),
    /// Per cent of the link's speed.
    Percent(f64),
    /// As fast as the card takes frames.
    Max,
}

/// Time that a frame takes at a rate: a part for each frame and a part for each of its bytes on the wire. One of the two is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) frame_ns: f64,
    pub(crate) byte_ns: f64,
}

impl Rate {
    /// What a frame costs on a link of `line_bits` a second; `None` for [`Rate::Max`].
    pub(crate) fn cost(self, line_bits: u64) -> Option<Cost> {
        let by_frames = self.pps().map(|pps| Cost { frame_ns: 1e9 / pps, byte_ns: 0.0 });
        by_frames.or_else(|| self.bits(line_bits).map(|bits| Cost { frame_ns: 0.0, byte_ns: 8e9 / bits }))
    }

    /// Frames a second, if that is what it says.
    pub(crate) fn pps(self) -> Option<f64> {
        match self {
            Rate::Packets(pps) => Some(pps),
            Rate::Bits(_) | Rate::Percent(_) | Rate::Max => None,
        }
    }

    /// Bits a second on a link of `line_bits` a second, if that is what it says.
    pub(crate) fn bits(self, line_bits: u64) -> Option<f64> {
        match self {
            Rate::Bits(bits) => Some(bits),
            Rate::Percent(percent) => Some(line_bits as f64 * percent / 100.0),
            Rate::Packets(_) | Rate::Max => None,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        const NEEDED: &str = "a rate is a number with its unit, as in 500kpps, 1.5Mpps, 200Mbps, 2Gbps or 10%, or max";
        if text == "max" {
            return Ok(Rate::Max);
        }
        let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(NEEDED)?;
        let (number, unit) = text.split_at(unit);
        let number: f64 = number.parse().map_err(|_| NEEDED)?;
        if number <= 0.0 {
            return Err("a rate is above 0".into());
        }
        Ok(match unit {
            "pps" => Rate::Packets(number),
            "kpps" => Rate::Packets(number * 1e3),
            "Mpps" => Rate::Packets(number * 1e6),
            "bps" => Rate::Bits(number),
            "kbps" => Rate::Bits(number * 1e3),
            "Mbps" => Rate::Bits(number * 1e6),
            "Gbps" => Rate::Bits(number * 1e9),
            "%" if number > 100.0 => return Err("a link carries 100% at most".into()),
            "%" => Rate::Percent(number),
            _ => return Err(NEEDED.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_their_units() {
        for (text, rate) in [
            ("1pps", Rate::Packets(1.0)),
            ("500kpps", Rate::Packets(500e3)),
            ("1.5Mpps", Rate::Packets(1.5e6)),
            ("64000bps", Rate::Bits(64e3)),
            ("200Mbps", Rate::Bits(200e6)),
            ("2Gbps", Rate::Bits(2e9)),
            ("0.5%", Rate::Percent(0.5)),
            ("100%", Rate::Percent(100.0)),
            ("max", Rate::Max),
        ] {
            assert_eq!(text.parse(), Ok(rate), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in
            ["", "10", "10x", "Mpps", "-1Mpps", "1.2.3Mpps", "0pps", "101%", "1mpps", "maximum", "1e3pps", "NaN%"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    /// RFC 2544, section 20, and the field's best known number: 64-byte frames on 10 Gb/s are 14.88 million a second.
    #[test]
    fn bits_count_all_of_the_wire() {
        let pps = |rate: Rate, line_bits| {
            let Cost { frame_ns, byte_ns } = rate.cost(line_bits).unwrap();
            1e9 / (frame_ns + byte_ns * (60 + WIRE_OVERHEAD) as f64)
        };
        assert!((pps(Rate::Percent(100.0), 10_000_000_000) - 14_880_952.0).abs() < 1.0);
        assert!((pps(Rate::Bits(1e9), 0) - 1_488_095.0).abs() < 1.0);
        assert_eq!(pps(Rate::Packets(5.0), 0), 5.0);
        assert_eq!(Rate::Max.cost(10), None);
    }
}
