import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { hashFile, readJsonFile, writeJsonFile, writeWhole } from "../../lib/files.js";
import { tempFolder } from "../support/temp-folder.js";

describe("writeWhole()", () => {
  const folder = tempFolder();

  it("names a file when it is complete, and makes its folders", async () => {
    const target = join(folder, "a", "b", "out.txt");

    await writeWhole(target, (partialPath) => writeFile(partialPath, "whole"));

    assert.equal(readFileSync(target, "utf8"), "whole");
    assert.deepEqual(readdirSync(join(folder, "a", "b")), ["out.txt"]);
  });

  it("keeps the old file and leaves nothing else when writing fails", async () => {
    const target = join(folder, "kept.txt");
    writeFileSync(target, "old");

    const writing = writeWhole(target, async (partialPath) => {
      await writeFile(partialPath, "half");
      throw Object.assign(new Error("disk"), { code: "ENOSPC" });
    });

    await assert.rejects(writing, { code: "DISK_FULL" });
    assert.equal(readFileSync(target, "utf8"), "old");
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("partial")),
      [],
    );
  });

  it("replaces a folder whole", async () => {
    const target = join(folder, "directory");
    mkdirSync(target);
    writeFileSync(join(target, "old"), "");

    await writeWhole(target, async (partialPath) => {
      await mkdir(partialPath);
      await writeFile(join(partialPath, "new"), "");
    });

    assert.deepEqual(readdirSync(target), ["new"]);
  });

  it("refuses an existing target unless told to replace it", async () => {
    const target = join(folder, "taken.txt");
    writeFileSync(target, "old");
    const neverCalled = async (): Promise<void> => assert.fail("write was called");

    await assert.rejects(writeWhole(target, neverCalled, { replace: false }), {
      code: "OUTPUT_EXISTS",
    });
  });

  it("removes what a killed process left beside the target, not what a live one writes", async () => {
    const target = join(folder, "swept.txt");
    const endedPid = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(`${target}.partial-${endedPid}`, "abandoned");
    writeFileSync(`${target}.partial-${process.ppid}`, "in use");

    await writeWhole(target, (partialPath) => writeFile(partialPath, "whole"));

    const left = readdirSync(folder).filter((name) => name.startsWith("swept.txt"));
    assert.deepEqual(left.toSorted(), ["swept.txt", `swept.txt.partial-${process.ppid}`]);
  });

  it("removes what it began when the process exits in the middle", () => {
    const target = join(folder, "exited.txt");
    const module = new URL("../../lib/files.js", import.meta.url).href;
    const script = `
      import { writeWhole } from ${JSON.stringify(module)};
      import { writeFileSync } from "node:fs";
      await writeWhole(${JSON.stringify(target)}, async (path) => {
        writeFileSync(path, "half");
        process.exit(3);
      });`;

    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script]);

    assert.equal(child.status, 3, child.stderr.toString());
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("exited.txt")),
      [],
    );
  });
});

describe("JSON files", () => {
  const folder = tempFolder();

  it("come back as written", async () => {
    const path = join(folder, "x.json");

    await writeJsonFile(path, { a: [1, 2] });

    assert.deepEqual(await readJsonFile(path), { a: [1, 2] });
  });

  it("are refused when missing or not JSON", async () => {
    const path = join(folder, "bad.json");
    writeFileSync(path, "{");

    await assert.rejects(readJsonFile(path), { code: "FILE_CORRUPT" });
    await assert.rejects(readJsonFile(join(folder, "none.json")), { code: "FILE_NOT_FOUND" });
  });
});

describe("hashFile()", () => {
  const folder = tempFolder();

  it("gives the SHA-256 and the size", async () => {
    const path = join(folder, "abc");
    writeFileSync(path, "abc");

    assert.deepEqual(await hashFile(path), {
      sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      bytes: 3,
    });
  });
});
