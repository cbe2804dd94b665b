//! What a program asks the proxy for.

use super::granted::authority;

/// The head of a request.
pub(super) struct Head<'a> {
    method: &'a str,
    target: &'a str,
    version: &'a str,
    fields: Vec<&'a str>,
}

/// A request that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// To whom, as [`authority`] writes it.
    pub(super) host: String,
    /// Where.
    pub(super) port: u16,
    /// The head that the server gets; none where the program itself talks to it, through a tunnel.
    pub(super) forward: Option<String>,
}

/// Fields that are between the program and the proxy.
const OURS: [&str; 4] = ["proxy-connection", "proxy-authorization", "connection", "keep-alive"];

impl<'a> Head<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the request is not text")?;
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err("the request line is broken");
        };
        let fields: Vec<&str> = lines.collect();
        // A field that goes on in the next line, or a bare line end in one, means different things to different programs.
        if fields.iter().any(|field| field.starts_with([' ', '\t']) || field.contains(['\r', '\n', '\0']) || !field.contains(':')) {
            return Err("a header field is broken");
        }
        Ok(Self { method, target, version, fields })
    }

    pub(super) fn understand(self) -> Result<Request, &'static str> {
        if !["HTTP/1.1", "HTTP/1.0"].contains(&self.version) {
            return Err("only HTTP/1.1 is spoken here");
        }
        if self.method == "CONNECT" {
            let (host, port) = authority(self.target).ok_or("no such host")?;
            return Ok(Request { host, port: port.ok_or("a port is missing")?, forward: None });
        }
        let rest = self.target.strip_prefix("http://").ok_or("only http:// URLs and CONNECT are taken")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (place, path) = rest.split_at_checked(end).ok_or("no such host")?;
        let (host, port) = authority(place).ok_or("no such host")?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        let mut forward = format!("{} {slash}{path} {}\r\nHost: {place}\r\n", self.method, self.version);
        for field in self.fields {
            let name = field.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            if name != "host" && !OURS.contains(&name.as_str()) {
                forward.push_str(field);
                forward.push_str("\r\n");
            }
        }
        // One request each, so that the next one is looked at again.
        forward.push_str("Connection: close\r\n\r\n");
        Ok(Request { host, port: port.unwrap_or(80), forward: Some(forward) })
    }
}
