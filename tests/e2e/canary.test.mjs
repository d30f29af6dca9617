// What somebody types, and what names a person anywhere on a page, goes nowhere: unique canaries are put in every
// place that is captured by itself, on every page of the shop and all through a visit, in three real browsers, with
// everything tracked. None is found in any request, cookie or storage. And before consent there is none of these.
//
// What the shop itself passes on is its own to answer for: the person of its Profile record, and the `Email` identity.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { names } from "../../scripts/chunks.mjs";
import { root } from "../../scripts/steps.mjs";
import { engineNames, openEngine } from "./engines.mjs";
import { listenOnLoopback, openGate, openInlet, openSite, until } from "./support.mjs";

let inlet, gate, site, shop;

before(async () => {
  inlet = await openInlet();
  gate = await openGate(inlet);
  site = await openSite(gate);
  shop = await openPlanted();
});
after(async () => {
  await shop?.close();
  await site?.close();
  await gate?.close();
  await inlet?.close();
});
beforeEach(async () => {
  await inlet.faults({});
  await inlet.reset();
  gate.requests.length = 0;
  shop.requests.length = 0;
  shop.attributes = "";
});

// ---- canaries -----------------------------------------------------------------------------------------

/** Visa's, with Luhn's sum; sixteen digits unlike those of any other number. */
function card(number) {
  const digits = `4929${String(7_130_061 + 104_729 * number).padStart(11, "0")}`;
  let sum = 0;
  for (const [place, digit] of [...digits].reverse().entries()) {
    const worth = Number(digit) * (place % 2 ? 1 : 2);
    sum += worth > 9 ? worth - 9 : worth;
  }
  return digits + ((10 - (sum % 10)) % 10);
}

const PLACES = ["query", "fragment", "path", "title", "link", "href", "region", "action", "error", "script"];
/** By place: an address and a card's number. */
const planted = Object.fromEntries(
  PLACES.map((place, number) => [place, { mail: `canary-${place}@example.com`, card: card(number) }]),
);
/** Typed into fields: any text is one, and the shop hands some of it on itself. */
const typed = {
  firstName: "Canary-first-3f7a",
  lastName: "Canary-last-9c1e",
  email: "canary-shopper-5d2b@example.com",
  text: "typed-canary-text",
  mail: "typed-canary-mail@example.com",
  password: "typed-canary-password",
  tel: "555010477319",
  number: "7731946205518",
  search: "typed-canary-search",
  url: "https://typed-canary-url.example",
  area: "typed-canary-area",
  editable: "typed-canary-editable",
};
/** There from the start, and no less anybody's business. */
const present = { hidden: "present-canary-hidden", choice: "present-canary-choice" };

/** What is looked for, by name. Numbers are found however their groups are parted. */
const canaries = new Map(
  [
    ...PLACES.flatMap((place) => [
      [`${place} mail`, `canary-${place}`],
      [`${place} card`, planted[place].card],
    ]),
    ...Object.entries({ ...typed, ...present }),
  ].map(([name, text]) => [name, plain(text)]),
);

/** Without case, escapes and what parts groups, which hyphens do. */
function plain(text) {
  let decoded = text;
  for (let depth = 0; depth < 3; depth++)
    decoded = decoded.replace(/(%[0-9a-f]{2})+/gi, (escapes) => {
      try {
        return decodeURIComponent(escapes);
      } catch {
        return escapes;
      }
    });
  return decoded.toLowerCase().replace(/[-+\s\u00a0]/g, "");
}

/** The names of those that are in a text. */
function found(text) {
  const searched = plain(text);
  return [...canaries].filter(([, canary]) => searched.includes(canary)).map(([name]) => name);
}

/**
 * Runs in the page, before anything else of it: puts them there. The title and what is clicked come with the
 * document; the URL is made before the library looks.
 */
function plant({ planted, present }) {
  const grouped = (card, by) => card.replace(/(\d{4})(?=\d)/g, `$1${by}`);
  const { query, fragment, title, link, href, region, action, error, script } = planted;
  const search = `from=${encodeURIComponent(query.mail)}&card=${query.card}&again=${encodeURIComponent(`/?m=${encodeURIComponent(query.mail)}`)}`;
  const hash = `#${fragment.mail}/${grouped(fragment.card, "-")}`;
  const withCanaries = (url) => {
    const target = new URL(url, location.href);
    if (target.origin === location.origin && !target.search.includes("from="))
      target.search += `${target.search ? "&" : "?"}${search}`;
    target.hash = hash;
    return target.href;
  };
  if (!location.search.includes("from=")) history.replaceState(null, "", withCanaries(location.href));

  document.addEventListener("DOMContentLoaded", () => {
    document.title += ` ${title.mail} ${grouped(title.card, " ")}`;
    for (const anchor of document.querySelectorAll("a[href]")) {
      if (anchor.origin === location.origin && !anchor.download) anchor.href = withCanaries(anchor.href);
    }
    const form = document.querySelector("#checkout-form");
    if (form) form.action = `thanks.html?mail=${action.mail}&card=${action.card}#${action.mail}`;
    const field = (name, type) =>
      `<input name="${name}" type="${type}" aria-label="${name}" data-type-here="${name}">`;
    const section = document.createElement("section");
    section.setAttribute("aria-label", `For ${region.mail} ${region.card}`);
    section.innerHTML = `
      <a class="planted-link" href="https://example.com/${href.mail}?card=${grouped(href.card, "%20")}#${href.mail}">
        Write to ${link.mail} or ${grouped(link.card, " ")}</a>
      <button class="planted-error" type="button">Break</button>
      <form class="planted-form" name="planted" method="post"
        action="/void?mail=${action.mail}&card=${action.card}#${action.mail}">
        ${field("text", "text")} ${field("mail", "email")} ${field("password", "password")} ${field("tel", "tel")}
        ${field("number", "number")} ${field("search", "search")} ${field("url", "url")}
        <textarea name="area" aria-label="area" data-type-here="area"></textarea>
        <input type="hidden" name="hidden" value="${present.hidden}">
        <select name="choice" aria-label="choice"><option value="${present.choice}">One</option></select>
        <div contenteditable="true" role="textbox" aria-label="editable" data-type-here="editable"></div>
        <button class="planted-submit">Send</button>
      </form>`;
    document.querySelector("main").prepend(section);
    section.querySelector("a").addEventListener("click", (event) => event.preventDefault());
    section.querySelector(".planted-error").addEventListener("click", () => {
      Promise.reject(new Error(`rejected for ${error.mail} with ${grouped(error.card, " ")}`));
      Promise.reject(`no error for ${error.mail}`);
      throw new Error(`broken for ${error.mail} with ${error.card}`);
    });
    const broken = document.createElement("script");
    broken.src = `/broken.js?mail=${encodeURIComponent(script.mail)}&card=${script.card}`;
    document.head.append(broken);
  });
}

/** The shop with canaries on all of its pages, and a note of what it was asked for, cookies included. */
async function openPlanted() {
  const planting = { requests: [], attributes: "" };
  const script = `<script>(${plant})(${JSON.stringify({ planted, present })})</script>`;
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    planting.requests.push({ method, url, cookie: headers.cookie });
    if (url.startsWith("/void")) {
      // The page stays.
      response.writeHead(204).end();
    } else if (url.startsWith("/broken.js")) {
      response.writeHead(200, { "Content-Type": "text/javascript" });
      response.end('throw new Error("broken from the start");');
    } else {
      const answer = await fetch(site.origin + url);
      const type = answer.headers.get("content-type");
      let body = Buffer.from(await answer.arrayBuffer());
      if (type?.startsWith("text/html")) {
        const html = body.toString();
        const tag = /<script async src=sdk\/xdm-beacon\.js/;
        assert.match(html, tag);
        body = html.replace("<head>", () => `<head>${script}`).replace(tag, `$& ${planting.attributes}`);
      }
      response.writeHead(answer.status, { "Content-Type": type ?? "text/plain" }).end(body);
    }
  });
  return Object.assign(planting, await listenOnLoopback(server));
}

// ---- a visit ------------------------------------------------------------------------------------------

const key = (value) => [
  { type: "keyDown", value },
  { type: "keyUp", value },
];

/** Runs in the page: where an element is, once it is in view. */
function place(selector) {
  const element = document.querySelector(selector);
  element.scrollIntoView({ block: "center", behavior: "instant" });
  const { left, top, width, height } = element.getClientRects()[0];
  return { x: Math.floor(left + width / 2), y: Math.floor(top + height / 2) };
}

/** A visitor: what a person does in a tab. */
function visitorOf(tab) {
  const ask = (command) => tab.evaluate((command) => xdmBeacon(command), command);
  const click = async (selector) => {
    const { x, y } = await tab.evaluate(place, selector);
    const actions = [
      { type: "pointerMove", x, y, duration: 0 },
      { type: "pointerDown", button: 0 },
      { type: "pointerUp", button: 0 },
    ];
    await tab.act({ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions });
  };
  return {
    tab,
    ask,
    click,
    /** Waits for a page of this name, with its view captured. */
    land: (page) =>
      until(`${page}.html`, async () => {
        try {
          const here = await tab.evaluate(() => document.readyState === "complete" && location.pathname);
          return here === `/${page}.html` && (await ask("getStatus")).accepted > 0;
        } catch {
          // In the midst of a navigation.
          return false;
        }
      }),
    type: async (selector, text) => {
      await tab.evaluate((selector) => document.querySelector(selector).focus(), selector);
      await tab.act({ type: "key", id: "keyboard", actions: [...text].flatMap(key) });
      const value = await tab.evaluate((selector) => {
        const element = document.querySelector(selector);
        return element.value ?? element.textContent;
      }, selector);
      assert.equal(value, text, selector);
    },
  };
}

/** All that a person can do with what was planted, on any page. */
async function touchAll({ tab, type, click }) {
  const fields = await tab.evaluate(() =>
    [...document.querySelectorAll("[data-type-here]")].map((field) => field.dataset.typeHere),
  );
  assert.equal(fields.length, 9);
  for (const name of fields) await type(`[data-type-here=${name}]`, typed[name]);
  await click(".planted-link");
  await click(".planted-error");
  const before = shop.requests.length;
  await click(".planted-submit");
  const sent = await until("the form to be sent", () =>
    shop.requests.slice(before).find(({ method, url }) => method === "POST" && url.startsWith("/void?mail=")),
  );
  assert.ok(sent);
}

/** Through the whole shop, all pages of it. `look` is called on each, before it is left. */
async function visit(visitor, look) {
  const { tab, click, type, land } = visitor;
  const stay = async (page) => {
    await land(page);
    await touchAll(visitor);
    await look(page);
  };
  await tab.goto(`${shop.origin}/index.html`);
  await stay("index");
  await click("[data-test=product-LAMP-01]");
  await stay("product");
  await click("#add-to-cart");
  await click("[data-test=nav-about]");
  await stay("about");
  // As a router does it, with a path that names somebody.
  await tab.evaluate(
    ({ mail, card }) => history.pushState(null, "", `/about.html?of=${encodeURIComponent(mail)}/${card}`),
    planted.path,
  );
  await click("[data-test=nav-cart]");
  await stay("cart");
  await click("[data-test=more-LAMP-01]");
  await click("[data-test=to-checkout]");
  await stay("checkout");
  await type("#first-name", typed.firstName);
  await type("#last-name", typed.lastName);
  await type("#email", typed.email);
  await look("order");
  await click("#place-order");
  await stay("thanks");
  await click("[data-test=continue]");
  await land("index");
  await look("end");
}

// ---- where they are looked for --------------------------------------------------------------------------

/** What the shop itself keeps, whatever anybody has decided: its basket, the last order and who placed it. */
const OWN = ["lantern-room.cart", "lantern-room.order", "lantern-room.shopper"];
/** The list of its bar, which says nothing but types and outcomes. */
const BAR = "lantern-room.sent";

/** Runs in the page: all that the browser keeps of this origin. */
async function keeps() {
  const promised = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const databases = {};
  for (const { name } of await indexedDB.databases()) {
    databases[name] = {};
    const database = await promised(indexedDB.open(name));
    for (const store of database.objectStoreNames) {
      const at = database.transaction(store).objectStore(store);
      const [keys, values] = await Promise.all([promised(at.getAllKeys()), promised(at.getAll())]);
      databases[name][store] = keys.map((key, index) => [key, values[index]]);
    }
    database.close();
  }
  return {
    cookie: document.cookie,
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases,
    caches: "caches" in window ? await caches.keys() : [],
    locks: (await navigator.locks.query()).held.map(({ name }) => name),
  };
}

/** The same, less what is the shop's own. */
async function traces(tab) {
  const all = await tab.evaluate(keeps);
  for (const name of OWN) delete all.session[name];
  return all;
}

const records = ({ databases }) => databases["xdm-beacon"]?.outbox ?? [];
const email = [{ id: typed.email, primary: true, authenticatedState: "authenticated" }];

/** What was sent, less what the shop has passed on itself, which is exactly this. */
function withoutGiven(message) {
  const { xdmEntity } = message.body;
  const { person, personalEmail, identityMap } = xdmEntity;
  if (isDeepStrictEqual(identityMap?.Email, email)) delete identityMap.Email;
  const { firstName, lastName } = typed;
  const shopper = [{ name: { firstName, lastName } }, { address: typed.email }];
  if (isDeepStrictEqual([person, personalEmail], shopper)) {
    delete xdmEntity.person;
    delete xdmEntity.personalEmail;
  }
  return message;
}

const messagesOf = (body) => {
  const parsed = JSON.parse(body);
  return parsed.messages ?? [parsed];
};

/** Everything that has come by on its way to the inlet, as texts. Of what a page broke off as it left, there is no body. */
const requests = () =>
  gate.requests.map(({ method, path, headers, body }) => {
    const content = method === "POST" && body ? messagesOf(body).map(withoutGiven) : body;
    return JSON.stringify([method, path, headers, content]);
  });

/** Of modules that are files of their own. */
const built = names(readFileSync(join(root, "www/sdk/capture/chunks.js"), "utf8"));

for (const name of engineNames) {
  test(`${name}: no canary is in any request, cookie or storage, all through the shop`, async () => {
    const browser = await openEngine(name);
    try {
      const tab = await browser.open(`${shop.origin}/index.html`);
      const visitor = visitorOf(tab);
      await visitor.land("index");
      await visitor.click("[data-consent=y]");
      await until("consent", async () => (await visitor.ask("getStatus")).consent === "in");
      // Nothing gets through until the checkout, so that there is something on the disk.
      await inlet.faults({ drop: "before" });
      let stored = 0;
      let redacted = 0;
      await visit(visitor, async (page) => {
        if (page === "checkout") {
          await inlet.faults({});
          await visitor.ask("flush");
        }
        if (page === "end")
          await until("all to be delivered", async () => {
            await visitor.ask("flush");
            return records(await traces(tab)).length === 0;
          });
        // What was handed over with the order has the shopper in it, until the next page has taken it over.
        const isHandoff = (key) => key.startsWith("xdm-beacon.handoff.");
        const hasOrder = page === "thanks" || page === "end";
        const all = await until("hand-offs to be taken over", async () => {
          const all = await traces(tab);
          return !(hasOrder && Object.keys(all.local).some(isHandoff)) && all;
        });
        assert.ok(Object.keys(all.session).every((key) => key === BAR || key.startsWith("xdm-beacon.")));
        // On its way as well: what the shop has passed on with the order.
        for (const record of records(all)) {
          const [, text] = record;
          const { message, ...rest } = JSON.parse(text);
          record[1] = JSON.stringify([rest, withoutGiven(message)]);
        }
        assert.deepEqual(found(JSON.stringify(all)), [], page);
        stored = Math.max(stored, records(all).length);
        redacted += (await visitor.ask("getStatus")).redacted;
      });
      assert.ok(stored >= 10, `${stored} records in the outbox`);
      // In the URL, the title and what was clicked, at least, on each of six pages.
      assert.ok(redacted >= 60, `${redacted} taken out`);

      const texts = requests();
      const all = await inlet.entities();
      const views = all.filter(({ eventType }) => eventType === "web.webpagedetails.pageViews");
      // The first page twice, five more, the soft one, and the first one again.
      assert.equal(views.length, 9);
      assert.equal(all.filter(({ person }) => person).length, 1);
      for (const text of texts) assert.deepEqual(found(text), [], text);
      assert.ok(texts.some((text) => text.includes("Write to REDACTED or REDACTED")));
      assert.deepEqual(await inlet.bad(), []);
      const cookies = shop.requests.map(({ cookie }) => cookie ?? "");
      assert.ok(cookies.some((cookie) => cookie.includes("xdm_beacon_LanternRoom=")));
      assert.deepEqual(found(cookies.join("\n")), []);
    } finally {
      await browser.close();
    }
  });

  test(`${name}: before consent there is no request, no cookie and no storage, all through the shop`, async () => {
    const browser = await openEngine(name);
    try {
      const tab = await browser.open(`${shop.origin}/index.html`);
      const visitor = visitorOf(tab);
      const pages = [];
      await visit(visitor, async (page) => {
        const { consent, accepted, pending } = await visitor.ask("getStatus");
        assert.deepEqual([consent, pending], ["pending", accepted]);
        const none = { cookie: "", local: {}, session: {}, databases: {}, caches: [], locks: [] };
        assert.deepEqual(await traces(tab), none, page);
        pages.push(page);
      });
      assert.deepEqual(pages, ["index", "product", "about", "cart", "checkout", "order", "thanks", "end"]);
      assert.deepEqual(gate.requests, []);
      assert.deepEqual(await inlet.counts(), { received: 0, good: 0, bad: 0, duplicates: 0 });
      const cookies = shop.requests.filter(({ cookie }) => cookie !== undefined);
      assert.deepEqual(cookies, []);
      // The shop has worked all the same.
      const own = await tab.evaluate(() => Object.keys(sessionStorage));
      assert.deepEqual(own.sort(), OWN);
    } finally {
      await browser.close();
    }
  });
}

test("where a site allows it they are there, so that they would be found", async () => {
  shop.attributes = "data-privacy-redact=false";
  const browser = await openEngine("chromium");
  try {
    const tab = await browser.open(`${shop.origin}/index.html`);
    const visitor = visitorOf(tab);
    await visitor.land("index");
    await visitor.click("[data-consent=y]");
    await inlet.faults({ drop: "before" });
    const kept = new Set();
    await visit(visitor, async (page) => {
      for (const name of found(JSON.stringify(await traces(tab)))) kept.add(name);
      if (page === "end") {
        await inlet.faults({});
        await until("all to be delivered", async () => {
          await visitor.ask("flush");
          return records(await traces(tab)).length === 0;
        });
      }
    });
    const expected = ["query", "fragment", "path", "title", "link", "href", "region"];
    if (built.includes("forms")) expected.push("action");
    if (built.includes("errors")) expected.push("error", "script");
    const names = expected.flatMap((place) => [`${place} mail`, `${place} card`]);
    const given = ["firstName", "lastName", "email"];
    const sent = new Set(gate.requests.flatMap(({ body = "" }) => found(body)));
    // What is typed is not even then, but for what the shop has passed on.
    assert.deepEqual([...sent].sort(), [...names, ...given].sort());
    for (const name of [...names, "email"]) assert.ok(kept.has(name), `${name} on the disk`);
  } finally {
    await browser.close();
  }
});
