//! The expressions of rules: those of Rhai, without statements, loops, functions of their own, and evaluation of text.

use rhai::{
    AST, Array, Dynamic, Engine, EvalAltResult, ImmutableString, LexError, Map, OptimizationLevel,
    ParseError, ParseErrorType, Scope,
};

/// Bytes of one expression.
pub const USING_BYTES_MAX: usize = 1024;
/// Steps that one expression may take.
pub const OPERATIONS_MAX: u64 = 1000;

/// Levels of one expression, as Rhai counts them: what stands behind an operator is one below it, what stands in parentheses
/// or in a call two, in a list or a map three.
const DEPTH_MAX: usize = 24;
/// Bytes of a string and items of a list that an expression makes.
const SIZE_MAX: usize = 4096;

/// What expressions may name.
pub(super) const NAMES: [&str; 6] = ["role", "sub", "email", "channel", "event", "claims"];

/// What stands in place of what is not known. It equals nothing, itself included, and differs from everything: unlike SQL's
/// NULL, which is neither.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absent;

/// Reads expressions, and finds out what they say.
pub(super) struct Language(Engine);

impl Language {
    pub(super) fn new() -> Self {
        let mut engine = Engine::new_raw();
        engine
            .set_optimization_level(OptimizationLevel::None)
            .set_strict_variables(true)
            .set_fail_on_invalid_map_property(true)
            .set_allow_if_expression(false)
            .set_allow_switch_expression(false)
            .set_allow_statement_expression(false)
            .set_allow_loop_expressions(false)
            .set_allow_looping(false)
            .set_max_operations(OPERATIONS_MAX)
            .set_max_expr_depths(DEPTH_MAX)
            .set_max_string_size(SIZE_MAX)
            .set_max_array_size(SIZE_MAX)
            .set_max_map_size(SIZE_MAX);
        for symbol in ["eval", "Fn", "print", "debug"] {
            engine.disable_symbol(symbol);
        }
        add_functions(&mut engine);
        Self(engine)
    }

    /// Reads an expression.
    pub(super) fn compile(&self, text: &str) -> Result<AST, String> {
        if text.len() > USING_BYTES_MAX {
            return Err(format!("is over its limit: {} of {USING_BYTES_MAX} bytes", text.len()));
        }
        let mut scope = Scope::new();
        for name in NAMES {
            scope.push_dynamic(name, Dynamic::from(Absent));
        }
        self.0.compile_expression_with_scope(&scope, text).map_err(|cause| misread(&cause))
    }

    /// What an expression says.
    pub(super) fn evaluate(&self, tree: &AST, scope: &mut Scope<'_>) -> Result<bool, String> {
        let value: Result<Dynamic, Box<EvalAltResult>> = self.0.eval_ast_with_scope(scope, tree);
        let value = value.map_err(|cause| failure(&cause))?;
        value.as_bool().map_err(|kind| format!("is neither true nor false, but {kind}"))
    }
}

/// Whoever writes SQL or JavaScript puts texts in single quotes.
fn misread(cause: &ParseError) -> String {
    if let ParseErrorType::BadInput(LexError::MalformedChar(_)) = cause.err_type() {
        return format!("{cause}: '…' holds one character, a text stands in \"…\"");
    }
    cause.to_string()
}

/// Every name was known when an expression was compiled: one that is missing now has a value that could not be had.
fn failure(cause: &EvalAltResult) -> String {
    if let EvalAltResult::ErrorVariableNotFound(name, place) = cause {
        return format!("{name} cannot be read ({place})");
    }
    cause.to_string()
}

fn add_functions(engine: &mut Engine) {
    engine
        .register_type_with_name::<Absent>("absent")
        .register_fn("==", |_: Absent, _: Absent| false)
        .register_fn("!=", |_: Absent, _: Absent| true)
        .register_fn("has", |_: Absent| false)
        .register_fn("has", |_: ImmutableString| true)
        .register_fn("len", |text: &str| i64::try_from(text.chars().count()).unwrap_or(i64::MAX))
        .register_fn("lower", |text: &str| text.to_lowercase())
        .register_fn("starts_with", |text: &str, part: &str| text.starts_with(part))
        .register_fn("ends_with", |text: &str, part: &str| text.ends_with(part))
        .register_fn("contains", |text: &str, part: &str| text.contains(part))
        .register_fn("contains", |map: &mut Map, key: &str| map.contains_key(key))
        .register_fn("contains", has_item)
        .register_fn("split", |text: &str, at: &str, n: i64| part(text, at, n))
        .register_fn("split", |text: &str, at: char, n: i64| {
            part(text, at.encode_utf8(&mut [0; 4]), n)
        });
}

/// The n-th part of a text; the first is 0, and behind the last all are empty.
fn part(text: &str, separator: &str, n: i64) -> ImmutableString {
    let part = usize::try_from(n).ok().filter(|_| !separator.is_empty());
    part.and_then(|n| text.split(separator).nth(n)).unwrap_or_default().into()
}

/// Lists and maps are borrowed, or each question would copy the claims.
fn has_item(list: &mut Array, item: Dynamic) -> bool {
    let (number, truth) = (item.as_int().ok(), item.as_bool().ok());
    let text = item.into_immutable_string().ok();
    list.iter().any(|each| match (&text, number, truth) {
        (Some(text), ..) => each.as_immutable_string_ref().is_ok_and(|it| *it == *text),
        (None, Some(number), _) => each.as_int() == Ok(number),
        (None, None, Some(truth)) => each.as_bool() == Ok(truth),
        (None, None, None) => false,
    })
}
