//! Signatures that the clients of other vendors take: Pusher, Ably, Liveblocks. Time and chance are arguments, and what needs a
//! call to the vendor (Liveblocks) comes out as the request to send.

mod ably;
mod ask;
mod keys;
mod liveblocks;
mod member;
mod pusher;
mod token;

pub use ably::{AblyGrant, AblyNonce, AblyTokenRequest, canonical_capability};
pub use ask::{SignAsk, Signed, Vendor, sign};
pub use keys::{AblyKey, KeyError, LiveblocksKey, PusherKeys, Secret, VendorKeys};
pub use liveblocks::{
    AuthorizeUser, IdentifyUser, LiveblocksCall, RoomPermissions, VendorFault, read_answer,
};
pub use member::{PresenceData, UserData};
pub use pusher::{PusherChannel, PusherChannelKind, RestCall, SocketId, body_md5, encrypt_event};
pub use token::VendorToken;
