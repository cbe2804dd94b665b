//! Doing what a command says.

use krabba_agent::{Agent, AgentError, Change, Input, Lane, Stopped};
use krabba_route::Router;
use krabba_types::{Image, SessionId, Thinking, Timestamp};

use crate::image::{FileAccess, read_image};
use crate::parse::{COMMANDS, Command, CommandError, Switch, ThinkWish, parse};
use crate::{model, models, report};

/// What a command may need.
#[derive(Clone)]
pub struct Context<'a> {
    /// Whose session it is.
    pub agent: &'a Agent,
    /// What there is to choose from.
    pub router: &'a Router,
    /// The session in which the command was given.
    pub lane: &'a Lane,
    /// Whether the person may name files of this machine.
    pub files: &'a FileAccess,
    /// Now.
    pub now: Timestamp,
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Lines for the person, in Markdown; may be empty.
    pub text: String,
    /// What the surface does besides showing the text.
    pub effect: Effect,
}

/// What a surface does after a command.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing.
    None,
    /// Goes on in another session, and begins there with this message if there is one.
    NewSession {
        /// Which.
        session: SessionId,
        /// Its first message.
        message: Option<String>,
    },
    /// Asks this of the model now, as if the person had typed it.
    Ask(Box<Input>),
    /// Sends this with the person's next message.
    Attach(Image),
    /// Shows reasoning or does not, from now on.
    ShowReasoning(Switch),
    /// The turns of the session were stopped; drops what it has queued itself.
    Stop,
    /// Makes the prompt of the session smaller; [`crate::compacted`] says what came of it.
    Compact,
    /// Leaves, where that means something.
    Quit,
}

impl Reply {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), effect: Effect::None }
    }

    pub(crate) fn with(text: impl Into<String>, effect: Effect) -> Self {
        Self { text: text.into(), effect }
    }
}

/// Reads `text` and does what it says; `None` when it is a message for the model. Whatever goes wrong is the reply.
pub async fn run(text: &str, context: &Context<'_>) -> Option<Reply> {
    let aliases = context.router.aliases();
    match parse(text, aliases.iter().map(|(name, _)| name.as_str())) {
        Ok(None) => None,
        Ok(Some(command)) => Some(execute(&command, context).await),
        Err(mut error) => {
            if let CommandError::Unknown { closest, .. } = &mut error {
                let usable = context.router.usable_aliases();
                let out_of_reach =
                    |name: &String| aliases.iter().any(|(alias, _)| alias == name) && !usable.iter().any(|(alias, _)| alias == name);
                closest.retain(|name| !out_of_reach(name));
            }
            Some(Reply::text(error.to_string()))
        }
    }
}

/// Does what `command` says. Whatever goes wrong is the reply.
pub async fn execute(command: &Command, context: &Context<'_>) -> Reply {
    match attempt(command, context).await {
        Ok(reply) => reply,
        Err(error) => Reply::text(error.to_string()),
    }
}

async fn attempt(command: &Command, context: &Context<'_>) -> Result<Reply, AgentError> {
    match command {
        Command::Help => Ok(Reply::text(help(context))),
        Command::Model(wish) => model::execute(wish, context).await,
        Command::Models(wish) => Ok(Reply::text(models::page(wish, context))),
        Command::Think(wish) => think(wish, context).await,
        Command::Reasoning(wish) => reasoning(*wish, context).await,
        Command::Image { source } => Ok(match read_image(source, context.files).await {
            Ok(image) => Reply::with("the picture goes with your next message", Effect::Attach(image)),
            Err(error) => Reply::text(error.to_string()),
        }),
        Command::Status => report::status(context).await.map(Reply::text),
        Command::Context => report::context(context).await.map(Reply::text),
        Command::New { message } => new_session(message.clone(), context).await,
        Command::Compact => Ok(Reply::with("", Effect::Compact)),
        Command::Stop => Ok(stop(context).await),
        Command::Sessions => report::sessions(context).await.map(Reply::text),
        Command::Quit => Ok(Reply::with("", Effect::Quit)),
    }
}

fn help(context: &Context<'_>) -> String {
    let mut text: String = COMMANDS.iter().map(|entry| format!("- `{}`: {}\n", entry.usage, entry.summary)).collect();
    let aliases = context.router.usable_aliases();
    if !aliases.is_empty() {
        let names: Vec<String> = aliases.iter().map(|(name, _)| format!("`/{name}`")).collect();
        text.push_str(&format!("\nA model by its alias, for one message or for good: {}", names.join(", ")));
    }
    text.trim_end().to_owned()
}

async fn think(wish: &ThinkWish, context: &Context<'_>) -> Result<Reply, AgentError> {
    match wish {
        ThinkWish::Show => {
            let level = match context.lane.view().await?.settings.thinking {
                Some(level) => level.to_string(),
                None => format!("{} (as configured)", context.agent.thinking()),
            };
            Ok(Reply::text(format!("thinking: {level}. Choose off, low, medium, high or default")))
        }
        ThinkWish::Default => {
            context.lane.change(Change::Thinking { level: None }).await?;
            Ok(Reply::text(format!("thinking: {} (as configured)", context.agent.thinking())))
        }
        ThinkWish::Use { level, message: None } => {
            context.lane.change(Change::Thinking { level: Some(*level) }).await?;
            Ok(Reply::text(thinking_line(*level)))
        }
        ThinkWish::Use { level, message: Some(message) } => {
            let input = Input { thinking: Some(*level), ..Input::text(message.clone()) };
            Ok(Reply::with("", Effect::Ask(Box::new(input))))
        }
    }
}

fn thinking_line(level: Thinking) -> String {
    match level {
        Thinking::Unspecified => "thinking: left to the server".to_owned(),
        Thinking::Off => "thinking: off, where the model can be told".to_owned(),
        Thinking::Low | Thinking::Medium | Thinking::High => format!("thinking: {level}"),
    }
}

async fn reasoning(wish: Option<Switch>, context: &Context<'_>) -> Result<Reply, AgentError> {
    let Some(switch) = wish else {
        let shown = context.lane.view().await?.settings.shows_reasoning;
        return Ok(Reply::text(format!("reasoning is {}", if shown { "shown" } else { "not shown" })));
    };
    let (shown, line) = match switch {
        Switch::On => (true, "reasoning is shown, apart from the answer"),
        Switch::Off => (false, "reasoning is not shown"),
    };
    context.lane.change(Change::Reasoning { shown }).await?;
    Ok(Reply::with(line, Effect::ShowReasoning(switch)))
}

/// A bare `/new` is answered by a fixed line: a greeting by the model would cost a slow machine a whole prompt.
async fn new_session(message: Option<String>, context: &Context<'_>) -> Result<Reply, AgentError> {
    let lane = context.agent.succeed(context.lane).await?;
    let text = "a new conversation begins; the old one is kept (/sessions)";
    Ok(Reply::with(text, Effect::NewSession { session: lane.id().clone(), message }))
}

async fn stop(context: &Context<'_>) -> Reply {
    let Stopped { turns, left_running } = context.lane.stop().await;
    let line = match (turns, left_running) {
        (0, 0) => "nothing is being answered here".to_owned(),
        (0, 1) => "stopped the command that was left running".to_owned(),
        (0, commands) => format!("stopped {commands} commands that were left running"),
        (1, _) => "stopped".to_owned(),
        (turns, _) => format!("stopped, with {} that waited", turns.saturating_sub(1)),
    };
    Reply::with(line, Effect::Stop)
}
