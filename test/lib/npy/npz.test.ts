import assert from "node:assert/strict";
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
import { ShardpoolError } from "../../../lib/errors.js";
import {
  bytesOf,
  NPY_DTYPES,
  type NpyArray,
  npyArray,
  zerosOf,
} from "../../../lib/npy/npy-dtype.js";
import { formatNpyHeader } from "../../../lib/npy/npy-header.js";
import { NpzArchive, readNpz, writeNpz } from "../../../lib/npy/npz.js";
import { ENTRY_COUNT_MAX } from "../../../lib/npy/stored-zip.js";
import { tempFolder } from "../../support/temp-folder.js";
import { type ZipEntryParts, zipBytes } from "../../support/zip-bytes.js";

const anyArray = fc
  .tuple(fc.constantFrom(...NPY_DTYPES), fc.array(fc.nat({ max: 5 }), { maxLength: 3 }))
  .map(([dtype, shape]) => {
    const array = zerosOf(dtype, shape);
    bytesOf(array.data).forEach((_, i, bytes) => {
      bytes[i] = (i * 7) % 60;
    });
    return array;
  });

describe("writeNpz() and readNpz()", () => {
  const path = join(tempFolder(), "arrays.npz");

  it("give back any arrays, in order", async () => {
    const anyArrays = fc.dictionary(fc.stringMatching(/^[a-z_.]{1,8}$/), anyArray, { maxKeys: 5 });
    await fc.assert(
      fc.asyncProperty(anyArrays, async (byName) => {
        const arrays = new Map(Object.entries(byName));

        await writeNpz(path, arrays);

        assert.deepEqual([...(await readNpz(path))], [...arrays]);
      }),
      { numRuns: 40 },
    );
  });

  it("make the same bytes from the same arrays", async () => {
    const arrays = new Map<string, NpyArray>([["a", npyArray("<f4", [2], Float32Array.of(1, 2))]]);

    await writeNpz(path, arrays);
    const first = readFileSync(path);
    await writeNpz(path, arrays);

    assert.deepEqual(readFileSync(path), first);
  });

  it("carry arrays larger than the pieces they are written in", async () => {
    const data = Int32Array.from({ length: 700_000 }, (_, i) => i);

    await writeNpz(path, new Map([["ids", npyArray("<i4", [700_000], data)]]));

    assert.deepEqual((await readNpz(path)).get("ids")?.data, data);
  });
});

describe("NpzArchive", () => {
  const path = join(tempFolder(), "archive.npz");

  it("reads rows of arrays beyond 4 GiB", async () => {
    const header = formatNpyHeader("|u1", [5 * 2 ** 20, 1024]);
    const bigBytes = header.length + 5 * 2 ** 30;
    const big = zipBytes([{ name: "big.npy", data: header, size: bigBytes }]).entries;
    const smallOffset = big.length + 5 * 2 ** 30;
    const small = zipBytes([vector("small", 3)]).entries;
    const { directory } = zipBytes(
      [
        { name: "big.npy", data: header, size: bigBytes },
        { ...vector("small", 3), offset: smallOffset },
      ],
      5 * 2 ** 30,
    );
    const fd = openSync(path, "w");
    writeSync(fd, big);
    ftruncateSync(fd, smallOffset);
    writeSync(fd, Uint8Array.of(9), 0, 1, smallOffset - 1);
    writeSync(fd, Buffer.concat([small, directory]), 0, null, smallOffset);
    closeSync(fd);

    const archive = await NpzArchive.open(path);

    assert.deepEqual(archive.names, ["big", "small"]);
    assert.equal(lastByteOf(archive, "big"), 9);
    assert.equal(lastByteOf(archive, "small"), 3);
    await archive.check("small");
  });

  it("names an array that is not there", async () => {
    writeZipFile(path, [vector("a", 1)]);
    const archive = await NpzArchive.open(path);

    assert.throws(() => archive.openArray("b"), { code: "FILE_CORRUPT", message: /named b/ });
  });

  it("skips the entries of folders", async () => {
    writeZipFile(path, [{ name: "folder/", data: new Uint8Array(0) }, vector("folder/a", 1)]);

    assert.deepEqual((await NpzArchive.open(path)).names, ["folder/a"]);
  });
});

describe("readNpz()", () => {
  const folder = tempFolder();
  const path = join(folder, "bad.npz");

  it("refuses more bytes than its limit before it reads them", async () => {
    await writeNpz(path, new Map([["a", npyArray("|u1", [1000], new Uint8Array(1000))]]));

    await assert.rejects(readNpz(path, 1000), { code: "LIMIT_EXCEEDED", message: /1128 .* 1000/ });
  });

  it("names a file that is not there, and a folder", async () => {
    await assert.rejects(readNpz(join(folder, "none.npz")), { code: "FILE_NOT_FOUND" });
    await assert.rejects(readNpz(folder), { code: "FILE_UNREADABLE" });
  });

  const corrupted: [what: string, code: string, bytes: () => Uint8Array][] = [
    ["an empty file", "FILE_CORRUPT", () => new Uint8Array(0)],
    ["a file of another format", "FILE_CORRUPT", () => formatNpyHeader("|u1", [0])],
    ["an archive cut short", "FILE_CORRUPT", () => archiveOf(vector("a", 1)).subarray(0, -1)],
    ["an archive cut in its data", "FILE_CORRUPT", () => archiveOf(vector("a", 1)).subarray(100)],
    ["a flipped bit", "FILE_CORRUPT", flippedBit],
    ["a wrong CRC-32", "FILE_CORRUPT", () => archiveOf({ ...vector("a", 1), crc: 7 })],
    ["compressed entries", "FORMAT_UNSUPPORTED", () => archiveOf({ ...vector("a", 1), method: 8 })],
    ["encrypted entries", "FORMAT_UNSUPPORTED", encrypted],
    [
      "entries that are not arrays",
      "FORMAT_UNSUPPORTED",
      () => archiveOf({ name: "a.txt", data: new Uint8Array(2) }),
    ],
    ["a name that leads out of a folder", "FILE_CORRUPT", () => archiveOf(vector("../a", 1))],
    ["such a name in the middle", "FILE_CORRUPT", () => archiveOf(vector("b/../../a", 1))],
    ["an absolute name", "FILE_CORRUPT", () => archiveOf(vector("/tmp/a", 1))],
    ["a drive's name", "FILE_CORRUPT", () => archiveOf(vector("C:/a", 1))],
    ["a name with backslashes", "FILE_CORRUPT", () => archiveOf(vector("..\\a", 1))],
    ["two arrays of one name", "FILE_CORRUPT", () => archiveOf(vector("a", 1), vector("a", 2))],
    [
      "entries that overlap",
      "FILE_CORRUPT",
      () => archiveOf(vector("a", 1), { ...vector("b", 2), offset: 0 }),
    ],
    ["an entry inside another's data", "FILE_CORRUPT", entryInsideAnother],
    [
      "an entry larger than the file",
      "FILE_CORRUPT",
      () => archiveOf({ ...vector("a", 1), size: 2 ** 40 }),
    ],
    [
      "an entry of 2^64 bytes",
      "FILE_CORRUPT",
      () => archiveOf({ ...vector("a", 1), size: 2 ** 63 }),
    ],
    [
      "an entry placed beyond the file",
      "FILE_CORRUPT",
      () => archiveOf({ ...vector("a", 1), offset: 2 ** 40 }),
    ],
    [
      "an entry placed on no header",
      "FILE_CORRUPT",
      () => archiveOf({ ...vector("a", 1), offset: 5 }),
    ],
    [
      "an array cut by its entry's size",
      "FILE_CORRUPT",
      () => archiveOf({ ...vector("a", 1), size: 128 }),
    ],
    ["more entries than are read", "LIMIT_EXCEEDED", () => withEntryCount(ENTRY_COUNT_MAX + 1)],
    ["more entries than there are", "FILE_CORRUPT", () => withEntryCount(2)],
    ["a directory placed at byte 2^62", "FILE_CORRUPT", directoryFarAway],
    ["an array of objects", "FORMAT_UNSUPPORTED", objectArray],
  ];
  for (const [what, code, bytes] of corrupted) {
    it(`refuses ${what} with ${code}, naming the file`, async () => {
      writeFileSync(path, bytes());

      await assert.rejects(readNpz(path), { code, message: /bad\.npz/ });
    });
  }

  it("reads or refuses with a code whatever bytes are changed", async () => {
    const whole = archiveOf(vector("a", 1), vector("b", 2));
    const position = fc.nat({ max: whole.length - 1 });
    const changes = fc.array(fc.tuple(position, fc.nat({ max: 255 })), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat({ max: whole.length }), async (pairs, length) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of pairs) bytes[at] = value;
        writeFileSync(path, bytes.subarray(0, length % 7 === 0 ? length : bytes.length));

        await readNpz(path).catch((error: unknown) => {
          assert.ok(error instanceof ShardpoolError, String(error));
        });
      }),
      { numRuns: 300 },
    );
  });
});

/** An entry that is a .npy file of one uint8. */
function vector(name: string, value: number): ZipEntryParts {
  const data = Buffer.concat([formatNpyHeader("|u1", [1]), Uint8Array.of(value)]);
  return { name: `${name}.npy`, data };
}

function archiveOf(...parts: ZipEntryParts[]): Buffer {
  const { entries, directory } = zipBytes(parts);
  return Buffer.concat([entries, directory]);
}

function writeZipFile(path: string, parts: ZipEntryParts[]): void {
  writeFileSync(path, archiveOf(...parts));
}

function lastByteOf(archive: NpzArchive, name: string): number {
  const reader = archive.openArray(name);
  const row = new Uint8Array(reader.rowBytes);
  reader.readRowBytes(reader.rowCount - 1, 1, row);
  reader.close();
  return row.at(-1)!;
}

function flippedBit(): Buffer {
  const bytes = archiveOf(vector("a", 1));
  // The last byte of the array, behind 30 bytes of local header and a name of 5.
  bytes[30 + 5 + 128]! ^= 1;
  return bytes;
}

function encrypted(): Buffer {
  // yauzl wants 12 bytes of encryption header on top of the size, so the flag comes with method 8.
  return archiveOf({ ...vector("a", 1), flags: 1, method: 8 });
}

function entryInsideAnother(): Buffer {
  const inner = zipBytes([vector("b", 2)]).entries;
  const outer = { name: "a.npy", data: inner };
  return archiveOf(outer, { ...vector("b", 2), offset: 30 + 5 });
}

function withEntryCount(count: number): Buffer {
  const bytes = archiveOf(vector("a", 1));
  const zip64End = bytes.length - 22 - 20 - 56;
  bytes.writeBigUInt64LE(BigInt(count), zip64End + 24);
  bytes.writeBigUInt64LE(BigInt(count), zip64End + 32);
  return bytes;
}

/** The position does not even fit what Node takes as one. */
function directoryFarAway(): Buffer {
  const bytes = archiveOf(vector("a", 1));
  bytes.writeBigUInt64LE(2n ** 62n, bytes.length - 22 - 20 - 56 + 48);
  bytes.writeBigUInt64LE(2n ** 62n, bytes.length - 22 - 20 + 8);
  return bytes;
}

function objectArray(): Buffer {
  const data = formatNpyHeader("|u1", [1]);
  data.write("|O ", data.indexOf("|u1"));
  return archiveOf({ name: "a.npy", data });
}
