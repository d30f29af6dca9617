//! Writing JSON tokens without `core::fmt`.

/// Appends `text` as a JSON string, quotes included, escaped as `JSON.stringify` escapes it.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let Some((plain, after)) = rest.split_at_checked(at) else {
            break;
        };
        out.push_str(plain);
        out.push('\\');
        let mut after = after.chars();
        match after.next().unwrap_or('\\') {
            '\u{8}' => out.push('b'),
            '\t' => out.push('t'),
            '\n' => out.push('n'),
            '\u{c}' => out.push('f'),
            '\r' => out.push('r'),
            control if control < ' ' => {
                out.push_str("u00");
                out.push(if control < '\u{10}' { '0' } else { '1' });
                out.push(hex_digit(control as u8));
            }
            quoted => out.push(quoted),
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends `number` in decimal.
pub fn push_int(out: &mut String, number: i64) {
    if number < 0 {
        out.push('-');
    }
    push_padded(out, number.unsigned_abs(), 1);
}

/// Appends `number` in decimal with at least `width` digits.
pub(crate) fn push_padded(out: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut left = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        if left == 0 && used >= width {
            break;
        }
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        used += 1;
    }
    for digit in digits.iter().skip(digits.len() - used) {
        out.push(char::from(*digit));
    }
}

/// The low four bits of `byte` as a lower-case hexadecimal digit.
pub(crate) fn hex_digit(byte: u8) -> char {
    let nibble = byte & 15;
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}
