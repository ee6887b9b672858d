//! The listening socket of one core. Several cores, and so several sockets, share one address.

use std::io;
use std::mem::size_of;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::start::StartError;

const BACKLOG: i32 = 4096;
#[expect(clippy::cast_possible_truncation, reason = "a small constant that C types in two ways")]
const AF_INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
#[expect(clippy::cast_possible_truncation, reason = "a small constant that C types in two ways")]
const AF_INET6: libc::sa_family_t = libc::AF_INET6 as libc::sa_family_t;

/// Listens on `address` with `SO_REUSEPORT`, so that the kernel spreads connections over the cores. It takes at most so many
/// bytes of a connection that it cannot send yet; without that bound it takes megabytes for a peer that does not read.
pub(super) fn listen(
    address: SocketAddr,
    unsent_bytes_max: u32,
) -> Result<TcpListener, StartError> {
    open(address, unsent_bytes_max).map_err(|cause| StartError::Listen { address, cause })
}

/// Sees that nobody listens on `address` yet. `listen` cannot: with `SO_REUSEPORT` it would share the port with another
/// node of the same user, and each would get a part of the clients.
///
/// # Errors
/// When the address is taken, or cannot be had at all.
pub fn claim(address: SocketAddr) -> Result<(), StartError> {
    let tried = socket_for(address).and_then(|it| bind(&it, address).and_then(|()| start(&it)));
    tried.map_err(|cause| StartError::Listen { address, cause })
}

fn socket_for(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = socket(family)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    Ok(socket)
}

fn open(address: SocketAddr, unsent_bytes_max: u32) -> io::Result<TcpListener> {
    let socket = socket_for(address)?;
    set(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    // Accepted sockets inherit these; as direct descriptors they have no number to set them on.
    set(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    let unsent_bytes_max = i32::try_from(unsent_bytes_max).unwrap_or(i32::MAX);
    set(&socket, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, unsent_bytes_max)?;
    bind(&socket, address)?;
    start(&socket)?;
    Ok(TcpListener::from(socket))
}

fn answer(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[expect(clippy::cast_possible_truncation, reason = "sizes of two small C types")]
const fn length<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

#[expect(unsafe_code, reason = "std cannot make a socket without binding it")]
fn socket(family: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let made = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    let number = answer(made)?;
    // SAFETY: the call above just made it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[expect(unsafe_code, reason = "std has no such option")]
fn set(socket: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    let at = (&raw const value).cast();
    // SAFETY: `at` points to an `i32` that lives through the call, and the length is that of an `i32`.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, at, length::<i32>()) };
    answer(result).map(|_| ())
}

#[expect(unsafe_code, reason = "std cannot bind a socket that exists")]
fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let number = socket.as_raw_fd();
    let result = match address {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: AF_INET,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            let len = length::<libc::sockaddr_in>();
            // SAFETY: `name` is a whole IPv4 socket address that lives through the call.
            unsafe { libc::bind(number, (&raw const name).cast(), len) }
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: AF_INET6,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            let len = length::<libc::sockaddr_in6>();
            // SAFETY: `name` is a whole IPv6 socket address that lives through the call.
            unsafe { libc::bind(number, (&raw const name).cast(), len) }
        }
    };
    answer(result).map(|_| ())
}

#[expect(unsafe_code, reason = "std cannot listen on a socket that exists")]
fn start(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: no pointers are passed.
    answer(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) }).map(|_| ())
}
