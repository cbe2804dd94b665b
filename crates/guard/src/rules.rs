//! The default policy. Read from the top: the first rule whose conditions are met decides.

use crate::policy::Condition::{
    ControlFile, Decoy, Found, Guest, Irreversible, Key, LosesSecret, Memory, Network, NewNote, OpenWorld, OwnWords, PlainPayload, Private,
    Profile, Removes, Secret, Tainted, TakesOver, ThrowAway, Vouched,
};
use crate::policy::Decision::{Allow, AllowApart, Ask, AskTyped, Deny, Stop};
use crate::policy::Sink::{CallDeclared, CallReading, CallUndeclared, Change, Consult, Fetch, Look, Observe, Run, Search, Spawn, Type};
use crate::policy::{Condition, Decision, Rule, Sink, ToolRule};

const OUTSIDE: &[Sink] = &[CallDeclared, CallReading, CallUndeclared, Fetch, Search];

const CALLS: &[Sink] = &[CallDeclared, CallUndeclared];

const fn rule(
    id: &'static str,
    about: &'static [Sink],
    when: &'static [Condition],
    unless: &'static [Condition],
    decision: Decision,
    why: &'static str,
) -> Rule {
    Rule { id, about, when, unless, decision, why }
}

pub(crate) static RULES: [Rule; 41] = [
    rule("guest-answers-only", &[], &[Guest], &[], Deny, "a guest gets answers; nothing is done for them"),
    rule("decoy", &[], &[Decoy], &[], Stop, "a decoy that nothing honest uses is in it: something is after your keys"),
    rule("secret-leaves", OUTSIDE, &[Secret], &[], Deny, "one of the owner's keys or passwords is in it"),
    rule(
        "secret-leaves-by-command",
        &[Run],
        &[Network, Secret],
        &[],
        Deny,
        "one of the owner's keys or passwords is in a command with a way out",
    ),
    rule("consult", &[Consult], &[], &[], Allow, "it looks into what krabba itself holds"),
    rule("workspace-read", &[Look], &[], &[], Allow, "what is read keeps its label"),
    rule(
        "sub-agent",
        &[Spawn],
        &[],
        &[],
        Allow,
        "it may do no more than this conversation may: each of its actions is judged as one of this",
    ),
    // Files.
    rule(
        "hidden-secret",
        &[Change],
        &[LosesSecret],
        &[],
        Deny,
        "the file holds a secret where you see [secret], and this would write over it; edit the lines around it",
    ),
    rule(
        "control-files-tainted",
        &[Change],
        &[ControlFile, Tainted],
        &[],
        Deny,
        "a file that steers the agent or is run by other programs is not changed while foreign content has a say",
    ),
    rule("control-files", &[Change], &[ControlFile], &[], Ask, "the file steers the agent, or other programs run it"),
    rule(
        "memory-tainted",
        &[Change],
        &[Memory, Tainted],
        &[],
        Deny,
        "every conversation begins with this memory; put it into a new file below memory/, where it keeps its label",
    ),
    rule("removal-tainted", &[Change], &[Removes, Tainted], &[], AskTyped, "a file would be gone while foreign content has a say"),
    rule(
        "take-over",
        &[Change],
        &[TakesOver, Tainted],
        &[],
        Ask,
        "a command wrote it while foreign content had a say, and nobody has seen it",
    ),
    rule("memory-note", &[Change], &[NewNote, Tainted], &[], Allow, "a new note comes back as data, with its label"),
    rule("workspace-write-named", &[Change], &[Tainted, Vouched], &[], Allow, "the owner named the file; what is written keeps its label"),
    rule("workspace-write-tainted", &[Change], &[Tainted], &[], Ask, "foreign content has a say, and the owner did not name the file"),
    rule("removal", &[Change], &[Removes], &[Vouched], AskTyped, "a file would be gone that the owner did not name"),
    rule("workspace-write", &[Change], &[], &[], Allow, "the workspace is there to be worked in"),
    // Commands.
    rule("exec-network-named", &[Run], &[Network, Vouched], &[Tainted], Allow, "the owner named each host"),
    rule("exec-network", &[Run], &[Network], &[], Ask, "a command with a way out can take anything along"),
    rule(
        "exec-apart",
        &[Run],
        &[Tainted, ThrowAway],
        &[],
        AllowApart,
        "foreign content has a say; the command works on a view that can be thrown away",
    ),
    rule("exec-tainted", &[Run], &[Tainted], &[], Ask, "foreign content has a say, and this machine has no view that can be thrown away"),
    rule("exec-sandbox", &[Run], &[], &[], Allow, "the sandbox holds whatever it does"),
    rule("process", &[Observe], &[], &[], Allow, "the command was allowed when it began"),
    rule("process-input-named", &[Type], &[Vouched], &[], Allow, "the owner wrote what is typed"),
    rule(
        "process-input-tainted",
        &[Type],
        &[Tainted],
        &[],
        Ask,
        "foreign content has a say in what is typed into a command that began without it",
    ),
    rule("process-input", &[Type], &[], &[], Allow, "the command was allowed when it began"),
    // The web.
    rule("fetch-named", &[Fetch], &[Vouched], &[], Allow, "the owner wrote the address"),
    rule(
        "fetch-found",
        &[Fetch],
        &[Found],
        &[Private, Key],
        Allow,
        "the address stands in a search result, and nothing private could ride along",
    ),
    rule("fetch-clean", &[Fetch], &[], &[Tainted, Private, Profile], Allow, "the context holds the owner's words alone"),
    rule(
        "fetch-tainted",
        &[Fetch],
        &[],
        &[],
        Ask,
        "an address that the owner did not write can carry away what was read, also from the owner's own files",
    ),
    rule("search-named", &[Search], &[Vouched], &[], Allow, "every word of the question is the owner's"),
    rule("search-carries", &[Search], &[], &[PlainPayload], Ask, "a link or an identifier that the owner did not write is in the question"),
    rule("search-tainted", &[Search], &[Tainted], &[], Ask, "foreign content has a say in the question"),
    rule("search", &[Search], &[], &[], Allow, "the owner chose the search engine"),
    // MCP servers.
    rule(
        "foreign-read-open",
        &[CallReading],
        &[OpenWorld, Tainted],
        &[OwnWords],
        Ask,
        "it asks beyond the server, and foreign content has a say in the question",
    ),
    rule("foreign-read", &[CallReading], &[Vouched, PlainPayload], &[], Allow, "it only reads, at a server that the owner chose"),
    rule(
        "foreign-read-elsewhere",
        &[CallReading],
        &[],
        &[],
        Ask,
        "the owner did not write where it goes, or something foreign or private rides along",
    ),
    rule("foreign-call", CALLS, &[Vouched, PlainPayload], &[], Allow, "whoever or whatever is affected, the owner named it"),
    rule(
        "foreign-call-irreversible",
        CALLS,
        &[Irreversible],
        &[],
        AskTyped,
        "its name says that it cannot be undone, and the owner did not write who or what is affected",
    ),
    rule(
        "foreign-call-provenance",
        CALLS,
        &[],
        &[],
        Ask,
        "the owner did not write who or what is affected, or something foreign or private rides along",
    ),
];

/// What tools refuse by themselves, with the names that stand in their refusals.
pub(crate) static TOOL_RULES: [ToolRule; 4] = [
    ToolRule {
        id: "workspace-only",
        why: "tools for files, and the directory of a command, stay in the workspace wherever a path or a link leads",
    },
    ToolRule {
        id: "hidden-places",
        why: "krabba's own files and OpenClaw's, and where other programs keep keys, are there for no tool and no command",
    },
    ToolRule {
        id: "open-web-only",
        why: "nothing is fetched from this machine or from networks of its owner, but from names in tools.web.fetch.ssrfPolicy.allowedHostnames",
    },
    ToolRule { id: "bound-keys", why: "a key of the owner's is sent to its own hosts alone, and by https" },
];
