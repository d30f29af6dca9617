// The results as Markdown.

const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "–");
const kilobytes = (bytes) => (bytes / 1024).toFixed(1);

const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** `rows` in groups that have `key` in common, in the order of their first. */
function groups(rows, key) {
  const found = new Map();
  for (const row of rows) found.set(row[key], [...(found.get(row[key]) ?? []), row]);
  return [...found];
}

/** One library, a table per engine. */
export const ownReport = (rows) =>
  groups(rows, "engine")
    .map(([engine, rows]) => `### ${engine}\n\n${ownTable(rows)}`)
    .join("\n\n");

const ownTable = (rows) =>
  table(
    [
      "scenario",
      "sent",
      "at once",
      "KiB at once",
      "of the bytes allowed",
      "after the next visit",
      "lost",
      "twice",
      "",
    ],
    rows.map((row) =>
      row.failure
        ? [row.scenario, "", "", "", "", "", "", "", `did not run: ${row.failure}`]
        : [
            row.scenario,
            row.sent,
            row.atOnce,
            kilobytes(row.atOnceBytes),
            percent(row.atOnceBytes, row.allowedBytes),
            row.inTheEnd,
            row.sent - row.inTheEnd,
            row.twice,
            row.remark,
          ],
    ),
  );

/** Libraries side by side, a table per engine. */
export const comparison = (rows) =>
  [
    "In each field: distinct events at once / after the next visit / lost / twice.",
    ...groups(rows, "engine").map(([engine, rows]) => {
      const parties = groups(rows, "party").map(([party]) => party);
      const cell = (row) => {
        if (!row) return "";
        if (row.failure) return `did not run: ${row.failure}`;
        return [row.atOnce, row.inTheEnd, row.sent - row.inTheEnd, row.twice].join(" / ");
      };
      const body = groups(rows, "scenario").map(([scenario, rows]) => [
        scenario,
        rows.find(({ sent }) => sent)?.sent ?? "",
        ...parties.map((party) => cell(rows.find((row) => row.party === party))),
      ]);
      return `### ${engine}\n\n${table(["scenario", "sent", ...parties], body)}`;
    }),
  ].join("\n\n");
