import { z } from "zod";
import { parseConfig } from "../../../lib/config.js";
import { ShardpoolError } from "../../../lib/errors.js";
import { FileRegion } from "../../../lib/npy/file-region.js";
import {
  elementCountOf,
  STATE_ITEM_BYTES,
  type StateDict,
  type StateDtype,
  type StateTensor,
} from "./state-dict.js";

/** The length of the header, uint64 little-endian, starts the file. */
const PREFIX_BYTES = 8;
/** The format's own limit. */
const HEADER_BYTES_MAX = 100_000_000;
/** Not a tensor: a map of strings. */
const METADATA_KEY = "__metadata__";

const STATE_DTYPE_BY_NAME: ReadonlyMap<string, StateDtype> = new Map([
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["F64", "float64"],
]);

const size = z.int().min(0);
const entrySchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(size).max(64),
  data_offsets: z.tuple([size, size]),
});
type Entry = z.output<typeof entrySchema>;

/**
 * Opens a `.safetensors` file: a JSON header (name → dtype, shape, place) before the tensors' bytes, as
 * https://github.com/huggingface/safetensors describes it. Tensors of integers are passed over.
 *
 * @throws ShardpoolError FILE_CORRUPT when the header is none, or a tensor does not lie inside the file
 * with the bytes its shape wants.
 */
export function openSafetensorsState(path: string): StateDict {
  const file = FileRegion.open(path);
  try {
    const { header, dataStart } = readHeader(file);
    const tensors = new Map<string, StateTensor>();
    for (const [name, raw] of Object.entries(header)) {
      if (name === METADATA_KEY) continue;
      const entry = parseConfig(entrySchema, raw, `${path}: tensor ${name}`, "FILE_CORRUPT");
      const tensor = toTensor(name, entry, dataStart, file);
      if (tensor !== undefined) tensors.set(name, tensor);
    }
    // The writing library orders tensors by their alignment and name.
    return { what: path, tensors, isOrdered: false, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function readHeader(file: FileRegion): { header: object; dataStart: number } {
  const prefix = Buffer.alloc(Math.min(PREFIX_BYTES, file.bytes));
  file.read(0, prefix);
  const headerBytes = prefix.length < PREFIX_BYTES ? Number.NaN : Number(prefix.readBigUInt64LE());
  if (!(headerBytes <= Math.min(HEADER_BYTES_MAX, file.bytes - PREFIX_BYTES))) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${file.path} declares a header of ${headerBytes} bytes in a file of ${file.bytes}; at most ${HEADER_BYTES_MAX} are read`,
    );
  }
  const text = Buffer.alloc(headerBytes);
  file.read(PREFIX_BYTES, text);
  try {
    const header: unknown = JSON.parse(text.toString("utf8"));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) {
      return { header, dataStart: PREFIX_BYTES + headerBytes };
    }
  } catch (error) {
    throw new ShardpoolError("FILE_CORRUPT", `${file.path}: its header is not JSON`, {
      cause: error,
    });
  }
  throw new ShardpoolError("FILE_CORRUPT", `${file.path}: its header is not a JSON object`);
}

function toTensor(
  name: string,
  { dtype: dtypeName, shape, data_offsets: [start, end] }: Entry,
  dataStart: number,
  file: FileRegion,
): StateTensor | undefined {
  const dtype = STATE_DTYPE_BY_NAME.get(dtypeName);
  if (dtype === undefined) return undefined;
  const bytes = elementCountOf({ shape }) * STATE_ITEM_BYTES[dtype];
  if (end - start !== bytes || dataStart + end > file.bytes) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${file.path}: tensor ${name} lies in bytes ${start} to ${end} of ${file.bytes - dataStart}, its shape [${shape.join(", ")}] wants ${bytes}`,
    );
  }
  const readBytes = (position: number, out: Uint8Array): void =>
    file.read(dataStart + start + position, out);
  return { name, dtype, shape, readBytes };
}
