use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::retry_after::of;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn pause(headers: &[(&str, &str)]) -> Option<Duration> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    of(&headers, now())
}

#[test]
fn every_way_to_say_later_is_understood() {
    let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    const DATE: (&str, &str) = ("date", "Fri, 15 Jan 2027 08:00:00 GMT");
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(Headers, Option<Duration>); 13] = [
        (&[("retry-after", "7")], seconds(7.0)),
        (&[("retry-after", "1.5")], seconds(1.5)),
        (&[("retry-after-ms", "250"), ("retry-after", "7")], seconds(0.25)),
        (&[DATE, ("retry-after", "Fri, 15 Jan 2027 08:01:30 GMT")], seconds(90.0)),
        (&[("retry-after", "Fri, 15 Jan 2027 08:00:10 GMT")], seconds(10.0)),
        (&[DATE, ("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], seconds(0.0)),
        (&[("retry-after", "999999999999")], seconds(86_400.0)),
        (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")], seconds(360.0)),
        (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1m2.5s")], seconds(62.5)),
        (&[("x-ratelimit-remaining-tokens", "12"), ("x-ratelimit-reset-tokens", "20ms")], None),
        (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1800000005000")], seconds(5.0)),
        (&[("retry-after", "soon")], None),
        (&[("retry-after", "-1")], None),
    ];
    for (headers, expected) in cases {
        assert_eq!(pause(headers), expected, "{headers:?}");
    }
}
