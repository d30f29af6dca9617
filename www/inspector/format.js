/** How numbers and times read on this page. */

const clockFormat = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});
const dateFormat = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const countFormat = new Intl.NumberFormat("en-GB");

/** @param {number} ms epoch ms → "14:02:11.086" */
export const clock = (ms) => clockFormat.format(ms);

/** @param {number} ms epoch ms → "24 Nov 2025, 14:02:11" */
export const date = (ms) => dateFormat.format(ms);

/** @param {number} n → "12,031" */
export const count = (n) => countFormat.format(n);

/** @param {number} n @param {string} noun @param {string} [plural] → "1 message", "3 messages" */
export const counted = (n, noun, plural = `${noun}s`) => `${count(n)} ${n === 1 ? noun : plural}`;

/** @param {number} n bytes → "812 B", "1.4 kB", "2.1 MB"; decimal, as the platform's limits are */
export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}

/** @param {number | null} ms a duration → "0.8 ms", "42 ms", "1.3 s", "4 min", "3 h", "12 d" */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  const size = Math.abs(ms);
  if (size < 9.95) return `${ms.toFixed(1)} ms`;
  if (size < 1000) return `${Math.round(ms)} ms`;
  if (size < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (size < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (size < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}
