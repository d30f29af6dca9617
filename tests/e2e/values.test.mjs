// What a page can put into `xdm` and JSON cannot say: each has its stated outcome, at the caller and at the inlet,
// the same before the library is there (the base code reads the options) and after the engine is ready.
// Whatever happens, the caller's objects stay as they are, and nothing is heard on the page.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openHost, openSuite, optionsFor, page as pageWith } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();

const web = (details) => ({ web: { webPageDetails: details } });
const named = (value) => `({ xdm: { web: { webPageDetails: { name: "n", viewName: ${value} } } } })`;
const nested = (levels) => `({ xdm: JSON.parse('{"a":'.repeat(${levels}) + "1" + "}".repeat(${levels})) })`;
const NAME_ALONE = { entity: web({ name: "n" }) };
const noJson = (cause) => ({ code: "not-json", option: "xdm", text: "cannot be turned into JSON", cause });
const empty = (option) => ({ code: "empty-element", option, text: "is an empty array element" });
const unsafe = (option) => ({ code: "unsafe-key", option, text: "uses __proto__, constructor or prototype" });
const tooLarge = { code: "too-large", option: "sendEvent", text: "is larger than 1 MB" };

/**
 * Name, options of `sendEvent` as an expression, and what becomes of them: an `entity` that the inlet finds good
 * (or bad, where `verdict` says so), or the `code` of the error, the option it names and how the text goes on.
 */
const TABLE = [
  ["a cycle", "(() => { const xdm = {}; xdm.web = { xdm }; return { xdm }; })()", noJson("TypeError")],
  ["a BigInt", named("1n"), noJson("TypeError: Do not know how to serialize a BigInt")],
  ["a getter that throws", named("{ get a() { throw new Error('mine'); } }"), noJson("Error: mine")],
  ["a getter that throws a text", named("{ get a() { throw 'mine'; } }"), noJson("mine")],
  ["a getter that throws nothing", named("{ get a() { throw undefined; } }"), noJson("undefined")],
  [
    "a getter that throws options",
    named("{ get a() { throw { type: 'fooled' }; } }"),
    noJson("[object Object]"),
  ],
  ["a getter that throws a symbol", named("{ get a() { throw Symbol('mine'); } }"), noJson("")],
  ["a getter that throws an opaque object", named("{ get a() { throw Object.create(null); } }"), noJson("")],
  [
    "a toJSON that throws",
    named("{ toJSON() { throw new RangeError('mine'); } }"),
    noJson("RangeError: mine"),
  ],
  ["a proxy that was revoked", named("revoked()"), noJson("TypeError")],
  [
    "a proxy that shows no keys",
    named("new Proxy({}, { ownKeys() { throw Error('no'); } })"),
    noJson("Error: no"),
  ],
  [
    "options that show no keys",
    "new Proxy({}, { ownKeys() { throw Error('no'); } })",
    { ...noJson("Error: no"), option: "options" },
  ],
  ["options that were revoked", "revoked()", { ...noJson("TypeError"), option: "options" }],
  [
    "nesting that no stack of ours could hold",
    nested(100_000),
    { code: "too-deep", option: "xdm", text: "is nested more than 32 levels deep" },
  ],
  [
    "33 levels",
    nested(33),
    { code: "too-deep", option: `xdm${".a".repeat(32)}`, text: "is nested more than 32 levels deep" },
  ],
  [
    "100 levels",
    nested(100),
    { code: "too-deep", option: "xdm", text: "is nested more than 32 levels deep" },
  ],
  [
    "32 levels",
    nested(32),
    { verdict: "bad", entity: JSON.parse(`${'{"a":'.repeat(32)}1${"}".repeat(32)}`) },
  ],
  ["1.1 MB", named("'x'.repeat(1_100_000)"), tooLarge],
  ["0.6 million characters that are 1.2 MB", named("'é'.repeat(600_000)"), tooLarge],
  [
    "just under 1 MB",
    named("'é'.repeat(499_000)"),
    { entity: web({ name: "n", viewName: "é".repeat(499_000) }) },
  ],

  ["a DOM node", named("document.body"), NAME_ALONE],
  ["a DOM node for the whole", "({ xdm: document.body })", { entity: {} }],
  ["a function", named("() => 1"), NAME_ALONE],
  ["a class", named("class A {}"), NAME_ALONE],
  ["a symbol", named("Symbol('s')"), NAME_ALONE],
  ["a member named by a symbol", named("{ [Symbol('s')]: 1 }"), NAME_ALONE],
  ["undefined", named("undefined"), NAME_ALONE],
  ["null", named("null"), NAME_ALONE],
  ["an empty text", named("''"), NAME_ALONE],
  ["empty objects in one another", named("{ a: { b: [], c: {} } }"), NAME_ALONE],
  ["NaN", named("NaN"), NAME_ALONE],
  ["Infinity", named("-Infinity"), NAME_ALONE],
  ["a Map", named("new Map([['a', 1]])"), NAME_ALONE],
  ["a Set", named("new Set([1])"), NAME_ALONE],
  ["an ArrayBuffer", named("new ArrayBuffer(8)"), NAME_ALONE],
  ["an empty typed array", named("new Uint8Array()"), NAME_ALONE],
  ["a Promise", named("Promise.resolve(1)"), NAME_ALONE],
  ["a RegExp", named("/a/"), NAME_ALONE],
  ["inherited members", named("Object.create({ a: 1 })"), NAME_ALONE],
  ["a member that is not enumerable", named("Object.defineProperty({}, 'a', { value: 1 })"), NAME_ALONE],
  ["a Date that is none", named("new Date(NaN)"), NAME_ALONE],

  ["a Date", named("new Date(0)"), { entity: web({ name: "n", viewName: "1970-01-01T00:00:00.000Z" }) }],
  [
    "a URL",
    named("new URL('https://example.com')"),
    { entity: web({ name: "n", viewName: "https://example.com/" }) },
  ],
  ["a boxed text", named("new String('boxed')"), { entity: web({ name: "n", viewName: "boxed" }) }],
  [
    "a getter",
    named("{ get a() { return this; }, toJSON: () => 'told' }"),
    { entity: web({ name: "n", viewName: "told" }) },
  ],
  [
    "a proxy",
    "new Proxy({ xdm: new Proxy({ eventType: 'proxied' }, {}) }, {})",
    { entity: { eventType: "proxied" } },
  ],
  [
    "halves of surrogate pairs",
    named(String.raw`"a\ud800b\udc00c\ud83d\ude00\ude00\ud83d"`),
    { entity: web({ name: "n", viewName: "a\ufffdb\ufffdc😀\ufffd\ufffd" }) },
  ],
  [
    "half of a surrogate pair in a name",
    String.raw`({ xdm: { "a\ud800": 1 } })`,
    { verdict: "bad", entity: { "a\ufffd": 1 } },
  ],
  [
    "characters that need care",
    named(String.raw`"\u0000\u001f\u007f\"\\/\u2028\u2029</script>"`),
    { entity: web({ name: "n", viewName: '\u0000\u001f\u007f"\\/\u2028\u2029</script>' }) },
  ],
  [
    "numbers of every size",
    "({ xdm: { productListItems: [-0, 1e21, 5e-324, 0.1 + 0.2].map((priceTotal) => ({ SKU: 'A', priceTotal })) } })",
    {
      entity: {
        productListItems: [0, 1e21, 5e-324, 0.1 + 0.2].map((priceTotal) => ({ SKU: "A", priceTotal })),
      },
    },
  ],
  [
    "a typed array, which is an object to JSON",
    named("new Uint8Array([7, 8])"),
    { verdict: "bad", entity: web({ name: "n", viewName: { 0: 7, 1: 8 } }) },
  ],

  [
    "an array with an empty object",
    "({ xdm: { productListItems: [{ SKU: 'A' }, {}] } })",
    empty("xdm.productListItems[1]"),
  ],
  [
    "an array with a hole",
    "({ xdm: { productListItems: [, { SKU: 'A' }] } })",
    empty("xdm.productListItems[0]"),
  ],
  ["an array with a function", "({ xdm: { a: { b: [1, () => 1] } } })", empty("xdm.a.b[1]")],
  ["an array with a DOM node", "({ xdm: { a: [[document.body]] } })", empty("xdm.a[0][0]")],

  [
    "a path into __proto__",
    "({ mapping: { '__proto__.polluted': 1 } })",
    unsafe("mapping.__proto__.polluted"),
  ],
  ["a path that is __proto__", "({ mapping: { ['__proto__']: 1 } })", unsafe("mapping.__proto__")],
  ["a path into a constructor", "({ mapping: { 'a.constructor.b': 1 } })", unsafe("mapping.a.constructor.b")],
  ["a path into a prototype", "({ mapping: { 'a[0].prototype': 1 } })", unsafe("mapping.a[0].prototype")],
  [
    "xdm with a __proto__ of its own",
    `({ xdm: JSON.parse('{"__proto__": {"polluted": 1}}') })`,
    { verdict: "bad", entity: JSON.parse('{"__proto__": {"polluted": 1}}') },
  ],
];

/** Puts into the page what the cases need: `revoked()`, and `attempt(options)`. */
function prepare() {
  window.revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };

  const isPlain = (value) => [Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value));
  const isObject = (value) => typeof value === "object" && value !== null;

  function freeze(value) {
    if (!isObject(value) || Object.isFrozen(value) || !isPlain(value)) return;
    Object.freeze(value);
    for (const { value: member } of Object.values(Object.getOwnPropertyDescriptors(value))) freeze(member);
  }

  /** Every property of every object in it, without asking a getter. */
  function picture(value) {
    const parts = [value];
    const seen = new Set();
    for (const part of parts) {
      if (!isObject(part) || seen.has(part)) continue;
      seen.add(part);
      try {
        if (part instanceof Node) continue;
        parts.push(Object.getPrototypeOf(part));
        for (const key of Reflect.ownKeys(part)) {
          parts.push(key, ...Object.values(Object.getOwnPropertyDescriptor(part, key)));
        }
      } catch {
        // A proxy that nobody can look into.
      }
    }
    return parts;
  }

  window.attempt = async (options) => {
    try {
      freeze(options);
    } catch {
      // A revoked proxy cannot be frozen, nor changed.
    }
    const before = picture(options);
    const told = outcome(xdmBeacon("sendEvent", options));
    const after = picture(options);
    const unchanged =
      before.length === after.length && before.every((part, at) => Object.is(part, after[at]));
    return { ...(await told), unchanged };
  };
}

async function openPrepared(path, options) {
  const host = await openHost(browser);
  await host.context.addInitScript(prepare);
  await host.page.goto(stage.put(path, pageWith(optionsFor(inlet.origin, { context: [] }), options)));
  return host;
}

/** Of each case what the caller is told: one page where the engine runs, one where the library comes later. */
const TIMES = [
  [
    "after the engine is ready",
    async () => {
      const host = await openPrepared("/ready.html");
      await host.call("getStatus");
      return { host, attempt: (make) => host.page.evaluate(`attempt(${make})`) };
    },
  ],
  [
    "before the library is there",
    async () => {
      const host = await openPrepared("/queued.html", { sdk: null });
      await host.page.evaluate(`{ window.told = {}; }`);
      for (const [name, make] of TABLE) {
        // `void`, since a promise would be waited for.
        await host.page.evaluate(`void (told[${JSON.stringify(name)}] = attempt(${make}))`);
      }
      await host.page.addScriptTag({ url: `${stage.origin}/sdk/xdm-beacon.js` });
      return {
        host,
        attempt: (_make, name) => host.page.evaluate((name) => told[name], name),
        // The base code can name no option.
        named: { "not-json": "options" },
      };
    },
  ],
];

for (const [time, open] of TIMES) {
  describe(time, () => {
    let host, attempt, named;

    before(async () => {
      await inlet.reset();
      ({ host, attempt, named } = await open());
    });
    after(() => host?.context.close());

    for (const [name, make, { entity, verdict = "good", code, option, text, cause }] of TABLE) {
      test(name, async () => {
        const { unchanged, value, ...refusal } = await attempt(make, name);
        assert.ok(unchanged, "the caller's object was changed");
        if (code) {
          assert.deepEqual(refusal, { code, message: refusal.message });
          const start = `xdmBeacon: '${named?.[code] ?? option}' ${text}`;
          assert.equal(refusal.message.slice(0, start.length), start);
          // The base code keeps the words alone.
          if (cause && !named) assert.ok(refusal.message.includes(`(${cause}`), refusal.message);
          return;
        }
        assert.deepEqual(refusal, {});
        assert.equal(value.status, "delivered");
        const row = await inlet.arrived(value.id);
        const { _id, timestamp, ...own } = row.message.body.xdmEntity;
        assert.deepEqual({ _id, timestamp }, { _id: value.id, timestamp: value.timestamp });
        assert.deepEqual(own, entity);
        assert.equal(row.verdict, verdict);
      });
    }

    test("that was all, and nobody heard of it", async () => {
      const accepted = TABLE.filter(([, , { entity }]) => entity).length;
      const { received } = await inlet.counts();
      const { value: status } = await host.call("getStatus");
      assert.deepEqual(
        { received, accepted: status.accepted, delivered: status.delivered },
        { received: accepted, accepted, delivered: accepted },
      );
      assert.equal(await host.page.evaluate(() => ({}).polluted), undefined);
      assert.deepEqual(await host.heard(), []);
    });

    test("what the page changes after the call is not sent", async () => {
      const { value } = await host.page.evaluate(() => {
        const options = {
          type: "before",
          timestamp: new Date(86_400_000),
          xdm: { web: { webPageDetails: { name: "before" } }, productListItems: [{ SKU: "before" }] },
          mapping: { "web.webPageDetails.siteSection": "before" },
          identityMap: { Email: [{ id: "before@example.com" }] },
        };
        const told = outcome(xdmBeacon("sendEvent", options));
        options.type = "after";
        options.timestamp.setTime(0);
        options.xdm.web.webPageDetails.name = "after";
        options.xdm.productListItems.push({ SKU: "after" });
        delete options.mapping["web.webPageDetails.siteSection"];
        options.identityMap.Email[0].id = "after@example.com";
        return told;
      });
      const { message } = await inlet.arrived(value.id);
      assert.deepEqual(message.body.xdmEntity, {
        _id: value.id,
        timestamp: "1970-01-02T00:00:00.000Z",
        eventType: "before",
        web: { webPageDetails: { name: "before", siteSection: "before" } },
        productListItems: [{ SKU: "before" }],
        identityMap: { Email: [{ id: "before@example.com" }] },
      });
    });
  });
}
