import { createServer, type ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import { listen } from "./listen.js";
import { addProcessMetrics } from "./process-metrics.js";

/** A listening `/metrics` endpoint. */
export interface MetricsServer {
  /** The address bound, with its real port. */
  readonly address: string;
  close(): Promise<void>;
}

/** A scrape that is not read to its end holds a connection, and no longer than this. */
const SOCKET_TIMEOUT_MS = 10_000;

/**
 * Serves a registry in Prometheus' text format at `GET /metrics`, with the process's own metrics.
 *
 * @param listenAddress `HOST:PORT`, where port 0 picks a free one, or `unix:PATH`.
 * @param prefix Of names that are not the same for every program, for instance `shardpool_shard`.
 * @throws ShardpoolError ADDRESS_IN_USE.
 */
export async function startMetricsServer(
  registry: Registry,
  listenAddress: string,
  prefix: string,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    if (path !== "/metrics") respond(response, 404, "text/plain", "there is only /metrics\n");
    else if (request.method !== "GET") respond(response, 405, "text/plain", "only GET\n");
    else void scrape(registry, response);
  });
  server.setTimeout(SOCKET_TIMEOUT_MS);
  // A scraper that comes back must not keep a process from ending.
  server.unref();
  const address = await listen(server, listenAddress);
  const stopMeasuring = addProcessMetrics(registry, prefix);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        stopMeasuring();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function scrape(registry: Registry, response: ServerResponse): Promise<void> {
  try {
    respond(response, 200, registry.contentType, await registry.metrics());
  } catch (error) {
    respond(response, 500, "text/plain", `${String(error)}\n`);
  }
}

function respond(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}
