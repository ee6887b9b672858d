//! InsForge, as its makers' SDK speaks it, the clients of Socket.IO, and WebSockets under which nothing hides the frames.

mod again;
mod chat;
mod clients;
