//! Values of header fields over the flows: one, a range, or random ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use gannet::MacAddress;
use gannet_apps::values;

use crate::random::XorShift;

/// A kind of field whose values can be counted through.
pub(crate) trait Value: Copy {
    /// Reads one.
    ///
    /// # Errors
    /// What one looks like.
    fn parse(text: &str) -> Result<Self, String>;

    fn number(self) -> u128;

    /// The value with this number, which lies between two values' of the same kind as `self`.
    fn with_number(self, number: u128) -> Self;

    /// What "random" alone stands for.
    fn all() -> (Self, Self);
}

/// A field's values, flow by flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<T> {
    first: T,
    last: T,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// From the first to the last, and again.
    Counting,
    Random,
}

impl<T: Value> Field<T> {
    /// The same for all flows.
    pub(crate) fn constant(value: T) -> Field<T> {
        Field { first: value, last: value, order: Order::Counting }
    }

    /// How many values there are, or as many as fit.
    pub(crate) fn values(&self) -> u64 {
        u64::try_from(self.last.number() - self.first.number()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// One of the values, to tell its kind.
    pub(crate) fn first(&self) -> T {
        self.first
    }

    /// The value for a flow.
    pub(crate) fn value(&self, flow: u32, random: &mut XorShift) -> T {
        let (first, span) = (self.first.number(), self.last.number() - self.first.number());
        let step = match (self.order, span.checked_add(1)) {
            (Order::Counting, Some(values)) => u128::from(flow) % values,
            (Order::Random, Some(values)) => random.wide() % values,
            // All 128 bits.
            (Order::Counting, None) => flow.into(),
            (Order::Random, None) => random.wide(),
        };
        self.first.with_number(first + step)
    }
}

impl<T: Value> FromStr for Field<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Field<T>, String> {
        if text == "random" {
            let (first, last) = T::all();
            return Ok(Field { first, last, order: Order::Random });
        }
        let (range, order) = match text.strip_prefix("random:") {
            Some(range) => (range, Order::Random),
            None => (text, Order::Counting),
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (T::parse(first)?, T::parse(last)?);
        if first.number() > last.number() {
            return Err(format!("{range}: the first is above the last"));
        }
        // Two kinds of addresses have no range between them.
        if first.with_number(last.number()).number() != last.number() {
            return Err(format!("{range}: one is IPv4, the other IPv6"));
        }
        Ok(Field { first, last, order })
    }
}

impl Value for MacAddress {
    fn parse(text: &str) -> Result<MacAddress, String> {
        values::mac_address(text)
    }

    fn number(self) -> u128 {
        self.iter().fold(0, |number, &byte| number << 8 | u128::from(byte))
    }

    fn with_number(self, number: u128) -> MacAddress {
        let [.., a, b, c, d, e, f] = number.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// Locally administered addresses of one station.
    fn all() -> (MacAddress, MacAddress) {
        ([2, 0, 0, 0, 0, 0], [2, 255, 255, 255, 255, 255])
    }
}

impl Value for IpAddr {
    fn parse(text: &str) -> Result<IpAddr, String> {
        text.parse().map_err(|_| format!("{text:?} is no IP address, as in 198.18.0.1 or 2001:db8::1"))
    }

    fn number(self) -> u128 {
        match self {
            IpAddr::V4(address) => u32::from(address).into(),
            IpAddr::V6(address) => address.into(),
        }
    }

    fn with_number(self, number: u128) -> IpAddr {
        match self {
            IpAddr::V4(_) => Ipv4Addr::from(number as u32).into(),
            IpAddr::V6(_) => Ipv6Addr::from(number).into(),
        }
    }

    /// The addresses that RFC 2544 gives to tests (appendix C.2.2): 198.18.0.0/15.
    fn all() -> (IpAddr, IpAddr) {
        (Ipv4Addr::new(198, 18, 0, 0).into(), Ipv4Addr::new(198, 19, 255, 255).into())
    }
}

impl Value for u16 {
    fn parse(text: &str) -> Result<u16, String> {
        text.parse().map_err(|_| format!("{text:?} is no port, 0 to 65535"))
    }

    fn number(self) -> u128 {
        self.into()
    }

    fn with_number(self, number: u128) -> u16 {
        number as u16
    }

    fn all() -> (u16, u16) {
        (1, u16::MAX)
    }
}

/// Number of a VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vlan(pub(crate) u16);

impl Value for Vlan {
    fn parse(text: &str) -> Result<Vlan, String> {
        match text.parse() {
            Ok(number) if number <= 4094 => Ok(Vlan(number)),
            _ => Err(format!("{text:?} is no VLAN, 0 to 4094")),
        }
    }

    fn number(self) -> u128 {
        self.0.into()
    }

    fn with_number(self, number: u128) -> Vlan {
        Vlan(number as u16)
    }

    fn all() -> (Vlan, Vlan) {
        (Vlan(1), Vlan(4094))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<T: Value>(text: &str, flows: u32) -> Vec<T> {
        let field: Field<T> = text.parse().unwrap();
        let mut random = XorShift::new(7);
        (0..flows).map(|flow| field.value(flow, &mut random)).collect()
    }

    #[test]
    fn a_range_is_counted_through_again_and_again() {
        assert_eq!(values::<u16>("9", 3), [9, 9, 9]);
        assert_eq!(values::<u16>("5-7", 5), [5, 6, 7, 5, 6]);
        assert_eq!(values::<Vlan>("4093-4094", 3), [Vlan(4093), Vlan(4094), Vlan(4093)]);
        let addresses = ["198.51.100.255", "198.51.101.0"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(values::<IpAddr>("198.51.100.255-198.51.101.1", 2), addresses);
        assert_eq!(values::<IpAddr>("2001:db8::f-2001:db8::10", 2)[1], "2001:db8::10".parse::<IpAddr>().unwrap());
        assert_eq!(values::<MacAddress>("02:00:00:00:00:ff-02:00:00:00:01:00", 2)[1], [2, 0, 0, 0, 1, 0]);
        assert_eq!(
            values::<IpAddr>("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2)[1],
            "::1".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn random_values_stay_in_their_range() {
        let ports = values::<u16>("random:1000-1009", 1000);
        assert!((1000..1010).all(|port| ports.contains(&port)), "{ports:?}");
        assert!(ports.iter().all(|port| (1000..1010).contains(port)), "{ports:?}");
        assert!(values::<MacAddress>("random", 100).iter().all(|mac| mac[0] == 2));
        assert!(values::<Vlan>("random", 100).iter().all(|vlan| (1..=4094).contains(&vlan.0)));
        for address in values::<IpAddr>("random", 100) {
            assert!(address.to_string().starts_with("198.1"), "{address}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for text in ["", "x", "65536", "9-5", "random:", "1-", "randomly"] {
            assert!(text.parse::<Field<u16>>().is_err(), "{text}");
        }
        for text in ["4095", "-1"] {
            assert!(text.parse::<Field<Vlan>>().is_err(), "{text}");
        }
        for text in ["02:00:00:00:00", "02:00:00:00:00:00:00", "2:0:0:0:0:1", "zz:00:00:00:00:00", "+2:00:00:00:00:00"]
        {
            assert!(text.parse::<Field<MacAddress>>().is_err(), "{text}");
        }
        for text in ["198.51.100", "198.51.100.1-2001:db8::1", "2001:db8::1-198.51.100.1", "198.51.100.256"] {
            assert!(text.parse::<Field<IpAddr>>().is_err(), "{text}");
        }
    }
}
