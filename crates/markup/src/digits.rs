//! Numbers within limits, digit by digit.

use crate::mould::{Bound, Range};

/// The most digits before the point, and behind it.
const WHOLE: u32 = 15;
const PART: u32 = 9;
/// With limits: the digits behind the point, at least and at most.
const LEAST_PART: u32 = 2;
const MOST_PART: u32 = 6;
/// The largest number with a part behind the point, when there is a limit on one side only.
const LARGEST: f64 = 999_999_999.0;

/// A range whose limits are numbers of the form in which they are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    whole: bool,
    limits: Option<(f64, f64)>,
    excluded: (bool, bool),
}

impl Plain {
    pub(crate) const ANY: Self = Self { whole: false, limits: None, excluded: (false, false) };

    pub(crate) fn of(range: &Range) -> Self {
        let largest = if range.whole { 10_f64.powi(WHOLE.cast_signed()) - 1.0 } else { LARGEST };
        let value = |bound: Option<Bound>, otherwise: f64| bound.map_or(otherwise, |bound| bound.value.clamp(-largest, largest));
        let limited = range.least.is_some() || range.most.is_some();
        let excluded = |bound: Option<Bound>| bound.is_some_and(|bound| bound.excluded);
        Self {
            whole: range.whole,
            limits: limited.then(|| (value(range.least, -largest), value(range.most, largest))),
            excluded: (excluded(range.least), excluded(range.most)),
        }
    }
}

/// The expression of all numbers of a range that can be written; of the middle where there is none.
pub(crate) fn numbers(range: &Plain) -> String {
    let Some((least, most)) = range.limits else {
        let whole = format!("\"-\"? (\"0\" | [1-9] [0-9]{{0,{}}})", WHOLE - 1);
        return if range.whole { whole } else { format!("{whole} (\".\" [0-9]{{1,{PART}}})?") };
    };
    let mut forms = scaled(range, least, most, 0);
    if !range.whole {
        let part = parts(least).max(parts(most)).clamp(LEAST_PART, MOST_PART);
        forms.extend(scaled(range, least, most, part));
    }
    if forms.is_empty() { format!("\"{}\"", f64::midpoint(least, most)) } else { forms.join(" | ") }
}

/// How many digits behind the point a limit needs.
fn parts(limit: f64) -> u32 {
    (0..MOST_PART).find(|part| (limit * 10_f64.powi(part.cast_signed())).fract() == 0.0).unwrap_or(MOST_PART)
}

/// Those with `part` digits behind the point: whole numbers of a unit so small.
fn scaled(range: &Plain, least: f64, most: f64, part: u32) -> Vec<String> {
    let unit = 10_f64.powi(part.cast_signed());
    let (low, high) = ((least * unit).ceil(), (most * unit).floor());
    let low = if range.excluded.0 && low == least * unit { low + 1.0 } else { low };
    let high = if range.excluded.1 && high == most * unit { high - 1.0 } else { high };
    if low > high {
        return Vec::new();
    }
    let mut forms = Vec::new();
    if high >= 0.0 {
        forms.push(magnitudes(size(low.max(0.0)), size(high), part));
    }
    if low < 0.0 {
        let below = magnitudes(size((-high).max(1.0)), size(-low), part);
        forms.push(format!("\"-\" ({below})"));
    }
    forms
}

/// Far below 2^63.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn size(number: f64) -> u64 {
    number as u64
}

/// All numbers from `low` to `high`, without needless zeros before them, with a point before the last `part` digits.
fn magnitudes(low: u64, high: u64, part: u32) -> String {
    let shortest = part as usize + 1;
    let written = |number: u64| format!("{number:0>shortest$}");
    let (first, last) = (written(low).len(), written(high).len());
    let mut forms = Vec::new();
    for length in first..=last {
        let smallest = if length == shortest { 0 } else { 10_u64.pow(u32::try_from(length - 1).unwrap_or(u32::MAX)) };
        let largest = 10_u64.pow(u32::try_from(length).unwrap_or(u32::MAX)) - 1;
        let (from, to) = (written(low.max(smallest)), written(high.min(largest)));
        forms.push(between(from.as_bytes(), to.as_bytes(), part as usize));
    }
    forms.join(" | ")
}

/// Texts of digits of one length from `low` to `high`.
fn between(low: &[u8], high: &[u8], part: usize) -> String {
    let (Some((first, low)), Some((last, high))) = (low.split_first(), high.split_first()) else { return String::new() };
    let left = low.len();
    let point = if part > 0 && left + 1 == part { "\".\" " } else { "" };
    if low.iter().all(|digit| *digit == b'0') && high.iter().all(|digit| *digit == b'9') {
        return format!("{point}{}{}", one_of(*first, *last), free(left, part));
    }
    if first == last {
        return format!("{point}\"{}\" {}", char::from(*first), between(low, high, part));
    }
    let nines = vec![b'9'; left];
    let zeros = vec![b'0'; left];
    let mut forms = vec![format!("\"{}\" {}", char::from(*first), between(low, &nines, part))];
    if first + 1 < *last {
        forms.push(format!("{}{}", one_of(first + 1, last - 1), free(left, part)));
    }
    forms.push(format!("\"{}\" {}", char::from(*last), between(&zeros, high, part)));
    format!("{point}({})", forms.join(" | "))
}

fn one_of(first: u8, last: u8) -> String {
    if first == last { format!("\"{}\"", char::from(first)) } else { format!("[{}-{}]", char::from(first), char::from(last)) }
}

/// So many digits of any kind.
fn free(digits: usize, part: usize) -> String {
    match (digits, part) {
        (0, _) => String::new(),
        (digits, 0) => format!(" [0-9]{{{digits}}}"),
        (digits, part) if digits > part => format!(" [0-9]{{{}}} \".\" [0-9]{{{part}}}", digits - part),
        (digits, part) if digits == part => format!(" \".\" [0-9]{{{part}}}"),
        (digits, _) => format!(" [0-9]{{{digits}}}"),
    }
}
