import { z } from "zod";
import { type ErrorCode, ShardpoolError } from "./errors.js";

/**
 * Checks untrusted data (flags, JSON, environment) against a schema and returns it complete and
 * frozen. Nothing is corrected: what does not fit is refused, all problems at once, each with the
 * key, the value and the limit. Unknown keys are refused with the nearest known one.
 *
 * @param what Names the thing in the message, for instance `shard config` or a file's path.
 * @throws ShardpoolError with `code`, CONFIG_INVALID unless told.
 */
export function parseConfig<S extends z.ZodType>(
  schema: S,
  raw: unknown,
  what: string,
  code: ErrorCode = "CONFIG_INVALID",
): Readonly<z.output<S>> {
  const result = schema.safeParse(raw, { reportInput: true });
  if (result.success) return Object.freeze(result.data);
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, schema));
  throw new ShardpoolError(code, `${what}: ${problems.join("; ")}`);
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const known = knownKeysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const near = nearestKey(key, known);
      const hint = near === undefined ? "" : `, did you mean ${near}?`;
      return `unknown key ${path === "" ? key : `${path}.${key}`}${hint}`;
    });
  }
  // A rule about several keys is told of them all, whichever it is reported for.
  const isOfSeveral =
    issue.code === "custom" && issue.input !== null && typeof issue.input === "object";
  const value = issue.input === undefined || isOfSeveral ? "" : ` (got ${shorten(issue.input)})`;
  const message = issue.message.replace(/^Invalid input: /, "");
  return [`${path === "" ? "value" : path}: ${message}${value}`];
}

function knownKeysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let node: unknown = schema;
  for (const step of path) {
    node = unwrap(node);
    if (node instanceof z.ZodObject) node = node.shape[String(step)];
    else if (node instanceof z.ZodArray) node = node.element;
    else return [];
  }
  node = unwrap(node);
  return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
}

function unwrap(node: unknown): unknown {
  let inner = node;
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodReadonly
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

/** The known key at most two edits away, else none. */
function nearestKey(key: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
