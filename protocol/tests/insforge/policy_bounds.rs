//! What policies may not cost: each bound with what it still lets through, and what it does not.

use protocol::auth::insforge::Role;
use protocol::policy::{
    OPERATIONS_MAX, Outcome, POLICIES_MAX, POLICY_NAME_BYTES_MAX, Policies, Question,
    USING_BYTES_MAX,
};

use crate::policies::{QUESTION, rule, user};

/// What an expression says, unless it is refused; either way a text tells what is wrong.
fn outcome(using: &str, claims: &str, channel: &str) -> Result<Outcome, String> {
    let policies = Policies::compile(vec![rule("p", using)]).map_err(|it| it.to_string())?;
    let question = Question { channel, ..QUESTION };
    let mut steps = policies.explain(&mut user(Role::Authenticated, claims), &question).steps;
    let outcome = steps.remove(0).outcome;
    if let Outcome::Failed { message } = outcome { Err(message) } else { Ok(outcome) }
}

/// An expression that is true with so many parts, and is too much with one part more.
fn check(parts_max: usize, using: impl Fn(usize) -> String, too_much: &str) {
    let outcome = |parts| outcome(&using(parts), "{}", "a");
    for parts in [parts_max - 1, parts_max] {
        assert_eq!(outcome(parts), Ok(Outcome::True), "{}", using(parts));
    }
    let message = outcome(parts_max + 1).unwrap_err();
    assert!(message.contains(too_much), "{}: {message}", using(parts_max + 1));
}

#[test]
fn an_expression_has_so_many_bytes() {
    check(
        USING_BYTES_MAX,
        |bytes| format!("true{}", " ".repeat(bytes - 4)),
        "is over its limit: 1025 of 1024 bytes",
    );
}

#[test]
fn an_expression_nests_so_deep() {
    let deep = |parts_max: usize, using: &dyn Fn(usize) -> String| {
        check(parts_max, using, "exceeds maximum complexity");
    };
    let nested = |open: &str, inside: &str, close: &str, parts: usize| {
        format!("{}{inside}{}", open.repeat(parts), close.repeat(parts))
    };
    let joined = |part: &str, operator: &str, parts: usize| vec![part; parts].join(operator);
    // Each part is one level below the one around it or before it, or two or three with what is inside it.
    deep(23, &|parts| nested("!", if parts % 2 == 0 { "true" } else { "false" }, "", parts));
    deep(24, &|parts| joined("true", "&&", parts));
    deep(24, &|parts| joined("true", "??", parts));
    deep(24, &|parts| joined("1", "**", parts) + ">0");
    deep(23, &|parts| joined("1", "+", parts) + ">0");
    deep(11, &|parts| nested("(", "true", ")", parts));
    deep(11, &|parts| nested("1+(", "1", ")", parts) + ">0");
    deep(11, &|parts| nested("lower(", "sub", ")", parts) + "==sub");
    deep(8, &|parts| format!("!(1 in {})", nested("[", "", "]", parts - 1)));
    deep(7, &|parts| nested("#{a:", "1", "}", parts) + "!=1");
    deep(7, &|parts| nested("`${", "sub", "}`", parts) + "==sub");
}

#[test]
fn an_expression_takes_so_many_steps() {
    // 45 numbers an item, with operators of four ranks between them, so that none stands deep. A number is a step and so
    // is an operator, but not the eleven commas. Five more are the whole, the 3, the list, `in`, and the search.
    let find = |numbers: usize| {
        let before = |at: usize| match at {
            0 => "",
            at if at % 45 == 0 => ",",
            at if at % 45 == 24 => "|",
            at if at % 45 % 24 == 12 => "&",
            at if at % 45 % 4 == 0 => "+",
            _ => "*",
        };
        let numbers = (0..numbers).map(|at| format!("{}1", before(at))).collect::<String>();
        format!("3 in[{numbers}]")
    };
    let steps = |numbers: u64| numbers + (numbers - 1) - 11 + 5;
    assert!((steps(503)..steps(504)).contains(&OPERATIONS_MAX));
    check(503, find, "Too many operations");
}

#[test]
fn an_expression_makes_so_much() {
    // 64 strings of 64 bytes, and 63 lists of 64 items, each of which is an item itself.
    let text = format!("has(`{}`)", "${channel}".repeat(64));
    let lists = |parts: usize| format!("!(1 in [{}])", vec!["claims.i"; parts].join(","));
    let claims = |items: usize| format!("{{\"i\":[{}]}}", vec!["2"; items].join(","));
    let too_much = |found: Result<Outcome, String>, what: &str| {
        let message = found.unwrap_err();
        assert!(message.contains(what), "{message}");
    };
    assert_eq!(outcome(&text, "{}", &"c".repeat(64)), Ok(Outcome::True));
    too_much(outcome(&text, "{}", &"c".repeat(65)), "Length of string too large");
    assert_eq!(outcome(&lists(63), &claims(64), "a"), Ok(Outcome::True));
    too_much(outcome(&lists(64), &claims(64), "a"), "Size of array/BLOB too large");
}

#[test]
fn what_cannot_be_calculated_grants_nothing() {
    for (using, message) in [
        ("9223372036854775807 + 1 != 1", "Addition overflow"),
        ("9223372036854775807 * 2 != 1", "Multiplication overflow"),
        ("-(-9223372036854775807 - 1) != 1", "integer overflow"),
        ("2 ** 1000 != 1", "Exponential overflow"),
        ("1 / 0 != 1", "Division by zero"),
        ("1 % 0 != 1", "Modulo division by zero"),
        ("[1] + [2] != 1", "Function not found"),
    ] {
        let found = outcome(using, "{}", "a").unwrap_err();
        assert!(found.contains(message), "{using}: {found}");
    }
}

#[test]
fn a_tenant_has_so_many_policies() {
    let many = |count: usize| (0..count).map(|it| rule(&it.to_string(), "true")).collect();
    assert!(Policies::compile(many(POLICIES_MAX - 1)).is_ok());
    assert!(Policies::compile(many(POLICIES_MAX)).is_ok());
    let fault = Policies::compile(many(POLICIES_MAX + 1)).unwrap_err();
    assert!(fault.to_string().ends_with("more than 200 policies"), "{fault}");
    let name = |bytes: usize| Policies::compile(vec![rule(&"n".repeat(bytes), "true")]).map(|_| ());
    assert_eq!(name(POLICY_NAME_BYTES_MAX - 1), Ok(()));
    assert_eq!(name(POLICY_NAME_BYTES_MAX), Ok(()));
    let fault = name(POLICY_NAME_BYTES_MAX + 1).unwrap_err();
    assert!(fault.to_string().ends_with("has 129 of 1 to 128 bytes"), "{fault}");
}
