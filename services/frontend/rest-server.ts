import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { ShardpoolError } from "../../lib/errors.js";
import { httpStatusOf } from "../../lib/http/http-status.js";
import { addressInUse, boundAddress, listenOptionsOf } from "../../lib/http/listen.js";
import type { FrontendConfig } from "./frontend-config.js";
import type { ServerParts } from "./frontend-servers.js";
import { readInferOptions } from "./infer-options.js";
import { statisticsOf } from "./model-statistics.js";
import { readRestRequest } from "./rest-request.js";
import { restResponseOf } from "./rest-response.js";
import { restStatisticsOf } from "./rest-statistics.js";
import { assertServed, metadataOf, serverMetadataOf } from "./served-model.js";

/** The listening REST twin of the gRPC service. */
export interface RestServer {
  /** The address bound, with its real port. */
  readonly address: string;
  /** Lets calls in flight end for up to `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** A connection on which nothing moves for this long is closed: its client has stopped reading. */
const SOCKET_TIMEOUT_MS = 60_000;
const HEADER_LENGTH = "inference-header-content-length";

/**
 * Serves the Open Inference Protocol over HTTP.
 *
 * @param listenAddress `HOST:PORT`, where port 0 picks a free one, or `unix:PATH`.
 * @throws ShardpoolError ADDRESS_IN_USE.
 */
export async function startRestServer(
  parts: ServerParts,
  config: FrontendConfig,
  listenAddress: string,
): Promise<RestServer> {
  const app = fastify({
    bodyLimit: config.messageBytesMax,
    connectionTimeout: SOCKET_TIMEOUT_MS,
    requestTimeout: SOCKET_TIMEOUT_MS,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
  });
  // Bodies are read as bytes whatever they call themselves; `readRestRequest` knows their form.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  answerErrors(app, parts, config);
  addServerRoutes(app, parts);
  addModelRoutes(app, parts);
  addInferRoutes(app, parts, config);
  try {
    await app.listen(listenOptionsOf(listenAddress));
  } catch (error) {
    throw addressInUse(listenAddress, error);
  }
  return {
    address: boundAddress(app.server, listenAddress),
    close: (graceMs) => closeWithin(app, graceMs),
  };
}

function addServerRoutes(app: FastifyInstance, parts: ServerParts): void {
  const { isReady, serverVersion, statistics, model } = parts;
  app.get("/v2", async () => serverMetadataOf(serverVersion));
  app.get("/v2/health/live", async () => ({ live: true }));
  app.get("/v2/health/ready", async (_request, reply) => {
    const ready = isReady();
    return reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get("/v2/models/stats", async () => restStatisticsOf(statisticsOf(model, statistics)));
}

type ModelRoute = { Params: { readonly model: string; readonly version?: string } };

/** A model is asked for with its version or without. */
const MODEL_PATHS = ["/v2/models/:model", "/v2/models/:model/versions/:version"] as const;

function addModelRoutes(app: FastifyInstance, parts: ServerParts): void {
  const { model, isReady, statistics } = parts;
  for (const path of MODEL_PATHS) {
    app.get<ModelRoute>(path, async ({ params }) => {
      assertServed(model, params.model, params.version ?? "");
      return metadataOf(model);
    });
    app.get<ModelRoute>(`${path}/ready`, async ({ params }, reply) => {
      assertServed(model, params.model, params.version ?? "");
      const ready = isReady();
      return reply.code(ready ? 200 : 503).send({ name: model.manifest.name, ready });
    });
    app.get<ModelRoute>(`${path}/stats`, async ({ params }) => {
      assertServed(model, params.model, params.version ?? "");
      return restStatisticsOf(statisticsOf(model, statistics));
    });
  }
}

function addInferRoutes(app: FastifyInstance, parts: ServerParts, config: FrontendConfig): void {
  for (const path of MODEL_PATHS) {
    app.post<ModelRoute>(`${path}/infer`, (request, reply) =>
      infer(parts, config.jsonBytesMax, request, reply),
    );
  }
}

async function infer(
  { model, desk }: ServerParts,
  jsonBytesMax: number,
  { params, headers, body }: FastifyRequest<ModelRoute>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const call = {
    protocol: "http",
    spanName: "POST /v2/models/{model}/infer",
    traceparent: oneOf(headers["traceparent"]),
  } as const;
  const { query, answer } = await desk.answer(
    call,
    () => {
      assertServed(model, params.model, params.version ?? "");
      assertPlain(headers["content-encoding"]);
      const bytes = body instanceof Buffer ? body : Buffer.alloc(0);
      const request = readRestRequest(bytes, oneOf(headers[HEADER_LENGTH]), jsonBytesMax);
      const options = readInferOptions(model, request.outputs, request.parameters);
      const { id, tensors } = request;
      // HTTP has no deadline; the parameter `timeout` is one.
      return { request, requestId: id, tensors, options, timeoutMs: Number.POSITIVE_INFINITY };
    },
    (cancel) => reply.raw.once("close", cancel),
  );
  const response = restResponseOf(model, query.request, query.options, answer);
  if (response.jsonLength === undefined) return reply.type("application/json").send(response.body);
  return reply
    .type("application/octet-stream")
    .header("Inference-Header-Content-Length", response.jsonLength)
    .send(response.body);
}

function assertPlain(encoding: string | undefined): void {
  if (encoding === undefined || encoding === "identity") return;
  throw new ShardpoolError("REQUEST_INVALID", "content-encoding: bodies are read as they are only");
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : header?.[0];
}

/** Every answer that is none of the protocol's is `{error, code}`, as Triton has it, and our code. */
function answerErrors(app: FastifyInstance, { log }: ServerParts, config: FrontendConfig): void {
  app.setErrorHandler((error, _request, reply) => {
    const known = asShardpoolError(error, config);
    if (known) {
      const { code, detail } = known;
      return reply.code(httpStatusOf(code)).send({ error: detail, code });
    }
    log.error({ err: error }, "unexpected error");
    return reply
      .code(500)
      .send({ error: "internal error, see the server's log", code: "INTERNAL" });
  });
  app.setNotFoundHandler(({ method, url }, reply) => {
    const path = url.slice(0, 200);
    return reply.code(404).send({ error: `no ${method} ${path} here`, code: "REQUEST_INVALID" });
  });
}

/** What Fastify refuses by itself is a bad request too. */
function asShardpoolError(error: unknown, config: FrontendConfig): ShardpoolError | undefined {
  if (error instanceof ShardpoolError) return error;
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const { statusCode } = error;
  if (statusCode === 413) {
    const detail = `the body is larger than messageBytesMax, ${config.messageBytesMax} bytes`;
    return new ShardpoolError("LIMIT_EXCEEDED", detail, { cause: error });
  }
  if (typeof statusCode !== "number" || statusCode < 400 || statusCode > 499) return undefined;
  return new ShardpoolError("REQUEST_INVALID", error.message, { cause: error });
}

/** Waits for answers under way; a client that does not read its own is cut off. */
async function closeWithin(app: FastifyInstance, graceMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
  await app.close();
  clearTimeout(timer);
}
