//! From a line of text to a command.
//!
//! A command is a line that begins with `/` and a name. OpenClaw's spellings are understood: a colon behind the name
//! (`/think: high`), short names (`/t`), `/model status`, `/model list`, and an alias of a model as a name of its own.
//! A line whose first word holds a second slash is a path that somebody talks about, and no command.

use krabba_types::Thinking;

/// What a person asks of krabba itself rather than of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Show the commands.
    Help,
    /// Show or change the model of this session.
    Model(ModelWish),
    /// List providers, or the models of one.
    Models(ModelsWish),
    /// Show or change how much the model thinks.
    Think(ThinkWish),
    /// Show or change whether reasoning is shown; `None` shows.
    Reasoning(Option<Switch>),
    /// Send a picture with the next message.
    Image {
        /// A path, or a `data:` URL.
        source: String,
    },
    /// Show model, place, window, speed and session.
    Status,
    /// Show what the prompt consists of.
    Context,
    /// Begin a new session.
    New {
        /// Its first message.
        message: Option<String>,
    },
    /// Take older messages out of the context.
    Compact,
    /// Stop the answer that is coming and those that wait.
    Stop,
    /// List the sessions.
    Sessions,
    /// Leave; for surfaces that can be left.
    Quit,
}

/// What `/model` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelWish {
    /// Show the current one.
    Show,
    /// Show it with all providers.
    Status,
    /// Go back to the configured one.
    Default,
    /// Use this one from now on, or, with a message, for that message alone.
    Use {
        /// An alias, an id or `provider/id`.
        name: String,
        /// The message.
        message: Option<String>,
    },
}

/// What `/models` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelsWish {
    /// Only the models of this provider.
    pub provider: Option<String>,
    /// Which page, counted from 1.
    pub page: usize,
    /// How many to a page; `None` for the usual number.
    pub size: Option<PageSize>,
}

impl Default for ModelsWish {
    /// The first page of the list of providers.
    fn default() -> Self {
        Self { provider: None, page: 1, size: None }
    }
}

/// How many entries make a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// So many.
    Entries(usize),
    /// All there are.
    All,
}

/// What `/think` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThinkWish {
    /// Show the level.
    Show,
    /// Go back to the configured level.
    Default,
    /// Think so much from now on, or, with a message, for that message alone.
    Use {
        /// How much.
        level: Thinking,
        /// The message.
        message: Option<String>,
    },
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// A line that looks like a command and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No command and no alias has this name.
    #[error("there is no command /{name}{}; /help shows all. To send text that begins with a slash, put a space before it", did_you_mean(.closest))]
    Unknown {
        /// What was typed.
        name: String,
        /// Names that look like it, best first.
        closest: Vec<String>,
    },
    /// The command does not take what stands behind it.
    #[error("/{command}: {problem}; use it as {usage}")]
    Misused {
        /// Which.
        command: &'static str,
        /// What is wrong.
        problem: String,
        /// How it is used.
        usage: &'static str,
    },
}

fn did_you_mean(closest: &[String]) -> String {
    if closest.is_empty() {
        return String::new();
    }
    format!(" (did you mean {}?)", closest.iter().map(|name| format!("/{name}")).collect::<Vec<_>>().join(" or "))
}

/// A command as people are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Without the slash.
    pub name: &'static str,
    /// Other names, without the slash.
    pub also: &'static [&'static str],
    /// How it is used.
    pub usage: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
}

/// All commands, in the order in which people are told of them.
pub const COMMANDS: [Entry; 13] = [
    Entry { name: "model", also: &["m"], usage: "/model [NAME|default|status|list]", summary: "the model of this session" },
    Entry { name: "models", also: &[], usage: "/models [PROVIDER] [PAGE|all]", summary: "what there is to choose from" },
    Entry { name: "think", also: &["t", "thinking"], usage: "/think [off|low|medium|high|default]", summary: "how much the model thinks" },
    Entry { name: "reasoning", also: &["reason"], usage: "/reasoning [on|off]", summary: "whether you see what it thinks" },
    Entry { name: "image", also: &["img"], usage: "/image PATH", summary: "send a picture with your next message" },
    Entry { name: "status", also: &[], usage: "/status", summary: "model, place, window, speed, session" },
    Entry { name: "context", also: &[], usage: "/context", summary: "what the prompt consists of" },
    Entry { name: "new", also: &["reset"], usage: "/new [MESSAGE]", summary: "begin a new conversation" },
    Entry { name: "compact", also: &[], usage: "/compact", summary: "have older messages noted, and leave them out of the prompt" },
    Entry { name: "stop", also: &["abort"], usage: "/stop", summary: "stop the answer that is coming" },
    Entry { name: "sessions", also: &["session"], usage: "/sessions", summary: "your conversations" },
    Entry { name: "help", also: &["commands", "h", "?"], usage: "/help", summary: "this list" },
    Entry { name: "quit", also: &["exit", "q"], usage: "/quit", summary: "leave" },
];

/// Whole messages that stop an answer, as OpenClaw's users know them. Shorter words that people really say to a model
/// (`wait`, `exit`) are left to them.
const STOP_WORDS: [&str; 4] = ["stop", "abort", "esc", "interrupt"];

/// Reads a line. `Ok(None)` is a message for the model. `aliases` are the names of models; each is a command too.
///
/// # Errors
/// When the line begins like a command and is none, or is not used as it can be.
pub fn parse<'a>(text: &str, aliases: impl IntoIterator<Item = &'a str>) -> Result<Option<Command>, CommandError> {
    let line = text.trim_end();
    if STOP_WORDS.contains(&line.to_lowercase().as_str()) {
        return Ok(Some(Command::Stop));
    }
    let Some(body) = line.strip_prefix('/') else { return Ok(None) };
    let (name, rest) = split_name(body);
    if name.is_empty() || name.contains('/') {
        return Ok(None);
    }
    let lower = name.to_lowercase();
    let known = COMMANDS.iter().find(|entry| entry.name == lower || entry.also.contains(&lower.as_str()));
    match known {
        Some(entry) => arguments(entry, rest).map(Some),
        None => alias_or_unknown(body, name, aliases).map(Some),
    }
}

/// The name ends at white space or at a colon that white space or nothing follows, so that an alias may hold one.
fn split_name(body: &str) -> (&str, &str) {
    let (name, rest) = match body.split_once(char::is_whitespace) {
        Some((name, rest)) => (name, rest.trim()),
        None => (body, ""),
    };
    match name.split_once(':') {
        Some((stem, "")) => (stem, rest),
        // "/think:high"; an alias with a colon in the middle has no command's name before it.
        Some((stem, _)) if is_command(stem) => {
            let behind = body.strip_prefix(stem).and_then(|tail| tail.strip_prefix(':')).unwrap_or(rest);
            (stem, behind.trim())
        }
        Some(_) | None => (name, rest),
    }
}

fn is_command(name: &str) -> bool {
    let lower = name.to_lowercase();
    COMMANDS.iter().any(|entry| entry.name == lower || entry.also.contains(&lower.as_str()))
}

fn arguments(entry: &Entry, rest: &str) -> Result<Command, CommandError> {
    let misused = |problem: String| CommandError::Misused { command: entry.name, problem, usage: entry.usage };
    let alone = |command: Command| if rest.is_empty() { Ok(command) } else { Err(misused(format!("it takes nothing, not \"{rest}\""))) };
    match entry.name {
        "model" => Ok(model(rest)),
        "models" => models(rest).map(Command::Models).map_err(misused),
        "think" => think(rest).map(Command::Think).map_err(misused),
        "reasoning" => reasoning(rest).map(Command::Reasoning).map_err(misused),
        "image" if rest.is_empty() => Err(misused("say which picture".to_owned())),
        "image" => Ok(Command::Image { source: rest.to_owned() }),
        "new" => Ok(Command::New { message: message(rest) }),
        "status" => alone(Command::Status),
        "context" => alone(Command::Context),
        // What OpenClaw takes here, a focus for its summary, has no meaning for a cut and does no harm.
        "compact" => Ok(Command::Compact),
        "stop" => Ok(Command::Stop),
        "sessions" => alone(Command::Sessions),
        "quit" => Ok(Command::Quit),
        _ => Ok(Command::Help),
    }
}

fn model(rest: &str) -> Command {
    match rest.to_lowercase().as_str() {
        "" => Command::Model(ModelWish::Show),
        "status" => Command::Model(ModelWish::Status),
        "list" => Command::Models(ModelsWish::default()),
        "default" | "reset" => Command::Model(ModelWish::Default),
        // The whole rest is a name, since aliases may hold spaces. Who executes it knows the names and may find that it
        // is a name and a message.
        _ => Command::Model(ModelWish::Use { name: rest.to_owned(), message: None }),
    }
}

fn models(rest: &str) -> Result<ModelsWish, String> {
    let mut wish = ModelsWish::default();
    for word in rest.split_whitespace() {
        let size = word.strip_prefix("limit=").or_else(|| word.strip_prefix("size="));
        if word.eq_ignore_ascii_case("all") {
            wish.size = Some(PageSize::All);
        } else if let Some(size) = size {
            let entries = size.parse().ok().filter(|size| (1..=100).contains(size));
            wish.size = Some(PageSize::Entries(entries.ok_or_else(|| format!("\"{size}\" is not a number from 1 to 100"))?));
        } else if let Ok(page) = word.parse::<usize>() {
            wish.page = page.max(1);
        } else if wish.provider.is_none() {
            wish.provider = Some(word.to_owned());
        } else {
            return Err(format!("\"{word}\" is one word too many"));
        }
    }
    Ok(wish)
}

fn think(rest: &str) -> Result<ThinkWish, String> {
    let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match word.to_lowercase().as_str() {
        "" => Ok(ThinkWish::Show),
        "default" | "auto" => Ok(ThinkWish::Default),
        lower => Ok(ThinkWish::Use { level: lower.parse()?, message: message(behind) }),
    }
}

fn reasoning(rest: &str) -> Result<Option<Switch>, String> {
    match rest.to_lowercase().as_str() {
        "" => Ok(None),
        // OpenClaw's third value shows it while it comes, which is what "on" does here.
        "on" | "stream" => Ok(Some(Switch::On)),
        "off" => Ok(Some(Switch::Off)),
        other => Err(format!("\"{other}\" is neither on nor off")),
    }
}

fn message(rest: &str) -> Option<String> {
    let text = rest.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An alias may hold spaces, so that the longest one that the line begins with counts.
fn alias_or_unknown<'a>(body: &str, name: &str, aliases: impl IntoIterator<Item = &'a str>) -> Result<Command, CommandError> {
    let aliases: Vec<&str> = aliases.into_iter().collect();
    let found = aliases.iter().filter_map(|alias| Some((*alias, behind_alias(body, alias)?))).max_by_key(|(alias, _)| alias.len());
    match found {
        Some((alias, rest)) => Ok(Command::Model(ModelWish::Use { name: alias.to_owned(), message: message(rest) })),
        None => {
            let names = COMMANDS.iter().flat_map(|entry| std::iter::once(entry.name).chain(entry.also.iter().copied())).chain(aliases);
            Err(CommandError::Unknown { name: name.to_owned(), closest: crate::closest::closest(name, names) })
        }
    }
}

/// What stands behind `alias` at the beginning of `body`, compared without regard to case.
pub(crate) fn behind_alias<'a>(body: &'a str, alias: &str) -> Option<&'a str> {
    let mut rest = body.chars();
    for wanted in alias.chars() {
        if !rest.next()?.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    let behind = rest.as_str();
    let behind = behind.strip_prefix(':').unwrap_or(behind);
    (behind.is_empty() || behind.starts_with(char::is_whitespace)).then_some(behind)
}
