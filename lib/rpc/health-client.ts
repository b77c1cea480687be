import {
  type ClientUnaryCall,
  credentials,
  loadPackageDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";

export type HealthStatus =
  | "SERVING"
  | "NOT_SERVING"
  | "UNKNOWN"
  | "SERVICE_UNKNOWN"
  | "UNREACHABLE";

interface HealthClient {
  check(
    request: { service: string },
    options: { deadline: Date },
    callback: (error: ServiceError | null, reply?: { status: HealthStatus }) => void,
  ): ClientUnaryCall;
  close(): void;
}

const HealthConstructor = createHealthConstructor();

/**
 * Asks grpc.health.v1 of a server about one of its services; "" is the process as a whole.
 * Never throws: a server that does not answer in time is UNREACHABLE.
 */
export function fetchHealth(
  address: string,
  { service = "", timeoutMs }: { readonly service?: string; readonly timeoutMs: number },
): Promise<HealthStatus> {
  const client = new HealthConstructor(address, credentials.createInsecure());
  return new Promise((resolve) => {
    const deadline = new Date(Date.now() + timeoutMs);
    client.check({ service }, { deadline }, (error, reply) => {
      client.close();
      resolve(error ? "UNREACHABLE" : (reply?.status ?? "UNKNOWN"));
    });
  });
}

type HealthClientConstructor = new (
  address: string,
  channelCredentials: ReturnType<typeof credentials.createInsecure>,
) => HealthClient;

function createHealthConstructor(): HealthClientConstructor {
  const definition = loadSync(protoPath, { keepCase: false, enums: String, defaults: true });
  const loaded = loadPackageDefinition(definition) as unknown as {
    grpc: { health: { v1: { Health: HealthClientConstructor } } };
  };
  return loaded.grpc.health.v1.Health;
}
