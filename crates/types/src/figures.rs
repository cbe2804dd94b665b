//! Figures as people read them, the same wherever they are read.

use std::time::Duration;

/// A count with its thousands parted: `196,608`.
pub fn grouped(count: impl Into<u64>) -> String {
    let digits = count.into().to_string();
    let mut parted = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            parted.push(',');
        }
        parted.push(digit);
    }
    parted
}

/// A difference with its sign: `+12`, `-1,024`.
pub fn signed(difference: i64) -> String {
    let sign = if difference < 0 { '-' } else { '+' };
    format!("{sign}{}", grouped(difference.unsigned_abs()))
}

/// A duration: `812 ms`, `1.2 s`, `300 s`. What is left of a tenth of a second is dropped.
pub fn seconds(duration: Duration) -> String {
    let (whole, tenths) = (duration.as_secs(), duration.subsec_millis() / 100);
    match (whole, tenths) {
        (0, _) if !duration.is_zero() => format!("{} ms", duration.as_millis()),
        (whole, 0) => format!("{whole} s"),
        (whole, tenths) => format!("{whole}.{tenths} s"),
    }
}

/// A speed, in tokens per second: `42 tokens/s`, and `4.2 tokens/s` where the tenths matter.
pub fn speed(tokens_per_second: f64) -> String {
    if tokens_per_second < 9.95 {
        return format!("{tokens_per_second:.1} tokens/s");
    }
    let whole = format!("{tokens_per_second:.0}");
    format!("{} tokens/s", whole.parse::<u64>().map_or(whole, grouped))
}
