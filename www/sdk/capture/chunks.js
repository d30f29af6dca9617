// The one place for modules that are fetched only where they are asked for.

/**
 * By their names in `track`. The build (scripts/chunks.mjs) makes a file of its own of each, beside the
 * library: `forms: () => import("./forms.js"),` makes xdm-beacon-forms.js.
 *
 * @type {Record<string, () => Promise<{start: import("./index.js").Start}>>}
 */
export const chunks = {
  dataLayer: () => import("./data-layer.js"),
  engagement: () => import("./engagement.js"),
  errors: () => import("./errors.js"),
  forms: () => import("./forms.js"),
  webVitals: () => import("./web-vitals.js"),
};
