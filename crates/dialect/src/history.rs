//! The conversation, read once under the rules that all dialects share. The dialects then only spell it.
//!
//! - There is one system text.
//! - Texts of one message are joined by an empty line; a picture that the route must not see is a line of text in its
//!   place.
//! - Reasoning goes back only to the route that produced it, and only with an assistant message that made calls: within
//!   a tool loop a model needs its thoughts, later it does not. The rule looks at the message alone, never at what
//!   follows it, so that a message that was sent once is sent the same ever after and the prompt cache stays good.
//! - Call ids are nine letters and digits, which Mistral's templates demand and all others take. They are computed from
//!   our ids, so that they are the same in every request.

use std::borrow::Cow;

use krabba_types::{CallId, Image, JsonObject, Message, ModelRequest, Part, Reasoning, Role, ServerKind, ToolCall, ToolResult};

use crate::Shape;

/// What stands in place of a picture.
const IMAGE_STUB: &str = "[image: not shown to this model]";

/// What stands between the results of tools and the pictures that came with them, which are told as a message of the person's role:
/// most servers take pictures nowhere else, and many templates want the model to speak before the person does.
const BEFORE_PICTURES: &str = "Let me look at what came with it.";
const PICTURES: &str = "[what the tools brought:]";

/// A conversation, ready to be spelled.
#[derive(Debug, Default)]
pub(crate) struct History<'a> {
    /// The instructions.
    pub(crate) system: Option<String>,
    /// What was said, in order.
    pub(crate) turns: Vec<Turn<'a>>,
}

/// One entry of a conversation.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// The person spoke.
    User(Vec<Content<'a>>),
    /// The model answered.
    Assistant(Answered<'a>),
    /// A tool brought something.
    Result(Brought<'a>),
}

/// A piece of what a person said. Texts never stand beside each other.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Text.
    Text(String),
    /// A picture that the route may see.
    Image(&'a Image),
}

/// An answer of the model.
#[derive(Debug, Default)]
pub(crate) struct Answered<'a> {
    /// The text; may be empty.
    pub(crate) text: String,
    /// What it thought, as far as it may be sent back.
    pub(crate) reasoning: Vec<&'a Reasoning>,
    /// The calls it made.
    pub(crate) calls: Vec<Made<'a>>,
}

/// A call that the model made.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    /// For the wire.
    pub(crate) id: String,
    /// The tool.
    pub(crate) name: &'a str,
    /// Its arguments.
    pub(crate) arguments: &'a JsonObject,
}

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Brought<'a> {
    /// The same as in [`Made`].
    pub(crate) id: String,
    /// The tool.
    pub(crate) name: &'a str,
    /// What the model reads.
    pub(crate) text: Cow<'a, str>,
    /// Whether the tool failed, for dialects that have a place for it.
    pub(crate) is_error: bool,
}

/// Reads the conversation of `request` for `shape`.
pub(crate) fn read<'a>(request: &'a ModelRequest, shape: &Shape) -> History<'a> {
    let mut history = History::default();
    let mut pictures: Vec<&Image> = Vec::new();
    for message in &request.messages {
        if message.role != Role::Tool {
            history.show(std::mem::take(&mut pictures), shape);
        }
        match message.role {
            Role::System => join(history.system.get_or_insert_default(), &message.plain_text()),
            Role::User => history.turns.push(Turn::User(contents(message, shape))),
            Role::Assistant => history.turns.push(Turn::Assistant(answered(message, shape))),
            Role::Tool => {
                history.turns.extend(results(message, shape));
                pictures.extend(message.parts.iter().flat_map(images));
            }
        }
    }
    history.show(pictures, shape);
    history.system = history.system.filter(|text| !text.is_empty());
    history
}

/// All texts of what a person said, when there is no picture among it.
pub(crate) fn only_text(contents: &[Content<'_>]) -> Option<String> {
    match contents {
        [] => Some(String::new()),
        [Content::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

/// Nine letters and digits for one of our ids: itself when it is that already, else a hash of it.
pub(crate) fn call_id(id: &CallId) -> String {
    const LENGTH: usize = 9;
    const DIGITS: [u8; 62] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let text = id.as_str();
    if text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.to_owned();
    }
    // FNV-1a, written out because the ids must be the same in every build for ever; 62^9 values are enough for one
    // session.
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut short = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        let digit = DIGITS.get((hash % 62) as usize).copied().unwrap_or(b'0');
        short.push(char::from(digit));
        hash /= 62;
    }
    short
}

impl<'a> History<'a> {
    /// Puts the pictures of results behind them, where the route sees any.
    fn show(&mut self, pictures: Vec<&'a Image>, shape: &Shape) {
        if pictures.is_empty() || !shape.shows_images() {
            return;
        }
        if !matches!(shape.server, ServerKind::OpenAi | ServerKind::Anthropic) {
            self.turns.push(Turn::Assistant(Answered { text: BEFORE_PICTURES.to_owned(), ..Answered::default() }));
        }
        let text = Content::Text(PICTURES.to_owned());
        self.turns.push(Turn::User(std::iter::once(text).chain(pictures.into_iter().map(Content::Image)).collect()));
    }
}

fn images(part: &Part) -> &[Image] {
    match part {
        Part::ToolResult(result) => &result.images,
        Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) => &[],
    }
}

fn contents<'a>(message: &'a Message, shape: &Shape) -> Vec<Content<'a>> {
    let mut contents: Vec<Content<'a>> = Vec::new();
    for part in &message.parts {
        match part {
            Part::Image(image) if shape.shows_images() => contents.push(Content::Image(image)),
            Part::Image(_) => push_text(&mut contents, IMAGE_STUB),
            Part::Text(text) => push_text(&mut contents, text),
            Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => {}
        }
    }
    contents
}

fn answered<'a>(message: &'a Message, shape: &Shape) -> Answered<'a> {
    let mut answered = Answered::default();
    for part in &message.parts {
        match part {
            Part::Text(text) => join(&mut answered.text, text),
            Part::Image(_) => join(&mut answered.text, IMAGE_STUB),
            Part::Reasoning(reasoning) if reasoning.origin.route == shape.route => answered.reasoning.push(reasoning),
            Part::ToolCall(ToolCall { id, name, arguments, channel: _ }) => answered.calls.push(Made { id: call_id(id), name, arguments }),
            Part::Reasoning(_) | Part::ToolResult(_) => {}
        }
    }
    if answered.calls.is_empty() || shape.compat.history.strict_message_keys == Some(true) {
        answered.reasoning.clear();
    }
    answered
}

fn results<'a>(message: &'a Message, shape: &Shape) -> impl Iterator<Item = Turn<'a>> {
    message.parts.iter().filter_map(|part| match part {
        Part::ToolResult(ToolResult { call, name, text, is_error, images }) => {
            let stubs = if shape.shows_images() { 0 } else { images.len() };
            let mut text = Cow::Borrowed(text.as_str());
            (0..stubs).for_each(|_| text.to_mut().extend(["\n", IMAGE_STUB]));
            Some(Turn::Result(Brought { id: call_id(call), name, text, is_error: *is_error }))
        }
        Part::Text(_) | Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) => None,
    })
}

fn push_text(contents: &mut Vec<Content<'_>>, text: &str) {
    if let Some(Content::Text(last)) = contents.last_mut() {
        join(last, text);
    } else {
        contents.push(Content::Text(text.to_owned()));
    }
}

fn join(into: &mut String, text: &str) {
    if !into.is_empty() && !text.is_empty() {
        into.push_str("\n\n");
    }
    into.push_str(text);
}

impl Brought<'_> {
    /// The text for dialects that cannot mark a failure.
    pub(crate) fn told(&self) -> Cow<'_, str> {
        let says_so = self.text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
        if self.is_error && !says_so { Cow::Owned(format!("error: {}", self.text)) } else { Cow::Borrowed(&self.text) }
    }
}

impl Answered<'_> {
    /// The readable reasoning.
    pub(crate) fn thoughts(&self) -> String {
        self.reasoning.iter().map(|reasoning| reasoning.text.as_str()).collect()
    }
}

/// A data URL of a picture.
pub(crate) fn data_url(image: &Image) -> String {
    format!("data:{};base64,{}", image.media_type, image.base64)
}
