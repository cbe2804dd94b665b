//! The one place where it is decided what is done.
//!
//! A question lives from [`Monitor::judge`] to [`Monitor::redeem`]: `pending` until [`Monitor::settle`] brings the owner's answer or
//! its time runs out; a yes then counts once, for the same action under the same policy. Nothing here waits: who asked comes again.

use std::sync::Arc;
use std::time::Duration;

use krabba_redact::Redactor;
use krabba_store::{NewApproval, Store, StoredAnswer, StoredApproval};
use krabba_types::{Action, Clock, FileChanges, Label, SessionId, Timestamp, TurnId, WorkspacePath};
use serde::Serialize;
use uuid::Uuid;

use crate::audit::{self, Decided};
use crate::delegation;
use crate::findings::{self, Known};
use crate::grants::{self, Grant};
use crate::policy::Sink;
use crate::provenance::{Provenance, leaves, text_of};
use crate::{
    AddressBook, Answer, Authorized, Condition, Decision, Decoys, Delegated, Delegation, Denial, GuardError, OpenQuestion, Policy,
    Principal, Question, Redeemed, Scene, Terms, Verdict, View, canonical, question,
};

/// How long a yes that came in time may still be used after its question ran out.
const GRACE: Duration = Duration::from_secs(60);

/// So many questions in a row, each answered with a yes in less than this, were not read; the next one has to be typed.
const HASTY: u32 = 20;
const READING: Duration = Duration::from_secs(2);

/// How many questions are looked through for those that are open.
const LISTED: u32 = 500;

/// The word for what the owner allowed for the rest of a task.
const GRANTED: &str = "allowed-by-grant";

/// And for what somebody decided whom the owner let decide it.
const DELEGATED: &str = "allowed-by-delegation";

/// The rule under which the owner gives and takes back such leave.
const DELEGATION: &str = "delegation";

/// The rule where none applies.
const NO_RULE: &str = "nothing-else";

/// The rule for what cannot be shown whole.
const TOO_LONG: &str = "too-long-to-show";

/// Decides, asks and remembers.
pub struct Monitor {
    store: Arc<Store>,
    policy: Policy,
    clock: Arc<dyn Clock>,
    known: Known,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Monitor").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor that decides by `policy` and remembers in `store`.
    pub fn new(store: Arc<Store>, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        Self { store, policy, clock, known: Known::default() }
    }

    /// The same, knowing the owner's secrets, which never leave, and decoys, which stop whoever moves them.
    #[must_use]
    pub fn watching(mut self, secrets: Redactor, decoys: Decoys) -> Self {
        self.known = Known { secrets, decoys: Some(decoys) };
        self
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
        let provenance = Provenance::of(scene, &self.policy.people);
        let sink = Sink::of(&action);
        let met = findings::conditions(&action, scene, &provenance, &self.known);
        let rule = self.policy.decide(sink, &met);
        let (id, mut decision, why) =
            rule.map_or((NO_RULE, Decision::Deny, "no rule allows it"), |rule| (rule.id, rule.decision, rule.why));
        // Also what the owner allows is kept apart where somebody else has a say: a command is not known by its text.
        let apart = decision == Decision::AllowApart || (sink == Sink::Run && met.contains(&Condition::Tainted));
        let apart = apart && met.contains(&Condition::ThrowAway);
        let terms = terms(&action, scene, if apart { View::Discardable } else { View::Direct });
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
        let grant = Grant::of(&action);
        let grant = grant.filter(|_| decision == Decision::Ask && grants::may_cover(sink, &met) && !others_have_a_say(&action, scene));
        if let Some(grant) = &grant
            && let Some(permit) = grant.take(&self.store, &scene.session, self.clock.now())?
        {
            self.note(&row(id, GRANTED, Some(permit)))?;
            return Ok(Verdict::Allowed(Box::new(Authorized::new(action, terms))));
        }
        if decision == Decision::Ask
            && let Some(permit) = self.delegated(&action, scene)?
        {
            self.note(&row(id, DELEGATED, Some(permit)))?;
            return Ok(Verdict::Allowed(Box::new(Authorized::new(action, terms))));
        }
        if decision == Decision::Ask && self.is_hasty()? {
            decision = Decision::AskTyped;
        }
        match decision {
            Decision::Allow | Decision::AllowApart => {
                self.note(&row(id, audit::word(decision), None))?;
                Ok(Verdict::Allowed(Box::new(Authorized::new(action, terms))))
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
                    typed: (decision == Decision::AskTyped).then(|| typed_words(&action, &provenance)),
                    for_task: grant.is_some() && decision == Decision::Ask,
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
                Answer::Approve | Answer::ApproveTask | Answer::Typed(_) => {
                    return Err(GuardError::NeedsWords { id: id(), words: words.clone() });
                }
            }
        }
        let grant = match answer {
            Answer::ApproveTask if !asked.for_task => return Err(GuardError::OnlyOnce { id: id() }),
            Answer::ApproveTask => Grant::of(&asked.action),
            Answer::Approve | Answer::Typed(_) | Answer::Deny => None,
        };
        let taken = self.store.answer(question, &StoredAnswer { answer: canonical::text(answer), by: by.to_owned(), at: now })?;
        if !taken {
            return Err(GuardError::Answered { id: id() });
        }
        let word = match answer {
            Answer::Approve | Answer::Typed(_) => "approved",
            Answer::ApproveTask => "approved-for-task",
            Answer::Deny => "refused",
        };
        self.note_about(&stored, &asked, by, word)?;
        // Last, so that a grant is never there without its row.
        grant.map_or(Ok(()), |grant| grant.give(&self.store, question, &stored.asked.session, now))
    }

    /// The questions that wait for an answer, the newest first.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn open_questions(&self) -> Result<Vec<OpenQuestion>, GuardError> {
        let now = self.clock.now();
        let stored = self.store.approvals(LISTED)?;
        let open = stored.into_iter().filter(|stored| stored.answer.is_none() && now < stored.asked.expires);
        open.map(|stored| Ok(OpenQuestion { question: read_question(&stored)?, session: stored.asked.session })).collect()
    }

    /// Uses up, once, what the owner let somebody else decide, if the action would be allowed had the owner written their words.
    fn delegated(&self, action: &Action, scene: &Scene) -> Result<Option<String>, GuardError> {
        let now = self.clock.now();
        if scene.principal != Principal::Owner {
            return Ok(None);
        }
        for Delegated { id, delegation, .. } in delegation::all(&self.store, now)? {
            if !delegation.covers(action) {
                continue;
            }
            let provenance = Provenance::of(&delegation.scene(scene), &AddressBook::default());
            let met = findings::conditions(action, scene, &provenance, &self.known);
            let rule = self.policy.decide(Sink::of(action), &met);
            let Action::Call(call) = action else { continue };
            let mut decides = findings::critical(call).into_iter().flat_map(|(_, value)| leaves(value)).map(text_of);
            if decides.any(|words| delegation.echoes(&words, scene)) {
                continue;
            }
            let allowed = rule.is_some_and(|rule| rule.decision == Decision::Allow) && !met.contains(&Condition::Irreversible);
            if allowed && self.store.use_permit(&id, now)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Lets somebody else decide, so many times and for so long. `by` names the surface it came from, for the audit.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn delegate(&self, delegation: &Delegation, uses: u32, lasts: Duration, by: &str) -> Result<String, GuardError> {
        let id = question_id();
        self.note_delegation(by, "given", canonical::hash(delegation), &id)?;
        delegation.give(&self.store, &id, uses, self.clock.now(), lasts)?;
        Ok(id)
    }

    /// What others may decide now, the oldest first.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn delegations(&self) -> Result<Vec<Delegated>, GuardError> {
        delegation::all(&self.store, self.clock.now())
    }

    /// Takes it back.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn take_back_delegation(&self, delegated: &Delegated, by: &str) -> Result<(), GuardError> {
        self.note_delegation(by, "taken-back", canonical::hash(&delegated.delegation), &delegated.id)?;
        self.store.revoke_permit(&delegated.id)?;
        Ok(())
    }

    fn note_delegation(&self, by: &str, word: &str, digest: String, id: &str) -> Result<(), GuardError> {
        self.note(&Decided {
            actor: by.to_owned(),
            agent: None,
            session: delegation::nowhere(),
            turn: TurnId::new("-"),
            label: Label::Owner,
            sink: DELEGATION.to_owned(),
            rule: DELEGATION.to_owned(),
            decision: word.to_owned(),
            digest,
            question: Some(id.to_owned()),
        })
    }

    /// Takes back what was allowed for the rest of a task in this conversation. The owner said stop.
    ///
    /// # Errors
    /// What the store may meet.
    pub fn take_back_grants(&self, session: &SessionId) -> Result<(), GuardError> {
        grants::take_back(&self.store, session, self.clock.now())
    }

    /// Whether the last questions were all answered with a yes faster than they can be read.
    fn is_hasty(&self) -> Result<bool, GuardError> {
        let last = self.store.approvals(HASTY)?;
        let fast = |stored: &StoredApproval| {
            let yes = |given: &StoredAnswer| !matches!(serde_json::from_str(&given.answer), Ok(Answer::Deny));
            stored.answer.as_ref().is_some_and(|given| yes(given) && given.at.since(stored.asked.asked_at) < READING)
        };
        Ok(u32::try_from(last.len()) == Ok(HASTY) && last.iter().all(fast))
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
            Answer::Approve | Answer::ApproveTask | Answer::Typed(_) => {}
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
        Ok(Redeemed::Allowed(Box::new(Authorized::new(asked.action, terms))))
    }

    fn look_up(&self, id: &str) -> Result<(StoredApproval, Question), GuardError> {
        let stored = self.store.approval(id)?.ok_or_else(|| GuardError::NoQuestion { id: id.to_owned() })?;
        let question = read_question(&stored)?;
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

fn read_question(stored: &StoredApproval) -> Result<Question, GuardError> {
    serde_json::from_str(&stored.asked.question)
        .map_err(|source| GuardError::Unreadable { what: format!("question {}", stored.asked.id), source })
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
        | Action::Call(_)
        | Action::Spawn(_) => Vec::new(),
    };
    let said = scene.said.iter().map(|said| &said.label);
    // The model wrote the action, so that at best it is made from the owner's own.
    let made_of = match action {
        Action::Change(changes) => &changes.label,
        _ => &Label::Minted,
    };
    // What comes in from a host is somebody else's, whoever named it.
    let brought: Vec<Label> = hosts.iter().map(Label::untrusted).collect();
    let label = Label::join_all([&scene.label, made_of, &Label::Minted].into_iter().chain(said).chain(&brought));
    Terms { view, hosts, label }
}

/// Whether somebody has a say in a command who is none of the hosts that it asks for: an approved host is no leave to send there what
/// a page elsewhere wants sent.
fn others_have_a_say(action: &Action, scene: &Scene) -> bool {
    let Action::Run(exec) = action else { return false };
    let labels = [&scene.label, &exec.label].into_iter().chain(scene.said.iter().map(|said| &said.label));
    labels.flat_map(Label::origins).any(|origin| !exec.hosts.contains(&origin))
}

/// Random, and short enough to be typed.
fn question_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(10);
    id
}

/// The longest text that somebody is asked to type.
const TYPED: usize = 80;

/// What is typed where nothing tells what is affected.
const ANYTHING: &str = "do it";

/// Words that answer a question wherever they are typed, or stand for a yes: they say nothing of whom it is about.
const ANSWERS: [&str; 17] =
    ["y", "yes", "n", "no", "t", "task", "approve", "deny", "ok", "okay", "true", "false", "on", "off", "null", "none", "all"];

/// What has to be typed: what is affected, so that it was read.
fn typed_words(action: &Action, provenance: &Provenance) -> String {
    match action {
        Action::Change(changes) => words_for_change(changes),
        Action::Call(call) => {
            let leaves =
                findings::critical(call).into_iter().flat_map(|(name, value)| leaves(value).into_iter().map(move |leaf| (name, leaf)));
            // Whoever made the call can put something harmless beside what it is about, and the owner knows what they wrote themselves.
            let texts = leaves.filter_map(|(name, leaf)| Some((!provenance.owns(leaf, name, call), telling(leaf.as_str()?)?)));
            let most = texts.max_by_key(|(foreign, text)| (*foreign, text.len())).map(|(_, text)| text);
            most.or_else(|| telling(&call.tool)).unwrap_or_else(|| ANYTHING.to_owned())
        }
        Action::Consult(_)
        | Action::Look(_)
        | Action::Run(_)
        | Action::Control(_)
        | Action::Fetch(_)
        | Action::Search(_)
        | Action::Spawn(_) => ANYTHING.to_owned(),
    }
}

/// What goes, or what is written where nothing goes, name by name or at least how much and where.
fn words_for_change(changes: &FileChanges) -> String {
    let removed = changes.changes.iter().filter(|change| change.after.is_none()).map(|change| &change.path);
    // A directory goes with its files, if it has any.
    let ways: [(&str, Vec<&WorkspacePath>, &str); 3] = [
        ("remove", removed.collect(), "files"),
        ("remove", changes.directories.iter().collect(), "directories"),
        ("change", changes.changes.iter().map(|change| &change.path).collect(), "files"),
    ];
    let Some((verb, places, what)) = ways.into_iter().find(|(_, places, _)| !places.is_empty()) else { return ANYTHING.to_owned() };
    let places: Vec<&str> = places.into_iter().map(WorkspacePath::as_str).collect();
    let named = format!("{verb} {}", places.iter().map(|path| question::visible(path)).collect::<Vec<_>>().join(" "));
    if named.len() <= TYPED {
        return named;
    }
    let counted = if places.len() == 1 { format!("{verb} it") } else { format!("{verb} {} {what}", places.len()) };
    let common = common_directory(&places);
    let placed = format!("{counted} in {}", question::visible(common));
    if common.is_empty() || placed.len() > TYPED { counted } else { placed }
}

/// The innermost directory that all of them are in; nothing where that is the workspace itself.
fn common_directory<'p>(paths: &[&'p str]) -> &'p str {
    let Some((first, rest)) = paths.split_first() else { return "" };
    let mut above = first.rmatch_indices('/').filter_map(|(end, _)| first.get(..end));
    let holds = |directory: &str| rest.iter().all(|path| path.strip_prefix(directory).is_some_and(|below| below.starts_with('/')));
    above.find(|directory| holds(directory)).unwrap_or_default()
}

/// A text as it can be typed, if it says what something is about.
fn telling(text: &str) -> Option<String> {
    let text = question::visible(text.trim());
    let says = text.chars().any(char::is_alphabetic) && !ANSWERS.contains(&text.to_lowercase().as_str());
    (says && text.len() <= TYPED).then_some(text)
}
