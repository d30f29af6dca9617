import { announce } from "./announce.js";
import * as api from "./api.js";
import { atMostEvery, el, find } from "./dom.js";
import { clock, counted, date } from "./format.js";
import { jsonView } from "./json-view.js";

/** Events of a profile that are drawn before a button offers the rest. */
const EVENTS = 50;

const link = ({ namespace, id }) => `#/profiles?${new URLSearchParams({ namespace, id })}`;

/** The merged profiles: a list, a search by namespace and id, and one of them with its events. */
export function profilesView() {
  const view = find("#profiles");
  const rows = find("#profile-rows");
  const place = find("#profile");
  let open = { namespace: "", id: "" };
  let drawnAt = 0;

  function listItem(profile) {
    const current = profile.namespace === open.namespace && profile.id === open.id;
    return el(
      "li",
      {},
      el(
        "a",
        { class: "profile-link", href: link(profile), ...(current && { "aria-current": "true" }) },
        el("span", { class: "chip" }, profile.namespace),
        el("span", { class: "profile-id" }, profile.id),
        el(
          "span",
          { class: "profile-facts" },
          `${counted(profile.identities, "identity", "identities")}, ${counted(profile.events, "event")}, ${clock(profile.updatedAt).slice(0, 8)}`,
        ),
      ),
    );
  }

  const drawList = atMostEvery(1000, async () => {
    if (view.hidden) return;
    try {
      const { profiles } = await api.profiles();
      rows.replaceChildren(...profiles.map(listItem));
      find("#no-profiles").hidden = profiles.length > 0;
      find("#profile-layout").hidden = profiles.length === 0 && !open.id;
      const namespaces = [...new Set(["Email", "ECID", ...profiles.map(({ namespace }) => namespace)])];
      find("#namespaces").replaceChildren(...namespaces.map((value) => el("option", { value })));
      find("#profiles-error").hidden = true;
    } catch (error) {
      find("#profiles-error").hidden = false;
      find("#profiles-error").textContent = error.message;
    }
  });

  function eventItem(event) {
    const at = Date.parse(event.timestamp);
    const body = el("div", {});
    const item = el(
      "details",
      {
        ontoggle: () => {
          if (item.open && !body.firstChild) body.append(jsonView(event).element);
        },
      },
      el(
        "summary",
        {},
        el("time", { dateTime: event.timestamp }, Number.isNaN(at) ? event.timestamp : date(at)),
        " ",
        el("strong", {}, event.eventType ?? "event"),
      ),
      body,
    );
    return el("li", {}, item);
  }

  function eventList(events) {
    const list = el("ol", { class: "events" }, ...events.slice(0, EVENTS).map(eventItem));
    if (events.length <= EVENTS) return [list];
    const more = el(
      "button",
      {
        type: "button",
        class: "small",
        onclick: () => {
          list.append(...events.slice(EVENTS).map(eventItem));
          more.remove();
        },
      },
      `${counted(events.length - EVENTS, "older event")}`,
    );
    return [list, more];
  }

  function drawProfile({ identities, record, events, updatedAt }) {
    const names = Object.entries(identities).flatMap(([namespace, list]) =>
      list.map(({ id }) =>
        el(
          "li",
          {},
          el("a", { href: link({ namespace, id }) }, el("span", { class: "chip" }, namespace), " ", id),
        ),
      ),
    );
    place.replaceChildren(
      el("h3", { tabIndex: -1 }, el("span", { class: "chip" }, open.namespace), " ", open.id),
      el("p", { class: "soft" }, `Last changed on ${date(updatedAt)}.`),
      el("h4", {}, counted(names.length, "identity", "identities")),
      el("ul", { class: "identities" }, ...names),
      el("h4", {}, "Merged record"),
      Object.keys(record ?? {}).length > 0
        ? jsonView(record).element
        : el(
            "p",
            { class: "soft" },
            "No record yet: only events name this person so far. A page adds one with sendProfile.",
          ),
      el("h4", {}, counted(events.length, "event")),
      ...(events.length > 0 ? eventList(events) : [el("p", { class: "soft" }, "None yet.")]),
    );
  }

  async function drawOpen() {
    drawnAt = Date.now();
    const wanted = open;
    if (!wanted.id) {
      place.replaceChildren(
        el("p", { class: "soft" }, "Choose a profile, or look one up by its namespace and id."),
      );
      return;
    }
    try {
      const profile = await api.profile(wanted.namespace, wanted.id);
      if (wanted === open) drawProfile(profile);
      announce(`Profile of ${wanted.namespace} ${wanted.id}: ${counted(profile.events.length, "event")}`);
    } catch (error) {
      if (wanted !== open) return;
      place.replaceChildren(
        el("h3", { tabIndex: -1 }, el("span", { class: "chip" }, wanted.namespace), " ", wanted.id),
        el(
          "p",
          {},
          error.status === 404
            ? "Nobody is known by this id. Namespace and id are compared letter by letter, and only datasets that are enabled for Profile count."
            : error.message,
        ),
      );
    }
  }

  find("#profile-search").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const next = link({ namespace: form.get("namespace").trim(), id: form.get("id").trim() });
    if (location.hash === next) drawOpen();
    else location.hash = next;
  });
  find("#profile-refresh").addEventListener("click", () => {
    drawList();
    drawOpen();
  });

  return {
    /** @param {URLSearchParams} params */
    async show(params) {
      open = { namespace: params.get("namespace") ?? "", id: params.get("id") ?? "" };
      if (open.id) {
        find("#profile-namespace").value = open.namespace;
        find("#profile-id").value = open.id;
      }
      drawList();
      await drawOpen();
      if (open.id && matchMedia("(max-width: 899px)").matches) place.scrollIntoView();
    },
    /** Messages came in: the list follows, the open profile stays as it is being read. */
    news() {
      drawList();
    },
    clear() {
      drawList();
      if (drawnAt > 0 && !view.hidden) drawOpen();
    },
  };
}
