import assert from "node:assert/strict";
import { type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import type { GoldenRequests } from "../../lib/model/golden.js";
import type { Model } from "../../lib/model/model-directory.js";
import { goldenMessage, outputOf, RawInferClient } from "./infer-message.js";
import { type MutatedBody, mutatedBodies, mutatedMessages } from "./mutated-requests.js";
import { policyPlan } from "./policy-model.js";
import { servePlan } from "./served-plan.js";

/** Requests in flight at a time. */
const CONCURRENCY = 32;

/** A query that a mutation has made bad may fail in these ways only. */
const GRPC_REFUSALS: readonly number[] = [
  ...[status.INVALID_ARGUMENT, status.NOT_FOUND, status.RESOURCE_EXHAUSTED],
  // A mutation may set the parameter `timeout`.
  status.DEADLINE_EXCEEDED,
];
const HTTP_STATUSES: readonly number[] = [200, 400, 404, 413, 504];

export interface MutatedLoad {
  readonly messages: number;
  readonly bodies: number;
  readonly seed: number;
}

/**
 * Serves `writePolicyModel`'s model over real connections, sends it mutated requests of both
 * protocols, and asks for the golden answers afterwards.
 */
export async function assertServersSurvive(
  folder: string,
  model: Model,
  { messages, bodies, seed }: MutatedLoad,
): Promise<void> {
  const golden = await model.readGolden();
  const served = await servePlan(folder, `${folder}/policy-model`, policyPlan(model), {
    httpAddress: "127.0.0.1:0",
  });
  const client = new RawInferClient(served.frontend.address);
  try {
    const sent = fc.sample(mutatedMessages(golden), { numRuns: messages, seed });
    await inTurns(sent, (message) => sendMessage(client, message));
    await assertGolden(client, golden);
    const posted = fc.sample(mutatedBodies(golden), { numRuns: bodies, seed });
    await inTurns(posted, (body) => postBody(served.frontend.httpAddress!, body));
    await assertGolden(client, golden);
  } finally {
    client.close();
    await served.close();
  }
}

async function sendMessage(client: RawInferClient, message: Buffer): Promise<void> {
  await client.infer(message).catch(({ code, details }: ServiceError) => {
    assert.ok(GRPC_REFUSALS.includes(code), `${code}: ${details}`);
  });
}

async function postBody(address: string, { body, headerLength }: MutatedBody): Promise<void> {
  const response = await fetch(`http://${address}/v2/models/test/infer`, {
    method: "POST",
    body: Uint8Array.from(body),
    ...(headerLength && { headers: { "inference-header-content-length": headerLength } }),
  });
  const text = await response.text();
  assert.ok(HTTP_STATUSES.includes(response.status), `${response.status}: ${text}`);
}

async function assertGolden(client: RawInferClient, golden: GoldenRequests): Promise<void> {
  const reply = await client.infer(goldenMessage(golden, "raw"));
  const served = outputOf(reply, "probability");
  for (const [i, expected] of golden.probability.entries()) {
    assert.ok(Math.abs(served[i]! - expected) <= 1e-6);
  }
}

async function inTurns<T>(items: readonly T[], send: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values();
  const work = async (): Promise<void> => {
    for (const item of waiting) await send(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}
