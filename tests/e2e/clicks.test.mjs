// Clicks, as a person makes them, in three real browsers: what arrives at the inlet for each element of
// clicks/cases.json, clicks that navigate, and pages that make it hard.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { engineNames, inParts } from "./engines.mjs";
import { openGate, openInlet, openStage, optionsFor, page, until } from "./support.mjs";

const { cases } = JSON.parse(readFileSync(new URL("clicks/cases.json", import.meta.url), "utf8"));
const PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==";
const KEYS = { ctrl: "\uE009", shift: "\uE008", enter: "\uE007", space: " " };

let inlet, stage, origin;
before(async () => {
  inlet = await openInlet();
  stage = await openStage();
  origin = stage.origin.replace("127.0.0.1", "localhost");
});
after(async () => {
  await stage?.close();
  await inlet?.close();
});

/** A text of the data file as the page has it. */
const filled = (text) =>
  text
    .replace(/\{([^{}]+?)×(\d+)\}/g, (_, part, times) => part.repeat(times))
    .replaceAll("{origin}", origin)
    .replaceAll("{pixel}", PIXEL);

const options = (more) =>
  optionsFor(inlet.origin, {
    context: ["web"],
    track: ["clicks"],
    tracking: { internalDomains: ["partner.test", "Shop.Example"] },
    ...more,
  });

const put = (path, body, more, head = "") => {
  const html = page(options(more), { head }).replace("<body></body>", body);
  stage.put(path, html);
  return origin + path;
};

/** Nothing that is clicked here leads anywhere but a label to its field, no picker opens, and nothing scrolls. */
const STAY = `<script>
  for (const type of ["click", "auxclick"])
    addEventListener(type, (event) => event.target.closest("label") || event.preventDefault());
  addEventListener("keydown", (event) => event.key === " " && event.target.localName === "a" && event.preventDefault());
  addEventListener("contextmenu", (event) => event.preventDefault());
  addEventListener("mousedown", (event) => event.target.localName === "select" && event.preventDefault());
</script>`;

/** It is configured, and looks at clicks. */
const ready = (tab) => tab.evaluate(() => xdmBeacon("getStatus"));

/** Runs in the page: brings the `t` of a case into view, notes its number in the title, and says where it is. */
function aim(number, focus) {
  const find = (root) => {
    const hit = root.querySelector("[t]");
    if (hit) return hit;
    for (const element of root.querySelectorAll("*")) {
      const inner = element.shadowRoot && find(element.shadowRoot);
      if (inner) return inner;
    }
  };
  const frame = document.querySelector(`[data-case="${number}"]`);
  const element = find(frame) ?? frame.firstElementChild;
  document.title = `case ${number}`;
  element.scrollIntoView({ block: "center", behavior: "instant" });
  if (focus) element.focus();
  const { left, top, width, height } = element.getClientRects()[0];
  return { x: Math.floor(left + width / 2), y: Math.floor(top + height / 2) };
}

/** A person's click at a place of the viewport, or a key pressed where the focus is. */
function gesture(how, { x, y }) {
  const key = (value) => [
    { type: "keyDown", value },
    { type: "keyUp", value },
  ];
  const keyboard = (...actions) => ({ type: "key", id: "keyboard", actions: actions.flat() });
  if (how === "enter" || how === "space") return [keyboard(key(KEYS[how]))];
  const button = { middle: 1, right: 2 }[how] ?? 0;
  const press = [
    { type: "pointerDown", button },
    { type: "pointerUp", button },
  ];
  const actions = [{ type: "pointerMove", x, y, duration: 0 }, ...press, ...(how === "double" ? press : [])];
  const mouse = { type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions };
  if (!KEYS[how]) return [mouse];
  const [down, up] = key(KEYS[how]);
  const pause = { type: "pause", duration: 0 };
  mouse.actions = [pause, ...actions, pause];
  return [keyboard(down, ...actions.map(() => pause), up), mouse];
}

async function make(tab, how = "click", number = 0) {
  const keyed = how === "enter" || how === "space";
  const place = await tab.evaluate(aim, number, keyed);
  if (how === "script")
    await tab.evaluate((number) => document.querySelector(`[data-case="${number}"] > *`).click(), number);
  else await tab.act(...gesture(how, place));
}

/** What is expected of a case: the entity less what every event has. */
function expected({ expect, more }) {
  const type = "web.webinteraction.linkClicks";
  const interaction = { region: "BODY", type: "other", linkClicks: { value: 1 }, ...expect };
  for (const key of ["name", "URL", "region"])
    if (interaction[key]) interaction[key] = filled(interaction[key]);
  return { eventType: type, web: { webInteraction: interaction }, ...more };
}

/** The same of what arrived. */
function essence({ _id, timestamp, identityMap, web: { webPageDetails, webReferrer, ...web }, ...entity }) {
  return { ...entity, web };
}

/** WebKit's driver lets go of the main button, whichever it has pressed. */
const can = (engine, { how }) => engine !== "webkit" || (how !== "middle" && how !== "right");

const entities = async () => (await inlet.entities()).reverse();
const titleOf = (entity) => entity.web.webPageDetails.name;

test("there are at least 200 cases, and no two alike", () => {
  assert.ok(cases.length >= 200);
  assert.equal(new Set(cases.map(({ how, html }) => `${how} ${html}`)).size, cases.length);
  assert.equal(new Set(cases.map(({ what }) => what)).size, cases.length);
});

/** Everything in the data file on one page, each clicked once. */
async function clickAll(engine, browser) {
  const body = cases.map(({ html }, number) => `<div data-case="${number}">${filled(html)}</div>`).join("\n");
  const head = `${STAY}<style>
    [data-case] { min-height: 24px; margin: 8px; overflow: hidden; width: 700px; overflow-wrap: anywhere }
    a, button { display: inline-block }
  </style>`;
  const tab = await browser.open(put("/clicks/page", `<body onclick="void 0">${body}</body>`, {}, head));
  await ready(tab);
  for (const [number, one] of cases.entries()) if (can(engine, one)) await make(tab, one.how, number);
  const last = `case ${cases.length - 1}`;
  await until("the last click", async () => (await entities()).some((entity) => titleOf(entity) === last));
  await tab.evaluate(() => xdmBeacon("flush"));
  await tab.close();

  const all = await entities();
  assert.deepEqual(await inlet.bad(), []);
  const wrong = [];
  for (const [number, one] of cases.entries()) {
    const arrived = all.filter((entity) => titleOf(entity) === `case ${number}`).map(essence);
    const due = one.expect === null ? [] : Array(one.twice ? 2 : 1).fill(expected(one));
    if (can(engine, one) && !isDeepStrictEqual(arrived, due)) wrong.push({ what: one.what, arrived, due });
  }
  assert.deepEqual(wrong, []);
  assert.ok(!JSON.stringify(await inlet.good()).includes("canary"));
}

/** Ways to the next page, which does not have the library: what does not arrive now never does. */
const WAYS = {
  "a link": { html: "<a href='there'>Away</a>" },
  "the enter key": { html: "<a href='there'>Away</a>", how: "enter" },
  "a link with a target": { html: "<a href='there' target='_top'><b t>Away</b></a>" },
  "a form": { html: "<form action='there'><button t>Away</button></form>" },
  "a script, when the link was clicked": {
    html: "<a href='there' onclick='event.preventDefault(); location = this.href'>Away</a>",
  },
  "a script, when a button was clicked": {
    html: `<button type="button" onclick="location = 'there'">Away</button>`,
  },
};

async function navigate(browser, { html, how }) {
  const gate = await openGate(inlet);
  try {
    stage.put("/clicks/there", "<!doctype html><title>There</title>");
    const url = put("/clicks/here", `<body><div data-case="0">${html}</div></body>`, {
      endpoint: options().endpoint.replace(inlet.origin, gate.origin),
    });
    const tab = await browser.open(url);
    // The endpoint is known to this page, and asked for leave.
    await tab.evaluate(() => xdmBeacon("sendEvent", { type: "first" }));
    let letGo;
    const held = new Promise((resolve) => {
      letGo = () => resolve(true);
    });
    gate.passes = ({ method }) => method === "OPTIONS" || held;
    await make(tab, how, 0);
    // A page that is about to go may give no answer.
    const there = () => document.readyState === "complete" && location.pathname === "/clicks/there";
    await until("the next page", () => tab.evaluate(there).catch(() => false));
    const isClick = ({ eventType }) => eventType === "web.webinteraction.linkClicks";
    const [click] = await until("the click", async () => {
      const arrived = (await entities()).filter(isClick);
      return arrived.length > 0 && arrived;
    });
    // Its answer was not waited for.
    const unanswered = gate.requests.filter(({ method, status }) => method === "POST" && !status);
    assert.equal(unanswered.length, 1);
    assert.equal(click.web.webInteraction.name, "Away");
    letGo();
    await tab.close();
  } finally {
    await gate.close();
  }
}

/** Runs in the page, before all else: notes what goes wrong, and makes much go wrong. */
function hostility() {
  window.heard = [];
  window.pressed = 0;
  for (const type of ["error", "unhandledrejection"])
    addEventListener(type, (event) => heard.push(`${type}: ${event.message ?? event.reason}`));
  for (const name of ["log", "warn", "error", "info", "debug"])
    console[name] = (...words) => heard.push(`console.${name}: ${words}`);
  const fail = () => {
    throw new Error("broken");
  };
  window.breakElement = (element) => {
    for (const name of ["id", "attributes", "localName", "tagName", "textContent", "innerText", "childNodes"])
      Object.defineProperty(element, name, { get: fail });
    for (const name of ["getAttribute", "matches", "closest", "getRootNode", "toString"])
      element[name] = fail;
  };
  const places = {
    matches: Element.prototype,
    getAttribute: Element.prototype,
    composedPath: Event.prototype,
  };
  const whole = Object.fromEntries(Object.entries(places).map(([name, place]) => [name, place[name]]));
  window.breakAll = () => {
    for (const [name, place] of Object.entries(places)) place[name] = fail;
  };
  window.mend = () => {
    for (const [name, place] of Object.entries(places)) place[name] = whole[name];
  };
}

async function survive(browser) {
  const button = (number, text) =>
    `<div data-case="${number}"><button onclick="pressed++">${text}</button></div>`;
  const body = ["Broken", "Everything broken", "Mended"].map((text, number) => button(number, text)).join("");
  const tab = await browser.open(
    put("/clicks/hostile", `<body>${body}</body>`, {}, `<script>(${hostility})()</script>`),
  );
  await ready(tab);
  const press = async (number) => tab.act(...gesture("click", await tab.evaluate(aim, number)));
  await tab.evaluate(() => breakElement(document.querySelector("[data-case='0'] button")));
  await press(0);
  const { x, y } = await tab.evaluate(aim, 1);
  await tab.evaluate(() => breakAll());
  await tab.act(...gesture("click", { x, y }));
  await tab.evaluate(() => mend());
  await press(2);
  const told = async () => (await entities()).map((entity) => entity.web.webInteraction.name);
  await until("the last click", async () => (await told()).includes("Mended"));
  assert.deepEqual(await tab.evaluate(() => [pressed, heard]), [3, []]);
  const names = await told();
  assert.deepEqual(names.sort(), ["Broken", "Mended"]);
  await tab.close();
}

async function qualify(browser) {
  const links = ["/files/list", "/a.EPUB?x", "/files/more/list/", "/a.pdf"];
  const body = links
    .map((href, number) => `<div data-case="${number}"><a href="${href}">x</a></div>`)
    .join("");
  const tracking = { downloadLinkQualifier: "/files/[^/]+$|\\.epub$" };
  const tab = await browser.open(put("/clicks/qualified", `<body>${body}</body>`, { tracking }, STAY));
  await ready(tab);
  for (const number of links.keys()) await make(tab, "click", number);
  await until("the last click", async () => (await entities()).length === links.length);
  const types = (await entities()).map((entity) => [titleOf(entity), entity.web.webInteraction.type]);
  assert.deepEqual(Object.fromEntries(types), {
    "case 0": "download",
    "case 1": "download",
    "case 2": "other",
    "case 3": "other",
  });

  for (const bad of ["(", "[", "a{2,1}", "x*"]) {
    await tab.goto(put("/clicks/bad", "<body></body>", { track: [] }));
    const code = await tab.evaluate(
      async (options) => {
        const script = document.createElement("script");
        window.__xdmBeaconNS = ["another"];
        window.another = undefined;
        script.src = "/sdk/xdm-beacon.js";
        await new Promise((resolve) => {
          script.onload = resolve;
          document.head.append(script);
        });
        return another("configure", options).catch((error) => error.code);
      },
      options({ tracking: { downloadLinkQualifier: bad } }),
    );
    assert.equal(code, "not-a-pattern", bad);
  }
  await tab.close();
}

for (const engine of engineNames) {
  test(engine, (t) =>
    inParts(t, engine, inlet.reset, async (browser, part) => {
      await part("what arrives of each element is what the data file says", () => clickAll(engine, browser));
      for (const [name, way] of Object.entries(WAYS))
        await part(`a click that navigates arrives and holds nothing up: ${name}`, () =>
          navigate(browser, way),
        );
      await part("whatever the page has broken, it does not hear of it", () => survive(browser));
      await part("the site's qualifier tells downloads, and a bad one is refused", () => qualify(browser));
    }),
  );
}
