//! Pure: the TC string of the IAB's Transparency and Consent Framework, version 2, as far as it is asked.
//!
//! "Consent string and vendor list formats v2" of the IAB Tech Lab, "The Core String": base64url without
//! padding, fields of so many bits after one another, the first bit of each the most significant. Other
//! segments follow after a dot; neither they nor what is after the vendors' consents is read.

/// Where the fields are, in bits.
const VERSION: usize = 0;
const PURPOSE_1: usize = 152;
const MAX_VENDOR: usize = 213;
const IS_RANGES: usize = 229;
const VENDORS: usize = 230;

/// Whether a TC string says that purpose 1 (store and access information on a device) and the vendor have
/// consent. `None` when it is none of version 2, or ends before it has said so.
///
/// A string that says purpose 1 was never asked about (`PurposeOneTreatment`) allows nothing, and neither
/// does a legitimate interest.
pub fn allows(text: &str, vendor_id: u16) -> Option<bool> {
    let bits = Bits(text.split('.').next()?.as_bytes());
    if bits.0.iter().any(|letter| sextet(*letter).is_none()) || bits.read(VERSION, 6)? != 2 {
        return None;
    }
    let purpose = bits.read(PURPOSE_1, 1)? == 1;
    let vendor_id = u32::from(vendor_id);
    let max = bits.read(MAX_VENDOR, 16)?;
    let mut vendor = false;
    if bits.read(IS_RANGES, 1)? == 0 {
        let at = |id: u32| bits.read(VENDORS + id as usize - 1, 1);
        if max > 0 {
            at(max)?;
        }
        vendor = (1..=max).contains(&vendor_id) && at(vendor_id)? == 1;
    } else {
        let mut at = VENDORS + 12;
        for _ in 0..bits.read(VENDORS, 12)? {
            let is_range = bits.read(at, 1)?;
            let first = bits.read(at + 1, 16)?;
            let last = if is_range == 1 { bits.read(at + 17, 16)? } else { first };
            if first == 0 || first > last {
                return None;
            }
            vendor |= (first..=last).contains(&vendor_id);
            at += if is_range == 1 { 33 } else { 17 };
        }
    }
    Some(purpose && vendor)
}

/// Letters of six bits each.
struct Bits<'a>(&'a [u8]);

impl Bits<'_> {
    /// So many bits from there on, as a number; `None` beyond the end.
    fn read(&self, at: usize, count: usize) -> Option<u32> {
        let mut number = 0;
        for at in at..at + count {
            let bit = sextet(*self.0.get(at / 6)?)? >> (5 - at % 6) & 1;
            number = number << 1 | u32::from(bit);
        }
        Some(number)
    }
}

fn sextet(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}
