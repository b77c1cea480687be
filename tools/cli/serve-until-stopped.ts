/** A server that has said where it listens. */
export interface RunningServer {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Prints a server's ready line, one JSON object that starts `{"ready":true,"address":…`, and drains it
 * at SIGTERM or Ctrl-C. A second signal does not wait.
 *
 * @param details More for the ready line, for instance the shard's id.
 */
export async function serveUntilStopped(
  server: RunningServer,
  details: Readonly<Record<string, unknown>>,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
  });
  console.log(JSON.stringify({ ready: true, address: server.address, ...details }));
  await stopped;
  await server.close();
  // Listeners of signals and of the parent's pipe would keep the process alive.
  process.exit(0);
}
