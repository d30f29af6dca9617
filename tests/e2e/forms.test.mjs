// Forms, as a person fills them in and submits them, in three real browsers: what arrives at the inlet of each
// kind of form and field, forms that navigate, and what was typed, which arrives nowhere.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { engineNames, inParts } from "./engines.mjs";
import { noteListener, openGate, openInlet, openStage, optionsFor, page, until } from "./support.mjs";

let inlet, stage;
before(async () => {
  inlet = await openInlet();
  stage = await openStage();
});
after(async () => {
  await stage?.close();
  await inlet?.close();
});

const options = (more) =>
  optionsFor(inlet.origin, {
    context: ["web"],
    track: ["forms"],
    tracking: { paths: { forms: "_xdmbeacon.form" } },
    ...more,
  });

/** Whatever is submitted on a page that has this stays there. */
const STAY = `<script>addEventListener("submit", (event) => event.preventDefault())</script>`;

const put = (path, body, more, head = "") => {
  const html = page(options(more), { head: noteListener("document", "submit") + head });
  stage.put(path, html.replace("<body></body>", `<body>${body}</body>`));
  return stage.origin + path;
};

async function open(browser, ...of) {
  const tab = await browser.open(put(...of));
  await tab.evaluate(() => started());
  return tab;
}

/** What arrived, in no order: the details of each form. */
const forms = async () =>
  (await inlet.entities())
    .filter(({ eventType }) => eventType === "web.formFilledOut")
    .map(({ _xdmbeacon }) => _xdmbeacon?.form);

let lasts = 0;
/** What has arrived once so many have, and an event that is sent after them. */
async function arrived(tab, count) {
  await until(`${count} of them`, async () => (await forms()).length >= count);
  const type = `last ${++lasts}`;
  await tab.evaluate((type) => xdmBeacon("sendEvent", { type }).then(() => xdmBeacon("flush")), type);
  await until("the last event", async () =>
    (await inlet.entities()).some(({ eventType }) => eventType === type),
  );
  assert.deepEqual(await inlet.bad(), []);
  return forms();
}

const ENTER = "\uE007";
const type = (text) => [
  {
    type: "key",
    id: "keyboard",
    actions: [...text].flatMap((value) => [
      { type: "keyDown", value },
      { type: "keyUp", value },
    ]),
  },
];

/** Runs in the page: the element of this id, wherever it is. */
function seek(id) {
  const find = (root) => {
    for (const element of root.querySelectorAll("*")) {
      if (Element.prototype.getAttribute.call(element, "id") === id) return element;
      const inner = element.shadowRoot && find(element.shadowRoot);
      if (inner) return inner;
    }
  };
  return find(document);
}
const FIND = `<script>window.seek = ${seek}</script>`;

/** A person's click. */
async function press(tab, id) {
  const place = await tab.evaluate((id) => {
    const element = seek(id);
    element.scrollIntoView({ block: "center", behavior: "instant" });
    const { left, top, width, height } = element.getBoundingClientRect();
    return { x: Math.floor(left + width / 2), y: Math.floor(top + height / 2) };
  }, id);
  const actions = [
    { type: "pointerMove", ...place, duration: 0 },
    { type: "pointerDown", button: 0 },
    { type: "pointerUp", button: 0 },
  ];
  await tab.act({ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions });
}

/** A person's text, into the element of this id. */
async function write(tab, id, text) {
  await tab.evaluate((id) => seek(id).focus(), id);
  await tab.act(...type(text));
}

/** Fields, and whether they are told as filled in. The name of each says what it is. */
const FIELDS = [
  [`<input name="text" value="x">`, true],
  [`<input name="empty">`, false],
  [`<input name="blank" value=" &#x3000;&#xa0;">`, false],
  [`<input name="zero" value="0">`, true],
  [`<input type="password" name="password" value="x">`, true],
  [`<input type="nonsense" name="nonsense" value="x">`, true],
  [`<input type="email" name="email" value="x@y.z">`, true],
  [`<input type="date" name="date" value="2026-11-24">`, true],
  [`<input type="date" name="no date">`, false],
  [`<input type="number" name="number" value="nonsense">`, false],
  [`<input type="range" name="range">`, true],
  [`<input type="color" name="color">`, true],
  [`<input type="file" name="no file">`, false],
  [`<input type="checkbox" name="checked" checked>`, true],
  [`<input type="checkbox" name="not checked" value="x">`, false],
  [`<input type="radio" name="radio" value="a"><input type="radio" name="radio" value="b" checked>`, true],
  [`<input type="radio" name="no radio" value="a"><input type="radio" name="no radio" value="b">`, false],
  [`<input type="hidden" name="hidden" value="x">`, false],
  [`<input type="submit" name="submit input" value="x">`, false],
  [`<input type="button" name="button input" value="x">`, false],
  [`<input type="reset" name="reset" value="x">`, false],
  [`<input type="image" alt="image" name="image">`, false],
  [`<button name="button" value="x">x</button>`, false],
  [`<output name="output">x</output>`, false],
  [`<object name="object"></object>`, false],
  [`<fieldset name="fieldset"><input name="in a fieldset" value="x"></fieldset>`, true, "in a fieldset"],
  [`<input name="disabled" value="x" disabled>`, false],
  [`<fieldset disabled><input name="disabled by its fieldset" value="x"></fieldset>`, false],
  [`<input name="read only" value="x" readonly>`, true],
  [`<textarea name="textarea">x</textarea>`, true],
  [`<textarea name="empty textarea">\n \n</textarea>`, false],
  [`<select name="select"><option>a<option>b</select>`, true],
  [`<select name="select of nothing"><option value="">Choose<option>b</select>`, false],
  [`<select name="select of what is disabled"><option disabled selected>Choose<option>b</select>`, false],
  [
    `<select name="select in a group"><optgroup label="x" disabled><option selected>a</optgroup></select>`,
    false,
  ],
  [`<select name="multiple" multiple><option value="" selected>a<option selected>b</select>`, true],
  [`<select name="multiple of nothing" multiple><option>a</select>`, false],
  [`<select name="empty select"></select>`, false],
  [`<input id="by id" value="x">`, true, "by id"],
  [`<input name="" id="by id, too" value="x">`, true, "by id, too"],
  [`<input aria-label="by label" value="x">`, true, "by label"],
  [`<input value="nameless">`, false],
  [`<input name="anna@shop.example" value="x">`, true, "REDACTED"],
  [`<div contenteditable name="edited" id="edited">x</div>`, false],
  [`<x-plain name="custom" value="x"></x-plain>`, false],
  [`<x-text name="custom text"></x-text>`, true],
  [`<x-empty name="empty custom text"></x-empty>`, false],
  [`<x-on name="custom box"></x-on>`, true],
  [`<x-off name="custom box that is off"></x-off>`, false],
  [`<x-broken name="broken custom element"></x-broken>`, false],
  [`<x-text name="disabled custom text" disabled></x-text>`, false],
  // The page's names for what a form has itself.
  [`<input name="name" value="x">`, true],
  [`<input name="id" value="x">`, true],
  [`<input name="action" value="x">`, true],
  [`<input name="method" value="x">`, true],
  [`<input name="elements" value="x">`, true],
  [`<input name="length" value="x">`, true],
  [`<input name="getAttribute" value="x">`, true],
  [`<input name="matches" value="x">`, true],
  [`<input name="baseURI" value="x">`, true],
  [`<input name="localName" value="x">`, true],
];
const nameOf = ([html, , name]) => name ?? html.match(/name="([^"]*)"/)[1];

/** Form-associated elements of the page's own. */
const CUSTOM = `<script>
  const define = (name, members) => {
    class Field extends HTMLElement { static formAssociated = true }
    Object.defineProperties(Field.prototype, members);
    customElements.define(name, Field);
  };
  customElements.define("x-plain", class extends HTMLElement { value = "x" });
  define("x-text", { value: { value: "x" } });
  define("x-empty", { value: { value: null } });
  define("x-on", { value: { value: "on" }, checked: { value: true } });
  define("x-off", { value: { value: "on" }, checked: { value: false } });
  define("x-broken", { value: { get() { throw new Error("broken") } } });
</script>`;

async function tellFields(browser) {
  const body = FIELDS.map(
    ([html], number) => `<form id="f${number}" action="/f">${html}<button id="b${number}">x</button></form>`,
  );
  const tab = await open(browser, "/forms/fields", body.join("\n"), {}, CUSTOM + FIND + STAY);
  await tab.evaluate((count) => {
    for (let number = 0; number < count; number++)
      HTMLFormElement.prototype.requestSubmit.call(seek(`f${number}`));
  }, FIELDS.length);
  const told = await arrived(tab, FIELDS.length);
  const wrong = FIELDS.map((field, number) => ({
    field: field[0],
    told: told.filter(({ id }) => id === `f${number}`),
    due: [
      { id: `f${number}`, action: `${stage.origin}/f`, ...(field[1] && { fieldsFilled: [nameOf(field)] }) },
    ],
  })).filter(({ told, due }) => JSON.stringify(told) !== JSON.stringify(due));
  assert.deepEqual(wrong, []);
  assert.equal(told.length, FIELDS.length);
  await tab.close();
}

/** Ways to submit: what a person or the page does with a form, and how many events that makes. */
const WAYS = {
  "a click on its button": {
    html: `<form id="f"><input name="a" value="x"><button id="b">x</button></form>`,
    press: "b",
  },
  "the enter key": {
    html: `<form id="f"><input name="a" id="i" value="x"><button>x</button></form>`,
    write: ["i", ENTER],
  },
  "the enter key without a button": {
    html: `<form id="f"><input name="a" id="i" value="x"></form>`,
    write: ["i", ENTER],
  },
  "a button elsewhere": {
    html: `<form id="f"><input name="a" value="x"></form><button id="b" form="f">x</button>`,
    press: "b",
  },
  "an image": {
    html: `<form id="f"><input name="a" value="x"><input type="image" alt="image" id="b" style="width: 30px; height: 30px"></form>`,
    press: "b",
  },
  "a field elsewhere": {
    html: `<form id="f"><button id="b">x</button></form><input name="a" value="x" form="f">`,
    press: "b",
  },
  "a page that keeps the event to itself": {
    html: `<form id="f" onsubmit="event.stopImmediatePropagation(); return false"><input name="a" value="x"><button id="b">x</button></form>`,
    press: "b",
  },
  requestSubmit: {
    html: `<form id="f"><input name="a" value="x"></form>`,
    run: () => seek("f").requestSubmit(),
  },
  "twice at once": {
    html: `<form id="f"><input name="a" value="x"></form>`,
    run: () => {
      seek("f").requestSubmit();
      seek("f").requestSubmit();
    },
  },
  "once more, a second later": {
    html: `<form id="f"><input name="a" value="x"></form>`,
    run: async () => {
      seek("f").requestSubmit();
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      seek("f").requestSubmit();
    },
    times: 2,
  },
  "what the page submits once more": {
    html: `<form id="f"><input name="a" value="x"><button id="b">x</button></form>
      <script>f.onsubmit = () => { f.onsubmit = null; setTimeout(() => f.requestSubmit()) }</script>`,
    press: "b",
  },
  "an open shadow root": {
    html: `<div id="h"></div><script>h.attachShadow({ mode: "open" }).innerHTML =
      '<form id="f" onsubmit="return false"><input name="a" value="x"><button id="b">x</button></form>'</script>`,
    press: "b",
  },
  "the enter key in a shadow root in a shadow root": {
    html: `<div id="h"></div><script>
      h.attachShadow({ mode: "open" }).innerHTML = "<p></p>";
      h.shadowRoot.querySelector("p").attachShadow({ mode: "open" }).innerHTML =
      '<form id="f" onsubmit="return false"><input name="a" id="i" value="x"></form>'</script>`,
    write: ["i", ENTER],
  },
  "a page in a shadow root, once somebody has been there": {
    html: `<div id="h"></div><script>h.attachShadow({ mode: "open" }).innerHTML =
      '<form id="f" onsubmit="return false"><input name="a" id="i" value="x"></form>'</script>`,
    write: ["i", "y"],
    run: () => seek("f").requestSubmit(),
  },
  "form.submit(), which says nothing": {
    html: `<form id="f" action="/void" target="aside"></form><iframe name="aside"></iframe>
      <script>document.querySelector("iframe").onload = ({ target }) => {
        if (target.contentWindow.location.pathname === "/void") document.title = "happened";
      }</script>`,
    run: () => seek("f").submit(),
    times: 0,
  },
  "an event of the page's own": {
    html: `<form id="f" onsubmit="document.title = 'happened'"><input name="a"></form>`,
    run: () => seek("f").dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })),
    times: 0,
  },
  "fields that are not valid": {
    html: `<form id="f"><input name="a" required oninvalid="document.title = 'happened'"><button id="b">x</button></form>`,
    press: "b",
    times: 0,
  },
  "a closed shadow root": {
    html: `<div id="h" style="width: 200px"></div><script>h.attachShadow({ mode: "closed" }).innerHTML =
      '<form onsubmit="document.title = &quot;happened&quot;; return false"><button style="width: 200px">x</button></form>'</script>`,
    press: "h",
    times: 0,
  },
};

async function submit(browser, name) {
  const way = WAYS[name];
  const tab = await open(browser, "/forms/ways", way.html, {}, FIND + STAY);
  if (way.write) await write(tab, ...way.write);
  if (way.press) await press(tab, way.press);
  if (way.run) await tab.evaluate(way.run);
  // Where nothing is told, something has happened all the same.
  if (way.times === 0)
    await until("what is not told", () => tab.evaluate(() => document.title === "happened"));
  const told = await arrived(tab, way.times ?? 1);
  const form = { id: "f", action: `${stage.origin}/forms/ways`, fieldsFilled: ["a"] };
  assert.deepEqual(told, Array(way.times ?? 1).fill(form));
  await tab.close();
}

/** Where a form goes: what it says, and what is told. */
const ACTIONS = [
  [`<form action="/there?a#b">`, "", "/there?a#b"],
  [`<form>`, "", "/forms/actions"],
  [`<form action="">`, "", "/forms/actions"],
  [`<form action="there">`, "", "/base/there"],
  [`<form action="/there">`, `formaction="/elsewhere"`, "/elsewhere"],
  [`<form action="/there">`, `formaction=""`, "/forms/actions"],
  [`<form action="/there?m=anna%40shop.example">`, "", "/there?m=REDACTED"],
  [`<form action="/there">`, `formmethod="dialog"`, undefined],
  [`<form action="/there" method="DIALOG">`, "", undefined],
  [`<form action="/there" method="dialog">`, `formmethod="post"`, "/there"],
  [`<form action="javascript:void('canary')">`, "", undefined],
  [`<form action="data:text/plain,canary">`, "", undefined],
  [`<form action="https://[canary">`, "", undefined],
  [`<form action="https://anna:canary@other.test/x">`, "", "https://other.test/x"],
];

async function address(browser) {
  const body = ACTIONS.map(
    ([form, button], number) =>
      `${form.replace("<form", `<form id="f${number}" name="n${number}"`)}<button id="b${number}" ${button}>x</button></form>`,
  );
  const tab = await open(
    browser,
    "/forms/actions",
    body.join("\n"),
    {},
    `<base href="/base/x">${FIND}${STAY}`,
  );
  for (const number of ACTIONS.keys()) await press(tab, `b${number}`);
  const told = await arrived(tab, ACTIONS.length);
  const due = ACTIONS.map(([, , to], number) => ({
    name: `n${number}`,
    id: `f${number}`,
    ...(to && { action: to.startsWith("/") ? stage.origin + to : to }),
  }));
  const number = ({ id }) => Number(id.slice(1));
  assert.deepEqual(
    told.sort((one, other) => number(one) - number(other)),
    due,
  );
  assert.ok(!JSON.stringify(await inlet.good()).includes("canary"));
  await tab.close();
}

/** To the next page, which does not have the library: what does not arrive now never does. */
async function navigate(browser) {
  const gate = await openGate(inlet);
  try {
    stage.put("/forms/there", "<!doctype html><title>There</title>");
    const body = `<form id="f" action="there"><input name="a" value="x"><button id="b">x</button></form>`;
    const endpoint = options().endpoint.replace(inlet.origin, gate.origin);
    const tab = await open(browser, "/forms/here", body, { endpoint }, FIND);
    // The endpoint is known to this page, and asked for leave.
    await tab.evaluate(() => xdmBeacon("sendEvent", { type: "first" }));
    let letGo;
    const held = new Promise((resolve) => {
      letGo = () => resolve(true);
    });
    gate.passes = ({ method }) => method === "OPTIONS" || held;
    await press(tab, "b");
    // A page that is about to go may give no answer.
    const there = () => document.readyState === "complete" && location.pathname === "/forms/there";
    await until("the next page", () => tab.evaluate(there).catch(() => false));
    const told = await until("the form", async () => {
      const all = await forms();
      return all.length > 0 && all;
    });
    assert.deepEqual(told, [{ id: "f", action: `${stage.origin}/forms/there`, fieldsFilled: ["a"] }]);
    // Its answer was not waited for.
    assert.ok(gate.requests.some(({ method, status }) => method === "POST" && !status));
    letGo();
    await tab.close();
  } finally {
    await gate.close();
  }
}

/** What is typed, by the id of the field; each is found nowhere. */
const CANARIES = {
  text: `<input id="text" name="text">`,
  search: `<input type="search" id="search" name="search">`,
  tel: `<input type="tel" id="tel" name="tel">`,
  url: `<input type="url" id="url" name="url">`,
  email: `<input type="email" id="email" name="email">`,
  password: `<input type="password" id="password" name="password">`,
  nameless: `<input id="nameless" name="">`,
  textarea: `<textarea id="textarea" name="textarea"></textarea>`,
  edited: `<div contenteditable id="edited">x</div>`,
  shadow: `<x-shadow name="shadow"></x-shadow>`,
};
/** What nobody types, but is in there all the same. */
const KEPT = `
  <input type="hidden" name="hidden" value="canary-hidden">
  <input type="number" name="number" value="7357007357">
  <input type="checkbox" name="box" value="canary-box" checked>
  <input type="radio" name="radio" value="canary-radio" checked>
  <select name="select"><option value="canary-option">canary-label</select>
  <input list="l" name="listed" value="canary-listed"><datalist id="l"><option value="canary-list"></datalist>
  <output name="output">canary-output</output>
  <x-own name="own"></x-own>`;
const ELEMENTS = `<script>
  customElements.define("x-shadow", class extends HTMLElement {
    connectedCallback() { this.attachShadow({ mode: "open" }).innerHTML = '<input id="shadow">'; }
  });
  customElements.define("x-own", class extends HTMLElement {
    static formAssociated = true;
    value = "canary-own";
    constructor() { super(); this.attachInternals().setFormValue("canary-own"); }
  });
</script>`;

/** What a canary of this field looks like. */
const canaryOf = (id) =>
  ({ url: "https://canary-url.test", email: "canary-email@canary.test" })[id] ?? `canary-${id}`;

async function hideValues(browser) {
  const body = `<form id="f" onsubmit="return false">${Object.values(CANARIES).join("\n")}${KEPT}<button id="b">x</button></form>`;
  const track = ["forms", "clicks", "pageViews", "errors"];
  const context = ["web", "device", "environment", "placeContext", "implementationDetails"];
  // What people type is what they type, whatever it looks like: redaction does not help here.
  const more = { track, context, privacy: { redact: false } };
  const tab = await open(browser, "/forms/canaries", body, more, ELEMENTS + FIND);
  for (const id of Object.keys(CANARIES)) await write(tab, id, canaryOf(id));
  const typed = await tab.evaluate(
    (ids) => ids.map((id) => seek(id).value ?? seek(id).textContent),
    Object.keys(CANARIES),
  );
  for (const [number, id] of Object.keys(CANARIES).entries())
    assert.ok(typed[number].includes(canaryOf(id)), `${id}: ${typed[number]}`);
  await press(tab, "b");
  const told = await arrived(tab, 1);
  assert.deepEqual(told, [
    {
      id: "f",
      action: `${stage.origin}/forms/canaries`,
      fieldsFilled: [
        ...["text", "search", "tel", "url", "email", "password", "nameless", "textarea"],
        ...["number", "box", "radio", "select", "listed", "own"],
      ],
    },
  ]);
  const all = JSON.stringify([await inlet.good(), await inlet.bad()]);
  for (const secret of ["canary-", "canary.", "7357007357"]) assert.ok(!all.includes(secret), secret);
  await tab.close();
}

/** Runs in the page, before all else: notes what goes wrong, and makes much go wrong. */
function hostility() {
  window.heard = [];
  for (const type of ["error", "unhandledrejection"])
    addEventListener(type, (event) => heard.push(`${type}: ${event.message ?? event.reason}`));
  for (const name of ["log", "warn", "error", "info", "debug"])
    console[name] = (...words) => heard.push(`console.${name}: ${words}`);
  const fail = () => {
    throw new Error("broken");
  };
  const places = {
    elements: HTMLFormElement.prototype,
    getAttribute: Element.prototype,
    matches: Element.prototype,
    composedPath: Event.prototype,
  };
  const whole = Object.entries(places).map(([name, place]) => [
    place,
    name,
    Object.getOwnPropertyDescriptor(place, name),
  ]);
  window.breakAll = () => {
    for (const [name, place] of Object.entries(places)) Object.defineProperty(place, name, { get: fail });
  };
  window.mend = () => {
    for (const of of whole) Object.defineProperty(...of);
  };
}

async function survive(browser) {
  const form = (id) => `<form id="${id}"><input name="a" value="x"><button id="${id}-b">x</button></form>`;
  const head = `<script>(${hostility})()</script>${FIND}<script>
    window.submits = 0;
    addEventListener("submit", (event) => { submits++; event.preventDefault() });
  </script>`;
  const tab = await open(browser, "/forms/hostile", form("broken") + form("mended"), {}, head);
  const place = await tab.evaluate(() => {
    const { left, top, width, height } = seek("broken-b").getBoundingClientRect();
    breakAll();
    return { x: Math.floor(left + width / 2), y: Math.floor(top + height / 2) };
  });
  const actions = [
    { type: "pointerMove", ...place, duration: 0 },
    { type: "pointerDown", button: 0 },
    { type: "pointerUp", button: 0 },
  ];
  await tab.act({ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions });
  await tab.evaluate(() => mend());
  await press(tab, "mended-b");
  const told = await arrived(tab, 1);
  assert.deepEqual(
    told.map(({ id }) => id),
    ["mended"],
  );
  assert.deepEqual(await tab.evaluate(() => [submits, heard]), [2, []]);
  await tab.close();
}

async function stayAway(browser) {
  const tab = await browser.open(
    put("/forms/none", `<form id="f"></form>`, { track: ["clicks"] }, FIND + STAY),
  );
  const loaded = await tab.evaluate(async () => {
    await xdmBeacon("getStatus");
    seek("f").requestSubmit();
    return performance.getEntriesByType("resource").filter(({ name }) => /xdm-beacon-/.test(name)).length;
  });
  assert.equal(loaded, 0);
  assert.deepEqual(await arrived(tab, 0), []);

  // Without a place for details the event has its type.
  await tab.goto(put("/forms/bare", `<form id="f"></form>`, { tracking: {} }, FIND + STAY));
  await tab.evaluate(async () => {
    await started();
    seek("f").requestSubmit();
  });
  assert.deepEqual(await arrived(tab, 1), [undefined]);
  await tab.close();
}

for (const engine of engineNames) {
  test(engine, (t) =>
    inParts(t, engine, inlet.reset, async (browser, part) => {
      await part("fields that hold something are told by their names", () => tellFields(browser));
      for (const name of Object.keys(WAYS))
        await part(`counts ${WAYS[name].times ?? 1}: ${name}`, () => submit(browser, name));
      await part("where a form goes is told", () => address(browser));
      await part("a form that navigates arrives and holds nothing up", () => navigate(browser));
      await part("what was typed is found in no request", () => hideValues(browser));
      await part("whatever the page has broken, it does not hear of it", () => survive(browser));
      await part("nothing is fetched unless it is asked for", () => stayAway(browser));
    }),
  );
}
