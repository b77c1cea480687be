/** Bytes of a varint. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) count++;
  return count;
}

/** Bytes of a uint32 field with a tag of one byte; zero is left out, as proto3 has it. */
export function uint32FieldBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

/** Bytes of a length-delimited field with a tag of one byte; an empty one is left out. */
export function bytesFieldBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

/**
 * Writes protobuf fields with numbers below 16 into bytes that are large enough: callers add sizes
 * up first, so that a message is one allocation and each field one copy.
 */
export class WireWriter {
  readonly #bytes: Uint8Array;
  #position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = bytes;
    this.#position = position;
  }

  get position(): number {
    return this.#position;
  }

  uint32Field(field: number, value: number): void {
    if (value === 0) return;
    this.#bytes[this.#position++] = field << 3;
    this.#varint(value);
  }

  bytesField(field: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.bytesHeader(field, value.length);
    this.#bytes.set(value, this.#position);
    this.#position += value.length;
  }

  /** The tag and length of a field whose contents come next. */
  bytesHeader(field: number, length: number): void {
    this.#bytes[this.#position++] = (field << 3) | 2;
    this.#varint(length);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#position++] = rest;
  }
}
