/**
 * The inlet's routes, as this page uses them. All are on the page's own origin.
 *
 * @typedef {object} Violation
 * @property {string} pointer      JSON pointer into the entity; for an extraneous key, to that key
 * @property {string} keyword      the schema's, or "identityMap", "envelope" for rules beside it
 * @property {string} message
 * @property {string} [fieldGroup] the standard field group that would bring the field
 *
 * @typedef {object} Row a message as the inlet keeps it
 * @property {number} seq
 * @property {"good" | "bad"} verdict
 * @property {number} receivedAt   epoch ms
 * @property {string} inletId
 * @property {string | null} datasetId
 * @property {string | null} eventType
 * @property {string | null} id    the entity's `_id`
 * @property {string} xactionId
 * @property {boolean} duplicate
 * @property {number} bytes
 * @property {any} [message]
 * @property {string} [raw]       instead, when what came was not JSON
 * @property {Violation[]} [violations]
 * @property {{storedMs: number | null, profileMs: number | null}} latency
 * @property {"size"} [profileDropped] why Profile did not take it, though it was good
 *
 * @typedef {{received: number, good: number, bad: number, duplicates: number}} Counts
 *
 * @typedef {object} Dataset
 * @property {string} id
 * @property {string} name
 * @property {{id: string, contentType: string}} schemaRef
 * @property {{unifiedProfile?: string[], unifiedIdentity?: string[]}} tags
 * @property {number} good
 * @property {number} bad
 */

/** An answer that is not what was asked for, in the inlet's words where it had some. */
export class ApiError extends Error {
  /** @param {number} status 0 where there was no answer @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new ApiError(0, "The inlet does not answer. Is it still running?");
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  const words = body?.report?.message ?? body?.detail ?? body?.title;
  throw new ApiError(
    response.status,
    words ? `${words} (${response.status})` : `The inlet answered ${response.status}.`,
  );
}

const send = (method, path, body, type = "application/json") =>
  call(path, { method, headers: { "Content-Type": type }, body: JSON.stringify(body) });

/**
 * A page of what was kept, newest first.
 *
 * @param {"good" | "bad"} verdict
 * @param {{limit: number, after?: number}} page `after`: only what is older than this `seq`
 * @returns {Promise<{rows: Row[], next: number | null}>}
 */
export const history = (verdict, { limit, after }) =>
  call(`/inspect/${verdict}?limit=${limit}${after === undefined ? "" : `&after=${after}`}`);

/** @returns {Promise<Counts>} */
export const counts = () => call("/inspect/counts");

/** @returns {Promise<Counts>} */
export const reset = () => call("/inspect/reset", { method: "POST" });

/** @returns {Promise<Record<string, any>>} every switch; null is off */
export const faults = () => call("/inspect/faults");

/** @param {Record<string, any>} switches */
export const setFaults = (switches) => send("PUT", "/inspect/faults", switches);

/** @returns {Promise<{profiles: {namespace: string, id: string, identities: number, events: number, updatedAt: number}[]}>} */
export const profiles = () => call("/profiles");

/** @param {string} namespace @param {string} id */
export const profile = (namespace, id) => call(`/profiles?${new URLSearchParams({ namespace, id })}`);

/** @returns {Promise<{datasets: Dataset[]}>} */
export const datasets = () => call("/datasets");

/**
 * @param {string} id of a dataset
 * @param {"unifiedProfile" | "unifiedIdentity"} tag
 * @param {boolean} on
 */
export const enable = (id, tag, on) =>
  send(
    "PATCH",
    `/datasets/${encodeURIComponent(id)}`,
    [{ op: "add", path: `/tags/${tag}`, value: [`enabled:${on}`] }],
    "application/json-patch+json",
  );
