import { join } from "node:path";
import { ShardpoolError } from "../../lib/errors.js";
import { hashFile } from "../../lib/files.js";
import type { Model } from "../../lib/model/model-directory.js";
import { startProgress } from "../cli/progress.js";

/** One file of a model against what the manifest says of it. */
export interface FileCheck {
  readonly file: string;
  readonly bytes: number;
  /** SHA-256 in hex: as the manifest states it, and of the bytes on disk. */
  readonly expected: string;
  readonly found: string;
}

/** Hashes every file of a model, with progress on standard error. */
export async function verifyFiles(model: Model): Promise<FileCheck[]> {
  const files = Object.entries(model.manifest.files);
  const totalBytes = files.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  const progress = startProgress("hashing files", toMebibytes(totalBytes), "MiB");
  const checks: FileCheck[] = [];
  let bytesBefore = 0;
  for (const [file, stated] of files) {
    const { sha256 } = await hashFile(join(model.dir, file), (bytes) =>
      progress.update(toMebibytes(bytesBefore + bytes)),
    );
    bytesBefore += stated.bytes;
    checks.push({ file, bytes: stated.bytes, expected: stated.sha256, found: sha256 });
  }
  progress.finish(`${files.length} files, ${toMebibytes(totalBytes)} MiB`);
  return checks;
}

/** @throws ShardpoolError HASH_MISMATCH naming every file whose bytes are not those of the manifest. */
export function assertHashesMatch(model: Model, checks: readonly FileCheck[]): void {
  const problems = checks
    .filter(({ expected, found }) => expected !== found)
    .map(({ file, expected, found }) => `${file} has hash ${found}, expected ${expected}`);
  if (problems.length === 0) return;
  throw new ShardpoolError("HASH_MISMATCH", `${model.dir}: ${problems.join("; ")}`);
}

function toMebibytes(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
