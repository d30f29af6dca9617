// What is handed to people: the base code, and the ESM build where there is no page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/steps.mjs";

test("the base code has at most 320 bytes", () => {
  assert.ok(readFileSync(join(root, "dist/sdk/base-code.js")).length <= 320);
});

test("in Node the ESM build touches nothing and throws nothing", async () => {
  const before = Object.getOwnPropertyNames(globalThis).sort();
  const { createInstance } = await import(join(root, "dist/sdk/index.js"));
  const beacon = createInstance({ name: "other" });
  assert.deepEqual(await beacon("sendEvent", { type: "a.b" }), { status: "dropped", reason: "no-page" });
  assert.deepEqual(await beacon("configure", {}), { status: "dropped", reason: "no-page" });
  assert.deepEqual(Object.getOwnPropertyNames(globalThis).sort(), before);
});
