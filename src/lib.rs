//! XDM Beacon: formats what happens on a page as XDM and delivers it to a streaming connection of
//! Adobe Experience Platform.
//!
//! # The story of one event
//!
//! 1. The page calls `xdmBeacon("sendEvent", options)`. The loader (`www/sdk/`) turns the options
//!    into JSON text before the call returns and hands it over with a pair of promise functions.
//! 2. [`browser`](self) (wasm32 only) looks at the clock, the page and the source of randomness, and
//!    passes all of it to [`command`], which is pure, as everything below is.
//! 3. [`settings`] says where events go; [`collect`] writes the automatic context, cleared of what names
//!    a person; [`identity`] knows who the browser is; [`xdm::entity`] merges context, mapping, XDM and the call's own fields, checks them and adds `_id` and
//!    `timestamp`; [`xdm::envelope`] wraps the entity as the streaming API wants it.
//! 4. [`delivery`] decides when and by which transport the message leaves, what is written to the
//!    outbox, and what the message's fate is. It answers with effects: send this, store that, resolve
//!    that promise, wake me then.
//! 5. The browser layer carries the effects out and feeds the answers back in.
//!
//! Purity is held by the compiler: the browser's crates exist for wasm32 alone.

pub mod collect;
pub mod command;
pub mod consent;
pub mod declared;
pub mod delivery;
pub mod fault;
pub mod id;
pub mod identity;
pub mod json;
pub mod settings;
pub mod time;
pub mod xdm;

#[cfg(target_arch = "wasm32")]
pub mod browser;
