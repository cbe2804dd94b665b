//! Scripts written in Rust.

use krabba_types::ServerKind;

use crate::script::{Boot, BootStyle, Load, LoadStyle, Strict};
use crate::{CallStep, Delivery, Model, Rule, Script, ServerError, Step, UsageStep, When, WhenFull};

/// Kinds of server.
impl Script {
    /// A server of this kind without models.
    pub fn of(server: ServerKind) -> Self {
        Self { server, ..Self::default() }
    }

    /// All four dialects, any model.
    pub fn any() -> Self {
        Self::of(ServerKind::Other)
    }

    /// LM Studio.
    pub fn lm_studio() -> Self {
        Self::of(ServerKind::LmStudio)
    }

    /// llama.cpp's `llama-server`.
    pub fn llama_cpp() -> Self {
        Self::of(ServerKind::LlamaCpp)
    }

    /// Ollama.
    pub fn ollama() -> Self {
        Self::of(ServerKind::Ollama)
    }

    /// vLLM.
    pub fn vllm() -> Self {
        Self::of(ServerKind::Vllm)
    }

    /// SGLang.
    pub fn sglang() -> Self {
        Self::of(ServerKind::Sglang)
    }

    /// `mlx_lm.server`.
    pub fn mlx() -> Self {
        Self::of(ServerKind::Mlx)
    }

    /// LiteLLM proxy.
    pub fn litellm() -> Self {
        Self::of(ServerKind::LiteLlm)
    }

    /// LocalAI.
    pub fn local_ai() -> Self {
        Self::of(ServerKind::LocalAi)
    }

    /// Jan.
    pub fn jan() -> Self {
        Self::of(ServerKind::Jan)
    }

    /// Anthropic's own service.
    pub fn anthropic() -> Self {
        Self::of(ServerKind::Anthropic)
    }

    /// OpenAI's own service.
    pub fn open_ai() -> Self {
        Self::of(ServerKind::OpenAi)
    }

    /// OpenRouter.
    pub fn open_router() -> Self {
        Self::of(ServerKind::OpenRouter)
    }
}

/// Models. [`Script::window`] and what follows change the model that was added last.
impl Script {
    /// Adds a loaded model with a window of 8,192 of 32,768 tokens.
    pub fn model(mut self, id: &str) -> Self {
        self.models.push(Model::new(id));
        self
    }

    /// Adds a model as given.
    pub fn with_model(mut self, model: Model) -> Self {
        self.models.push(model);
        self
    }

    /// The window with which it is loaded, in tokens.
    pub fn window(self, tokens: u32) -> Self {
        self.last_model(|model| {
            model.window = tokens;
            model.max_window = model.max_window.max(tokens);
        })
    }

    /// The window that it could be loaded with, in tokens.
    pub fn max_window(self, tokens: u32) -> Self {
        self.last_model(|model| model.max_window = tokens)
    }

    /// The window that really holds, whatever the server says.
    pub fn true_window(self, tokens: u32) -> Self {
        self.last_model(|model| model.true_window = Some(tokens))
    }

    /// Not in memory at the start.
    pub fn cold(self) -> Self {
        self.last_model(|model| model.loaded = false)
    }

    fn last_model(mut self, change: impl FnOnce(&mut Model)) -> Self {
        if let Some(model) = self.models.last_mut() {
            change(model);
        }
        self
    }
}

/// The machine.
impl Script {
    /// The key that it requires.
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Requests worked on at a time, and what happens to more.
    pub fn slots(mut self, slots: usize, when_full: WhenFull) -> Self {
        self.machine.slots = Some(slots);
        self.machine.when_full = when_full;
        self
    }

    /// Starts up until [`ScriptedServer::release`](crate::ScriptedServer::release).
    pub fn booting(mut self, style: BootStyle) -> Self {
        self.machine.boot = Some(Boot { for_ms: None, style });
        self
    }

    /// Loads last until [`ScriptedServer::release`](crate::ScriptedServer::release).
    pub fn held_loads(mut self, style: LoadStyle) -> Self {
        self.machine.load = Load { ms: 0, held: true, style };
        self
    }

    /// Loads take so many milliseconds.
    pub fn load_ms(mut self, ms: u64) -> Self {
        self.machine.load.ms = ms;
        self
    }

    /// Memory for one model only.
    pub fn one_model(mut self) -> Self {
        self.machine.one_model = true;
        self
    }

    /// Goes on computing when the client has left.
    pub fn deaf(mut self) -> Self {
        self.machine.deaf = true;
        self
    }

    /// Refuses something.
    pub fn strict(mut self, rule: Strict) -> Self {
        self.strict.push(rule);
        self
    }
}

/// Answers. [`Script::when`] and [`Script::delivery`] change the rule that was added last.
impl Script {
    /// Answers with this text in one piece and a healthy ending.
    pub fn reply(self, text: &str) -> Self {
        self.steps([Step::text(text), Step::End])
    }

    /// Answers with these steps.
    pub fn steps(self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.rule(Rule { steps: steps.into_iter().collect(), ..Rule::default() })
    }

    /// Answers with an HTTP error in the server's shape.
    pub fn fails(self, error: ServerError) -> Self {
        self.rule(Rule { status: Some(error.status), steps: vec![Step::Error(error)], ..Rule::default() })
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Conditions of the last rule.
    pub fn when(mut self, when: When) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.when = when;
        }
        self
    }

    /// The last rule answers only the nth generation request, counted from 1.
    pub fn only_request(mut self, number: u64) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.when.request = Some(number);
        }
        self
    }

    /// The last rule answers only requests for this model.
    pub fn only_model(mut self, model: &str) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.when.model = Some(model.to_owned());
        }
        self
    }

    /// How the bytes of the last rule are sent.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        if let Some(rule) = self.rules.last_mut() {
            rule.delivery = delivery;
        }
        self
    }
}

impl Step {
    /// One delta of text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// One delta of reasoning.
    pub fn reasoning(text: &str) -> Self {
        Self::Reasoning(text.to_owned())
    }

    /// A well-formed tool call.
    pub fn tool_call(name: &str, arguments: serde_json::Value) -> Self {
        Self::ToolCall(CallStep { name: name.to_owned(), arguments, ..CallStep::default() })
    }

    /// Bytes of the body as they are.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Raw(crate::RawBytes(bytes.into()))
    }

    /// An SSE comment.
    pub fn comment(words: &str) -> Self {
        Self::Comment(words.to_owned())
    }

    /// The finish reason.
    pub fn finish(reason: &str) -> Self {
        Self::Finish(reason.to_owned())
    }

    /// An error inside the stream.
    pub fn error(message: &str) -> Self {
        Self::Error(ServerError::new(500, message))
    }

    /// Counters; what is `None` is counted.
    pub fn usage(usage: UsageStep) -> Self {
        Self::Usage(usage)
    }
}
