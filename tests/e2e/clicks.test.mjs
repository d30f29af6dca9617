// Clicks, as a person makes them, in three real browsers: what arrives at the inlet for each element of
// clicks/cases.json, clicks that navigate, and pages that make it hard.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { engineNames, openEngine } from "./engines.mjs";
import { openInlet, openStage, optionsFor, page, until } from "./support.mjs";

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

const entities = async () => (await inlet.good()).map((row) => row.message.body.xdmEntity).reverse();
const titleOf = (entity) => entity.web.webPageDetails.name;

test("there are at least 200 cases, and no two alike", () => {
  assert.ok(cases.length >= 200);
  assert.equal(new Set(cases.map(({ how, html }) => `${how} ${html}`)).size, cases.length);
  assert.equal(new Set(cases.map(({ what }) => what)).size, cases.length);
});

for (const engine of engineNames) {
  test(`${engine}: what arrives of each element is what the data file says`, async () => {
    await inlet.reset();
    const body = cases
      .map(({ html }, number) => `<div data-case="${number}">${filled(html)}</div>`)
      .join("\n");
    const head = `${STAY}<style>
      [data-case] { min-height: 24px; margin: 8px; overflow: hidden; width: 700px; overflow-wrap: anywhere }
      a, button { display: inline-block }
    </style>`;
    const url = put("/clicks/page", `<body onclick="void 0">${body}</body>`, {}, head);
    const browser = await openEngine(engine);
    try {
      const tab = await browser.open(url);
      await ready(tab);
      for (const [number, one] of cases.entries()) if (can(engine, one)) await make(tab, one.how, number);
      const last = `case ${cases.length - 1}`;
      await until("the last click", async () =>
        (await entities()).some((entity) => titleOf(entity) === last),
      );
      await tab.evaluate(() => xdmBeacon("flush"));
      const all = await entities();
      assert.deepEqual(await inlet.bad(), []);
      const wrong = [];
      for (const [number, one] of cases.entries()) {
        if (!can(engine, one)) continue;
        const arrived = all.filter((entity) => titleOf(entity) === `case ${number}`).map(essence);
        const due = one.expect === null ? [] : Array(one.twice ? 2 : 1).fill(expected(one));
        try {
          assert.deepEqual(arrived, due);
        } catch {
          wrong.push({ number, what: one.what, arrived, due });
        }
      }
        (await import("node:fs")).writeFileSync(`/tmp/wrong-${engine}.json`, JSON.stringify(wrong));
      assert.deepEqual(wrong, []);
      assert.ok(!JSON.stringify(await inlet.good()).includes("canary"));
    } finally {
      await browser.close();
    }
  });
}
