//! XDM Beacon.
