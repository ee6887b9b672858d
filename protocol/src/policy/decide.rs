//! The rules of a tenant, and what they say.

use std::fmt;

use rhai::{AST, Scope};

use super::claims::Asker;
use super::language::Language;
use super::rule::{Action, POLICIES_MAX, POLICY_NAME_BYTES_MAX, PolicyFault, PolicyRule};
use crate::auth::insforge::Role;

/// The rules of a tenant, ready to be asked.
pub struct Policies {
    language: Language,
    /// Ordered by name, so that an explanation reads the same every time.
    rules: Vec<(PolicyRule, AST)>,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules()).finish()
    }
}

impl PartialEq for Policies {
    /// Those that say the same decide the same.
    fn eq(&self, other: &Self) -> bool {
        self.rules().eq(other.rules())
    }
}

impl Eq for Policies {}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What.
    pub action: Action,
    /// Where.
    pub channel: &'a str,
    /// What a publication is called.
    pub event: Option<&'a str>,
}

/// The answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}

/// Why the answer is what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// No rule holds for an administrator.
    Admin,
    /// There is no rule for the action.
    Open,
    /// This rule grants it.
    Granted {
        /// Its name.
        policy: Box<str>,
    },
    /// There are rules for the action, and none grants it.
    NotGranted,
}

/// What one rule said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is for other roles.
    OtherRole,
    /// It is for other channels.
    OtherChannel,
    /// It is true.
    True,
    /// It is false.
    False,
    /// It could not be evaluated, which grants nothing.
    Failed {
        /// Why.
        message: String,
    },
}

/// One rule that was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Its name.
    pub policy: Box<str>,
    /// What it said.
    pub outcome: Outcome,
}

/// An answer with all that led to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// Every rule for the action, ordered by name. Those that stand behind the one that granted were asked as well.
    pub steps: Vec<Step>,
}

impl Default for Policies {
    fn default() -> Self {
        Self { language: Language::new(), rules: Vec::new() }
    }
}

impl Policies {
    /// Reads rules.
    ///
    /// # Errors
    /// When one cannot be used.
    pub fn compile(rules: Vec<PolicyRule>) -> Result<Self, PolicyFault> {
        let mut policies = Self::default();
        for rule in rules {
            let (action, index) = (rule.action, policies.rules_for(rule.action).count());
            let fault = |field, message| PolicyFault { action, index, field, message };
            if policies.rules.len() >= POLICIES_MAX {
                return Err(fault("policyName", format!("more than {POLICIES_MAX} policies")));
            }
            let bytes = rule.name.len();
            if !(1..=POLICY_NAME_BYTES_MAX).contains(&bytes) {
                let message = format!("has {bytes} of 1 to {POLICY_NAME_BYTES_MAX} bytes");
                return Err(fault("policyName", message));
            }
            if policies.rules().any(|it| it.name == rule.name && it.action == rule.action) {
                return Err(fault("policyName", format!("\"{}\" came before", rule.name)));
            }
            let tree = policies.language.compile(&rule.using).map_err(|it| fault("using", it))?;
            policies.rules.push((rule, tree));
        }
        policies.rules.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        Ok(policies)
    }

    /// The rules, ordered by name.
    pub fn rules(&self) -> impl Iterator<Item = &PolicyRule> {
        self.rules.iter().map(|(rule, _)| rule)
    }

    /// Whether it may be done.
    #[must_use]
    pub fn decide(&self, asker: &mut Asker, question: &Question<'_>) -> Verdict {
        if asker.role() == Role::ProjectAdmin {
            return Verdict::Allow;
        }
        let mut rules = self.rules_for(question.action).peekable();
        if rules.peek().is_none() {
            return Verdict::Allow;
        }
        let mut inquiry = Inquiry { asker, question, is_put: false };
        let is_granted = rules.any(|rule| self.ask(rule, &mut inquiry) == Outcome::True);
        if is_granted { Verdict::Allow } else { Verdict::Deny }
    }

    /// Whether it may be done, and why.
    #[must_use]
    pub fn explain(&self, asker: &mut Asker, question: &Question<'_>) -> Explanation {
        let role = asker.role();
        let mut inquiry = Inquiry { asker, question, is_put: false };
        let ask = |rule: &(PolicyRule, AST)| Step {
            policy: rule.0.name.clone(),
            outcome: self.ask(rule, &mut inquiry),
        };
        let steps: Vec<Step> = self.rules_for(question.action).map(ask).collect();
        let granted = steps.iter().find(|it| it.outcome == Outcome::True);
        let (verdict, reason) = match granted {
            _ if role == Role::ProjectAdmin => (Verdict::Allow, Reason::Admin),
            _ if steps.is_empty() => (Verdict::Allow, Reason::Open),
            Some(step) => (Verdict::Allow, Reason::Granted { policy: step.policy.clone() }),
            None => (Verdict::Deny, Reason::NotGranted),
        };
        Explanation { verdict, reason, steps }
    }

    fn rules_for(&self, action: Action) -> impl Iterator<Item = &(PolicyRule, AST)> {
        self.rules.iter().filter(move |(rule, _)| rule.action == action)
    }

    /// What one rule says.
    fn ask(&self, (rule, tree): &(PolicyRule, AST), inquiry: &mut Inquiry<'_>) -> Outcome {
        if !rule.roles.is_empty() && !rule.roles.contains(&inquiry.asker.role()) {
            return Outcome::OtherRole;
        }
        if rule.pattern.as_ref().is_some_and(|it| !it.matches(inquiry.question.channel)) {
            return Outcome::OtherChannel;
        }
        match self.language.evaluate(tree, inquiry.scope()) {
            Ok(true) => Outcome::True,
            Ok(false) => Outcome::False,
            Err(message) => Outcome::Failed { message },
        }
    }
}

/// One question of somebody, put to expressions when the first rule needs it.
struct Inquiry<'a> {
    asker: &'a mut Asker,
    question: &'a Question<'a>,
    is_put: bool,
}

impl Inquiry<'_> {
    fn scope(&mut self) -> &mut Scope<'static> {
        if !self.is_put {
            self.asker.put(self.question);
            self.is_put = true;
        }
        self.asker.scope()
    }
}
