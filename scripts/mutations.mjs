// `npm run mutations`: whether the simulation of the delivery engine would notice. Puts one fault at a
// time into a copy of the crate, lives some thousand lives with it, and says which invariant caught it.
// A fault that nothing catches ends it with 1.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, StepError, step, total } from "./steps.mjs";

const LIVES = process.env.LIVES || "2000";
const RUN_TIMEOUT_MS = 900_000;
/** The longest report of a failing life, with room to spare. */
const MOST_OUTPUT_BYTES = 64 << 20;
const scratch = join(root, "target/mutations");
const crate = join(scratch, "crate");
const SIMULATION = ["test", "-p", "xdm-beacon", "--test", "simulation"];
const ENGINE = "src/delivery/engine";

/** Each edit puts `to` in the place of `from`, which must be there once. */
const MUTATIONS = [
  {
    name: "sizes counted in UTF-16",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "            let size = item.json.len();\n            let first",
        to: "            let size = item.json.encode_utf16().count();\n            let first",
      },
      {
        file: `${ENGINE}/sending.rs`,
        from: "if transport == Transport::Fetch { 0 } else { body.len() }",
        to: "if transport == Transport::Fetch { 0 } else { body.encode_utf16().count() }",
      },
    ],
  },
  {
    name: "a new _id on retry",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "            change(item);\n            item.failed = true;",
        to: '            change(item);\n            item.json = item.json.replace("\\"_id\\":\\"", "\\"_id\\":\\"again-");\n            item.failed = true;',
      },
    ],
  },
  {
    name: "delete before the answer",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "                item.seat = seat;",
        to: "                item.seat = seat;\n                self.deletes.extend(item.copy.clone());",
      },
    ],
  },
  {
    name: "accepted items of a 207 sent again",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "                ItemAnswer::Accepted => self.deliver(item, fx),",
        to: "                ItemAnswer::Accepted if status == 207 => again.push((item, usize::MAX)),\n                ItemAnswer::Accepted => self.deliver(item, fx),",
      },
    ],
  },
  {
    name: "the keepalive budget not given back",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "self.document.keepalive_used().saturating_sub(bytes)",
        to: "self.document.keepalive_used().max(bytes)",
      },
    ],
  },
  {
    name: "a stamp that never expires",
    edits: [
      {
        file: "src/delivery/stamp.rs",
        from: "|age| (0..=HOLDS_MS).contains(age)",
        to: "|age| *age >= 0",
      },
    ],
  },
  {
    name: "records taken from pages that live",
    edits: [
      {
        file: `${ENGINE}/outbox.rs`,
        from: "owner != self.owner && !live.iter().any(|name| name == owner)",
        to: "owner != self.owner && !live.is_empty()",
      },
    ],
  },
  {
    name: "sending while consent is pending",
    edits: [
      {
        file: `${ENGINE}/mod.rs`,
        from: "                item.place = Place::Pending;\n",
        to: "",
      },
      {
        file: `${ENGINE}/sending.rs`,
        from: "self.consent == Consent::In && self.online",
        to: "self.consent != Consent::Out && self.online",
      },
    ],
  },
  {
    name: "Retry-After ignored",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "self.fail(now, retry_after(header, server_now), fx);",
        to: "self.fail(now, retry_after(header, server_now).filter(|_| false), fx);",
      },
    ],
  },
  {
    name: "the leave pass leaving out of the hand-off what is in flight",
    edits: [
      {
        file: `${ENGINE}/outbox.rs`,
        from: "wants_copy(item, self.config.mode, self.consent) && !item.is_safe();",
        to: "wants_copy(item, self.config.mode, self.consent) && !item.is_safe() && !matches!(item.place, Place::Flying(_));",
      },
    ],
  },
  {
    name: "the leave pass not counting as handed over what is in flight",
    edits: [
      {
        file: `${ENGINE}/leaving.rs`,
        from: "            item.trusted = self.config.mode == Mode::Balanced\n                && lasting",
        to: "            item.trusted = item.trusted\n                && lasting",
      },
    ],
  },
  {
    name: "a halved batch losing its tail",
    edits: [
      {
        file: `${ENGINE}/sending.rs`,
        from: "                    _ if count > 1 => {\n",
        to: "                    _ if count > 1 => {\n                        let half = |item: &Item| item.place == flying && item.seat >= count / 2;\n                        for item in self.take_where(half) {\n                            self.give_up(item, fx);\n                        }\n",
      },
    ],
  },
];

/** Copies what the simulation is built from, as it is. */
function copy() {
  rmSync(crate, { recursive: true, force: true });
  mkdirSync(join(crate, "tests"), { recursive: true });
  for (const path of ["Cargo.lock", "src", "tests/simulation"]) {
    cpSync(join(root, path), join(crate, path), { recursive: true });
  }
  const manifest = readFileSync(join(root, "Cargo.toml"), "utf8");
  writeFileSync(join(crate, "Cargo.toml"), replaced(manifest, 'members = ["inlet"]', "", "Cargo.toml"));
}

function replaced(text, from, to, file) {
  const parts = text.split(from);
  if (parts.length !== 2) {
    throw new StepError(
      `${file} holds this ${parts.length - 1} times, not once:\n${from}`,
      "fit the mutation in scripts/mutations.mjs to the code as it is now",
    );
  }
  return parts.join(to);
}

/** Lives the lives; the invariants that were violated, as `[name, lives]`. */
async function live() {
  const env = { CARGO_TARGET_DIR: join(scratch, "build"), XDM_KEEP_GOING: "1", XDM_LIVES: LIVES };
  // A mutation that does not compile must not count as caught.
  await run("cargo", [...SIMULATION, "--no-run"], { cwd: crate, env, timeoutMs: RUN_TIMEOUT_MS });
  const { failed, output } = await new Promise((resolve) => {
    const options = {
      cwd: crate,
      env: { ...process.env, ...env },
      maxBuffer: MOST_OUTPUT_BYTES,
      timeout: RUN_TIMEOUT_MS,
    };
    execFile("cargo", [...SIMULATION, "--", "--nocapture"], options, (error, stdout, stderr) =>
      resolve({ failed: error !== null, output: stdout + stderr }),
    );
  });
  const caught = [...output.matchAll(/^ {2}(\w+): (\d+) lives, XDM_SEED of /gm)].map((found) => [
    found[1],
    Number(found[2]),
  ]);
  if (failed !== caught.length > 0) {
    throw new StepError(`the simulation ended without a verdict:\n${output.slice(-3_000)}`);
  }
  return caught.sort(([, one], [, other]) => other - one);
}

await step(`live ${LIVES} lives of the engine as it is`, {
  run: async () => {
    copy();
    const caught = await live();
    if (caught.length > 0) {
      throw new StepError(
        `it violates ${caught.map(([name]) => name).join(", ")}`,
        "run 'cargo test --test simulation' and mend what it shows first",
      );
    }
  },
});
const rows = [];
for (const { name, edits } of MUTATIONS) {
  await step(name, {
    run: async () => {
      copy();
      for (const { file, from, to } of edits) {
        const path = join(crate, file);
        writeFileSync(path, replaced(readFileSync(path, "utf8"), from, to, file));
      }
      rows.push([name, await live()]);
    },
  });
}

const width = Math.max(...MUTATIONS.map(({ name }) => name.length));
const by = (caught) => caught.map(([invariant, lives]) => `${invariant} (${lives})`).join(", ");
console.log(`
Caught by, in how many of ${LIVES} lives:
${rows.map(([name, caught]) => `  ${name.padEnd(width)}  ${by(caught) || "NOTHING"}`).join("\n")}
`);
const survivors = rows.filter(([, caught]) => caught.length === 0).map(([name]) => name);
if (survivors.length > 0) {
  console.error(`Nothing catches: ${survivors.join("; ")}. Sharpen tests/simulation.`);
  process.exit(1);
}
total(`All ${rows.length} mutations are caught`);
