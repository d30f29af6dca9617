//! Limits of the platform, in bytes of UTF-8 where they are sizes. A megabyte is read as 1,000,000
//! bytes and a kilobyte as 1,000, the smaller of the two usual readings.

/// One request, single or batch. The service answers 413 above it.
pub const MAX_REQUEST_BYTES: usize = 1_000_000;
/// One ExperienceEvent. Profile drops larger ones while the data lake keeps them.
pub const MAX_EVENT_PROFILE_BYTES: usize = 10_000;
/// One profile record. Profile drops larger ones.
pub const MAX_RECORD_PROFILE_BYTES: usize = 100_000;
/// Identities in one event or record.
pub const MAX_IDENTITIES: usize = 20;
