//! From a session's history to the scene in which an action would happen.

use krabba_context::Fragment;
use krabba_guard::{Principal, Said, Scene, Source};
use krabba_types::{AgentId, Label, ModelRef, Part, SessionId, ToolResult, TurnId};

use crate::History;
use crate::quoted::Words;
use crate::record::{AssistantRecord, Maker, SHOWN, UserRecord};

/// Tools that bring what somebody wrote. What a sub-agent says was looked at when it said it.
const READING: [&str; 7] = ["web_fetch", "web_search", "read", "grep", "find", "ls", "sessions_spawn"];

/// Those of them that bring it from files, and tools by which a model writes files. What a command writes after something foreign was
/// read stands apart from those.
const FROM_FILES: [&str; 2] = ["read", "grep"];
const WRITING: [&str; 3] = ["write", "edit", "apply_patch"];

/// A piece of the context, and where it stands in the log.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    seq: u64,
    said: Said,
}

impl Material {
    /// What a person typed, or a guest, and what they only showed. What we said to the model in a person's place is nobody's words.
    pub(crate) fn of_user(seq: u64, label: &Label, user: &UserRecord) -> Vec<Self> {
        let pieces = match label {
            Label::System => Vec::new(),
            Label::Owner => {
                let Words { own, shown } = user.words();
                vec![Self::new(seq, Source::Typed, label, own), Self::new(seq, Source::Typed, &Label::untrusted(SHOWN), shown)]
            }
            Label::Minted => vec![Self::new(seq, Source::Task, label, texts(&user.parts))],
            Label::Guest { .. } | Label::Untrusted { .. } => vec![Self::new(seq, Source::Typed, label, texts(&user.parts))],
        };
        pieces.into_iter().flatten().collect()
    }

    /// What the model wrote.
    pub(crate) fn of_assistant(seq: u64, label: &Label, assistant: &AssistantRecord) -> Option<Self> {
        Self::new(seq, Source::Model, label, texts(&assistant.parts))
    }

    /// What a model noted of earlier turns.
    pub(crate) fn of_note(seq: u64, label: &Label, text: &str) -> Option<Self> {
        Self::new(seq, Source::Summary, label, text.to_owned())
    }

    /// What a tool brought.
    pub(crate) fn of_result(seq: u64, label: &Label, result: &ToolResult, Maker { tool, server }: Maker) -> Option<Self> {
        Self::new(seq, Source::Tool { name: tool, server }, label, result.text.clone())
    }

    /// What the model asked it with.
    pub(crate) fn of_call(seq: u64, arguments: String, Maker { tool, server }: &Maker) -> Option<Self> {
        Self::new(seq, Source::Asked { name: tool.clone(), server: server.clone() }, &Label::Minted, arguments)
    }

    /// The same, where it stands.
    pub(crate) fn as_asked(&self) -> Option<(u64, &str)> {
        matches!(self.said.source, Source::Asked { .. }).then_some((self.seq, &self.said.text))
    }

    /// The same, of a tool that writes files.
    pub(crate) fn as_written(&self) -> Option<(u64, &str)> {
        let writes = matches!(&self.said.source, Source::Asked { name, server: None } if WRITING.contains(&name.as_str()));
        writes.then_some((self.seq, self.said.text.as_str()))
    }

    /// What may hold a call that is not to be made when the model repeats it, whether or not it stands in the prompt still: a note or an
    /// answer may quote what has left. Of what tools brought these are the foreign texts; the others count while they are there.
    pub(crate) fn of_others(&self) -> Option<String> {
        let Said { source, label, text } = &self.said;
        let counts = match source {
            Source::Task | Source::Summary => true,
            Source::Typed | Source::Tool { .. } => !label.is_own(),
            Source::Model | Source::Profile | Source::Asked { .. } => false,
        };
        counts.then(|| text.clone())
    }

    /// The tool that read it from files.
    pub(crate) fn of_files(&self) -> Option<&str> {
        match &self.said.source {
            Source::Tool { name, server: None } if FROM_FILES.contains(&name.as_str()) => Some(name),
            _ => None,
        }
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// What it says and where it stands, if it was read: the words are somebody else's than the model's, which chooses what a command
    /// says and writes the task of a sub-agent.
    pub(crate) fn as_read(&self) -> Option<(u64, &str)> {
        let read = match &self.said.source {
            Source::Tool { name, server } => server.is_some() || READING.contains(&name.as_str()),
            Source::Typed => self.said.label == Label::Owner || self.said.label == Label::untrusted(SHOWN),
            Source::Model | Source::Task | Source::Summary | Source::Profile | Source::Asked { .. } => false,
        };
        read.then_some((self.seq, &self.said.text))
    }

    /// What the owner typed.
    pub(crate) fn of_owner(&self) -> Option<&str> {
        (self.said.source == Source::Typed && self.said.label == Label::Owner).then_some(&self.said.text)
    }

    fn new(seq: u64, source: Source, label: &Label, text: String) -> Option<Self> {
        (!text.is_empty()).then(|| Self { seq, said: Said { source, label: label.clone(), text } })
    }
}

/// The scene of `turn` as it is now. What left the context of `route` by a cut is left out, but for the owner's own words, which
/// nobody can put into the owner's mouth later. What servers gave as data stays whole: two things of one name are told apart by it.
pub(crate) fn scene(agent: &AgentId, session: &SessionId, turn: &TurnId, history: &History, route: &ModelRef, speaker: &Label) -> Scene {
    let cut = history.cut_for(route);
    let kept = history.material().iter().filter(|material| material.seq >= cut || material.said.label.is_own());
    // What foreign content had a hand in does not stand there.
    let files = history.opening().into_iter().flat_map(|opening| opening.system.fragments()).filter_map(Fragment::foreign_text);
    let profile = files.map(|text| Said { source: Source::Profile, label: Label::System, text: text.to_owned() });
    let principal = match speaker {
        Label::Owner | Label::System | Label::Minted => Principal::Owner,
        Label::Guest { person } => Principal::Guest { person: person.clone() },
        Label::Untrusted { .. } => Principal::Guest { person: speaker.to_string() },
    };
    Scene {
        agent: agent.clone(),
        session: session.clone(),
        turn: turn.clone(),
        principal,
        label: history.label_of_answer(route),
        said: profile.chain(kept.map(|material| material.said.clone())).collect(),
        structured: history.structured().to_vec(),
    }
}

fn texts(parts: &[Part]) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Image(_) | Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
