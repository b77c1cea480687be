import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** A new empty folder that goes when the suite that called this ends. */
export function tempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "shardpool-test-"));
  after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
