//! As much of HTTP/1.1 as a scripted server needs, by hand: a framework would not let a test break the rules.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest request head that is read.
pub(crate) const MAX_HEAD: usize = 256 * 1024;
/// The largest request body that is read.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// What follows `?`, undecoded.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the client said that it wants the connection closed (or speaks HTTP/1.0).
    pub(crate) close: bool,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, undecoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Reads one request; `buffer` keeps what belongs to the next one. `None` when the client closed between requests.
pub(crate) async fn read_request(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end;
        }
        if buffer.len() > MAX_HEAD {
            return Err(malformed("request head too large"));
        }
        if reader.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(malformed("request head broke off")) };
        }
    };
    let head: Vec<u8> = buffer.drain(..head_end + 4).collect();
    let mut request = parse_head(&String::from_utf8_lossy(&head)).ok_or_else(|| malformed("not an HTTP request"))?;
    let chunked = request.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    let length = request.header("content-length").and_then(|value| value.trim().parse::<usize>().ok());
    request.body = if chunked {
        read_chunked(reader, buffer).await?
    } else {
        let length = length.unwrap_or(0);
        if length > MAX_BODY {
            return Err(malformed("request body too large"));
        }
        fill(reader, buffer, length).await?;
        buffer.drain(..length).collect()
    };
    Ok(Some(request))
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, version) = (first.next()?, first.next()?, first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request =
        Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new(), close: false };
    request.close = match request.header("connection") {
        Some(value) => value.eq_ignore_ascii_case("close"),
        None => version == "HTTP/1.0",
    };
    // A client does not read a body after HEAD; closing keeps the two in step.
    request.close |= method == "HEAD";
    Some(request)
}

async fn read_chunked(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader, buffer).await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| malformed("bad chunk size"))?;
        if body.len() + size > MAX_BODY {
            return Err(malformed("request body too large"));
        }
        if size == 0 {
            while !read_line(reader, buffer).await?.is_empty() {}
            return Ok(body);
        }
        fill(reader, buffer, size + 2).await?;
        body.extend(buffer.drain(..size));
        buffer.drain(..2);
    }
}

async fn read_line(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = find(buffer, b"\r\n") {
            let line: Vec<u8> = buffer.drain(..end + 2).take(end).collect();
            return Ok(String::from_utf8_lossy(&line).into_owned());
        }
        if buffer.len() > MAX_HEAD || reader.read_buf(buffer).await? == 0 {
            return Err(malformed("chunked body broke off"));
        }
    }
}

async fn fill(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>, length: usize) -> io::Result<()> {
    while buffer.len() < length {
        if reader.read_buf(buffer).await? == 0 {
            return Err(malformed("request body broke off"));
        }
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body: body.to_string().into_bytes() }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())], body: body.as_bytes().to_vec() }
    }
}

/// The reason phrase; clients do not read it, people who look at a capture do.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Overloaded",
        _ => "Scripted",
    }
}
