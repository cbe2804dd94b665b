//! Putting tool calls together from pieces that servers label badly.
//!
//! The format says: each call has an `index`, its first piece brings `id` and `name`, later pieces bring argument text.
//! What servers really do: give every call index 0 (older Ollama, LiteLLM), leave `id` blank or out (LM Studio,
//! dynamo), bring it late, repeat it for all calls (LocalAI), repeat the name as `""` or in full in every piece (older
//! LM Studio), send a call whole with arguments as an object (Ollama through LiteLLM), send `{}` first and the real
//! arguments after it, or send two calls' arguments one after the other in the same slot, even in one piece. Hence the rule here: a piece
//! belongs to the call that its id names, else to the last one of its index, else to the last one; and it opens a new
//! call when the one it would join has another id, or another name, or is already complete while the piece brings more.

use krabba_types::{JsonObject, ToolCallPart};
use serde_json::Value;

use crate::answer::Answer;
use crate::tolerant::{as_count, word};

/// How it came about that no more pieces are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server said that the answer, or this call, is over.
    Finished,
    /// The output budget ran out: a call without any arguments may be half a call.
    ByLength,
    /// The file ended. Only calls whose arguments are a complete object are whole.
    EndOfFile,
}

/// Whether list elements are pieces of calls or calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Of a stream: an element may continue an earlier one.
    Delta,
    /// Of a whole message: every element is a call of its own, whatever its id.
    Whole,
}

/// The calls of one answer that are on their way.
#[derive(Debug, Default)]
pub(crate) struct ToolCalls {
    calls: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    index: Option<u64>,
    call: PartialCall,
}

impl ToolCalls {
    /// Takes one element of a `tool_calls` list (`{index, id, function: {name, arguments}}`), from a delta or a whole
    /// message.
    pub(crate) fn take(&mut self, piece: &Value, form: Form, answer: &mut Answer) {
        let function = piece.get("function").filter(|inner| inner.is_object()).unwrap_or(piece);
        let index = piece.get("index").and_then(as_count);
        let id = word(piece, "id");
        let name = word(function, "name").map(clean_name).filter(|name| !name.is_empty());
        let arguments = function.get("arguments").or_else(|| function.get("parameters")).unwrap_or(&Value::Null);
        let joined = self.position(index, id).filter(|_| form == Form::Delta);
        let position = match joined.filter(|found| !self.opens_new(*found, id, name, arguments)) {
            Some(found) => found,
            None => {
                // Arguments that continue where a complete call stands are another call of the same tool.
                let name = name.or_else(|| joined.and_then(|found| self.calls.get(found)?.call.name.as_deref()));
                let call = PartialCall { name: name.map(str::to_owned), ..PartialCall::new(answer.begin_call()) };
                call.announce(answer);
                self.calls.push(Slot { index, call });
                self.calls.len() - 1
            }
        };
        if let Some(slot) = self.calls.get_mut(position) {
            slot.call.id = slot.call.id.take().or_else(|| id.map(str::to_owned));
            slot.call.take_name(name, answer);
            slot.call.take_arguments(arguments, answer);
        }
    }

    /// Gives out all calls, in the order in which they began.
    pub(crate) fn flush(&mut self, cut: Cut, answer: &mut Answer) {
        for slot in self.calls.drain(..) {
            slot.call.close(cut, answer);
        }
    }

    fn position(&self, index: Option<u64>, id: Option<&str>) -> Option<usize> {
        let by_id = id.and_then(|id| self.calls.iter().rposition(|slot| slot.call.id.as_deref() == Some(id) && agree(slot.index, index)));
        let by_index = || self.calls.iter().rposition(|slot| agree(slot.index, index));
        by_id.or_else(by_index)
    }

    fn opens_new(&self, position: usize, id: Option<&str>, name: Option<&str>, arguments: &Value) -> bool {
        let Some(Slot { call, .. }) = self.calls.get(position) else { return true };
        let other_id = matches!((call.id.as_deref(), id), (Some(old), Some(new)) if old != new);
        let other_name = matches!((call.name.as_deref(), name), (Some(old), Some(new)) if old != new);
        other_id || other_name || (call.is_complete() && call.brings_more(arguments))
    }
}

/// Positions agree when they are equal or one of them is not told.
fn agree(left: Option<u64>, right: Option<u64>) -> bool {
    left.is_none() || right.is_none() || left == right
}

/// One call on its way.
#[derive(Debug)]
pub(crate) struct PartialCall {
    number: u32,
    /// The server's id.
    pub(crate) id: Option<String>,
    name: Option<String>,
    arguments: String,
    balance: Balance,
}

impl PartialCall {
    /// An empty call with the number that [`Answer::begin_call`] gave.
    pub(crate) fn new(number: u32) -> Self {
        Self { number, id: None, name: None, arguments: String::new(), balance: Balance::default() }
    }

    /// Sets the name when there is none yet.
    pub(crate) fn take_name(&mut self, name: Option<&str>, answer: &mut Answer) {
        let name = name.map(clean_name).filter(|name| !name.is_empty());
        if let (None, Some(name)) = (&self.name, name) {
            self.name = Some(name.to_owned());
            self.announce(answer);
        }
    }

    /// Adds argument text, or takes an object as the whole.
    pub(crate) fn take_arguments(&mut self, arguments: &Value, answer: &mut Answer) {
        let piece = match arguments {
            Value::String(text) => text.clone(),
            Value::Object(_) | Value::Array(_) => arguments.to_string(),
            Value::Null | Value::Bool(_) | Value::Number(_) => return,
        };
        if piece.is_empty() || (self.is_complete() && !self.brings_more(arguments)) {
            return;
        }
        if is_empty_object(&self.arguments) {
            self.arguments.clear();
            self.balance = Balance::default();
        }
        self.arguments.push_str(&piece);
        self.balance.read(&piece);
        answer.call_part(ToolCallPart { index: self.number, name: None, arguments: piece });
    }

    /// Puts the final argument text in place of the pieces, unless it says less than they do (LM Studio's Responses
    /// events end with empty arguments after full deltas).
    pub(crate) fn replace_arguments(&mut self, arguments: &Value) {
        let text = match arguments {
            Value::String(text) => text.clone(),
            Value::Object(_) => arguments.to_string(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return,
        };
        if !text.trim().is_empty() && (self.arguments.trim().is_empty() || !is_empty_object(&text)) {
            self.balance = Balance::default();
            self.balance.read(&text);
            self.arguments = text;
        }
    }

    /// Gives the call out, if it is whole.
    pub(crate) fn close(self, cut: Cut, answer: &mut Answer) {
        let Some(name) = self.name else { return };
        let arguments = match cut {
            Cut::ByLength if self.arguments.trim().is_empty() => Err(self.arguments),
            Cut::Finished | Cut::ByLength => match parse_several(&self.arguments) {
                Some(several) => {
                    several.into_iter().for_each(|arguments| answer.call(self.id.clone(), name.clone(), Ok(arguments)));
                    return;
                }
                None => parse_arguments(&self.arguments),
            },
            Cut::EndOfFile => match parse_object(&self.arguments) {
                Some(object) => Ok(object),
                None => return,
            },
        };
        answer.call(self.id, name, arguments);
    }

    fn announce(&self, answer: &mut Answer) {
        answer.call_part(ToolCallPart { index: self.number, name: self.name.clone(), arguments: String::new() });
    }

    /// A complete object stands there, other than the `{}` that some servers begin with.
    fn is_complete(&self) -> bool {
        self.balance.is_closed() && !is_empty_object(&self.arguments) && parse_object(&self.arguments).is_some()
    }

    /// Whether `arguments` are more than blanks and other than what stands there already: some servers repeat the whole at the
    /// end, with other blanks or with its keys in another order.
    fn brings_more(&self, arguments: &Value) -> bool {
        let stands = || parse_object(&self.arguments);
        match arguments {
            Value::String(text) => {
                let is_same = || parse_object(text).is_some_and(|object| stands().as_ref() == Some(&object));
                !text.trim().is_empty() && text.trim() != self.arguments.trim() && !is_same()
            }
            Value::Object(object) => stands().as_ref() != Some(object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
        }
    }
}

/// Counts brackets as text comes in, so that the whole is parsed only when it may be complete; parsing after every
/// piece would take quadratic time on long arguments.
#[derive(Debug, Default)]
struct Balance {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Balance {
    fn read(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.begun |= !byte.is_ascii_whitespace();
        }
    }

    fn is_closed(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

/// The arguments' text as an object. Nothing, or `null`, is what servers send for a tool without parameters.
fn parse_arguments(text: &str) -> Result<JsonObject, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed == "null" {
        return Ok(JsonObject::new());
    }
    parse_object(trimmed).ok_or_else(|| text.to_owned())
}

/// Two objects or more, one after the other: calls of the same tool that a server merged. One that is only repeated is one call.
fn parse_several(text: &str) -> Option<Vec<JsonObject>> {
    let objects: Vec<JsonObject> = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().ok()?;
    if objects.len() < 2 {
        return None;
    }
    let mut distinct: Vec<JsonObject> = Vec::new();
    for object in objects {
        if !distinct.contains(&object) {
            distinct.push(object);
        }
    }
    Some(distinct)
}

/// An object, also when it was encoded twice (`"{\"a\":1}"`).
fn parse_object(text: &str) -> Option<JsonObject> {
    match serde_json::from_str(text).ok()? {
        Value::Object(object) => Some(object),
        Value::String(inner) => match serde_json::from_str(&inner).ok()? {
            Value::Object(object) => Some(object),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn is_empty_object(text: &str) -> bool {
    let text = text.trim();
    text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| inside.trim().is_empty())
}

/// The name up to the first control token, without gpt-oss's name space.
fn clean_name(name: &str) -> &str {
    let name = name.split("<|").next().unwrap_or_default().trim();
    name.strip_prefix("functions.").unwrap_or(name)
}
