//! A small world with much to lose: a workspace, and around it what no command may see, reach or change. After every attack it is
//! looked at from outside, whatever the attacker says.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use krabba_sandbox::{Limits, Protected, Rung, Settings};
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::attack::{self, Ports, Scene, at, c, raw};
use crate::victim::{self, Victim};

/// A variable of whoever starts commands, which is nobody else's business.
pub(crate) const OURS: &str = "KRABBA_ESCAPES_OURS";

/// The name of a key that the kernel keeps for the user.
pub(crate) const KEY_NAME: &str = "krabba-kept";

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Room {
    pub(crate) scene: Scene,
    pub(crate) secret: String,
    root: PathBuf,
    attacker: PathBuf,
    listeners: Listeners,
    victim: Victim,
    victim_before: victim::State,
    before: BTreeMap<String, String>,
    called: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    /// Held open, and open to whoever is started.
    _terminal: Option<std::os::fd::OwnedFd>,
    _inherited: std::os::fd::OwnedFd,
}

struct Listeners {
    tcp: [Option<TcpListener>; 2],
    udp: [Option<UdpSocket>; 2],
    streams: [UnixListener; 3],
    datagram: UnixDatagram,
}

impl Room {
    /// Below `base`, where the attacker's program lies.
    pub(crate) fn new(base: &Path) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = base.join(format!("rooms/{}-{number}", std::process::id()));
        let secret = format!("sesame-{}-{number}", std::process::id());
        let [workspace, scratch, hidden, outside] = ["workspace", "scratch", "secret", "outside"].map(|name| root.join(name));
        for directory in ["workspace/open/below", "workspace/vault", "workspace/.git", "scratch/of-others", "secret", "outside/empty"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let files = [
            "secret/key",
            "outside/file",
            "workspace/vault/key",
            "workspace/open/notes",
            "workspace/open/below/file",
            "scratch/of-others/file",
        ];
        for file in files {
            fs::write(root.join(file), &secret).unwrap();
        }
        for (file, content) in [("AGENTS.md", "be good\n"), (".git/HEAD", "ref: refs/heads/main\n"), (".git/config", "[core]\n")] {
            fs::write(workspace.join(file), content).unwrap();
        }
        let value = b"sesame".as_ptr() as usize;
        for path in [outside.join("file"), workspace.join("AGENTS.md"), hidden.join("key")] {
            let _ = raw(libc::SYS_setxattr, [at(&c(path)), at(&c("user.krabba")), value, 6, 0]);
        }
        fs::write(outside.join("program"), "#!/bin/sh\necho sesame\n").unwrap();
        fs::set_permissions(outside.join("program"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(outside.join("file"), workspace.join("link")).unwrap();

        let abstract_name = format!("krabba-escapes-{}-{number}", std::process::id());
        let (listeners, ports) = Listeners::new(&outside, &workspace, &abstract_name);
        let shared = (0x6b72_0000 + i32::try_from(std::process::id() % 30_000).unwrap() * 2, format!("/{abstract_name}"));
        share(&shared, &secret);
        let mut victim = Victim::start(&base.join("attacker"), &hidden.join("key"), &hidden);
        let missing = missing(&workspace);
        let handle = handle(&outside.join("file"));
        let setuid = base.join("setuid");
        let scene = Scene {
            workspace,
            secret: hidden,
            outside,
            scratch,
            setuid,
            missing,
            ports,
            abstract_name,
            shared,
            victim: victim.known.clone(),
            handle,
        };
        fs::write(root.join("workspace/scene.json"), serde_json::to_vec(&scene).unwrap()).unwrap();
        let (called, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        keep_calling(scene.ports.called, Arc::clone(&called), Arc::clone(&over));
        // Without the flag that keeps it to this process.
        let inherited = rustix::fs::open(scene.key(), OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
        let before = snapshot(&scene);
        let victim_before = victim.state();
        Self {
            scene,
            secret,
            root,
            attacker: base.join("attacker"),
            listeners,
            victim,
            victim_before,
            before,
            called,
            over,
            _terminal: terminal(),
            _inherited: inherited,
        }
    }

    pub(crate) fn settings(&self, rung: Rung) -> Settings {
        let mut settings = Settings::new(self.scene.workspace.clone(), self.scene.scratch.clone());
        settings.rungs = vec![rung];
        settings.hidden = vec![self.scene.secret.clone(), self.scene.workspace.join("vault")];
        settings.readable = vec![self.attacker.clone(), self.scene.setuid.clone()];
        settings.limits = Limits { longest: Duration::from_secs(30), ..Limits::default() };
        settings
    }

    /// What starts an attack.
    pub(crate) fn words(&self, attack: &str) -> [String; 4] {
        let scene = self.scene.workspace.join("scene.json");
        [self.attacker.display().to_string(), attack::ATTACK.to_owned(), attack.to_owned(), scene.display().to_string()]
    }

    /// What an attack did to the world.
    pub(crate) fn harm(&mut self) -> Vec<String> {
        let mut harm = self.listeners.heard();
        if self.called.swap(false, Ordering::SeqCst) {
            harm.push("somebody from outside got through to it".to_owned());
        }
        let now = snapshot(&self.scene);
        for (path, state) in &now {
            if self.before.get(path) != Some(state) {
                harm.push(format!("{path} is now {state}"));
            }
        }
        harm.extend(self.before.keys().filter(|path| !now.contains_key(*path)).map(|path| format!("{path} is gone")));
        let signals = self.victim.signals();
        if !signals.is_empty() {
            harm.push(format!("signals reached another process: {signals:?}"));
        }
        let state = self.victim.state();
        if state != self.victim_before {
            harm.push(format!("another process is now {state:?}"));
        }
        let lock = fs::File::open(self.scene.workspace.join("open/lock"));
        if lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err()) {
            harm.push("somebody was left behind".to_owned());
        }
        attack::limits::clean(&self.scene);
        harm
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        unshare(&self.scene.shared);
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Listeners {
    fn new(outside: &Path, workspace: &Path, name: &str) -> (Self, Ports) {
        let tcp = ["127.0.0.1:0", "[::1]:0"].map(|address| TcpListener::bind(address).ok());
        let udp = ["127.0.0.1:0", "[::1]:0"].map(|address| UdpSocket::bind(address).ok());
        let tcp_port = |at: usize| tcp[at].as_ref().map_or(1, |listener| listener.local_addr().unwrap().port());
        let udp_port = |at: usize| udp[at].as_ref().map_or(1, |socket| socket.local_addr().unwrap().port());
        let called = (20_000..30_000)
            .find(|port| TcpListener::bind(("127.0.0.1", port + u16::try_from(std::process::id() % 2000).unwrap())).is_ok());
        let called = called.unwrap() + u16::try_from(std::process::id() % 2000).unwrap();
        let ports = Ports { tcp4: tcp_port(0), tcp6: tcp_port(1), udp4: udp_port(0), udp6: udp_port(1), called };
        let address = <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
        let streams = [
            UnixListener::bind(outside.join("stream")).unwrap(),
            UnixListener::bind(workspace.join("open/stream")).unwrap(),
            UnixListener::bind_addr(&address.unwrap()).unwrap(),
        ];
        let datagram = UnixDatagram::bind(outside.join("datagram")).unwrap();
        tcp.iter().flatten().for_each(|listener| listener.set_nonblocking(true).unwrap());
        udp.iter().flatten().for_each(|socket| socket.set_nonblocking(true).unwrap());
        streams.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        datagram.set_nonblocking(true).unwrap();
        (Self { tcp, udp, streams, datagram }, ports)
    }

    fn heard(&self) -> Vec<String> {
        let mut heard = Vec::new();
        let mut bytes = [0; 256];
        for listener in self.tcp.iter().flatten() {
            while listener.accept().is_ok() {
                heard.push("a TCP connection".to_owned());
            }
        }
        for socket in self.udp.iter().flatten() {
            while socket.recv(&mut bytes).is_ok() {
                heard.push("a UDP packet".to_owned());
            }
        }
        for listener in &self.streams {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.set_nonblocking(true);
                let _ = stream.read(&mut bytes);
                heard.push(format!("a connection to {:?}", listener.local_addr()));
            }
        }
        while self.datagram.recv(&mut bytes).is_ok() {
            heard.push("a datagram".to_owned());
        }
        heard
    }
}

/// Calls again and again, until somebody answers.
fn keep_calling(port: u16, called: Arc<AtomicBool>, over: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                called.store(true, Ordering::SeqCst);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

/// A terminal of somebody's.
fn terminal() -> Option<std::os::fd::OwnedFd> {
    let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY | rustix::pty::OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::openpt(flags).ok()?;
    rustix::pty::unlockpt(&terminal).ok()?;
    Some(terminal)
}

/// Puts something into what the kernel shares by names and numbers.
fn share((key, name): &(i32, String), secret: &str) {
    let (make, key) = (libc::IPC_CREAT as usize | 0o600, *key as usize);
    let _ = raw(libc::SYS_shmget, [key, 4096, make]);
    let _ = raw(libc::SYS_semget, [key, 1, make]);
    let _ = raw(libc::SYS_msgget, [key, make]);
    let queue = raw(libc::SYS_mq_open, [at(&c(name.trim_start_matches('/'))), (libc::O_CREAT | libc::O_RDWR) as usize, 0o600, 0]);
    let _ = queue.map(|queue| raw(libc::SYS_close, [queue]));
    let _ = fs::write(format!("/dev/shm{name}"), secret);
    let _ = raw(libc::SYS_add_key, [at(&c("user")), at(&c(KEY_NAME)), secret.as_ptr() as usize, secret.len(), -4_isize as usize]);
}

fn unshare((key, name): &(i32, String)) {
    let key = *key as usize;
    let remove = |number, control, extra: usize| {
        if let Ok(id) = raw(number, [key, 0, 0]) {
            let _ = if extra == 0 { raw(control, [id, 0, 0, 0]) } else { raw(control, [id, 0, 0]) };
        }
    };
    // Each with IPC_RMID, which is 0; a semaphore's stands one place further on.
    remove(libc::SYS_shmget, libc::SYS_shmctl, 1);
    remove(libc::SYS_semget, libc::SYS_semctl, 0);
    if let Ok(id) = raw(libc::SYS_msgget, [key, 0]) {
        let _ = raw(libc::SYS_msgctl, [id, 0, 0]);
    }
    let _ = raw(libc::SYS_mq_unlink, [at(&c(name.trim_start_matches('/')))]);
    let _ = fs::remove_file(format!("/dev/shm{name}"));
}

/// Protected places that are not there.
fn missing(workspace: &Path) -> Vec<PathBuf> {
    let all = Protected::usual().into_iter().map(|protected| PathBuf::from(protected.path.as_str()));
    all.filter(|path| !workspace.join(path).exists()).collect()
}

/// How the kernel names a file for those who know.
fn handle(path: &Path) -> Vec<u8> {
    let mut handle = vec![0_u8; 136];
    handle[..4].copy_from_slice(&128_u32.to_ne_bytes());
    let mount = [0_i32];
    let _ = raw(libc::SYS_name_to_handle_at, [attack::HERE, at(&c(path)), handle.as_mut_ptr() as usize, mount.as_ptr() as usize, 0]);
    handle
}

/// Everything that is not to be changed, each with what could be changed about it.
fn snapshot(scene: &Scene) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let workspace = &scene.workspace;
    let mut places =
        vec![scene.secret.clone(), scene.outside.clone(), workspace.join("AGENTS.md"), workspace.join(".git"), workspace.join("vault")];
    places.extend([workspace.join("open/notes"), workspace.join("open/below"), workspace.clone()]);
    places.extend(scene.missing.iter().map(|path| workspace.join(path)));
    while let Some(place) = places.pop() {
        let Ok(metadata) = fs::symlink_metadata(&place) else { continue };
        let mut state = format!("{:o} {} {}", metadata.mode(), metadata.uid(), metadata.gid());
        if metadata.is_file() {
            let mut names = [0_u8; 256];
            let length = raw(libc::SYS_listxattr, [at(&c(&place)), names.as_mut_ptr() as usize, names.len()]).unwrap_or(0);
            let content = fs::read_to_string(&place).unwrap_or_default();
            state += &format!(" {:?} {} {content:?}", metadata.modified().ok(), String::from_utf8_lossy(&names[..length]));
        }
        // Its stand-ins come and go; they are looked at by name.
        if metadata.is_dir() && place != *workspace {
            places.extend(fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        seen.insert(place.display().to_string(), state);
    }
    seen
}
