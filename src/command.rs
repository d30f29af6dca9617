//! Pure: one instance of the library, and what its commands do.
//!
//! A [`Beacon`] takes calls, answers of the network, and the page's comings and goings; it gives back
//! [`Output`]s for the browser layer to carry out. It never waits and never looks at a clock.

use crate::collect::redact::Redactor;
use crate::collect::{
    Captured, Moment, Page, click, context, data_layer, engagement, error, form, page_views, referrer::Trail,
    web_vitals,
};
use crate::consent::{Record, decision};
use crate::delivery::{
    Config, Consent, Counts, DiskOp, Document, DropReason, Effect, Engine, Fate, Message, PageEvent,
    Priority, Request, Ticket, Url, Write,
};
use crate::fault::{Fault, Reason};
use crate::identity::Identity;
use crate::json::{self, Kind};
use crate::settings::{
    Contexts, Settings, Target, boolean, each, milliseconds, required, schema_ref, string,
};
use crate::time::Millis;
use crate::xdm::entity::{self, Entity, Parts};
use crate::xdm::{identity_map, limits, mapping};
use serde::Serialize;

/// The commands, as `getLibraryInfo` lists them.
const COMMANDS: [&str; 10] = [
    "configure",
    "sendEvent",
    "sendProfile",
    "setConsent",
    "getIdentity",
    "appendIdentityToUrl",
    "flush",
    "getStatus",
    "setDebug",
    "getLibraryInfo",
];
/// How far ahead of the endpoint's clock a timestamp may be, in milliseconds: the platform wants it
/// in the past, and clocks differ a little.
const CLOCK_TOLERANCE_MS: Millis = 60_000;
const HOUR_MS: Millis = 3_600_000;
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
    /// When and where it was called.
    pub moment: Moment,
    /// Sixteen random bytes, unlike those of any other call; the same when a call is repeated because
    /// the engine trapped, so that its event keeps its `_id`.
    pub entropy: [u8; 16],
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
    /// Replace the deferred requests by these, `(url, body)`: [`Effect::Defer`].
    Defer(Vec<(String, String)>),
    /// Open the outbox and ask for the lease of this name: [`Effect::Open`].
    Open {
        /// The name of the page's life.
        owner: String,
        /// The name of the lease: alike for all instances that send to the same place.
        lease: String,
        /// Whether to make an outbox where there is none.
        create: bool,
    },
    /// [`Effect::Close`]
    Close,
    /// [`Effect::Write`]
    Write(DiskOp, Write),
    /// [`Effect::Survey`]
    Survey(String),
    /// [`Effect::Handoff`]
    Handoff {
        /// The name of the page's life.
        owner: String,
        /// What to store; empty to remove it.
        text: String,
    },
    /// [`Effect::Remember`], under this name.
    Remember(String, String),
    /// Keep a decision about consent for [`Page::consent`], and call [`Beacon::decided`] of all instances
    /// of the page, and of those in other tabs where it is on disk.
    Decided {
        /// Under which key.
        key: String,
        /// The record of it.
        record: &'static str,
        /// Whether it goes to disk.
        on_disk: bool,
    },
    /// [`Effect::Wake`]
    Wake(Millis),
    /// Ask the browser for its high-entropy client hints; [`Page::reading`] has them from then on.
    AskHints,
    /// Show an event, as JSON text, to the page's `onBeforeEventSend` and tell [`Beacon::judged`], before
    /// anything else of this list is done: events keep the order of their calls.
    BeforeSend(Ticket, String),
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
    /// `setConsent`
    Decided(Decided),
    /// `getIdentity`
    Identities(Identities),
    /// `appendIdentityToUrl`
    Address(Address),
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

/// `{collect}`: `"in"` or `"out"`
#[derive(Serialize, Debug)]
pub struct Decided {
    collect: &'static str,
}

/// `{identityMap}`
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Identities {
    /// As JSON text; the browser layer makes an object of it.
    pub identity_map: String,
}

/// `{url}`
#[derive(Serialize, Debug)]
pub struct Address {
    url: String,
}

/// `{delivered, stored}`: delivered since the call of `flush`, and what is in the outbox after it.
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
    /// `"in"`, `"out"` or `"pending"`
    consent: &'static str,
    /// Timestamps that were ahead of the endpoint's clock and put back.
    timestamps_corrected: u32,
    /// How often something was taken out of what is collected automatically.
    redacted: u32,
    /// How often the engine had to be started anew; what is counted here began with the last time.
    engine_restarts: u32,
    /// Messages that fail while others pass, set aside until the next visit.
    parked: u32,
    outbox: Outbox,
}

#[derive(Serialize, Debug)]
struct Outbox {
    events: u32,
    bytes: u32,
    durable: bool,
    /// Records given up: unreadable, too old, or pushed out.
    dropped: u32,
}

/// `{name, version, commands, engine, configuration}`
#[derive(Serialize, Debug)]
pub struct Library {
    name: &'static str,
    version: &'static str,
    commands: [&'static str; COMMANDS.len()],
    engine: &'static str,
    /// The options of `configure` as JSON text; the browser layer makes an object of it.
    pub configuration: String,
}

struct Flush {
    ticket: Ticket,
    before: Counts,
}

/// What a page gives an instance to begin with.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The global function, which error messages start with.
    pub name: String,
    /// What all instances of the document share.
    pub document: Document,
    /// The name of the page's life, random: the outbox keeps messages under it.
    pub owner: String,
    /// Whether the page is hidden.
    pub hidden: bool,
    /// Whether the browser believes that it has a network.
    pub online: bool,
    /// How many engines of this page and owner have trapped before this one.
    pub restarts: u32,
}

/// What the page's `onBeforeEventSend` made of an event.
#[derive(Debug)]
pub enum Verdict {
    /// It is sent as this JSON text has it.
    Send(String),
    /// It is given up.
    Cancel,
    /// A promise: there is no verdict yet.
    Undecided,
    /// The function threw, or what it left has no JSON form; in its words.
    Failed(String),
}

/// A message whose entity is about to be settled.
struct Draft {
    ticket: Ticket,
    moment: Moment,
    entropy: [u8; 16],
    target: Target,
    priority: Priority,
    unloading: bool,
    id: Option<String>,
    timestamp: Option<String>,
    /// How much was taken out of its automatic fields.
    redacted: u32,
}

/// One instance.
pub struct Beacon {
    birth: Birth,
    configured: Option<(Settings, Engine)>,
    consent: Consent,
    /// What somebody has decided, if anybody has.
    record: Option<Record>,
    identity: Identity,
    debug: bool,
    flushes: Vec<Flush>,
    /// Events that the page's `onBeforeEventSend` looks at.
    drafts: Vec<Draft>,
    trail: Trail,
    /// What was told of the page's errors.
    errors: Vec<String>,
    timestamps_corrected: u32,
    redacted: u32,
    sequence: u32,
}

impl Beacon {
    /// An instance that is not configured yet.
    pub fn new(birth: Birth) -> Beacon {
        Beacon {
            birth,
            configured: None,
            consent: Consent::In,
            record: None,
            identity: Identity::default(),
            debug: false,
            flushes: Vec::new(),
            drafts: Vec::new(),
            trail: Trail::default(),
            errors: Vec::new(),
            timestamps_corrected: 0,
            redacted: 0,
            sequence: 0,
        }
    }

    /// Carries out one command. Its promise settles now, or with a later answer.
    pub fn call(&mut self, call: Call<'_>, page: &dyn Page, out: &mut Vec<Output>) {
        let ticket = call.ticket;
        if let Err(fault) = self.run(call, page, out) {
            self.reject(ticket, &fault, "", out);
        }
    }

    /// Goes on with an event that [`Output::BeforeSend`] showed.
    pub fn judged(&mut self, ticket: Ticket, verdict: Verdict, page: &dyn Page, out: &mut Vec<Output>) {
        const NAME: &str = "onBeforeEventSend";
        let Some(at) = self.drafts.iter().position(|draft| draft.ticket == ticket) else { return };
        let draft = self.drafts.remove(at);
        let mut words = String::new();
        let done = match verdict {
            Verdict::Send(xdm) => {
                let parts = Parts { xdm: &xdm, ..Parts::default() };
                let event = self.event(parts, &draft).map_err(|fault| fault.in_key(NAME));
                event.and_then(|event| self.accept(draft, event, limits::MAX_EVENT_PROFILE_BYTES, page, out))
            }
            Verdict::Cancel => {
                self.deliver(out, |engine, _| engine.cancelled());
                let (Draft { id, timestamp, .. }, reason) = (draft, Some(DropReason::Cancelled));
                let sent = Sent { id, timestamp, status: "dropped", reason, detail: String::new() };
                out.push(Output::Resolve(ticket, Outcome::Sent(sent)));
                Ok(())
            }
            Verdict::Undecided => Err(Fault::at(Reason::CallbackAsync, NAME)),
            Verdict::Failed(thrown) => {
                words = thrown;
                Err(Fault::at(Reason::CallbackFailed, NAME))
            }
        };
        if let Err(fault) = done {
            self.reject(ticket, &fault, &words, out);
        }
    }

    /// `words`: what somebody else said of it, if they did.
    fn reject(&self, ticket: Ticket, fault: &Fault, words: &str, out: &mut Vec<Output>) {
        let mut message = fault.message(&self.birth.name);
        if !words.is_empty() {
            message.push_str(" (");
            message.push_str(words);
            message.push(')');
        }
        if self.debug {
            out.push(Output::Log(message.clone()));
        }
        out.push(Output::Reject(ticket, fault.reason.code(), message));
    }

    /// The options of `configure` that a script tag declares, from its `dataset` as JSON text.
    pub fn declared(&mut self, dataset: &str, call: Call<'_>, page: &dyn Page, out: &mut Vec<Output>) {
        match crate::declared::options(dataset) {
            Ok(options) => self.call(Call { command: "configure", options: &options, ..call }, page, out),
            Err(fault) => {
                let message = fault.message(&self.birth.name);
                out.push(Output::Reject(call.ticket, fault.reason.code(), message));
            }
        }
    }

    /// Tells the delivery engine something, once there is one.
    pub fn deliver(&mut self, out: &mut Vec<Output>, tell: impl FnOnce(&mut Engine, &mut Vec<Effect>)) {
        let Some((_, engine)) = &mut self.configured else { return };
        let mut effects = Vec::new();
        tell(engine, &mut effects);
        let purged = self.record == Some(Record::Purge) && engine.purged();
        self.carry(effects, out);
        if purged {
            self.record = Some(Record::Out);
            self.keep(out);
        }
        self.settle_flushes(out, None);
    }

    /// The page does something.
    pub fn page(&mut self, event: PageEvent, page: &dyn Page, out: &mut Vec<Output>) {
        if let (PageEvent::Shown | PageEvent::Restored { .. }, Some((settings, _))) =
            (&event, &self.configured)
        {
            // A page that slept has heard nothing of what others decided.
            let (key, on_disk) = (settings.consent_key(), settings.delivery.storage);
            let record = page.consent(&key, on_disk);
            self.decided(&key, &record, page, out);
        }
        match &event {
            PageEvent::Hidden | PageEvent::Leaving => self.birth.hidden = true,
            PageEvent::Shown => self.birth.hidden = false,
            PageEvent::Restored { owner } => {
                self.birth.hidden = false;
                self.birth.owner.clone_from(owner);
            }
            PageEvent::Inherits => {}
            PageEvent::Offline => self.birth.online = false,
            PageEvent::Online => self.birth.online = true,
        }
        let now = page.clocks();
        self.deliver(out, |engine, effects| engine.page(event, now, effects));
    }

    /// A decision about consent was kept under `key`, by this instance or another, here or in another tab.
    pub fn decided(&mut self, key: &str, record: &str, page: &dyn Page, out: &mut Vec<Output>) {
        let ours = self.configured.as_ref().is_some_and(|(settings, _)| settings.consent_key() == key);
        // A record that is removed decides nothing: the next visit begins without one.
        if let Some(record) = Record::read(record).filter(|_| ours) {
            self.decide(record, false, page, out);
        }
    }

    /// What the page is to bring along for this instance, once it is configured: the names of the modules,
    /// parted by spaces.
    pub fn tracking(&self) -> String {
        let Some((settings, _)) = &self.configured else { return String::new() };
        let mut names = settings.track.clone();
        if settings.consent.follow {
            names.push_str(" tcf");
        }
        if settings.data_layer.is_some() {
            names.push_str(" dataLayer");
        }
        names
    }

    /// Takes what a module of the loader has seen of the page: `call` has its kind for a command, and what was
    /// seen for options. What becomes an event is sent like one of `sendEvent`, and so settled; all else is
    /// settled at once. Gives back what the module has to bring along the next time, if it has to.
    pub fn capture(&mut self, call: Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> String {
        let settings = self.configured.as_ref().map(|(settings, _)| settings);
        let mut faults = Vec::new();
        let (answer, captured) = match (call.command, settings) {
            ("pageView", Some(settings)) => {
                page_views::capture(call.options, &call.moment, &settings.tracking)
            }
            ("engagement", Some(settings)) => {
                engagement::capture(call.options, &call.moment, &settings.tracking)
            }
            ("webVitals", Some(settings)) => {
                (String::new(), web_vitals::capture(call.options, &call.moment, &settings.tracking))
            }
            ("click", Some(Settings { tracking, privacy, .. })) => {
                let mut redact = Redactor::new(privacy, page);
                let (seen, moment) = (call.options, &call.moment);
                (String::new(), click::capture(seen, moment, tracking, page, &mut redact, &mut faults))
            }
            ("dataLayer", Some(Settings { data_layer: Some(options), .. })) => {
                data_layer::capture(call.options, &call.moment, options, &mut faults)
            }
            ("form", Some(Settings { tracking, privacy, .. })) => {
                let mut redact = Redactor::new(privacy, page);
                (String::new(), form::capture(call.options, &call.moment, tracking, &mut redact))
            }
            ("error", Some(Settings { tracking, privacy, .. })) => {
                let mut redact = Redactor::new(privacy, page);
                let (seen, moment) = (call.options, &call.moment);
                (String::new(), error::capture(seen, moment, tracking, &mut redact, &mut self.errors))
            }
            _ => (String::new(), None),
        };
        let Some(mut captured) = captured else {
            out.push(Output::Resolve(call.ticket, Outcome::Done {}));
            return answer;
        };
        let call = Call { command: "sendEvent", options: "", moment: captured.moment.clone(), ..call };
        let mut sent = self.send(&call, Some(&captured), page, out);
        if let Err(fault) = &sent
            && !captured.mapping.is_empty()
        {
            // An event without the site's own fields is better than none.
            faults.push(fault.clone());
            captured.mapping.clear();
            sent = self.send(&call, Some(&captured), page, out);
        }
        if self.debug {
            out.extend(faults.iter().map(|fault| Output::Log(fault.message(&self.birth.name))));
        }
        if let Err(fault) = sent {
            self.reject(call.ticket, &fault, "", out);
        }
        answer
    }

    /// The time that a `flush` was given is over.
    pub fn flush_timed_out(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        self.settle_flushes(out, Some(ticket));
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
            "sendEvent" | "sendProfile" => self.send(&call, None, page, out),
            "setConsent" => self.set_consent(&call, page, out),
            "getIdentity" => self.get_identity(&call, page, out),
            "appendIdentityToUrl" => self.append_identity(&call, page, out),
            "flush" => self.flush(&call, page, out),
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
        settings.privacy.check(page).map_err(|fault| fault.in_key("privacy"))?;
        settings.tracking.check(page).map_err(|fault| fault.in_key("tracking"))?;
        let delivery = &settings.delivery;
        let config = Config {
            endpoint: settings.endpoint.clone(),
            has_batch: settings.batch_endpoint.is_some(),
            org_id: settings.org_id.clone(),
            transport: delivery.transport,
            has_keepalive: page.has_keepalive(),
            has_deferred: page.has_deferred(),
            storage: delivery.storage,
            max_batch_events: delivery.max_batch_events as usize,
            max_batch_bytes: delivery.max_batch_bytes as usize,
            max_wait: Millis::from(delivery.max_wait_ms),
            max_stored_bytes: delivery.max_stored_bytes as usize,
            max_age: Millis::from(delivery.max_age_hours) * HOUR_MS,
            mode: delivery.mode,
        };
        let seed = low_half(page.entropy());
        let birth = &self.birth;
        let online = birth.online;
        let mut engine =
            Engine::new(config, &birth.document, &birth.owner, seed, birth.hidden, birth.restarts > 0);
        let now = page.clocks();
        self.record = Record::read(&page.consent(&settings.consent_key(), delivery.storage));
        self.consent = match self.record {
            Some(record) => record.consent(),
            None => settings.consent.undecided(page.wishes_privacy()),
        };
        match self.consent {
            Consent::In if delivery.storage => engine.recall(&page.recall(&place(&settings)), now),
            Consent::In => {}
            withheld => engine.withhold(withheld),
        }
        // By the call, since a router may have changed the URL while the library was on its way.
        let moment = &call.moment;
        self.identity.arrive(&moment.url, &settings.identity, &settings.org_id, moment.now);
        if settings.context.has(Contexts::HINTS) {
            out.push(Output::AskHints);
        }
        let purges = self.record == Some(Record::Purge);
        self.debug = settings.debug;
        self.configured = Some((settings, engine));
        if self.consent == Consent::In {
            self.identity_allowed(page, out);
        }
        self.deliver(out, |engine, effects| {
            engine.start(now, effects);
            if purges {
                engine.consent(Consent::Out, now, effects);
            }
            if !online {
                engine.page(PageEvent::Offline, now, effects);
            }
        });
        out.push(Output::Resolve(call.ticket, Outcome::Done {}));
        Ok(())
    }

    fn send(
        &mut self,
        call: &Call<'_>,
        captured: Option<&Captured>,
        page: &dyn Page,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let Some((settings, _)) = &self.configured else { return Ok(()) };
        let is_event = call.command == "sendEvent";
        let mut parts = Parts::default();
        let (mut dataset_id, mut schema, mut unloading) = (None, None, false);
        let mut priority = Priority::Normal;
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
                    ("priority", true) => {
                        priority = match json::string(raw).as_deref() {
                            Some("high") => Priority::High,
                            Some("normal") => Priority::Normal,
                            Some("low") => Priority::Low,
                            _ => return Err(Fault::new(Reason::NotAPriority)),
                        };
                    }
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
        let mut draft = Draft {
            ticket: call.ticket,
            moment: call.moment.clone(),
            entropy: call.entropy,
            target: Target { dataset_id, schema_id, content_type },
            priority,
            unloading,
            id: None,
            timestamp: None,
            redacted: 0,
        };
        if !is_event {
            let record = entity::profile_record(&parts)?;
            // Another schema has its identity in another place.
            let is_ours = |profiles: &Target| profiles.schema_id == draft.target.schema_id;
            let known = settings.profiles.as_ref().is_some_and(is_ours);
            let path = if known { settings.identity_path.as_slice() } else { &[] };
            if !entity::is_identified(&record.json, path) {
                return Err(Fault::at(Reason::NoIdentity, "identityMap"));
            }
            return self.accept(draft, record, limits::MAX_RECORD_PROFILE_BYTES, page, out);
        }
        self.identity.look(&settings.identity, &settings.org_id, page);
        let known = self.identity.known(&settings.identity);
        parts.identities = &known;
        let mut news = self.trail.news(&call.moment, &settings.tracking);
        let mut chosen = settings.context;
        if let Some(captured) = captured {
            parts.mapping = &captured.mapping;
            draft.unloading = captured.leaves;
            draft.redacted = captured.redacted;
            news = captured.referrer.as_deref().or(news);
            if captured.past {
                news = None;
                // The trail does not lead back there.
                draft.moment.url.clear();
            }
            chosen = chosen.and(captured.contexts);
        }
        let mut redactor = Redactor::new(&settings.privacy, page);
        let mut around = context(chosen, &call.moment, news, &settings.tracking, page, &mut redactor);
        draft.redacted += redactor.count;
        if let Some(captured) = captured {
            let mut both = String::new();
            json::merge(&[&around, &captured.xdm], &mut both)?;
            around = both;
        }
        parts.context = &around;
        if settings.before_event_send {
            let event = entity::experience_event(&parts, draft.entropy, call.moment.now)?;
            (draft.id, draft.timestamp) = (event.id, event.timestamp);
            out.push(Output::BeforeSend(call.ticket, event.json));
            self.drafts.push(draft);
            return Ok(());
        }
        let event = self.event(parts, &draft)?;
        self.accept(draft, event, limits::MAX_EVENT_PROFILE_BYTES, page, out)
    }

    /// Forms an event as it is sent.
    fn event(&self, parts: Parts<'_>, draft: &Draft) -> Result<Entity, Fault> {
        let path =
            self.configured.as_ref().and_then(|(settings, _)| settings.delivery.sequence_path.as_ref());
        let sequence = match path {
            Some(path) => sequence(path, &self.birth.owner, self.sequence + 1)?,
            None => String::new(),
        };
        let parts = Parts { sequence: &sequence, ..parts };
        entity::experience_event(&parts, draft.entropy, draft.moment.now)
    }

    /// Puts an entity into its envelope and gives it to the engine. Profile drops what is larger than
    /// `profile_limit` bytes.
    fn accept(
        &mut self,
        draft: Draft,
        mut entity: Entity,
        profile_limit: usize,
        page: &dyn Page,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let Some((settings, engine)) = &self.configured else { return Ok(()) };
        let is_event = entity.id.is_some();
        let now = page.clocks();
        let mut corrected = false;
        if let Some(skew) = engine.clock_skew().filter(|_| is_event) {
            let endpoint_now = now.wall.saturating_add(skew);
            if entity.timestamp_ms > endpoint_now.saturating_add(CLOCK_TOLERANCE_MS) {
                entity.set_timestamp(endpoint_now);
                corrected = true;
            }
        }
        let json = settings.envelope(&draft.target).message(&entity.json);
        if json.len() > limits::MAX_REQUEST_BYTES {
            return Err(Fault::at(Reason::TooLarge, if is_event { "sendEvent" } else { "sendProfile" }));
        }
        self.timestamps_corrected += u32::from(corrected);
        if is_event {
            self.sequence += 1;
            self.redacted += draft.redacted;
            self.trail.follow(&draft.moment, &settings.tracking);
        }
        if self.debug && entity.json.len() > profile_limit {
            out.push(Output::Log(oversize_warning(&self.birth.name, entity.json.len(), profile_limit)));
        }
        let message = Message {
            json,
            ticket: draft.ticket,
            key: key(draft.entropy),
            id: entity.id,
            timestamp: entity.timestamp,
            priority: draft.priority,
            unloading: draft.unloading,
            room: entity.room,
        };
        self.deliver(out, |engine, effects| engine.accept(message, now, effects));
        Ok(())
    }

    fn set_consent(&mut self, call: &Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> Result<(), Fault> {
        let Some((settings, _)) = &self.configured else { return Ok(()) };
        let (record, collect) = match decision(call.options, settings.consent.vendor_id)? {
            true => (Record::In, "in"),
            // Nothing has come since it was purged.
            false if self.record == Some(Record::Out) => (Record::Out, "out"),
            false => (Record::Purge, "out"),
        };
        self.decide(record, true, page, out);
        out.push(Output::Resolve(call.ticket, Outcome::Decided(Decided { collect })));
        Ok(())
    }

    /// Somebody has decided. All that follows from it begins here: first-party ids are made or read where
    /// it is `In`, before pending events go, and deleted where it is `Out`.
    fn decide(&mut self, record: Record, here: bool, page: &dyn Page, out: &mut Vec<Output>) {
        let (before, consent) = (self.record.replace(record), record.consent());
        if here {
            self.keep(out);
        }
        // A refusal purges, even where the default had allowed nothing.
        let decided = before.is_some() || consent == Consent::In;
        if decided && self.consent == consent {
            return;
        }
        self.consent = consent;
        let Some((settings, _)) = &self.configured else { return };
        let (storage, place, now) = (settings.delivery.storage, place(settings), page.clocks());
        match consent {
            Consent::In => self.identity_allowed(page, out),
            _ => self.identity_forbidden(true, page, out),
        }
        self.deliver(out, |engine, effects| {
            if consent == Consent::In && storage {
                engine.recall(&page.recall(&place), now);
            }
            engine.consent(consent, now, effects);
        });
    }

    /// Keeps the decision and tells the others.
    fn keep(&self, out: &mut Vec<Output>) {
        if let (Some((settings, _)), Some(record)) = (&self.configured, self.record) {
            let (key, on_disk) = (settings.consent_key(), settings.delivery.storage);
            out.push(Output::Decided { key, record: record.text(), on_disk });
        }
    }

    /// The browser's identities may be used: they are found or made, and events that wait for consent get them.
    /// To be called before the engine is told of the consent.
    pub fn identity_allowed(&mut self, page: &dyn Page, out: &mut Vec<Output>) {
        let Some((settings, engine)) = &mut self.configured else { return };
        let memory = memory(settings);
        let remembered = if settings.delivery.storage { page.recall(&memory) } else { String::new() };
        let arrived = self.identity.arrived_ecid();
        if settings.delivery.storage && settings.identity.read_ecid && !arrived.is_empty() {
            out.push(Output::Remember(memory, String::from(arrived)));
        }
        self.identity.allow(&settings.identity, &settings.org_id, &remembered, page);
        let known = self.identity.known(&settings.identity);
        let mut effects = Vec::new();
        engine.amend_pending(
            &mut |message, room| {
                let entity = json::find(json::find(message, "body")?, "xdmEntity")?;
                let completed = identity_map::complete(entity, &known, room)?;
                let start = entity.as_ptr() as usize - message.as_ptr() as usize;
                let mut amended = String::from(message.get(..start)?);
                amended.push_str(&completed);
                amended.push_str(message.get(start + entity.len()..)?);
                (amended.len() <= limits::MAX_REQUEST_BYTES).then_some(amended)
            },
            &mut effects,
        );
        self.carry(effects, out);
    }

    /// The browser's identities may not be used. They are forgotten here, and with `delete` everywhere: consent
    /// is refused, and not just in question.
    pub fn identity_forbidden(&mut self, delete: bool, page: &dyn Page, out: &mut Vec<Output>) {
        let Some((settings, _)) = &self.configured else { return };
        self.identity.forbid(&settings.identity, delete, page);
        if delete {
            out.push(Output::Remember(memory(settings), String::new()));
        }
    }

    fn get_identity(&mut self, call: &Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> Result<(), Fault> {
        let Some((settings, _)) = &self.configured else { return Ok(()) };
        no_options(call.options)?;
        self.identity.look(&settings.identity, &settings.org_id, page);
        let known = self.identity.known(&settings.identity);
        let identity_map = identity_map::of(&known);
        out.push(Output::Resolve(call.ticket, Outcome::Identities(Identities { identity_map })));
        Ok(())
    }

    fn append_identity(
        &mut self,
        call: &Call<'_>,
        page: &dyn Page,
        out: &mut Vec<Output>,
    ) -> Result<(), Fault> {
        let Some((settings, _)) = &self.configured else { return Ok(()) };
        let mut url = None;
        each(call.options, |key, raw| match key {
            "url" => string(raw).map(|given| url = Some(given)),
            _ => Err(Fault::new(Reason::UnknownOption)),
        })?;
        let url = required(url, "url")?;
        self.identity.look(&settings.identity, &settings.org_id, page);
        let now = page.clocks().wall;
        let url = self.identity.append_to(&url, &settings.identity, &settings.org_id, now);
        out.push(Output::Resolve(call.ticket, Outcome::Address(Address { url })));
        Ok(())
    }

    fn flush(&mut self, call: &Call<'_>, page: &dyn Page, out: &mut Vec<Output>) -> Result<(), Fault> {
        let mut timeout = FLUSH_TIMEOUT_MS;
        if !call.options.is_empty() {
            each(call.options, |key, raw| match key {
                "timeout" => milliseconds(raw).map(|ms| timeout = ms),
                _ => Err(Fault::new(Reason::UnknownOption)),
            })?;
        }
        self.flushes.push(Flush { ticket: call.ticket, before: self.counts() });
        out.push(Output::FlushTimer(call.ticket, timeout));
        let now = page.clocks();
        self.deliver(out, |engine, effects| engine.flush(now, effects));
        Ok(())
    }

    fn set_debug(&mut self, call: &Call<'_>, out: &mut Vec<Output>) -> Result<(), Fault> {
        let mut enabled = None;
        each(call.options, |key, raw| match key {
            "enabled" => boolean(raw).map(|on| enabled = Some(on)),
            _ => Err(Fault::new(Reason::UnknownOption)),
        })?;
        self.debug = required(enabled, "enabled")?;
        out.push(Output::Resolve(call.ticket, Outcome::Done {}));
        Ok(())
    }

    fn counts(&self) -> Counts {
        self.configured.as_ref().map(|(_, engine)| engine.counts()).unwrap_or_default()
    }

    fn status(&self) -> Outcome {
        let notes = self.configured.as_ref().map(|(_, engine)| engine.notes()).unwrap_or_default();
        Outcome::Status(Status {
            counts: self.counts(),
            consent: match self.consent {
                Consent::In => "in",
                Consent::Out => "out",
                Consent::Pending => "pending",
            },
            timestamps_corrected: self.timestamps_corrected,
            redacted: self.redacted,
            engine_restarts: self.birth.restarts,
            parked: notes.parked,
            outbox: Outbox {
                events: notes.outbox_events,
                bytes: notes.outbox_bytes,
                durable: notes.durable,
                dropped: notes.records_dropped,
            },
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

    /// Turns the engine's effects into outputs.
    fn carry(&mut self, effects: Vec<Effect>, out: &mut Vec<Output>) {
        let Some((settings, _)) = &self.configured else { return };
        let address = |url| match (url, &settings.batch_endpoint) {
            (Url::Batch, Some(batch)) => batch.clone(),
            _ => settings.endpoint.clone(),
        };
        for effect in effects {
            out.push(match effect {
                Effect::Send(request) => Output::Send { url: address(request.url), request },
                Effect::Defer(requests) => {
                    Output::Defer(requests.into_iter().map(|(url, body)| (address(url), body)).collect())
                }
                Effect::Open { owner, create } => Output::Open { owner, lease: place(settings), create },
                Effect::Remember(text) => Output::Remember(place(settings), text),
                Effect::Close => Output::Close,
                Effect::Write(op, write) => Output::Write(op, write),
                Effect::Survey(after) => Output::Survey(after),
                Effect::Handoff { owner, text } => Output::Handoff { owner, text },
                Effect::Wake(when) => Output::Wake(when),
                Effect::Settle { ticket, id, timestamp, fate } => {
                    let (status, reason, detail) = match fate {
                        Fate::Delivered => ("delivered", None, String::new()),
                        Fate::HandedOver => ("handedOver", None, String::new()),
                        Fate::Stored => ("stored", None, String::new()),
                        Fate::Pending => ("pending", None, String::new()),
                        Fate::Dropped(reason, text) => ("dropped", Some(reason), text),
                    };
                    Output::Resolve(ticket, Outcome::Sent(Sent { id, timestamp, status, reason, detail }))
                }
            });
        }
    }

    /// Settles the flushes that have nothing to wait for any more, and the one whose time is over.
    fn settle_flushes(&mut self, out: &mut Vec<Output>, over: Option<Ticket>) {
        if self.flushes.is_empty() {
            return;
        }
        let counts = self.counts();
        let idle = self.configured.as_ref().is_none_or(|(_, engine)| engine.is_idle());
        self.flushes.retain(|flush| {
            let done = idle || over == Some(flush.ticket);
            if done {
                let flushed = Flushed {
                    delivered: counts.delivered.saturating_sub(flush.before.delivered),
                    stored: counts.stored,
                };
                out.push(Output::Resolve(flush.ticket, Outcome::Flushed(flushed)));
            }
            !done
        });
    }
}

/// Where an instance sends to, and for whom.
fn place(settings: &Settings) -> String {
    let mut place = settings.endpoint.clone();
    place.push(' ');
    place.push_str(&settings.org_id);
    place
}

/// What the tab remembers the ECID by that a link has brought.
fn memory(settings: &Settings) -> String {
    let mut memory = place(settings);
    memory.push_str(" ecid");
    memory
}

/// What the outbox calls a message: eight random bytes in hexadecimal digits.
fn key(entropy: [u8; 16]) -> String {
    let low = low_half(entropy);
    let mut key = String::with_capacity(16);
    for byte in low.to_be_bytes() {
        key.push(json::hex_digit(byte >> 4));
        key.push(json::hex_digit(byte));
    }
    key
}

fn low_half(entropy: [u8; 16]) -> u64 {
    u128::from_be_bytes(entropy) as u64
}

/// `{"session": …, "number": …}` at `path`, as XDM.
fn sequence(path: &str, session: &str, number: u32) -> Result<String, Fault> {
    let mut flat = String::from("{");
    json::push_string(&mut flat, path);
    flat.push_str(":{\"session\":");
    json::push_string(&mut flat, session);
    flat.push_str(",\"number\":");
    json::push_int(&mut flat, i64::from(number));
    flat.push_str("}}");
    mapping::nest(&flat)
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
