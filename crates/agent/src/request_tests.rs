//! Whatever is in the log, a request comes out of it that every template takes, and goes on with the one before it.

use krabba_context::{Built, Input, Meter, Offered, Pictures, SystemPrompt, TextLimits, build, check};
use krabba_markup::{Telling, tell};
use krabba_types::{
    Aliases, CallChannel, CallId, Calling, Image, JsonObject, Message, ModelId, ModelRef, ModelRequest, Params, Part, Reasoning,
    ReasoningOrigin, Role, TemplateFamily, Thinking, ToolAbility, ToolCall, ToolResult, ToolSpec, TurnId,
};
use proptest::prelude::*;
use serde_json::json;

use crate::history_tests::{answer, answered, ended, history, log, route, started, user};
use crate::record::{AssistantRecord, Change, CutRecord, Extent, NoticeRecord, Outcome, Record, UserRecord};
use crate::{History, OpeningRecord};

const TURNS: [&str; 5] = ["a", "b", "c", "d", "e"];
const QUESTION: &str = "the new message";
const TELLINGS: [Telling; 3] = [Telling::Marked, Telling::Object, Telling::Aside];

fn tools() -> Vec<ToolSpec> {
    let parameters = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    let tool = |name: &str| ToolSpec {
        name: name.to_owned(),
        description: format!("Does {name}."),
        parameters: parameters.as_object().unwrap().clone(),
        aliases: Aliases::default(),
    };
    ["find", "run", "write"].map(tool).to_vec()
}

/// The request that would be made in this turn.
fn request(history: &History, turn: &str, window: u32) -> Built {
    build(&Input {
        system: &SystemPrompt::default(),
        history: &history.conversation(&route(), Some(&TurnId::new(turn))),
        keep_from: history.cut_for(&route()),
        shortened: history.shortened_for(&route()).unwrap_or(&TextLimits::new()),
        note: history.note().map(|note| note.text.as_str()),
        route: &route(),
        family: TemplateFamily::ChatMl,
        // A picture cannot be shortened.
        pictures: if window > 8_192 { Pictures::Shown } else { Pictures::Stubbed },
        window,
        told_for: window,
        max_output: None,
        offered: Offered { tools: &tools(), mode: ToolAbility::Native },
        meter: &Meter::new(),
    })
    .unwrap()
}

/// The same, told to a model whose server takes no tools.
fn told(messages: &[Message], telling: Telling) -> Vec<Message> {
    let request = ModelRequest {
        model: ModelId::new("m"),
        messages: messages.to_vec(),
        tools: tools(),
        calling: Calling::default(),
        max_output_tokens: None,
        thinking: Thinking::Unspecified,
        params: Params::default(),
    };
    tell(request, telling, TemplateFamily::ChatMl).messages
}

fn asks(messages: &[Message], question: &str) -> bool {
    messages.iter().any(|message| message.role == Role::User && message.plain_text().contains(question))
}

fn ours(text: &str) -> Record {
    user(&format!("[krabba: {text}]"))
}

fn call(id: &str, query: &str) -> Record {
    let arguments = JsonObject::from_iter([("query".to_owned(), query.into())]);
    Record::Call(ToolCall { id: CallId::new(id), name: "find".to_owned(), arguments, channel: CallChannel::default() })
}

fn result(id: &str, text: &str, images: Vec<Image>) -> Record {
    let result = ToolResult { call: CallId::new(id), name: "find".to_owned(), text: text.to_owned(), is_error: false, images };
    Record::Result(result.into())
}

fn thought(text: &str, extent: Extent) -> Record {
    let origin = ReasoningOrigin { route: route(), field: "reasoning".to_owned(), artefact: None };
    let Record::Assistant(answer) = answer("", extent) else { unreachable!() };
    Record::Assistant(AssistantRecord { parts: vec![Part::Reasoning(Reasoning { text: text.to_owned(), origin })], ..answer })
}

fn picture() -> Image {
    Image { media_type: "image/png".to_owned(), base64: "AAAA".to_owned() }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![6 => "[a-c]{0,3}", 1 => "[a-c ]{0,20}", 2 => (100_usize..900).prop_map(|words| "words of it ".repeat(words))]
}

fn cut() -> impl Strategy<Value = Record> {
    let limits = proptest::collection::btree_map(0_u64..36, 0_u32..2_000, 0..4);
    let on_route = (0_u64..36, any::<bool>(), limits).prop_map(|(keep_from, other, shortened)| {
        let route = if other { ModelRef::parse("ollama/llama3").unwrap() } else { route() };
        Record::Cut(CutRecord { keep_from, route: Some(route), note: None, shortened })
    });
    let on_all = (0_u64..36, proptest::option::of("[a-c]{1,9}"));
    prop_oneof![2 => on_route, 1 => on_all.prop_map(|(keep_from, note)| Record::Cut(CutRecord::for_all(keep_from, note)))]
}

/// What is written while a turn goes on.
fn work() -> impl Strategy<Value = Record> {
    let id = || prop_oneof![1 => Just(""), 6 => Just("1"), 6 => Just("2"), 3 => Just("3"), 1 => Just("call-2-0")];
    prop_oneof![
        2 => text().prop_map(|text| answer(&text, Extent::Step)),
        1 => text().prop_map(|text| thought(&text, Extent::Step)),
        3 => (id(), text()).prop_map(|(id, query)| call(id, &query)),
        3 => (id(), text(), 0_usize..2).prop_map(|(id, text, images)| result(id, &text, vec![picture(); images])),
        2 => "[a-c]{0,3}".prop_map(|text| ours(&text)),
        1 => cut(),
        1 => Just(Record::Notice(NoticeRecord { text: "n".to_owned() })),
    ]
}

/// Records of any kind in any order, each with its turn.
pub(crate) fn records() -> impl Strategy<Value = Vec<(&'static str, Record)>> {
    let picture = UserRecord { parts: vec![Part::Image(picture())], circumstances: Some("[noon]".to_owned()), pasted: Vec::new() };
    let record = prop_oneof![
        4 => text().prop_map(|text| user(&text)),
        1 => Just(Record::User(picture)),
        3 => Just(started()),
        3 => "[a-c]{1,3}".prop_map(|text| answer(&text, Extent::Whole)),
        2 => text().prop_map(|text| answer(&text, Extent::Aborted)),
        3 => Just(answered()),
        1 => Just(ended(Outcome::Interrupted)),
        1 => Just(Record::Opened(Box::<OpeningRecord>::default())),
        1 => Just(Record::Changed(Change::Reasoning { shown: true })),
        9 => work(),
    ];
    proptest::collection::vec((0_usize..5, record), 0..24)
        .prop_map(|records| records.into_iter().map(|(turn, record)| (TURNS[turn], record)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However the log came about and wherever it ends: with a new message, and whatever is done about it, it makes a request that
    /// strict templates take, with and without tools of their own, and the new message survives. The prefix of a log is a log.
    #[test]
    fn any_prefix_of_any_log_is_a_valid_request(
        mut log_before in records(),
        work in proptest::collection::vec(work(), 0..10),
        window in prop_oneof![Just(4_096_u32), Just(8_192), Just(131_072)],
    ) {
        log_before.push(("now", user(QUESTION)));
        log_before.extend(work.into_iter().map(|record| ("now", record)));
        let messages = request(&history(&log(log_before)), "now", window).messages;
        prop_assert_eq!(check(&messages), Ok(()), "{:?}", messages);
        prop_assert!(asks(&messages, QUESTION), "{:?}", messages);
        for telling in TELLINGS {
            let told = told(&messages, telling);
            prop_assert_eq!(check(&told), Ok(()), "{:?}", told);
            prop_assert!(asks(&told, QUESTION), "{:?}", told);
        }
    }
}

/// What a model does in a step.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Calls so many tools, each of which brings so many lines.
    Read { calls: usize, lines: usize },
    /// Calls a tool with so many lines.
    Write { lines: usize },
    /// Writes so many lines that cannot be used.
    Babble { lines: usize },
}

/// How a turn ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Answered,
    /// While the last call is made.
    Stopped,
    /// The same, and nobody writes it down.
    Killed,
}

fn day() -> impl Strategy<Value = Vec<(Vec<Act>, End)>> {
    let act = prop_oneof![
        3 => (1_usize..3, 0_usize..160).prop_map(|(calls, lines)| Act::Read { calls, lines }),
        1 => (0_usize..400).prop_map(|lines| Act::Write { lines }),
        1 => (0_usize..200).prop_map(|lines| Act::Babble { lines }),
    ];
    let end = prop_oneof![4 => Just(End::Answered), 1 => Just(End::Stopped), 1 => Just(End::Killed)];
    proptest::collection::vec((proptest::collection::vec(act, 0..9), end), 1..5)
}

/// A session on one route, as it is written down.
struct Session {
    window: u32,
    records: Vec<(&'static str, Record)>,
    sent: Vec<Message>,
}

impl Session {
    /// Makes the next request and writes down what it left out.
    fn ask(&mut self, turn: &'static str) {
        let question = format!("question {turn}");
        let built = request(&history(&log(self.records.clone())), turn, self.window);
        assert_eq!(check(&built.messages), Ok(()));
        assert!(asks(&built.messages, &question), "{:?}", built.messages);
        match &built.cut {
            Some(cut) => {
                assert!(!cut.to_string().is_empty(), "{cut:?}");
                let shortened = cut.shortened.clone().map(|shortened| shortened.limits).unwrap_or_default();
                let cut = CutRecord { keep_from: cut.keep_from, route: Some(route()), note: None, shortened };
                self.records.push((turn, Record::Cut(cut)));
                let again = request(&history(&log(self.records.clone())), turn, self.window);
                assert_eq!((again.cut, &again.messages), (None, &built.messages), "a cut does not hold");
            }
            None => {
                assert!(built.messages.starts_with(&self.sent), "{:?} does not go on with {:?}", built.messages, self.sent);
                for telling in TELLINGS.into_iter().filter(|_| !self.sent.is_empty()) {
                    assert!(told(&built.messages, telling).starts_with(&told(&self.sent, telling)));
                }
            }
        }
        self.sent = built.messages;
    }

    fn act(&mut self, turn: &'static str, act: Act) {
        let (line, number) = ("a line of the file\n", self.records.len());
        let records = match act {
            Act::Read { calls, lines } => {
                let ids: Vec<String> = (0..calls).map(|call| format!("{turn}-{number}-{call}")).collect();
                let results = ids.iter().map(|id| result(id, &format!("{id}\n{}", line.repeat(lines)), Vec::new()));
                let calls = ids.iter().map(|id| call(id, "all"));
                std::iter::once(answer("I look.", Extent::Step)).chain(calls).chain(results).collect()
            }
            Act::Write { lines } => {
                let id = format!("{turn}-{number}");
                vec![thought("so be it", Extent::Step), call(&id, &line.repeat(lines)), result(&id, "written", Vec::new())]
            }
            Act::Babble { lines } => {
                vec![answer(&format!("fly({})", line.repeat(lines)), Extent::Step), ours("there is no tool \"fly\"")]
            }
        };
        self.write(turn, records);
    }

    fn write(&mut self, turn: &'static str, records: Vec<Record>) {
        self.records.extend(records.into_iter().map(|record| (turn, record)));
    }

    fn end(&mut self, turn: &'static str, end: End) {
        let records = match end {
            End::Answered => vec![answer("That is all.", Extent::Whole), answered()],
            End::Stopped => vec![call(&format!("{turn}-last"), "more"), answer("half a", Extent::Aborted), ended(Outcome::Stopped)],
            End::Killed => vec![call(&format!("{turn}-last"), "more")],
        };
        self.write(turn, records);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Law 1: what a route was sent once stands unchanged at the beginning of what it is sent next, unless a cut came between; and what
    /// is cut stays so.
    #[test]
    fn the_next_request_extends_this_one_until_a_cut(day in day(), window in prop_oneof![Just(4_096_u32), Just(8_192), Just(131_072)]) {
        let mut session = Session { window, records: Vec::new(), sent: Vec::new() };
        for (turn, (acts, end)) in TURNS.into_iter().zip(day) {
            session.write(turn, vec![user(&format!("question {turn}")), started()]);
            session.ask(turn);
            for act in acts {
                session.act(turn, act);
                session.ask(turn);
            }
            session.end(turn, end);
        }
    }
}
