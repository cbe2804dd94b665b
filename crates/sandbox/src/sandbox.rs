//! Where commands are started.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio as Streams;
use std::time::Duration;

use krabba_guard::{Authorized, Decoys, View};
use krabba_types::{Exec, ExecStdio, WorkspacePath};
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::broker::{Alarm, Broker, Granted, PORT};
use crate::frame::{Incoming, Outgoing};
use crate::launcher::LAUNCH;
use crate::placeholders::{Filling, Guarded, Placeholders};
use crate::plan::{Changes, How, Plan, Report, Stdio, Tree, Workspace};
use crate::process::{Keeps, terminal};
use crate::run_directory::{RunDirectory, sweep};
use crate::rung::OFF;
use crate::settings::canonical;
use crate::{Aside, Child, Input, Missed, Output, Process, Rung, SandboxError, Server, Settings, Standing};

/// How long making a sandbox may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts commands where they can do no harm.
#[derive(Debug)]
pub struct Sandbox {
    settings: Settings,
    standing: OnceCell<Standing>,
}

/// A server that the owner configured.
#[derive(Clone, Debug, Default)]
pub struct ServerCommand {
    /// Its program: a path, or a name that is looked up in the sandbox.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables on top of the sandbox's own few.
    pub environment: BTreeMap<String, String>,
    /// Where it begins; else in the first of those that it may write.
    pub directory: Option<PathBuf>,
    /// Directories that it may write.
    pub writable: Vec<PathBuf>,
    /// Places that it may read, beside the system's own.
    pub readable: Vec<PathBuf>,
    /// What it may reach.
    pub reach: Reach,
}

/// What a server may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Nothing.
    #[default]
    Nothing,
    /// These hosts, `name` or `name:port`.
    Hosts(Vec<String>),
    /// Everything on the open internet.
    Internet,
}

/// What is run: the difference between a command, a server and a trial.
struct Job {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
    directory: PathBuf,
    stdio: Stdio,
    tree: Tree,
    granted: Vec<Granted>,
    longest: Option<Duration>,
    placeholders: Option<Placeholders>,
}

/// What came of it.
struct Launched {
    process: Process,
    landlock: String,
    terminal: Option<OwnedFd>,
    pipes: Option<(pipe::Sender, pipe::Receiver, pipe::Receiver)>,
}

impl Sandbox {
    /// A sandbox with these settings. Nothing is tried yet.
    ///
    /// # Errors
    /// When the workspace or the scratch directory cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SandboxError> {
        let settings = settings.settle()?;
        #[cfg(feature = "launcher-before-main")]
        crate::before_main::keep();
        sweep(&settings.scratch);
        // Takes away what a crash has left in the workspace. Where that fails, the next command says why.
        let _ = Placeholders::hold(&settings.workspace, &settings.scratch);
        Ok(Self { settings, standing: OnceCell::new() })
    }

    /// What this machine offers. Tried once, with the real workspace.
    pub async fn standing(&self) -> &Standing {
        self.standing.get_or_init(|| self.find_standing()).await
    }

    /// Runs a command on the terms that it was allowed on.
    ///
    /// # Errors
    /// When nothing keeps it in, its terms cannot be held here, or the sandbox cannot be made.
    pub async fn spawn(&self, exec: Authorized<Exec>) -> Result<Child, SandboxError> {
        self.spawn_over(exec, &[]).await
    }

    /// Runs a command that sees what earlier ones changed apart from the workspace, newest first. Only one whose own changes are
    /// kept apart sees them.
    ///
    /// # Errors
    /// As [`Sandbox::spawn`].
    pub async fn spawn_over(&self, exec: Authorized<Exec>, earlier: &[&Aside]) -> Result<Child, SandboxError> {
        let standing = self.standing().await;
        let rung = rung(standing)?;
        let (exec, terms) = (exec.action(), exec.terms());
        let granted = terms.hosts.iter().map(|host| Granted::parse(host).ok_or_else(|| SandboxError::BadHost { host: host.clone() }));
        let granted: Vec<Granted> = granted.collect::<Result<_, _>>()?;
        if !granted.is_empty() && !standing.hosts {
            return Err(SandboxError::NoHosts);
        }
        let aside = match terms.view {
            View::Direct => None,
            View::Discardable if standing.discardable => Some(self.aside()?),
            View::Discardable => return Err(SandboxError::NotDiscardable),
        };
        let (workspace, placeholders) = self.workspace(rung, aside.as_ref(), earlier)?;
        let directory = match exec.directory.as_str() {
            "" => self.settings.workspace.clone(),
            below => self.settings.workspace.join(below),
        };
        let job = Job {
            command: vec![shell().to_owned(), "-c".to_owned(), exec.command.clone()],
            environment: exec.environment.clone(),
            directory,
            stdio: match exec.stdio {
                ExecStdio::Pipes => Stdio::Pipes,
                ExecStdio::Terminal => Stdio::Terminal,
            },
            tree: Tree { workspace: Some(workspace), ..self.tree() },
            granted,
            longest: Some(Duration::from_secs(exec.timeout_seconds.into()).min(self.settings.limits.longest)),
            placeholders,
        };
        let Launched { process, terminal: master, pipes, .. } = self.launch(rung, job).await?;
        let most = self.settings.limits.output_bytes;
        let (input, output) = match (master, pipes) {
            (Some(master), _) => {
                let (input, output) = terminal(master).map_err(SandboxError::Launcher)?;
                (Input(input), Output::new(output, None, most))
            }
            (None, Some((input, output, errors))) => (Input(input), Output::new(output, Some(errors), most)),
            (None, None) => return Err(SandboxError::Setup("it has no streams".to_owned())),
        };
        Ok(Child { process, input, output, aside })
    }

    /// Runs a server of the owner's in a sandbox of its own: it sees no workspace, and what it may write is named.
    ///
    /// # Errors
    /// As [`Sandbox::spawn`].
    pub async fn spawn_server(&self, server: &ServerCommand) -> Result<Server, SandboxError> {
        let standing = self.standing().await;
        let rung = rung(standing)?;
        let granted = match &server.reach {
            Reach::Nothing => Vec::new(),
            Reach::Hosts(hosts) => {
                let granted = hosts.iter().map(|host| Granted::parse(host).ok_or_else(|| SandboxError::BadHost { host: host.clone() }));
                granted.collect::<Result<_, _>>()?
            }
            Reach::Internet => vec![Granted::Internet],
        };
        if !granted.is_empty() && !standing.hosts {
            return Err(SandboxError::NoHosts);
        }
        let mut tree = self.tree();
        tree.writable = server.writable.iter().map(|path| canonical(path)).collect::<Result<_, _>>()?;
        for path in &server.readable {
            tree.readable.push(canonical(path)?);
        }
        self.keep_workspace_from(&mut tree);
        let job = Job {
            command: std::iter::once(server.program.clone()).chain(server.arguments.iter().cloned()).collect(),
            environment: server.environment.clone(),
            directory: match &server.directory {
                Some(directory) => canonical(directory)?,
                None => tree.writable.first().cloned().unwrap_or_else(|| PathBuf::from("/")),
            },
            stdio: Stdio::Pipes,
            tree,
            granted,
            longest: None,
            placeholders: None,
        };
        let Launched { process, pipes, .. } = self.launch(rung, job).await?;
        let (stdin, stdout, stderr) = pipes.ok_or_else(|| SandboxError::Setup("it has no streams".to_owned()))?;
        Ok(Server { process, stdin, stdout, stderr })
    }

    /// Whose the files of the workspace are is known, and what steers in it is the owner's. No server writes there, whatever it was given.
    fn keep_workspace_from(&self, tree: &mut Tree) {
        let workspace = &self.settings.workspace;
        let (within, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut tree.writable).into_iter().partition(|path| path.starts_with(workspace));
        if others.iter().any(|path| workspace.starts_with(path)) && !tree.hidden.iter().any(|hidden| workspace.starts_with(hidden)) {
            tree.readable.push(workspace.clone());
        }
        tree.writable = others;
        tree.readable.extend(within);
    }

    fn tree(&self) -> Tree {
        Tree { readable: self.settings.readable.clone(), hidden: self.settings.hidden.clone(), ..Tree::default() }
    }

    /// What earlier commands changed apart from this workspace, and was kept under `name`, newest first.
    pub fn kept(&self, name: &str) -> Vec<Aside> {
        let Settings { scratch, .. } = &self.settings;
        Aside::kept(scratch, &self.protected(), name)
    }

    /// For commands; a server is the owner's.
    fn decoys(&self, tree: &Tree) -> Option<&Decoys> {
        self.settings.decoys.as_ref().filter(|_| tree.workspace.is_some())
    }

    fn protected(&self) -> Vec<WorkspacePath> {
        self.settings.protected.iter().map(|protected| protected.path.clone()).collect()
    }

    fn aside(&self) -> Result<Aside, SandboxError> {
        let Settings { scratch, .. } = &self.settings;
        Aside::make(scratch, self.protected()).map_err(|source| SandboxError::place(scratch, source))
    }

    /// The workspace as a command sees it. Missing protected places need no stand-in where changes are kept apart, as none of them
    /// is taken over, nor where nothing can be made beside them.
    fn workspace(&self, rung: Rung, aside: Option<&Aside>, earlier: &[&Aside]) -> Result<(Workspace, Option<Placeholders>), SandboxError> {
        let filling = if aside.is_none() && rung != Rung::LandlockSeccomp { Filling::Fill } else { Filling::Leave };
        let placeholders = Placeholders::hold(&self.settings.workspace, &self.settings.scratch)?;
        let Guarded { places: mut protected, stand_ins } = placeholders.protect(&self.settings.protected, filling)?;
        if rung == Rung::LandlockSeccomp {
            protected.extend(self.settings.protected.iter().map(|protected| PathBuf::from(protected.path.as_str())));
        }
        let changes = match aside {
            None => Changes::Direct,
            Some(aside) => Changes::Apart {
                own: aside.directory().to_owned(),
                earlier: earlier.iter().map(|earlier| earlier.directory().to_owned()).collect(),
            },
        };
        Ok((Workspace { path: self.settings.workspace.clone(), protected, stand_ins, changes }, Some(placeholders)))
    }

    async fn find_standing(&self) -> Standing {
        let mut missed = Vec::new();
        for rung in self.settings.rungs.iter().copied() {
            let apart = rung == Rung::Namespaces && self.works(rung, View::Discardable).await.is_ok();
            match self.works(rung, View::Direct).await {
                Ok(landlock) => {
                    return Standing { rung: Some(rung), missed, discardable: apart, hosts: rung != Rung::LandlockSeccomp, landlock };
                }
                Err(error) => missed.push(Missed { rung, why: reason(&error) }),
            }
        }
        let unused = Rung::ALL.into_iter().filter(|rung| !self.settings.rungs.contains(rung));
        missed.extend(unused.map(|rung| Missed { rung, why: OFF.to_owned() }));
        Standing { rung: None, missed, discardable: false, hosts: false, landlock: "not asked".to_owned() }
    }

    /// Runs nothing, in earnest.
    async fn works(&self, rung: Rung, view: View) -> Result<String, SandboxError> {
        let aside = if view == View::Discardable { Some(self.aside()?) } else { None };
        let (mut workspace, _) = self.workspace(Rung::LandlockSeccomp, aside.as_ref(), &[])?;
        workspace.protected.clear();
        let job = Job {
            command: vec![shell().to_owned(), "-c".to_owned(), ":".to_owned()],
            environment: BTreeMap::new(),
            directory: self.settings.workspace.clone(),
            stdio: Stdio::Pipes,
            tree: Tree { workspace: Some(workspace), ..self.tree() },
            granted: Vec::new(),
            longest: Some(PATIENCE),
            placeholders: None,
        };
        let mut launched = self.launch(rung, job).await?;
        drop(launched.pipes);
        match launched.process.wait().await.how {
            How::Exited(0) => Ok(launched.landlock),
            how => Err(SandboxError::Setup(format!("a shell that does nothing ended with {how:?}"))),
        }
    }

    async fn launch(&self, rung: Rung, job: Job) -> Result<Launched, SandboxError> {
        let scratch = &self.settings.scratch;
        let private = RunDirectory::make(scratch).map_err(|source| SandboxError::place(scratch, source))?;
        let (temporary, home) = match rung {
            Rung::Namespaces | Rung::Bubblewrap => (PathBuf::from("/tmp"), PathBuf::from("/tmp/home")),
            Rung::LandlockSeccomp => {
                let temporary = private.with("tmp").map_err(|source| SandboxError::place(scratch, source))?;
                (temporary.clone(), temporary)
            }
        };
        let decoys = self.decoys(&job.tree);
        let home_files = decoys.map(Decoys::files).unwrap_or_default().into_iter();
        let proxy = !job.granted.is_empty();
        let plan = Plan {
            rung,
            environment: self.environment((&temporary, &home), &job, proxy),
            command: job.command,
            directory: job.directory,
            home,
            home_files: home_files.map(|(path, content)| (path.to_owned(), content)).collect(),
            stdio: job.stdio,
            tree: job.tree,
            private: private.path().to_owned(),
            proxy,
            holds: job.placeholders.is_some(),
            limits: self.settings.limits.clone(),
            milliseconds: job.longest.map(|longest| longest.as_millis().try_into().unwrap_or(u64::MAX)),
        };
        let (mine, theirs) = match job.stdio {
            Stdio::Pipes => pipes().map(|(mine, theirs)| (Some(mine), theirs)).map_err(SandboxError::Launcher)?,
            Stdio::Terminal => (None, Vec::new()),
        };
        let keeps = Keeps { placeholders: job.placeholders, _private: private };
        let work = async {
            let mut process = self.start(&plan, &theirs, keeps).await?;
            drop(theirs);
            let (report, descriptors) = process.report().await.map_err(SandboxError::Launcher)?;
            match report {
                Report::Running { landlock } => Ok((process, landlock, descriptors)),
                Report::Failed { why } => Err(SandboxError::Setup(why)),
                Report::Ended(_) => Err(SandboxError::Setup("it ended before it began".to_owned())),
            }
        };
        let (mut process, landlock, descriptors) =
            timeout(PATIENCE, work).await.map_err(|_| SandboxError::Setup("it took too long".to_owned()))??;
        let mut descriptors = descriptors.into_iter();
        let terminal = if job.stdio == Stdio::Terminal { descriptors.next() } else { None };
        if let Some(listener) = descriptors.next() {
            let listener = listener_of(listener).map_err(SandboxError::Launcher)?;
            let control = process.control().map_err(SandboxError::Launcher)?;
            let alarm = decoys.map(|decoys| Alarm::new(decoys.clone(), control));
            process.broker = Some(Broker::start(listener, job.granted, self.settings.limits.network_bytes, alarm));
        }
        Ok(Launched { process, landlock, terminal, pipes: mine })
    }

    async fn start(&self, plan: &Plan, streams: &[OwnedFd], keeps: Keeps) -> Result<Process, SandboxError> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(SandboxError::Launcher)?;
        ours.set_nonblocking(true).map_err(SandboxError::Launcher)?;
        let control = UnixStream::from_std(ours).map_err(SandboxError::Launcher)?;
        #[allow(
            clippy::disallowed_methods,
            reason = "the launcher; it ends with its socket, and is waited for by the process it is held in"
        )]
        let mut launcher = tokio::process::Command::new(&self.settings.launcher);
        launcher.arg(LAUNCH).env_clear().current_dir("/").stdin(OwnedFd::from(theirs)).stdout(Streams::null()).stderr(Streams::null());
        let launcher = launcher.spawn().map_err(SandboxError::Launcher)?;
        let held = keeps.placeholders.as_ref().map(Placeholders::held);
        let streams: Vec<BorrowedFd<'_>> = streams.iter().map(AsFd::as_fd).chain(held).collect();
        let mut outgoing = Outgoing::new(plan, &streams).map_err(SandboxError::Launcher)?;
        while !control.async_io(Interest::WRITABLE, || outgoing.push(&control)).await.map_err(SandboxError::Launcher)? {}
        Ok(Process::new(control, Incoming::default(), launcher, keeps))
    }

    /// All variables of a command. Nothing of krabba's own environment is in it.
    fn environment(&self, (temporary, home): (&Path, &Path), job: &Job, proxy: bool) -> BTreeMap<String, String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let search = self.settings.search.iter().map(|path| text(path)).chain(["/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned()]);
        let mut variables: BTreeMap<String, String> = [
            ("PATH", search.collect::<Vec<_>>().join(":")),
            ("HOME", text(home)),
            ("TMPDIR", text(temporary)),
            ("PWD", text(&job.directory)),
            ("USER", "krabba".to_owned()),
            ("SHELL", shell().to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TERM", if job.stdio == Stdio::Terminal { "xterm-256color" } else { "dumb" }.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        // A git that was put in by hand looks elsewhere for it. On the last rung nothing is made in `/etc`.
        if temporary == Path::new("/tmp") {
            variables.insert("GIT_CONFIG_SYSTEM".to_owned(), "/etc/gitconfig".to_owned());
        }
        if proxy {
            let address = format!("http://127.0.0.1:{PORT}");
            for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
                variables.insert(name.to_owned(), address.clone());
            }
            // What the command serves itself is near to it, unless it was let out to that very name.
            let opened = |name: &&str| job.granted.iter().any(|granted| granted.is_host(name));
            let near = ["localhost", "127.0.0.1"].into_iter().filter(|name| !opened(name)).collect::<Vec<_>>().join(",");
            for (name, value) in [("no_proxy", near.as_str()), ("NO_PROXY", &near), ("NODE_USE_ENV_PROXY", "1")] {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        variables.extend(self.decoys(&job.tree).into_iter().flat_map(Decoys::named).cloned());
        let fits = |name: &str, value: &str| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        variables.extend(job.environment.clone().into_iter().filter(|(name, value)| fits(name, value)));
        variables
    }
}

fn rung(standing: &Standing) -> Result<Rung, SandboxError> {
    standing.rung.ok_or_else(|| SandboxError::Refused { why: standing.reasons() })
}

fn reason(error: &SandboxError) -> String {
    match error {
        SandboxError::Setup(why) => why.clone(),
        other => other.to_string(),
    }
}

fn shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

type Pipes = (pipe::Sender, pipe::Receiver, pipe::Receiver);

/// Krabba's ends, and the command's: input, output, errors.
fn pipes() -> io::Result<(Pipes, Vec<OwnedFd>)> {
    let (their_input, input) = io::pipe()?;
    let (output, their_output) = io::pipe()?;
    let (errors, their_errors) = io::pipe()?;
    let mine = (
        pipe::Sender::from_owned_fd(input.into())?,
        pipe::Receiver::from_owned_fd(output.into())?,
        pipe::Receiver::from_owned_fd(errors.into())?,
    );
    Ok((mine, vec![their_input.into(), their_output.into(), their_errors.into()]))
}

fn listener_of(socket: OwnedFd) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
