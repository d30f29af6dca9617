//! Pure: one instance of the library, and what its commands do.
//!
//! A [`Beacon`] takes calls, answers of the network, and the page's comings and goings; it gives back
//! [`Output`]s for the browser layer to carry out. It never waits and never looks at a clock.

use crate::collect::{Moment, Page, context};
use crate::delivery::{
    Answer, Counts, Delivery, Direct, DropReason, Effect, Fate, Message, Request, RequestId, Ticket,
};
use crate::fault::{Fault, Reason};
use crate::json::{self, Kind};
use crate::settings::{Contexts, Settings, Target, boolean, each, milliseconds, schema_ref, string};
use crate::time::Millis;
use crate::xdm::entity::{self, Parts};
use crate::xdm::limits;
use serde::Serialize;

/// The commands, as `getLibraryInfo` lists them.
const COMMANDS: [&str; 7] =
    ["configure", "sendEvent", "sendProfile", "flush", "getStatus", "setDebug", "getLibraryInfo"];
/// How far ahead of the endpoint's clock a timestamp may be, in milliseconds: the platform wants it
/// in the past, and clocks differ a little.
const CLOCK_TOLERANCE_MS: Millis = 60_000;
/// How long `flush` waits unless told otherwise.
const FLUSH_TIMEOUT_MS: i32 = 10_000;

/// A command as it reaches the core.
#[derive(Debug)]
pub struct Call<'a> {
    /// Its name.
    pub command: &'a str,
    /// Its options as JSON text; empty when none were given.
    pub options: &'a str,
    /// The promise to settle.
    pub ticket: Ticket,
    /// When and where it was called, if not here and now (a replay of the base code's queue).
    pub moment: Option<Moment>,
}

/// What the browser layer has to do.
#[derive(Debug)]
pub enum Output {
    /// Make a request to `url`.
    Send {
        /// The endpoint.
        url: String,
        /// What and how.
        request: Request,
    },
    /// Resolve a promise.
    Resolve(Ticket, Outcome),
    /// Reject a promise with an `Error` of this `code` and `message`.
    Reject(Ticket, &'static str, String),
    /// Call [`Beacon::flush_timed_out`] after so many milliseconds.
    FlushTimer(Ticket, i32),
    /// Tell the developer (debug is on).
    Log(String),
}

/// What a promise resolves to.
#[derive(Serialize, Debug)]
#[serde(untagged)]
pub enum Outcome {
    /// `configure`, `setDebug`: `{}`
    Done {},
    /// `sendEvent`, `sendProfile`
    Sent(Sent),
    /// `flush`
    Flushed(Flushed),
    /// `getStatus`
    Status(Status),
    /// `getLibraryInfo`
    Library(Library),
}

/// `{id, timestamp, status, reason?, detail?}`; a profile record has no id and no timestamp.
#[derive(Serialize, Debug)]
pub struct Sent {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<DropReason>,
    /// The server's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
}

/// `{delivered, stored}` since the call of `flush`.
#[derive(Serialize, Debug)]
pub struct Flushed {
    delivered: u32,
    stored: u32,
}

/// [`Counts`], and beside them what the origin keeps on disk.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    #[serde(flatten)]
    counts: Counts,
    /// Timestamps that were ahead of the endpoint's clock and put back.
    timestamps_corrected: u32,
    outbox: Outbox,
}

#[derive(Serialize, Debug)]
struct Outbox {
    events: u32,
    bytes: u32,
    durable: bool,
}

/// `{name, version, commands, engine, configuration}`
#[derive(Serialize, Debug)]
pub struct Library {
    name: &'static str,
    version: &'static str,
    commands: [&'static str; 7],
    engine: &'static str,
    /// The options of `configure` as JSON text; the browser layer makes an object of it.
    pub configuration: String,
}

struct Flush {
    ticket: Ticket,
    before: Counts,
}

/// One instance.
pub struct Beacon {
    name: String,
    configured: Option<(Settings, Direct)>,
    debug: bool,
    flushes: Vec<Flush>,
    timestamps_corrected: u32,
    leaving: bool,
}

impl Beacon {
    /// `name`: the global function, which error messages start with.
    pub fn new(name: &str) -> Beacon {
        Beacon {
            name: String::from(name),
            configured: None,
            debug: false,
            flushes: Vec::new(),
            timestamps_corrected: 0,
            leaving: false,
        }
    }

    /// Carries out one command. Its promise settles now, or with a later answer.
    pub fn call(&mut self, call: Call<'_>, page: &dyn Page, out: &mut Vec<Output>) {
        let ticket = call.ticket;
        if let Err(fault) = self.run(call, page, out) {
            let message = fault.message(&self.name);
            if self.debug {
                out.push(Output::Log(message.clone()));
            }
            out.push(Output::Reject(ticket, fault.reason.code(), message));
        }
    }

    /// The options of `configure` that a script tag declares, from its `dataset` as JSON text.
    pub fn declared(&mut self, dataset: &str, ticket: Ticket, page: &dyn Page, out: &mut Vec<Output>) {
        match crate::declared::options(dataset) {
            Ok(options) => {
                let call = Call { command: "configure", options: &options, ticket, moment: None };
                self.call(call, page, out);
            }
            Err(fault) => out.push(Output::Reject(ticket, fault.reason.code(), fault.message(&self.name))),
        }
    }

    /// Takes the answer to a request.
    pub fn answer(&mut self, request: RequestId, answer: Answer<'_>, now: Millis, out: &mut Vec<Output>) {
        let Some((_, delivery)) = &mut self.configured else { return };
        let mut effects = Vec::new();
        delivery.answer(request, answer, now, &mut effects);
        self.carry(effects, out);
        self.settle_flushes(out, |_, counts| counts.in_flight == 0);
    }

    /// The time that a `flush` was given is over.
    pub fn flush_timed_out(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        self.settle_flushes(out, |flush, _| flush.ticket == ticket);
    }

    /// The page is leaving (hidden or unloading), or came back.
    pub fn leaving(&mut self, leaving: bool) {
        self.leaving = leaving;
        if let Some((_, delivery)) = &mut self.configured {
            delivery.leaving(leaving);
        }
    }

    fn run(&mut self, call: Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> Result<(), Fault> {
        if !COMMANDS.contains(&call.command) {
            return Err(Fault::at(Reason::UnknownCommand, call.command));
        }
        let configures = call.command == "configure";
        if configures == self.configured.is_some() {
            let reason = if configures { Reason::ConfiguredTwice } else { Reason::NotConfigured };
            return Err(Fault::at(reason, call.command));
        }
        let done = match call.command {
            "configure" => self.configure(&call, page, out),
            "sendEvent" | "sendProfile" => self.send(&call, page, out),
            "flush" => self.flush(&call, out),
            "setDebug" => self.set_debug(&call, out),
            _ => {
                let outcome = if call.command == "getStatus" { self.status() } else { self.library() };
                no_options(call.options).map(|()| out.push(Output::Resolve(call.ticket, outcome)))
            }
        };
        done.map_err(|fault| {
            let whole = fault.path.is_empty();
            if whole { fault.in_key("options") } else { fault }
        })
    }

    fn configure(&mut self, call: &Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> Result<(), Fault> {
        let settings = Settings::parse(call.options)?;
        let mut delivery = Direct::new(settings.transport, page.has_keepalive());
        delivery.leaving(self.leaving);
        self.debug = settings.debug;
        self.configured = Some((settings, delivery));
        out.push(Output::Resolve(call.ticket, Outcome::Done {}));
        Ok(())
    }

    fn send(&mut self, call: &Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> Result<(), Fault> {
        let Some((settings, delivery)) = &mut self.configured else { return Ok(()) };
        let is_event = call.command == "sendEvent";
        let mut parts = Parts::default();
        let (mut dataset_id, mut schema, mut unloading) = (None, None, false);
        if !call.options.is_empty() {
            each(call.options, |key, raw| {
                // What is null was left out.
                if json::kind(raw) == Kind::Null {
                    return Ok(());
                }
                match (key, is_event) {
                    ("xdm", _) => parts.xdm = raw,
                    ("mapping", _) => parts.mapping = raw,
                    ("identityMap", _) => parts.identity_map = raw,
                    ("datasetId", _) => dataset_id = Some(string(raw)?),
                    ("schema", _) => schema = Some(schema_ref(raw)?),
                    ("type", true) => parts.event_type = raw,
                    ("timestamp", true) => parts.timestamp = raw,
                    ("documentUnloading", true) => unloading = boolean(raw)?,
                    ("priority", true) => match json::string(raw).as_deref() {
                        Some("high" | "normal" | "low") => {}
                        _ => return Err(Fault::new(Reason::NotAPriority)),
                    },
                    _ => return Err(Fault::new(Reason::UnknownOption)),
                }
                Ok(())
            })?;
        }

        let defaults = if is_event { Some(&settings.events) } else { settings.profiles.as_ref() };
        let dataset_id = dataset_id
            .or_else(|| defaults.map(|target| target.dataset_id.clone()))
            .ok_or_else(|| Fault::at(Reason::NoProfileDataset, "datasetId"))?;
        let (schema_id, content_type) = schema
            .or_else(|| defaults.map(|target| (target.schema_id.clone(), target.content_type.clone())))
            .ok_or_else(|| Fault::at(Reason::NoProfileDataset, "schema"))?;
        let target = Target { dataset_id, schema_id, content_type };

        let mut corrected = false;
        let (mut entity, profile_limit) = if is_event {
            let moment = call.moment.clone().unwrap_or_else(|| moment(settings.context, page));
            let around = context(settings.context, &moment, page);
            parts.context = &around;
            let mut event = entity::experience_event(&parts, page.entropy(), moment.now)?;
            if let Some(skew) = delivery.clock_skew() {
                let endpoint_now = page.now().saturating_add(skew);
                if event.timestamp_ms > endpoint_now.saturating_add(CLOCK_TOLERANCE_MS) {
                    event.set_timestamp(endpoint_now);
                    corrected = true;
                }
            }
            (event, limits::MAX_EVENT_PROFILE_BYTES)
        } else {
            (entity::profile_record(&parts)?, limits::MAX_RECORD_PROFILE_BYTES)
        };

        let json = settings.envelope(&target).message(&entity.json);
        if json.len() > limits::MAX_REQUEST_BYTES {
            return Err(Fault::at(Reason::TooLarge, call.command));
        }
        self.timestamps_corrected += u32::from(corrected);
        if self.debug && entity.json.len() > profile_limit {
            out.push(Output::Log(oversize_warning(&self.name, entity.json.len(), profile_limit)));
        }
        let message = Message {
            json,
            ticket: call.ticket,
            id: entity.id.take(),
            timestamp: entity.timestamp.take(),
            unloading,
        };
        let mut effects = Vec::new();
        delivery.accept(message, &mut effects);
        self.carry(effects, out);
        Ok(())
    }

    fn flush(&mut self, call: &Call<'_>, out: &mut Vec<Output>) -> Result<(), Fault> {
        let mut timeout = FLUSH_TIMEOUT_MS;
        if !call.options.is_empty() {
            each(call.options, |key, raw| match key {
                "timeout" => milliseconds(raw).map(|ms| timeout = ms),
                _ => Err(Fault::new(Reason::UnknownOption)),
            })?;
        }
        self.flushes.push(Flush { ticket: call.ticket, before: self.counts() });
        out.push(Output::FlushTimer(call.ticket, timeout));
        self.settle_flushes(out, |_, counts| counts.in_flight == 0);
        Ok(())
    }

    fn set_debug(&mut self, call: &Call<'_>, out: &mut Vec<Output>) -> Result<(), Fault> {
        let mut enabled = None;
        each(call.options, |key, raw| match key {
            "enabled" => boolean(raw).map(|on| enabled = Some(on)),
            _ => Err(Fault::new(Reason::UnknownOption)),
        })?;
        self.debug = enabled.ok_or_else(|| Fault::at(Reason::Missing, "enabled"))?;
        out.push(Output::Resolve(call.ticket, Outcome::Done {}));
        Ok(())
    }

    fn counts(&self) -> Counts {
        self.configured.as_ref().map(|(_, delivery)| delivery.counts()).unwrap_or_default()
    }

    fn status(&self) -> Outcome {
        Outcome::Status(Status {
            counts: self.counts(),
            timestamps_corrected: self.timestamps_corrected,
            outbox: Outbox { events: 0, bytes: 0, durable: false },
        })
    }

    fn library(&self) -> Outcome {
        Outcome::Library(Library {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            commands: COMMANDS,
            engine: "wasm",
            configuration: self
                .configured
                .as_ref()
                .map(|(settings, _)| settings.text.clone())
                .unwrap_or_default(),
        })
    }

    /// Turns the delivery's effects into outputs.
    fn carry(&mut self, effects: Vec<Effect>, out: &mut Vec<Output>) {
        let Some((settings, _)) = &self.configured else { return };
        for effect in effects {
            out.push(match effect {
                Effect::Send(request) => Output::Send { url: settings.endpoint.clone(), request },
                Effect::Settle { ticket, id, timestamp, fate } => {
                    let (status, reason, detail) = match fate {
                        Fate::Delivered => ("delivered", None, String::new()),
                        Fate::HandedOver => ("handedOver", None, String::new()),
                        Fate::Dropped(reason, text) => ("dropped", Some(reason), text),
                    };
                    Output::Resolve(ticket, Outcome::Sent(Sent { id, timestamp, status, reason, detail }))
                }
            });
        }
    }

    fn settle_flushes(&mut self, out: &mut Vec<Output>, done: impl Fn(&Flush, &Counts) -> bool) {
        let counts = self.counts();
        self.flushes.retain(|flush| {
            let done = done(flush, &counts);
            if done {
                let flushed = Flushed {
                    delivered: counts.delivered.saturating_sub(flush.before.delivered),
                    stored: counts.stored.saturating_sub(flush.before.stored),
                };
                out.push(Output::Resolve(flush.ticket, Outcome::Flushed(flushed)));
            }
            !done
        });
    }
}

/// The present moment; the page is asked for its strings only where an event carries them.
fn moment(chosen: Contexts, page: &dyn Page) -> Moment {
    if chosen.has(Contexts::WEB) { page.moment() } else { Moment { now: page.now(), ..Moment::default() } }
}

fn no_options(options: &str) -> Result<(), Fault> {
    if options.is_empty() {
        return Ok(());
    }
    each(options, |_, _| Err(Fault::new(Reason::UnknownOption)))
}

fn oversize_warning(name: &str, bytes: usize, limit: usize) -> String {
    let mut text = String::from(name);
    text.push_str(": the entity has ");
    json::push_int(&mut text, bytes as i64);
    text.push_str(" bytes; Real-Time Customer Profile drops it above ");
    json::push_int(&mut text, limit as i64);
    text.push_str(" (the data lake keeps it): send fewer fields");
    text
}
