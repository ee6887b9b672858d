//! What policies grant, what they cannot say, and what they may not cost.

use protocol::Limits;
use protocol::auth::insforge::{Identity, Role, User};
use protocol::dialect::insforge::Pattern;
use protocol::policy::{
    Action, Asker, Explanation, Outcome, Policies, PolicyRule, Question, Reason, Verdict,
};

const CLAIMS: &str = r#"{"sub":"ada","team":"red","level":3,"rate":1.5,"flags":["a","b"],"on":true,"org":{"id":"o1"},"none":null,"i":[1,2]}"#;

pub(crate) fn rule(name: &str, using: &str) -> PolicyRule {
    PolicyRule {
        name: name.into(),
        action: Action::Publish,
        roles: Box::default(),
        pattern: None,
        using: using.into(),
    }
}

fn asker(role: Role) -> Asker {
    match role {
        Role::Anon => Asker::of(&Identity::Anonymous, &Limits::default()),
        Role::Authenticated | Role::ProjectAdmin => user(role, CLAIMS),
    }
}

pub(crate) fn user(role: Role, claims: &str) -> Asker {
    let (id, email) = ("ada".into(), Some("ada@example.com".into()));
    let user = User { id, email, role, claims: claims.into() };
    Asker::of(&Identity::User(user), &Limits::default())
}

pub(crate) const QUESTION: Question<'static> =
    Question { action: Action::Publish, channel: "user:ada:in", event: Some("upd") };

/// What one expression says of a user, and of somebody without an account.
fn outcomes(using: &str) -> [Outcome; 2] {
    let policies = Policies::compile(vec![rule("p", using)]).unwrap_or_else(|it| panic!("{it}"));
    [Role::Authenticated, Role::Anon].map(|role| {
        let mut asker = asker(role);
        let explanation = policies.explain(&mut asker, &QUESTION);
        assert_eq!(explanation.verdict, policies.decide(&mut asker, &QUESTION), "{using}");
        explanation.steps[0].outcome.clone()
    })
}

#[test]
fn expressions_see_who_asks_and_for_what() {
    let check = |using: &str, user: bool, nobody: bool| {
        let expected = [user, nobody].map(|it| if it { Outcome::True } else { Outcome::False });
        assert_eq!(outcomes(using), expected, "{using}");
    };
    check("true", true, true);
    check("false", false, false);
    check(r#"role == "authenticated""#, true, false);
    check(r#"role == "anon" || role == "authenticated""#, true, true);
    check(r#"sub == "ada""#, true, false);
    check(r#"email == "ada@example.com""#, true, false);
    check(r#"has(email) && lower(email) == "ada@example.com""#, true, false);
    check(r#"channel == "user:ada:in" && event == "upd""#, true, true);
    check(r#"split(channel, ':', 1) == sub"#, true, false);
    check(r#"split(channel, ":", 2) == "in""#, true, true);
    check(r#"split(channel, ':', 3) == """#, true, true);
    check(r#"split(channel, ':', -1) == """#, true, true);
    check(r#"channel.starts_with("user:") && channel.ends_with(":in")"#, true, true);
    check(r#"channel.contains("ada")"#, true, true);
    check(r#"event in ["upd", "del"]"#, true, true);
    check(r#"event in ["del"]"#, false, false);
    check(r#"channel.len() == 11"#, true, true);
    check("has(sub)", true, false);
    check(r#""team" in claims && claims.team == "red""#, true, false);
    check(r#""team" in claims && claims["level"] >= 3 && claims.rate < 2.0"#, true, false);
    check(r#""team" in claims && "b" in claims.flags && 2 in claims.i && claims.on"#, true, false);
    check(r#""org" in claims && claims.org.id == "o1""#, true, false);
    check("!(1 + 1 == 3)", true, true);
}

#[test]
fn a_question_leaves_nothing_behind() {
    let policies = own_rules();
    let mut one = user(Role::Authenticated, CLAIMS);
    let questions = [
        (Action::Publish, "chat:1", Some("x")),
        (Action::Publish, "chat:1", None),
        (Action::Publish, "user:ada", Some("shout")),
        (Action::Publish, "user:bob", None),
        (Action::Publish, "chat:1", Some("shout")),
    ];
    for (action, channel, event) in questions.into_iter().cycle().take(12) {
        let question = Question { action, channel, event };
        let afresh = policies.explain(&mut user(Role::Authenticated, CLAIMS), &question);
        assert_eq!(policies.explain(&mut one, &question), afresh, "{question:?}");
    }
}

#[test]
fn what_is_not_known_equals_nothing() {
    let nobody = |using: &str| outcomes(using)[1].clone();
    for using in ["sub == sub", "sub == email", r#"sub == """#, "sub == ()", "email == event"] {
        assert_eq!(nobody(using), Outcome::False, "{using}");
    }
    assert_eq!(outcomes(r#"claims.none == claims.none"#)[0], Outcome::False);
    // It differs from everything: whoever means somebody else has to ask whether there is anybody.
    for using in ["sub != sub", "sub != email", r#"sub != "ada""#, "sub != ()", "sub != 1"] {
        assert_eq!(nobody(using), Outcome::True, "{using}");
    }
    assert_eq!(nobody(r#"has(sub) && sub != "ada""#), Outcome::False);
    // A claim that is missing is no value at all, and what has no value grants nothing.
    assert!(matches!(nobody("claims.team == claims.squad"), Outcome::Failed { .. }));
    assert!(matches!(nobody("sub"), Outcome::Failed { .. }));
    assert!(matches!(nobody("lower(sub) == \"a\""), Outcome::Failed { .. }));
    assert!(matches!(nobody("1"), Outcome::Failed { .. }));
}

#[test]
fn claims_that_cannot_be_read_grant_nothing() {
    let members = |count: usize| (0..count).map(|it| format!("\"c{it}\":1")).collect::<Vec<_>>();
    let many = |count: usize| format!("{{{}}}", members(count).join(","));
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let depth_max = Limits::default().json_depth_max;
    let unreadable =
        [r#"{"a":"\ud800"}"#, r#"{"\ud800":1}"#, "[", "", &many(257), &deep(depth_max + 1)];
    let readable = ["{}", r#"{"a":"\u0061"}"#, &many(255), &many(256), &deep(depth_max)];
    for using in [
        r#"!("banned" in claims)"#,
        r#"!contains(claims, "banned")"#,
        r#"claims != 1"#,
        r#"has(sub) && !("banned" in claims)"#,
    ] {
        let policies = Policies::compile(vec![rule("p", using)]).unwrap();
        let outcome = |claims: &str| {
            let explanation = policies.explain(&mut user(Role::Authenticated, claims), &QUESTION);
            explanation.steps[0].outcome.clone()
        };
        for claims in unreadable {
            let Outcome::Failed { message } = outcome(claims) else { panic!("{using}: {claims}") };
            assert!(message.contains("claims cannot be read"), "{message}");
        }
        for claims in readable {
            assert_eq!(outcome(claims), Outcome::True, "{using}: {claims}");
        }
    }
    // What does not ask for them holds all the same.
    let policies = Policies::compile(vec![rule("p", "sub == \"ada\"")]).unwrap();
    let decide = |claims: &str| policies.decide(&mut user(Role::Authenticated, claims), &QUESTION);
    assert!(unreadable.into_iter().all(|it| decide(it) == Verdict::Allow));
}

#[test]
fn what_is_no_expression_is_refused_with_its_place() {
    let fault =
        |using: &str| Policies::compile(vec![rule("a", "true"), rule("b", using)]).unwrap_err();
    for using in [
        "",
        "(",
        "role ==",
        "role = \"anon\"",
        "claims.team = \"blue\"",
        "claims[\"team\"] = \"blue\"",
        "claims.level += 1",
        "rolle == \"anon\"",
        "let x = 1; true",
        "true; false",
        "while true {}",
        "loop {}",
        "for i in [1] {}",
        "if true { true } else { false }",
        "switch role { _ => true }",
        "{ true }",
        "fn f() { true } f()",
        "|x| x",
        "eval(\"true\")",
        "Fn(\"has\")",
        "print(\"x\") == ()",
        "import \"x\" as y",
        "`${let x = 1; x}` == \"1\"",
    ] {
        let fault = fault(using);
        assert_eq!((fault.index, fault.field), (1, "using"), "{using}: {fault}");
        assert!(fault.to_string().len() > 20, "{using}: {fault}");
    }
    let quoted = fault("role == 'anon'").to_string();
    let expected = "publish.policies.1.using: Invalid character: 'anon' (line 1, position 9): \
                    '…' holds one character, a text stands in \"…\"";
    assert_eq!(quoted, expected);
    for using in ["role == ''", "event in ['a', 'typing']"] {
        assert!(fault(using).message.contains("a text stands in \"…\""), "{using}");
    }
    let twice = Policies::compile(vec![rule("a", "true"), rule("a", "true")]).map(|_| ());
    assert_eq!(twice.unwrap_err().to_string(), "publish.policies.1.policyName: \"a\" came before");
    let unnamed = Policies::compile(vec![rule("", "true")]).map(|_| ()).unwrap_err();
    assert_eq!(unnamed.to_string(), "publish.policies.0.policyName: has 0 of 1 to 128 bytes");
}

fn on(pattern: &str, roles: &[Role], rule: PolicyRule) -> PolicyRule {
    PolicyRule { roles: roles.into(), pattern: Some(Pattern::parse(pattern).unwrap()), ..rule }
}

fn own_rules() -> Policies {
    let users = [Role::Authenticated];
    let rules = vec![
        on("user:%", &users, rule("z own", "split(channel, ':', 1) == sub")),
        on("chat:%", &[], rule("b chat", "event != \"shout\"")),
        on("user:%", &[], rule("a broken", "claims.absent")),
    ];
    Policies::compile(rules).unwrap()
}

fn publish(policies: &Policies, role: Role, channel: &str, event: &str) -> Explanation {
    let question = Question { action: Action::Publish, channel, event: Some(event) };
    let explanation = policies.explain(&mut asker(role), &question);
    assert_eq!(explanation.verdict, policies.decide(&mut asker(role), &question));
    explanation
}

#[test]
fn rules_are_for_roles_and_channels() {
    let policies = own_rules();
    let check = |role: Role, channel: &str, event: &str, expected: Option<&str>| {
        let found = publish(&policies, role, channel, event);
        let reason = match expected {
            Some(policy) => Reason::Granted { policy: policy.into() },
            None => Reason::NotGranted,
        };
        let verdict = if expected.is_some() { Verdict::Allow } else { Verdict::Deny };
        assert_eq!((found.verdict, found.reason), (verdict, reason), "{role:?} {channel} {event}");
    };
    check(Role::Authenticated, "user:ada", "x", Some("z own"));
    check(Role::Authenticated, "user:bob", "x", None);
    check(Role::Anon, "user:ada", "x", None);
    check(Role::Anon, "chat:1", "x", Some("b chat"));
    check(Role::Anon, "chat:1", "shout", None);
    check(Role::Anon, "elsewhere", "x", None);
}

#[test]
fn an_explanation_names_every_rule_for_the_action() {
    let policies = own_rules();
    let steps = publish(&policies, Role::Anon, "user:ada", "x").steps;
    let names: Vec<_> = steps.iter().map(|it| &*it.policy).collect();
    assert_eq!(names, ["a broken", "b chat", "z own"], "in the order of names");
    let Outcome::Failed { message } = &steps[0].outcome else { panic!("{steps:?}") };
    assert!(message.contains("absent"), "{message}");
    assert_eq!(steps[1].outcome, Outcome::OtherChannel);
    assert_eq!(steps[2].outcome, Outcome::OtherRole);
}

#[test]
fn an_explanation_can_be_read() {
    let check = |role: Role, channel: &str, expected: &str| {
        assert_eq!(publish(&own_rules(), role, channel, "x").to_string(), expected);
    };
    check(
        Role::Authenticated,
        "user:ada",
        "\
allow: \"z own\" grants it
  \"a broken\" grants nothing: Property not found: absent (line 1, position 8)
  \"b chat\" is for other channels
  \"z own\" is true",
    );
    check(
        Role::Anon,
        "elsewhere",
        "\
deny: no policy grants it
  \"a broken\" is for other channels
  \"b chat\" is for other channels
  \"z own\" is for other roles",
    );
    let open = Policies::default().explain(&mut asker(Role::Anon), &QUESTION);
    assert_eq!(open.to_string(), "allow: there is no policy for this action");
}

#[test]
fn an_explanation_has_the_lines_and_the_characters_that_are_its_own() {
    let name = "own\n  \"all\" is true\u{1b}[2J\u{9b}é";
    let policies = Policies::compile(vec![rule(name, "true")]).unwrap();
    let granted = policies.explain(&mut asker(Role::Anon), &QUESTION);
    let shown = r#""own\n  "all" is true\u{1b}[2J\u{9b}é""#;
    assert_eq!(granted.to_string(), format!("allow: {shown} grants it\n  {shown} is true"));
}

#[test]
fn what_has_no_rule_is_open_and_administrators_are_not_asked() {
    let policies = own_rules();
    let admin = publish(&policies, Role::ProjectAdmin, "elsewhere", "x");
    assert_eq!((admin.verdict, admin.reason), (Verdict::Allow, Reason::Admin));
    let question = Question { action: Action::Subscribe, channel: "elsewhere", event: None };
    let subscribe = policies.explain(&mut asker(Role::Anon), &question);
    assert_eq!((subscribe.verdict, subscribe.reason), (Verdict::Allow, Reason::Open));
    assert_eq!(Policies::default().decide(&mut asker(Role::Anon), &QUESTION), Verdict::Allow);
}

#[test]
fn policies_can_be_made_on_one_thread_and_asked_on_another() {
    fn crosses<T: Send + Sync>(it: T) -> T {
        it
    }
    let policies = std::sync::Arc::new(crosses(own_rules()));
    let there = std::sync::Arc::clone(&policies);
    let asked = std::thread::spawn(move || publish(&there, Role::Anon, "chat:1", "x").verdict);
    assert_eq!(asked.join().unwrap(), Verdict::Allow);
}
