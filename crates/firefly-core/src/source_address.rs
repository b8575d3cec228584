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
}
