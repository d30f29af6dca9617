import { svg } from "./dom.js";
import { counted, duration } from "./format.js";
import { logBins, PROMISE_MS, percentiles, WINDOW_S } from "./metrics.js";

/**
 * The plots, drawn by hand. Each is a figure of the page with an empty `<svg>` (hidden from assistive
 * technology) and a `<figcaption>` that says the same in words.
 *
 * @typedef {{figure: HTMLElement, width: number, height: number}} Canvas
 */

const LEFT = 34;
const BOTTOM = 18;
const TOP = 8;

/** @param {HTMLElement} figure */
function begin(figure) {
  const picture = figure.querySelector("svg");
  const { width, height } = picture.getBoundingClientRect();
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return { picture, width, height, plot: height - BOTTOM - TOP };
}

const say = (figure, text) => {
  const words = figure.querySelector("[data-summary]");
  // An unchanged text is not written again: somebody may have it selected, or read aloud.
  if (words.textContent !== text) words.textContent = text;
};

const label = (x, y, text, anchor = "middle") =>
  svg("text", { x, y, "text-anchor": anchor, class: "plot-label" }, text);

/** The next of 1, 2, 5, 10, 20, 50 … that is not below `value`. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

/**
 * Messages per second over the last two minutes, good below, bad on top.
 *
 * @param {HTMLElement} figure
 * @param {{good: number, bad: number}[]} seconds
 * @param {boolean} partial whether some messages of that time are not known here
 */
export function drawRate(figure, seconds, partial) {
  const { picture, width, height, plot } = begin(figure);
  if (width === 0) return;
  const sums = seconds.map(({ good, bad }) => good + bad);
  const peak = Math.max(...sums);
  const top = niceTop(peak);
  const step = (width - LEFT) / WINDOW_S;
  const y = (value) => TOP + plot * (1 - value / top);

  const bars = seconds.flatMap(({ good, bad }, index) => {
    const bar = (from, to, kind) =>
      svg("rect", {
        class: `bar-${kind}`,
        x: (LEFT + index * step).toFixed(2),
        width: Math.max(1, step - 0.6).toFixed(2),
        y: y(to).toFixed(2),
        height: (y(from) - y(to)).toFixed(2),
      });
    return [good > 0 && bar(0, good, "good"), bad > 0 && bar(good, good + bad, "bad")];
  });

  picture.replaceChildren(
    ...[0, top / 2, top].map((value) =>
      svg("line", { class: "plot-line", x1: LEFT, x2: width, y1: y(value), y2: y(value) }),
    ),
    label(LEFT - 6, y(top) + 8, top, "end"),
    label(LEFT - 6, y(0), "0", "end"),
    ...bars.filter(Boolean),
    label(LEFT, height - 4, "2 min ago", "start"),
    label((LEFT + width) / 2, height - 4, "1 min"),
    label(width, height - 4, "now", "end"),
  );

  const good = seconds.reduce((sum, second) => sum + second.good, 0);
  const bad = seconds.reduce((sum, second) => sum + second.bad, 0);
  const rate = (good + bad) / WINDOW_S;
  say(
    figure,
    good + bad === 0
      ? "Nothing in the last two minutes."
      : `${partial ? "At least " : ""}${counted(good, "good message")} and ${bad} bad in two minutes: ${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a second on average, ${peak} at the most.`,
  );
}

const TICKS = [
  [1, "1 ms"],
  [10, "10 ms"],
  [100, "100 ms"],
  [1000, "1 s"],
  [10_000, "10 s"],
  [60_000, "1 min"],
  [600_000, "10 min"],
  [3_600_000, "1 h"],
];

/**
 * Bars over a logarithmic axis of time.
 *
 * @param {HTMLElement} figure
 * @param {number[]} values
 * @param {{from: number, to: number, bins: number}} scale
 * @param {(x: (ms: number) => number, frame: {width: number, plot: number}) => SVGElement[]} [extra]
 */
function drawDurations(figure, values, scale, extra = () => []) {
  const { picture, width, height, plot } = begin(figure);
  if (width === 0) return;
  const counts = logBins(values, scale);
  const top = niceTop(Math.max(...counts));
  const inner = width - LEFT - 8;
  const x = (ms) => LEFT + (inner * Math.log(ms / scale.from)) / Math.log(scale.to / scale.from);
  const step = inner / scale.bins;
  const ticks = TICKS.filter(([ms]) => ms >= scale.from && ms <= scale.to);
  // Labels need some 48 px each.
  const every = Math.ceil((ticks.length * 48) / Math.max(1, inner));

  picture.replaceChildren(
    svg("line", { class: "plot-line", x1: LEFT, x2: width, y1: TOP + plot, y2: TOP + plot }),
    label(LEFT - 6, TOP + 8, top, "end"),
    label(LEFT - 6, TOP + plot, "0", "end"),
    ...ticks.flatMap(([ms, text], index) => [
      svg("line", { class: "plot-line", x1: x(ms), x2: x(ms), y1: TOP, y2: TOP + plot }),
      ...(index % every === 0 ? [label(x(ms), height - 4, text)] : []),
    ]),
    ...counts.flatMap((count, index) =>
      count === 0
        ? []
        : [
            svg("rect", {
              class: "bar-good",
              x: (LEFT + index * step + 0.5).toFixed(2),
              width: Math.max(1, step - 1).toFixed(2),
              y: (TOP + plot * (1 - count / top)).toFixed(2),
              height: Math.max(1, (plot * count) / top).toFixed(2),
            }),
          ],
    ),
    ...extra(x, { width, plot }),
  );
}

const STORED = { from: 1, to: 100_000, bins: 40 };

/** Page → stored. @param {HTMLElement} figure @param {number[]} values ms */
export function drawStored(figure, values) {
  drawDurations(figure, values, STORED);
  const [p50, p95, max] = percentiles(values, [0.5, 0.95, 1]);
  say(
    figure,
    values.length === 0
      ? "No message with a timestamp yet."
      : `The last ${counted(values.length, "message")}: half within ${duration(p50)}, 95 % within ${duration(p95)}, the slowest ${duration(max)}.`,
  );
}

const VISIBLE = { from: 1, to: 3_600_000, bins: 48 };

/** Page → profile, beside what the platform promises. @param {HTMLElement} figure @param {number[]} values ms */
export function drawProfile(figure, values) {
  const [p50, p95] = percentiles(values, [0.5, 0.95]);
  drawDurations(figure, values, VISIBLE, (x, { plot }) => [
    svg("rect", {
      class: "promise-zone",
      x: x(PROMISE_MS),
      y: TOP,
      width: x(VISIBLE.to) - x(PROMISE_MS),
      height: plot,
    }),
    svg("line", { class: "promise", x1: x(PROMISE_MS), x2: x(PROMISE_MS), y1: TOP, y2: TOP + plot }),
    label(x(PROMISE_MS) - 5, TOP + 10, "platform: 15 min", "end"),
    ...(values.length > 0
      ? [
          svg("line", {
            class: "here",
            x1: x(Math.max(1, p95)),
            x2: x(Math.max(1, p95)),
            y1: TOP,
            y2: TOP + plot,
          }),
          label(x(Math.max(1, p95)) + 5, TOP + 24, `here, p95: ${duration(p95)}`, "start"),
        ]
      : []),
  ]);
  say(
    figure,
    values.length === 0
      ? "No event in a profile yet. The platform promises less than 15 minutes at p95."
      : `Here: half within ${duration(p50)}, 95 % within ${duration(p95)}. The platform promises less than 15 minutes at p95.`,
  );
}
