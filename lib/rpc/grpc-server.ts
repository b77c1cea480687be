import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { addressInUse } from "../http/listen.js";
import { FLOW_CONTROL_WINDOW_BYTES, openSessionWindow } from "./flow-control.js";
import { GrpcServerCall } from "./grpc-server-call.js";
import { onHttp2Server, type StreamHandler, takeStreams } from "./http2-servers.js";
import { retireResetConnections } from "./retire-connections.js";

export interface GrpcServerOptions {
  /** `host:port`, where port 0 picks a free one, or `unix:PATH`. */
  readonly listenAddress: string;
  readonly services: readonly {
    readonly definition: ServiceDefinition;
    readonly implementation: UntypedServiceImplementation;
  }[];
  /** Methods served without grpc-js, by path: it gets what is compressed. */
  readonly calls?: ReadonlyMap<string, (call: GrpcServerCall) => void>;
  /** What reflection shows; the `.proto` files of `services`. */
  readonly packages: readonly PackageDefinition[];
  readonly messageBytesMax: number;
  /** Flow-control window for what clients send; `FLOW_CONTROL_WINDOW_BYTES` unless told. */
  readonly windowBytes?: number;
  readonly serverOptions?: ServerOptions;
}

// What goes wrong is told by our own errors; grpc-js would print lines of its own between them.
if (process.env["GRPC_VERBOSITY"] === undefined) setLogVerbosity(logVerbosity.NONE);

/** A listening gRPC server with health and reflection, in the state NOT_SERVING. */
export interface GrpcServer {
  /** The address bound, with its real port. */
  readonly address: string;
  /** What grpc.health.v1 answers for `service`; "" is the process as a whole. */
  setServing(service: string, serving: boolean): void;
  /**
   * Reports NOT_SERVING, lets calls in flight end for up to `graceMs`, then closes. Idle streams
   * count as calls, so a server with open streams takes the whole of `graceMs` unless its own code
   * ends them first.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts a gRPC server.
 *
 * @throws ShardpoolError ADDRESS_IN_USE when the address cannot be bound.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_send_message_length": options.messageBytesMax,
    ...options.serverOptions,
  });
  const handlers = handlersOf(options);
  const windowBytes = options.windowBytes ?? FLOW_CONTROL_WINDOW_BYTES;
  onHttp2Server(server, (http2Server) => {
    takeStreams(http2Server, handlers);
    http2Server.on("session", (session) => openSessionWindow(session, windowBytes));
    retireResetConnections(http2Server);
  });
  for (const { definition, implementation } of options.services) {
    server.addService(definition, implementation);
  }
  const health = new HealthImplementation({ "": "NOT_SERVING" });
  health.addToServer(server);
  for (const definition of options.packages) new ReflectionService(definition).addToServer(server);

  const address = await bind(server, options.listenAddress);
  return {
    address,
    setServing: (service, serving) => {
      health.setStatus(service, serving ? "SERVING" : "NOT_SERVING");
    },
    close: async (graceMs) => {
      health.setStatus("", "NOT_SERVING");
      await shutDown(server, graceMs);
    },
  };
}

function handlersOf({ calls = new Map() }: GrpcServerOptions): ReadonlyMap<string, StreamHandler> {
  return new Map(
    [...calls].map(([path, serve]): [string, StreamHandler] => [
      path,
      (stream, headers) => serve(new GrpcServerCall(stream, headers)),
    ]),
  );
}

function bind(server: Server, listenAddress: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listenAddress, ServerCredentials.createInsecure(), (error, port) => {
      if (error) {
        reject(addressInUse(listenAddress, error));
      } else if (listenAddress.startsWith("unix:")) resolve(listenAddress);
      else resolve(listenAddress.replace(/:\d+$/, `:${port}`));
    });
  });
}

/** `tryShutdown` waits for clients that never hang up, so it gets a limit. */
function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
