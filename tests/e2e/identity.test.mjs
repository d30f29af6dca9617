// Who the browser is said to be, and what is not said of a person: real cookies of real domains, and what arrives
// at the inlet of them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { root } from "../../scripts/steps.mjs";
import { engineNames, openEngine } from "./engines.mjs";
import { openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();
const port = new URL(stage.origin).port;
beforeEach(async () => {
  await inlet.faults({});
  await inlet.reset();
});

const ORG = "0A1B2C3D4E5F60718293A4B5@AdobeOrg";
const ECID = "15921341578853919360119213917925197322";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const COOKIE = "xdm_beacon_Shop";
/** The ECID in field 1 of a protobuf message, and the time of writing after it. */
const KNDCTR = Buffer.from([0x0a, ECID.length, ...Buffer.from(ECID), 0xf0, 0x01, 0xc8, 0xca, 0x03]).toString(
  "base64url",
);
const ADOBE_COOKIES = {
  [`AMCV_${encodeURIComponent(ORG)}`]: encodeURIComponent(
    `179643557|MCIDTS|20411|MCMID|${ECID}|vVersion|5.5.0`,
  ),
  [`kndctr_${ORG.replace("@", "_")}_identity`]: KNDCTR,
};

const firstParty = (more) => ({ firstParty: { namespace: "Shop", ...more } });

/** Puts a page there, and gives back its path. */
function put(path, options, { head } = {}) {
  stage.put(path, pageWith(optionsFor(inlet.origin, { context: [], ...options }), { head }));
  return path;
}

/** Every name below .localhost is this machine; what stands before it is a site of its own. */
const at = (host, path) => `http://${host}:${port}${path}`;

/** Runs in the page. */
const setCookie = (cookie) => Reflect.set(document, "cookie", cookie);

/** Sends an event and gives back its identities as they arrived, which must have been good. */
async function arrive(host, event = {}) {
  const { value, ...refused } = await host.call("sendEvent", event);
  assert.ok(value, JSON.stringify(refused));
  return arrived(value.id);
}

async function arrived(id) {
  const { message, violations } = await inlet.arrived(id);
  assert.equal(violations, undefined);
  return message.body.xdmEntity;
}

describe("the first-party id", () => {
  test("is one for all pages, reloads and subdomains of a site", async () => {
    const path = put("/id.html", { identity: firstParty() });
    const host = await openHost(browser);
    await host.page.goto(at("www.shop.localhost", path));
    const { identityMap } = await arrive(host);
    const id = identityMap.Shop[0].id;
    assert.match(id, UUID);
    assert.deepEqual(identityMap, { Shop: [{ id, primary: true }] });

    const cookies = await host.context.cookies();
    assert.equal(cookies.length, 1, JSON.stringify(cookies));
    const [{ expires, ...cookie }] = cookies;
    assert.deepEqual(cookie, {
      name: COOKIE,
      value: id,
      domain: ".shop.localhost",
      path: "/",
      httpOnly: false,
      secure: false,
      sameSite: "Lax",
    });
    const days = (expires - Date.now() / 1000) / 86_400;
    assert.ok(days > 389.9 && days <= 390, `${days} days`);

    await host.page.reload();
    assert.deepEqual((await arrive(host)).identityMap, identityMap);
    for (const name of ["shop.localhost", "a.b.shop.localhost"]) {
      await host.page.goto(at(name, put("/next.html", { identity: firstParty() })));
      assert.deepEqual((await arrive(host)).identityMap, identityMap, name);
      assert.deepEqual(await host.call("getIdentity"), { value: { identityMap } });
    }
    assert.equal((await host.context.cookies()).length, 1);
    await host.page.goto(at("other.localhost", path));
    assert.notEqual((await arrive(host)).identityMap.Shop[0].id, id, "another site has its own");
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });

  test("is this host's alone where there is no domain, and stays in local storage where it is to be", async () => {
    const host = await openHost(browser);
    await host.page.goto(stage.origin + put("/id.html", { identity: firstParty() }));
    const { identityMap } = await arrive(host);
    assert.deepEqual(
      (await host.context.cookies()).map(({ name, value, domain }) => [name, value, domain]),
      [[COOKIE, identityMap.Shop[0].id, "127.0.0.1"]],
    );
    await host.context.clearCookies();

    await host.page.goto(
      stage.origin + put("/local.html", { identity: firstParty({ storage: "localStorage" }) }),
    );
    const id = (await arrive(host)).identityMap.Shop[0].id;
    assert.equal(await host.page.evaluate((key) => localStorage[key], COOKIE), id);
    await host.page.reload();
    assert.deepEqual((await arrive(host)).identityMap, { Shop: [{ id, primary: true }] });
    assert.deepEqual(await host.context.cookies(), []);
    await host.context.close();
  });

  test("is what the site's server says, where that keeps it", async () => {
    const path = put("/server.html", { identity: firstParty({ storage: "serverCookie" }) });
    const host = await openHost(browser);
    await host.page.goto(stage.origin + path);
    assert.equal((await arrive(host)).identityMap, undefined);
    const cookie = { name: COOKIE, value: "server-1", url: stage.origin };
    await host.context.addCookies([cookie]);
    await host.page.reload();
    assert.deepEqual((await arrive(host)).identityMap, { Shop: [{ id: "server-1", primary: true }] });
    assert.equal((await host.context.cookies())[0].expires, -1, "nobody has written it anew");
    await host.context.close();
  });

  test("is declared by the attributes of a tag", async () => {
    const { endpoint, orgId, datasetId, schema } = optionsFor(inlet.origin);
    const tag = `<script async src="/sdk/xdm-beacon.js" data-endpoint="${endpoint}" data-org-id="${orgId}"
      data-dataset-id="${datasetId}" data-schema-id="${schema.id}" data-context="" data-debug
      data-identity-first-party-namespace="Shop" data-identity-primary="none"></script>`;
    stage.put("/declared.html", pageWith(undefined, { sdk: "", head: tag }));
    const host = await openHost(browser);
    await host.page.goto(at("shop.localhost", "/declared.html"));
    const { identityMap } = await arrive(host);
    const [{ value, domain }] = await host.context.cookies();
    assert.deepEqual([identityMap, domain], [{ Shop: [{ id: value }] }, ".shop.localhost"]);
    await host.context.close();
  });

  test("does not come where cookies throw, and nothing is heard of it", async () => {
    // The origin of such a frame is nobody's: what it fetches must be open to all.
    for (const name of ["xdm-beacon.js", "xdm-beacon.wasm"])
      stage.put(`/open/${name}`, readFileSync(join(root, "dist/sdk", name)), {
        "Access-Control-Allow-Origin": "*",
        "Content-Type": name.endsWith("js") ? "text/javascript" : "application/wasm",
      });
    const options = optionsFor(inlet.origin, { context: [], identity: firstParty() });
    stage.put("/inner.html", pageWith(options, { sdk: "/open" }));
    const inner = at("shop.localhost", "/inner.html");
    stage.put("/frame.html", `<!doctype html><iframe sandbox="allow-scripts" src="${inner}"></iframe>`);
    const host = await openHost(browser);
    await host.page.goto(at("shop.localhost", "/frame.html"));
    const frame = await until("the frame", () => host.page.frames().find((frame) => frame.url() === inner));
    const told = await frame.evaluate(async () => [
      (() => {
        try {
          return document.cookie;
        } catch ({ name }) {
          return name;
        }
      })(),
      await xdmBeacon("getIdentity"),
      await xdmBeacon("sendEvent"),
      window.heard,
    ]);
    const [cookie, identity, { id }, heard] = told;
    assert.deepEqual([cookie, identity, heard], ["SecurityError", { identityMap: {} }, []]);
    assert.equal((await arrived(id)).identityMap, undefined);
    await host.context.close();
  });
});

describe("the ECID", () => {
  for (const [name, value] of Object.entries(ADOBE_COOKIES)) {
    test(`is read from ${name.split("_")[0]}, also when it comes later`, async () => {
      const host = await openHost(browser);
      await host.page.goto(stage.origin + put("/ecid.html", {}));
      assert.equal((await arrive(host)).identityMap, undefined);
      await host.page.evaluate(setCookie, `${name}=${value}`);
      assert.deepEqual((await arrive(host)).identityMap, { ECID: [{ id: ECID, primary: true }] });
      await host.page.reload();
      assert.deepEqual(await host.call("getIdentity"), {
        value: { identityMap: { ECID: [{ id: ECID, primary: true }] } },
      });
      assert.deepEqual(
        (await host.context.cookies()).map((cookie) => cookie.name),
        [name],
        "none is made",
      );
      await host.context.close();
    });
  }

  test("is read from an instance of the Visitor service, and none is made for it", async () => {
    const visitors = `
      window.made = 0;
      window.Visitor = { getInstance() { made++; return { getMarketingCloudVisitorID: () => "1" }; } };
      const visitor = (org, id) => ({ _c: "Visitor", marketingCloudOrgID: org, getMarketingCloudVisitorID: id });
      window.s_c_il = [
        null, 1, { _c: "s_c" }, { get _c() { throw Error("not to be read"); } },
        visitor("OTHER@AdobeOrg", () => "2"), visitor("${ORG}", () => window.ecid),
      ];`;
    const host = await openHost(browser);
    await host.page.goto(stage.origin + put("/visitor.html", {}, { head: `<script>${visitors}</script>` }));
    assert.equal((await arrive(host)).identityMap, undefined, "it has none yet");
    for (const odd of ["7n", "{}", "'NOTARGET'", "Symbol()"]) {
      await host.page.evaluate(`window.ecid = ${odd}`);
      assert.equal((await arrive(host)).identityMap, undefined, odd);
    }
    await host.page.evaluate(() => {
      window.s_c_il[5].getMarketingCloudVisitorID = () => {
        throw new Error("not today");
      };
    });
    assert.equal((await arrive(host)).identityMap, undefined);
    await host.page.evaluate((ecid) => {
      window.s_c_il[5].getMarketingCloudVisitorID = () => ecid;
    }, ECID);
    assert.deepEqual((await arrive(host)).identityMap, { ECID: [{ id: ECID, primary: true }] });
    assert.equal(await host.page.evaluate(() => window.made), 0);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });
});

test("at most one identity of an event is primary, by the rule", async () => {
  const crm = (more) => ({ CRM: [{ id: "c-1", ...more }] });
  // `primary`, the call's identities, and which are primary as they arrive.
  const table = [
    [undefined, {}, { ECID: true, Shop: false }],
    ["ecid", {}, { ECID: true, Shop: false }],
    ["firstParty", {}, { ECID: false, Shop: true }],
    ["none", {}, { ECID: false, Shop: false }],
    [undefined, crm(), { ECID: true, Shop: false, CRM: false }],
    [undefined, crm({ primary: true }), { ECID: false, Shop: false, CRM: true }],
    ["firstParty", crm({ primary: true }), { ECID: false, Shop: false, CRM: true }],
    [undefined, { ECID: [{ id: "1" }] }, { ECID: false, Shop: true }],
    [undefined, { ECID: [] }, { Shop: true }],
  ];
  const host = await openHost(browser);
  const [[name, value]] = Object.entries(ADOBE_COOKIES);
  await host.context.addCookies([{ name, value, url: stage.origin }]);
  for (const [primary, given, expected] of table) {
    const identity = primary ? { ...firstParty(), primary } : firstParty();
    await host.page.goto(stage.origin + put("/primary.html", { identity }));
    for (const event of [{ identityMap: given }, { xdm: { identityMap: given } }]) {
      const { identityMap } = await arrive(host, event);
      const primaries = Object.entries(identityMap).map(([name, [item]]) => [name, item.primary === true]);
      assert.deepEqual(Object.fromEntries(primaries), expected, `${primary} ${JSON.stringify(event)}`);
    }
  }
  await host.page.goto(stage.origin + put("/primary.html", { identity: firstParty() }));
  const record = { identityMap: crm({ primary: true }), xdm: { person: { name: { firstName: "Ada" } } } };
  await host.call("sendProfile", record);
  const [{ message }] = await until("the record", () => inlet.good("&limit=1"));
  assert.deepEqual(message.body.xdmEntity.identityMap, record.identityMap, "a record is as it is given");
  await host.context.close();
});

describe("a link to another domain", () => {
  const [[name, value]] = Object.entries(ADOBE_COOKIES);

  /** A visitor who is known at shop.localhost, and the URL that takes him to `path` of other.localhost. */
  async function leave(path) {
    const host = await openHost(browser);
    await host.context.addCookies([{ name, value, url: at("shop.localhost", "/") }]);
    await host.page.goto(at("shop.localhost", put("/here.html", { identity: firstParty() })));
    const { identityMap } = await arrive(host);
    const answer = await host.call("appendIdentityToUrl", { url: at("other.localhost", path) });
    return { host, identityMap, url: answer.value.url };
  }

  test("takes the identities along, and they stay", async () => {
    const { host, identityMap, url } = await leave("/there.html?a=1#b");
    const { searchParams, hash } = new URL(url);
    const [, seconds] = /^TS=(\d+)\|MCMID=(\d+)\|MCORGID=(.+)$/.exec(searchParams.get("adobe_mc"));
    assert.ok(Math.abs(seconds - Date.now() / 1000) < 60, seconds);
    assert.equal(searchParams.get("adobe_mc"), `TS=${seconds}|MCMID=${ECID}|MCORGID=${ORG}`);
    assert.deepEqual([searchParams.get("a"), hash], ["1", "#b"]);

    // A router has its own idea of the URL before the library is there.
    const head = `<script>history.replaceState(0, "", location.pathname)</script>`;
    put("/there.html", { identity: firstParty() }, { head });
    await host.page.goto(url);
    assert.deepEqual((await arrive(host)).identityMap, identityMap);
    for (const next of ["/next.html", "/there.html"]) {
      await host.page.goto(at("other.localhost", put(next, { identity: firstParty() })));
      assert.deepEqual((await arrive(host)).identityMap, identityMap, next);
    }
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });

  test("is good for five minutes, and for one organisation", async () => {
    const { host, identityMap, url } = await leave("/there.html");
    put("/there.html", { identity: firstParty() });
    const other = await openHost(browser);
    await other.page.goto(url.replaceAll("0A1B2C3D", "FFFF2C3D"));
    const theirs = (await arrive(other)).identityMap;
    assert.equal(theirs.ECID, undefined);
    assert.notEqual(theirs.Shop[0].id, identityMap.Shop[0].id);
    await other.context.close();

    for (const [seconds, known] of [
      [290, true],
      [302, false],
    ]) {
      const later = await openHost(browser);
      await later.context.addInitScript((ms) => {
        const now = Date.now;
        Date.now = () => now() + ms;
      }, seconds * 1000);
      await later.page.goto(url);
      const { value } = await later.call("getIdentity");
      assert.equal(value.identityMap.ECID?.[0].id, known ? ECID : undefined, `${seconds} s`);
      assert.equal(value.identityMap.Shop[0].id === identityMap.Shop[0].id, known, `${seconds} s`);
      await later.context.close();
    }
    await host.context.close();
  });
});

// ---- redaction ---------------------------------------------------------------------------------

const MAIL = "canary.ada@example.com";
const CARD = "4111 1111 1111 1111";
const SECRET = "canary-token-77";
/** What of them must not be found anywhere, however it is escaped. */
const CANARIES = ["canary", "1111", "example.com"];

const CANARY_PATH = `/planted.html?mail=${encodeURIComponent(MAIL)}&card=${encodeURIComponent(CARD)}&token=${SECRET}`;
const CANARY_HASH = `#/r?mail=${MAIL}&card=${CARD.replaceAll(" ", "-")}&TOKEN=${SECRET}`;

/** A page that a page with canaries links to, with canaries in its own URL and title. */
function putCanaries(privacy = { parameters: ["token"] }) {
  const title = `<script>document.title = "Order of ${MAIL}, card ${CARD}"</script>`;
  stage.put(
    "/planted.html",
    pageWith(optionsFor(inlet.origin, { context: ["web"], privacy }), { head: title }),
  );
  stage.put(
    "/from.html",
    `<!doctype html><title>From</title><a id="on" href="${CANARY_PATH}${CANARY_HASH}">on</a>`,
  );
  return `/from.html?mail=${MAIL}&card=4111111111111111&token=${SECRET}`;
}

const EXPECTED = (origin) => ({
  webPageDetails: {
    URL: `${origin}/planted.html?mail=REDACTED&card=REDACTED&token=REDACTED#/r?mail=REDACTED&card=REDACTED&TOKEN=REDACTED`,
    name: "Order of REDACTED, card REDACTED",
  },
  webReferrer: {
    URL: `${origin}/from.html?mail=REDACTED&card=REDACTED&token=REDACTED`,
    type: "internal",
  },
});

/** Runs in the page: all that it keeps. */
async function keeps() {
  const databases = await indexedDB.databases();
  const records = await Promise.all(
    databases.map(
      ({ name }) =>
        new Promise((resolve, reject) => {
          const open = indexedDB.open(name);
          open.onerror = reject;
          open.onsuccess = () => {
            const stores = [...open.result.objectStoreNames];
            const all = stores.map((store) => {
              const request = open.result.transaction(store).objectStore(store).getAll();
              return new Promise((done) => {
                request.onsuccess = () => done(request.result);
              });
            });
            Promise.all(all).then((found) => {
              open.result.close();
              resolve(found);
            }, reject);
          };
        }),
    ),
  );
  return JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, records]);
}

test("nobody's address or card is in a request, a cookie or a storage", async () => {
  const start = putCanaries();
  const host = await openHost(browser);
  const posted = [];
  host.page.on("request", (request) => {
    if (request.url().startsWith(inlet.origin))
      posted.push([request.url(), JSON.stringify(request.headers()), request.postData() ?? ""].join("\n"));
  });
  await inlet.faults({ target: "collection", status: 503 });
  await host.page.goto(stage.origin + start);
  await host.page.click("#on");
  await host.page.waitForURL(/planted/);
  const { value } = await host.call("sendEvent", { type: "web.webpagedetails.pageViews" });
  assert.equal(value.status, "stored");
  const kept = await host.page.evaluate(keeps);
  assert.match(kept, new RegExp(value.id), "it is kept on disk");
  await inlet.faults({});
  await host.call("flush");
  const { web } = await arrived(value.id);
  assert.deepEqual(web, EXPECTED(stage.origin));
  assert.ok(posted.length > 0);
  for (const text of [...posted, kept, await host.page.evaluate(keeps)])
    for (const canary of CANARIES) assert.ok(!text.includes(canary), `${canary} in ${text}`);
  assert.equal((await host.call("getStatus")).value.redacted, 11);
  await host.context.close();
});

test("patterns are regular expressions of the page's browser", async () => {
  const host = await openHost(browser);
  const patterns = ["cust-\\d{3}", "(?<=/u/)[^/]+"];
  const options = { context: ["web"], privacy: { patterns, redact: true } };
  await host.page.goto(`${stage.origin}${put("/patterns.html", options)}?a=CUST-123&b=cust-12#/u/ada/x`);
  const { web } = await arrive(host);
  assert.equal(web.webPageDetails.URL, `${stage.origin}/patterns.html?a=REDACTED&b=cust-12#/u/REDACTED/x`);

  for (const pattern of ["(", "a*", "[", "(?<n>a)(?<n>b)"]) {
    stage.put("/none.html", pageWith(undefined));
    await host.page.goto(`${stage.origin}/none.html`);
    const refused = await host.call(
      "configure",
      optionsFor(inlet.origin, { privacy: { patterns: ["a", pattern] } }),
    );
    assert.deepEqual(refused, {
      code: "not-a-pattern",
      message:
        "xdmBeacon: 'privacy.patterns[1]' must be a regular expression that does not match an empty text",
    });
  }
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

// ---- in three engines --------------------------------------------------------------------------

/** Runs in the page. */
const send = () => xdmBeacon("sendEvent").then(({ id }) => id);

for (const engine of engineNames) {
  test(`${engine}: one id for a site, the ECID, a link to another site, and nobody's address`, async () => {
    const opened = await openEngine(engine);
    try {
      put("/id.html", { identity: firstParty() });
      const tab = await opened.open(at("www.shop.localhost", "/id.html"));
      const first = (await arrived(await tab.evaluate(send))).identityMap;
      const id = first.Shop[0].id;
      assert.match(id, UUID);
      assert.deepEqual(first, { Shop: [{ id, primary: true }] });
      assert.equal(await tab.evaluate(() => document.cookie), `${COOKIE}=${id}`);

      await tab.goto(at("shop.localhost", "/id.html"));
      assert.deepEqual(
        (await arrived(await tab.evaluate(send))).identityMap,
        first,
        "a subdomain has the same",
      );
      for (const [name, value] of Object.entries(ADOBE_COOKIES)) {
        await tab.evaluate(setCookie, `${name}=${value}`);
        const { identityMap } = await tab.evaluate(() => xdmBeacon("getIdentity"));
        assert.deepEqual(identityMap, { ECID: [{ id: ECID, primary: true }], Shop: [{ id }] }, name);
        await tab.evaluate(setCookie, `${name}=; Max-Age=0`);
        await tab.goto(at("shop.localhost", "/id.html"));
      }

      const { url } = await tab.evaluate(
        (url) => xdmBeacon("appendIdentityToUrl", { url }),
        at("other.localhost", "/id.html"),
      );
      await tab.goto(url);
      assert.deepEqual(
        (await arrived(await tab.evaluate(send))).identityMap,
        first,
        "another site, by a link",
      );

      const start = putCanaries();
      await tab.goto(stage.origin + start);
      await tab.click("#on");
      await until("the page", () =>
        // A page that is going away has no answer.
        tab.evaluate(() => location.pathname === "/planted.html").catch(() => false),
      );
      assert.deepEqual((await arrived(await tab.evaluate(send))).web, EXPECTED(stage.origin));

      put("/local.html", { identity: firstParty({ storage: "localStorage" }) });
      await tab.goto(`${stage.origin}/local.html`);
      const { Shop } = (await arrived(await tab.evaluate(send))).identityMap;
      assert.equal(await tab.evaluate((key) => localStorage[key], COOKIE), Shop[0].id);
    } finally {
      await opened.close();
    }
  });
}
