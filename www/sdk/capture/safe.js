// What runs among the page's own code: nothing of ours is thrown into it, and nothing it does is held up.

/** Wraps a callback so that its exceptions end here. */
export const safe =
  (callback) =>
  (...args) => {
    try {
      return callback(...args);
    } catch {
      // What a page has broken is not captured.
    }
  };

/** Listens without a say in what the event does. `early`: before the page's own listeners. */
export const on = (target, type, listener, early = false) =>
  target.addEventListener(type, safe(listener), { passive: true, capture: early });
