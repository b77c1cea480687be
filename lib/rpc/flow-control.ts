import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/**
 * HTTP/2 flow-control window of a connection and of each stream on it. The protocol's 64 KiB make a
 * sender of 32 KiB answers wait for a round trip every second message; measured, 8 MiB on both ends
 * more than triples the rate at 8 in flight.
 */
export const FLOW_CONTROL_WINDOW_BYTES = 8 * 1024 * 1024;

/** Client channel options that open the window on the client's side. */
export const FLOW_CONTROL_CHANNEL_OPTIONS = {
  "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
} as const;

/**
 * Opens the window on a server's side. grpc-js has no option for it
 * (https://github.com/grpc/grpc-node/pull/3058 is open), so this wraps the one method in which a
 * `Server` makes its HTTP/2 servers. Call it before `bindAsync`.
 *
 * @throws TypeError when grpc-js no longer has that method.
 */
export function openServerWindows(server: Server): void {
  const internals = server as unknown as {
    createHttp2Server?: (credentials: unknown) => Http2Server;
  };
  const create = internals.createHttp2Server;
  if (typeof create !== "function") {
    throw new TypeError("grpc-js has no Server.createHttp2Server: look at its flow-control option");
  }
  internals.createHttp2Server = (credentials) => {
    const http2Server = create.call(server, credentials);
    http2Server.on("session", openSessionWindow);
    return http2Server;
  };
}

function openSessionWindow(session: ServerHttp2Session): void {
  session.settings({ initialWindowSize: FLOW_CONTROL_WINDOW_BYTES });
  session.setLocalWindowSize(FLOW_CONTROL_WINDOW_BYTES);
}
