//! The command line.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

const DEMO_ORG: &str = "0A1B2C3D4E5F60718293A4B5@AdobeOrg";
/// Where `npm run build` puts the inspector.
const BUILT_INSPECTOR: &str = "dist/inspector";

const HELP: &str = "\
xdm-inlet: a local streaming endpoint for XDM messages

  --listen HOST:PORT  where to listen [127.0.0.1:8787]; port 0 takes any free one
  --data DIR          where messages are kept [./.inlet]
  --schemas DIR       a folder of schemas exported from the schema registry (*.json), besides
                      the shipped ones and DIR/schemas of --data; may be repeated; read at the
                      start, so start again after adding a file
  --www DIR           the inspector's files [./dist/inspector, if it is there]
  --inlet ID          one more inlet id; may be repeated
  --org ID            the organisation of the inlets [0A1B2C3D4E5F60718293A4B5@AdobeOrg]
  --help, --version";

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    Run(Options),
    /// Print this and leave.
    Say(String),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub listen: String,
    pub data: PathBuf,
    pub schemas: Vec<PathBuf>,
    pub www: Option<PathBuf>,
    pub inlets: Vec<String>,
    pub org: String,
}

/// What is wrong with the command line.
#[derive(Debug)]
pub enum OptionFault {
    Syntax(lexopt::Error),
    InletId(String),
}

impl fmt::Display for OptionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "{error}"),
            Self::InletId(id) => write!(
                f,
                "--inlet '{id}' must be letters, digits and hyphens, as in the last part of a \
                 streaming endpoint's URL"
            ),
        }
    }
}

impl From<lexopt::Error> for OptionFault {
    fn from(error: lexopt::Error) -> Self {
        Self::Syntax(error)
    }
}

/// Reads the command line, the program's name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, OptionFault> {
    use lexopt::prelude::{Long, Short, ValueExt};

    let built = Path::new(BUILT_INSPECTOR);
    let mut options = Options {
        listen: "127.0.0.1:8787".to_owned(),
        data: PathBuf::from(".inlet"),
        schemas: Vec::new(),
        www: built.is_dir().then(|| built.to_owned()),
        inlets: Vec::new(),
        org: DEMO_ORG.to_owned(),
    };
    let mut parser = lexopt::Parser::from_iter(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => options.listen = parser.value()?.string()?,
            Long("data") => options.data = parser.value()?.into(),
            Long("schemas") => options.schemas.push(parser.value()?.into()),
            Long("www") => options.www = Some(parser.value()?.into()),
            Long("org") => options.org = parser.value()?.string()?,
            Long("inlet") => {
                let id = parser.value()?.string()?;
                if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
                    return Err(OptionFault::InletId(id));
                }
                options.inlets.push(id);
            }
            Long("help") | Short('h') => return Ok(Command::Say(HELP.to_owned())),
            Long("version") | Short('V') => {
                return Ok(Command::Say(format!("xdm-inlet {}", env!("CARGO_PKG_VERSION"))));
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, OptionFault> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn every_option_is_read() {
        let line = "xdm-inlet --listen [::1]:0 --data d --schemas a --schemas=b --www w --inlet A-1 --inlet b2 --org O@AdobeOrg";
        let Ok(Command::Run(options)) = parsed(line) else {
            panic!("not read");
        };
        let expected = Options {
            listen: "[::1]:0".to_owned(),
            data: "d".into(),
            schemas: vec!["a".into(), "b".into()],
            www: Some("w".into()),
            inlets: vec!["A-1".to_owned(), "b2".to_owned()],
            org: "O@AdobeOrg".to_owned(),
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        let cases = [
            ("xdm-inlet --port 1", "invalid option '--port'"),
            ("xdm-inlet --data", "missing argument for option '--data'"),
            ("xdm-inlet --inlet a/b", "--inlet 'a/b' must be letters"),
        ];
        for (line, expected) in cases {
            let message = parsed(line).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{line}: {message}");
        }
    }

    #[test]
    fn help_and_version() {
        assert!(matches!(parsed("xdm-inlet --help"), Ok(Command::Say(text)) if text.contains("--listen")));
        assert!(matches!(parsed("xdm-inlet -V"), Ok(Command::Say(text)) if text.starts_with("xdm-inlet ")));
    }
}
