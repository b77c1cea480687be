import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readNpz } from "../../lib/npy/npz.js";
import { PACKAGE_ROOT } from "../../lib/package-root.js";
import { type ImportOptions, importModel } from "../../tools/model/import/import-model.js";
import { safetensorsFile } from "./safetensors-file.js";
import { type TestTensor, torchFile } from "./torch-file.js";

/** The state dict of a golden variant, as PyTorch named it. */
export async function goldenState(interaction: "dot" | "cat"): Promise<Map<string, TestTensor>> {
  const arrays = await readNpz(goldenStateFile(interaction));
  return new Map(
    [...arrays].map(([name, { shape, data }]) => [name, { shape, values: data as Float32Array }]),
  );
}

export function goldenStateFile(interaction: "dot" | "cat"): string {
  return join(PACKAGE_ROOT, "test/golden", `${interaction}_state.npz`);
}

/** Writes tensors as each kind of state dict that can be imported. */
export function writeStateFiles(
  folder: string,
  tensors: ReadonlyMap<string, TestTensor>,
): Record<"pt" | "safetensors" | "folder", string> {
  const files = {
    pt: join(folder, "model.pt"),
    safetensors: join(folder, "model.safetensors"),
    folder: join(folder, "arrays"),
  };
  writeFileSync(files.pt, torchFile(tensors));
  writeFileSync(files.safetensors, safetensorsFile(tensors));
  mkdirSync(files.folder, { recursive: true });
  for (const [name, tensor] of tensors) {
    writeFileSync(join(files.folder, `${name}.npy`), npyFile("<f4", tensor.shape, tensor.values));
  }
  return files;
}

/** A version 1 `.npy` file with any header. */
export function npyFile(
  descr: string,
  shape: readonly number[],
  data: Float32Array | Uint8Array,
  fortranOrder = "False",
): Buffer {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': ${fortranOrder}, 'shape': (${tuple}), }\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}`, "latin1");
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

/** Imports with the defaults of the command line. */
export function importPlain(
  from: string,
  out: string,
  options: Partial<ImportOptions> = {},
): ReturnType<typeof importModel> {
  return importModel({
    ...{ from, out, name: "imported", dtype: "float32", outOfRange: "error", tolerance: 1e-6 },
    ...{ interaction: undefined, lossThreshold: 0, pooling: "sum", feature: [], tables: undefined },
    ...{ onStart: () => {}, onRows: () => {} },
    ...options,
  });
}
