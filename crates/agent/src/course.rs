//! The course of a turn: what its steps came to, and whether there is to be another one.
//!
//! A turn that gets nowhere is reminded once, then asked to answer without tools, then ended. It gets nowhere when a step repeats
//! an earlier one (the same calls with the same results), or when a cycle of steps comes round again. A limit skips the reminder.
//! What went wrong with an answer itself (nothing in it, nothing but thinking, a call that cannot be read) is pointed out once
//! each.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use krabba_route::{Attempt, Surface, Temper, Timing};
use krabba_types::{CallProblem, DoneReason, Fault, FaultKind, Phase, ToolCall, grouped};
use tokio::time::Instant;

use crate::deadline::Deadline;
use crate::hands::Limits;
use crate::helping::Spent;
use crate::listening::Asked;
use crate::record::Outcome;

/// The longest cycle of steps that is looked for.
const LONGEST_CYCLE: usize = 4;

/// How many steps in a row may hold no call that can be made; what was wrong is told each time.
const USELESS: u32 = 2;

/// How many reminders there are before the model is asked to answer.
const REMINDERS: u32 = 1;

/// What came of the steps so far.
#[derive(Debug)]
pub(crate) struct Course {
    limits: Limits,
    began: Instant,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) notices: Vec<String>,
    pub(crate) output_tokens: u64,
    /// What was written beside them, where no server counted it.
    pub(crate) estimated_tokens: u64,
    queued_ms: u64,
    first_token_ms: Option<u64>,
    steps: u32,
    rounds: Rounds,
    patience: Patience,
    repaired: HashSet<Flaw>,
    /// How the next answer is asked for.
    pub(crate) temper: Temper,
}

/// Steps that lead nowhere.
#[derive(Debug, Default)]
struct Rounds {
    /// What each step came to.
    seen: Vec<u64>,
    /// Steps until now, without a break, in which there was no call that could be made.
    useless: u32,
    reminders: u32,
}

/// How much more of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// As it comes.
    Full,
    /// Calls are refused; an answer is wanted.
    AnswerNow,
    /// Calls were refused, and others came.
    Over,
}

/// What is wrong with an answer. Each is pointed out once in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Flaw {
    Empty,
    OnlyReasoning,
    BrokenCall,
    BrokenCallAgain,
    Looping,
    LoopingAgain,
}

/// What is done about an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It ends the turn.
    End,
    /// It ends the turn, as something else than it said.
    EndAs(Outcome),
    /// Its calls are made.
    Act,
    /// This is said to the model, and it is asked again.
    Repair(String),
}

/// Whether a call of a step could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Some,
    /// No such tools, or arguments that do not fit them.
    None,
}

/// What is added to the last result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    Nothing,
    /// It was so before.
    Remind,
    /// Again there was no call that could be made.
    RemindOfTools,
    /// Calls are refused from now on.
    AnswerNow,
}

impl Advice {
    /// For the model.
    pub(crate) fn words(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Remind => Some("[krabba: this was done before and came to the same. Do something else, or answer.]"),
            Self::RemindOfTools => {
                Some("[krabba: again no call that can be made. Use the tools that there are, as they are described, or answer.]")
            }
            Self::AnswerNow => Some("[krabba: no more tools in this turn. Answer now with what is known.]"),
        }
    }
}

/// What a call is told that is not made because an answer is wanted.
pub(crate) const REFUSED: &str = "not done: no more tools in this turn; answer now with what is known";

impl Course {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            began: Instant::now(),
            attempts: Vec::new(),
            notices: Vec::new(),
            output_tokens: 0,
            estimated_tokens: 0,
            queued_ms: 0,
            first_token_ms: None,
            steps: 0,
            rounds: Rounds::default(),
            patience: Patience::Full,
            repaired: HashSet::new(),
            temper: Temper::Usual,
        }
    }

    /// Takes the account of an answer.
    pub(crate) fn add(&mut self, asked: &mut Asked) {
        self.attempts.extend(asked.report.attempts.iter().cloned());
        self.notices.append(&mut asked.notices);
        self.queued_ms = self.queued_ms.saturating_add(asked.report.timing.queued_ms);
        self.first_token_ms = self.first_token_ms.or(asked.report.timing.first_token_ms);
        self.output_tokens = self.output_tokens.saturating_add(asked.answer.usage.output_tokens.unwrap_or(0));
        self.estimated_tokens = self.estimated_tokens.saturating_add(asked.answer.uncounted_tokens());
    }

    /// What is left of the limits while a step is done.
    pub(crate) fn left(&self) -> Limits {
        Limits {
            steps: self.limits.steps.saturating_sub(self.steps.saturating_add(1)).max(1),
            output_tokens: self.limits.output_tokens.map(|limit| limit.saturating_sub(self.written())),
            ..self.limits
        }
    }

    /// Takes what sub-agents came to.
    pub(crate) fn spend(&mut self, spent: &Spent) {
        self.steps = self.steps.saturating_add(spent.steps);
        self.output_tokens = self.output_tokens.saturating_add(spent.output_tokens);
        self.estimated_tokens = self.estimated_tokens.saturating_add(spent.estimated_tokens);
    }

    /// The tokens that were written, whoever counted them.
    fn written(&self) -> u64 {
        self.output_tokens.saturating_add(self.estimated_tokens)
    }

    /// Where the time of all steps went.
    pub(crate) fn timing(&self) -> Timing {
        Timing { queued_ms: self.queued_ms, first_token_ms: self.first_token_ms, total_ms: crate::account::millis(self.began.elapsed()) }
    }

    /// What is done about an answer.
    pub(crate) fn next(&mut self, asked: &Asked, surface: Surface) -> Next {
        self.temper = Temper::Usual;
        match &asked.outcome {
            // What was cut off is no whole call, whatever it looks like.
            Outcome::Answered(DoneReason::Length) => Next::End,
            Outcome::Answered(_) if !asked.answer.calls.is_empty() => match self.patience {
                Patience::Full => Next::Act,
                Patience::AnswerNow => {
                    self.patience = Patience::Over;
                    Next::Act
                }
                Patience::Over => Next::EndAs(Outcome::Failed(going_in_circles())),
            },
            Outcome::Answered(_) => match asked.answer.broken.iter().min_by_key(|broken| broken.problem == CallProblem::Copied) {
                // Not to be asked for again.
                Some(broken) if broken.problem == CallProblem::Copied => {
                    if asked.answer.text.is_empty() {
                        Next::EndAs(Outcome::Failed(copied_call()))
                    } else {
                        Next::End
                    }
                }
                Some(broken) => self.repair(Flaw::BrokenCall, &broken.message).unwrap_or_else(|| {
                    self.patience = Patience::AnswerNow;
                    let words = "That was no call either. No more tools in this turn: answer in words, with what is known.";
                    let last = self.repair(Flaw::BrokenCallAgain, words);
                    last.unwrap_or_else(|| {
                        if asked.answer.text.is_empty() { Next::EndAs(Outcome::Failed(unreadable_calls())) } else { Next::End }
                    })
                }),
                None => Next::End,
            },
            // What was shown of it has to be taken back.
            Outcome::Failed(fault) if fault.kind == FaultKind::Looping && (surface.can_retract || asked.answer.text.is_empty()) => {
                let first =
                    self.repair(Flaw::Looping, "Your last answer repeated itself without end and was stopped. Answer again, in few words.");
                first.unwrap_or_else(|| {
                    self.patience = Patience::AnswerNow;
                    let second = self.repair(Flaw::LoopingAgain, "It did so again. Answer in one sentence, without tools.");
                    second.unwrap_or_else(|| Next::EndAs(Outcome::Failed(nothing_again(fault))))
                })
            }
            Outcome::Failed(fault) if asked.answer.text.is_empty() || (fault.kind == FaultKind::Unparsed && surface.can_retract) => {
                let repair = match fault.kind {
                    FaultKind::Unparsed => {
                        let words = "The call that you wrote could not be read. Make it again, or answer in words.";
                        return self.repair(Flaw::BrokenCall, words).unwrap_or(Next::End);
                    }
                    FaultKind::Empty => self.repair(Flaw::Empty, "Your last answer was empty. Answer now."),
                    FaultKind::OnlyReasoning => {
                        self.repair(Flaw::OnlyReasoning, "You only thought and did not answer. Give the answer itself now.")
                    }
                    _ => return Next::End,
                };
                repair.unwrap_or_else(|| Next::EndAs(Outcome::Failed(nothing_again(fault))))
            }
            Outcome::Failed(_) | Outcome::Stopped | Outcome::Steered | Outcome::Interrupted | Outcome::Broken(_) => Next::End,
        }
    }

    fn repair(&mut self, flaw: Flaw, words: &str) -> Option<Next> {
        if !self.repaired.insert(flaw) {
            return None;
        }
        // The router has tried it without thinking before it gave up, and need not find out again that thinking leads nowhere.
        self.temper = match flaw {
            Flaw::Empty | Flaw::OnlyReasoning | Flaw::Looping | Flaw::LoopingAgain => Temper::Calm,
            Flaw::BrokenCall | Flaw::BrokenCallAgain => Temper::Usual,
        };
        Some(Next::Repair(words.to_owned()))
    }

    /// Whether calls are refused.
    pub(crate) fn refuses(&self) -> bool {
        self.patience != Patience::Full
    }

    /// Takes what the calls of a step came to, and says what to tell the model about it; and the person, where a limit was reached.
    pub(crate) fn acted(
        &mut self,
        calls: &[ToolCall],
        results: &[String],
        use_of_it: Use,
        deadline: &Deadline,
    ) -> (Advice, Option<String>) {
        if self.refuses() {
            return (Advice::Nothing, None);
        }
        self.steps = self.steps.saturating_add(1);
        self.rounds.seen.push(fingerprint(calls, results));
        match use_of_it {
            Use::None => self.rounds.useless = self.rounds.useless.saturating_add(1),
            Use::Some => {
                self.rounds.useless = 0;
                self.repaired.remove(&Flaw::BrokenCall);
            }
        }
        if let Some(limit) = self.reached(deadline) {
            self.patience = Patience::AnswerNow;
            return (Advice::AnswerNow, Some(format!("{limit}; the model is asked to answer with what it has")));
        }
        let useless = self.rounds.useless >= USELESS;
        if !self.rounds.came_round() && !useless {
            return (Advice::Nothing, None);
        }
        if self.rounds.reminders < REMINDERS {
            self.rounds.reminders += 1;
            return (if useless { Advice::RemindOfTools } else { Advice::Remind }, None);
        }
        self.patience = Patience::AnswerNow;
        let what = if useless { "makes calls that are none" } else { "repeats itself" };
        (Advice::AnswerNow, Some(format!("the model {what}; it is asked to answer with what it has")))
    }

    fn reached(&self, deadline: &Deadline) -> Option<String> {
        if self.steps >= self.limits.steps {
            let done = if self.steps == 1 { "1 step is done".to_owned() } else { format!("{} steps are done", self.steps) };
            return Some(format!("{done}, the limit for one turn"));
        }
        if let Some(limit) = self.limits.output_tokens.filter(|limit| self.written() >= *limit) {
            return Some(format!("{} tokens were written, the limit for one turn", grouped(limit)));
        }
        deadline.is_over().then(|| deadline.words())
    }
}

impl Rounds {
    /// Whether the last steps are those before them.
    fn came_round(&self) -> bool {
        (1..=LONGEST_CYCLE).any(|length| {
            let mut rounds = self.seen.rchunks_exact(length);
            matches!((rounds.next(), rounds.next()), (Some(last), Some(before)) if last == before)
        })
    }
}

fn fingerprint(calls: &[ToolCall], results: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for call in calls {
        call.name.hash(&mut hasher);
        serde_json::Value::Object(call.arguments.clone()).to_string().hash(&mut hasher);
    }
    results.hash(&mut hasher);
    hasher.finish()
}

fn going_in_circles() -> Fault {
    let message = "the model went on calling tools after it was asked to answer; say what you want in smaller steps, or try another model";
    Fault::new(FaultKind::Looping, Phase::Streaming, message)
}

fn nothing_again(fault: &Fault) -> Fault {
    let message = format!("{}; told of that, it did no better: say it differently, or try another model with /model", fault.message);
    Fault { message, ..fault.clone() }
}

fn copied_call() -> Fault {
    let message = "the model did nothing but repeat a tool call that stands in a text it read, and the call was not made; \
                   say what you want of that text";
    Fault::new(FaultKind::Malformed, Phase::Streaming, message)
}

fn unreadable_calls() -> Fault {
    let message = "the model tried again and again to use a tool in a form that cannot be read; try again, or another model with /model";
    Fault::new(FaultKind::Malformed, Phase::Streaming, message)
}
