import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/**
 * Shows the HTTP/2 servers that grpc-js makes, one for each address bound: it wraps the one method in
 * which a `Server` makes them. Call it before `bindAsync`.
 *
 * @throws TypeError when grpc-js no longer has that method.
 */
export function onHttp2Server(server: Server, visit: (http2Server: Http2Server) => void): void {
  const internals = server as unknown as {
    createHttp2Server?: (credentials: unknown) => Http2Server;
  };
  const create = internals.createHttp2Server;
  if (typeof create !== "function") {
    throw new TypeError(
      "grpc-js has no Server.createHttp2Server: look at how it makes HTTP/2 servers",
    );
  }
  internals.createHttp2Server = (credentials) => {
    const http2Server = create.call(server, credentials);
    visit(http2Server);
    return http2Server;
  };
}

/**
 * Serves the streams of one method, by its path.
 *
 * @param passOn Gives the stream to whom it would go otherwise, grpc-js.
 */
export type StreamHandler = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  passOn: () => void,
) => void;

/** Has some paths served by handlers of their own, and the rest by whom they were served before. */
export function takeStreams(
  http2Server: Http2Server,
  handlers: ReadonlyMap<string, StreamHandler>,
): void {
  const others = http2Server.listeners("stream");
  http2Server.removeAllListeners("stream");
  http2Server.on("stream", (stream, headers, ...rest) => {
    const passOn = (): void => {
      for (const other of others) other.call(http2Server, stream, headers, ...rest);
    };
    const handler = handlers.get(headers[":path"] ?? "");
    if (handler) handler(stream, headers, passOn);
    else passOn();
  });
}
