import { existsSync, rmSync } from "node:fs";
import { connect } from "node:net";

/**
 * Removes the socket file that a killed server left at `unix:PATH`: the next bind fails while it is
 * there. A socket that somebody listens on stays.
 */
export async function removeStaleSocket(listenAddress: string): Promise<void> {
  if (!listenAddress.startsWith("unix:")) return;
  const path = listenAddress.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
  if (!existsSync(path) || (await isListening(path))) return;
  rmSync(path, { force: true });
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refused connection proves that nobody is there.
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "ECONNREFUSED");
    });
  });
}
