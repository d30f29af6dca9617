import { announce, mention } from "./announce.js";
import * as api from "./api.js";
import { drawProfile, drawRate, drawStored } from "./charts.js";
import { detailPane } from "./detail.js";
import { el, find, settled } from "./dom.js";
import { clock, count, counted, duration } from "./format.js";
import { virtualList } from "./list.js";
import { Durations, Rate, WINDOW_S } from "./metrics.js";
import { snippets } from "./snippet.js";
import { MessageStore, matches, NO_TYPE } from "./store.js";

/** @typedef {import("./api.js").Row} Row */

const PAGE = 500;
/** From this width on, list and message stand side by side. */
const wide = matchMedia("(min-width: 900px)");
const oneLine = matchMedia("(min-width: 640px)");

/** Heights of a row as in inspector.css (`.row`), in rem. */
const rowHeight = () =>
  (oneLine.matches ? 2 : 3.4) * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);

/**
 * The messages: plots, filters, the list and the message chosen in it.
 *
 * @param {{datasetName: (id: string | null) => string}} options
 */
export function messagesView({ datasetName }) {
  const store = new MessageStore();
  const rate = new Rate();
  const stored = new Durations();
  const visible = new Durations();

  /** @type {import("./store.js").Filter} */
  const filter = { verdict: "all", eventType: "", datasetId: "", text: "" };
  /** Rows that pass the filter, oldest first. @type {Row[]} */
  let shown = [];
  /** How far into the store's rows `shown` has got. */
  let seen = 0;
  let due = false;
  let loading = false;
  /** Since when the rate is complete, epoch ms. */
  let ratedFrom = 0;
  const types = new Map();
  const datasets = new Map();

  const view = find("#messages");
  const layout = find("#messages-layout");
  const status = find("#list-status");
  const newRows = find("#new-rows");
  const older = find("#older");

  const detail = detailPane(find("#detail"), { datasetName, onBack: back });
  const list = virtualList({
    label: "Messages, newest first",
    rowHeight,
    key: (row) => row.seq,
    row: drawRow,
    onSelect: choose,
    onEnd: () => {},
    onHidden: (hidden) => {
      newRows.hidden = hidden === 0;
      newRows.textContent = `↑ ${count(hidden)} new`;
    },
  });
  find("#list-place").replaceWith(list.element);
  find("#snippets").append(...snippets());

  // --- rows ---------------------------------------------------------------------------------------

  /** @param {Row} row */
  function drawRow(row) {
    const bad = row.violations?.length ?? 0;
    return el(
      "div",
      { class: `row row-${row.verdict}` },
      el("span", { class: "cell-time" }, clock(row.receivedAt)),
      el("span", { class: `verdict verdict-${row.verdict}` }, el("span", {}, row.verdict)),
      el(
        "span",
        { class: "cell-type" },
        row.eventType ?? NO_TYPE,
        row.duplicate && el("span", { class: "chip" }, "duplicate"),
      ),
      el(
        "span",
        { class: "cell-id" },
        bad > 0 ? `${counted(bad, "violation")}: ${row.violations[0].message}` : (row.id ?? "–"),
      ),
      el("span", { class: "cell-dataset" }, datasetName(row.datasetId)),
      el("span", { class: "cell-latency" }, duration(row.latency.storedMs)),
    );
  }

  /** @param {Row} row @param {"moved" | "chosen"} how */
  function choose(row, how) {
    // On a narrow page the message takes the place of the list, so walking along the list must not open it.
    if (!wide.matches && how === "moved") return;
    detail.show(row);
    layout.classList.add("has-choice");
    if (how === "chosen" && !wide.matches) detail.focus();
  }

  function back() {
    layout.classList.remove("has-choice");
    list.focus();
  }

  // --- what is shown ------------------------------------------------------------------------------

  function option(select, values, value, text = value) {
    if (values.has(value)) return;
    values.set(value, text);
    const before = [...select.options].slice(1).find((other) => other.text > text);
    select.add(new Option(text, value), before ?? null);
  }

  function tally(row) {
    stored.add(row.latency.storedMs);
    visible.add(row.latency.profileMs);
    option(find("#filter-type"), types, row.eventType ?? NO_TYPE);
    if (row.datasetId !== null)
      option(find("#filter-dataset"), datasets, row.datasetId, datasetName(row.datasetId));
  }

  /** Everything anew: the filter, the reach of the listings, or what the store holds has changed. */
  function rebuild(fresh) {
    const from = store.from(filter.verdict);
    shown = store.rows.filter((row) => row.seq >= from && matches(row, filter));
    seen = store.rows.length;
    list.show(shown, fresh);
    describe();
  }

  /** What the stream brought since. */
  function catchUp() {
    const news = store.rows.slice(seen).filter((row) => matches(row, filter));
    seen = store.rows.length;
    if (news.length > 0) {
      shown = shown.concat(news);
      list.show(shown);
    }
    describe();
  }

  function describe() {
    const filtered = filter.verdict !== "all" || filter.eventType || filter.datasetId || filter.text;
    const nothing = store.rows.length === 0 && !loading;
    find("#no-messages").hidden = !nothing;
    layout.hidden = nothing;
    status.textContent = filtered
      ? `${count(shown.length)} of ${counted(store.rows.length, "loaded message")}`
      : counted(shown.length, "message");
    find("#no-match").hidden = shown.length > 0 || nothing;
    const more = store.reach("good") !== null || store.reach("bad") !== null;
    older.hidden = !more;
    older.disabled = loading || store.full;
    older.textContent = store.full
      ? "This page holds no more; the datasets hold all"
      : loading
        ? "Loading …"
        : "Load older";
  }

  const redraw = () => {
    due = false;
    if (store.trim()) rebuild(false);
    else catchUp();
  };

  // A hidden page gets no animation frames; the store's cap has to hold there too.
  const later = () => {
    if (due) return;
    due = true;
    if (document.hidden) setTimeout(redraw, 1000);
    else requestAnimationFrame(redraw);
  };

  async function load(ask, known) {
    if (loading) return;
    loading = true;
    describe();
    const fresh = [];
    try {
      for (const verdict of ["good", "bad"]) {
        const after = ask(verdict);
        if (after === null) continue;
        for (const row of store.addPage(verdict, await api.history(verdict, { limit: PAGE, after }), known)) {
          tally(row);
          fresh.push(row);
        }
      }
      // Below that, only one verdict is known, and a rate of it would mislead.
      const from = store.from("all");
      const whole = fresh.filter((row) => row.seq >= from);
      for (const row of whole) rate.add(row.verdict, row.receivedAt, Date.now());
      if (known === undefined && from > 0) ratedFrom = Math.min(...whole.map((row) => row.receivedAt));
      find("#load-error").hidden = true;
    } catch (error) {
      find("#load-error").hidden = false;
      find("#load-error").textContent = error.message;
    }
    loading = false;
    store.trim();
    rebuild(false);
    plots();
  }

  // --- plots --------------------------------------------------------------------------------------

  function plots() {
    if (view.hidden || document.hidden || !find("#plots").open) return;
    const now = Date.now();
    drawRate(find("#plot-rate"), rate.window(now), ratedFrom > now - WINDOW_S * 1000);
    drawStored(find("#plot-stored"), stored.values);
    drawProfile(find("#plot-profile"), visible.values);
  }

  setInterval(plots, 1000);
  new ResizeObserver(plots).observe(find("#plots"));
  find("#plots").addEventListener("toggle", plots);
  if (!wide.matches) find("#plots").open = false;

  // --- filters ------------------------------------------------------------------------------------

  const refilter = () => {
    rebuild(true);
    announce(status.textContent);
  };

  view.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (name !== "verdict" && name !== "eventType" && name !== "datasetId") return;
    filter[name] = value;
    refilter();
  });
  const search = settled(150, () => {
    filter.text = find("#filter-text").value.trim().toLowerCase();
    refilter();
  });
  find("#filter-text").addEventListener("input", search);

  newRows.addEventListener("click", () => {
    list.toTop();
    list.focus();
  });
  older.addEventListener("click", () => load((verdict) => store.reach(verdict)));

  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !view.hidden && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      find("#filter-text").focus();
    }
    if (event.key === "Escape" && !wide.matches && layout.classList.contains("has-choice")) back();
  });

  return {
    /** @param {Row} row from the stream */
    add(row) {
      if (!store.add(row)) return;
      rate.add(row.verdict, row.receivedAt, Date.now());
      tally(row);
      if (row.verdict === "bad" && !view.hidden)
        mention(`A bad message came in: ${row.eventType ?? NO_TYPE}`);
      later();
    },

    /** The newest messages; after a gap in the stream, again. */
    load: () => load(() => undefined, store.rows.at(-1)?.seq),

    clear() {
      store.clear();
      rate.clear();
      ratedFrom = 0;
      stored.clear();
      visible.clear();
      detail.clear();
      layout.classList.remove("has-choice");
      list.select(null);
      rebuild(true);
      load(() => undefined);
    },

    show() {
      rebuild(false);
      plots();
    },
  };
}
