//! Points in time as RFC 3339 text and back, in the forms that the platform takes.

use crate::json::push_padded;

/// Milliseconds since 1970-01-01T00:00:00Z, as `Date.now()` counts them.
pub type Millis = i64;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say.
const FIRST: Millis = -62_135_596_800_000;
const LAST: Millis = 253_402_300_799_999;
/// Days from 0000-03-01 to 1970-01-01. Counting years from March puts the leap day last.
const EPOCH_DAYS: i64 = 719_468;
const DAYS_IN_400_YEARS: i64 = 146_097;

/// UTC with milliseconds: `2026-11-24T03:49:50.123Z`. Times outside the years 1 to 9999 become the
/// nearest one inside.
pub fn rfc3339(ms: Millis) -> String {
    let mut out = String::with_capacity(24);
    push_date_time(&mut out, ms);
    out.push('Z');
    out
}

/// Local time with its offset: `2026-11-24T04:49:50.123+01:00`. `offset_minutes` is positive east
/// of Greenwich (the opposite sign of JavaScript's `getTimezoneOffset()`), a day at most.
pub fn rfc3339_offset(ms: Millis, offset_minutes: i32) -> String {
    let offset = i64::from(offset_minutes.clamp(-1439, 1439));
    let mut out = String::with_capacity(29);
    push_date_time(&mut out, ms.saturating_add(offset * MINUTE));
    out.push(if offset < 0 { '-' } else { '+' });
    push(&mut out, offset.abs() / 60, 2, ':');
    push_padded(&mut out, offset.unsigned_abs() % 60, 2);
    out
}

fn push_date_time(out: &mut String, ms: Millis) {
    let ms = ms.clamp(FIRST, LAST);
    let days = ms.div_euclid(DAY) + EPOCH_DAYS;
    let time = ms.rem_euclid(DAY);

    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let day_of_era = days.rem_euclid(DAYS_IN_400_YEARS);
    // Take the leap days out again: every 4 years but not every 100, and one at the end of the era.
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - days_before_year(year_of_era);
    // From March on, months have 31 and 30 days in turn, in groups of five months with 153 days.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - days_before_month(month_from_march) + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);

    push(out, year, 4, '-');
    push(out, month, 2, '-');
    push(out, day, 2, 'T');
    push(out, time / HOUR, 2, ':');
    push(out, time / MINUTE % 60, 2, ':');
    push(out, time / SECOND % 60, 2, '.');
    push_padded(out, (time % SECOND).unsigned_abs(), 3);
}

fn push(out: &mut String, number: i64, width: usize, then: char) {
    push_padded(out, number.unsigned_abs(), width);
    out.push(then);
}

/// Days of the era before a year that starts in March.
fn days_before_year(year_of_era: i64) -> i64 {
    year_of_era * 365 + year_of_era / 4 - year_of_era / 100
}

/// Days of a year that starts in March before one of its months.
fn days_before_month(month_from_march: i64) -> i64 {
    (153 * month_from_march + 2) / 5
}

/// The time that a text names. Takes what the streaming service takes and nothing else:
/// `yyyy-MM-ddTHH:mm:ss`, a fraction of one to nine digits or none, and `Z` or `±HH:mm`; days
/// that exist, seconds to 59. Fractions below a millisecond are cut.
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    let mut reader = Reader(text.as_bytes());
    let year = reader.number(4, 1, 9999)?;
    reader.one_of(b"-")?;
    let month = reader.number(2, 1, 12)?;
    reader.one_of(b"-")?;
    let day = reader.number(2, 1, days_in_month(year, month))?;
    reader.one_of(b"T")?;
    let hour = reader.number(2, 0, 23)?;
    reader.one_of(b":")?;
    let minute = reader.number(2, 0, 59)?;
    reader.one_of(b":")?;
    let second = reader.number(2, 0, 59)?;

    let mut millis = 0;
    let mut zone = reader.one_of(b".Z+-")?;
    if zone == b'.' {
        let mut worth = 100;
        for _ in 0..9 {
            if !reader.0.first().is_some_and(u8::is_ascii_digit) {
                break;
            }
            millis += reader.number(1, 0, 9)? * worth;
            worth /= 10;
        }
        // A fraction without a digit is none.
        if worth == 100 {
            return None;
        }
        zone = reader.one_of(b"Z+-")?;
    }
    let mut offset = 0;
    if zone != b'Z' {
        offset = reader.number(2, 0, 23)? * HOUR;
        reader.one_of(b":")?;
        offset += reader.number(2, 0, 59)? * MINUTE;
        if zone == b'-' {
            offset = -offset;
        }
    }
    if !reader.0.is_empty() {
        return None;
    }

    let from_march = year - i64::from(month <= 2);
    let days = from_march.div_euclid(400) * DAYS_IN_400_YEARS
        + days_before_year(from_march.rem_euclid(400))
        + days_before_month((month + 9) % 12)
        + day
        - 1
        - EPOCH_DAYS;
    Some(days * DAY + hour * HOUR + minute * MINUTE + second * SECOND + millis - offset)
}

/// The time that an HTTP date names, in the form that is written today (RFC 9110, IMF-fixdate):
/// `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn parse_http_date(text: &str) -> Option<Millis> {
    let mut words = text.split(' ').skip(1);
    let mut next = || words.next();
    let (day, month, year, time) = (next()?, next()?, next()?, next()?);
    if next()? != "GMT" || next().is_some() || month.len() != 3 {
        return None;
    }
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(month).filter(|at| at % 3 == 0)?;
    let mut text = String::from(year);
    text.push('-');
    push_padded(&mut text, month as u64 / 3 + 1, 2);
    text.push('-');
    text.push_str(day);
    text.push('T');
    text.push_str(time);
    text.push('Z');
    parse_rfc3339(&text)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        allowed.contains(byte).then_some(*byte)
    }

    fn number(&mut self, width: usize, least: i64, most: i64) -> Option<i64> {
        let mut number = 0;
        for _ in 0..width {
            number = number * 10 + i64::from(self.one_of(b"0123456789")? - b'0');
        }
        (least..=most).contains(&number).then_some(number)
    }
}
