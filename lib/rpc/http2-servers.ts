import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/**
 * Shows the HTTP/2 servers that grpc-js makes and listens to, one for each address bound: it wraps the one method in
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

/** Serves the streams of one method, by its path. */
export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/**
 * Has some calls served by handlers of their own, and the rest by whom they have been served so far. So are
 * calls with compressed messages, which the handlers do not read.
 */
export function takeStreams(
  http2Server: Http2Server,
  handlers: ReadonlyMap<string, StreamHandler>,
): void {
  const servers = http2Server.listeners("stream");
  http2Server.removeAllListeners("stream");
  http2Server.on("stream", (stream, headers, ...rest) => {
    const handler = handlers.get(headers[":path"] ?? "");
    if (handler && isPlainGrpc(headers)) handler(stream, headers);
    else for (const server of servers) server.call(http2Server, stream, headers, ...rest);
  });
}

function isPlainGrpc(headers: IncomingHttpHeaders): boolean {
  const encoding = headers["grpc-encoding"];
  return (
    headers[":method"] === "POST" &&
    (headers["content-type"] ?? "").startsWith("application/grpc") &&
    (encoding === undefined || encoding === "identity")
  );
}
