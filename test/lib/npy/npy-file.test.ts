import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  bytesOf,
  elementCountOf,
  itemBytesOf,
  NPY_DTYPES,
  type NpyDtype,
} from "../../../lib/npy/npy-dtype.js";
import { NpyReader, NpyWriter } from "../../../lib/npy/npy-file.js";
import { formatNpyHeader } from "../../../lib/npy/npy-header.js";
import { tempFolder } from "../../support/temp-folder.js";

const MAGIC = "\x93NUMPY";

describe("NpyWriter and NpyReader", () => {
  const path = join(tempFolder(), "array.npy");

  it("give back any array, written and read in pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...NPY_DTYPES),
        fc.array(fc.nat({ max: 6 }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 50 }),
        async (dtype, shape, pieceBytes) => {
          const data = countingBytes(elementCountOf(shape) * itemBytesOf(dtype));

          await writeInPieces(path, dtype, shape, data, pieceBytes);

          const reader = NpyReader.open(path);
          try {
            assert.equal(reader.dtype, dtype);
            assert.deepEqual(reader.shape, shape);
            assert.deepEqual(readByRows(reader), data);
            assert.deepEqual(bytesOf(reader.readAll().data), data);
          } finally {
            reader.close();
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("hash the file while it is written", async () => {
    const written = await writeInPieces(path, "<i4", [3], countingBytes(12), 5);

    const file = readFileSync(path);
    assert.equal(written.sha256, createHash("sha256").update(file).digest("hex"));
    assert.equal(written.bytes, file.length);
  });

  it("write what numpy writes", async () => {
    await writeInPieces(path, "<f4", [2, 1], countingBytes(8), 8);

    const dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
    const header = `${MAGIC}\x01\x00\x76\x00${dictionary.padEnd(117)}\n`;
    assert.equal(readFileSync(path).subarray(0, 128).toString("latin1"), header);
  });

  it("align the data to 64 bytes, whatever the shape", () => {
    for (const shape of [[], [5], [2147483647, 65536], Array(32).fill(1)]) {
      assert.equal(formatNpyHeader("|u1", shape).length % 64, 0);
    }
  });
});

describe("NpyWriter", () => {
  const folder = tempFolder();

  it("refuses more bytes than the shape holds", async () => {
    const writer = await NpyWriter.create(join(folder, "more.npy"), "<f4", [2]);
    try {
      await assert.rejects(writer.append(new Uint8Array(9)), RangeError);
    } finally {
      await writer.close();
    }
  });

  it("refuses to finish while bytes are missing", async () => {
    const writer = await NpyWriter.create(join(folder, "less.npy"), "<f4", [2]);
    try {
      await writer.append(new Uint8Array(7));
      await assert.rejects(writer.finish(), RangeError);
    } finally {
      await writer.close();
    }
  });

  it("names the folder that is not there", async () => {
    await assert.rejects(NpyWriter.create(join(folder, "none", "a.npy"), "<f4", [2]), {
      code: "FILE_NOT_FOUND",
    });
  });
});

describe("NpyReader", () => {
  const folder = tempFolder();
  const path = join(folder, "read.npy");

  it("reads rows at the end of a file larger than memory wants, in little memory", () => {
    const rowCount = 12_000_000;
    const header = formatNpyHeader("<f4", [rowCount, 64]);
    const fd = openSync(path, "w");
    writeSync(fd, header);
    ftruncateSync(fd, header.length + rowCount * 256);
    writeSync(fd, Float32Array.of(7, 8), 0, 8, header.length + (rowCount - 1) * 256);
    closeSync(fd);
    const before = process.memoryUsage().rss;

    const reader = NpyReader.open(path);
    const rows = new Uint8Array(2 * 256);
    reader.readRowBytes(rowCount - 2, 2, rows);
    reader.close();

    assert.deepEqual([...new Float32Array(rows.buffer, 256, 3)], [7, 8, 0]);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 ** 2);
  });

  it("reads version 2, whose header length has four bytes", () => {
    writeFileSync(path, npyBytes({ version: 2, shape: "(1, 2)", data: countingBytes(8) }));

    const reader = NpyReader.open(path);
    const array = reader.readAll();
    reader.close();

    assert.deepEqual(array.shape, [1, 2]);
    assert.deepEqual(bytesOf(array.data), countingBytes(8));
  });

  it("takes a scalar as one row", () => {
    writeFileSync(path, npyBytes({ shape: "()", data: countingBytes(4) }));

    const reader = NpyReader.open(path);
    const { rowCount, rowBytes } = reader;
    reader.close();

    assert.deepEqual({ rowCount, rowBytes }, { rowCount: 1, rowBytes: 4 });
  });

  it("refuses rows outside the array, a wrong buffer, and reads after close", () => {
    writeFileSync(path, npyBytes({ shape: "(3,)", data: countingBytes(12) }));
    const reader = NpyReader.open(path);

    assert.throws(() => reader.readRowBytes(2, 2, new Uint8Array(8)), RangeError);
    assert.throws(() => reader.readRowBytes(-1, 1, new Uint8Array(4)), RangeError);
    assert.throws(() => reader.readRowBytes(0, 1, new Uint8Array(8)));
    reader.close();
    reader.close();
    assert.throws(() => reader.readRowBytes(0, 1, new Uint8Array(4)), TypeError);
  });

  it("notices a file that is cut while it is open", () => {
    writeFileSync(path, npyBytes({ shape: "(3,)", data: countingBytes(12) }));
    const reader = NpyReader.open(path);
    writeFileSync(path, "short");

    assert.throws(() => reader.readRowBytes(0, 3, new Uint8Array(12)), { code: "FILE_CORRUPT" });
    reader.close();
  });

  it("names a file that is not there, and a folder", () => {
    assert.throws(() => NpyReader.open(join(folder, "none.npy")), { code: "FILE_NOT_FOUND" });
    assert.throws(() => NpyReader.open(folder), { code: "FILE_UNREADABLE" });
  });

  const corrupted: [what: string, code: string, bytes: Uint8Array][] = [
    ["an empty file", "FILE_CORRUPT", new Uint8Array(0)],
    ["a file of another format", "FILE_CORRUPT", Buffer.from("PK\x03\x04 is a zip archive")],
    ["a file that ends after the magic", "FILE_CORRUPT", Buffer.from(MAGIC, "latin1")],
    [
      "a version 2 that ends inside its length",
      "FILE_CORRUPT",
      npyBytes({ version: 2 }).subarray(0, 11),
    ],
    ["version 3", "FORMAT_UNSUPPORTED", npyBytes({ version: 3 })],
    ["version 0", "FORMAT_UNSUPPORTED", npyBytes({ version: 0 })],
    ["a header cut short", "FILE_CORRUPT", npyBytes({}).subarray(0, 40)],
    ["a header of 4 GiB", "FILE_CORRUPT", hugeHeader()],
    ["data cut short", "FILE_CORRUPT", npyBytes({ data: new Uint8Array(15) })],
    ["bytes after the data", "FILE_CORRUPT", npyBytes({ data: new Uint8Array(17) })],
    ["big-endian numbers", "FORMAT_UNSUPPORTED", npyBytes({ descr: "'>f4'" })],
    ["pickled objects", "FORMAT_UNSUPPORTED", npyBytes({ descr: "'|O'" })],
    ["records", "FORMAT_UNSUPPORTED", npyBytes({ descr: "[('a', '<f4')]" })],
    ["text", "FORMAT_UNSUPPORTED", npyBytes({ descr: "'<U4'" })],
    ["Fortran order", "FORMAT_UNSUPPORTED", npyBytes({ order: "True" })],
    [
      "a shape of more than 2^53 bytes",
      "FILE_CORRUPT",
      npyBytes({ shape: "(4294967296, 4294967296)" }),
    ],
    [
      "such a shape behind a zero",
      "FILE_CORRUPT",
      npyBytes({ shape: "(0, 4294967296, 4294967296)" }),
    ],
    ["a negative extent", "FILE_CORRUPT", npyBytes({ shape: "(-1, 4)" })],
    ["a fractional extent", "FILE_CORRUPT", npyBytes({ shape: "(1.5, 4)" })],
    ["an extent in words", "FILE_CORRUPT", npyBytes({ shape: "('two', 2)" })],
    ["a shape that is a number", "FILE_CORRUPT", npyBytes({ shape: "4" })],
    ["an order that is a number", "FILE_CORRUPT", npyBytes({ order: "0" })],
    [
      "more extents than numpy allows",
      "FILE_CORRUPT",
      npyBytes({ shape: `(${"1, ".repeat(65)})` }),
    ],
    ["a key too many", "FILE_CORRUPT", npyBytes({ order: "False, 'more': 1" })],
    ["a key too few", "FILE_CORRUPT", npyFromText("{'descr': '<f4', 'shape': (2, 2), }")],
    ["a header that is not a dictionary", "FILE_CORRUPT", npyFromText("(2, 2)")],
    ["code in the header", "FILE_CORRUPT", npyFromText("__import__('os').system('true')")],
    ["an unclosed header", "FILE_CORRUPT", npyFromText("{'descr': '<f4', 'shape': (2, 2")],
  ];
  for (const [what, code, bytes] of corrupted) {
    it(`refuses ${what} with ${code}, naming the file`, () => {
      writeFileSync(path, bytes);

      assert.throws(() => NpyReader.open(path), { code, message: /read\.npy/ });
    });
  }
});

interface NpyParts {
  readonly version?: number;
  readonly descr?: string;
  readonly order?: string;
  readonly shape?: string;
  readonly data?: Uint8Array;
}

/** A .npy file of four float32 values unless told otherwise. */
function npyBytes({
  version = 1,
  descr = "'<f4'",
  order = "False",
  shape = "(2, 2)",
  data = new Uint8Array(16),
}: NpyParts): Buffer {
  const text = `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
  return npyFromText(text, version, data);
}

function npyFromText(text: string, version = 1, data: Uint8Array = new Uint8Array(16)): Buffer {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(text.length + 1, 0, length.length);
  const start = Buffer.from(`${MAGIC}${String.fromCharCode(version)}\0`, "latin1");
  return Buffer.concat([start, length, Buffer.from(`${text}\n`, "latin1"), data]);
}

function hugeHeader(): Buffer {
  const bytes = npyBytes({ version: 2 });
  bytes.writeUInt32LE(0xfffffff0, 8);
  return bytes;
}

function countingBytes(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => i % 251);
}

async function writeInPieces(
  path: string,
  dtype: NpyDtype,
  shape: readonly number[],
  data: Uint8Array,
  pieceBytes: number,
): Promise<{ sha256: string; bytes: number }> {
  const writer = await NpyWriter.create(path, dtype, shape);
  for (let start = 0; start < data.length; start += pieceBytes) {
    await writer.append(data.subarray(start, start + pieceBytes));
  }
  return await writer.finish();
}

function readByRows(reader: NpyReader): Uint8Array {
  const bytes = new Uint8Array(reader.rowCount * reader.rowBytes);
  for (let row = 0; row < reader.rowCount; row++) {
    const out = bytes.subarray(row * reader.rowBytes, (row + 1) * reader.rowBytes);
    reader.readRowBytes(row, 1, out);
  }
  return bytes;
}
