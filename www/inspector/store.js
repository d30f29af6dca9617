/** @typedef {import("./api.js").Row} Row */

/** What a tab keeps. An inlet under load would otherwise fill it. */
const MAX_ROWS = 5000;
const MAX_BYTES = 24_000_000;

/**
 * The newest messages, each once, by rising `seq`.
 *
 * History comes as two listings, good and bad, each complete down to a row of its own. Where only one of
 * the two is known, a list of both would have holes; `from` says down to where it has none.
 */
export class MessageStore {
  /** @type {Row[]} */
  #rows = [];
  #seqs = new Set();
  #bytes = 0;
  /** Down to which `seq` a listing is complete: undefined before the first page, null at its end. */
  #reach = { good: undefined, bad: undefined };

  /** @returns {readonly Row[]} oldest first */
  get rows() {
    return this.#rows;
  }

  /** Whether the cap has been reached, so that loading older messages would only push them out again. */
  get full() {
    return this.#rows.length >= MAX_ROWS * 0.9 || this.#bytes >= MAX_BYTES * 0.9;
  }

  /**
   * @param {"all" | "good" | "bad"} verdict
   * @returns {number} rows of that verdict with a smaller `seq` are not complete
   */
  from(verdict) {
    const reach = verdict === "all" ? Object.values(this.#reach) : [this.#reach[verdict]];
    return Math.max(0, ...reach.map((seq) => seq ?? 0));
  }

  /**
   * @param {"good" | "bad"} verdict
   * @returns {number | null | undefined} what to ask for next; null: nothing older
   */
  reach(verdict) {
    return this.#reach[verdict];
  }

  /** @param {Row} row from the stream @returns {boolean} whether it was new */
  add(row) {
    if (this.#seqs.has(row.seq)) return false;
    const last = this.#rows.at(-1);
    this.#keep(row);
    if (last && last.seq > row.seq) this.#sort();
    return true;
  }

  /**
   * @param {"good" | "bad"} verdict
   * @param {{rows: Row[], next: number | null}} page
   * @param {number} [known] the newest `seq` before a gap in the stream, when this is the newest page again:
   *   it joins what was there, unless even this page does not reach back to it
   * @returns {Row[]} those that were new
   */
  addPage(verdict, { rows, next }, known = Number.POSITIVE_INFINITY) {
    const fresh = rows.filter((row) => !this.#seqs.has(row.seq));
    for (const row of fresh) this.#keep(row);
    this.#sort();
    const reach = this.#reach[verdict];
    const further = reach === undefined || next === null || (reach !== null && next < reach);
    if (further || next > known) this.#reach[verdict] = next;
    return fresh;
  }

  /** @returns {boolean} whether old rows had to go */
  trim() {
    if (this.#rows.length <= MAX_ROWS && this.#bytes <= MAX_BYTES) return false;
    // A tenth at a time, so that a steady stream does not pay for it with every message.
    let going = 0;
    let bytes = this.#bytes;
    while (
      going < this.#rows.length - 1 &&
      (this.#rows.length - going > MAX_ROWS * 0.9 || bytes > MAX_BYTES * 0.9)
    ) {
      bytes -= this.#rows[going].bytes;
      going += 1;
    }
    for (const row of this.#rows.splice(0, going)) this.#seqs.delete(row.seq);
    this.#bytes = bytes;
    const oldest = this.#rows[0].seq;
    for (const verdict of ["good", "bad"]) {
      this.#reach[verdict] = Math.max(this.#reach[verdict] ?? 0, oldest);
    }
    return true;
  }

  clear() {
    this.#rows = [];
    this.#seqs.clear();
    this.#bytes = 0;
    this.#reach = { good: undefined, bad: undefined };
  }

  #keep(row) {
    this.#rows.push(row);
    this.#seqs.add(row.seq);
    this.#bytes += row.bytes;
  }

  #sort() {
    this.#rows.sort((a, b) => a.seq - b.seq);
  }
}

/**
 * @typedef {object} Filter
 * @property {"all" | "good" | "bad"} verdict
 * @property {string} eventType "" for any
 * @property {string} datasetId "" for any
 * @property {string} text      lower case; "" for any
 */

/** The text of a message that searching looks into, made when first asked for. @type {WeakMap<Row, string>} */
const texts = new WeakMap();

function textOf(row) {
  let text = texts.get(row);
  if (text === undefined) {
    text =
      `${row.raw ?? JSON.stringify(row.message)} ${row.xactionId} ${JSON.stringify(row.violations ?? "")}`.toLowerCase();
    texts.set(row, text);
  }
  return text;
}

/** @param {Row} row @param {Filter} filter */
export const matches = (row, filter) =>
  (filter.verdict === "all" || row.verdict === filter.verdict) &&
  (filter.eventType === "" || (row.eventType ?? NO_TYPE) === filter.eventType) &&
  (filter.datasetId === "" || row.datasetId === filter.datasetId) &&
  (filter.text === "" || textOf(row).includes(filter.text));

/** How a message without an eventType is filed. */
export const NO_TYPE = "(no eventType)";
