import type { ServerHttp2Session } from "node:http2";

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
 * Opens the window on a server's side, for which grpc-js has no option
 * (https://github.com/grpc/grpc-node/pull/3058 is open).
 */
export function openSessionWindow(session: ServerHttp2Session, windowBytes: number): void {
  session.settings({ initialWindowSize: windowBytes });
  session.setLocalWindowSize(windowBytes);
}
