import { bytesOf, type TestTensor } from "./torch-file.js";

/** A `.safetensors` file of float32 tensors, in the order given. */
export function safetensorsFile(tensors: ReadonlyMap<string, TestTensor>): Buffer {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const [name, { shape, values }] of tensors) {
    const start = end;
    end += values.byteLength;
    header[name] = { dtype: "F32", shape, data_offsets: [start, end] };
  }
  return Buffer.concat([
    safetensorsHeader(header),
    ...[...tensors.values()].map(({ values }) => bytesOf(values)),
  ]);
}

/** Length and JSON text, whatever is in it. */
export function safetensorsHeader(header: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text]);
}
