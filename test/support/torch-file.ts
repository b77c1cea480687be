import { type ZipEntryParts, zipBytes } from "./zip-bytes.js";

/** A float32 tensor as a test makes it. */
export interface TestTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What torch.save writes for a dict of float32 tensors: a pickle, and a file a storage. */
export function torchEntries(tensors: ReadonlyMap<string, TestTensor>): ZipEntryParts[] {
  const storages = [...tensors.values()].map(({ values }, key) => ({
    name: `archive/data/${key}`,
    data: bytesOf(values),
  }));
  return [
    { name: "archive/data.pkl", data: pickleOf(tensors) },
    { name: "archive/byteorder", data: Buffer.from("little") },
    ...storages,
  ];
}

/** The entries as one file. */
export function torchFile(tensors: ReadonlyMap<string, TestTensor>): Buffer {
  const { entries, directory } = zipBytes(torchEntries(tensors));
  return Buffer.concat([entries, directory]);
}

/** `{"state_dict": OrderedDict(name → tensor)}`, protocol 2. */
export function pickleOf(tensors: ReadonlyMap<string, TestTensor>): Buffer {
  const items = [...tensors].map(([name, tensor], key) => text(name) + tensorText(tensor, key));
  return Buffer.from(
    `\x80\x02}${text("state_dict")}ccollections\nOrderedDict\n)R(${items.join("")}us.`,
    "latin1",
  );
}

export function bytesOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

function tensorText({ shape, values }: TestTensor, key: number): string {
  return tensorOf("FloatStorage", key, shape, values.length);
}

function tensorOf(kind: string, key: number, shape: readonly number[], length: number): string {
  const storage = `(${text("storage")}ctorch\n${kind}\n${text(String(key))}${text("cpu")}${int(length)}tQ`;
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((product, n) => product * n, 1));
  return `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${int(0)}${tuple(shape)}${tuple(strides)}\x89ccollections\nOrderedDict\n)RtR`;
}

function tuple(values: readonly number[]): string {
  return `(${values.map(int).join("")}t`;
}

function int(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return `J${bytes.toString("latin1")}`;
}

function text(value: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(Buffer.byteLength(value));
  return `X${bytes.toString("latin1")}${Buffer.from(value).toString("latin1")}`;
}

/** One of Meta's lookup traces: `(indices, offsets, lengths)`, int64 and int32. */
export function traceFile(trace: {
  readonly indices: readonly number[];
  readonly offsets: readonly number[];
  readonly lengths: readonly (readonly number[])[];
}): Buffer {
  const { indices, offsets, lengths } = trace;
  const flat = lengths.flat();
  const parts = [
    tensorOf("LongStorage", 0, [indices.length], indices.length),
    tensorOf("LongStorage", 1, [offsets.length], offsets.length),
    tensorOf("IntStorage", 2, [lengths.length, lengths[0]!.length], flat.length),
  ];
  const { entries, directory } = zipBytes([
    { name: "archive/data.pkl", data: Buffer.from(`\x80\x02(${parts.join("")}t.`, "latin1") },
    { name: "archive/data/0", data: wideBytes(indices) },
    { name: "archive/data/1", data: wideBytes(offsets) },
    { name: "archive/data/2", data: Buffer.from(Int32Array.from(flat).buffer) },
  ]);
  return Buffer.concat([entries, directory]);
}

function wideBytes(values: readonly number[]): Buffer {
  return Buffer.from(BigInt64Array.from(values, BigInt).buffer);
}
