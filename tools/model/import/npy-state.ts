import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fromFileError, ShardpoolError } from "../../../lib/errors.js";
import type { NpyDtype } from "../../../lib/npy/npy-dtype.js";
import { NpyReader } from "../../../lib/npy/npy-file.js";
import { NpzArchive } from "../../../lib/npy/npz.js";
import type { StateDict, StateDtype, StateTensor } from "./state-dict.js";

const STATE_DTYPE_BY_NPY: Partial<Record<NpyDtype, StateDtype>> = {
  "<f4": "float32",
  "<f2": "float16",
  "<f8": "float64",
};

const SUFFIX = ".npy";

/**
 * Opens a state dict saved with numpy.savez: one array a tensor, under the tensor's name. Each
 * array's CRC-32 is checked first, in one streaming pass.
 *
 * @throws ShardpoolError FILE_CORRUPT or FORMAT_UNSUPPORTED, naming the array.
 */
export async function openNpzState(path: string): Promise<StateDict> {
  const archive = await NpzArchive.open(path);
  for (const name of archive.names) await archive.check(name);
  return { ...openArrays(path, archive.names, (name) => archive.openArray(name)), isOrdered: true };
}

/**
 * Opens a folder of `.npy` files, one a tensor, named by it.
 *
 * @throws ShardpoolError FILE_NOT_FOUND, FILE_CORRUPT or FORMAT_UNSUPPORTED.
 */
export function openNpyFolderState(dir: string): StateDict {
  const names = listFolder(dir)
    .filter((entry) => entry.endsWith(SUFFIX) && statSync(join(dir, entry)).isFile())
    .map((entry) => entry.slice(0, -SUFFIX.length));
  if (names.length === 0) {
    throw new ShardpoolError("FILE_NOT_FOUND", `${dir} holds no .npy files`);
  }
  return openArrays(dir, names.toSorted(), (name) => NpyReader.open(join(dir, `${name}${SUFFIX}`)));
}

function listFolder(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    throw fromFileError(error, dir);
  }
}

function openArrays(
  what: string,
  names: readonly string[],
  open: (name: string) => NpyReader,
): StateDict {
  const readers: NpyReader[] = [];
  const close = (): void => {
    for (const reader of readers) reader.close();
  };
  try {
    const tensors = new Map<string, StateTensor>();
    for (const name of names) {
      const reader = open(name);
      readers.push(reader);
      tensors.set(name, toTensor(what, name, reader));
    }
    return { what, tensors, isOrdered: false, close };
  } catch (error) {
    close();
    throw error;
  }
}

function toTensor(what: string, name: string, reader: NpyReader): StateTensor {
  const dtype = STATE_DTYPE_BY_NPY[reader.dtype];
  if (dtype === undefined) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what}: ${name} is ${reader.dtype}, weights are read as <f4, <f2 or <f8`,
    );
  }
  return {
    name,
    dtype,
    shape: reader.shape,
    readBytes: (position, out) => reader.readBytes(position, out),
  };
}
