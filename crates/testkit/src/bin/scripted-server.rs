//! Serves a script file until it is stopped: `scripted-server FILE [PORT]`. Prints its URL, then nothing.

use std::process::ExitCode;

use krabba_testkit::{Script, ScriptedServer};

#[tokio::main]
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program whose only output is its URL")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (file, port) = (arguments.next(), arguments.next().map_or(Ok(0), |port| port.parse::<u16>()));
    let (Some(file), Ok(port)) = (file, port) else {
        eprintln!("usage: scripted-server FILE [PORT]");
        return ExitCode::from(2);
    };
    let script = match Script::from_file(&file) {
        Ok(script) => script,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let server = match ScriptedServer::start_on(script, port).await {
        Ok(server) => server,
        Err(error) => {
            eprintln!("cannot listen on 127.0.0.1:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", server.url());
    // Nothing else to do: the server's own task works until the process is stopped.
    let _ = tokio::signal::ctrl_c().await;
    ExitCode::SUCCESS
}
