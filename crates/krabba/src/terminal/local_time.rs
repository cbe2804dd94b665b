//! The time of day where the person is, told to the model with each message.

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use krabba_context::Circumstances;
use krabba_types::{Clock, SystemClock};

/// Now, in local time where the system says it, else in UTC.
pub(crate) fn circumstances() -> Circumstances {
    let at = SystemClock.now();
    let offset = Instant::from_millisecond(at.0).map_or(0, |instant| TimeZone::system().to_offset(instant).seconds() / 60);
    Circumstances { at, utc_offset_minutes: offset, place: None }
}
