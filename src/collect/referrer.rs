//! Where a visitor came from: when there is news of it, and of which kind the place is.

use super::track::Options;
use super::{Moment, host_of, page_of};

/// What events have told of where the visitor came from. A referrer is told with the first event, and again
/// when it is another: after a soft navigation it is the page that was left.
#[derive(Default, Debug)]
pub struct Trail {
    told: bool,
    document: String,
    page: String,
}

impl Trail {
    /// What an event at this moment has to tell: the URL of the page before, empty where there was none;
    /// `None` where earlier events have told of it, and where the event itself has no place.
    pub fn news<'a>(&'a self, moment: &'a Moment, options: &Options) -> Option<&'a str> {
        if moment.url.is_empty() {
            None
        } else if !self.told || self.document != moment.referrer {
            Some(&moment.referrer)
        } else if self.page != page_of(&moment.url, options.hash_routes) {
            Some(&self.page)
        } else {
            None
        }
    }

    /// An event of this moment is on its way.
    pub fn follow(&mut self, moment: &Moment, options: &Options) {
        if self.news(moment, options).is_some() {
            *self = Trail {
                told: true,
                document: moment.referrer.clone(),
                page: String::from(page_of(&moment.url, options.hash_routes)),
            };
        }
    }
}

/// Hosts by the kind that XDM has for them, the special before the general (Gemini and Gmail are Google's,
/// too). An entry stands for itself and its subdomains; one that ends in a dot, for it in any country. The
/// list is short on purpose, of what is used most (search engines and networks by worldwide share of visits):
/// what is not in it is `external`, and says where it came from by its URL all the same.
const KINDS: [(&str, &str); 4] = [
    (
        "conversational_ai",
        "chatgpt.com chat.openai.com gemini.google.com copilot.microsoft.com perplexity.ai claude.ai \
         chat.deepseek.com chat.mistral.ai grok.com meta.ai",
    ),
    (
        "email",
        "mail.google.com com.google.android.gm outlook.live.com outlook.office.com outlook.office365.com \
         mail.yahoo. mail.aol.com mail.proton.me mail.ru mail.qq.com mail.163.com",
    ),
    (
        "search_engine",
        "www.google. com.google.android.googlequicksearchbox bing.com duckduckgo.com search.yahoo. yandex. \
         ya.ru baidu.com ecosia.org qwant.com startpage.com search.brave.com search.naver.com \
         search.seznam.cz sogou.com",
    ),
    (
        "social",
        "facebook.com instagram.com threads.net threads.com t.co twitter.com x.com linkedin.com lnkd.in \
         com.linkedin.android pinterest. reddit.com youtube.com tiktok.com vk.com weibo.com snapchat.com \
         bsky.app t.me",
    ),
];

/// The kind of place, as `web.webReferrer.type` has it, that a visitor of `page` came from. Both are URLs.
/// Without a referrer it is `typed_bookmarked`: XDM has no other name for a visit that nothing led to.
pub fn kind(referrer: &str, page: &str, options: &Options) -> &'static str {
    if referrer.is_empty() {
        return "typed_bookmarked";
    }
    let host = host_of(referrer);
    if host.is_empty() {
        return "unknown";
    }
    if options.is_internal(host, page) {
        return "internal";
    }
    let known = KINDS.iter().find(|(_, hosts)| hosts.split(' ').any(|entry| matches(host, entry)));
    known.map_or("external", |(kind, _)| kind)
}

fn matches(host: &str, entry: &str) -> bool {
    if !entry.ends_with('.') {
        let before = host.strip_suffix(entry);
        return before.is_some_and(|before| before.is_empty() || before.ends_with('.'));
    }
    // What follows has to look like a country's suffix: `de`, `com`, `co.uk`.
    let is_short = |label: &str| matches!(label.len(), 2..=3);
    let is_country = |rest: &str| match rest.split_once('.') {
        None => is_short(rest),
        Some((second, top)) => is_short(second) && top.len() == 2,
    };
    host.match_indices(entry).any(|(at, _)| {
        let starts = at == 0 || host.as_bytes().get(at - 1) == Some(&b'.');
        starts && host.get(at + entry.len()..).is_some_and(is_country)
    })
}
