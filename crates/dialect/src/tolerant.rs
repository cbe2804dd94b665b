//! Picking fields out of JSON that may be missing, null or of another type than the format says.

use serde_json::Value;

/// A non-empty text under `key`.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A text under `key` that is more than blanks. For ids and names, which some servers fill with `""` or `" "`.
pub(crate) fn word<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    text(value, key).map(str::trim).filter(|text| !text.is_empty())
}

/// A count under `key`; accepts `12`, `12.0` and `"12"`.
pub(crate) fn count(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(as_count)
}

/// See [`count`].
pub(crate) fn as_count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The same as [`count`], for what is at most a window's size.
pub(crate) fn small_count(value: &Value, key: &str) -> Option<u32> {
    count(value, key).and_then(|number| u32::try_from(number).ok())
}

/// A positive, finite number under `key`.
pub(crate) fn rate(value: &Value, key: &str) -> Option<f64> {
    value.get(key).and_then(Value::as_f64).filter(|rate| rate.is_finite() && *rate > 0.0)
}

/// The elements of the array under `key`; nothing when there is none.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The value under `key` when it is an object.
pub(crate) fn object<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|inner| inner.is_object())
}

/// The first `limit` characters of `text`, with a mark when there was more.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

fn whole(number: f64) -> Option<u64> {
    // 2^53: beyond it a float no longer counts.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    (0.0..=LARGEST).contains(&number).then_some(number as u64)
}
