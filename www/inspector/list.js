import { el } from "./dom.js";

/** Rows drawn beyond the visible ones, above and below. */
const BEYOND = 8;

/**
 * A list box of any length: only the visible rows are in the document, and the one that has the focus.
 * One row takes part in the tab order; arrows, Page Up and Down, Home and End move it.
 *
 * @template Item
 * @param {object} options
 * @param {string} options.label
 * @param {() => number} options.rowHeight              px
 * @param {(item: Item) => number} options.key          never changes
 * @param {(item: Item) => HTMLElement} options.row     drawn once per key
 * @param {(item: Item, how: "moved" | "chosen") => void} options.onSelect
 * @param {() => void} options.onEnd                    the last row has come into view
 * @param {(hidden: number) => void} options.onHidden   new rows that came in above the visible ones
 */
export function virtualList({ label, rowHeight, key, row, onSelect, onEnd, onHidden }) {
  /** @type {readonly Item[]} oldest first, shown newest first */
  let items = [];
  /** @type {number | null} */
  let active = null;
  let hidden = 0;
  let height = rowHeight();
  /** @type {Map<number, HTMLElement>} */
  const drawn = new Map();

  const space = el("div", { class: "list-space", role: "presentation" });
  const box = el("div", { class: "list", role: "listbox", "aria-label": label }, space);

  const at = (index) => items[items.length - 1 - index];

  /** Keys rise with the position in `items`, so a search by halves finds one. */
  function indexOf(wanted) {
    let low = 0;
    let high = items.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = key(items[middle]);
      if (found === wanted) return items.length - 1 - middle;
      if (found < wanted) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  function place(index, tabStop) {
    const item = at(index);
    const id = key(item);
    let node = drawn.get(id);
    if (!node) {
      node = row(item);
      node.setAttribute("role", "option");
      node.dataset.key = String(id);
      drawn.set(id, node);
      space.append(node);
    }
    node.style.transform = `translateY(${index * height}px)`;
    node.setAttribute("aria-setsize", String(items.length));
    node.setAttribute("aria-posinset", String(index + 1));
    node.setAttribute("aria-selected", String(id === active));
    node.tabIndex = index === tabStop ? 0 : -1;
    return id;
  }

  function draw() {
    const first = Math.max(0, Math.floor(box.scrollTop / height) - BEYOND);
    const last = Math.min(items.length - 1, Math.ceil((box.scrollTop + box.clientHeight) / height) + BEYOND);
    const tabStop = Math.max(0, active === null ? 0 : indexOf(active));
    const keep = new Set();
    for (let index = first; index <= last; index += 1) keep.add(place(index, tabStop));
    if (items.length > 0) keep.add(place(tabStop, tabStop));
    for (const [id, node] of drawn) {
      if (keep.has(id)) continue;
      node.remove();
      drawn.delete(id);
    }
    if (items.length > 0 && last === items.length - 1) onEnd();
  }

  function see(index) {
    const top = index * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
  }

  function goTo(index, how) {
    const item = at(index);
    if (!item) return;
    active = key(item);
    see(index);
    draw();
    drawn.get(active)?.focus({ preventScroll: true });
    onSelect(item, how);
  }

  function showNew(count) {
    hidden = count;
    onHidden(hidden);
  }

  box.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const current = active === null ? -1 : indexOf(active);
    const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const end = items.length - 1;
    const target = {
      ArrowDown: Math.min(end, current + 1),
      ArrowUp: Math.max(0, current - 1),
      PageDown: Math.min(end, current + page),
      PageUp: Math.max(0, current - page),
      Home: 0,
      End: end,
    }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      goTo(target, "moved");
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      goTo(Math.max(0, current), "chosen");
    }
  });

  box.addEventListener("click", (event) => {
    const node = event.target.closest("[data-key]");
    if (node) goTo(indexOf(Number(node.dataset.key)), "chosen");
  });

  box.addEventListener(
    "scroll",
    () => {
      if (hidden > 0 && box.scrollTop < height / 2) showNew(0);
      draw();
    },
    { passive: true },
  );

  new ResizeObserver(() => {
    const now = rowHeight();
    if (now !== height) {
      const top = box.scrollTop / height;
      height = now;
      space.style.height = `${items.length * height}px`;
      box.scrollTop = top * height;
    }
    draw();
  }).observe(box);

  return {
    element: box,

    /**
     * @param {readonly Item[]} next oldest first
     * @param {boolean} [fresh] another selection of rows (a filter), not the same with news
     */
    show(next, fresh = false) {
      const before = items.at(-1);
      const followed = box.scrollTop < height / 2 && !box.contains(document.activeElement);
      items = next;
      // What is being read, or has the focus, stays where it is when rows come in above it.
      let above = 0;
      if (before && !fresh && !followed) {
        const index = indexOf(key(before));
        above = Math.max(0, index);
      }
      space.style.height = `${items.length * height}px`;
      if (fresh) {
        // Among other rows, the chosen one is shown where it stands.
        const index = active === null ? -1 : indexOf(active);
        box.scrollTop = index < 0 ? 0 : index * height - box.clientHeight / 2;
        showNew(0);
      } else if (above > 0) {
        box.scrollTop += above * height;
        showNew(hidden + above);
      }
      draw();
    },

    toTop() {
      box.scrollTop = 0;
      showNew(0);
      draw();
    },

    /** @param {number | null} wanted the row shown as selected */
    select(wanted) {
      active = wanted;
      draw();
    },

    focus() {
      space.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
    },
  };
}
