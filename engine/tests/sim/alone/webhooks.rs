//! Changes of rules that have to do with webhooks, and those that do not.

use engine::control::{Operate, PatternDraft, RulesOp};
use engine::ids::{MessageId, TenantId};
use engine::limits::Limits;
use engine::shard::input::Input;
use engine::side::webhook::Hooked;
use protocol::Rejection;
use protocol::dialect::insforge::Pattern;

use super::{Alone, OPEN};
use crate::keys::management_key;

fn create(id: u128) -> Operate {
    Operate::Rules(RulesOp::Create(Box::new(PatternDraft {
        id: MessageId(id),
        pattern: Pattern::parse(&format!("room:{id}")).unwrap(),
        description: None,
        webhook_urls: Some(Box::new(["https://a.example/".into()])),
        enabled: true,
    })))
}

impl Alone {
    /// The webhooks of a tenant are set, or could not be, as far as they were asked for.
    fn hook(&mut self, tenant: TenantId, result: Result<(), Rejection>) {
        let ask = self.effects.hooks.pop().expect("webhooks to set");
        assert_eq!(ask.tenant, tenant);
        self.handle(Input::Hooked(Hooked { tenant, version: ask.version, result }));
        self.settle();
    }
}

/// A change of something else than patterns is in force at once, whatever webhooks are being set, and cannot fail with them: what it
/// was asked for would be half done.
#[test]
fn only_changes_of_patterns_wait_for_webhooks() {
    let mut alone = Alone::new(Limits::default());
    let first = alone.ask(OPEN, create(100));
    let retention = alone.ask(OPEN, Operate::Rules(RulesOp::Retain(Some(3))));
    assert_eq!(alone.answer(retention), Some(Ok("{\"done\":0}".to_owned())));
    let server = alone.connect();
    let bearer = management_key(&(OPEN, String::new()));
    let delete = format!(
        "DELETE /api/resources/realtime HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {bearer}\r\n\r\n"
    );
    let answer = alone.say(server, &delete);
    assert!(answer.starts_with("HTTP/1.1 200 "), "the resource waits for webhooks: {answer}");
    let second = alone.ask(OPEN, create(101));
    assert_eq!(alone.answer(first), None);
    alone.hook(OPEN, Ok(()));
    assert!(matches!(alone.answer(first), Some(Ok(_))));
    assert_eq!(alone.answer(second), None);
    alone.hook(OPEN, Err(Rejection::StorageUnavailable));
    assert_eq!(alone.answer(second), Some(Err(Rejection::StorageUnavailable)));
}
