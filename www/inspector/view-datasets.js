import { announce } from "./announce.js";
import * as api from "./api.js";
import { atMostEvery, el, find } from "./dom.js";
import { count } from "./format.js";

const TAGS = [
  ["unifiedProfile", "Profile", "Its messages are merged into profiles."],
  ["unifiedIdentity", "Identity", "Identities in one message are linked to each other."],
];

/**
 * What landed where, and the flags that the platform's catalog keeps as tags.
 *
 * @param {{onNames: (names: Map<string, string>) => void}} options
 */
export function datasetsView({ onNames }) {
  const view = find("#datasets");
  const place = find("#dataset-cards");

  function flag(dataset, [tag, name, hint]) {
    const on = dataset.tags?.[tag]?.includes("enabled:true") ?? false;
    const box = el("input", {
      type: "checkbox",
      id: `${tag}-${dataset.id}`,
      checked: on,
      onchange: async () => {
        box.disabled = true;
        try {
          await api.enable(dataset.id, tag, box.checked);
          announce(`${dataset.name}: ${name} ${box.checked ? "on" : "off"}`);
          complain("");
        } catch (error) {
          box.checked = on;
          complain(error.message);
        }
        await draw();
        find(`[id="${box.id}"]`)?.focus();
      },
    });
    return el(
      "p",
      { class: "switch" },
      box,
      el("label", { htmlFor: box.id }, el("strong", {}, name), el("span", { class: "soft" }, ` ${hint}`)),
    );
  }

  const figure = (name, value, kind) =>
    el("div", { class: kind ?? "" }, el("dt", {}, name), el("dd", {}, count(value)));

  function card(dataset) {
    return el(
      "li",
      { class: "card", "data-dataset": dataset.id },
      el("h3", {}, dataset.name || dataset.id),
      el("p", { class: "soft" }, "Dataset ", el("code", {}, dataset.id)),
      el("p", { class: "soft" }, "Schema ", el("code", {}, dataset.schemaRef.id)),
      el(
        "dl",
        { class: "figures" },
        figure("good", dataset.good, "is-good"),
        figure("bad", dataset.bad, "is-bad"),
      ),
      ...TAGS.map((tag) => flag(dataset, tag)),
      el(
        "p",
        {},
        el(
          "a",
          { href: `/datasets/${encodeURIComponent(dataset.id)}/events`, target: "_blank", rel: "noopener" },
          "What landed, as NDJSON ↗",
        ),
      ),
    );
  }

  function complain(text) {
    find("#datasets-error").hidden = text === "";
    find("#datasets-error").textContent = text;
  }

  async function draw() {
    try {
      const { datasets } = await api.datasets();
      onNames(new Map(datasets.map(({ id, name }) => [id, name])));
      if (view.hidden) return;
      const focused = document.activeElement?.id;
      place.replaceChildren(...datasets.map(card));
      if (focused) place.querySelector(`[id="${focused}"]`)?.focus();
      find("#no-datasets").hidden = datasets.length > 0;
    } catch (error) {
      complain(error.message);
    }
  }

  const follow = atMostEvery(1000, () => {
    if (!view.hidden) draw();
  });

  return { show: draw, news: follow, clear: follow, names: draw };
}
