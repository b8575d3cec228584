//! The origin of a request, as far as wrong registration keys are counted.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

/// An IPv4 address, or the /48 of an IPv6 address: a /48 is given to one site (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceAddress(IpAddr);

impl SourceAddress {
    /// The address that counts for this one. An IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) counts as itself.
    #[must_use]
    pub const fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
            address @ IpAddr::V4(_) => address,
        })
    }

    /// The address in a value of CloudFront's header `CloudFront-Viewer-Address`: `ADDRESS:PORT`.
    ///
    /// An IPv6 address may stand in brackets; CloudFront writes none. Source: Amazon CloudFront Developer Guide, "Add
    /// CloudFront request headers".
    #[must_use]
    pub fn of_viewer(value: &str) -> Option<Self> {
        let (address, port) = value.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = match bare {
            Some(address) => IpAddr::V6(address.parse().ok()?),
            None => address.parse().ok()?,
        };
        Some(Self::new(address))
    }

    /// The IPv4 address, or the first address of the /48.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_site_count_as_one() {
        for (address, counted) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:7:1::1", "2001:db8:7::"),
            ("2001:db8:7:ffff:ffff:ffff:ffff:ffff", "2001:db8:7::"),
            ("2001:db8:8::", "2001:db8:8::"),
        ] {
            assert_eq!(SourceAddress::new(address.parse().unwrap()).to_string(), counted, "{address}");
        }
    }

    #[test]
    fn a_viewer_s_address_is_read_without_its_port() {
        for (value, counted) in [
            ("198.51.100.10:46532", "198.51.100.10"),
            ("198.51.100.10:0", "198.51.100.10"),
            ("2001:db8:7:1:0:0:0:1:46532", "2001:db8:7::"),
            ("2001:db8:7::1:46532", "2001:db8:7::"),
            ("[2001:db8:7::1]:46532", "2001:db8:7::"),
            ("::ffff:192.0.2.1:443", "192.0.2.1"),
        ] {
            assert_eq!(SourceAddress::of_viewer(value).map(|source| source.to_string()).as_deref(), Some(counted));
        }
    }

    #[test]
    fn what_is_not_an_address_and_a_port_is_not_a_viewer_s_address() {
        for value in [
            "",
            ":",
            "198.51.100.10",
            "198.51.100.10:",
            ":46532",
            "198.51.100.10:65536",
            "198.51.100.10:-1",
            " 198.51.100.10:46532",
            "198.51.100.10:46532,203.0.113.1:1",
            "198.51.100:46532",
            "[198.51.100.10]:46532",
            "[2001:db8::1]",
            "[2001:db8::1:46532",
            "2001:db8:0:0:0:0:0:1",
            "api.example.com:443",
        ] {
            assert_eq!(SourceAddress::of_viewer(value), None, "{value}");
        }
    }
}
