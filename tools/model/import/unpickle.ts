import { ShardpoolError } from "../../../lib/errors.js";
import { parseGlobal, parseStorage, reduceGlobal } from "./pickle-reduce.js";
import { OpaqueValue, type PickleDict, type PickleValue } from "./pickle-values.js";

/** A checkpoint's pickle holds names and shapes, not weights: more than this is not one. */
const PICKLE_BYTES_MAX = 64 * 1024 * 1024;

/** Marks a place in the stack, below the items of the container that follows. */
const MARK = Symbol("mark");

type StackItem = PickleValue | typeof MARK;

/**
 * Reads a pickle (protocols 2 to 5) as torch.save writes it, and executes nothing: tensors become
 * references to their storages, plain containers become themselves, and any other class or function
 * is refused by name.
 *
 * @param what Names the file in errors.
 * @throws ShardpoolError FORMAT_UNSUPPORTED for a name or an opcode outside the list, FILE_CORRUPT for
 * a pickle that breaks its own rules, LIMIT_EXCEEDED for one too large to be a checkpoint's.
 */
export function unpickle(bytes: Uint8Array, what: string): PickleValue {
  if (bytes.length > PICKLE_BYTES_MAX) {
    throw new ShardpoolError(
      "LIMIT_EXCEEDED",
      `${what}: the pickle has ${bytes.length} bytes, the limit is ${PICKLE_BYTES_MAX}`,
    );
  }
  try {
    return new Unpickler(bytes, what).run();
  } catch (error) {
    // Reading past the end of a truncated pickle; every other failure has its own code.
    if (!(error instanceof RangeError)) throw error;
    throw new ShardpoolError("FILE_CORRUPT", `${what}: the pickle is truncated`, { cause: error });
  }
}

/** Opcodes with the names they have in CPython's Lib/pickletools.py. */
const OPCODES: Readonly<Record<string, (machine: Unpickler) => void>> = {
  // Framing: nothing to do but to step over it.
  "\x80": (m) => m.skip(1),
  "\x95": (m) => m.skip(8),
  // Constants.
  N: (m) => m.push(null),
  "\x88": (m) => m.push(true),
  "\x89": (m) => m.push(false),
  K: (m) => m.push(m.readUint(1)),
  M: (m) => m.push(m.readUint(2)),
  J: (m) => m.push(m.readInt32()),
  "\x8a": (m) => m.push(m.readLong(m.readUint(1))),
  G: (m) => m.push(m.readFloat64()),
  X: (m) => m.push(m.readText(m.readUint(4))),
  "\x8c": (m) => m.push(m.readText(m.readUint(1))),
  B: (m) => m.push(m.readBytes(m.readUint(4))),
  C: (m) => m.push(m.readBytes(m.readUint(1))),
  // Containers.
  "(": (m) => m.mark(),
  "}": (m) => m.push(new Map()),
  "]": (m) => m.push([]),
  ")": (m) => m.push([]),
  t: (m) => m.push(m.popToMark()),
  "\x85": (m) => m.push(m.popMany(1)),
  "\x86": (m) => m.push(m.popMany(2)),
  "\x87": (m) => m.push(m.popMany(3)),
  a: (m) => m.append(m.popMany(1)),
  e: (m) => m.append(m.popToMark()),
  s: (m) => m.setItems(m.popMany(2)),
  u: (m) => m.setItems(m.popToMark()),
  // Memo.
  q: (m) => m.memoize(m.readUint(1)),
  r: (m) => m.memoize(m.readUint(4)),
  "\x94": (m) => m.memoize(m.memoSize),
  h: (m) => m.recall(m.readUint(1)),
  j: (m) => m.recall(m.readUint(4)),
  // Names, and the few things that are made from them.
  c: (m) => m.pushGlobal(m.readLine(), m.readLine()),
  "\x93": (m) => m.stackGlobal(),
  R: (m) => m.reduce(),
  "\x81": (m) => m.reduce(),
  Q: (m) => m.persistentId(),
  b: (m) => m.build(),
};

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  readonly #stack: StackItem[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #position = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  run(): PickleValue {
    for (;;) {
      const opcode = String.fromCharCode(this.readUint(1));
      if (opcode === ".") return this.#pop();
      const execute = OPCODES[opcode];
      if (execute === undefined) {
        const code = opcode.charCodeAt(0).toString(16).padStart(2, "0");
        throw new ShardpoolError(
          "FORMAT_UNSUPPORTED",
          `${this.#what}: opcode 0x${code} at byte ${this.#position - 1} is not one torch.save writes`,
        );
      }
      execute(this);
    }
  }

  get memoSize(): number {
    return this.#memo.size;
  }

  skip(byteCount: number): void {
    this.#take(byteCount);
  }

  readUint(byteCount: 1 | 2 | 4): number {
    const start = this.#take(byteCount);
    if (byteCount === 1) return this.#view.getUint8(start);
    return byteCount === 2 ? this.#view.getUint16(start, true) : this.#view.getUint32(start, true);
  }

  readInt32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  readFloat64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** A two's-complement integer of any length; a number where it fits one exactly. */
  readLong(byteCount: number): number | bigint {
    const start = this.#take(byteCount);
    let value = 0n;
    for (let i = byteCount - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(this.#bytes[start + i]!);
    value = BigInt.asIntN(byteCount * 8, value);
    return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
      ? Number(value)
      : value;
  }

  readText(byteCount: number): string {
    return Buffer.from(this.readBytes(byteCount)).toString("utf8");
  }

  readBytes(byteCount: number): Uint8Array {
    const start = this.#take(byteCount);
    return this.#bytes.subarray(start, start + byteCount);
  }

  readLine(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0) throw new RangeError("no end of line");
    const text = this.readText(end - this.#position);
    this.#position = end + 1;
    return text;
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  popToMark(): PickleValue[] {
    const start = this.#stack.lastIndexOf(MARK);
    if (start < 0) throw this.#corrupt("a container without a start");
    const items = this.#stack.splice(start).slice(1);
    return items.filter((item): item is PickleValue => item !== MARK);
  }

  append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#corrupt("an append to what is not a list");
    for (const item of items) (list as PickleValue[]).push(item);
  }

  setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) {
      throw this.#corrupt("a key set on what is not a dict");
    }
    for (let i = 0; i < items.length; i += 2) (dict as PickleDict).set(items[i]!, items[i + 1]!);
  }

  memoize(index: number): void {
    this.#memo.set(index, this.#top());
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#corrupt(`no value number ${index} to repeat`);
    this.push(value);
  }

  pushGlobal(module: string, name: string): void {
    this.push(parseGlobal(module, name, this.#what));
  }

  stackGlobal(): void {
    const [module, name] = this.popMany(2);
    if (typeof module !== "string" || typeof name !== "string") {
      throw this.#corrupt("a name that is not text");
    }
    this.pushGlobal(module, name);
  }

  reduce(): void {
    const [callable, args] = this.popMany(2);
    this.push(reduceGlobal(callable!, args!, this.#what));
  }

  persistentId(): void {
    this.push(parseStorage(this.#pop(), this.#what));
  }

  /**
   * Python would give the object a state here. A dict's attributes (an OrderedDict's `_metadata`) and
   * a harmless value's insides are dropped; nothing else has a state that is read.
   */
  build(): void {
    this.#pop();
    const target = this.#top();
    if (!(target instanceof Map) && !(target instanceof OpaqueValue)) {
      throw this.#corrupt("a state for what has none");
    }
  }

  #top(): PickleValue {
    const top = this.#stack.at(-1);
    if (top === undefined || top === MARK) throw this.#corrupt("an empty stack");
    return top;
  }

  #pop(): PickleValue {
    const top = this.#top();
    this.#stack.pop();
    return top;
  }

  #take(byteCount: number): number {
    const start = this.#position;
    if (start + byteCount > this.#bytes.length) throw new RangeError("past the end");
    this.#position += byteCount;
    return start;
  }

  #corrupt(problem: string): ShardpoolError {
    return new ShardpoolError(
      "FILE_CORRUPT",
      `${this.#what}: ${problem} at byte ${this.#position}`,
    );
  }
}
