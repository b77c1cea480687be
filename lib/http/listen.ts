import type { Server } from "node:http";
import { ShardpoolError } from "../errors.js";

/**
 * Binds an HTTP server to `HOST:PORT` (port 0: a free one) or `unix:PATH`.
 *
 * @returns The address bound, with its real port.
 * @throws ShardpoolError ADDRESS_IN_USE when it cannot be bound.
 */
export function listen(server: Server, listenAddress: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => reject(addressInUse(listenAddress, cause));
    server.once("error", refuse);
    server.listen(listenOptionsOf(listenAddress), () => {
      server.off("error", refuse);
      resolve(boundAddress(server, listenAddress));
    });
  });
}

/** The error of an address that could not be bound. */
export function addressInUse(listenAddress: string, cause: unknown): ShardpoolError {
  return new ShardpoolError(
    "ADDRESS_IN_USE",
    `cannot listen on ${listenAddress}: it is in use or not an address of this machine`,
    { cause },
  );
}

export type ListenOptions =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** A checked address in Node's terms. */
export function listenOptionsOf(listenAddress: string): ListenOptions {
  if (listenAddress.startsWith("unix:")) return { path: listenAddress.slice("unix:".length) };
  const split = listenAddress.lastIndexOf(":");
  const host = listenAddress.slice(0, split).replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(listenAddress.slice(split + 1)) };
}

/** `listenAddress` with the port that was bound. */
export function boundAddress(server: Server, listenAddress: string): string {
  const bound = server.address();
  if (bound === null || typeof bound === "string") return listenAddress;
  return listenAddress.replace(/:\d+$/, `:${bound.port}`);
}
