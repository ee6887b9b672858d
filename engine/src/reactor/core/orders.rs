//! What the node tells a core to do, and what became of it.

use super::Core;
use crate::ids::Now;
use crate::reactor::order::Order;
use crate::shard::input::Input;

impl Core {
    /// Takes the orders that came, while what they cause may be passed on.
    pub(super) fn take_orders(&mut self, now: Now) {
        while self.parts.lanes.has_room()
            && let Ok(order) = self.parts.orders.try_recv()
        {
            self.take_order(now, order);
        }
    }

    fn take_order(&mut self, now: Now, order: Order) {
        match order {
            Order::Tenants(tenants) => self.handle(now, Input::Tenants(tenants)),
            Order::Operate(mut operation, answer) => {
                let number = self.next_operation;
                self.next_operation += 1;
                self.operations.insert(number, answer);
                operation.number = number;
                self.handle(now, Input::Operation(operation));
            }
            Order::Drain(code, deadline_ms) => {
                self.end_ms = Some(now.monotonic_ms + deadline_ms);
                self.parts.driver.stop_accepting();
                self.handle(now, Input::Drain(code));
            }
        }
    }

    /// Tells whoever waits for an operation what became of it.
    pub(super) fn tell_operators(&mut self) {
        for (number, result) in self.effects.operated.drain(..) {
            if let Some(answer) = self.operations.remove(&number) {
                let _ = answer.send(result); // Whoever asked may have gone.
            }
        }
    }
}
