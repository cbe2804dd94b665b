//! The command line. OpenClaw's verbs and flags keep their names, so that fingers and scripts keep working.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Parser, Subcommand};
use krabba_types::Thinking;

/// A private AI agent that lives on your own machine.
#[derive(Debug, Parser)]
#[command(name = "krabba", version, about, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Where configuration and state are.
    #[command(flatten)]
    pub(crate) place: Place,
    /// What to do; without it, a conversation.
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// Whether the verb was asked for JSON, whichever it is.
pub(crate) fn wants_json(matches: &ArgMatches) -> bool {
    let here = matches.try_get_one::<bool>("json").ok().flatten() == Some(&true);
    here || matches.subcommand().is_some_and(|(_, matches)| wants_json(matches))
}

/// Where configuration and state are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Configuration file [default: KRABBA_CONFIG, else ~/.krabba/krabba.json5, else OpenClaw's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory for sessions and other state [default: KRABBA_STATE_DIR, else ~/.krabba]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Talk in this terminal.
    Chat(Talk),
    /// Send one message and print the answer.
    Agent(Ask),
    /// Models: list, status, set, aliases, fallbacks, scan.
    Models {
        /// What to do with them.
        #[command(subcommand)]
        verb: Option<ModelsVerb>,
    },
    /// The configuration file: get, set, unset, validate, path, schema, adopt.
    Config {
        /// What to do with it.
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Stored conversations: list, show, export, delete.
    Sessions {
        /// What to do with them.
        #[command(subcommand)]
        verb: SessionsVerb,
    },
    /// Look for what is wrong and say what to do.
    Doctor {
        /// Mend what can be mended safely (file modes, state directory).
        #[arg(long)]
        fix: bool,
        #[command(flatten)]
        output: Output,
    },
    /// What waits for your word, and what others may decide: list, approve, deny, delegate, take-back.
    Approvals {
        /// What to do with it.
        #[command(subcommand)]
        verb: Option<ApprovalsVerb>,
    },
    /// The tools of MCP servers: list, approve.
    Mcp {
        /// What to do with them.
        #[command(subcommand)]
        verb: McpVerb,
    },
    /// What others could get at, and whether the record of decisions is whole.
    Security {
        /// What to look at.
        #[command(subcommand)]
        verb: SecurityVerb,
    },
    /// Why krabba does what it does: route, timeouts, context, policy.
    Explain {
        /// What to explain.
        #[command(subcommand)]
        verb: ExplainVerb,
    },
    /// Find servers, choose a model, write the configuration; with a URL, add a server to it.
    Onboard {
        /// A server on another machine or port (http://192.168.1.20:1234).
        url: Option<String>,
        /// The environment variable that holds the server's key.
        #[arg(long, value_name = "VARIABLE", requires = "url")]
        key_env: Option<String>,
    },
}

/// Flags of a conversation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Talk {
    /// Continue this conversation.
    #[arg(long, value_name = "ID")]
    pub(crate) session_id: Option<String>,
    /// An agent of the configuration.
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// The model: an alias, provider/id, or an id.
    #[arg(long, value_name = "REF")]
    pub(crate) model: Option<String>,
    /// How much to think: off, low, medium, high.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) thinking: Option<Thinking>,
}

/// Flags of one turn.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ask {
    /// The message; `-` reads it from standard input.
    #[arg(short, long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) message: String,
    #[command(flatten)]
    pub(crate) talk: Talk,
    /// A picture to look at; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Vec<PathBuf>,
    /// Give up after this many seconds; 0 is never [default: never]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    /// Without a daemon (there is none yet; accepted so that scripts keep working).
    #[arg(long)]
    pub(crate) local: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Output {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `krabba models …`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsVerb {
    /// Configured models; with --all those of the catalogue and of every server too.
    List {
        /// Also models that are not in the configuration.
        #[arg(long)]
        all: bool,
        /// Only models at home.
        #[arg(long)]
        local: bool,
        /// Only this provider.
        #[arg(long, value_name = "ID")]
        provider: Option<String>,
        #[command(flatten)]
        output: Output,
        /// One reference a line.
        #[arg(long, conflicts_with = "json")]
        plain: bool,
    },
    /// The chosen model, what stands behind it, and how each server is.
    Status {
        /// Send a real one-token request to each route; exit 1 when the default does not answer.
        #[arg(long)]
        probe: bool,
        /// Exit 1 when a key is missing, 2 when one is about to expire; no network.
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        output: Output,
        /// The default reference alone.
        #[arg(long, conflicts_with = "json")]
        plain: bool,
    },
    /// Choose the default model.
    Set {
        /// An alias or provider/id.
        reference: String,
    },
    /// Names for models.
    Aliases {
        /// What to do with them.
        #[command(subcommand)]
        verb: AliasesVerb,
    },
    /// Models that are asked when the default one does not answer.
    Fallbacks {
        /// What to do with them.
        #[command(subcommand)]
        verb: FallbacksVerb,
    },
    /// Look for model servers on this machine, or at a URL.
    Scan {
        /// A server on another machine or port.
        url: Option<String>,
        /// Send each loaded model a real one-token request.
        #[arg(long)]
        probe: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// `krabba models aliases …`
#[derive(Debug, Subcommand)]
pub(crate) enum AliasesVerb {
    /// All of them.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Name a model.
    Add {
        /// The name.
        alias: String,
        /// provider/id.
        reference: String,
    },
    /// Forget a name.
    Remove {
        /// The name.
        alias: String,
    },
}

/// `krabba models fallbacks …`
#[derive(Debug, Subcommand)]
pub(crate) enum FallbacksVerb {
    /// All of them, in order.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Put a model behind the others.
    Add {
        /// An alias or provider/id.
        reference: String,
    },
    /// Take a model away.
    Remove {
        /// An alias or provider/id.
        reference: String,
    },
    /// Take all away.
    Clear,
}

/// `krabba config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print a value, secrets hidden.
    Get {
        /// `agents.defaults.model.primary`; without it, everything.
        key: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Change a value in place; comments and order stay.
    Set {
        /// `agents.defaults.model.primary`, `models.providers["my box"].baseUrl`
        key: String,
        /// JSON5, or plain text.
        value: String,
    },
    /// Remove a value.
    Unset {
        /// As for `set`.
        key: String,
    },
    /// Check the file; all findings at once.
    Validate {
        #[command(flatten)]
        output: Output,
    },
    /// Print which file is used.
    Path,
    /// Print the JSON Schema.
    Schema,
    /// Copy somebody else's configuration to ~/.krabba, to change it there.
    Adopt,
}

/// `krabba sessions …`
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsVerb {
    /// All conversations, newest first.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Read one.
    Show {
        /// Its id, or the beginning of it.
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// Everything that is stored about one, as JSON lines.
    Export {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Delete one for good.
    Delete {
        /// Its id, or the beginning of it.
        id: String,
    },
}

/// `krabba approvals …`
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsVerb {
    /// The questions that are open, newest first.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Have it done, this once.
    Approve {
        /// Its id, or the beginning of it.
        id: String,
        /// The words that have to be typed for what cannot be undone.
        #[arg(long, value_name = "WORDS")]
        typed: Option<String>,
        /// Allow the same for the rest of the task: in that conversation, for an hour, at most twenty times.
        #[arg(long, conflicts_with = "typed")]
        task: bool,
    },
    /// Refuse it.
    Deny {
        /// Its id, or the beginning of it.
        id: String,
    },
    /// Let what comes from somewhere decide about calls of a tool, as if you had written it.
    Delegate {
        /// Where it comes from, as questions name it (`MCP server mail`, `docs.example.org`).
        #[arg(long, value_name = "ORIGIN")]
        from: String,
        /// A tool of an MCP server (`calendar__create_event`), or all of one's (`calendar__*`); may be given again.
        #[arg(long = "tool", value_name = "TOOL", required = true)]
        tools: Vec<String>,
        /// How many times.
        #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
        uses: u32,
        /// For how many hours.
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
        hours: u32,
    },
    /// Take back what you let somebody decide.
    TakeBack {
        /// Its id in the list, or the beginning of it.
        id: String,
    },
}

/// `krabba mcp …`
#[derive(Debug, Subcommand)]
pub(crate) enum McpVerb {
    /// What the configured servers offer, and what of it waits for your word.
    List {
        /// Ask the servers, instead of saying what is known.
        #[arg(long)]
        probe: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Use a tool that is new or changed, exactly as the list shows it.
    Approve {
        /// Its id in the list, or the beginning of it.
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        output: Output,
    },
}

/// `krabba security …`
#[derive(Debug, Subcommand)]
pub(crate) enum SecurityVerb {
    /// Look at files, configuration and the record of decisions; exit 1 when something is critical.
    Audit {
        #[command(flatten)]
        output: Output,
    },
}

/// `krabba explain …`
#[derive(Debug, Subcommand)]
pub(crate) enum ExplainVerb {
    /// Which model would answer, which would not, and why.
    Route {
        /// As if this model had been asked for.
        reference: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Every clock that applies to a model.
    Timeouts {
        /// The model [default: the chosen one]
        reference: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// The rules that decide what a model may do.
    Policy {
        #[command(flatten)]
        output: Output,
    },
    /// What a prompt is made of.
    Context {
        /// The model [default: the chosen one]
        reference: Option<String>,
        /// Of this conversation instead of a new one.
        #[arg(long, value_name = "ID")]
        session_id: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}
