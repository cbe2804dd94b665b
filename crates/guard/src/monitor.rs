//! The one place where it is decided what is done.
//!
//! A question lives from [`Monitor::judge`] to [`Monitor::redeem`]: `pending` until [`Monitor::settle`] brings the owner's answer or
//! its time runs out; a yes then counts once, for the same action under the same policy. Nothing here waits: who asked comes again.

use std::sync::Arc;
use std::time::Duration;

use krabba_store::{NewApproval, Store, StoredAnswer, StoredApproval};
use krabba_types::{Action, Clock, Label, SessionId, Timestamp, TurnId};
use serde::Serialize;
use uuid::Uuid;

use crate::audit::{self, Decided};
use crate::findings;
use crate::policy::Sink;
use crate::provenance::Provenance;
use crate::{
    Answer, Authorized, Decision, Denial, GuardError, Policy, Question, Redeemed, Scene, Terms, Verdict, View, canonical, question,
};

/// How long a yes that came in time may still be used after its question ran out.
const GRACE: Duration = Duration::from_secs(60);

/// The rule where none applies.
const NO_RULE: &str = "nothing-else";

/// The rule for what cannot be shown whole.
const TOO_LONG: &str = "too-long-to-show";

/// Decides, asks and remembers.
pub struct Monitor {
    store: Arc<Store>,
    policy: Policy,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Monitor").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor that decides by `policy` and remembers in `store`.
    pub fn new(store: Arc<Store>, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        Self { store, policy, clock }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decides. The decision is in the audit when this returns, and a question with it.
    ///
    /// # Errors
    /// What the store may meet; nothing is allowed then.
    pub fn judge(&self, action: Action, scene: &Scene) -> Result<Verdict, GuardError> {
        let provenance = Provenance::of(scene);
        let sink = Sink::of(&action);
        let rule = self.policy.decide(sink, &findings::conditions(&action, scene, &self.policy, &provenance));
        let (id, decision, why) = rule.map_or((NO_RULE, Decision::Deny, "no rule allows it"), |rule| (rule.id, rule.decision, rule.why));
        let terms = terms(&action, scene, if decision == Decision::AllowApart { View::Discardable } else { View::Direct });
        let digest = self.digest(&action, &terms);
        let row = |rule: &str, word: &str, question: Option<String>| Decided {
            actor: audit::actor(&scene.principal),
            agent: Some(scene.agent.clone()),
            session: scene.session.clone(),
            turn: scene.turn.clone(),
            label: terms.label.clone(),
            sink: sink.name().to_owned(),
            rule: rule.to_owned(),
            decision: word.to_owned(),
            digest: digest.clone(),
            question,
        };
        match decision {
            Decision::Allow | Decision::AllowApart => {
                self.note(&row(id, audit::word(decision), None))?;
                Ok(Verdict::Allowed(Authorized::new(action, terms)))
            }
            Decision::Deny => {
                self.note(&row(id, audit::word(decision), None))?;
                Ok(Verdict::Denied(denial(id, why)))
            }
            Decision::Stop => {
                self.note(&row(id, audit::word(decision), None))?;
                Ok(Verdict::Stopped(denial(id, why)))
            }
            Decision::Ask | Decision::AskTyped => {
                let lines = question::lines(&action, &terms, scene, &provenance);
                if lines.iter().map(String::len).sum::<usize>() > self.policy.longest_question {
                    self.note(&row(TOO_LONG, audit::word(Decision::Deny), None))?;
                    return Ok(Verdict::Denied(denial(TOO_LONG, "it is too long to be shown to the owner whole; do it in smaller steps")));
                }
                let now = self.clock.now();
                let question = Question {
                    id: question_id(),
                    typed: (decision == Decision::AskTyped).then(|| typed_words(&action)),
                    digest: digest.clone(),
                    rule: id.to_owned(),
                    lines,
                    expires: now.plus(self.policy.patience),
                    action,
                };
                self.note(&row(id, audit::word(decision), Some(question.id.clone())))?;
                self.keep(&question, &terms, &scene.session, &scene.turn, now)?;
                Ok(Verdict::Asked(Box::new(question)))
            }
        }
    }

    /// Takes the owner's answer. `by` names the surface it came from, for the audit.
    ///
    /// # Errors
    /// When there is no such question, it has an answer, its time is over, or words are missing that have to be typed; what the
    /// store may meet.
    pub fn settle(&self, question: &str, answer: &Answer, by: &str) -> Result<(), GuardError> {
        let (stored, asked) = self.look_up(question)?;
        let id = || question.to_owned();
        let now = self.clock.now();
        if stored.answer.is_some() {
            return Err(GuardError::Answered { id: id() });
        }
        if now >= stored.asked.expires {
            return Err(GuardError::RanOut { id: id() });
        }
        if let Some(words) = &asked.typed {
            match answer {
                Answer::Deny => {}
                Answer::Typed(typed) if typed.trim() == words => {}
                Answer::Approve | Answer::Typed(_) => return Err(GuardError::NeedsWords { id: id(), words: words.clone() }),
            }
        }
        let taken = self.store.answer(question, &StoredAnswer { answer: canonical::text(answer), by: by.to_owned(), at: now })?;
        if !taken {
            return Err(GuardError::Answered { id: id() });
        }
        let word = match answer {
            Answer::Approve | Answer::Typed(_) => "approved",
            Answer::Deny => "refused",
        };
        self.note_about(&stored, &asked, by, word)
    }

    /// What became of a question, for the turn that waits. A yes is used up by this; that is in the audit when this returns.
    ///
    /// # Errors
    /// When there is no such question; what the store may meet.
    pub fn redeem(&self, question: &str) -> Result<Redeemed, GuardError> {
        let (stored, asked) = self.look_up(question)?;
        let now = self.clock.now();
        let no = |why: &str| Redeemed::Denied(denial(&asked.rule, why));
        let Some(given) = &stored.answer else {
            if now < stored.asked.expires {
                return Ok(Redeemed::Pending);
            }
            let silence = StoredAnswer { answer: canonical::text(&Answer::Deny), by: "silence".to_owned(), at: now };
            if !self.store.answer(question, &silence)? {
                // Answered in this moment by another process.
                return Ok(Redeemed::Pending);
            }
            self.note_about(&stored, &asked, "silence", "refused")?;
            return Ok(no("the owner did not answer in time"));
        };
        let answer: Answer = serde_json::from_str(&given.answer)
            .map_err(|source| GuardError::Unreadable { what: format!("the answer to {question}"), source })?;
        match answer {
            Answer::Deny if given.by == "silence" => return Ok(no("the owner did not answer in time")),
            Answer::Deny => return Ok(no("the owner said no")),
            Answer::Approve | Answer::Typed(_) => {}
        }
        let terms: Terms = serde_json::from_str(&stored.asked.terms)
            .map_err(|source| GuardError::Unreadable { what: format!("the terms of {question}"), source })?;
        if self.digest(&asked.action, &terms) != asked.digest {
            return Ok(no("the policy has changed since the owner was asked"));
        }
        if now >= stored.asked.expires.max(given.at.plus(GRACE)) {
            return Ok(no("the owner's yes has run out"));
        }
        if !self.store.use_answer(question, now)? {
            return Ok(no("the owner's yes was used before"));
        }
        self.note_about(&stored, &asked, &given.by, audit::word(Decision::Allow))?;
        Ok(Redeemed::Allowed(Authorized::new(asked.action, terms)))
    }

    fn look_up(&self, id: &str) -> Result<(StoredApproval, Question), GuardError> {
        let stored = self.store.approval(id)?.ok_or_else(|| GuardError::NoQuestion { id: id.to_owned() })?;
        let question = serde_json::from_str(&stored.asked.question)
            .map_err(|source| GuardError::Unreadable { what: format!("question {id}"), source })?;
        Ok((stored, question))
    }

    fn keep(&self, question: &Question, terms: &Terms, session: &SessionId, turn: &TurnId, now: Timestamp) -> Result<(), GuardError> {
        self.store.ask(&NewApproval {
            id: question.id.clone(),
            session: session.clone(),
            turn: turn.clone(),
            question: canonical::text(question),
            terms: canonical::text(terms),
            asked_at: now,
            expires: question.expires,
        })?;
        Ok(())
    }

    fn digest(&self, action: &Action, terms: &Terms) -> String {
        #[derive(Serialize)]
        struct Bound<'a> {
            action: &'a Action,
            terms: &'a Terms,
            policy: String,
        }
        canonical::hash(&Bound { action, terms, policy: self.policy.version() })
    }

    fn note(&self, decided: &Decided) -> Result<(), GuardError> {
        audit::append(&self.store, self.clock.now(), decided)
    }

    fn note_about(&self, stored: &StoredApproval, asked: &Question, actor: &str, word: &str) -> Result<(), GuardError> {
        let label = serde_json::from_str::<Terms>(&stored.asked.terms).map_or(Label::untrusted("unknown"), |terms| terms.label);
        self.note(&Decided {
            actor: actor.to_owned(),
            agent: None,
            session: stored.asked.session.clone(),
            turn: stored.asked.turn.clone(),
            label,
            sink: Sink::of(&asked.action).name().to_owned(),
            rule: asked.rule.clone(),
            decision: word.to_owned(),
            digest: asked.digest.clone(),
            question: Some(asked.id.clone()),
        })
    }
}

fn denial(rule: &str, why: &str) -> Denial {
    Denial { rule: rule.to_owned(), message: format!("not allowed ({rule}): {why}") }
}

fn terms(action: &Action, scene: &Scene, view: View) -> Terms {
    let hosts = match action {
        Action::Run(exec) => exec.hosts.clone(),
        Action::Consult(_)
        | Action::Look(_)
        | Action::Change(_)
        | Action::Control(_)
        | Action::Fetch(_)
        | Action::Search(_)
        | Action::Call(_) => Vec::new(),
    };
    let said = scene.said.iter().map(|said| &said.label);
    // The model wrote the action, so that at best it is made from the owner's own.
    let label = Label::join_all([&scene.label, &Label::Minted].into_iter().chain(said));
    Terms { view, hosts, label }
}

/// Random, and short enough to be typed.
fn question_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(10);
    id
}

/// What has to be typed: what is affected, so that it was read.
fn typed_words(action: &Action) -> String {
    match action {
        Action::Change(changes) => {
            let gone = changes.changes.iter().filter(|change| change.after.is_none());
            format!("remove {}", gone.map(|change| question::visible(change.path.as_str())).collect::<Vec<_>>().join(" "))
        }
        Action::Call(call) => question::visible(&call.tool),
        Action::Consult(_) | Action::Look(_) | Action::Run(_) | Action::Control(_) | Action::Fetch(_) | Action::Search(_) => {
            "do it".to_owned()
        }
    }
}
