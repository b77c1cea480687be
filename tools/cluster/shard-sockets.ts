import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the kernel takes for a socket's path (`sun_path`), its end included. */
const SOCKET_PATH_BYTES_MAX = 108;
const LOOPBACK = "127.0.0.1:0";

/**
 * Where the shards of a local cluster listen: unix sockets in a folder of their own, which spare the
 * frontend a tenth of its work on answers, or free loopback ports.
 */
export class ShardSockets {
  readonly #dir: string | undefined;

  constructor(isUnix: boolean) {
    this.#dir = isUnix ? mkdtempSync(join(tmpdir(), "shardpool-")) : undefined;
  }

  /** The address for a shard by its place in the plan: ids may hold what no file name does. */
  addressOf(shardIndex: number): string {
    if (this.#dir === undefined) return LOOPBACK;
    const path = join(this.#dir, `${shardIndex}.sock`);
    return Buffer.byteLength(path) < SOCKET_PATH_BYTES_MAX ? `unix:${path}` : LOOPBACK;
  }

  /** Call it when the shards have ended. */
  remove(): void {
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true });
  }
}
