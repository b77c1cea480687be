import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP line to a server, through which the test lets bytes pass or not. */
export interface HeldLine {
  readonly address: string;
  /** Lets nothing more of what the server says come through. */
  hold(): void;
  /** Breaks what is open, and refuses what comes. */
  cut(): Promise<void>;
  /** Takes connections again, at the same address. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** Starts one on a free port, open at first. */
export async function startHeldLine(target: string): Promise<HeldLine> {
  const [host, port] = target.split(":") as [string, string];
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    const pair = [near, far] as const;
    pairs.add(pair);
    near.pipe(far);
    far.pipe(near);
    for (const socket of pair) {
      // What breaks shows at the other end.
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  });
  const listen = async (atPort: number): Promise<void> => {
    server.listen(atPort, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const { port: ownPort } = server.address() as AddressInfo;
  const cut = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    await closed;
  };
  return {
    address: `127.0.0.1:${ownPort}`,
    hold: () => {
      for (const [near, far] of pairs) far.unpipe(near);
    },
    cut,
    mend: () => listen(ownPort),
    close: cut,
  };
}
