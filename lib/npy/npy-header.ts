import { z } from "zod";
import { parseConfig } from "../config.js";
import { ShardpoolError } from "../errors.js";
import { elementCountOf, itemBytesOf, NPY_DTYPES, type NpyDtype } from "./npy-dtype.js";

/** What a .npy file says of its data. */
export interface NpyHeader {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** Where the data starts, from the start of the file. */
  readonly dataOffset: number;
}

/** numpy's own reader stops at 10,000 bytes unless told otherwise; plain headers have about 120. */
export const HEADER_BYTES_MAX = 65536;
/** Magic, version and the longer of the two length fields. */
export const PREAMBLE_BYTES = 12;

/** numpy's own limit. */
const RANK_MAX = 64;
const MAGIC = Buffer.from("\x93NUMPY", "latin1");
/** numpy aligns data to this, so that a mapped file can be used in place. */
const DATA_ALIGNMENT = 64;

/** Where the header text lies, read from the file's first `PREAMBLE_BYTES` bytes. */
export interface NpyPreamble {
  readonly textOffset: number;
  readonly textBytes: number;
}

/**
 * Reads magic, version and header length.
 *
 * @param start The file's first `PREAMBLE_BYTES` bytes; fewer when the file has fewer.
 * @throws ShardpoolError FILE_CORRUPT, or FORMAT_UNSUPPORTED for a version other than 1 and 2.
 */
export function parsePreamble(start: Buffer, what: string): NpyPreamble {
  if (start.length < 10 || !start.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ShardpoolError("FILE_CORRUPT", `${what} does not start as a .npy file does`);
  }
  const version = start.readUInt8(6);
  if (version !== 1 && version !== 2) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what} has .npy version ${version}.${start.readUInt8(7)}; versions 1 and 2 are read`,
    );
  }
  if (version === 2 && start.length < 12) {
    throw new ShardpoolError("FILE_CORRUPT", `${what} ends inside its .npy header`);
  }
  const textBytes = version === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8);
  if (textBytes > HEADER_BYTES_MAX) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${what} declares a .npy header of ${textBytes} bytes; at most ${HEADER_BYTES_MAX} are read`,
    );
  }
  return { textOffset: version === 1 ? 10 : 12, textBytes };
}

const headerSchema = z.strictObject({
  descr: z.unknown(),
  fortran_order: z.boolean(),
  shape: z.array(z.int().min(0)).max(RANK_MAX),
});

/** Everything a header may consist of; what JSON allows beyond it (exponents, escapes) is refused. */
const HEADER_TEXT = /^(?:[\s{}()[\],:]|'[^'"\\]*'|True|False|[0-9]+)*$/;

/**
 * Checks the header text, a Python dictionary such as
 * `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
 *
 * @param dataOffset Where the text ends in its file.
 * @throws ShardpoolError FILE_CORRUPT when it is no such dictionary, FORMAT_UNSUPPORTED when it names
 *   Fortran order or a dtype that is not read.
 */
export function parseHeaderText(text: string, dataOffset: number, what: string): NpyHeader {
  const header = parseConfig(
    headerSchema,
    parsePythonLiteral(text, what),
    `${what} .npy header`,
    "FILE_CORRUPT",
  );
  const dtype = NPY_DTYPES.find((known) => known === header.descr);
  if (dtype === undefined) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what} has dtype ${JSON.stringify(header.descr)}; read are ${NPY_DTYPES.join(" ")}`,
    );
  }
  if (header.fortran_order) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${what} is in Fortran order; save it with numpy.ascontiguousarray`,
    );
  }
  // Zero extents must not hide an overflow of the others.
  if (!Number.isSafeInteger(elementCountOf(header.shape.map((n) => n || 1)) * itemBytesOf(dtype))) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${what} declares shape [${header.shape.join(", ")}], more than 2^53 bytes`,
    );
  }
  return { dtype, shape: header.shape, dataOffset };
}

/** Turns the literal into JSON, which differs from it in spelling only once strange text is out. */
function parsePythonLiteral(text: string, what: string): unknown {
  const trimmed = text.trimEnd();
  if (!HEADER_TEXT.test(trimmed)) throw headerCorrupt(trimmed, what);
  const json = trimmed
    .replace(/[()']|True|False/g, (token) => JSON_BY_TOKEN[token]!)
    .replace(/,\s*([}\]])/g, "$1");
  try {
    return JSON.parse(json);
  } catch (error) {
    throw headerCorrupt(trimmed, what, error);
  }
}

const JSON_BY_TOKEN: Readonly<Record<string, string>> = {
  "(": "[",
  ")": "]",
  "'": '"',
  True: "true",
  False: "false",
};

function headerCorrupt(text: string, what: string, cause?: unknown): ShardpoolError {
  return new ShardpoolError(
    "FILE_CORRUPT",
    `${what} has a .npy header that cannot be read: ${JSON.stringify(text.slice(0, 80))}`,
    { cause },
  );
}

/** The bytes before the data, as numpy writes them: version 1, padded so that the data is aligned. */
export function formatNpyHeader(dtype: NpyDtype, shape: readonly number[]): Buffer {
  const extents = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${extents}), }`;
  const headBytes = MAGIC.length + 4;
  const bytes = Math.ceil((headBytes + dictionary.length + 1) / DATA_ALIGNMENT) * DATA_ALIGNMENT;
  const header = Buffer.alloc(bytes, " ");
  MAGIC.copy(header);
  header.writeUInt16LE(1, MAGIC.length);
  header.writeUInt16LE(bytes - headBytes, MAGIC.length + 2);
  header.write(dictionary, headBytes, "latin1");
  header.write("\n", bytes - 1);
  return header;
}
