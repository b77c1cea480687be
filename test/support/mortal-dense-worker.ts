import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

// A dense worker that dies in the middle of a batch as often as the file `deathsFileOf` says.

/** Where the number of deaths still to come stands, if any are. */
export function deathsFileOf(onnxPath: string): string {
  return `${onnxPath}.deaths`;
}

function dieIfTold(onnxPath: string): void {
  const file = deathsFileOf(onnxPath);
  const deathsLeft = existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
  if (deathsLeft === 0) return;
  writeFileSync(file, String(deathsLeft - 1));
  process.exit(1);
}

if (parentPort !== null) {
  const { onnxPath } = workerData as { readonly onnxPath: string };
  parentPort.on("message", () => dieIfTold(onnxPath));
  await import("../../services/frontend/dense-worker.js");
}
