//! The endpoint: what it does with a request, and what it says.

use super::check::Fault;
use super::life::{BadBatch, Ill, RetryAfter, Rng};
use xdm_beacon::delivery::Url;
use xdm_beacon::time::{Millis, rfc3339};

/// What became of one message of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Committed, and the answer says so.
    Accepted,
    /// Not committed, and never to be.
    Refused,
    /// Not committed, and the answer says so: another time.
    Later,
    /// The answer has no word on it.
    Silent,
}

/// What reaches the page.
#[derive(Clone, Debug)]
pub enum Reply {
    Response {
        status: u16,
        body: String,
        retry_after: String,
    },
    Unreachable,
    /// Nothing, ever.
    Nothing,
}

/// What the server does with a request.
pub struct Decision {
    pub reply: Reply,
    /// How much longer than usual the answer takes.
    pub delay: Millis,
    /// One per message: whether it is committed, and what the answer says of it.
    pub items: Vec<(bool, Verdict)>,
    pub faults: Vec<Fault>,
}

/// What the server has to know of a message.
#[derive(Clone, Copy)]
pub struct Arrival {
    pub bad: bool,
    pub poison: bool,
}

/// No single request may be larger (the streaming API's limit).
const MAX_BODY: usize = 1_000_000;

/// A request as it arrives.
pub struct Post<'a> {
    pub url: Url,
    pub bytes: usize,
    pub messages: &'a [Arrival],
    /// Since the life began.
    pub now: Millis,
    /// The server's own clock, which never jumps.
    pub clock: Millis,
}

#[derive(Default)]
pub struct Server {
    ills: Vec<(Millis, Ill)>,
    requests: u64,
}

impl Server {
    pub fn falls_ill(&mut self, ill: Ill, until: Millis) {
        self.ills.push((until, ill));
    }

    pub fn heal(&mut self) {
        self.ills.clear();
    }

    pub fn decide(&mut self, post: &Post<'_>, bad_batch: BadBatch, rng: &mut Rng) -> Decision {
        let &Post { url, bytes, messages, now, clock } = post;
        self.requests += 1;
        self.ills.retain(|(until, _)| *until > now);
        let count = messages.len();
        let all = |committed, verdict| vec![(committed, verdict); count];
        let mut decision =
            Decision { reply: Reply::Nothing, delay: 0, items: Vec::new(), faults: Vec::new() };
        let (mut lose_after, mut mixture) = (false, (0, 0, 0));
        let mut limit = MAX_BODY;
        for (_, ill) in &self.ills {
            match *ill {
                Ill::Status(status, retry_after) => {
                    let header = match retry_after {
                        RetryAfter::No | RetryAfter::Hidden => String::new(),
                        RetryAfter::Seconds(seconds) => seconds.to_string(),
                        RetryAfter::Date(seconds) => http_date(clock + Millis::from(seconds) * 1000),
                    };
                    decision.faults.push(match (status, retry_after) {
                        (408, _) => Fault::Status408,
                        (429, _) => Fault::Status429,
                        (500, _) => Fault::Status500,
                        (_, RetryAfter::Seconds(_)) => Fault::RetryAfterSeconds,
                        (_, RetryAfter::Date(_)) => Fault::RetryAfterDate,
                        (_, RetryAfter::No | RetryAfter::Hidden) => Fault::Unavailable,
                    });
                    decision.reply = response(status, problem(status), header);
                    decision.items = all(false, Verdict::Later);
                    return decision;
                }
                Ill::NoCors => {
                    decision.faults.push(Fault::NoCors);
                    decision.reply = Reply::Unreachable;
                    decision.items = all(false, Verdict::Silent);
                    return decision;
                }
                Ill::LosesBefore(share) if rng.chance(share) => {
                    decision.faults.push(Fault::LostBefore);
                    decision.reply = if rng.chance(700) { Reply::Unreachable } else { Reply::Nothing };
                    decision.items = all(false, Verdict::Silent);
                    return decision;
                }
                Ill::LosesAfter(share) if rng.chance(share) => lose_after = true,
                Ill::Slow(share) if rng.chance(share) => {
                    decision.delay = rng.between(3_000, 40_000);
                }
                Ill::Mixture { refused, retryable, missing } => mixture = (refused, retryable, missing),
                Ill::Small(bytes) => limit = limit.min(bytes),
                Ill::LosesBefore(_) | Ill::LosesAfter(_) | Ill::Slow(_) => {}
            }
        }
        if messages.iter().any(|message| message.poison) {
            decision.faults.push(Fault::Poison);
            decision.reply = Reply::Unreachable;
            decision.items = all(false, Verdict::Silent);
            return decision;
        }
        if bytes > limit {
            decision.faults.push(Fault::TooLarge);
            decision.reply = response(413, problem(413), String::new());
            // A batch may be halved; a single message never gets smaller.
            decision.items = all(false, if count > 1 { Verdict::Later } else { Verdict::Refused });
            return decision;
        }
        let bad = messages.iter().any(|message| message.bad);
        match url {
            Url::Single if bad => {
                decision.faults.push(Fault::BadSingle);
                decision.reply = response(400, problem(400), String::new());
                decision.items = all(false, Verdict::Refused);
            }
            Url::Batch if bad && bad_batch == BadBatch::Unreadable => {
                decision.faults.push(Fault::BadBatchUnreadable);
                decision.reply = Reply::Unreachable;
                decision.items = all(false, Verdict::Silent);
            }
            Url::Batch if bad && bad_batch == BadBatch::Whole => {
                decision.faults.push(Fault::BadBatchRefused);
                decision.reply = response(400, problem(400), String::new());
                decision.items = all(false, Verdict::Later);
            }
            Url::Single => {
                decision.items = all(true, Verdict::Accepted);
                let body = format!(
                    "{{\"inletId\":\"i\",\"xactionId\":\"1:{}\",\"receivedTimeMs\":{clock}}}",
                    self.requests
                );
                decision.reply = response(200, body, String::new());
            }
            Url::Batch => self.batch(messages, mixture, clock, rng, &mut decision),
        }
        if lose_after {
            decision.faults.push(Fault::LostAfter);
            decision.reply = if rng.chance(500) { Reply::Unreachable } else { Reply::Nothing };
            for item in &mut decision.items {
                item.1 = Verdict::Silent;
            }
        }
        decision
    }

    fn batch(
        &self,
        messages: &[Arrival],
        (refused, retryable, missing): (u64, u64, u64),
        clock: Millis,
        rng: &mut Rng,
        decision: &mut Decision,
    ) {
        let batch_id = format!("1565:{}", self.requests);
        let mut items = Vec::new();
        // All samples number accepted items; refused ones carry a number in one of two dialects.
        let dialect = rng.below(2);
        for (number, message) in messages.iter().enumerate() {
            let refusal = |status: u16| match dialect {
                0 => format!(
                    "{{\"xactionId\":\"{batch_id}:{number}\",\"statusCode\":{status},\"message\":\"no\"}}"
                ),
                _ => format!(
                    "{{\"xactionId\":\"9341f8eb-77-{number}\",\"status\":{status},\"message\":\"no\"}}"
                ),
            };
            if message.bad || rng.chance(refused) {
                decision.faults.push(Fault::ItemRefused);
                decision.items.push((false, Verdict::Refused));
                items.push(refusal(400));
            } else if rng.chance(retryable) {
                decision.faults.push(Fault::ItemRetryable);
                decision.items.push((false, Verdict::Later));
                items.push(refusal(503));
            } else if rng.chance(missing) {
                decision.faults.push(Fault::ItemMissing);
                decision.items.push((rng.chance(500), Verdict::Silent));
            } else {
                decision.items.push((true, Verdict::Accepted));
                items.push(format!("{{\"xactionId\":\"{batch_id}:{number}\"}}"));
            }
        }
        let body = format!(
            "{{\"inletId\":\"i\",\"batchId\":\"{batch_id}\",\"receivedTimeMs\":{clock},\"responses\":[{}]}}",
            items.join(",")
        );
        decision.reply = response(207, body, String::new());
    }
}

fn response(status: u16, body: String, retry_after: String) -> Reply {
    Reply::Response { status, body, retry_after }
}

fn problem(status: u16) -> String {
    format!("{{\"status\":{status},\"title\":\"Trouble\",\"report\":{{\"message\":\"no\"}}}}")
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn http_date(ms: Millis) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let text = rfc3339(ms);
    let month: usize = text[5..7].parse().expect("a month has two digits");
    let day = DAYS[ms.div_euclid(86_400_000).rem_euclid(7) as usize];
    format!("{day}, {} {} {} {} GMT", &text[8..10], MONTHS[month - 1], &text[0..4], &text[11..19])
}
