//! Values as people write them, on command lines and at prompts.

use std::time::Duration;

use gannet::MacAddress;

/// A time above 0 in seconds, as in 2 or 0.5.
///
/// # Errors
/// What is needed.
pub fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>().map(Duration::try_from_secs_f64) {
        Ok(Ok(time)) if !time.is_zero() => Ok(time),
        _ => Err("a number of seconds above 0 is expected".into()),
    }
}

/// A time with its unit, as in 60s or 500ms, or in seconds. It may be 0.
///
/// # Errors
/// What is needed.
pub fn time(text: &str) -> Result<Duration, String> {
    let (number, factor) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1e-3),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok().and_then(|number| Duration::try_from_secs_f64(number * factor).ok());
    seconds.ok_or_else(|| "a time is a number of seconds, as in 2, 60s or 500ms".to_owned())
}

/// A MAC address: six bytes of two hexadecimal digits each, as in 02:00:00:00:00:01.
///
/// # Errors
/// What is needed.
pub fn mac_address(text: &str) -> Result<MacAddress, String> {
    let bad = || format!("{text:?} is no MAC address, as in 02:00:00:00:00:01");
    let mut bytes = MacAddress::default();
    let mut parts = text.split(':');
    for byte in &mut bytes {
        let hex = |part: &&str| part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        let part = parts.next().filter(hex).ok_or_else(bad)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
    }
    if parts.next().is_some() { Err(bad()) } else { Ok(bytes) }
}

/// The one of `names` that `word` is most like, if it is at all: the beginning of it, or at most a third of its letters are others.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| match name.starts_with(word) {
        true => 0,
        false => strsim::damerau_levenshtein(word, name),
    };
    let near = names.map(|name| (distance(name), name)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, name)| distance * 3 <= name.len().max(3)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_above_nothing_and_end() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "0", "-1", "inf", "nan", "1e300", "1s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_may_have_units() {
        for (text, milliseconds) in [("2", 2000), ("0.5s", 500), ("250ms", 250), ("0", 0)] {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "s", "ms", "-1s", "inf", "nan", "1e300", "1m"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_have_six_bytes() {
        assert_eq!(mac_address("02:00:5e:00:53:Ff"), Ok([0x02, 0, 0x5E, 0, 0x53, 0xFF]));
        for wrong in [
            "",
            "02",
            "02:00:5e:00:53",
            "02:00:5e:00:53:ff:00",
            "2:00:5e:00:53:ff",
            "02-00-5e-00-53-ff",
            "002:0:5e:00:53:ff",
            "02:00:5e:00:53:fg",
            "+2:00:5e:00:53:ff",
        ] {
            assert!(mac_address(wrong).is_err(), "{wrong}");
        }
    }
}
