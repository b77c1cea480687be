import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/**
 * HTTP/2 flow-control window of a connection and of each stream on it. The protocol's 64 KiB make a
 * sender of 32 KiB answers wait for a round trip every second message; measured, 8 MiB on both ends
 * more than triples the rate at 8 in flight.
 */
export const FLOW_CONTROL_WINDOW_BYTES = 8 * 1024 * 1024;

/**
 * The window of a server that answers with far more than it is asked, a shard: what may be on its way
 * to it. Node reads nothing from a connection while a write to it waits for the peer
 * (`Http2Session::MaybeStopReading`), so two ends that both wait for the other to read wait for ever.
 * As long as all that may be on its way in one direction fits the sockets' buffers (208 KiB of a unix
 * socket, fewer of a young TCP connection), the writer of that direction never waits, and so reads.
 */
export const REQUEST_WINDOW_BYTES = 128 * 1024;

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
export function openServerWindows(server: Server, windowBytes: number): void {
  const internals = server as unknown as {
    createHttp2Server?: (credentials: unknown) => Http2Server;
  };
  const create = internals.createHttp2Server;
  if (typeof create !== "function") {
    throw new TypeError("grpc-js has no Server.createHttp2Server: look at its flow-control option");
  }
  internals.createHttp2Server = (credentials) => {
    const http2Server = create.call(server, credentials);
    http2Server.on("session", (session) => openSessionWindow(session, windowBytes));
    return http2Server;
  };
}

function openSessionWindow(session: ServerHttp2Session, windowBytes: number): void {
  session.settings({ initialWindowSize: windowBytes });
  session.setLocalWindowSize(windowBytes);
}
