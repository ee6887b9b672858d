//! A value for each connection slot, side by side in memory: those of sockets, and those of connections without one.

use crate::ids::ConnId;

/// See the module. It grows up to the highest slot that was used.
#[derive(Debug)]
pub(super) struct BySlot<T> {
    sockets: Vec<T>,
    polled: Vec<T>,
    blank: T,
}

impl<T: Copy> BySlot<T> {
    /// Every slot has `blank`.
    pub(super) fn new(blank: T) -> Self {
        Self { sockets: Vec::new(), polled: Vec::new(), blank }
    }

    /// What the slot of a connection has. A fan-out asks for everyone, and nearly everyone has a socket.
    pub(super) fn get(&self, conn: ConnId) -> T {
        match self.sockets.get(conn.index()) {
            Some(value) => *value,
            None if conn.is_polled() => {
                self.polled.get(conn.place()).copied().unwrap_or(self.blank)
            }
            None => self.blank,
        }
    }

    /// The same, to change it.
    pub(super) fn slot(&mut self, conn: ConnId) -> &mut T {
        let list = if conn.is_polled() { &mut self.polled } else { &mut self.sockets };
        if list.len() <= conn.place() {
            list.resize(conn.place() + 1, self.blank);
        }
        &mut list[conn.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_others_have_slots_of_their_own_and_little_memory() {
        let mut slots = BySlot::new(7);
        let (socket, polled) = (ConnId { slot: 3, generation: 1 }, ConnId::polled(3, 1));
        assert_eq!((slots.get(socket), slots.get(polled)), (7, 7));
        *slots.slot(socket) = 1;
        *slots.slot(polled) = 2;
        assert_eq!((slots.get(socket), slots.get(polled)), (1, 2));
        assert_eq!(slots.get(ConnId::polled(9, 0)), 7);
        assert_eq!((slots.sockets.len(), slots.polled.len()), (4, 4));
    }
}
