// The base code: pasted into pages, for ever, above everything that calls it. It makes the function
// callable before the library is there and notes each call with its time and place. The build
// minifies it into dist/sdk/base-code.js; a test holds it under 320 bytes.
!((w, d, n) => {
  if (!w[n]) {
    // biome-ignore lint/suspicious/noAssignInExpressions: bytes
    (w.__xdmBeaconNS ??= []).push(n);
    w[n] = (c, o) => {
      const p = new Promise((r, j) => {
        try {
          // Read now: the page may change its objects later. `configure` may hold functions.
          if (c !== "configure") o = o && JSON.parse(JSON.stringify(o));
        } catch (e) {
          // Anything can be thrown; an Error marks the options as unreadable.
          o = Error(e?.message);
        }
        w[n].q.push([r, j, [c, o], [Date.now(), location.href, d.title, d.referrer]]);
      });
      // Whoever does not ask for the outcome is not bothered with it.
      p.catch(() => {});
      return p;
    };
    w[n].q = [];
  }
})(window, document, "xdmBeacon");
