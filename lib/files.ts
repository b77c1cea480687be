import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, open, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fromFileError, ShardpoolError } from "./errors.js";

const PARTIAL_MARK = ".partial-";

/** What this process has begun to write and not yet named; removed when the process ends. */
const partialPaths = new Set<string>();

process.on("exit", () => {
  if (partialPaths.size === 0) return;
  removePartials();
  // A call that Node's thread pool has begun may make the path once more before the process is gone.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, THREAD_POOL_CALL_MS);
  removePartials();
});

/** Longer than opening a file or making a folder takes. */
const THREAD_POOL_CALL_MS = 50;

function removePartials(): void {
  for (const path of partialPaths) removePartial(path);
}

/** SQLite keeps what it needs to undo a half-written file beside it. */
function removePartial(path: string): void {
  rmSync(path, { recursive: true, force: true });
  rmSync(`${path}-journal`, { force: true });
}

/**
 * Makes a file or a folder whole or not at all: `write` fills a path beside the target, which takes
 * the target's name when it is complete and on disk. When `write` throws or the process ends first,
 * what was written goes; what a killed process left behind goes at the next try.
 *
 * @param replace With false, an existing target is refused before `write` starts.
 * @throws ShardpoolError OUTPUT_EXISTS, DISK_FULL or WRITE_FAILED.
 */
export async function writeWhole<T>(
  target: string,
  write: (partialPath: string) => Promise<T>,
  { replace = true }: { readonly replace?: boolean } = {},
): Promise<T> {
  if (!replace && existsSync(target)) {
    throw new ShardpoolError(
      "OUTPUT_EXISTS",
      `${target} exists already; remove it or name another`,
    );
  }
  const partialPath = `${target}${PARTIAL_MARK}${process.pid}`;
  try {
    await mkdir(dirname(target), { recursive: true });
    removeAbandoned(target);
    partialPaths.add(partialPath);
    const result = await write(partialPath);
    await syncPath(partialPath);
    await moveAside(target, partialPath);
    await rename(partialPath, target);
    await syncPath(dirname(target));
    return result;
  } catch (error) {
    removePartial(partialPath);
    throw fromFileError(error, target);
  } finally {
    partialPaths.delete(partialPath);
  }
}

/** Writes a file whole or not at all. */
export async function writeFileWhole(target: string, content: string | Uint8Array): Promise<void> {
  await writeWhole(target, (partialPath) => writeFile(partialPath, content));
}

/** Writes a JSON file whole or not at all, indented for people. */
export async function writeJsonFile(target: string, value: unknown): Promise<void> {
  await writeFileWhole(target, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Reads a JSON file as untrusted data.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_UNREADABLE, or FILE_CORRUPT when it is not JSON.
 */
export async function readJsonFile(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromFileError(error, path);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ShardpoolError("FILE_CORRUPT", `${path} is not JSON`, { cause: error });
  }
}

/**
 * SHA-256 in hex and size of a file, streamed.
 *
 * @param onBytes Told how many bytes have been read, piece by piece.
 */
export async function hashFile(
  path: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      onBytes(bytes);
    }
  } catch (error) {
    throw fromFileError(error, path);
  }
  return { sha256: hash.digest("hex"), bytes };
}

/** A file is replaced by the rename itself; a folder in the way must go first. */
async function moveAside(target: string, partialPath: string): Promise<void> {
  if (!statSync(target, { throwIfNoEntry: false })?.isDirectory()) return;
  const oldPath = `${partialPath}-old`;
  await rename(target, oldPath);
  rmSync(oldPath, { recursive: true, force: true });
}

/** Puts a file, or a folder's list of names, on disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what an ended process left beside `target`. */
function removeAbandoned(target: string): void {
  const prefix = `${basename(target)}${PARTIAL_MARK}`;
  for (const entry of readdirSync(dirname(target))) {
    if (!entry.startsWith(prefix)) continue;
    if (isRunning(Number.parseInt(entry.slice(prefix.length), 10))) continue;
    rmSync(join(dirname(target), entry), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
