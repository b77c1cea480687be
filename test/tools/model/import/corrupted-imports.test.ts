import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import { ShardpoolError } from "../../../../lib/errors.js";
import {
  decodeOnnxModel,
  encodeOnnxModel,
  type OnnxModel,
} from "../../../../lib/onnx/onnx-proto.js";
import { Random } from "../../../../lib/random.js";
import { EXPORTED_FILE } from "../../../support/exported-model.js";
import {
  goldenState,
  goldenStateFile,
  importPlain,
  npyFile,
  writeStateFiles,
} from "../../../support/import-sources.js";
import { safetensorsHeader } from "../../../support/safetensors-file.js";
import { tempFolder } from "../../../support/temp-folder.js";
import { pickleOf, torchEntries } from "../../../support/torch-file.js";
import { type ZipEntryParts, zipBytes } from "../../../support/zip-bytes.js";

/** More than any import here needs, and far below what hostile sizes ask for. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024;
const CUTS_A_KIND = 25;
const FLIPS_A_KIND = 30;

describe("imports of corrupted files", () => {
  const folder = tempFolder();
  const room = join(folder, "room");
  let caseCount = 0;

  it("refuses files cut at any place", async () => {
    const random = new Random(1, "cuts");
    const files = writeStateFiles(folder, await goldenState("dot"));
    const whole = [goldenStateFile("dot"), files.pt, files.safetensors, EXPORTED_FILE];
    for (const file of whole) {
      const bytes = readFileSync(file);
      for (let i = 0; i < CUTS_A_KIND; i++) {
        const end = random.nextBelow(bytes.length);
        await assertRefused(`${file} cut at ${end}`, file, bytes.subarray(0, end));
      }
    }
  });

  it("refuses archives with any changed byte of a tensor", async () => {
    const random = new Random(2, "flips");
    const files = writeStateFiles(folder, await goldenState("dot"));
    for (const file of [goldenStateFile("dot"), files.pt]) {
      const bytes = readFileSync(file);
      for (let i = 0; i < FLIPS_A_KIND; i++) {
        const changed = Buffer.from(bytes);
        // Table 3 has most of the bytes: the middle of the file is always inside a tensor.
        const at = Math.floor(bytes.length * (0.35 + 0.2 * random.nextFloat()));
        changed[at]! ^= 1 << random.nextBelow(8);
        await assertRefused(`${file} changed at ${at}`, file, changed);
      }
    }
  });

  it("survives any other changed byte: a coded error, or a whole model", async () => {
    const random = new Random(3, "bytes");
    const files = writeStateFiles(folder, await goldenState("dot"));
    for (const file of [goldenStateFile("dot"), files.pt, files.safetensors, EXPORTED_FILE]) {
      const bytes = readFileSync(file);
      for (let i = 0; i < FLIPS_A_KIND; i++) {
        const changed = Buffer.from(bytes);
        const span = i % 2 === 0 ? Math.min(2000, bytes.length) : bytes.length;
        changed[random.nextBelow(span)] = random.nextBelow(256);
        await assertSafe(`${file} byte ${i}`, file, changed);
      }
    }
  });

  it("refuses arrays of another dtype, byte order, memory order or size, in any tensor", async () => {
    const state = await goldenState("dot");
    const { folder: arrays } = writeStateFiles(folder, state);
    const broken = [
      (shape: readonly number[], values: Float32Array) => npyFile("<i4", shape, values),
      (shape: readonly number[], values: Float32Array) => npyFile(">f4", shape, values),
      (shape: readonly number[], values: Float32Array) => npyFile("|O", shape, values),
      (shape: readonly number[], values: Float32Array) => npyFile("<f4", shape, values, "True"),
      (shape: readonly number[], values: Float32Array) => npyFile("<f8", shape, values),
      (shape: readonly number[], values: Float32Array) =>
        npyFile("<f4", [...shape, 2 ** 40], values),
      (shape: readonly number[], values: Float32Array) =>
        npyFile("<f4", [2 ** 31, ...shape.slice(1)], values),
      (_: readonly number[], values: Float32Array) => npyFile("<f4", [], values),
    ];
    for (const [name, { shape, values }] of [...state].slice(0, 6)) {
      for (const [i, make] of broken.entries()) {
        const from = freshRoom();
        cpSync(arrays, from, { recursive: true });
        writeFileSync(join(from, `${name}.npy`), make(shape, values));
        await assertRefusedAt(`${name} variant ${i}`, from);
      }
    }
  });

  it("refuses archives that lie about their members", async () => {
    const state = await goldenState("dot");
    const entries = torchEntries(state);
    const first = entries[0]!;
    const lies: Record<string, readonly ZipEntryParts[]> = {
      "a bomb": [{ ...first, data: deflateRawSync(Buffer.alloc(1e7)), method: 8, size: 1e7 }],
      "a size beyond the file": [{ ...first, size: 2 ** 45 }],
      "a place beyond the file": [{ ...first, offset: 2 ** 45 }],
      "a wrong checksum": [{ ...entries[2]!, crc: 1 }],
      encryption: [{ ...first, flags: 1 }],
      "a path out of the folder": [{ ...first, name: "../../archive/data.pkl.exe" }],
      "an absolute path": [{ ...first, name: "/tmp/data.pkl.exe" }],
      "no pickle": [{ ...first, name: "archive/other" }],
    };
    for (const [title, changed] of Object.entries(lies)) {
      const others = entries.filter(({ name }) => !changed.some((entry) => entry.name === name));
      const kept = title.startsWith("a path") || title.startsWith("an ") || title === "no pickle";
      const parts = kept ? [...changed, ...entries.slice(1)] : [...changed, ...others];
      const { entries: body, directory } = zipBytes(parts);
      await assertRefused(title, "x.pt", Buffer.concat([body, directory]));
    }
  });

  it("refuses pickles that ask for what is not there", async () => {
    const state = await goldenState("dot");
    const entries = torchEntries(state);
    const pickle = pickleOf(state).toString("latin1");
    const hostile = [
      pickle.replace("ccollections\nOrderedDict\n)R", "cos\nsystem\n(X\x04\0\0\0exittR"),
      pickle.replaceAll("FloatStorage", "QuantStorage"),
      pickle.replaceAll("_rebuild_tensor_v2", "_rebuild_tensor_v9"),
      pickle.replace("J\x32\0\0\0", "J\xff\xff\xff\x7f"),
      pickle.replace("J\x32\0\0\0", "J\xff\xff\xff\xff"),
      pickle.slice(0, -1),
      `${pickle.slice(0, 2)}${"(".repeat(100_000)}.`,
      "\x80\x09.",
      "",
    ];
    for (const [i, text] of hostile.entries()) {
      const { entries: body, directory } = zipBytes([
        { name: "archive/data.pkl", data: Buffer.from(text, "latin1") },
        ...entries.slice(1),
      ]);
      await assertRefused(`pickle ${i}`, "x.pt", Buffer.concat([body, directory]));
    }
  });

  it("refuses headers of .safetensors that lie", async () => {
    const entry = { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] };
    const headers: unknown[] = [
      [],
      null,
      { "emb_l.0.weight": { ...entry, data_offsets: [0, 12] } },
      { "emb_l.0.weight": { ...entry, data_offsets: [0, 1e15], shape: [5e6, 5e7] } },
      { "emb_l.0.weight": { ...entry, data_offsets: [-4, 12] } },
      { "emb_l.0.weight": { ...entry, shape: [2 ** 53, 2] } },
      { "emb_l.0.weight": { ...entry, dtype: "I32" } },
      { "emb_l.0.weight": { ...entry, extra: 1 } },
      { "emb_l.0.weight": entry },
    ];
    for (const [i, header] of headers.entries()) {
      const file = Buffer.concat([safetensorsHeader(header), Buffer.alloc(16)]);
      await assertRefused(`header ${i}`, "x.safetensors", file);
    }
    const long = Buffer.alloc(16);
    long.writeBigUInt64LE(2n ** 63n);
    await assertRefused("a long header", "x.safetensors", long);
  });

  it("refuses ONNX files whose data lie elsewhere, or whose shapes lie", async () => {
    const model = decodeOnnxModel(readFileSync(EXPORTED_FILE), EXPORTED_FILE);
    const external = (location: string): OnnxModel =>
      withTable(model, {
        dataLocation: 1,
        externalData: [{ key: "location", value: location }],
        rawData: new Uint8Array(0),
      });
    const broken = [
      external("../secret.bin"),
      external("/etc/passwd"),
      external("a/../../x"),
      external("not-there.bin"),
      external(""),
      withTable(model, { dims: [2 ** 40, 32] }),
      withTable(model, { dims: [-1, 32] }),
      withTable(model, { dims: [50, 31] }),
      withTable(model, { dataType: 7 }),
      withTable(model, { dataType: 999 }),
    ];
    for (const [i, one] of broken.entries()) {
      await assertRefused(`graph ${i}`, "x.onnx", Buffer.from(encodeOnnxModel(one)));
    }
  });

  it("tried at least 200", () => {
    assert.ok(caseCount >= 200, `${caseCount} cases`);
  });

  function freshRoom(): string {
    rmSync(room, { recursive: true, force: true });
    mkdirSync(room, { recursive: true });
    const from = join(room, "from");
    mkdirSync(from);
    return from;
  }

  async function assertRefused(title: string, like: string, bytes: Uint8Array): Promise<void> {
    const path = join(freshRoom(), `model${/\.\w+$/.exec(like)![0]}`);
    writeFileSync(path, bytes);
    await assertRefusedAt(title, path);
  }

  /** A coded error, bounded memory, and nothing written. */
  async function assertRefusedAt(title: string, path: string): Promise<void> {
    caseCount++;
    const before = process.memoryUsage().rss;
    const error = await importPlain(path, join(room, "out")).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const grown = process.memoryUsage().rss - before;
    assert.ok(error instanceof ShardpoolError, `${title}: ${error}`);
    assert.ok(grown < MEMORY_BYTES_MAX, `${title}: ${grown} bytes of memory`);
    assert.deepEqual(readdirSync(room), ["from"], title);
  }

  async function assertSafe(title: string, like: string, bytes: Uint8Array): Promise<void> {
    const path = join(freshRoom(), `model${/\.\w+$/.exec(like)![0]}`);
    writeFileSync(path, bytes);
    const error = await importPlain(path, join(room, "out")).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const isCoded = error instanceof ShardpoolError;
    assert.ok(error === undefined || isCoded, `${title}: ${error}`);
    assert.deepEqual(readdirSync(room), isCoded ? ["from"] : ["from", "out"], title);
  }
});

/** The exported model with its first table changed. */
function withTable(
  model: OnnxModel,
  change: Partial<OnnxModel["graph"]["initializer"][number]>,
): OnnxModel {
  const initializer = model.graph.initializer.map((tensor) =>
    tensor.name === "emb_l.0.weight" ? { ...tensor, ...change } : tensor,
  );
  return { ...model, graph: { ...model.graph, initializer } };
}
