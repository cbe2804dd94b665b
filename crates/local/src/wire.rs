//! Reading other people's JSON: one field of an unexpected type loses that field, never the rest.

use serde_json::Value;

/// The text at a JSON pointer; blank counts as missing.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.trim().is_empty())
}

/// The positive whole number at a JSON pointer. Zero counts as missing (llama.cpp's router says `n_ctx: 0` for "no model"),
/// and numbers in quotes count as numbers.
pub(crate) fn number(value: &Value, pointer: &str) -> Option<u64> {
    let found = value.pointer(pointer)?;
    let number = found
        .as_u64()
        .or_else(|| found.as_f64().filter(|number| (1.0..9.0e15).contains(number)).map(|number| number as u64))
        .or_else(|| found.as_str().and_then(|text| text.trim().parse().ok()))?;
    (number > 0).then_some(number)
}

/// The same for counts of tokens and slots; what does not fit is missing.
pub(crate) fn count(value: &Value, pointer: &str) -> Option<u32> {
    number(value, pointer).and_then(|number| u32::try_from(number).ok())
}

/// The number at a JSON pointer.
pub(crate) fn real(value: &Value, pointer: &str) -> Option<f64> {
    value.pointer(pointer)?.as_f64().filter(|number| number.is_finite())
}

/// The truth value at a JSON pointer.
pub(crate) fn flag(value: &Value, pointer: &str) -> Option<bool> {
    value.pointer(pointer)?.as_bool()
}

/// The list at a JSON pointer; missing and null are empty.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts in the list at a JSON pointer.
pub(crate) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    list(value, pointer).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether the body is an error in place of an answer: LM Studio says `{"error":"Unexpected endpoint or method. (…)"}`
/// with status 200 on every path that it does not know.
pub(crate) fn is_error(value: &Value) -> bool {
    value.get("error").is_some_and(|error| !error.is_null())
}
