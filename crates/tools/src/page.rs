//! What a page says, as Markdown or as bare text.
//!
//! A page may be written to be dear: a tree so deep that walking through it takes the stack, or the time. So it is parsed as it was
//! written anew, and its depth is looked at first; what is too deep, or too much, is told as bare text.

use dom_query::Document;
use dom_smoothie::{Config, Readability, TextMode};
use encoding_rs::{Encoding, UTF_8};
use krabba_types::ExtractMode;

use crate::tags::{MOST_ELEMENTS, after, plain};

/// The depth of a tree that is walked through.
const DEEPEST_TREE: usize = 200;

/// The text of a body, and whether it is one that a person reads.
pub(crate) fn text(content_type: Option<&str>, body: &[u8], url: &str, extract: ExtractMode) -> Result<String, String> {
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let looks_like_html = || body.trim_ascii_start().get(..1) == Some(b"<");
    let html = matches!(media, "text/html" | "application/xhtml+xml") || (media.is_empty() && looks_like_html());
    let plain = media.starts_with("text/") || matches!(media, "" | "application/json" | "application/xml" | "application/javascript");
    if !html && !plain && !media.ends_with("+json") && !media.ends_with("+xml") {
        return Err(format!("there is no text but {media}"));
    }
    let text = decoded(&content_type, body);
    if media.is_empty() && !html && text.contains('\0') {
        return Err("there is no text".to_owned());
    }
    Ok(if html { article(&text, url, extract) } else { text })
}

/// By the name that the server or the page itself gives; else UTF-8.
fn decoded(content_type: &str, body: &[u8]) -> String {
    let named = |text: &str| {
        Encoding::for_label(
            text.split("charset=").nth(1)?.trim_start_matches(['"', '\'']).split(['"', '\'', ';', ' ', '>', '/']).next()?.as_bytes(),
        )
    };
    let head = || named(&String::from_utf8_lossy(body.get(..1_024).unwrap_or(body)).to_ascii_lowercase());
    let encoding = named(content_type).or_else(head).unwrap_or(UTF_8);
    encoding.decode(body).0.into_owned()
}

/// What is to be read on a page.
pub fn markdown(html: &str, url: &str) -> String {
    article(html, url, ExtractMode::Markdown)
}

fn article(html: &str, url: &str, extract: ExtractMode) -> String {
    let Some(plain) = plain(html) else { return bare(html) };
    let document = Document::from(plain);
    if depth(&document) > DEEPEST_TREE {
        return bare(html);
    }
    let (text_mode, heading) = match extract {
        ExtractMode::Markdown => (TextMode::Markdown, "# "),
        ExtractMode::Text => (TextMode::Formatted, ""),
    };
    let config = Config { max_elements_to_parse: MOST_ELEMENTS, text_mode, ..Config::default() };
    let article = Readability::with_document(document, Some(url), Some(config)).and_then(|mut readable| readable.parse());
    match article {
        Ok(article) if article.title.trim().is_empty() => article.text_content.to_string(),
        Ok(article) => format!("{heading}{}\n\n{}", article.title.trim(), article.text_content),
        // A page that is no article: a list, a form, a few words.
        Err(_) => bare(html),
    }
}

fn depth(document: &Document) -> usize {
    let (mut depth, mut deepest, mut node) = (0_usize, 0, document.root());
    loop {
        if let Some(child) = node.first_child() {
            (depth, node) = (depth + 1, child);
            deepest = deepest.max(depth);
            continue;
        }
        loop {
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            let Some(parent) = node.parent() else { return deepest };
            (depth, node) = (depth.saturating_sub(1), parent);
        }
    }
}

/// The text between the tags, without what no reader sees.
fn bare(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let unseen = ["script", "style", "template", "noscript"]
            .into_iter()
            .find(|name| tag.get(..name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name)));
        let behind = unseen.map_or(tag, |name| after(tag, &format!("</{name}")));
        rest = if tag.starts_with("!--") { after(tag, "-->") } else { behind.split_once('>').map_or("", |(_, rest)| rest) };
        text.push(if tag.starts_with(['a', 'A', 'b', 'B', '/']) { ' ' } else { '\n' });
    }
    text.push_str(rest);
    let text = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .into_iter()
        .fold(text, |text, (name, character)| text.replace(name, character));
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
