//! Dates that are moved by days, and times that are times (PS3.5 6.2).

use jiff::Span;
use jiff::civil::Date;

/// A date (DA) moved by days; `None` where it is no whole date. The form of ACR-NEMA, `YYYY.MM.DD`, is accepted.
pub(crate) fn shift_date(text: &str, days: i64) -> Option<String> {
    let digits: String = match text.as_bytes() {
        [_, _, _, _, b'.', _, _, b'.', _, _] => text.replace('.', ""),
        _ => text.to_owned(),
    };
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let date = Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?).ok()?;
    let moved = move_by(date, days)?;
    Some(format!("{:04}{:02}{:02}", moved.year(), moved.month(), moved.day()))
}

/// A date and time (DT) of at least a day, moved by days; what follows the date stays if it is a time and an offset.
pub(crate) fn shift_datetime(text: &str, days: i64) -> Option<String> {
    let (date, rest) = text.split_at_checked(8)?;
    let (time, offset) = match rest.find(['+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let is_fine = (time.is_empty() || time_of_day(time).is_some()) && (offset.is_empty() || is_offset(offset));
    is_fine.then(|| shift_date(date, days)).flatten().map(|date| format!("{date}{time}{offset}"))
}

/// A date of the form `YYYY-MM-DD` moved by days.
pub(crate) fn shift_iso(text: &str, days: i64) -> Option<String> {
    let date: Date = text.parse().ok()?;
    move_by(date, days).map(|date| date.to_string())
}

fn move_by(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok().filter(|date| date.year() >= 1)
}

/// A time of day (TM); the form of ACR-NEMA, `HH:MM:SS`, loses its colons.
pub(crate) fn time_of_day(text: &str) -> Option<String> {
    let time = text.replace(':', "");
    let (whole, fraction) =
        time.split_once('.').map_or((time.as_str(), None), |(whole, fraction)| (whole, Some(fraction)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let part =
        |at: usize, most: u32| whole.get(at..at + 2).is_none_or(|two| two.parse::<u32>().is_ok_and(|n| n <= most));
    let is_whole = is_number(whole) && matches!(whole.len(), 2 | 4 | 6) && part(0, 23) && part(2, 59) && part(4, 60);
    let is_fraction = fraction.is_none_or(|f| whole.len() == 6 && is_number(f) && f.len() <= 6);
    (is_whole && is_fraction).then_some(time)
}

/// An offset from UTC, `+HHMM` or `-HHMM`.
pub(crate) fn is_offset(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()) && digits < "1500" && &digits[2..] < "60"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_move_over_leap_days_and_years() {
        assert_eq!(shift_date("20200301", -1).as_deref(), Some("20200229"));
        assert_eq!(shift_date("2017.01.01", -1).as_deref(), Some("20161231"));
        assert_eq!(shift_datetime("20170304120000.123456+0800", -3).as_deref(), Some("20170301120000.123456+0800"));
        assert_eq!(shift_iso("2017-03-04", -4).as_deref(), Some("2017-02-28"));
        for bad in ["", "2017", "201703", "20171304", "20170230", "20170304 ", "DOE^JOHN", "2017030\u{661}"] {
            assert_eq!(shift_date(bad, -1), None, "{bad}");
        }
        for bad in ["2017", "20170304DOE", "2017030412+99999", "20170304+DOEJ", "年2017年"] {
            assert_eq!(shift_datetime(bad, -1), None, "{bad}");
        }
    }

    #[test]
    fn times_are_times() {
        for good in ["12", "1200", "120059", "120059.5", "235960"] {
            assert_eq!(time_of_day(good).as_deref(), Some(good));
        }
        assert_eq!(time_of_day("12:00:59").as_deref(), Some("120059"));
        for bad in ["", "1", "2400", "1260", "12.5", "120059.", "120059.1234567", "DOE", "12DOE"] {
            assert_eq!(time_of_day(bad), None, "{bad}");
        }
        assert!(is_offset("+0800") && !is_offset("0800") && !is_offset("+9999") && !is_offset("+DOEJ"));
    }

    proptest! {
        #[test]
        fn the_days_between_two_dates_stay(a in 0i64..20_000, b in 0i64..20_000, days in -3650i64..0) {
            let date = |n: i64| Date::constant(1970, 1, 1).checked_add(Span::new().days(n)).unwrap();
            let moved = |n: i64| {
                let d = date(n);
                let text = shift_date(&format!("{:04}{:02}{:02}", d.year(), d.month(), d.day()), days).unwrap();
                Date::new(text[..4].parse().unwrap(), text[4..6].parse().unwrap(), text[6..].parse().unwrap()).unwrap()
            };
            prop_assert_eq!(moved(a).since(moved(b)).unwrap().get_days(), date(a).since(date(b)).unwrap().get_days());
        }
    }
}
