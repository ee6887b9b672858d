//! Dates as `new Date(text)` of JavaScript takes them, in the forms that its standard and its engines share:
//!
//! - ISO 8601: `2024`, `2024-03`, `2024-03-22`, and behind the day `T` or a blank, `12:38`, `12:38:31`, `12:38:31.111`, and `Z`,
//!   `+01:00` or `+0100`. Without a zone it is UTC, as the server's own is.
//! - RFC 2822: `Fri, 22 Mar 2024 12:38:31 GMT`, `22 Mar 2024 12:38:31 +0100`.
//! - Milliseconds since 1970, in 11 to 15 digits. JavaScript takes these only as a number.
//!
//! What V8 guesses beyond that (`2024-3-2`, the 30th of February) is no date here.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::Offset;

/// Bytes of the longest form.
const BYTES_MAX: usize = 64;

/// The milliseconds since 1970 of a date; those before 1970 are 0. `None` when it is none.
#[must_use]
pub fn parse_date_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.len() > BYTES_MAX || !text.is_ascii() {
        return None;
    }
    let millisecond = match text.len() {
        11..=15 if is_digits(text) => text.parse().ok()?,
        _ => iso(text).or_else(|| rfc2822(text))?,
    };
    Some(u64::try_from(millisecond).unwrap_or(0))
}

fn rfc2822(text: &str) -> Option<i64> {
    let parsed = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(parsed.as_millisecond())
}

fn iso(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at(text.find(['T', 't', ' ']).unwrap_or(text.len()));
    let date = civil_date(date)?;
    let (time, offset) = match rest.get(1..).filter(|it| !it.is_empty()) {
        None if rest.is_empty() => (Time::midnight(), Offset::UTC),
        None => return None,
        Some(clock) => {
            let (clock, zone) =
                clock.split_at(clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len()));
            (civil_time(clock.trim_end())?, zone_offset(zone)?)
        }
    };
    let timestamp = offset.to_timestamp(DateTime::from_parts(date, time)).ok()?;
    Some(timestamp.as_millisecond())
}

fn civil_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |it| number(it, 2))?;
    let day = parts.next().map_or(Some(1), |it| number(it, 2))?;
    if parts.next().is_some() {
        return None;
    }
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn civil_time(text: &str) -> Option<Time> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(a, b)| (a, Some(b)));
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let second = parts.next();
    if parts.next().is_some() || (second.is_none() && fraction.is_some()) {
        return None;
    }
    let second = second.map_or(Some(0), |it| number(it, 2))?;
    let nanosecond = fraction.map_or(Some(0), nanoseconds)?;
    let part = |it: u32| i8::try_from(it).ok();
    Time::new(part(hour)?, part(minute)?, part(second)?, nanosecond).ok()
}

/// Digits behind the point; those behind the ninth do not count.
fn nanoseconds(digits: &str) -> Option<i32> {
    if digits.is_empty() || !is_digits(digits) {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok()
}

fn zone_offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1) {
        None | Some(("Z" | "z", "")) => return Some(Offset::UTC),
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, minutes) = rest.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?).ok()
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && is_digits(text)).then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse_date_ms(text), expected, "{text}");
    }

    #[test]
    fn dates_are_read_as_javascript_reads_them() {
        // What `new Date(text).getTime()` gives in UTC, compared with Node 20. The last two are ours.
        check("2024", Some(1_704_067_200_000));
        check("2024-03", Some(1_709_251_200_000));
        check("2024-03-22", Some(1_711_065_600_000));
        check("2024-03-22T12:38", Some(1_711_111_080_000));
        check("2024-03-22T12:38:31", Some(1_711_111_111_000));
        check("2024-03-22 12:38:31", Some(1_711_111_111_000));
        check("2024-03-22T12:38:31Z", Some(1_711_111_111_000));
        check("2024-03-22T12:38:31.111Z", Some(1_711_111_111_111));
        check("2024-03-22T12:38:31.111999999999Z", Some(1_711_111_111_111));
        check("2024-03-22T13:38:31+01:00", Some(1_711_111_111_000));
        check("2024-03-22T07:38:31-0500", Some(1_711_111_111_000));
        check(" 2024-01-01T00:00:00Z ", Some(1_704_067_200_000));
        check("Fri, 22 Mar 2024 12:38:31 GMT", Some(1_711_111_111_000));
        check("22 Mar 2024 13:38:31 +0100", Some(1_711_111_111_000));
        check("1711111111111", Some(1_711_111_111_111));
        check("1969-12-31T23:59:59Z", Some(0));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "x",
            "20",
            "20240322",
            "2024-13-01",
            "2024-02-30",
            "2024-3-2",
            "2024-03-22T",
            "2024-03-22T12",
            "2024-03-22T25:00",
            "2024-03-22T12:60",
            "2024-03-22T12:38.5",
            "2024-03-22T12:38:31.Z",
            "2024-03-22T12:38:31+1",
            "2024-03-22T12:38:31+24:00",
            "2024-03-22T12:38:31X",
            "2024-03-22-01",
            "1711111111",
            "1711111111111111",
            "+711111111111",
            "２０２４",
            "yesterday",
        ] {
            check(text, None);
        }
        check(&"2".repeat(1000), None);
    }
}
