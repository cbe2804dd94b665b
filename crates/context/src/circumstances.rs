//! What is true when a message is written, and only then: the time of day and the place.
//!
//! It is rendered once, into the message that it belongs to, and stored with it. The next request repeats the stored text,
//! so the prompt never changes backwards and the server's cache holds.

use std::fmt;

use krabba_types::{Message, Part, Role, Timestamp};

/// The volatile facts of one user message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// When it was written.
    pub at: Timestamp,
    /// Minutes that local time is ahead of UTC (negative: behind).
    pub utc_offset_minutes: i32,
    /// Where it was written (`terminal`, `telegram`), when the model should know.
    pub place: Option<String>,
}

impl fmt::Display for Circumstances {
    /// One line without a line break: `[Sunday 2026-11-22 17:38 +01:00, telegram]`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = i64::from(self.utc_offset_minutes);
        let minutes = self.at.0.div_euclid(60_000) + offset;
        let (days, minute) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
        let (year, month, day) = civil(days);
        let sign = if offset < 0 { '-' } else { '+' };
        write!(
            formatter,
            "[{} {year:04}-{month:02}-{day:02} {:02}:{:02} {sign}{:02}:{:02}",
            weekday(days),
            minute / 60,
            minute % 60,
            offset.abs() / 60,
            offset.abs() % 60
        )?;
        if let Some(place) = &self.place {
            write!(formatter, ", {}", place.replace(['[', ']', '\n', '\r'], " "))?;
        }
        formatter.write_str("]")
    }
}

/// The user message to store: its circumstances as a paragraph of their own, then what the person said.
pub fn user_message(circumstances: &Circumstances, said: impl IntoIterator<Item = Part>) -> Message {
    let header = Part::Text(circumstances.to_string());
    Message { role: Role::User, parts: std::iter::once(header).chain(said).collect() }
}

fn weekday(days: i64) -> &'static str {
    // 1970-01-01 was a Thursday.
    match days.rem_euclid(7) {
        0 => "Thursday",
        1 => "Friday",
        2 => "Saturday",
        3 => "Sunday",
        4 => "Monday",
        5 => "Tuesday",
        _ => "Wednesday",
    }
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last of its year; 146,097 days are 400 years.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
