//! Which addresses deliveries may go to. A table, and no way around it: addresses inside of addresses are taken out first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is, as a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Anybody's.
    Public,
    /// Of this host or a network around it: only if the operator says so.
    Private,
    /// Nobody's, or of a service that tells secrets to whoever asks: never.
    Forbidden,
}

/// Blocks of IPv4 that are not public: first address, length of the prefix, what it is.
const V4: [(Ipv4Addr, u32, Scope); 20] = [
    // These services of clouds answer every process of the host; two of them stand in ranges that are private or public.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Scope::Forbidden),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Scope::Forbidden),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Scope::Forbidden),
    // RFC 6890 and the registry that it began.
    (Ipv4Addr::new(0, 0, 0, 0), 8, Scope::Forbidden),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Scope::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Scope::Private),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Scope::Private),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Scope::Private),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Scope::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Scope::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(192, 31, 196, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Scope::Forbidden),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Scope::Forbidden),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Scope::Forbidden),
];

/// Blocks of IPv6. What is in none of them is public in `2000::/3`, and forbidden elsewhere, as `::/96` and `64:ff9b:1::/48` are.
const V6: [(Ipv6Addr, u32, Scope); 8] = [
    // Services of clouds again.
    (Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), 128, Scope::Forbidden),
    (Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254), 128, Scope::Forbidden),
    (Ipv6Addr::LOCALHOST, 128, Scope::Private),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Scope::Private),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32, Scope::Forbidden),
    // RFC 6890: protocol assignments (ORCHID, benchmarking); Teredo is taken apart before.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Scope::Forbidden),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Scope::Forbidden),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, Scope::Forbidden),
];

/// What an address is.
#[must_use]
pub fn scope(address: IpAddr) -> Scope {
    match address {
        IpAddr::V4(address) => scope_v4(address),
        IpAddr::V6(address) => scope_v6(address),
    }
}

fn scope_v4(address: Ipv4Addr) -> Scope {
    let is_in = |(first, bits, _): &&(Ipv4Addr, u32, Scope)| {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        address.to_bits() & mask == first.to_bits()
    };
    V4.iter().find(is_in).map_or(Scope::Public, |it| it.2)
}

fn scope_v6(address: Ipv6Addr) -> Scope {
    if let Some(inner) = inner_v4(address) {
        return scope_v4(inner);
    }
    if is_teredo(address) {
        return teredo(address);
    }
    let is_in = |(first, bits, _): &&(Ipv6Addr, u32, Scope)| {
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        address.to_bits() & mask == first.to_bits()
    };
    let is_global = address.to_bits() >> 125 == 1;
    let elsewhere = if is_global { Scope::Public } else { Scope::Forbidden };
    V6.iter().find(is_in).map_or(elsewhere, |it| it.2)
}

/// The IPv4 address that an IPv6 address is a form of, or a way to.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    let low = Ipv4Addr::from_bits(u32::try_from(bits & u128::from(u32::MAX)).ok()?);
    match address.segments() {
        // RFC 4291 §2.5.5.2 (mapped), RFC 6052 §2.1 (NAT64).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low),
        // RFC 3056 §2 (6to4).
        [0x2002, high, next, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(next)))
        }
        _ => None,
    }
}

fn is_teredo(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    (first, second) == (0x2001, 0)
}

/// RFC 4380 §4: a server, and a client with its bits inverted. Both must be public.
fn teredo(address: Ipv6Addr) -> Scope {
    let [_, _, high, next, _, _, client_high, client_next] = address.segments();
    let v4 = |high: u16, next: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(next));
    let both = [scope_v4(v4(high, next)), scope_v4(v4(!client_high, !client_next))];
    if both == [Scope::Public; 2] { Scope::Public } else { Scope::Forbidden }
}
