//! `xdm-inlet`: a local streaming endpoint with the verdicts of Adobe Experience Platform's
//! collection API, for development, tests and CI.
//!
//! A request's way: [`routes`] reads it, [`verdict`] judges it by [`schemas`] and [`profile`],
//! [`store`] commits it, and only then it is answered; [`inspect`] shows what arrived, with
//! [`read`]; [`faults`] makes it fail on demand; [`files`] holds the inspector's pages.

mod faults;
mod field_groups;
mod files;
mod inspect;
mod options;
mod profile;
mod read;
mod routes;
mod schemas;
mod serve;
mod store;
mod verdict;

use std::process::ExitCode;

use options::{Command, Options};
use routes::{App, Parts};
use schemas::Schemas;
use store::{Dataset, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The inlet that the demo pages stream to.
const DEMO_INLET: &str = "d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";
/// `id`, `name` and schema of the datasets that are there from the start.
const DEMO_DATASETS: [(&str, &str, &str); 2] = [
    ("65f1a2b3c4d5e6f708192a3b", "Web events", "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent"),
    ("65f1a2b3c4d5e6f708192a3c", "Profile records", "https://ns.adobe.com/xdmbeacon/schemas/profile-record"),
];
const DEMO_CONTENT_TYPE: &str = "application/vnd.adobe.xed-full+json;version=1";

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os()) {
        Ok(Command::Run(options)) => options,
        Ok(Command::Say(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("xdm-inlet: {error}; see xdm-inlet --help");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xdm-inlet: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until it is told to stop; an error is one line that names the remedy.
fn run(options: Options) -> Result<(), String> {
    let schemas = load_schemas(&options)?;
    let (store, writer) = Store::open(&options.data, &demo_datasets()).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let outcome = runtime.block_on(async {
        let taken = |error| {
            format!(
                "cannot listen on {}: {error}; choose another address with --listen HOST:PORT \
                 (port 0 takes any free one)",
                options.listen
            )
        };
        let listener = TcpListener::bind(&options.listen).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        let (stopping, stop) = watch::channel(false);
        let mut inlets = options.inlets;
        inlets.push(DEMO_INLET.to_owned());
        let app = App::new(Parts {
            store,
            schemas,
            inlets,
            org: options.org,
            port: address.port(),
            www: options.www,
            stop,
        });
        println!("xdm-inlet listening on http://{address}");
        serve::serve(listener, app, stopping).await
    });
    // Dropping the runtime drops what is left of the store's handles, which ends the writer.
    drop(runtime);
    writer.finish();
    outcome
}

fn demo_datasets() -> Vec<Dataset> {
    let dataset = |(id, name, schema): (&str, &str, &str)| Dataset {
        id: id.to_owned(),
        name: name.to_owned(),
        schema_id: schema.to_owned(),
        content_type: DEMO_CONTENT_TYPE.to_owned(),
        profile: true,
        identity: true,
    };
    DEMO_DATASETS.map(dataset).into()
}

/// The shipped schemas and those of the folders; a file that is none is reported and left out.
fn load_schemas(options: &Options) -> Result<Schemas, String> {
    let mut schemas = Schemas::shipped().map_err(|fault| format!("a shipped schema {fault}"))?;
    let own = options.data.join("schemas");
    let own = own.is_dir().then_some(own);
    for folder in own.iter().chain(&options.schemas) {
        let faults = schemas
            .add_folder(folder)
            .map_err(|fault| format!("the schemas folder {} {fault}; see --schemas DIR", folder.display()))?;
        for (file, fault) in faults {
            eprintln!("xdm-inlet: {} is left out: it {fault}", file.display());
        }
    }
    Ok(schemas)
}
