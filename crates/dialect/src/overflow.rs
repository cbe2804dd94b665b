//! The numbers in the texts of overflow and rate-limit errors.
//!
//! Only llama.cpp gives them as fields. Everybody else writes a sentence, and proxies in between pass on nothing but
//! the sentence; so each known sentence is a pattern here. `#P` stands for the tokens of the prompt, `#W` for the
//! window, `#_` for a number that is neither; `…` skips at most [`GAP`] characters. Patterns are tried in order, lower
//! case, anywhere in the text.

/// What a text gave away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Tokens of the prompt.
    pub(crate) prompt: Option<u32>,
    /// The window in tokens.
    pub(crate) window: Option<u32>,
}

const GAP: usize = 160;

const PATTERNS: [&str; 23] = [
    // llama.cpp
    "request (#P tokens) exceeds the available context size (#W tokens)",
    // vLLM: prompt alone, with a budget, and older forms (OpenAI and OpenRouter use the last ones, too)
    "maximum context length is #W tokens. however, your prompt contains at least #P input tokens",
    "maximum context length is #W tokens. however, your prompt contains #P input tokens",
    "maximum context length is #W tokens and your request has #P input tokens",
    "maximum context length is #W tokens. however, you requested…(#P in the messages",
    "maximum context length is #W tokens. however, you requested…(#P of text input",
    "maximum context length is #W tokens. however, your messages resulted in #P tokens",
    "maximum context length is #W tokens. however, you requested #P tokens",
    "cannot be greater than max_model_len=#W",
    "input length (#P) exceeds model's maximum context length (#W)",
    // SGLang
    "input (#P tokens) is longer than the model's context length (#W tokens)",
    "maximum context length of #W tokens. you requested a total of #_ tokens: #P tokens from the input",
    // LM Studio: current, MLX engine, older
    "n_keep: #P>= n_ctx: #W",
    "n_keep: #P >= n_ctx: #W",
    "n_keep (#P) >= n_ctx (#W)",
    "keep the first #P tokens…context length of only #W tokens",
    // llama-cpp-python
    "requested tokens (#P) exceed context window of #W",
    // Anthropic: the prompt alone, and with the budget
    "prompt is too long: #P tokens > #W maximum",
    "exceed context limit: #P + #_ > #W",
    // text-generation-inference
    "must be <= #W. given: #P `inputs`",
    // The window alone
    "maximum context length is #W",
    "maximum context length of #W",
    "context window of #W",
];

/// Reads the numbers out of a message. Where no pattern fits, but the text is clearly about the window and holds
/// exactly two plausible numbers, the larger is the prompt: it is what did not fit.
pub(crate) fn read(message: &str) -> Numbers {
    let text = message.to_lowercase();
    PATTERNS.iter().find_map(|pattern| search(pattern, &text)).or_else(|| guess(&text)).unwrap_or_default()
}

/// The pause that a message asks for: `try again in 1.2s`, `retry after 20 seconds`, `in 350ms`.
pub(crate) fn pause_ms(message: &str) -> Option<u64> {
    let text = message.to_lowercase();
    let rest =
        ["try again in ", "retry after ", "retry in ", "retry-after: "].iter().find_map(|before| Some(text.split_once(before)?.1))?;
    let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
    let (number, unit) = rest.split_at_checked(digits)?;
    let number: f64 = number.trim_end_matches('.').parse().ok()?;
    let unit = unit.trim_start();
    let factor = if unit.starts_with("ms") || unit.starts_with("milli") {
        1.0
    } else if unit.starts_with('m') {
        60_000.0
    } else {
        1_000.0
    };
    Some((number * factor) as u64)
}

fn search(pattern: &str, text: &str) -> Option<Numbers> {
    // The literal before the first capture finds the places worth trying.
    let head = pattern.split(['#', '…']).next().filter(|head| !head.is_empty())?;
    text.match_indices(head).find_map(|(at, _)| fit(pattern, text.get(at..)?))
}

fn fit(pattern: &str, text: &str) -> Option<Numbers> {
    let mut numbers = Numbers::default();
    let (mut pattern, mut text) = (pattern, text);
    loop {
        let special = pattern.find(['#', '…']).unwrap_or(pattern.len());
        let (literal, rest) = pattern.split_at_checked(special)?;
        text = text.strip_prefix(literal)?;
        let mut characters = rest.chars();
        match characters.next() {
            None => return Some(numbers),
            Some('…') => {
                pattern = characters.as_str();
                let next = pattern.split(['#', '…']).next()?;
                let at = text.find(next).filter(|at| *at <= GAP)?;
                text = text.get(at..)?;
            }
            Some(_) => {
                let (number, after) = leading_number(text)?;
                match characters.next() {
                    Some('P') => numbers.prompt = Some(number),
                    Some('W') => numbers.window = Some(number),
                    Some(_) | None => {}
                }
                (pattern, text) = (characters.as_str(), after);
            }
        }
    }
}

/// A number with or without thousands separators.
fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit() && character != ',' && character != '_').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    // A comma at the end is the sentence's.
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    Some((digits.parse().ok()?, rest))
}

fn guess(text: &str) -> Option<Numbers> {
    // Smaller numbers are status codes or positions.
    const SMALLEST: u32 = 600;
    let about_window = ["context length", "context size", "context window", "n_ctx", "max_model_len", "too many tokens"];
    let about_rate = ["rate limit", "per minute", "per min", "per day", "quota"];
    let too_much = ["exceed", "too long", "longer than", "greater than", "overflow", "larger than", "not enough", "too many"];
    if about_rate.iter().any(|words| text.contains(words)) {
        return None;
    }
    if !about_window.iter().any(|words| text.contains(words)) || !too_much.iter().any(|words| text.contains(words)) {
        return None;
    }
    let numbers =
        text.split(|character: char| !character.is_ascii_digit() && character != ',').filter_map(|word| Some(leading_number(word)?.0));
    let mut plausible: Vec<u32> = numbers.filter(|number| *number >= SMALLEST).collect();
    plausible.sort_unstable();
    plausible.dedup();
    match plausible.as_slice() {
        [window, prompt] => Some(Numbers { prompt: Some(*prompt), window: Some(*window) }),
        _ => None,
    }
}
