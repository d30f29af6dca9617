// What the driver asks of a library on a page. The page names the collector in `window.collector` before this runs.

export const collector = new URL(window.collector);

/** None of them tells when it has seen all answers: a time that is ample on loopback, chosen, not measured. */
const ANSWERED_MS = 1_000;

/**
 * Puts a library where the driver looks for it.
 *
 * @param {(event: {benchId: string, padding: string}) => unknown} track
 * @param {Promise<unknown>} [ready] once an event can be taken
 */
export function offer(track, ready = Promise.resolve()) {
  let last = 0;
  const send = (benchId, padding) => {
    last = Date.now();
    track({ benchId, padding });
  };
  window.bench = {
    ready: ready.then(() => {}),
    send,
    calm: () => Date.now() - last > ANSWERED_MS,
    pageView: () => send("page-view", ""),
  };
}
