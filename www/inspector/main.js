/**
 * The inspector: what arrives at the inlet, as it arrives.
 *
 * The address after `#` names the view: `#/messages`, `#/profiles?namespace=Email&id=…`, `#/datasets`, `#/faults`.
 */

import { announce } from "./announce.js";
import * as api from "./api.js";
import { atMostEvery, find } from "./dom.js";
import { count } from "./format.js";
import { follow } from "./stream.js";
import { datasetsView } from "./view-datasets.js";
import { faultsView } from "./view-faults.js";
import { messagesView } from "./view-messages.js";
import { profilesView } from "./view-profiles.js";

/** @type {Map<string, string>} */
let names = new Map();
const datasetName = (id) => (id === null ? "no dataset" : names.get(id) || id);

const datasets = datasetsView({
  onNames: (found) => {
    names = found;
  },
});
const messages = messagesView({ datasetName });
const profiles = profilesView();
const views = { messages, profiles, datasets, faults: faultsView() };

// --- counts -----------------------------------------------------------------------------------------

/** @type {api.Counts} */
let counts = { received: 0, good: 0, bad: 0, duplicates: 0 };

/** @param {api.Counts} now */
function setCounts(now) {
  const emptied = now.received < counts.received;
  counts = now;
  for (const [name, value] of Object.entries(counts)) {
    const place = find(`#count-${name}`);
    if (place) place.textContent = count(value);
  }
  document.title = `${counts.bad > 0 ? `${count(counts.bad)} bad · ` : ""}XDM Beacon inspector`;
  if (emptied) for (const view of Object.values(views)) view.clear();
}

// Asked for, not added up: after a gap the stream repeats what was missed, and a sum would count it twice.
// No answer: the connection's own display says so.
const countAgain = atMostEvery(500, () => api.counts().then(setCounts, () => {}));

// --- the stream -------------------------------------------------------------------------------------

const learnNames = atMostEvery(1000, () => datasets.names());

follow({
  row(row) {
    if (row.datasetId !== null && !names.has(row.datasetId)) learnNames();
    countAgain();
    messages.add(row);
    profiles.news();
    datasets.news();
  },
  counts: setCounts,
  state(state, again) {
    const place = find("#connection");
    place.dataset.state = state;
    place.textContent = state === "open" ? "live" : again ? "reconnecting …" : "connecting …";
    if (state === "open" && again) {
      announce("Connected again");
      messages.load();
    }
    if (state === "waiting" && again) announce("The connection to the inlet is lost. Trying again.");
  },
});

// --- reset ------------------------------------------------------------------------------------------

const dialog = find("#reset-dialog");

find("#reset").addEventListener("click", () => {
  find("#reset-error").hidden = true;
  dialog.showModal();
});

find("#reset-form").addEventListener("submit", async (event) => {
  if (event.submitter?.value !== "reset") return;
  event.preventDefault();
  try {
    setCounts(await api.reset());
    dialog.close();
    announce("The inlet is empty");
  } catch (error) {
    find("#reset-error").hidden = false;
    find("#reset-error").textContent = error.message;
  }
});

// --- which view -------------------------------------------------------------------------------------

function show(moved) {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const name = path in views ? path : "messages";
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  for (const link of document.querySelectorAll("#views a")) {
    if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  views[name].show(new URLSearchParams(query));
  if (moved) find(`#${name} h2`).focus({ preventScroll: true });
}

addEventListener("hashchange", () => show(true));

async function start() {
  // The names first: rows are drawn with them.
  await datasets.names();
  show(false);
  messages.load();
  views.faults.show();
}

start();
