import protobuf from "protobufjs";
import { ShardpoolError } from "../../lib/errors.js";

/** Typed contents of one tensor. A field that nobody asks for is remembered by its name alone. */
export interface TensorContents {
  /** Names of the fields that hold something. */
  readonly filled: readonly ContentsField[];
  /** `fp32_contents`. */
  readonly floats: Float32Array;
  /** `int_contents`. */
  readonly ints: Int32Array;
  /** `int64_contents`; what does not fit int32 is `OUT_OF_INT32`. */
  readonly longs: Int32Array;
}

const FIELD_NAMES = [
  ...["", "bool_contents", "int_contents", "int64_contents", "uint_contents", "uint64_contents"],
  ...["fp32_contents", "fp64_contents", "bytes_contents"],
] as const;
export type ContentsField = (typeof FIELD_NAMES)[number];

const INT_FIELD = 2;
const INT64_FIELD = 3;
const FP32_FIELD = 6;

/** What stands for an integer that is no int32: as a length or a row id it is refused later. */
export const OUT_OF_INT32 = -1;

/**
 * Reads `inference.InferTensorContents`. A generated reader makes an object of each 64-bit id, 40
 * bytes for one on the wire; this one makes four.
 *
 * @param bytes The message.
 * @throws ShardpoolError REQUEST_INVALID, or what the reader throws, when it is none.
 */
export function decodeTensorContents(bytes: Uint8Array): TensorContents {
  const reader = protobuf.Reader.create(bytes);
  const filled = new Set<ContentsField>();
  const floats = new FloatSink();
  const ints = new IntSink();
  const longs = new IntSink();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    const name = FIELD_NAMES[field];
    if (name) filled.add(name);
    if (field === FP32_FIELD) readFloats(reader, tag & 7, floats);
    else if (field === INT_FIELD) readInts(reader, tag & 7, ints, false);
    else if (field === INT64_FIELD) readInts(reader, tag & 7, longs, true);
    else reader.skipType(tag & 7);
  }
  return {
    filled: [...filled],
    floats: floats.values(),
    ints: ints.values(),
    longs: longs.values(),
  };
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Packed, as every writer has it, or one value a tag, as every reader must take it too. */
function readFloats(reader: protobuf.Reader, wireType: number, sink: FloatSink): void {
  if (wireType === FIXED32) {
    sink.push(reader.float());
    return;
  }
  if (wireType !== LENGTH_DELIMITED) throw malformed();
  const bytes = reader.bytes();
  if (bytes.byteLength % 4 !== 0) throw malformed();
  sink.pushAll(bytes);
}

function readInts(
  reader: protobuf.Reader,
  wireType: number,
  sink: IntSink,
  isInt64: boolean,
): void {
  if (wireType === VARINT) {
    const start = reader.pos;
    reader.skipType(VARINT);
    sink.pushVarints(reader.buf.subarray(start, reader.pos), isInt64);
    return;
  }
  if (wireType !== LENGTH_DELIMITED) throw malformed();
  sink.pushVarints(reader.bytes(), isInt64);
}

class FloatSink {
  #values = new Float32Array(0);
  #length = 0;

  push(value: number): void {
    this.#reserve(1);
    this.#values[this.#length++] = value;
  }

  /** @param bytes Little-endian, at any offset. */
  pushAll(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength / 4);
    new Uint8Array(this.#values.buffer).set(bytes, this.#length * 4);
    this.#length += bytes.byteLength / 4;
  }

  values(): Float32Array {
    return this.#values.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    const capacity = this.#length + count;
    if (capacity <= this.#values.length) return;
    const grown = new Float32Array(
      this.#length === 0 ? count : Math.max(capacity, this.#length * 2),
    );
    grown.set(this.#values);
    this.#values = grown;
  }
}

class IntSink {
  #values = new Int32Array(0);
  #length = 0;

  pushVarints(bytes: Uint8Array, isInt64: boolean): void {
    let count = 0;
    for (let i = 0; i < bytes.length; i++) if (bytes[i]! < 0x80) count++;
    this.#reserve(count);
    this.#length = decodeVarints(bytes, isInt64, this.#values, this.#length);
  }

  values(): Int32Array {
    return this.#values.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    const capacity = this.#length + count;
    if (capacity <= this.#values.length) return;
    const grown = new Int32Array(this.#length === 0 ? count : Math.max(capacity, this.#length * 2));
    grown.set(this.#values);
    this.#values = grown;
  }
}

/** Base-128, lowest group first; at most ten bytes a number. @returns Where `out` ends. */
function decodeVarints(
  bytes: Uint8Array,
  isInt64: boolean,
  out: Int32Array,
  outStart: number,
): number {
  let position = outStart;
  let low = 0;
  let high = 0;
  let shift = 0;
  for (let i = 0; i < bytes.length; i++) {
    const group = bytes[i]! & 0x7f;
    if (shift < 28) low |= group << shift;
    else if (shift === 28) {
      low |= group << 28;
      high |= group >>> 4;
    } else if (shift < 70) high |= group << (shift - 32);
    else throw malformed();
    shift += 7;
    if (bytes[i]! >= 0x80) continue;
    // A number past int32 is no row id; a low word past 2^31 is negative, and no row id either.
    out[position++] = isInt64 && high !== 0 ? OUT_OF_INT32 : low;
    low = 0;
    high = 0;
    shift = 0;
  }
  if (shift !== 0) throw malformed();
  return position;
}

function malformed(): ShardpoolError {
  return new ShardpoolError("REQUEST_INVALID", "contents: not a list of numbers");
}
