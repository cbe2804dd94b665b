//! Names of keys, as tmux writes them, and what a terminal gets for them.

/// What is typed when these keys are pressed one after the other.
pub(crate) fn typed(keys: &[String]) -> Result<String, String> {
    keys.iter().map(|key| one(key).ok_or_else(|| format!("there is no key \"{key}\"; there is Enter, Tab, Escape, Up, C-c, …"))).collect()
}

/// What is typed for these bytes, each in hexadecimal digits.
pub(crate) fn of_bytes(bytes: &[String]) -> Result<String, String> {
    let byte = |text: &String| {
        let digits = text.trim().trim_start_matches("0x");
        u8::from_str_radix(digits, 16).map_err(|_| format!("\"{text}\" is no byte; write each alone, as 1b or 0d"))
    };
    let bytes = bytes.iter().map(byte).collect::<Result<_, _>>()?;
    String::from_utf8(bytes).map_err(|_| "the bytes are no text".to_owned())
}

fn one(key: &str) -> Option<String> {
    let name = key.to_lowercase();
    let text = match name.as_str() {
        "enter" | "return" => "\r",
        "tab" => "\t",
        "escape" | "esc" => "\u{1b}",
        "space" => " ",
        "backspace" | "bspace" => "\u{7f}",
        "up" => "\u{1b}[A",
        "down" => "\u{1b}[B",
        "right" => "\u{1b}[C",
        "left" => "\u{1b}[D",
        "home" => "\u{1b}[H",
        "end" => "\u{1b}[F",
        "pageup" | "ppage" => "\u{1b}[5~",
        "pagedown" | "npage" => "\u{1b}[6~",
        "delete" | "dc" => "\u{1b}[3~",
        _ => return chord(&name).or_else(|| (key.chars().count() == 1).then(|| key.to_owned())),
    };
    Some(text.to_owned())
}

/// A letter with the control or the alt key.
fn chord(name: &str) -> Option<String> {
    if let Some(letter) = name.strip_prefix("c-").or_else(|| name.strip_prefix("ctrl-")).or_else(|| name.strip_prefix("ctrl+")) {
        let letter = u8::try_from(single(letter)?).ok().filter(u8::is_ascii_lowercase)?;
        return Some(char::from(letter - b'a' + 1).to_string());
    }
    let letter = name.strip_prefix("m-").or_else(|| name.strip_prefix("alt-"))?;
    Some(format!("\u{1b}{}", single(letter)?))
}

fn single(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}
