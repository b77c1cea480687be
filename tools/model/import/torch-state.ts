import { ShardpoolError } from "../../../lib/errors.js";
import { FileRegion } from "../../../lib/npy/file-region.js";
import { checkEntry, readZipEntries, type ZipEntry } from "../../../lib/npy/stored-zip.js";
import { type PickleDict, type PickleValue, TensorReference } from "./pickle-values.js";
import { STATE_DTYPES, type StateDict, type StateDtype, type StateTensor } from "./state-dict.js";
import { unpickle } from "./unpickle.js";

const PICKLE_ENTRY = "/data.pkl";

/** Where training scripts put the state dict inside what they save, tried in order. */
const STATE_DICT_KEYS = ["state_dict", "model_state_dict", "model"];

/**
 * Opens a checkpoint of torch.save (the zip format of PyTorch 1.6 and later) without executing
 * anything in it. Tensors are read from their storages piece by piece.
 *
 * The state dict is the dict under `state_dict`, `model_state_dict` or `model`, else the checkpoint
 * itself.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED for the older format, another byte order, or names that
 * are not tensors; FILE_CORRUPT; MODEL_INVALID when there is no tensor in it.
 */
export async function openTorchState(path: string): Promise<StateDict> {
  const { root, entryOf } = await readTorchArchive(path);
  const references = tensorsIn(findStateDict(root));
  if (references.size === 0) throw new ShardpoolError("MODEL_INVALID", `${path} holds no tensors`);
  const file = FileRegion.open(path);
  try {
    const tensors = new Map<string, StateTensor>();
    for (const [name, reference] of references) {
      const dtype = STATE_DTYPES.find((known) => known === reference.storage.dtype);
      // Counters and masks are integers; weights never are.
      if (dtype === undefined) continue;
      const entry = entryOf(reference);
      tensors.set(name, await toTensor(path, { name, dtype, reference, entry }, file));
    }
    return { what: path, tensors, isOrdered: true, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** What torch.save wrote, its tensors not yet read. */
export interface TorchArchive {
  readonly root: PickleValue;
  /** Where a tensor's storage lies in the file; undefined when the archive lacks it. */
  entryOf(reference: TensorReference): ZipEntry | undefined;
}

/**
 * Reads the pickle of a torch.save file, executing nothing.
 *
 * @throws ShardpoolError FORMAT_UNSUPPORTED, FILE_CORRUPT.
 */
export async function readTorchArchive(path: string): Promise<TorchArchive> {
  const entries = await readZipEntries(path);
  const pickleEntry = entries.find((entry) => entry.name.endsWith(PICKLE_ENTRY));
  if (pickleEntry === undefined) {
    throw new ShardpoolError("FORMAT_UNSUPPORTED", `${path} has no data.pkl: not of torch.save`);
  }
  const prefix = pickleEntry.name.slice(0, -PICKLE_ENTRY.length);
  const entryByName = new Map(entries.map((entry) => [entry.name, entry]));
  assertLittleEndian(path, entryByName.get(`${prefix}/byteorder`));
  return {
    root: unpickle(readEntry(path, pickleEntry), path),
    entryOf: ({ storage }) => entryByName.get(`${prefix}/data/${storage.key}`),
  };
}

function readEntry(path: string, entry: ZipEntry): Uint8Array {
  const region = FileRegion.open(path, entry.region);
  try {
    const bytes = new Uint8Array(region.bytes);
    region.read(0, bytes);
    return bytes;
  } finally {
    region.close();
  }
}

function assertLittleEndian(path: string, entry: ZipEntry | undefined): void {
  // Checkpoints from before PyTorch 2.1 do not say; they came from little-endian machines.
  if (entry === undefined) return;
  const order = Buffer.from(readEntry(path, entry)).toString("latin1").trim();
  if (order !== "little") {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${path}: byte order ${order}, only little is read`,
    );
  }
}

function findStateDict(root: PickleValue): PickleDict {
  if (!(root instanceof Map)) return new Map();
  for (const key of STATE_DICT_KEYS) {
    const inner = root.get(key);
    if (inner instanceof Map) return inner;
  }
  return root;
}

function tensorsIn(dict: PickleDict): Map<string, TensorReference> {
  const tensors = new Map<string, TensorReference>();
  for (const [name, value] of dict) {
    if (typeof name === "string" && value instanceof TensorReference) tensors.set(name, value);
  }
  return tensors;
}

async function toTensor(
  path: string,
  { name, dtype, reference, entry }: NamedReference,
  file: FileRegion,
): Promise<StateTensor> {
  const { storage, offset, shape } = reference;
  const storageBytes = storage.elementCount * storage.elementBytes;
  if (entry === undefined || entry.region.bytes !== storageBytes) {
    throw new ShardpoolError(
      "FILE_CORRUPT",
      `${path}: storage ${storage.key} of ${name} has ${entry?.region.bytes ?? 0} bytes, must have ${storageBytes}`,
    );
  }
  if (!reference.isContiguous) {
    throw new ShardpoolError(
      "FORMAT_UNSUPPORTED",
      `${path}: ${name} is a strided view; save it with .contiguous()`,
    );
  }
  await checkEntry(path, entry);
  const start = entry.region.offset + offset * storage.elementBytes;
  return { name, dtype, shape, readBytes: (position, out) => file.read(start + position, out) };
}

interface NamedReference {
  readonly name: string;
  readonly dtype: StateDtype;
  readonly reference: TensorReference;
  readonly entry: ZipEntry | undefined;
}
