use krabba_types::{Message, Part, Role, Timestamp};

use crate::{Circumstances, user_message};

fn at(milliseconds: i64, utc_offset_minutes: i32) -> Circumstances {
    Circumstances { at: Timestamp(milliseconds), utc_offset_minutes, place: None }
}

#[test]
fn days_are_right_at_their_edges() {
    let days = [
        (0, 0, "[Thursday 1970-01-01 00:00 +00:00]"),
        (-60_000, 0, "[Wednesday 1969-12-31 23:59 +00:00]"),
        (951_782_400_000, 0, "[Tuesday 2000-02-29 00:00 +00:00]"),
        (1_709_251_140_000, 60, "[Friday 2024-03-01 00:59 +01:00]"),
        (1_795_368_600_000, -210, "[Sunday 2026-11-22 14:00 -03:30]"),
        (4_102_444_799_000, 0, "[Thursday 2099-12-31 23:59 +00:00]"),
    ];
    for (milliseconds, offset, expected) in days {
        assert_eq!(at(milliseconds, offset).to_string(), expected);
    }
}

#[test]
fn the_header_is_part_of_the_stored_message() {
    let circumstances = Circumstances { place: Some("tele]\ngram".to_owned()), ..at(0, 0) };
    let expected = Message {
        role: Role::User,
        parts: vec![Part::Text("[Thursday 1970-01-01 00:00 +00:00, tele  gram]".to_owned()), Part::Text("hello".to_owned())],
    };
    assert_eq!(user_message(&circumstances, [Part::Text("hello".to_owned())]), expected);
}
