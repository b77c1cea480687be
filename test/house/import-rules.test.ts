import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { sourceFiles } from "../support/source-files.js";

/** Which top folders each may import from, its own aside. The arrows go one way. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  shards: ["lib"],
  "services/frontend": ["lib"],
  "services/planner": ["lib"],
  tools: ["lib", "services/planner", "shards", "services/frontend"],
  test: ["lib", "services/planner", "shards", "services/frontend", "tools"],
};

/** `tools` sees these two parts through one file each. */
const ENTRY_FILES: Readonly<Record<string, string>> = {
  shards: "shards/index.ts",
  "services/frontend": "services/frontend/index.ts",
};

/** Packages that only one part may import: what they do has one owner. */
const PACKAGE_OWNERS: readonly { readonly name: string; readonly owner: RegExp }[] = [
  { name: "better-sqlite3", owner: /^(shards|tools\/bench|test)\// },
  { name: "lru-cache", owner: /^(shards|tools\/bench|test)\// },
  { name: "onnxruntime-node", owner: /^(services\/frontend\/dense-session\.ts|test\/.*)$/ },
];

/** The planner computes; it reads no files, no network and no clock. */
const PLANNER_BANS = /^node:(fs|net|http|http2|child_process|worker_threads|timers)/;

interface Import {
  readonly from: string;
  readonly to: string;
}

const imports = sourceFiles().flatMap(importsOf);

describe("import rules", () => {
  it("finds imports to judge", () => {
    assert.ok(imports.length > 50, `found ${imports.length} imports`);
  });

  it("lets no part import a part above it", () => {
    const broken = imports.filter(({ from, to }) => {
      const source = partOf(from);
      const target = partOf(to);
      if (source === undefined || target === undefined || source === target) return false;
      return !MAY_IMPORT[source]!.includes(target);
    });

    assert.deepEqual(broken, []);
  });

  it("lets tools reach shards and frontend through their entry files only", () => {
    const broken = imports.filter(({ from, to }) => {
      const entry = ENTRY_FILES[partOf(to) ?? ""];
      return from.startsWith("tools/") && entry !== undefined && to !== entry;
    });

    assert.deepEqual(broken, []);
  });

  it("keeps packages with their owners", () => {
    const broken = imports.filter(({ from, to }) =>
      PACKAGE_OWNERS.some(({ name, owner }) => to === name && !owner.test(from)),
    );

    assert.deepEqual(broken, []);
  });

  it("keeps the planner free of files, network and clocks", () => {
    const broken = imports.filter(
      ({ from, to }) => from.startsWith("services/planner/") && PLANNER_BANS.test(to),
    );

    assert.deepEqual(broken, []);
  });
});

function importsOf(file: string): Import[] {
  const text = readFileSync(join(PACKAGE_ROOT, file), "utf8");
  const pattern = /(?:\bfrom|^import|\bimport\()\s*"([^"]+)"/gm;
  return [...text.matchAll(pattern)].map((match) => ({ from: file, to: resolve(file, match[1]!) }));
}

function resolve(file: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  const path = relative(PACKAGE_ROOT, join(PACKAGE_ROOT, dirname(file), specifier));
  return path.replace(/\.js$/, ".ts");
}

function partOf(path: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((part) => path.startsWith(`${part}/`));
}
