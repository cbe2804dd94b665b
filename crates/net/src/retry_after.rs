//! "Come back later", in all the ways servers say it.
//!
//! Sources: `retry-after` (RFC 9110: seconds or a date), `retry-after-ms` (OpenAI, Anthropic), and, on a 429 without
//! them, the reset times of limits whose `remaining` is 0: `x-ratelimit-reset-requests` and `-tokens` as a Go duration
//! (OpenAI: `1s`, `6m0s`, `20ms`), `x-ratelimit-reset` as milliseconds since 1970 (OpenRouter).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

/// Longer pauses are not believed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    // Measured by the server's own clock where it shows it, so that ours may be wrong.
    let now = text("date").and_then(http_date).unwrap_or(now);

    let milliseconds = text("retry-after-ms").and_then(positive).map(|number| Duration::from_secs_f64(number.min(1e9) / 1000.0));
    let stated = milliseconds.or_else(|| {
        let value = text("retry-after")?;
        positive(value)
            .map(|number| Duration::from_secs_f64(number.min(1e9)))
            .or_else(|| Some(http_date(value)?.duration_since(now).unwrap_or_default()))
    });
    let pause = stated.or_else(|| {
        ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens", "x-ratelimit-reset"]
            .into_iter()
            .filter(|reset| text(&reset.replacen("reset", "remaining", 1)) == Some("0"))
            .filter_map(|reset| {
                let value = text(reset)?;
                go_duration(value).or_else(|| since_1970(value, now))
            })
            .max()
    })?;
    Some(pause.min(LONGEST))
}

fn positive(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
}

/// `1h2m3.5s`, `20ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total = total.saturating_add(Duration::from_secs_f64(positive(number)?.min(1e6) * seconds));
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn since_1970(text: &str, now: SystemTime) -> Option<Duration> {
    let number = text.parse::<u64>().ok()?;
    // Seconds reach this figure in the year 5138.
    let at = if number > 100_000_000_000 { Duration::from_millis(number) } else { Duration::from_secs(number) };
    Some((UNIX_EPOCH + at).duration_since(now).unwrap_or_default())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers still send.
fn http_date(text: &str) -> Option<SystemTime> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = u64::try_from(months.iter().position(|name| *name == month)?).ok()? + 1;
    let year: u64 = words.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = words.next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if words.next() != Some("GMT") || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days of the civil calendar, counted in years that begin in March so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(UNIX_EPOCH + Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}
