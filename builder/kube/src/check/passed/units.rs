//! Durations and quantities as Kubernetes reads them in configurations.

/// Nanoseconds of a duration as Go reads it: `1h30m`, `1.5s`, `-100ms`, `0`. Days are no unit of it.
/// <https://pkg.go.dev/time#ParseDuration>
pub(super) fn nanoseconds(text: &str) -> Option<i128> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let (sign, mut rest) = signed(text);
    match rest {
        "" => return None,
        "0" => return Some(0),
        _ => (),
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(decimal(number, scale)?)?;
        rest = next;
    }
    i64::try_from(total).is_ok().then_some(sign * total)
}

/// What Kubernetes makes of larger quantities, in thousandths.
const MOST: i128 = (i64::MAX as i128) * 1000;

/// Thousandths of a quantity: `500m`, `1.5Gi`, `64Mi`, `1e9`; fractions of one are rounded away, and what is larger than Go's
/// int64 is that.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
pub(super) fn thousandths(text: &str) -> Option<i128> {
    let (sign, rest) = signed(text);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(end);
    let binary = |power: u32| Some(1000 * 1024_i128.pow(power));
    let scale: Option<i128> = match suffix {
        "n" | "u" => return decimal(number, 1).map(|_| 0),
        "m" => Some(1),
        "" => Some(1000),
        "k" => Some(1_000_000),
        "M" => Some(1_000_000_000),
        "G" => Some(1_000_000_000_000),
        "T" => Some(1_000_000_000_000_000),
        "P" => Some(1_000_000_000_000_000_000),
        "E" => Some(1_000_000_000_000_000_000_000),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            match u32::try_from(exponent.checked_add(3)?) {
                Ok(power) => 10_i128.checked_pow(power),
                Err(_) => return decimal(number, 1).map(|_| 0),
            }
        }
    };
    decimal(number, 1)?;
    let value = scale.and_then(|scale| decimal(number, scale)).unwrap_or(MOST);
    Some(sign * value.min(MOST))
}

fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|c| c.is_ascii_digit())
}

/// The decimal number `text`, such as `1.5`, times `scale`, in whole numbers.
fn decimal(text: &str, scale: i128) -> Option<i128> {
    // More digits are beyond what any field holds.
    const DIGITS: usize = 24;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let only_digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    if !has_digit(text) || !only_digits(whole) || !only_digits(fraction) || text.len() > DIGITS {
        return None;
    }
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let whole = number(whole)?.checked_mul(scale)?;
    let places = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    whole.checked_add(number(fraction)?.checked_mul(scale)? / places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, expected) in [
            ("0", 0),
            ("0s", 0),
            ("1h30m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5m", 30_000_000_000),
            ("-100ms", -100_000_000),
            ("5m1h", 3_900_000_000_000),
            ("2µs", 2000),
        ] {
            assert_eq!(nanoseconds(text), Some(expected), "{text}");
        }
        for bad in ["", "-", "5", "1d", "h", ".s", "1.2.3s", "1 h", "s5", "9999999999h", "1H"] {
            assert_eq!(nanoseconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn quantities_have_decimal_and_binary_units() {
        for (text, expected) in [
            ("1", 1000),
            ("250m", 250),
            ("0.5", 500),
            ("1.5Gi", 1_610_612_736_000),
            ("64Mi", 67_108_864_000),
            ("1e3", 1_000_000),
            ("5E-1", 500),
            ("2E", 2_000_000_000_000_000_000_000),
            ("9e34", MOST),
            ("100000000000000000E", MOST),
            ("-1e99", -MOST),
            ("-1k", -1_000_000),
            ("7n", 0),
            ("1e-9", 0),
        ] {
            assert_eq!(thousandths(text), Some(expected), "{text}");
        }
        for bad in ["", "Mi", "1MB", "1 Gi", "50%", "1gi", "1K", "0x10", "1e", "."] {
            assert_eq!(thousandths(bad), None, "{bad}");
        }
    }
}
