/** How long to wait before a stream that the browser has given up is opened anew, in ms. */
const REOPEN_MS = 2000;

/**
 * Follows `/inspect/stream`. The browser reconnects by itself and says where it left off
 * (`Last-Event-ID`); where it gives up (an answer other than a stream), this opens it again.
 *
 * @param {object} on
 * @param {(row: import("./api.js").Row) => void} on.row
 * @param {(counts: import("./api.js").Counts) => void} on.counts
 * @param {(state: "open" | "waiting", again: boolean) => void} on.state
 *   `again`: the stream had been open before, so something may have been missed
 */
export function follow(on) {
  let opened = false;

  function open() {
    const source = new EventSource("/inspect/stream");
    source.addEventListener("open", () => {
      on.state("open", opened);
      opened = true;
    });
    source.addEventListener("error", () => {
      on.state("waiting", opened);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, REOPEN_MS);
    });
    source.addEventListener("message", (event) => on.row(JSON.parse(event.data)));
    source.addEventListener("counts", (event) => on.counts(JSON.parse(event.data)));
  }

  open();
}
