//! Pure: what is captured of a page by itself, and how: the options `track` and `tracking`.

use super::{Page, host_of};
use crate::fault::{Fault, Reason};
use crate::settings::{boolean, each, own_path, string, strings};

/// What can be tracked, by the names of the modules that do.
const KINDS: [&str; 6] = ["pageViews", "clicks", "forms", "engagement", "errors", "webVitals"];
/// What has a place of the site's own choice in the schema.
const PATHS: [&str; 5] = ["restored", "forms", "engagement", "errors", "webVitals"];

/// `tracking`: how it is captured.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Source of a JavaScript regular expression: links that it matches are downloads.
    pub download_link_qualifier: Option<String>,
    /// The site's other hosts; what is below them is the site's, too.
    pub internal_domains: Vec<String>,
    /// Whether another fragment is another page.
    pub hash_routes: bool,
    paths: Vec<(&'static str, String)>,
}

impl Options {
    /// Reads the option.
    ///
    /// # Errors
    /// A part that is unknown or of the wrong kind.
    pub fn parse(raw: &str) -> Result<Options, Fault> {
        let mut options = Options::default();
        each(raw, |key, raw| {
            match key {
                "downloadLinkQualifier" => options.download_link_qualifier = Some(string(raw)?),
                "internalDomains" => {
                    options.internal_domains = strings(raw)?;
                    if let Some(index) = options.internal_domains.iter().position(|host| !is_domain(host)) {
                        return Err(Fault::new(Reason::NotAHost).in_index(index));
                    }
                }
                "hashRoutes" => options.hash_routes = boolean(raw)?,
                "paths" => each(raw, |key, raw| {
                    let name = known(&PATHS, key).ok_or(Reason::UnknownOption)?;
                    options.paths.push((name, own_path(raw)?));
                    Ok(())
                })?,
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;
        Ok(options)
    }

    /// Asks the page whether the qualifier is a regular expression.
    ///
    /// # Errors
    /// It does not compile, or finds something in no text.
    pub fn check(&self, page: &dyn Page) -> Result<(), Fault> {
        let qualifier = self.download_link_qualifier.as_deref();
        if qualifier.is_some_and(|pattern| page.replace("", pattern, "x").as_deref() != Some("")) {
            return Err(Fault::at(Reason::NotAPattern, "downloadLinkQualifier"));
        }
        Ok(())
    }

    /// Whether a host is the site's: that of the `page`, or one of `internal_domains` or below it. Capitals do not
    /// count, nor does the dot of the root.
    pub fn is_internal(&self, host: &str, page: &str) -> bool {
        let host = without_root(host);
        let has = |domain: &String| {
            let front = host.len().checked_sub(domain.len());
            front.is_some_and(|front| {
                let ends = host.get(front..).is_some_and(|end| end.eq_ignore_ascii_case(domain));
                ends && (front == 0 || host.as_bytes().get(front - 1) == Some(&b'.'))
            })
        };
        host == without_root(host_of(page)) || self.internal_domains.iter().any(has)
    }

    /// Where in the schema the site wants this; `None` where it does not.
    pub fn path(&self, name: &str) -> Option<&str> {
        self.paths.iter().find(|(known, _)| *known == name).map(|(_, path)| path.as_str())
    }
}

/// Reads `track`: the names of what is to be captured, parted by spaces.
///
/// # Errors
/// It is no array, or an element is not one of the names.
pub fn kinds(raw: &str) -> Result<String, Fault> {
    let mut kinds = String::new();
    for (index, name) in strings(raw)?.iter().enumerate() {
        let kind = known(&KINDS, name).ok_or_else(|| Fault::new(Reason::NotTracked).in_index(index))?;
        if !kinds.split(' ').any(|known| known == kind) {
            if !kinds.is_empty() {
                kinds.push(' ');
            }
            kinds.push_str(kind);
        }
    }
    Ok(kinds)
}

fn known(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

fn without_root(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Letters, digits and hyphens, in parts.
fn is_domain(host: &str) -> bool {
    let fits = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(fits)
}
