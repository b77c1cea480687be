import { setFlagsFromString } from "node:v8";

/**
 * Has V8 mark its heap in one go. A process that passes batches through frees megabytes of buffers a
 * query, and V8 starts a full collection for every 64 MiB of them; done in steps beside the program,
 * that took 40 % of a frontend's processor time at batch 128 and half of its throughput. The heap
 * itself is small: one go stops the program for some milliseconds.
 */
export function markHeapInOneGo(): void {
  setFlagsFromString("--no-incremental-marking");
}

const kept: object[] = [];

/**
 * Keeps an object for ever, as one of its shape. A full collection throws compiled code away that knows a
 * shape no live object has, and objects that live for one message have none between messages: a frontend
 * under load compiled forty functions anew after each collection.
 */
export function keepShape(object: object): void {
  kept.push(object);
}
