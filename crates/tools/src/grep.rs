//! `grep`: lines of files, with the crates behind ripgrep.

use std::io;
use std::ops::ControlFlow;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch};
use krabba_guard::Authorized;
use krabba_tool::{Call, Outcome, Refusal, Repeat, Run, Tool};
use krabba_types::{Action, Label, Look, ToolSpec, WorkspacePath};
use serde::Deserialize;
use serde_json::json;

use crate::files::{Failed, Files, on_disk};
use crate::find::matcher as glob;
use crate::text::clipped;
use crate::walk::{Walked, walk};
use crate::workspace::{Kind, Read};
use crate::{FileError, arguments};

/// As many matches as are shown when nothing is said.
const USUAL: usize = 100;

/// The longest line that is shown whole, in bytes.
const LONGEST_LINE: usize = 400;

/// As many files as are named that were passed over.
const NAMED: usize = 5;

/// What a pattern may take, in bytes, and what it may take to be looked for: `(\w{1,9}){1,9}{1,9}` takes as much as it is given.
const LARGEST_PATTERN: usize = 16 << 20;
const LARGEST_SEARCH: usize = 4 << 20;

pub(crate) struct Grep {
    spec: ToolSpec,
    files: Files,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
    /// Only in files whose names match.
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
    /// The pattern is plain text.
    #[serde(default)]
    literal: bool,
    /// Lines before and after each match.
    #[serde(default)]
    context: usize,
    limit: Option<usize>,
}

impl Arguments {
    fn matcher(&self) -> Result<RegexMatcher, Refusal> {
        let mut builder = RegexMatcherBuilder::new();
        builder.case_insensitive(self.ignore_case).fixed_strings(self.literal).line_terminator(Some(b'\n'));
        builder.size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_SEARCH);
        builder
            .build(&self.pattern)
            .map_err(|error| Refusal::new(format!("the pattern is wrong: {error}; literal: true takes it as it is")))
    }
}

impl Grep {
    pub(crate) fn new(files: Files) -> Self {
        let (text, number, flag) = (json!({"type": "string"}), json!({"type": "integer"}), json!({"type": "boolean"}));
        let spec = arguments::spec(
            "grep",
            "Search files for a regular expression. Leaves out what .gitignore names.",
            json!({
                "pattern": text, "path": text, "glob": text, "ignoreCase": flag, "literal": flag, "context": number, "limit": number,
            }),
            &["pattern"],
        );
        Self { spec, files }
    }

    fn planned(&self, call: Call<'_>) -> Result<Action, Refusal> {
        let arguments: Arguments = arguments::read(call)?;
        arguments.matcher()?;
        arguments.glob.as_deref().map(glob).transpose()?;
        let path = arguments::place(&self.files.workspace, &arguments.path)?;
        Ok(Action::Look(Look { tool: "grep".to_owned(), path, arguments: call.arguments.clone() }))
    }
}

impl Tool for Grep {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Action, Refusal>> {
        async move { self.planned(call) }.boxed()
    }

    fn run<'a>(&'a self, action: Authorized<Action>, run: Run) -> BoxFuture<'a, Outcome> {
        on_disk(&self.files, move |files| {
            let (look, arguments): (_, Arguments) = arguments::of_look(&action)?;
            let matcher = arguments.matcher()?;
            let wanted = arguments.glob.as_deref().map(glob).transpose()?;
            let mut hunt = Hunt::new(&arguments, run.budget);
            let walked = match files.workspace.file(&look.path) {
                Ok(_) => {
                    hunt.search(files, &matcher, &look.path)?;
                    Walked::Whole
                }
                Err(FileError::NoFile(_)) => {
                    let mut broken = None;
                    let walked = walk(&files.workspace, &look.path, |path, kind| {
                        if kind != Kind::File || wanted.as_ref().is_some_and(|wanted| !wanted.is_match(path.as_str())) {
                            return ControlFlow::Continue(());
                        }
                        broken = hunt.search(files, &matcher, path).err();
                        if broken.is_some() || hunt.cut || run.cancel.is_cancelled() {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    });
                    if let Some(broken) = broken {
                        return Err(broken);
                    }
                    walked?
                }
                Err(error) => return Err(error.into()),
            };
            hunt.outcome(files, walked)
        })
        .boxed()
    }

    fn repeat(&self) -> Repeat {
        Repeat::Harmless
    }
}

/// What is found, as it grows.
struct Hunt {
    searcher: Searcher,
    text: String,
    matches: usize,
    most: usize,
    budget: usize,
    /// There is more than is shown.
    cut: bool,
    label: Label,
    /// All that was looked through: that nothing matches there says something of it too.
    searched: Vec<WorkspacePath>,
    /// Files that were too long to be looked through,
    long: Vec<WorkspacePath>,
    /// and those that were not looked through to their end, as something in them is no text.
    binary: Vec<WorkspacePath>,
}

impl Hunt {
    fn new(arguments: &Arguments, budget: usize) -> Self {
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .before_context(arguments.context)
            .after_context(arguments.context)
            .binary_detection(BinaryDetection::quit(0))
            .build();
        let most = arguments.limit.unwrap_or(USUAL).max(1);
        let (text, label) = (String::new(), Label::Minted);
        Self { searcher, text, matches: 0, most, budget, cut: false, label, searched: Vec::new(), long: Vec::new(), binary: Vec::new() }
    }

    /// Looks through one file. One that cannot be read is passed over; one whose label cannot be told is not.
    fn search(&mut self, files: &Files, matcher: &RegexMatcher, path: &WorkspacePath) -> Result<(), Failed> {
        let Read { bytes, changed } = match files.workspace.read_with_time(path) {
            Ok(read) => read,
            Err(FileError::TooLong { path, .. }) => {
                self.long.push(path);
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        self.searched.push(path.clone());
        let before = self.matches;
        let (most, budget) = (self.most, self.budget);
        let (text, matches, cut) = (&mut self.text, &mut self.matches, &mut self.cut);
        let mut found = Found { path, text, matches, most, budget, cut, binary: false };
        // The sink itself never fails, and the bytes are all there.
        let _searched = self.searcher.search_slice(matcher, &bytes, &mut found);
        if found.binary {
            self.binary.push(path.clone());
        }
        if self.matches > before {
            let label = files.label(path, &bytes, changed)?;
            files.secrets.seen(path, &bytes);
            self.label = std::mem::replace(&mut self.label, Label::Minted).join(&label);
        }
        Ok(())
    }

    fn outcome(mut self, files: &Files, walked: Walked) -> Result<Outcome, Failed> {
        if self.text.is_empty() {
            self.text.push_str("nothing matches");
        } else if self.cut {
            self.text.push_str(&format!("[the first {} matches; narrow the pattern, give a path or a larger limit]", self.matches));
        }
        if walked == Walked::TooMany {
            self.text.push_str("\n[the tree is too large to be looked through; give a path]");
        }
        let passed = [
            (&self.long, "too long to be looked through", "exec with grep does"),
            (&self.binary, "not all text, and not looked through to the end", "exec with grep -a does"),
        ];
        for (passed, why, way) in passed.into_iter().filter(|(passed, ..)| !passed.is_empty()) {
            let (named, more) = passed.split_at(passed.len().min(NAMED));
            let names: Vec<&str> = named.iter().map(WorkspacePath::as_str).collect();
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            let separator = if self.text.ends_with('\n') { "" } else { "\n" };
            self.text.push_str(&format!("{separator}[{why}: {}{more}; {way}]", names.join(", ")));
            self.label = self.label.join(&files.label_of_names(named)?);
        }
        Ok(Outcome::done(self.text, self.label.join(&files.label_of_names(&self.searched)?)))
    }
}

struct Found<'h> {
    path: &'h WorkspacePath,
    text: &'h mut String,
    matches: &'h mut usize,
    most: usize,
    budget: usize,
    cut: &'h mut bool,
    binary: bool,
}

impl Found<'_> {
    /// Whether there is still room for what was found now.
    fn has_room(&mut self) -> bool {
        *self.cut |= self.text.len() >= self.budget;
        !*self.cut
    }

    fn line(&mut self, mark: char, number: Option<u64>, bytes: &[u8]) {
        let line = String::from_utf8_lossy(bytes);
        let line = clipped(line.trim_end_matches(['\n', '\r']), LONGEST_LINE);
        self.text.push_str(&format!("{}{mark}{}{mark}{line}\n", self.path, number.unwrap_or_default()));
    }
}

impl Sink for Found<'_> {
    type Error = io::Error;

    fn matched(&mut self, _searcher: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        *self.cut |= *self.matches >= self.most;
        if self.has_room() {
            self.line(':', found.line_number(), found.bytes());
            *self.matches += 1;
        }
        Ok(!*self.cut)
    }

    fn context(&mut self, _searcher: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        // What stands before a match comes before it is known that there is one too many.
        if *self.matches >= self.most && *context.kind() == SinkContextKind::Before {
            return Ok(true);
        }
        if self.has_room() {
            self.line('-', context.line_number(), context.bytes());
        }
        Ok(!*self.cut)
    }

    fn context_break(&mut self, _searcher: &Searcher) -> Result<bool, io::Error> {
        if *self.matches < self.most {
            self.text.push_str("--\n");
        }
        Ok(true)
    }

    fn binary_data(&mut self, _searcher: &Searcher, _offset: u64) -> Result<bool, io::Error> {
        self.binary = true;
        Ok(false)
    }
}
