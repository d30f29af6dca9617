// The commands as a page calls them: bad input that only JavaScript can pass (the native tests have the table of
// what is bad in JSON), profile records, what the library tells of itself, and when it talks.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openHost, openSuite, optionsFor, page as pageWith } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();

async function openConfigured(options) {
  const host = await openHost(browser);
  await host.page.goto(stage.put("/commands.html", pageWith(optionsFor(inlet.origin, options))));
  return host;
}

/** Command and options, as expressions of the page; code, and what the message starts with after the name. */
const REFUSED = [
  ["undefined", "undefined", "unknown-command", "'undefined' is not a command"],
  ["null", "{}", "unknown-command", "'null' is not a command"],
  ["Symbol('sendEvent')", "{}", "unknown-command", "'Symbol(sendEvent)' is not a command"],
  ["['sendEvents']", "{}", "unknown-command", "'sendEvents' is not a command"],
  ["() => 1", "{}", "unknown-command", "'() => 1' is not a command"],
  ["'sendEvent'", "Symbol('s').description", "not-an-object", "'options' must be an object"],
  ["'sendEvent'", "7n", "not-json", "'options' cannot be turned into JSON: pass plain data (TypeError"],
  ["'sendEvent'", "new Date(0)", "not-an-object", "'options' must be an object"],
  ["'sendEvent'", "[]", "not-an-object", "'options' must be an object"],
  ["'sendEvent'", "null", "not-an-object", "'options' must be an object"],
  ["'sendEvent'", "{ xdm: new Date(0) }", "not-an-object", "'xdm' must be an object"],
  ["'sendEvent'", "{ xdm: new String('a') }", "not-an-object", "'xdm' must be an object"],
  ["'sendEvent'", "{ xdm: [{}] }", "not-an-object", "'xdm' must be an object"],
  ["'sendEvent'", "{ timestamp: Date.now() }", "not-a-string", "'timestamp' must be a string"],
  ["'sendEvent'", "{ timestamp: new Date(9e14) }", "not-a-timestamp", "'timestamp' must be a time like"],
  [
    "'sendEvent'",
    "{ timestamp: new Date(0).toString() }",
    "not-a-timestamp",
    "'timestamp' must be a time like",
  ],
  [
    "'sendEvent'",
    "{ type: new URL('https://a.example'), xdm: 1n }",
    "not-json",
    "'xdm' cannot be turned into JSON",
  ],
  ["'sendEvent'", "{ type: { toJSON: () => 5 } }", "not-a-string", "'type' must be a string"],
  [
    "'sendEvent'",
    "{ documentUnloading: new String('true') }",
    "not-a-boolean",
    "'documentUnloading' must be true or",
  ],
  ["'sendEvent'", "{ schema: new Map([['id', 's']]) }", "missing", "'schema.id' is required"],
  [
    "'sendEvent'",
    "{ identityMap: { CRM: [{ id: 7 }] } }",
    "not-a-string",
    "'identityMap.CRM[0].id' must be a string",
  ],
  [
    "'sendEvent'",
    "{ identityMap: { CRM: [{ id: NaN }] } }",
    "not-a-string",
    "'identityMap.CRM[0].id' must be a string",
  ],
  [
    "'sendEvent'",
    "{ identityMap: { CRM: [new Set(['a'])] } }",
    "missing",
    "'identityMap.CRM[0].id' is required",
  ],
  ["'sendEvent'", "{ mapping: 'a.b' }", "not-an-object", "'mapping' must be an object"],
  ["'sendProfile'", "undefined", "missing", "'xdm' is required"],
  ["'sendProfile'", "{ xdm: document.body, mapping: new Map([['a', 1]]) }", "missing", "'xdm' is required"],
  [
    "'sendProfile'",
    "{ xdm: { person: { name: { firstName: 'Ada' } } } }",
    "no-identity",
    "'identityMap' is required, since a record belongs to somebody",
  ],
  ["'sendProfile'", "{ timestamp: new Date(0) }", "unknown-option", "'timestamp' is not an option"],
  [
    "'flush'",
    "{ timeout: Infinity }",
    "not-milliseconds",
    "'timeout' must be a whole number of milliseconds",
  ],
  ["'flush'", "{ timeout: 0.5 }", "not-milliseconds", "'timeout' must be a whole number of milliseconds"],
  ["'flush'", "{ timeout: 2 ** 31 }", "not-milliseconds", "'timeout' must be a whole number of milliseconds"],
  ["'setDebug'", "undefined", "not-an-object", "'options' must be an object"],
  ["'setDebug'", "{ enabled: () => true }", "missing", "'enabled' is required"],
  ["'setDebug'", "{ enabled: 1 }", "not-a-boolean", "'enabled' must be true or false"],
  ["'getStatus'", "{ verbose: true }", "unknown-option", "'verbose' is not an option of this version"],
  ["'configure'", "undefined", "configured-twice", "'configure' may only be configured once"],
];

/** The same of `configure` in a page that is not configured yet, over options that are right. */
const REFUSED_CONFIGURE = [
  [
    "{ endpoint: new URL('http://example.com/collection/a') }",
    "not-https",
    "'endpoint' must start with https://",
  ],
  ["{ endpoint: location }", "not-a-string", "'endpoint' must be a string"],
  ["{ endpoint: '//' + location.host + '/collection/a' }", "not-a-url", "'endpoint' must be a whole URL"],
  ["{ onBeforeLinkClick() {} }", "unknown-option", "'onBeforeLinkClick' is not an option of this version"],
  ["{ schema: { id: 's', of: () => 1 } }", "unknown-option", "'schema.of' is not an option of this version"],
  ["{ debug: () => true }", "not-a-boolean", "'debug' must be true or false"],
  ["{ schema: document.body }", "missing", "'schema.id' is required"],
  ["{ context: new Set(['web']) }", "not-an-array", "'context' must be an array"],
  ["{ context: ['web', , 'device'] }", "not-a-context", "'context[1]' must be \"web\""],
  ["{ debug: new Boolean(false), orgId: 1n }", "not-json", "'orgId' cannot be turned into JSON"],
  ["{ orgId: undefined }", "missing", "'orgId' is required"],
];

const assertRefusal = (told, code, start) => {
  assert.equal(told.code, code, JSON.stringify(told));
  assert.equal(told.message.slice(0, `xdmBeacon: ${start}`.length), `xdmBeacon: ${start}`);
};

describe("bad input", () => {
  let host, unconfigured;

  before(async () => {
    host = await openConfigured();
    unconfigured = await openHost(browser);
    await unconfigured.page.goto(stage.put("/unconfigured.html", pageWith(null)));
  });
  after(async () => {
    await host?.context.close();
    await unconfigured?.context.close();
  });

  for (const [command, options, code, start] of REFUSED) {
    test(`${command} of ${options}`, async () => {
      const told = await host.page.evaluate(`outcome(xdmBeacon(${command}, ${options}))`);
      assertRefusal(told, code, start);
    });
  }

  for (const [options, code, start] of REFUSED_CONFIGURE) {
    test(`configure with ${options}`, async () => {
      const right = JSON.stringify(optionsFor(inlet.origin));
      const told = await unconfigured.callWith("configure", `{ ...${right}, ...${options} }`);
      assertRefusal(told, code, start);
    });
  }

  test("none of it was counted, arrived or was heard", async () => {
    const { value: status } = await host.call("getStatus");
    assert.equal(status.accepted, 0);
    assert.equal((await host.call("sendEvent")).value.status, "delivered");
    assert.equal((await inlet.counts()).received, 1);
    assert.deepEqual(await host.heard(), []);
    assert.deepEqual(await unconfigured.heard(), []);
  });
});

test("nobody has to ask for the outcome of what fails", async () => {
  const host = await openConfigured();
  await host.page.evaluate(() => {
    xdmBeacon("nonsense");
    xdmBeacon("sendEvent", { xdm: 1n });
  });
  await host.call("getStatus");
  // A rejection that nobody handles is reported once the task is over.
  await host.page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a profile record lands in its dataset as it is, and names another if told so", async () => {
  const host = await openConfigured();
  const { profile } = optionsFor(inlet.origin);
  const xdm = {
    person: { name: { firstName: "Grace" } },
    identityMap: { Email: [{ id: "grace@example.com", primary: true }] },
  };
  const mapping = { "person.name.lastName": "Hopper", "person.name.firstName": "overruled" };
  const whole = { ...xdm, person: { name: { lastName: "Hopper", firstName: "Grace" } } };
  assert.deepEqual(await host.call("sendProfile", { xdm, mapping }), { value: { status: "delivered" } });
  const [row] = await inlet.good(`&datasetId=${profile.datasetId}`);
  assert.deepEqual(row.message.header.schemaRef.id, profile.schema.id);
  assert.deepEqual(row.message.body.xdmEntity, whole);
  const merged = await inlet.get("/profiles?namespace=Email&id=grace@example.com");
  assert.deepEqual(merged.record.person, whole.person);

  const datasetId = "65f1a2b3c4d5e6f708192a3e";
  await host.call("sendProfile", { xdm, datasetId });
  const [other] = await inlet.good(`&datasetId=${datasetId}`);
  assert.deepEqual(other.message.body.xdmEntity, xdm);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();

  const bare = await openConfigured({ profile: undefined });
  const refusal = await bare.call("sendProfile", { xdm });
  assert.equal(refusal.code, "no-profile-dataset");
  assert.match(refusal.message, /^xdmBeacon: 'datasetId' is required/);
  const told = { xdm, datasetId: profile.datasetId, schema: profile.schema };
  assert.deepEqual(await bare.call("sendProfile", told), { value: { status: "delivered" } });
  await bare.context.close();
});

test("the library tells what it is and how it was configured", async () => {
  const host = await openConfigured({ context: ["web"] });
  const { value } = await host.call("getLibraryInfo");
  assert.deepEqual(value, {
    name: "xdm-beacon",
    version: "0.1.0",
    commands: [
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
    ],
    engine: "wasm",
    configuration: optionsFor(inlet.origin, { context: ["web"] }),
  });
  // What the page does to the answer is its own business.
  await host.page.evaluate(async () => {
    (await xdmBeacon("getLibraryInfo")).configuration.endpoint = "changed";
  });
  assert.deepEqual((await host.call("getLibraryInfo")).value, value);
  await host.context.close();
});

test("the library talks while debug is on, and then alone", async () => {
  const host = await openConfigured();
  const large = { xdm: { web: { webPageDetails: { name: "x".repeat(10_000) } } } };
  const provoke = async () => {
    await host.call("nonsense");
    await host.call("sendEvent", large);
    await host.call("getStatus");
  };
  await provoke();
  assert.deepEqual(await host.heard(), []);

  assert.deepEqual(await host.call("setDebug", { enabled: true }), { value: {} });
  await provoke();
  const heard = await host.heard();
  assert.equal(heard.length, 2, heard.join("\n"));
  assert.match(heard[0], /^console\.warn: xdmBeacon: 'nonsense' is not a command/);
  assert.match(
    heard[1],
    /^console\.warn: xdmBeacon: the entity has \d+ bytes; Real-Time Customer Profile drops it/,
  );

  assert.deepEqual(await host.call("setDebug", { enabled: false }), { value: {} });
  await provoke();
  assert.deepEqual(await host.heard(), heard);
  await host.context.close();
});

test("a console that throws harms nobody", async () => {
  const host = await openConfigured({ debug: true });
  await host.page.evaluate(() => {
    console.warn = () => {
      throw new Error("mine");
    };
  });
  assert.equal((await host.call("nonsense")).code, "unknown-command");
  assert.equal((await host.call("sendEvent")).value.status, "delivered");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("only a time more than a minute ahead of the endpoint's clock is put back", async () => {
  const host = await openConfigured({ context: [] });
  // The first answer tells the endpoint's clock.
  await host.call("sendEvent");
  for (const [id, ms, stays] of [
    ["clock-30-s", 30_000, true],
    ["clock-past", -86_400_000, true],
    ["clock-2-h", 7_200_000, false],
  ]) {
    const timestamp = new Date(Date.now() + ms).toISOString();
    const { value } = await host.call("sendEvent", { xdm: { _id: id }, timestamp });
    const { message, receivedAt } = await inlet.arrived(id);
    assert.equal(message.body.xdmEntity.timestamp, value.timestamp);
    if (stays) assert.equal(value.timestamp, timestamp);
    else assert.ok(Date.parse(value.timestamp) <= receivedAt + 60_000, value.timestamp);
  }
  const { value: status } = await host.call("getStatus");
  assert.equal(status.timestampsCorrected, 1);
  await host.context.close();
});
