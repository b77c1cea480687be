import { ShardpoolError } from "../../lib/errors.js";

/**
 * `ID=ADDR` of a `--shard` option.
 *
 * @throws ShardpoolError CONFIG_INVALID.
 */
export function parseShardAddress(text: string): [string, string] {
  const split = text.indexOf("=");
  if (split > 0) return [text.slice(0, split), text.slice(split + 1)];
  throw new ShardpoolError("CONFIG_INVALID", `--shard ${text}: must be ID=ADDR`);
}
